"""What the protected branch says, whatever branch is checked out: policies, and who may sign.

A candidate that brings its own policy, or its own list of signers, would approve itself. A forge
protects its own branch and no local one: where the remote has the branch, that is what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from mlops_cli import config
from mlops_cli.config import Settings
from mlops_cli.errors import ConfigError, StateRefused
from mlops_cli.registry.allowed import FILE
from mlops_cli.registry.keyless import identities
from mlops_cli.registry.keyless.identities import Keyless
from mlops_cli.vcs import branches, exchange, objects
from mlops_cli.vcs.repo import Git

_SETTING, _CONFIG = "trust.branches", ".mlops/config.yaml"
_USUAL = ("main", "master")


@dataclass(frozen=True, slots=True)
class Protected:
    """The protected branch of a clone. `ref` is None where it has none."""

    git: Git
    ref: str | None

    @property
    def name(self) -> str | None:
        """What people call it: main, origin/main."""
        return self.ref.split("/", 2)[2] if self.ref else None

    @property
    def remote(self) -> bool:
        """Whether it is the branch of a remote: what is committed here counts once pushed."""
        return self.ref is not None and self.ref.startswith("refs/remotes/")

    def holds(self, commit: str) -> bool:
        """Return whether `commit` is reachable from it; one that is not here is not."""
        if self.ref is None:
            return False
        return self.git.call("merge-base", "--is-ancestor", commit, self.ref).code == 0

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file as the branch has it, None where it has none."""
        return self.git.show(self.ref, path) if self.ref else None

    def allowed(self) -> bytes | None:
        """Return the allowed signers, None where the project lists none.

        Raises StateRefused ("no-protected-branch") where a list is at hand that nobody protects,
        ConfigError ("bad-allowed-signers") where a folder has its name.
        """
        return self._list(FILE)

    def keyless(self) -> Keyless | None:
        """Return who may sign without a key, None where the project lists nobody. Raises as
        `allowed`."""
        found = self._list(identities.FILE)
        return None if found is None else Keyless(found, self.read(identities.ROOT))

    def _list(self, file: str) -> bytes | None:
        held = objects.read(self.git, [f"{self.ref}:{file}"])[0] if self.ref else None
        if held is not None and held.kind != "blob":
            raise ConfigError(
                f"{file} on {self.name} is no file, so nobody can tell who may sign",
                code="bad-allowed-signers",
                hint=f"git ls-tree {self.name} {file}",
            )
        found = held.data if held is not None else None
        if found is None and self.ref is None and (self.git.root / file).is_file():
            raise StateRefused(
                f"{file} cannot be trusted: no branch here is a protected one",
                code="no-protected-branch",
                hint="git fetch origin main:refs/remotes/origin/main, or name the branch: mlops"
                " config set --user trust.branches trunk",
            )
        return found


def branch(git: Git, settings: Settings | None, *, fresh: bool = False) -> Protected:
    """Return the first branch that trust.branches names, as the remote has it, else the local one.

    Where only the project's own settings name them, these are taken as main or master has them.
    `fresh` asks the remote first, as those do who decide, unless the registry is not shared.
    Raises OutsideWorld ("registry-unreachable").
    """
    if settings is None:
        return _find(git, _USUAL)
    said = settings.origin(_SETTING)
    if fresh and settings.get("registry.share"):
        _fetch(git, (*_words(said.value), *_USUAL))
    if said.layer == "project":
        usual = _find(git, _USUAL)
        text = usual.read(_CONFIG)
        if text is not None:
            there = config.parse(text.decode("utf-8", "replace"), source=_CONFIG)
            return _find(git, _words(there.get(_SETTING)))
        if usual.ref is not None:
            return usual
    return _find(git, _words(said.value))


def _find(git: Git, patterns: tuple[str, ...]) -> Protected:
    named = branches.standing(git)
    for pattern in patterns:
        for name in sorted(named):
            if fnmatchcase(name, pattern):
                return Protected(git, named[name])
    return Protected(git, None)


def _fetch(git: Git, patterns: tuple[str, ...]) -> None:
    remote = exchange.remote_of(git, patterns[0])
    if remote is not None:
        branches.fetch(git, remote, patterns)


def _words(value: object) -> tuple[str, ...]:
    return tuple(word.strip() for word in str(value or "").split(",") if word.strip())

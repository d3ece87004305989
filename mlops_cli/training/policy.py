"""The policy of a model: models/<name>.yaml as the protected branch has it, never as the candidate.

Where a model has no such file, the gates in pipeline.yaml are its policy, read from the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, StateRefused
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.registry.protected import Protected
from mlops_cli.registry.version import Version
from mlops_cli.store.digest import Digest
from mlops_cli.training import allowance
from mlops_cli.training.policy_said import read, work_tree
from mlops_cli.training.policy_text import Aliases, digest, files, of

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Policy:
    """What an alias asks of a version, and where that is said."""

    model: str
    alias: str
    aliases: Aliases  # its own and those that its gates may build on
    file: str
    branch: str | None = None  # None: the work tree says it
    commit: str | None = None  # at which the branch was read
    notes: tuple[str, ...] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """The policy as plain JSON, with the aliases that it builds on."""
        return self.of(self.alias)

    @property
    def digest(self) -> Digest:
        """The identity of the policy: the SHA-256 of its canonical JSON."""
        return digest(self.plain)

    def of(self, alias: str) -> dict[str, Any]:
        """Return what `registry.gate` judges by for one of the aliases."""
        return of(self.aliases, alias)

    def to_plain(self) -> dict[str, Any]:
        """Return where the policy is from."""
        return {
            "file": self.file,
            "branch": self.branch,
            "commit": self.commit,
            "digest": str(self.digest),
            "notes": list(self.notes),
        }


def policy(
    git: Git,
    pipeline: Pipeline,
    model: str,
    alias: str,
    *,
    protected: Protected,
    candidate: Version | None = None,
) -> Policy:
    """Return the policy of `alias` of `model`.

    What the work tree or the commit of `candidate` says otherwise is ignored, and told in `notes`.
    Raises ConfigError ("unknown-alias", "alias-cycle", and what is wrong in the file, with line
    and column), StateRefused ("policy-of-candidate") where the commit that the candidate was
    registered on changed what the alias asks together with code, params or locks.
    """
    at = git.rev_parse(protected.ref) if protected.ref else None
    own = candidate.commit if candidate else "HEAD"
    now, there, before = read(git, (at or "HEAD", own, f"{own}^"), pipeline, model)
    here = work_tree(git, pipeline, model)
    branch = protected.name
    if at is None or now is None or alias not in now.aliases:
        if alias not in here.aliases:
            known = {**here.aliases, **(now.aliases if now else {})}
            raise _unknown(model, alias, known)
        lacks = f"{branch} has none of {alias} yet" if branch else "no branch here is protected"
        note = f"policy-unprotected: {lacks}, so {here.file} of the work tree counts"
        return Policy(model, alias, here.aliases, here.file, notes=(note,))
    asked = now.asks(alias)
    if candidate is not None and there is not None and there.asks(alias) == asked:
        former = before.asks(alias) if before else None
        if former not in (None, asked) and _mixed(git, candidate, model):
            raise _by_candidate(candidate, alias, str(branch))
    others = [(f"{here.file} here", here, ", so push it there first" if protected.remote else "")]
    if candidate is not None and there is not None:
        others.append((f"{there.file} in the commit of {candidate.name}", there, ""))
    notes = tuple(
        f"policy-ignored: {where} asks something else of {alias}; what {branch} says counts{advice}"
        for where, said, advice in others
        if said.asks(alias) not in (None, asked)
    )
    return Policy(model, alias, now.aliases, now.file, branch, at, notes)


def _mixed(git: Git, candidate: Version, model: str) -> bool:
    """Return whether the commit changed more than policies: then it is one of the candidate."""
    listed = git.run("diff-tree", "--no-commit-id", "--name-only", "-r", "-z", candidate.commit)
    words = files(model)
    return any(path not in words for path in listed.split("\0") if path)


def _by_candidate(candidate: Version, alias: str, branch: str) -> StateRefused:
    return StateRefused(
        f"the commit of {candidate.name} itself changed what {alias} asks",
        code="policy-of-candidate",
        hint=f"let a policy change in a commit of its own on {branch}, and train on a later one",
        details={"commit": candidate.commit, "alias": alias},
    )


def _unknown(model: str, alias: str, known: Aliases) -> ConfigError:
    return ConfigError(
        f"neither pipeline.yaml nor {allowance.path(model)} has an alias {alias!r} of {model}",
        code="unknown-alias",
        hint=f"aliases of {model}: {', '.join(sorted(known)) or 'none'}; "
        f"one without gates: mlops models alias {model}@vN {alias}",
    )

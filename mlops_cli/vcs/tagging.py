"""Tags are made aside, then put in their place: on the git remote first, once, by one winner."""

from __future__ import annotations

import contextlib
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, MlopsError, OutsideWorld, StateRefused
from mlops_cli.vcs import objects
from mlops_cli.vcs.answer import Answer, failed
from mlops_cli.vcs.repo import Git, no_identity
from mlops_cli.vcs.tags import HERE, LIMIT, names

# how git says that somebody else was first
_TAKEN = ("already exists", "stale info", "reference already", "cannot lock", "failed to lock",
          "failed to update", "failed transaction", "incorrect old value", "but expected",
          "fetch first", "atomic")  # fmt: skip
OURS = "mlops/"
_STALE = 3600.0  # seconds after which what a killed process left may go


def make(
    git: Git, name: str, payload: Any, *, subject: str, time: datetime, target: str = "HEAD"
) -> str:
    """Return the id of a new tag object on the commit `target`; no ref names it yet.

    The payload is stored as canonical JSON below the subject. git itself makes it, in a folder
    of its own that shares our objects: so it is signed when tag.gpgsign says so, and a process
    that dies here leaves nothing that has a name.
    Raises StateRefused ("no-commit", "no-identity", "payload-too-large").
    """
    commit = git.head().commit if target == "HEAD" else target
    if commit is None:
        raise StateRefused(
            "there is no commit yet that a tag could point to",
            code="no-commit",
            hint="git add . && git commit",
        )
    message = f"{subject}\n\n".encode() + canonical_json(payload) + b"\n"
    if len(message) > LIMIT // 2:
        raise StateRefused(
            f"{name} would have {len(message):,} bytes, more than a tag may have",
            code="payload-too-large",
            hint="a model with fewer columns, or shorter words",
        )
    with _aside(git) as folder:
        answer = git.call(
            *("-c", "user.useConfigOnly=true", "-c", "i18n.commitEncoding=UTF-8"),
            *_signing(git),
            *("tag", "--annotate", "--cleanup=verbatim", "-F", "-", "--", name, commit),
            input=message,
            env={
                "GIT_DIR": str(folder),
                "GIT_OBJECT_DIRECTORY": str(git.common_dir / "objects"),
                "GIT_COMMITTER_DATE": f"{int(time.astimezone(UTC).timestamp())} +0000",
            },
        )
        made = (folder / HERE / name).read_text().strip() if answer.code == 0 else None
    # git before 2.41 goes on without a signature when ssh-keygen fails
    asked = git.key is not None or answer.err.startswith("error:")
    if "unable to sign" in answer.err or (made is not None and asked and not _signed(git, made)):
        why = answer.err.partition("\n")[0].removeprefix("error: ")
        raise OutsideWorld(
            f"{name} could not be signed: {why or 'git does not say why'}",
            code="signing-failed",
            hint="is it the key that you meant? mlops config get signing.key; ssh-add -l",
            details={"stderr": answer.err[-2000:]},
        )
    if made is not None:
        return made
    if "tell me who you are" in answer.err or "ident" in answer.err:
        raise no_identity()
    raise failed(("tag",), answer)


def _signed(git: Git, oid: str) -> bool:
    (held,) = objects.read(git, [oid])
    return held is not None and b"\n-----BEGIN " in held.data


def _signing(git: Git) -> tuple[str, ...]:
    """Return the settings by which git signs with the key that is set here, if one is."""
    if git.key is None:
        return ()
    words = ("gpg.format=ssh", f"user.signingkey={git.key}", "tag.gpgSign=true")
    return tuple(word for each in words for word in ("-c", each))


def place(
    git: Git, name: str, oid: str, *, remote: str | None = None, along: Sequence[str] = ()
) -> bool:
    """Let the tag `name` be the object `oid`; False when a tag of that name is there already.

    `along` are refs that arrive on the remote with it or not at all. Raises as `place_all` does.
    """
    return place_all(git, {name: oid}, remote=remote, along=along)


def place_all(
    git: Git, tags: Mapping[str, str], *, remote: str | None = None, along: Sequence[str] = ()
) -> bool:
    """Let each tag (name → object) be there, or none; False when a name is taken already.

    With a remote it is there that exactly one gets True. A ref is created only if it is absent,
    there and then here.
    Raises IntegrityError ("tag-taken"), StateRefused ("ref-diverged"), OutsideWorld.
    """
    if remote is not None and not _send(git, tags, remote, along):
        return False
    lines = "".join(f"create {HERE}{name} {oid}\n" for name, oid in tags.items())
    answer = git.call("update-ref", "--stdin", input=lines)
    if answer.code == 0:
        return True
    held = names(git, OURS)
    if all(held.get(name) == oid for name, oid in tags.items()):
        return True  # another process of this clone fetched them meanwhile
    if any(name in held for name in tags):
        return False
    if "File exists" in answer.err:
        raise StateRefused(
            f"git holds a lock on {min(tags)}",
            code="git-busy",
            hint="wait for the other git; if there is none: " + answer.err.splitlines()[0],
        )
    raise failed(("update-ref",), answer)


def _send(git: Git, tags: Mapping[str, str], remote: str, along: Sequence[str]) -> bool:
    leases = [f"--force-with-lease={HERE}{name}:" for name in tags]
    specs = [f"{oid}:{HERE}{name}" for name, oid in tags.items()]
    answer = git.call(
        *("push", "--porcelain", "--no-verify", "--atomic", *leases),
        *(remote, *specs, *(f"{other}:{other}" for other in along)),
    )
    if answer.code == 0:
        return True
    rows = [row.split("\t") for row in answer.out.decode("utf-8", "replace").splitlines()]
    refused = {row[1].rpartition(":")[2]: row[-1] for row in rows if row[0] == "!"}
    ours = {HERE + name for name in tags}
    for other, reason in refused.items():
        if other not in ours and "atomic" not in reason:
            raise other_there(remote, other)
    reasons = [reason for ref, reason in refused.items() if ref in ours]
    if any(word in reason for reason in reasons for word in _TAKEN):
        return False
    raise unreachable(remote, answer, reasons[0] if reasons else None)


def other_there(remote: str, ref: str) -> MlopsError:
    """Return the error for a ref that is something else on the remote."""
    if ref.startswith(HERE):
        name = ref.removeprefix(HERE)
        return IntegrityError(
            f"{remote} has another tag {name}",
            code="tag-taken",
            hint=f"git ls-remote --tags {remote} {name}; git tag -d {name} if theirs is right",
            details={"tags": [name]},
        )
    return StateRefused(
        f"{remote} holds other commits on {ref}",
        code="ref-diverged",
        hint="two clones write under one name; git config --unset mlops.writer in one of them",
        details={"refs": [ref]},
    )


def unreachable(remote: str, answer: Answer, reason: str | None = None) -> OutsideWorld:
    """Return the error for a remote that could not be asked or does not take our tags."""
    error = failed(("push",), answer)
    return OutsideWorld(
        f"the registry on {remote} cannot be reached or changed: {reason or error.message}",
        code="registry-unreachable",
        hint=f"git ls-remote {remote}; in this clone alone: mlops config set registry.share false",
        details=error.details,
    )


@contextlib.contextmanager
def _aside(git: Git) -> Iterator[Path]:
    """Yield a folder that git takes for a repository without a ref, settings as here."""
    import secrets  # brings what a command that makes no tag has no time for
    import shutil

    home = git.common_dir / "mlops"
    home.mkdir(exist_ok=True)
    for left in home.glob("tag-*"):
        with contextlib.suppress(OSError):
            if clock.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left)
    folder = home / f"tag-{secrets.token_hex(6)}"
    (folder / "refs").mkdir(parents=True)
    try:
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        for source in (git.common_dir / "config", git.git_dir / "config.worktree"):
            if source.is_file():
                shutil.copyfile(source, folder / source.name)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

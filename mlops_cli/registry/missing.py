"""The errors for names that the registry does not have, with what there is and how to get more."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_cli.errors import NotFound
from mlops_cli.vcs.repo import Git

FETCH = "git fetch {remote} 'refs/tags/mlops/*:refs/tags/mlops/*'"
_TOLD = 10


def model(git: Git, name: str, known: Sequence[str]) -> NotFound:
    """Return the error for a model that no tag names."""
    hint = f"models: {', '.join(known)}" if known else "models: none yet; mlops register"
    if not known and (fetch := _fetch(git, always=True)):
        hint = f"no tag of the registry is in this clone: {fetch}"
    return NotFound(f"there is no model {name!r}", code="unknown-model", hint=hint)


def version(git: Git, name: str, which: int | str, known: Sequence[int]) -> NotFound:
    """Return the error for a version that the model does not have."""
    told = [f"v{number}" for number in known[-_TOLD:]]
    if len(known) > _TOLD:
        told.insert(0, "…")
    hint = f"versions of {name}: {', '.join(told) or 'none yet'}"
    what = f"version {which}" if isinstance(which, int) else f"version whose model is {which}…"
    return NotFound(
        f"{name} has no {what}", code="unknown-version", hint="; ".join((hint, *_shallow(git)))
    )


def alias(git: Git, name: str, which: str, known: Sequence[str], *, retired: bool) -> NotFound:
    """Return the error for an alias that means nothing."""
    state = "has no version any more" if retired else "does not exist"
    hint = f"aliases of {name}: {', '.join(known) or 'none yet'}; mlops promote {name} {which}"
    return NotFound(
        f"the alias {name}@{which} {state}",
        code="unknown-alias",
        hint="; ".join((hint, *_shallow(git))),
    )


def _shallow(git: Git) -> list[str]:
    fetch = _fetch(git, always=False)
    return [f"this clone is shallow and may lack some: {fetch}"] if fetch else []


def _fetch(git: Git, *, always: bool) -> str | None:
    """Return the command that brings all tags, where they may be missing."""
    if not always and not (git.common_dir / "shallow").exists():
        return None
    from mlops_cli.vcs.exchange import remote_of  # nothing that is found needs it

    remote = remote_of(git)
    return FETCH.format(remote=remote) if remote else None

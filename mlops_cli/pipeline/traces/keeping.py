"""How an output is kept, as its lock tells: in the cache or not, sent or not, how many versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_cli.pipeline.step import Step
    from mlops_cli.pipeline.traces.lock import Lock, Output

Keeping = Mapping[str, Mapping[str, Any]]  # path → what differs from the usual
_PLAIN: Mapping[str, Any] = {}


def persists(step: Step) -> list[str]:
    """Return the outputs with which the step goes on."""
    return [path for path, words in step.keeping.items() if words.get("persist")]


def marked(path: str, made: Output, keeping: Keeping) -> Output:
    """Return the output as its lock is to tell of it."""
    words = keeping.get(path, _PLAIN)
    return replace(
        made,
        stored=made.stored and bool(words.get("cache", True)),
        push=bool(words.get("push", True)),
        keep=words.get("keep"),
    )


def changed(step: Step, lock: Lock) -> list[str]:
    """Return the outputs of which the lock tells that they are kept in another way."""
    return [path for path, out in lock.outputs.items() if marked(path, out, step.keeping) != out]

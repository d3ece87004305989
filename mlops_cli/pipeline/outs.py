"""How an output is kept: in the cache or not, across runs, sent or not, how many versions of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_cli.pipeline.paths import clean

if TYPE_CHECKING:
    from mlops_cli.pipeline.lock import Lock, Output
    from mlops_cli.pipeline.settle import Settling
    from mlops_cli.pipeline.step import Step

Keeping = Mapping[str, Mapping[str, Any]]  # path → what differs from the usual
_PLAIN: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Out:
    """An output and how it is kept. `cache: false`: its digest stands in the lock, its bytes are
    left to git or to nobody. `persist`: a step finds it as it left it, and goes on with it.
    `push: false`: it stays here. `keep`: gc needs no more than so many of its versions."""

    path: str
    cache: bool = True
    persist: bool = False
    push: bool = True
    keep: int | None = None


def path_of(out: str | Out) -> str:
    """Return the path of an output, however it is written."""
    return out if isinstance(out, str) else out.path


def paths(outs: Iterable[str | Out]) -> list[str]:
    """Return the paths of outputs in their one spelling."""
    return [clean(path_of(out)) for out in outs]


def keeping(outs: Iterable[str | Out]) -> dict[str, dict[str, Any]]:
    """Return path → what is said of it that differs from how outputs usually are kept."""
    from mlops_cli.pipeline.model import to_plain

    said = {clean(out.path): to_plain(out) for out in outs if isinstance(out, Out)}
    words = {path: {k: v for k, v in plain.items() if k != "path"} for path, plain in said.items()}
    return {path: plain for path, plain in words.items() if plain}


def store(settling: Settling, path: str, keeping: Keeping) -> Output:
    """Return the output at `path`, on its way into the cache unless it is not to go there."""
    cached = bool(keeping.get(path, _PLAIN).get("cache", True))
    return marked(path, settling.store(path, cache=cached), keeping)


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

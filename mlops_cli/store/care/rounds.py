"""A round over everything there is, which may be cut short and taken up again.

What is looked at has an order (by name), and a file remembers how far the last round came. A
sample is the next stretch of that order, so that samples of 5 % have seen everything after twenty.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.store.care.course import Course, Level, Outcome, Unit, load, save

SAVE_EVERY = 2.0  # seconds; so much is hashed again after a kill


@dataclass(frozen=True, slots=True)
class Extent:
    """How closely to look, and at how much."""

    level: Level = "bytes"
    share: float | None = None  # a sample: this part of all bytes, on from where the last one ended
    seconds: float | None = None  # then stop; `resume` goes on there
    resume: bool = False


def walk(
    file: Path,
    units: Iterable[Unit],
    extent: Extent,
    look: Callable[[Unit], Outcome],
    *,
    lanes: int,
    settle: Callable[[Sequence[tuple[Unit, Outcome]]], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Course:
    """Call `look` with what is due of `units`, in `lanes` threads; return what was found.

    How far it came is written to `file`, so that the next call can go on, also after a kill; all
    that counts as done was handed to `settle` before.
    """
    began, memory = clock(), load(file)
    key = "sample" if extent.share is not None else "round"
    former = memory.get(key) or Course(extent.level)
    resumed = extent.resume and extent.share is None and former.level == extent.level
    course = former if resumed else Course(extent.level)
    due = _due(sorted(units), former.after if resumed or extent.share else "", extent.share)
    saved, done = began, list[tuple[Unit, Outcome]]()

    def keep() -> None:
        if settle is not None:
            settle(done)
        done.clear()
        save(file, memory)

    try:
        for unit, outcome in _in_order(due, look, lanes):
            course = memory[key] = course.with_next(unit, outcome)
            done.append((unit, outcome))
            now = clock()
            if extent.seconds is not None and now - began >= extent.seconds and unit != due[-1]:
                keep()
                return course
            if now - saved >= SAVE_EVERY:
                keep()
                saved = now
    except BaseException:
        keep()
        raise
    if extent.share is None:
        memory.pop(key, None)  # the next round begins at the beginning
    elif due:
        memory[key] = Course(extent.level, due[-1].name)
    keep()
    return dataclasses.replace(course, complete=True)


def _due(units: Sequence[Unit], after: str, share: float | None) -> list[Unit]:
    rest = [unit for unit in units if unit.name > after]
    if share is None:
        return rest
    budget = share * sum(unit.size for unit in units)
    due: list[Unit] = []
    for unit in (*rest, *units[: len(units) - len(rest)]):
        if budget <= 0 and due:
            break
        due.append(unit)
        budget -= unit.size
    return due


def _in_order(
    due: Sequence[Unit], look: Callable[[Unit], Outcome], lanes: int
) -> Iterator[tuple[Unit, Outcome]]:
    """Look at a few at a time, and tell of them in their order: all before the last are done."""
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[tuple[Unit, Future[Outcome]]] = deque()
    with ThreadPoolExecutor(lanes, thread_name_prefix="mlops-verify") as pool:
        try:
            for unit in due:
                waiting.append((unit, pool.submit(look, unit)))
                if len(waiting) > lanes:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

"""Which rows train, validate and test: by time, at random by key, by group, or by strata."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_cli.errors import ConfigError, MissingExtra, StepFailed
from mlops_cli.features import instant
from mlops_cli.features.leak import Leak
from mlops_cli.pipeline.model.training import Split

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

SIDES = ("train", "validate", "test")
DROPPED = -1


@dataclass(frozen=True, slots=True)
class Sides:
    """The side of each row (position in SIDES, or DROPPED) and how many rows were dropped."""

    of: npt.NDArray[np.int8]
    purged: dict[str, int]

    def part(self, table: pa.Table, side: str) -> pa.Table:
        import pyarrow as pa

        return table.filter(pa.array(self.of == SIDES.index(side)))


def split(
    table: pa.Table,
    spec: Split,
    *,
    key: Sequence[str],
    time: str | None,
    known_at: str | None,
) -> Sides:
    """Return the side of each row of `table`, which is sorted by time.

    By time: test are the newest rows, validate those before; rows of one instant never part. A
    row of train or validate whose label became known only after the next side began is dropped:
    whoever trained at that boundary could not have had it. Raises ConfigError
    ("contradictory-split"), StepFailed ("too-few-rows").
    """
    try:
        import numpy as np
    except ImportError as exc:
        raise MissingExtra.of("numpy", "features") from exc

    if not (spec.validate >= 0 and spec.test >= 0 and spec.validate + spec.test < 1):
        raise _contradiction("validate and test are shares that leave something for train")
    if spec.by == "time":
        sides = _by_time(table, spec, time, known_at)
    elif spec.by == "group":
        if spec.group is None:
            raise _contradiction("by: group needs `group`, the column that holds together")
        sides = Sides(_by_hash(table, [spec.group], spec), {})
    elif not key:
        raise _contradiction(f"by: {spec.by} needs the source to have a key")
    elif spec.by == "strata":
        sides = Sides(_by_strata(table, key, spec), {})
    else:
        sides = Sides(_by_hash(table, key, spec), {})
    wanted = {"train": 1.0, "validate": spec.validate, "test": spec.test}
    for number, side in enumerate(SIDES):
        if wanted[side] > 0 and not np.any(sides.of == number):
            raise StepFailed(
                f"no row is left to {side} with, of {table.num_rows:,} rows with a label",
                code="too-few-rows",
                hint="use more data, a longer window, or other shares in `split`",
                details={"rows": table.num_rows, "side": side},
            )
    return sides


def _by_time(table: pa.Table, spec: Split, time: str | None, known_at: str | None) -> Sides:
    import numpy as np

    if time is None:
        raise _contradiction("by: time needs the source to have a time column")
    times = instant.micros(table.column(time), time).to_numpy()
    rows = len(times)
    # a boundary is an instant: all rows from it on belong to the later side
    begins = []
    for share in (spec.validate + spec.test, spec.test):
        first = rows - round(rows * share)
        begins.append(int(times[first]) if first < rows else None)
    of = np.zeros(rows, dtype=np.int8)
    for number, begin in enumerate(begins, start=1):
        if begin is not None:
            of[times >= begin] = number
    purged = dict.fromkeys(SIDES[:2], 0)
    if known_at is not None:
        known = instant.micros(table.column(known_at), known_at).to_numpy(zero_copy_only=False)
        for number, side in enumerate(SIDES[:2]):
            begin = begins[number]
            if begin is None:
                continue
            late = (of == number) & (known > begin)
            purged[side] = int(late.sum())
            of[late] = DROPPED
    return Sides(of, purged)


def _by_hash(table: pa.Table, columns: Sequence[str], spec: Split) -> npt.NDArray[np.int8]:
    """Draw a side for each value: the same value and seed give the same side for ever."""
    import numpy as np

    coded = table.select(list(columns)).combine_chunks()
    unique = coded.group_by(list(columns), use_threads=False).aggregate([])
    sides = {}
    for values in zip(*(unique.column(name).to_pylist() for name in columns), strict=True):
        drawn = _drawn(spec.seed, values)
        sides[values] = 2 if drawn < spec.test else 1 if drawn < spec.test + spec.validate else 0
    rows = zip(*(coded.column(name).to_pylist() for name in columns), strict=True)
    return np.fromiter((sides[values] for values in rows), dtype=np.int8, count=coded.num_rows)


def _by_strata(table: pa.Table, key: Sequence[str], spec: Split) -> npt.NDArray[np.int8]:
    """Deal the rows of each stratum, in an order drawn by key, in the shares of the split."""
    import numpy as np

    strata: dict[tuple[object, ...], list[int]] = {}
    for row, values in enumerate(zip(*_lists(table, spec.strata), strict=True)):
        strata.setdefault(values, []).append(row)
    draws = [_drawn(spec.seed, values) for values in zip(*_lists(table, key), strict=True)]
    of = np.zeros(table.num_rows, dtype=np.int8)
    for rows in strata.values():
        rows.sort(key=draws.__getitem__)
        last = round(len(rows) * spec.test)
        of[rows[:last]] = 2
        of[rows[last : round(len(rows) * (spec.test + spec.validate))]] = 1
    return of


def _lists(table: pa.Table, columns: Sequence[str]) -> list[list[object]]:
    return [table.column(name).to_pylist() for name in columns]


def _drawn(seed: int, values: tuple[object, ...]) -> float:
    """Return a number in [0, 1) that seed and values alone decide."""
    name = "\0".join(map(repr, (seed, *values)))
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64


def shared_groups(table: pa.Table, group: str, sides: Sides) -> Iterator[Leak]:
    """Yield the leak where a group stands on two sides."""
    import pyarrow as pa

    pairs = pa.table({"group": table.column(group), "side": pa.array(sides.of)})
    kept = pairs.filter(pa.array(sides.of != DROPPED))
    counted = kept.group_by("group").aggregate([("side", "count_distinct")])
    shared = counted.filter(pa.array(counted.column("side_count_distinct").to_numpy() > 1))
    if shared.num_rows:
        example = shared.column("group")[0].as_py()
        yield Leak(
            "shared-group",
            f"{shared.num_rows:,} groups of {group!r} stand on two sides of the split, "
            f"such as {example!r}",
            "split by: group, so that the model is tested on groups it has not seen",
            {"group": group, "groups": shared.num_rows},
        )


def late_labels(sides: Sides) -> Iterator[Leak]:
    """Yield the leak where most rows of a side have labels that came too late for it.

    A few such rows are dropped without a word but in the counts; most of a side means that
    nobody could have trained this model at that boundary.
    """
    for number, side in enumerate(SIDES[:2]):
        late = sides.purged.get(side, 0)
        kept = int((sides.of == number).sum())
        if late > kept:
            yield Leak(
                "late-label",
                f"of {late + kept:,} rows to {side} with, {late:,} have a label that became known "
                "only after the next side began",
                "split later rows off, use a longer window, or correct label.known_at",
                {"side": side, "rows": late},
            )


def _contradiction(why: str) -> ConfigError:
    return ConfigError(
        f"the split contradicts itself: {why}",
        code="contradictory-split",
        hint="correct train.NAME.dataset.split in pipeline.yaml",
    )

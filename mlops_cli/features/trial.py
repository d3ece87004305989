"""A view put to the test: built twice it gives the same rows, and they keep its checks."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed
from mlops_cli.features import materialize, write
from mlops_cli.pipeline.model.data import FeatureView, Source

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it; `digest` is that of values.parquet, None where nothing could be built."""

    name: str
    passed: bool
    sentence: str
    rows: int = 0
    rules: int = 0
    quarantined: int = 0
    digest: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def trial(name: str, spec: FeatureView, source: Source, *, root: Path) -> Trial:
    """Return whether the view is deterministic and keeps its checks; nothing in `root` changes.

    Raises what a build raises, but for broken checks: those are an answer.
    """
    try:
        first = materialize.build(name, spec, source, root=root)
        second = materialize.build(name, spec, source, root=root)
    except StepFailed as exc:
        if exc.code != "check-failed":
            raise
        return Trial(name, False, exc.message.partition(": ")[2])
    digests = [_digest(first.values), _digest(second.values)]
    rows, rules = first.values.num_rows, len(first.report["rules"])
    aside = first.report["quarantined"]
    if digests[0] != digests[1]:
        sentence = _difference(first.values, second.values, spec)
        return Trial(name, False, sentence, rows, rules, aside)
    sentence = f"{rows:,} rows twice the same, {rules} rules"
    if aside:
        sentence += f", {aside:,} rows in quarantine"
    return Trial(name, True, sentence, rows, rules, aside, digests[0])


def _digest(values: pa.Table) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.parquet"
        write.parquet(values, path)
        return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _difference(one: pa.Table, two: pa.Table, spec: FeatureView) -> str:
    if one.num_rows != two.num_rows:
        return f"built twice it had {one.num_rows:,} rows and then {two.num_rows:,}"
    differing = [name for name in one.column_names if not one.column(name).equals(two.column(name))]
    rule = spec.transform or spec.sql or "its rule"
    return f"built twice, {', '.join(differing)} came out differently: {rule} is not deterministic"

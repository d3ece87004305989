"""Versions on the test rows of a challenger, each scored once however many rules ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, NotFound, StateRefused
from mlops_cli.registry.version import Version
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.training import bundle as bundles
from mlops_cli.training import dataset, paired, score
from mlops_cli.training.evaluate import slices
from mlops_cli.training.metrics import find

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.metrics import Array


@dataclass
class Scored:
    """The rows that `challenger` was tested on, and what versions answer to them, here and now."""

    cache: Cache
    challenger: Version
    _answers: dict[str, Array] = field(default_factory=dict)

    @cached_property
    def _rows(self) -> tuple[pa.Table, Array, Digest]:
        import io

        import pyarrow.parquet as pq

        said = self.challenger.judged_on or Digest.parse(self.challenger.payload["dataset"])
        folder = bundles.opened(self.cache, said)
        table = pq.read_table(io.BytesIO(folder.read("test.parquet")))
        truth = dataset.labels(table, folder.json("dataset.json"))
        return table, truth, folder.digest("test.parquet")

    @property
    def label(self) -> Array:
        """The labels, float64 [rows]."""
        return self._rows[1]

    @property
    def digest(self) -> Digest:
        """The digest of the rows."""
        return self._rows[2]

    def of(self, version: Version) -> Array:
        """Return what `version` answers. Raises StateRefused ("not-comparable") when the rows
        lack one of its columns, NotFound ("missing-object"), IntegrityError."""
        key = str(version.digest)
        if key not in self._answers:
            try:
                self._answers[key] = score.score(self.cache.read(version.digest), self._rows[0])
            except NotFound as exc:
                if exc.code != "column-missing":
                    raise
                raise self._differ(version, exc.message) from exc
        return self._answers[key]

    def compare(
        self, champion: Version, *, metric: str, margin: float, alpha: float
    ) -> paired.Comparison:
        """Return the evidence that the challenger beats `champion` by more than `margin`."""
        ours, theirs = self.of(self.challenger), self.of(champion)
        if ours.shape != theirs.shape:
            raise self._differ(champion, "their classes differ")
        return paired.compare(self.label, ours, theirs, metric=metric, margin=margin, alpha=alpha)

    def slices(self, column: str, metric: str, champion: Version | None) -> list[dict[str, Any]]:
        """Return {slice, rows, value, loss} of each value of `column` that has rows enough; value
        is None where the metric is undefined, loss where there is no champion to lose against.

        Raises ConfigError ("unknown-column").
        """
        table = self._rows[0]
        if column not in table.column_names:
            raise ConfigError(
                f"the test rows of {self.challenger.name} have no column {column!r} to slice by",
                code="unknown-column",
                hint=f"columns: {', '.join(table.column_names)}; slices: of the training keeps one",
            )
        sides = [self.challenger] + ([champion] if champion is not None else [])
        parts = [slices(table, [column], self.label, self.of(v), [metric])[column] for v in sides]
        theirs = {each["value"]: each["metrics"][metric] for each in parts[-1]} if champion else {}
        sign = 1.0 if find(metric).greater_is_better else -1.0
        found = []
        for each in parts[0]:
            value, other = each["metrics"][metric], theirs.get(each["value"])
            loss = sign * (other - value) if value is not None and other is not None else None
            named = str(each["value"])
            found.append({"slice": named, "rows": each["rows"], "value": value, "loss": loss})
        return found

    def effective(self, metric: str | None) -> int:
        """Return how many independent rows a bound may count: the rarer class for an AUC."""
        if metric != "roc_auc":
            return len(self.label)
        positives = int((self.label > 0.5).sum())
        return min(positives, len(self.label) - positives)

    def _differ(self, champion: Version, why: str) -> StateRefused:
        return StateRefused(
            f"{self.challenger.name} and {champion.name} cannot be compared: {why}",
            code="not-comparable",
            hint="keep the columns of the champion in the dataset until it is replaced, or"
            " register a model that answers another question under another name",
        )

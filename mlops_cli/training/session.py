"""What the user's `train(train, validate, params, run)` is handed as `run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_cli.live import Live
from mlops_cli.progress import SILENT, Progress
from mlops_cli.training import encoder as encoders

if TYPE_CHECKING:
    import pyarrow as pa


class Run:
    """One training: its seed, the encoder of its columns and the figures it logs on the way.

    `seed` has been given to random, numpy and torch already; `features` lists {name, dtype}.
    """

    def __init__(
        self,
        table: pa.Table,
        features: Sequence[Mapping[str, str]],
        label: str,
        *,
        seed: int = 0,
        progress: Progress = SILENT,
        live: Live | None = None,
    ) -> None:
        self.seed = seed
        self._live = live or Live(None)
        self.features = tuple(features)
        self.history: list[dict[str, float]] = []
        self._table = table
        self._label = label
        self._progress = progress
        self._encoder: encoders.Encoder | None = None

    @property
    def encoder(self) -> encoders.Encoder:
        """Return the encoder with which the model will be exported: see `encode`."""
        return self._encoder or self.encode()

    def encode(self, *, categorical: Sequence[str] = (), min_rows: int = 1) -> encoders.Encoder:
        """Choose how columns become tensors, and return that encoder.

        Text is categorical in any case; `categorical` names numbers that are (an hour, a weekday).
        Categories with fewer than `min_rows` training rows are treated as unknown.
        """
        self._encoder = encoders.fit(
            self._table, self.features, self._label, categorical=categorical, min_rows=min_rows
        )
        return self._encoder

    def log(self, step: int, **metrics: float) -> None:
        """Keep figures of one step or epoch; they are stored beside the model and shown live."""
        figures = {name: round(float(value), 6) for name, value in metrics.items()}
        self._live.log_metrics(figures, step=int(step))
        self.history.append({"step": int(step), **figures})
        shown = "  ".join(f"{name} {value:g}" for name, value in figures.items())
        self._progress.say(f"step {step}: {shown}")

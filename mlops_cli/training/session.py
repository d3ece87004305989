"""What the user's `train(train, validate, params, run)` is handed as `run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_cli.live import Live
from mlops_cli.progress import SILENT, Progress
from mlops_cli.training import encoder as encoders

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from mlops_cli.training.parent import Parent


class Run:
    """One training: its seed, the encoder of its columns and the figures it logs on the way.

    `seed` has been given to random, numpy and torch already; `features` lists {name, dtype};
    `classes` those of a multiclass task. Of several workers each has a `rank`, from 0, and
    `checkpoint` is a folder that outlives a worker that died.
    """

    def __init__(
        self,
        table: pa.Table,
        features: Sequence[Mapping[str, str]],
        label: str,
        *,
        seed: int = 0,
        classes: Sequence[Any] = (),
        parent: Parent | None = None,
        rank: int = 0,
        workers: int = 1,
        checkpoint: Path | None = None,
        progress: Progress = SILENT,
        live: Live | None = None,
    ) -> None:
        self.seed = seed
        self._live = live or Live(None)
        self.features = tuple(features)
        self.classes = tuple(classes)
        self.rank, self.workers, self.checkpoint = rank, workers, checkpoint
        self.history: list[dict[str, float]] = []
        self.kept: dict[str, Any] = {}
        self.went_on = False
        self._table = table
        self._label = label
        self._parent = parent
        self._progress = progress
        self._encoder: encoders.Encoder | None = None

    @property
    def encoder(self) -> encoders.Encoder:
        """Return the encoder with which the model will be exported: see `encode`."""
        return self._encoder or self.encode()

    def encode(self, *, categorical: Sequence[str] = (), min_rows: int = 1) -> encoders.Encoder:
        """Choose how columns become tensors, and return that encoder.

        Text is categorical in any case; `categorical` names numbers that are (an hour, a weekday).
        Categories with fewer than `min_rows` training rows are treated as unknown. With a parent
        it is the parent's encoder, as its weights know no other: new categories are unknown.
        """
        if self._parent is not None:
            schema = self._parent.schema
            self._encoder = encoders.of_schema(schema, self.features, self._label)
        else:
            self._encoder = encoders.fit(
                self._table,
                self.features,
                self._label,
                categorical=categorical,
                min_rows=min_rows,
                classes=self.classes,
            )
        return self._encoder

    @property
    def parent(self) -> Mapping[str, Any] | None:
        """Return the weights of the model to go on from, arrays by name; None at a cold start."""
        if self._parent is None:
            return None
        self.went_on = True
        return self._parent.weights

    def warm(self, network: Any) -> bool:
        """Give a torch module the weights of the parent; return whether there is one."""
        from mlops_cli.training.network import warmed

        arrays = self.parent
        if arrays is not None:
            warmed(network, arrays)
        return arrays is not None

    def keep(self, **arrays: Any) -> None:
        """Keep arrays from which a later training can go on; of a torch module all are kept."""
        self.kept |= arrays

    def log(self, step: int, **metrics: float) -> None:
        """Keep figures of one step or epoch; they are stored beside the model and shown live."""
        figures = {name: round(float(value), 6) for name, value in metrics.items()}
        self._live.log_metrics(figures, step=int(step))
        self.history.append({"step": int(step), **figures})
        shown = "  ".join(f"{name} {value:g}" for name, value in figures.items())
        self._progress.say(f"step {step}: {shown}")

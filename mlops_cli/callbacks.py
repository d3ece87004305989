"""Logging for those who write no line for it: training loops, Lightning, scikit-learn.

Nothing of them is imported: what the person has imported already is found where Python keeps it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from mlops_cli.live import Live


class Averages:
    """Means of what a loop gives for each batch; every so many batches one point is logged."""

    def __init__(self, live: Live, every: int) -> None:
        self._live, self._every = live, max(1, every)
        self._sums: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._batches = 0

    def __call__(self, rows: int = 1, **metrics: Any) -> None:
        """Take the figures of one batch of `rows` rows; tensors of one element do."""
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value) * rows
            self._weights[name] = self._weights.get(name, 0.0) + rows
        self._batches += 1
        if self._batches % self._every == 0:
            self.flush()

    def flush(self) -> dict[str, float]:
        """Log and return the means since the last point; at the end of an epoch, or of all."""
        means = {name: total / self._weights[name] for name, total in self._sums.items()}
        self._sums, self._weights = {}, {}
        self._live.log_metrics(means, step=self._batches)
        return means


class Callbacks(Live):
    """The run that a process is in, with a way to log for each kind of training."""

    def loop(self, every: int = 1) -> Averages:
        """Return what a training loop calls for each batch: see `Averages`.

        batch = run.loop(every=50)
        for x, y in loader: …; batch(rows=len(y), loss=loss)
        """
        return Averages(self, every)

    def lightning(self) -> Any:
        """Return a callback for a Lightning trainer: all that it logs is logged here as well.

        Raises RuntimeError where Lightning was not imported.
        """
        names = ("lightning.pytorch", "pytorch_lightning")
        module = next((sys.modules[name] for name in names if name in sys.modules), None)
        if module is None:
            raise RuntimeError("run.lightning() comes after `import lightning.pytorch`")
        live = self

        def tell(_self: Any, trainer: Any, _module: Any) -> None:
            if trainer.is_global_zero:
                live.log_metrics(_numbers(trainer.callback_metrics), step=trainer.global_step)

        def tell_alone(self_: Any, trainer: Any, module_: Any) -> None:
            if trainer.state.fn != "fit":  # else the end of the epoch tells it, and only once
                tell(self_, trainer, module_)

        hooks = {"on_train_epoch_end": tell, "on_validation_end": tell_alone, "on_test_end": tell}
        return type("MlopsCallback", (module.Callback,), hooks)()

    def sklearn(self, estimator: Any, prefix: str = "") -> None:
        """Log what a fitted estimator of scikit-learn tells of itself: its params, its curves of
        loss and score, and the candidates of a search."""
        self.log_params({f"{prefix}{k}": v for k, v in _simple(estimator.get_params()).items()})
        for name in ("loss_curve_", "validation_scores_", "train_score_", "validation_score_"):
            curve = getattr(estimator, name, None)
            for step, value in enumerate(() if curve is None else curve):
                self.log_metric(prefix + name.rstrip("_"), value, step=step)
        for step, value in enumerate(getattr(estimator, "cv_results_", {}).get(_SCORE, ())):
            self.log_metric(prefix + _SCORE, value, step=step)
        best = getattr(estimator, "best_score_", None)
        if isinstance(best, int | float) and math.isfinite(best):
            self.log_metric(f"{prefix}best_score", best)


_SCORE = "mean_test_score"


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            continue  # a tensor of several elements is no figure
    return found


def _simple(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in params.items()
        if isinstance(value, str | int | float | bool | type(None))
    }

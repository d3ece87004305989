"""A scikit-learn estimator that was trained: the one door to sklearn and skl2onnx.

Estimators are fitted on `run.encoder.matrix(table)`; the ONNX file looks categories up by itself.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.pipeline.usercode import Code
from mlops_cli.training import adopt, graphs, trained
from mlops_cli.training.encoder import Encoder

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.metrics import Array

OPSET = 18


@dataclass(frozen=True, slots=True)
class Estimator:
    """`fitted` is an estimator or a pipeline of them; `kept` are the arrays of `run.keep`."""

    fitted: Any
    encoder: Encoder
    task: str
    kept: dict[str, Any]

    @property
    def parameters(self) -> None:
        """Trees and lines count differently, so nobody does."""
        return

    def answers(self, table: pa.Table) -> Array:
        """Return what predict_proba, or predict, gives."""
        matrix = self.encoder.matrix(table)
        self._fits(matrix.shape[1])
        function = self.fitted.predict_proba if self._classifies else self.fitted.predict
        found = Code(function, "predict of the model", "training-failed")(matrix)
        return trained.checked(found[:, 1] if self.task == "binary" else found, table, self.encoder)

    def onnx(self, sample: pa.Table) -> bytes:
        """Return the estimator as skl2onnx converts it, behind named columns."""
        try:
            import skl2onnx
            from skl2onnx.common.data_types import FloatTensorType
        except ImportError as exc:
            raise MissingExtra.of("skl2onnx", "sklearn") from exc
        self.answers(sample.slice(0, 4))
        width = len(self.encoder.features)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                inner = skl2onnx.convert_sklearn(
                    self.fitted,
                    initial_types=[("matrix", FloatTensorType([None, width]))],
                    options={"zipmap": False} if self._classifies else None,
                    target_opset={"": OPSET, "ai.onnx.ml": graphs.ML_OPSET},
                )
        except Exception as exc:  # it raises whatever its converters do
            raise StepFailed(
                f"skl2onnx cannot convert {type(self.fitted).__name__}: {str(exc)[:300]}",
                code="not-exportable",
                hint="use an estimator that it knows: https://onnx.ai/sklearn-onnx/supported.html",
            ) from exc
        adopt.narrow(inner, self.task)
        return graphs.with_columns(inner, self.encoder, task=self.task)

    def weights(self) -> dict[str, Array]:
        """Return what the user kept: an estimator itself is only ever pickled."""
        return self.kept

    @property
    def _classifies(self) -> bool:
        return self.task in ("binary", "multiclass")

    def _fits(self, width: int) -> None:
        wanted = getattr(self.fitted, "n_features_in_", width)
        if wanted != width:
            raise StepFailed(
                f"the estimator was fitted on {wanted} columns, and the dataset has {width}",
                code="wrong-shape",
                hint="fit it on run.encoder.matrix(train)",
            )
        many = len(self.encoder.classes) or 2
        if self._classifies and len(getattr(self.fitted, "classes_", ())) != many:
            raise StepFailed(
                f"the estimator does not know the {many} classes of the dataset",
                code="wrong-shape",
                hint="fit a classifier on run.encoder.labels(train)",
            )


def is_estimator(value: object) -> bool:
    """Return whether `value` is of scikit-learn, without importing it."""
    return any(kind.__module__.startswith("sklearn.") for kind in type(value).__mro__)

"""A torch module that was trained: its answers, its ONNX file, its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed
from mlops_cli.pipeline.usercode import Code
from mlops_cli.training import export, trained
from mlops_cli.training.encoder import Encoder

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.metrics import Array


@dataclass(frozen=True, slots=True)
class Network:
    """`module` takes the two tensors that `encoder` makes."""

    module: Any
    encoder: Encoder
    task: str

    @property
    def parameters(self) -> int:
        """Return how many numbers were learnt."""
        return sum(item.numel() for item in self.module.parameters())

    def answers(self, table: pa.Table) -> Array:
        """Return what `forward` gives."""
        import torch

        tensors = self.encoder.tensors(table)
        with torch.no_grad():
            forward = Code(self.module, "forward of the model", "training-failed")
            answers = forward(tensors.numeric, tensors.codes)
        return trained.checked(answers, table, self.encoder)

    def onnx(self, sample: pa.Table) -> bytes:
        """Return the module as torch exports it, behind named columns."""
        self.answers(sample.slice(0, 4))  # what forward gets wrong shows before export
        return export.export(self.module, self.encoder, sample, task=self.task)

    def weights(self) -> dict[str, Array]:
        """Return the state of the module."""
        state = self.module.state_dict()
        return {name: item.detach().contiguous().numpy() for name, item in state.items()}


def warmed(module: Any, arrays: Mapping[str, Any]) -> None:
    """Load `arrays` into `module`. Raises StepFailed ("weights-do-not-fit")."""
    import torch

    state = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    try:
        module.load_state_dict(state)
    except RuntimeError as exc:
        raise StepFailed(
            f"the weights do not fit the network: {str(exc).splitlines()[-1].strip()}",
            code="weights-do-not-fit",
            hint="build the same network as the one that the weights are of, or train from anew",
        ) from exc

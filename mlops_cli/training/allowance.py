"""Which formats a model may have: onnx and safetensors, unless its policy names others.

A pickle that is allowed is kept and counted, and still never loaded by mlops.
"""

from __future__ import annotations

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.words.document import Node, meant, refuse
from mlops_cli.pipeline.words.document import parse as parsed
from mlops_cli.registry import formats
from mlops_cli.registry.protected import Protected

KEY = "formats"


def path(model: str) -> str:
    """Return where the policy of `model` stands."""
    return f"models/{model}.yaml"


def allowed(model: str, protected: Protected) -> tuple[str, ...]:
    """Return the formats that models/<model>.yaml allows, as the protected branch has it; as the
    work tree has it only where no branch is protected.

    Raises ConfigError ("wrong-type", "wrong-value", "malformed-yaml") with file, line and column.
    """
    file = path(model)
    if protected.ref is not None:
        data = protected.read(file)
    else:
        here = protected.git.root / file
        data = here.read_bytes() if here.is_file() else None
    if data is None:
        return formats.ALLOWED
    top = parsed(data, name=file)
    node = top.value.get(KEY) if isinstance(top.value, dict) else None
    return formats.ALLOWED if node is None else _named(node)


def _named(node: Node) -> tuple[str, ...]:
    if not isinstance(node.value, tuple) or not node.value:
        raise refuse(node.place, f"{KEY} must be a list", code="wrong-type", hint="[onnx]")
    return tuple(_one(item) for item in node.value)


def _one(node: Node) -> str:
    if node.value not in formats.KNOWN:
        message = f"there is no format {node.text or node.shape!r}"
        hint = meant(node.text, formats.KNOWN)
        refusal: ConfigError = refuse(node.place, message, code="wrong-value", hint=hint)
        raise refusal
    return str(node.value)

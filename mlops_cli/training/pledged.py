"""Whether the policy that an event of an alias names stood on the protected branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import NotFound
from mlops_cli.registry.protected import Protected

if TYPE_CHECKING:
    from mlops_cli.pipeline.model.pipeline import Pipeline


def policies(protected: Protected) -> Callable[[Mapping[str, Any]], str | None]:
    """Return what says of the payload of an event what is wrong with its policy, None where
    nothing is; a project without pipeline.yaml asks nothing."""
    loaded: list[Pipeline | None] = []

    def said(event: Mapping[str, Any]) -> str | None:
        if not loaded:
            loaded.append(_pipeline(protected))
        pipeline = loaded[0]
        if pipeline is None:
            return None
        from mlops_cli.training.policy import claimed  # who names a version asks for no policy

        return claimed(protected.git, pipeline, event, protected=protected)

    return said


def _pipeline(protected: Protected) -> Pipeline | None:
    from mlops_cli.pipeline.reading.load import load

    try:
        return load(protected.git.root)
    except NotFound as exc:
        if exc.code != "missing-file":
            raise
        return None

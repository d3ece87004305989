"""Whether the policy that an event of an alias names stood on the protected branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.registry.protected import Protected
from mlops_cli.training import policy_text
from mlops_cli.vcs import objects


def policies(protected: Protected) -> Callable[[Mapping[str, Any]], str | None]:
    """Return what says of the payload of an event what is wrong with its policy, None where
    nothing is; of a model that pipeline.yaml does not know nothing is asked."""

    def said(event: Mapping[str, Any]) -> str | None:
        wrong = claimed(event, protected)
        return wrong if wrong is not None and _known(protected, str(event.get("model"))) else None

    return said


def claimed(event: Mapping[str, Any], protected: Protected) -> str | None:
    """Return what is wrong with the policy that the payload of an event of an alias names, None
    where the protected branch holds that very policy.

    An event that retires an alias was judged by none.
    """
    model, alias = str(event.get("model")), str(event.get("alias"))
    source = event.get("policy_from")
    if event.get("version") is None:
        return None
    if not isinstance(source, Mapping) or not source.get("commit"):
        return f"it does not say where the policy of {alias} stands"
    commit = str(source["commit"])
    if not protected.holds(commit):
        return f"{protected.name or 'no protected branch'} does not hold {commit[:12]}"
    names = [f"{commit}:{file}" for file in policy_text.files(model)]
    own, general = (held.data if held else None for held in objects.read(protected.git, names))
    asked = policy_text.together(own, general, model)
    if alias not in asked:
        return f"{commit[:12]} has no policy of {alias}"
    try:
        same = policy_text.digest(policy_text.of(asked, alias)) == event.get("policy")
    except ConfigError as exc:
        return f"at {commit[:12]} {exc.message}"
    return None if same else f"what was asked of {alias} at {commit[:12]} is something else"


def _known(protected: Protected, model: str) -> bool:
    from mlops_cli.pipeline.reading.load import load  # who names a sound policy needs no pipeline

    try:
        return model in load(protected.git.root).models
    except NotFound as exc:
        if exc.code != "missing-file":
            raise
        return False

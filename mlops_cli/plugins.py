"""Names to "module:object": a literal table first, then entry points; a look imports nothing."""

from __future__ import annotations

import importlib
from typing import Any

from mlops_cli.errors import NotFound

STEPS: dict[str, str] = {
    "map": "mlops_cli.pipeline.attempts.mapped:MapStep",
    "validate": "mlops_cli.features.contract:ValidateStep",
    "feature": "mlops_cli.features.materialize:FeatureStep",
    "dataset": "mlops_cli.features.dataset:DatasetStep",
    "parent": "mlops_cli.training.parent:ParentStep",
    "train": "mlops_cli.training.train:TrainStep",
    "evaluate": "mlops_cli.training.evaluate:EvaluateStep",
}
# Kinds whose outputs changed for the same inputs since they were first released, and how often.
# It is part of the key, so that what an older version made is stale; a table, because a plan that
# finds nothing to do must not import the kinds. Their classes say the same: see runner.StepKind.
REVISIONS: dict[str, int] = {}
METRICS: dict[str, str] = {
    name: f"mlops_cli.training.metrics:{name}"
    for name in ("roc_auc", "log_loss", "brier", "accuracy", "macro_f1", "rmse", "mae")
}
TARGETS: dict[str, str] = {"local": "mlops_cli.serving.targets.local:LocalTarget"}
ONLINE_STORES: dict[str, str] = {"sqlite": "mlops_cli.features.sqlite:SqliteStore"}
EXPORTERS: dict[str, str] = {
    "airflow": "mlops_cli.integrations.airflow:AirflowExporter",
    "argo": "mlops_cli.integrations.argo:ArgoExporter",
    "github": "mlops_cli.integrations.github:GithubExporter",
    "kfp": "mlops_cli.integrations.kfp:KfpExporter",
}
ACTIONS: dict[str, str] = {
    "register": "mlops_cli.training.action:register",
    "deploy": "mlops_cli.serving.action:deploy",
    "monitor": "mlops_cli.monitoring.action:check",
}
JUDGES: dict[str, str] = {
    "policy": "mlops_cli.training.rejudge:rejudge",
    "claims": "mlops_cli.training.pledged:policies",
}
TABLES: dict[str, dict[str, str]] = {
    "mlops.steps": STEPS,
    "mlops.actions": ACTIONS,
    "mlops.metrics": METRICS,
    "mlops.targets": TARGETS,
    "mlops.online_stores": ONLINE_STORES,
    "mlops.exporters": EXPORTERS,
    "mlops.judges": JUDGES,
}


def load(group: str, name: str) -> Any:
    """Return the object that `name` stands for in `group`, a built-in one or an entry point.

    Raises NotFound ("unknown-plugin") with the names that exist.
    """
    reference = TABLES.get(group, {}).get(name) or _entry_points(group).get(name)
    if reference is None:
        known = ", ".join(sorted({*TABLES.get(group, {}), *_entry_points(group)}))
        raise NotFound(
            f"there is no {name!r} among {group}", code="unknown-plugin", hint=f"known: {known}"
        )
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def revision(kind: str) -> int:
    """Return the revision of a kind of step; only a kind that is not built in is imported."""
    if kind in REVISIONS or kind in STEPS or kind == "command":
        return REVISIONS.get(kind, 1)
    return int(getattr(load("mlops.steps", kind), "revision", 1))


def _entry_points(group: str) -> dict[str, str]:
    # costs 40 ms, so only when the literal table has no answer
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=group)}

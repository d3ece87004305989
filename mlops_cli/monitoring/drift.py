"""Whether what is asked looks like what was learned: effect and evidence, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_cli.features import profile as profiles
from mlops_cli.monitoring.distance import homogeneity, merged, psi
from mlops_cli.monitoring.finding import Finding, Severity
from mlops_cli.pipeline.model.monitoring import Drift

if TYPE_CHECKING:
    import pyarrow as pa

IMPORTANT = 2.5  # times the limit: PSI 0.25 where the limit is the usual 0.1


def drift(reference: Mapping[str, Any], rows: pa.Table, limits: Drift) -> list[Finding]:
    """Return one finding for each column that `reference` (a profile) and `rows` share.

    A column drifts when its PSI reaches `limits.effect` *and* a chi-square test on the same
    groups has p < `limits.alpha` after Bonferroni's correction for the number of columns.
    Missing values are left to quality.
    """
    comparable = ("number", "category")
    shared = [
        name
        for name, column in reference["columns"].items()
        if name in rows.column_names and column["kind"] in comparable
    ]
    current = profiles.profile(rows, base=reference, columns=shared)["columns"]
    return [
        _finding(name, *_groups(reference["columns"][name], current[name]), limits, len(shared))
        for name in shared
    ]


def _groups(reference: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[Any, Any]:
    import numpy as np

    if reference["kind"] == "category":
        return (
            np.array([*reference["counts"], reference["other"]]),
            np.array([*current["counts"], current["other"]]),
        )
    group = merged(reference["counts"])
    size = int(group.max()) + 1
    return (
        np.bincount(group, weights=reference["counts"], minlength=size),
        np.bincount(group, weights=current["counts"], minlength=size),
    )


def _finding(name: str, reference: Any, current: Any, limits: Drift, tests: int) -> Finding:
    value = psi(reference, current) if current.sum() and reference.sum() else 0.0
    p_value = min(1.0, homogeneity(reference, current) * tests)
    severity: Severity = "ok"
    if value >= limits.effect and p_value < limits.alpha:
        severity = "important" if value >= limits.effect * IMPORTANT else "warning"
    state = {"ok": "is as in training", "warning": "has shifted", "important": "has shifted far"}
    return Finding(
        family="drift",
        subject=name,
        measure="psi",
        value=value,
        limit=limits.effect,
        severity=severity,
        p_value=p_value,
        sentence=f"{name} {state[severity]} (psi {value:.2f})",
    )

"""Whether what is asked is sound: missing values, unknown categories, numbers out of range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_cli.features import profile as profiles
from mlops_cli.monitoring.distance import homogeneity
from mlops_cli.monitoring.finding import Finding, Severity

if TYPE_CHECKING:
    import pyarrow as pa

ALPHA = 0.01
# share of the rows beyond what training saw: (worth a look, broken); numbers outside the range of
# training are a shift, which drift measures: whether they are broken is for a contract to say
LIMITS = {"nulls": (0.05, 0.25), "unknown": (0.02, 0.25), "outside": (0.02, float("inf"))}
_WORDS = {
    "nulls": "is missing in",
    "unknown": "has categories that training never saw in",
    "outside": "lies outside the range of training in",
}


def quality(reference: Mapping[str, Any], rows: pa.Table) -> list[Finding]:
    """Return what is wrong with the columns of `rows`, measured against the training profile."""
    findings: list[Finding] = []
    if not rows.num_rows:
        return findings
    current = profiles.profile(rows, base=reference)["columns"]
    for name, column in reference["columns"].items():
        if column["kind"] not in ("number", "category"):
            continue
        seen = current[name]
        findings.append(
            _finding("nulls", name, column["rows"], column["nulls"], seen["rows"], seen["nulls"])
        )
        if column["kind"] == "category":
            findings.append(
                _finding(
                    "unknown", name, column["rows"], column["other"], seen["rows"], seen["other"]
                )
            )
        elif name in rows.column_names and column["min"] is not None:
            outside = _outside(rows.column(name), column["min"], column["max"])
            findings.append(_finding("outside", name, column["rows"], 0, seen["rows"], outside))
    return findings


def _outside(column: pa.ChunkedArray, low: float, high: float) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = column.cast(pa.float64(), safe=False)
    wrong = pc.or_(pc.less(values, low), pc.greater(values, high))
    return int(pc.sum(wrong).as_py() or 0)


def _finding(measure: str, name: str, rows: int, count: int, now: int, counted: int) -> Finding:
    extra = counted / now - count / max(rows, 1)
    p_value = homogeneity([rows - count, count], [now - counted, counted])
    look, broken = LIMITS[measure]
    severity: Severity = "ok"
    if extra >= look and p_value < ALPHA:
        severity = "important" if extra >= broken else "warning"
    return Finding(
        family="quality",
        subject=name,
        measure=measure,
        value=extra,
        limit=look,
        severity=severity,
        p_value=p_value,
        sentence=f"{name} {_WORDS[measure]} {counted / now:.1%} of {now:,} rows",
    )

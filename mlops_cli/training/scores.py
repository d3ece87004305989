"""How the scores of a model are spread, in the form of docs/formats/profile.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_cli.training.metrics import Array

FORMAT = "mlops.profile/1"
BINS = 256


def profile(answer: Array) -> dict[str, Any]:
    """Return the profile of scores [rows]: edges are quantiles that occurred, counts per edge."""
    import numpy as np

    finite = np.sort(answer[np.isfinite(answer)].astype(np.float64))
    edges = np.unique(finite[np.arange(BINS) * len(finite) // BINS]) if len(finite) else finite
    counts = np.bincount(np.searchsorted(edges, finite, side="right"), minlength=len(edges) + 1)
    mean = float(finite.mean()) if len(finite) else None
    spread = float(((finite - finite.mean()) ** 2).sum()) if len(finite) else 0.0
    column = {
        "kind": "number",
        "rows": len(answer),
        "nulls": len(answer) - len(finite),
        "min": float(finite[0]) if len(finite) else None,
        "max": float(finite[-1]) if len(finite) else None,
        "mean": mean,
        "m2": spread,
        "std": (spread / len(finite)) ** 0.5 if len(finite) else None,
        "edges": edges.tolist(),
        "counts": counts.tolist(),
    }
    return {"schema": FORMAT, "rows": len(answer), "columns": {"score": column}}

import numpy as np

from mlops_cli.monitoring.performance import performance


def _share_right(label: np.ndarray, score: np.ndarray) -> float:
    return float(np.mean((score > 0.5) == (label > 0.5)))


def _world(rows: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    label = draw.integers(0, 2, rows).astype(float)
    keep = draw.random(rows) < right
    return label, np.where(keep, label, 1 - label)


def _finding(rows: int, right: float):  # type: ignore[no-untyped-def]
    label, score = _world(rows, right)
    return performance(
        label, score, metric="accuracy", reference=0.9, min_drop=0.02, measure=_share_right
    )


def test_a_real_drop_on_many_rows_is_important() -> None:
    finding = _finding(5000, 0.8)
    assert finding.severity == "important"
    assert "accuracy fell from 0.900 to 0.79" in finding.sentence


def test_a_drop_below_the_limit_is_quiet_however_many_rows_show_it() -> None:
    assert _finding(200_000, 0.89).severity == "ok"


def test_a_drop_on_few_rows_is_only_a_warning_because_evidence_is_missing() -> None:
    assert _finding(30, 0.85).severity == "warning"

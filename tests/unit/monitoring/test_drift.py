import numpy as np
import pyarrow as pa

from mlops_cli.features.profile import profile
from mlops_cli.monitoring.distance import homogeneity
from mlops_cli.monitoring.drift import drift
from mlops_cli.monitoring.finding import worst
from mlops_cli.monitoring.quality import quality
from mlops_cli.pipeline.model.monitoring import Drift


def _table(rows: int, *, shift: float = 0.0, late: float = 0.5, seed: int = 0) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            "wind": draw.normal(10 + shift, 3, rows),
            "origin": np.where(draw.random(rows) < late, "JFK", "LGA"),
        }
    )


def test_the_same_world_is_quiet_however_many_rows_are_compared() -> None:
    reference = profile(_table(20_000))
    findings = drift(reference, _table(200_000, seed=1), Drift())
    assert {item.subject: item.severity for item in findings} == {"wind": "ok", "origin": "ok"}


def test_a_shifted_column_is_named_and_the_other_one_is_not() -> None:
    reference = profile(_table(20_000))
    findings = {i.subject: i for i in drift(reference, _table(5_000, shift=3, seed=1), Drift())}
    assert findings["wind"].severity == "important"
    assert findings["origin"].severity == "ok"
    assert "wind has shifted far" in findings["wind"].sentence


def test_thirty_rows_that_look_shifted_are_no_evidence() -> None:
    reference = profile(_table(20_000))
    assert worst(drift(reference, _table(30, late=0.62, seed=3), Drift(alpha=0.001))) == "ok"


def test_missing_values_and_unknown_categories_are_quality_not_drift() -> None:
    reference = profile(_table(20_000))
    broken = pa.table({"wind": pa.nulls(2000, pa.float64()), "origin": ["XXX"] * 2000})
    found = {(item.subject, item.measure): item.severity for item in quality(reference, broken)}
    assert found["wind", "nulls"] == "important"
    assert found["origin", "unknown"] == "important"


def test_numbers_beyond_the_range_of_training_are_counted() -> None:
    reference = profile(_table(20_000))
    rows = _table(2000, seed=2)
    far = rows.set_column(0, "wind", pa.array(np.where(np.arange(2000) < 200, 900.0, 10.0)))
    found = {item.measure: item for item in quality(reference, far) if item.subject == "wind"}
    assert found["outside"].severity == "warning"
    assert "10.0% of 2,000 rows" in found["outside"].sentence


def test_a_column_that_is_no_longer_sent_counts_as_missing() -> None:
    reference = profile(_table(20_000))
    found = quality(reference, _table(2000).drop_columns(["wind"]))
    assert {i.severity for i in found if i.subject == "wind" and i.measure == "nulls"} == {
        "important"
    }


def test_the_test_of_homogeneity_is_pearsons() -> None:
    from scipy.stats import chi2_contingency

    reference, current = [30, 50, 20, 0], [45, 40, 10, 5]
    assert np.isclose(
        homogeneity(reference, current),
        chi2_contingency([reference, current], correction=False)[1],
        rtol=1e-10,
    )

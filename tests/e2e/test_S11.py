"""Step 11, features from rules: deterministic, and each rule is tested row by row.

Missing: examples of rows with the answers that a rule must give.
"""

from __future__ import annotations

import hashlib
from typing import Any


def test_every_view_gives_the_same_bytes_twice_and_keeps_its_checks(demo: Any) -> None:
    views = {view["name"]: view for view in demo.mlops("feature", "test")["views"]}
    assert set(views) == {"weather_at_origin", "carrier_history", "route_history", "airport_now"}
    for name, view in views.items():
        assert view["passed"] and view["rows"] > 0, view
        built = (demo.root / f"out/features/{name}/values.parquet").read_bytes()
        assert view["digest"] == f"sha256:{hashlib.sha256(built).hexdigest()}"
    assert views["weather_at_origin"]["quarantined"] >= 1, "the broken report of 12 February"


def test_a_rule_that_rolls_dice_does_not_pass(project: Any) -> None:
    project.edit(
        "src/features.py", "import pyarrow as pa\n", "import random\n\nimport pyarrow as pa\n"
    )
    project.edit(
        "src/features.py",
        'pc.multiply(table["wind_speed"], 1.609344)',
        'pc.multiply(table["wind_speed"], random.random())',
    )
    told = project.mlops("feature", "test", "weather_at_origin", code=1)
    assert not told["passed"]

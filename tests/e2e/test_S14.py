"""Step 14, preparing and splitting: by time, without a look into the future, always the same.

Splits by group and strata, and what is refused as a leak: tests/unit/features.
"""

from __future__ import annotations

import json
from typing import Any


def test_validation_and_test_rows_lie_after_what_was_learnt(demo: Any) -> None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    folder = demo.root / "out/delay/dataset"
    described = json.loads((folder / "dataset.json").read_text())
    parts = {
        name: pq.read_table(folder / f"{name}.parquet") for name in ("train", "validate", "test")
    }
    times = {name: pc.min_max(part[described["time"]]).as_py() for name, part in parts.items()}
    assert times["train"]["max"] < times["validate"]["min"]
    assert times["validate"]["max"] < times["test"]["min"]
    keys = [set(part[described["key"][0]].to_pylist()) for part in parts.values()]
    assert sum(map(len, keys)) == len(set.union(*keys)), "no row is in two parts"
    # an answer that was not there yet when validation began is not learnt from
    assert described["dropped"]["unknown_at_boundary_train"] > 0


def test_the_same_seed_gives_the_same_bytes(project: Any) -> None:
    before = project.lock("dataset.delay")["outputs"]
    done = project.mlops("run", "dataset.delay", "--force", "--no-commit")
    assert "ran" in {step["did"] for step in done["steps"]}
    assert project.lock("dataset.delay")["outputs"] == before

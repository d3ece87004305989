"""Step 18, versioned features are pulled by themselves: the lock tells which version it was."""

from __future__ import annotations

from typing import Any


def test_the_lock_of_the_dataset_names_the_version_of_each_view(demo: Any) -> None:
    read = demo.lock("dataset.delay")["parts"]["inputs"]
    for view in ("weather_at_origin", "carrier_history", "route_history", "airport_now"):
        made = demo.lock(f"feature.{view}")["outputs"][f"out/features/{view}"]["digest"]
        assert read[f"out/features/{view}"] == made
    assert read["data/flights"].startswith("sha256:")


def test_features_that_are_not_here_come_from_the_cache_without_being_built(project: Any) -> None:
    import shutil

    shutil.rmtree(project.root / "out/features")
    done = project.mlops("run", "dataset.delay")
    did = {step["step"]: step["did"] for step in done["steps"] if step["did"]}
    assert did and set(did.values()) == {"restored"}, did
    assert (project.root / "out/features/airport_now/values.parquet").is_file()

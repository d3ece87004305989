"""C5, where training runs: the same script on one worker and on several, one of which dies.

Missing: ray and spark, which are backends of the orchestration room.
"""

from __future__ import annotations

from typing import Any

import fitted


def test_a_killed_worker_is_started_again_and_the_record_says_so(empty: Any) -> None:
    fitted.write(empty.root, dies=True)
    empty.edit(
        "pipeline.yaml",
        "    warm_start: production\n",
        "    backend: {kind: torchrun, workers: 2}\n    export: {weights: true}\n",
    )
    empty.commit("a project")
    empty.here("add", "data/hours.parquet")
    empty.mlops("train", "gust")
    facts = empty.lock("train.gust")["facts"]
    assert facts["backend"] == {"kind": "torchrun", "world_size": 2, "restarts": 1}
    assert facts["parity"]["passed"] and facts["parity"]["rows"] == 120
    (record,) = empty.here("runs", "search", "step = train.gust")["records"]
    assert record["status"] == "done" and record["facts"]["backend"]["world_size"] == 2
    assert (empty.root / "out/gust/model/weights.safetensors").is_file()

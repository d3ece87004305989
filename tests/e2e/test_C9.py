"""C9, monitoring: a metrics endpoint, and the durations and failures of the pipeline.

Missing: dashboards and alert rules as files; `mlops monitor ci`.
"""

from __future__ import annotations

import re
from typing import Any

LINE = re.compile(r'^[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? [-+0-9.eE]+$')


def test_the_server_exposes_counts_in_the_format_of_prometheus(served: Any) -> None:
    before = requests(served)
    status, text = served.ask("/metrics")
    assert status == 200
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines and all(LINE.match(line) for line in lines), lines
    assert any("mlops_model_info" in line and 'variant="champion"' in line for line in lines)
    served.ask("/predict", {"rows": [{"nothing": 1}]})
    served.ask("/v2/health/ready")
    assert requests(served) > before


def requests(served: Any) -> float:
    _, text = served.ask("/metrics")
    rows = [line for line in text.splitlines() if line.startswith("mlops_requests")]
    return sum(float(line.rpartition(" ")[2]) for line in rows)


def test_durations_and_failures_of_every_step_can_be_asked_for(bare: Any) -> None:
    bare.mlops("run")
    (bare.root / "src/fit.py").write_text("raise SystemExit(1)\n")
    bare.mlops("run", code=60)
    failed = bare.mlops("runs", "search", "status = failed")["records"]
    assert [record["step"] for record in failed] == ["fit"]
    assert failed[0]["error"]["message"] and failed[0]["seconds"] > 0
    assert all(run["seconds"] >= 0 for run in bare.mlops("runs", "list")["runs"])

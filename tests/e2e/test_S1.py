"""Step 1, the business problem: goal, KPI and owner are written once, and reports quote them."""

from __future__ import annotations

from typing import Any

GOAL = 'Fewer late parcels: tell <customers> before they "ask"'


def test_what_init_was_told_stands_in_git_and_in_the_report(empty: Any) -> None:
    empty.mlops("init", "--goal", GOAL, "--kpi", "rmse <= 3", "--owner", "business=Grace")
    assert GOAL.replace('"', '\\"') in empty.git("show", "HEAD:pipeline.yaml")
    told = empty.said("report")
    assert GOAL in told and "rmse at most 3" in told
    empty.mlops("report", "--out", "report.html")
    page = (empty.root / "report.html").read_text()
    assert "tell &lt;customers&gt; before" in page and "<customers>" not in page

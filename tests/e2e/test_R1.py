"""R1, business stakeholder: goal, KPI, value and state of each model on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_one_page_has_goal_kpi_trend_cost_and_production_version(demo: Any, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    told = demo.mlops("report", "--audience", "business", "-o", str(page))
    (model,) = told["models"]
    assert told["goal"].startswith("Tell passengers before departure")
    assert (told["kpi"]["metric"], told["kpi"]["at_least"]) == ("roc_auc", 0.62)
    now = demo.here("models", "show", "delay@production")
    assert model["production"]["version"] == now["version"] and model["production"]["since"]
    served = [point for point in model["trend"] if point["what"] == "served"]
    tested = [point for point in model["trend"] if point["what"] == "tested"]
    assert len(served) >= 4 and len(tested) == len(now["versions"])
    assert model["kpi"]["value"] == served[-1]["value"] and model["kpi"]["met"] is True
    assert model["owner"] == "data-science" and model["checked"]["verdict"]
    cost = model["cost"]
    assert cost["runs"] >= 8 * len(now["versions"]) and cost["cpu_hours"] > 0
    assert cost["measured"] == cost["runs"], "each step told its own CPU time"
    text = page.read_text()
    since = f"v{now['version']}</dd><dd>since 2013-"
    for words in (told["goal"], "roc_auc at least 0.62", since, "CPU"):
        assert words in text, words
    assert text.count("<circle") == len(model["trend"])
    for outside in ("http://", "https://", "<script", "<link", "src="):
        assert outside not in text, "it can be sent by mail and read without a net"


def test_money_is_told_where_a_price_is_set(demo: Any) -> None:
    price = {"MLOPS_PRICE_CPU_HOUR": "1000", "MLOPS_PRICE_CURRENCY": "EUR"}
    (model,) = demo.mlops("report", **price)["models"]
    cost = model["cost"]
    assert (
        cost["money"] == round(cost["cpu_hours"] * 1000, 4)
        or abs(cost["money"] - cost["cpu_hours"] * 1000) < 0.01
    )
    assert cost["currency"] == "EUR"

"""Step 21, evaluation, and again until it is good: a goal, a budget, an exit code of its own."""

from __future__ import annotations

from typing import Any

CMD = "    cmd: python src/evaluate.py"
FIT_AGAIN = """\
  tuned:
    cmd: python src/fit.py out/days.csv out/tuned.json --until ${params.split} --ridge ${try}
      && python src/evaluate.py out/days.csv out/tuned.json out/tuned_metrics.json
      --since ${params.split}
    deps: [out/days.csv, src/fit.py, src/evaluate.py, src/days.py]
    outs: [out/tuned.json]
    metrics: [out/tuned_metrics.json]
    until: {metric: mae <= GOAL, tries: 3}
  publish: {cmd: cp out/tuned.json out/best.json, deps: [out/tuned.json], outs: [out/best.json]}

"""


def test_what_never_becomes_good_enough_ends_at_its_budget_and_nothing_follows(bare: Any) -> None:
    bare.edit("pipeline.yaml", "\n  evaluate:\n", "\n" + FIT_AGAIN + "  evaluate:\n")
    bare.edit("pipeline.yaml", "GOAL", "0.0001")
    refused = bare.mlops("run", "publish", code=60)
    assert refused["code"] == "goal-missed"
    assert "tuned" in refused["message"] and "0.0001" in refused["message"]
    tries = bare.here("runs", "search", "step = tuned")["records"]
    assert len(tries) == 3 and all(one["metrics"]["mae"] > 0.0001 for one in tries)
    assert not (bare.root / "out/best.json").exists(), "what comes after did not run"

    bare.edit("pipeline.yaml", "0.0001", "0.5")
    bare.mlops("run", "publish")
    assert (bare.root / "out/best.json").exists()

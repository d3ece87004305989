"""R3, data scientist: experiments and sweeps, compared, then the best one taken and committed."""

from __future__ import annotations

from typing import Any


def test_experiments_are_run_compared_and_the_best_is_taken(bare: Any) -> None:
    bare.mlops("run")
    before = (bare.git("rev-parse", "HEAD"), bare.git("status", "--short"))
    params = (bare.root / "params.yaml").read_text()
    told = bare.mlops("run", "-S", "fit.ridge=0.5,2", "-j2")
    assert [trial["status"] for trial in told["trials"]] == ["done", "done"]
    assert (bare.git("rev-parse", "HEAD"), bare.git("status", "--short")) == before
    assert (bare.root / "params.yaml").read_text() == params
    one, other = (trial["run"] for trial in told["trials"])
    shown = bare.said("runs", "compare", one, other, "--why")
    assert "param fit.ridge 0.5 → 2" in shown
    assert len(bare.here("runs", "search", f"experiment.sweep = {told['sweep']}")["records"]) >= 2
    bare.here("runs", "apply", other)
    assert "ridge: 2" in (bare.root / "params.yaml").read_text()
    bare.commit("the better ridge")
    assert bare.mlops("run")["steps"][-1]["did"] is None, "nothing is left to run"
    assert bare.mlops("reproduce", "--verify")["verdict"] == "identical"

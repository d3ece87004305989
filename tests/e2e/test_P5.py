"""P5, collaboration: two clones work on two branches, and nothing is merged by hand.

Missing: `mlops diff --md` for a pull request.
"""

from __future__ import annotations

from typing import Any

MORE = "  more: {cmd: python src/more.py > out/more, deps: [src/more.py], outs: [out/more]}\n"


def test_two_branches_that_ran_different_steps_merge_by_themselves(bare: Any, clone: Any) -> None:
    bare.mlops("run")
    bare.mlops("remote", "add", "origin", f"file://{bare.root.parent}/data-remote")
    bare.commit("a place for data")
    bare.mlops("push")
    one, two = clone(bare, "one"), clone(bare, "two")
    one.git("checkout", "-qb", "stiffer")
    one.edit("params.yaml", "ridge: ", "ridge: 3")
    one.commit("a stiffer fit")
    two.git("checkout", "-qb", "longer")
    (two.root / "src/more.py").write_text("print('more')\n")
    two.edit("pipeline.yaml", "steps:\n", "steps:\n" + MORE)
    two.commit("one step more")
    for person, step in ((one, "fit"), (two, "more")):
        person.mlops("pull")
        ran = {s["step"] for s in person.mlops("run")["steps"] if s["did"] == "ran"}
        assert step in ran
        person.mlops("push")
        person.git("push", "-q", "origin", "HEAD", "+refs/mlops/*:refs/mlops/*")

    bare.git("merge", "-q", "--no-edit", "stiffer")
    bare.git("merge", "-q", "--no-edit", "longer")
    bare.mlops("pull")

    assert {s["action"] for s in bare.mlops("run", "--dry-run")["steps"]} == {"skip"}
    runs = bare.mlops("runs", "list")["runs"]
    assert len(runs) == 3
    assert {"fit", "more"} <= {step["step"] for run in runs for step in run["steps"]}

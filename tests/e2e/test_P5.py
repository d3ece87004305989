"""P5, collaboration: two clones work on two branches, and nothing is merged by hand."""

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


def test_a_pull_request_shows_what_metrics_and_rows_became(bare: Any) -> None:
    bare.mlops("run")
    bare.git("checkout", "-qb", "more-days")
    days = bare.root / "data/days.csv"
    header, *rows = days.read_text().splitlines()
    before = len(rows)
    days.write_text("\n".join([header, *rows, rows[0], rows[1]]) + "\n")
    bare.mlops("add", "data/days.csv", "--force")
    bare.edit("params.yaml", "ridge: ", "ridge: 3")
    bare.mlops("run")
    bare.commit("two days more, a stiffer fit")
    shown = bare.said("diff", "main..HEAD", "--md", "--rows")
    assert "| step | metric | before | after | change |" in shown
    assert "| evaluate | mae | 0." in shown
    assert f"| data/days.csv | {before} | {before + 2} | 2 | 0 |" in shown

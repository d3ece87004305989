"""Step 20, final training on new data: no terminal, no question, an exit code; and P6: it is due
because of new data, is done once, and its candidate is held against the champion."""

from __future__ import annotations

from typing import Any

TRIGGER = "triggers: {fresh: {on: new_data, of: data.days, min_rows: 500, run: retrain.storm}}\n"


def test_new_rows_are_learnt_by_a_tick_without_a_terminal(trained_project: Any) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = trained_project.root / "data/days.parquet"
    table = pq.read_table(path)
    later = table.set_column(0, "id", pc.add(table["id"], table.num_rows))
    shift = pa.scalar(1500 * 3_600_000_000, pa.duration("us"))
    for name in ("at", "known"):
        at = later.schema.get_field_index(name)
        later = later.set_column(at, name, pc.add(later[name], shift))
    pq.write_table(pa.concat_tables([table, later]), path)
    pipeline = trained_project.root / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text() + TRIGGER)
    trained_project.here("add", "data/days.parquet")
    trained_project.commit("More days")
    told = trained_project.here("tick", "--check")
    (due,) = [one for one in told["windows"] if one["now"]]
    assert due["because"] == [f"data.days has {table.num_rows:,} new rows"]

    done = trained_project.run("mlops", "tick", "--json")  # stdin is closed

    assert '"retrain.storm"' in done.stdout and "\x1b[" not in done.stdout + done.stderr
    rows = trained_project.lock("dataset.storm")["metrics"]["train.rows"]
    assert rows == 1500
    assert trained_project.here("models", "show", "storm@v2"), "the candidate is registered"
    assert trained_project.here("tick", "--check", code=1)["windows"] == []
    claims = trained_project.here("runs", "search", "trigger = fresh", "--kind", "claim")
    assert {one["outcome"] for one in claims["records"]} == {"claimed", "done"}

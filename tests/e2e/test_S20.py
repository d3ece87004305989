"""Step 20, final training on new data: no terminal, no question, an exit code.

Missing: `mlops tick`; `mlops monitor check --act` is what a cron line runs today.
"""

from __future__ import annotations

from typing import Any


def test_new_rows_are_learnt_by_one_command_without_a_terminal(trained_project: Any) -> None:
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
    trained_project.mlops("add", "data/days.parquet")

    done = trained_project.run("mlops", "train", "--json")  # stdin is closed

    assert '"train.storm"' in done.stdout and "\x1b[" not in done.stdout + done.stderr
    rows = trained_project.lock("dataset.storm")["metrics"]["train.rows"]
    assert rows == 1500
    assert trained_project.mlops("train")["steps"][0]["did"] is None

"""What the page on experiments shows is what is read and written."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from mlops_cli.experiments.axes import Axis
from mlops_cli.experiments.state import Plan, Trial, begin
from mlops_cli.live import Live, parse, read
from mlops_cli.store.digest import Digest

PAGE = (Path(__file__).parents[2] / "docs/formats/experiments.md").read_text()


def test_the_points_on_the_page_are_read_as_the_page_says() -> None:
    found = re.search(r"```\n(\{\"step.*?)```", PAGE, re.S)
    assert found is not None
    data = found[1].encode()
    assert f"`{Digest.of(data)}`" in PAGE
    series = parse(data)
    assert series.last == {"loss": 0.25}
    assert series.params == {"threshold": 0.4}
    assert series.metrics["accuracy"][0].value is None
    assert parse(data + b'{"step":2,"ti').last == {"loss": 0.25}


def test_what_is_written_has_the_fields_of_the_page(tmp_path: Path) -> None:
    run = Live(tmp_path / "live")
    run.log_metrics(loss=0.5, step=3)
    run.log_params(a=1)
    first, second = (json.loads(line) for line in read(tmp_path / "live").splitlines())
    assert list(first) == ["step", "time", "metrics"]
    assert list(second) == ["time", "params"]
    state = begin(tmp_path, Plan("s", "c", (Axis("params.yaml", "a", (1,)),)))
    state.claim(0, {"a": 1})
    state.end(Trial(0, {"a": 1}, "done"))
    lines = (state.folder / "state.jsonl").read_bytes().split(b"\n")
    written = [json.loads(line) for line in lines if line]
    assert [next(iter(line)) for line in written] == ["plan", "claim", "end"]
    for line in (*asdict(state.plan), *asdict(Trial(0, {}))):
        assert f"`{line}`" in PAGE, line

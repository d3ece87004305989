"""The shipped JSON Schema and the loader say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.reading.load import load
from mlops_cli.pipeline.reading.schema import json_schema
from mlops_cli.pipeline.words import document

HERE = Path(__file__).parent


def value(text: str) -> Any:
    return document.plain(document.parse(text.encode(), name="pipeline.yaml"))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("steps: {a: {cmd: x, outs: out/a}}", True),
        ("steps: {a: {cmd: [x, y], outs: [out/a], timeout: 3h}}", True),
        ("steps: {a: {cmd: x, timeout: soon}}", False),
        ("steps: {a: {outs: [out/a]}}", False),
        ("step: {}", False),
        ("steps: {a: {cmd: x, out: [out/a]}}", False),
        (
            "data: {d: {path: p, checks: {c: {min: 1}, rows: {min: 3}, fresh_within: 4d}, time: t}}",  # noqa: E501
            1,
        ),
        ("data: {d: {path: p, checks: {c: {min: low}}}}", False),
        ("data: {d: {path: p, key: [a, b], label: {column: l}}}", True),
        ("steps: {a: {cmd: x, outs: [o, {path: p, cache: false, persist: true}]}}", True),
        ("steps: {a: {cmd: x, outs: [{path: p, chace: false}]}}", False),
        ("steps: {a: {cmd: x, for: {lr: [1, 2]}}}", True),
        ("steps: {a: {cmd: x, partitions: {every: 1d, start: 2024-01-01, end: 2024-01-03}}}", True),
        ("steps: {a: {cmd: x, partitions: {every: day, start: 2024-01-01}}}", False),
        ("steps: {a: {cmd: x, until: {metric: auc > 1, budget: 2h}}}", True),
        ("steps: {a: {cmd: x, map: 'r/*', outs: ['o/${item.name}']}}", True),
        ("include: {flie: x}", False),
        ("limits: {concurrency: many}", False),
        ("project: {name: p, task: guess}", False),
    ],
)
def test_schema_and_loader_agree(tmp_path: Path, text: str, fits: bool) -> None:
    whole = "version: 1\nproject: {name: p}\n" if not text.startswith("project") else "version: 1\n"
    whole += text + "\n"
    found = list(jsonschema.Draft202012Validator(json_schema()).iter_errors(value(whole)))
    assert (not found) == bool(fits), found
    (tmp_path / "pipeline.yaml").write_text(whole)
    if fits:
        load(tmp_path)
    else:
        with pytest.raises(ConfigError):
            load(tmp_path)


def test_plain_scalars_are_read_as_yaml_1_2_says() -> None:
    text = "[NO, on, 12:30, 1e-3, 010, 0x1f, 2013-01-01, ~, 'null', .5, -1, !!str 7]"
    assert value(text) == [
        "NO",
        "on",
        "12:30",
        0.001,
        10,
        31,
        "2013-01-01",
        None,
        "null",
        0.5,
        -1,
        "7",
    ]


def test_merge_keys_fill_what_is_not_said() -> None:
    assert value("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}")["d"] == {"b": 1, "c": 3}


def test_numbers_read_as_pyyaml_reads_them_where_both_are_right() -> None:
    text = "[1, 2.5, true, null, text, -0.5, 1.0e-5]"
    assert value(text) == yaml.safe_load(text)

"""R5, software engineer: a file with a schema, exit codes, errors and an API to build upon."""

from __future__ import annotations

from typing import Any

import pytest


def test_the_schema_takes_every_template_and_refuses_a_typing_error(bare: Any, demo: Any) -> None:
    schema = bare.root / "schema.json"
    schema.write_text(bare.run("mlops", "schema").stdout)
    good = [str(where / "pipeline.yaml") for where in (bare.root, demo.root)]
    bare.run("check-jsonschema", "--schemafile", str(schema), *good)
    bare.edit("pipeline.yaml", "outs:", "out:")
    bare.run("check-jsonschema", "--schemafile", str(schema), "pipeline.yaml", code=1)
    told = bare.said("run", code=10)
    assert "pipeline.yaml:" in told and "outs" in told, "the place, and what was meant"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("run", "--no-such"), 2, None),
        (("models", "show", "nothing@v1"), 20, "unknown-model"),
        (("explain", "nothing"), 20, None),
        (("push",), 20, None),
    ],
)
def test_every_failure_has_a_code_for_programs_and_a_hint_for_people(
    bare: Any, words: tuple[str, ...], code: int, error: str | None
) -> None:
    refused = bare.mlops(*words, code=code)
    assert refused["exit_code"] == code and refused["message"] and refused["hint"]
    assert error in (None, refused["code"])
    told = bare.said(*words, code=code)
    assert f"[{refused['code']}]" in told and "hint: " in told and "Traceback" not in told


def test_a_script_opens_data_models_and_features_through_the_stable_api(demo: Any) -> None:
    import pyarrow.parquet as pq

    from mlops_cli import api

    with api.open("data/flights/2013-01.parquet", at=demo.root) as stream:
        assert stream.read() == (demo.root / "data/flights/2013-01.parquet").read_bytes()
    model = api.model("delay@production", at=demo.root)
    assert model.path.read_bytes() and model.metrics["roc_auc"] > 0.5
    spine = pq.read_table(demo.root / "data/flights/2013-02.parquet").slice(0, 50)
    rows = api.features("delay", spine, at=demo.root)
    assert rows.num_rows == 50
    assert {str(item["name"]) for item in model.inputs} <= set(rows.column_names)

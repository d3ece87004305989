"""`mlops schema`: the JSON Schema of pipeline.yaml, or of what a command prints under --json."""

from __future__ import annotations

import json

import jsonschema
import yaml


def test_the_schema_of_the_pipeline_accepts_what_init_writes_and_refuses_unknown_keys(mlops, repo):
    mlops("init", code=0)
    schema = mlops("schema", code=0).json
    jsonschema.Draft202012Validator.check_schema(schema)
    written = yaml.safe_load((repo / "pipeline.yaml").read_text())
    jsonschema.validate(written, schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(written | {"stages": {}})
    assert list(errors)


def test_list_names_every_schema_and_each_is_a_schema(mlops, assert_valid):
    result = mlops("schema", "--list", "--json", code=0)
    assert_valid(result.json)
    names = [row["id"] for row in result.data["schemas"]]
    assert {"mlops.envelope/1", "mlops.error/1", "mlops.init/1"} <= set(names)
    assert mlops("schema", "--list", code=0).stdout.split() == names
    from mlops_cli.cli.commands.schema import schemas

    for name, schema in schemas().items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["title"], name


def test_a_schema_is_printed_by_its_whole_or_its_short_name(mlops):
    whole = mlops("schema", "mlops.doctor/1", code=0).stdout
    assert json.loads(whole)["$id"] == "mlops.doctor/1"
    assert mlops("schema", "doctor", code=0).stdout == whole


def test_an_unknown_schema_is_answered_with_the_nearest(mlops, assert_valid):
    result = mlops("schema", "mlops.docto/1", "--json", code=20)
    assert_valid(result.json)
    assert result.error["hint"] == "did you mean: mlops schema mlops.doctor/1"

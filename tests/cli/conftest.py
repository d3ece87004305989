"""Every document a command prints is held against the schema that ships with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import Result

import mlops_cli.cli
from mlops_cli.cli import main

SCHEMAS = Path(mlops_cli.cli.__file__).parent / "schemas"


@pytest.fixture(scope="session")
def assert_valid() -> Callable[[Any], None]:
    """assert_valid(envelope): the envelope and its data are what the shipped schemas say."""
    found = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")]
    schemas = {schema["$id"]: schema for schema in found}

    def check(envelope: Any) -> None:
        if not envelope["ok"]:
            jsonschema.validate(envelope, schemas["mlops.error/1"])
            return
        jsonschema.validate(envelope, schemas["mlops.envelope/1"])
        assert envelope["schema"] in schemas, f"no schema file has $id {envelope['schema']}"
        jsonschema.validate(envelope["data"], schemas[envelope["schema"]])

    return check


@pytest.fixture
def mlops_here(
    environment: dict[str, str],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Result]:
    """Do what `mlops` does, in this process: where the start of one is not what is tested."""

    def run(
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        code: int | None = None,
    ) -> Result:
        if cwd is None:
            name = "repo" if "repo" in request.fixturenames else "tmp_path"
            cwd = request.getfixturevalue(name)
        with monkeypatch.context() as here:
            here.chdir(cwd)
            for name, value in {**environment, **(env or {})}.items():
                here.setenv(name, value)
            answer = main.run(list(arguments))
        shown = capsys.readouterr()
        result = Result(answer, shown.out, shown.err)
        if code is not None:
            assert result.code == code, result
        return result

    return run

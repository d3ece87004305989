"""Every document a command prints is held against the schema that ships with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import mlops_cli.cli

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

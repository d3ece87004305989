"""What orchestrators say of files that are made for them: their own types, read apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from peers import peer

# kfp-pipeline-spec wants an older protobuf than onnx has, and hera brings pydantic
TYPES = ("kfp-pipeline-spec==2.17.*", "googleapis-common-protos==1.*", "hera==7.1.*", "pyyaml")

READ_KFP = """
import sys, yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as spec
for path in sys.argv[1:]:
    read = json_format.ParseDict(yaml.safe_load(open(path)), spec.PipelineSpec())
    print(json_format.MessageToJson(read))
"""
READ_ARGO = """
import sys, yaml
from hera.workflows import models
def known(model, given, where):
    fields = {f.alias or name for name, f in type(model).model_fields.items()}
    for word, value in given.items():
        assert word in fields, f"{where}: {word}"
        names = [n for n, f in type(model).model_fields.items() if (f.alias or n) == word]
        there = getattr(model, names[0])
        for one, plain in zip(there, value) if isinstance(value, list) else [(there, value)]:
            if isinstance(plain, dict) and hasattr(one, "model_fields"):
                known(one, plain, f"{where}.{word}")
for path in sys.argv[1:]:
    given = yaml.safe_load(open(path))
    known(getattr(models, given["kind"]).model_validate(given), given, path)
    print(path)
"""


@pytest.fixture(scope="session")
def orchestrator_types(request: pytest.FixtureRequest) -> Path:
    """A Python that has the types of Kubeflow Pipelines and Argo: MLOPS_TEST_ORCHESTRATORS, or
    one in an environment of its own, made once."""
    return peer(request, "python", *TYPES, given="MLOPS_TEST_ORCHESTRATORS")


def read_by(python: Path, program: str, *paths: Path) -> str:
    """Return what `program` printed of the files, with the types at hand."""
    done = subprocess.run(
        [python, "-c", program, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout

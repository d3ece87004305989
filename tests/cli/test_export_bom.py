"""`mlops export bom`: what a version was made of, as CycloneDX says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

LOCK = """\
# by hand
numpy==2.1.0 \\
    --hash=sha256:{0}
Ruamel.Yaml[extra]==0.18  # a comment
torch==2.6.0+cpu --hash=sha256:{0} --hash=sha256:{1}
-e .
""".format("a" * 64, "b" * 64)


def validated(text: str) -> None:
    """Hold a bill against the official schema, strictly."""
    json_validator = pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion

    wrong = json_validator.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert wrong is None, wrong


def test_the_bill_names_model_data_and_libraries_and_is_valid(
    mlops: Any, git: Any, trained: Path, assert_valid: Any
) -> None:
    shown = mlops("export", "bom", "storm@v1", "-o", "bom.json", "--json", cwd=trained, code=0)
    assert_valid(shown.json)
    text = (trained / "bom.json").read_text()
    bom = json.loads(text)
    assert bom == shown.data["bom"]
    validated(text)
    model = bom["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == (
        "machine-learning-model", "storm", "v1")  # fmt: skip
    version = mlops("models", "show", "storm@v1", "--json", cwd=trained, code=0).data
    assert model["hashes"][0]["content"] == version["digest"].removeprefix("sha256:")
    assert model["pedigree"]["commits"] == [{"uid": version["commit"]}]
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {each["type"] for each in metrics} == {"roc_auc", "log_loss"}
    kinds = {each["name"]: each["type"] for each in bom["components"]}
    assert kinds["data/days.parquet"] == "data" and kinds["torch"] == "library"
    (refs,) = [each["dependsOn"] for each in bom["dependencies"] if each["ref"] == model["bom-ref"]]
    assert set(refs) == {each["bom-ref"] for each in bom["components"]}
    printed = mlops("export", "bom", "storm@v1", cwd=trained, code=0).stdout
    assert printed == text, "the same version gives the same bytes"


@pytest.fixture
def written(repo: Path, git: Any) -> Any:
    """written(files): a repository whose one version was made on a commit with these files."""
    from mlops_cli.registry.registry import Registry
    from mlops_cli.vcs.repo import Git

    def make(files: dict[str, str], **more: Any) -> None:
        for name, text in files.items():
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            (repo / name).write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", "first")
        payload = {
            "digest": f"sha256:{1:064x}",
            "format": "onnx",
            "created": "2013-02-01T00:00:00Z",
        }
        Registry(Git(repo)).create("storm", payload | more)

    return make


def test_the_libraries_are_those_of_the_lock_at_the_commit(mlops: Any, written: Any) -> None:
    pipeline = "version: 1\nproject: {name: a, task: binary}\nenv: {lock: requirements.txt}\n"
    written({"pipeline.yaml": pipeline, "requirements.txt": LOCK})
    Path("requirements.txt").unlink(missing_ok=True)
    result = mlops("export", "bom", "storm", "--json", code=0)
    found = {each["purl"]: each.get("hashes") for each in result.data["bom"]["components"]}
    assert found == {
        "pkg:pypi/numpy@2.1.0": [{"alg": "SHA-256", "content": "a" * 64}],
        "pkg:pypi/ruamel-yaml@0.18": None,
        "pkg:pypi/torch@2.6.0+cpu": None,
    }
    assert "no run of storm@v1" in result.json["warnings"][0]
    validated(json.dumps(result.data["bom"]))


def test_uv_tells_which_library_needs_which(mlops: Any, written: Any) -> None:
    lock = (
        'version = 1\nrequires-python = ">=3.11"\n[[package]]\nname = "a"\nversion = "1"\n'
        'source = {registry = "https://x"}\ndependencies = [{name = "b"}]\n'
        '[[package]]\nname = "b"\nversion = "2"\nsource = {registry = "https://x"}\n'
    )
    pipeline = "version: 1\nproject: {name: a, task: binary}\nenv: {kind: uv}\n"
    written({"pipeline.yaml": pipeline, "uv.lock": lock})
    bom = mlops("export", "bom", "storm", "--json", code=0).data["bom"]
    needs = {each["ref"]: each.get("dependsOn") for each in bom["dependencies"]}
    assert needs["pkg:pypi/a@1"] == ["pkg:pypi/b@2"] and needs["pkg:pypi/b@2"] == []
    validated(json.dumps(bom))


def test_hostile_words_stay_words(mlops: Any, written: Any) -> None:
    evil = "\x1b]0;x\x07</script><script>alert(1)</script>\u202e"
    card = (
        f"---\nlicense: {json.dumps(evil)}\nowner: {json.dumps(evil)}\n---\n## Use it for\n{evil}\n"
    )
    written(
        {"models/storm.md": card, "pipeline.yaml": "env: [not, a, mapping\n"},
        metrics={evil: 1.5, "n": None},
        inputs=[{"name": evil, "dtype": evil}],
        actor=evil,
    )
    result = mlops("export", "bom", "storm", "--json", code=0)
    validated(json.dumps(result.data["bom"]))
    (licence,) = result.data["bom"]["metadata"]["component"]["licenses"]
    assert licence == {"license": {"name": evil}}
    human = mlops("export", "bom", "storm", code=0).stdout
    assert "\x1b" not in human and "\u202e" not in human
    assert json.loads(human) == result.data["bom"]


def test_an_unknown_version_is_told(mlops: Any, written: Any) -> None:
    written({"a": "b"})
    assert mlops("export", "bom", "storm@v7", "--json", code=20).error["code"] == "unknown-version"

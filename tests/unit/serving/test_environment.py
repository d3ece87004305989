"""environments/<name>.yaml says all, and is the same bytes for the same state."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import ConfigError, UsageError
from mlops_cli.pipeline.model.serving import Log, Target
from mlops_cli.serving import environment
from mlops_cli.serving.environment import Challenger, Environment, Held, Pinned


def pinned(version: int) -> Pinned:
    digest = f"sha256:{version:064d}"
    return Pinned("delay@production", "delay", version, digest, digest)


FULL = Environment(
    "prod",
    pinned(3),
    "2013-03-01T00:00:00Z",
    (Challenger(pinned(4), "canary", 0.1),),
    Target(port=0, workers=2),
    Log(sample=0.5, pii={"tail": "hash"}),
    former=(pinned(2), pinned(1)),
    held=Held("delay", 5, "sha256:5", "late"),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    environment.write(tmp_path, FULL)
    first = (tmp_path / "environments/prod.yaml").read_bytes()
    assert environment.read(tmp_path, "prod") == FULL
    environment.write(tmp_path, FULL)
    assert (tmp_path / "environments/prod.yaml").read_bytes() == first
    assert environment.names(tmp_path) == ["prod"]
    assert environment.read(tmp_path, "staging") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: [",
        "version: 2\n",
        "version: 1\n",
        "version: 1\nenvironment: x\nchampion: {}\n",
    ],
)
def test_a_file_that_is_not_ours_is_refused_with_the_way_back(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        environment.parse(text, source="environments/prod.yaml")
    assert refused.value.code == "malformed-environment"
    assert "git checkout" in str(refused.value.hint)


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "x" * 64, "a\n"])
def test_a_name_that_leaves_the_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        environment.path(name)

"""What a command may import: start-up time is a feature, and imports are what it is made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "rich",
    "git",
    "fsspec",
    "asyncio",
    "pyarrow",
    "numpy",
    "torch",
    "onnx",
    "onnxruntime",
    "pydantic",
    "duckdb",
    "pandas",
    "s3fs",
}


# -X importtime does not see what importlib.import_module was asked for, sys.modules does
PROGRAM = """
import sys
from mlops_cli.__main__ import main
code = main()
print("MODULES", *sys.modules, file=sys.stderr)
sys.exit(code)
"""


def imported(*words: str, cwd: Path, environment: dict[str, str], codes=(0,)) -> set[str]:
    """Return every module that `mlops WORDS` imports in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", PROGRAM, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in codes, done
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    timed = {line.rpartition("|")[2].strip() for line in lines}
    return timed | set(done.stderr.rpartition("MODULES ")[2].split())


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_version_is_answered_before_anything_is_imported(tmp_path, environment):
    modules = imported("--version", cwd=tmp_path, environment=environment)
    assert {name for name in modules if name.startswith("mlops_cli")} == {
        "mlops_cli",
        "mlops_cli.__main__",
    }
    assert not tops(modules) & {"typer", "json", "pathlib", "argparse", "logging"}


def test_help_imports_nothing_heavy(tmp_path, environment):
    modules = imported("--help", cwd=tmp_path, environment=environment)
    assert not tops(modules) & (HEAVY | {"yaml", "typer", "inspect"})
    assert not {name for name in modules if name.startswith("mlops_cli.cli.commands")}


def test_a_command_imports_its_own_module_and_no_other_command(repo, environment):
    modules = imported("config", "list", cwd=repo, environment=environment)
    commands = {name for name in modules if name.startswith("mlops_cli.cli.commands.")}
    assert commands == {"mlops_cli.cli.commands.config"}
    assert not tops(modules) & (HEAVY | {"yaml"})


def test_settings_as_the_command_writes_them_cost_no_yaml(repo, environment, mlops):
    mlops("config", "set", "remotes.origin.url", "file:///srv/data", code=0)
    mlops("config", "set", "remotes.origin.endpoint", "http://localhost:9000", code=0)
    modules = imported("config", "list", cwd=repo, environment=environment)
    assert "yaml" not in tops(modules)


HOOKS = [["hooks", "run", name] for name in ("pre-commit", "post-checkout", "post-merge")]


@pytest.mark.parametrize("words", [["status"], ["dag"], ["status", "--json"], ["merge"], *HOOKS])
def test_what_hooks_call_imports_nothing_heavy(tmp_path, environment, mlops, git, words):
    root = tmp_path / "project"
    mlops("init", str(root), "--name", "days", "--no-git", cwd=tmp_path, code=0)
    git("init", "-q", cwd=root)
    git("config", "user.name", "Ada Lovelace", cwd=root)
    git("config", "user.email", "ada@example.org", cwd=root)
    git("add", "-A", cwd=root)
    git("commit", "-qm", "Start", cwd=root)
    modules = imported(*words, cwd=root, environment=environment)
    assert not tops(modules) & HEAVY


# what sends, what collects, what a model is: only for who has something to send, a budget, models
UNASKED = {"typer.main", "concurrent.futures", "logging", "random", "shutil"}
OPTIONAL = ("mlops_cli.registry.", "mlops_cli.ledger.", "mlops_cli.store.transfer.sending")


@pytest.mark.parametrize("words", [["push"], ["pull"], ["push", "data"], ["pull", "data"]])
def test_what_has_nothing_to_transfer_imports_nothing_that_transfers(
    repo, environment, mlops, words
):
    (repo / "data").mkdir()
    (repo / "data" / "a.bin").write_bytes(b"a")
    mlops("add", "data", code=0)
    mlops("remote", "add", "origin", str(repo.parent / "remote"), code=0)
    mlops("push", code=0)
    modules = imported(*words, cwd=repo, environment=environment)
    assert modules & UNASKED == set()
    assert not {name for name in modules if name.startswith(OPTIONAL)}


@pytest.mark.parametrize("words", [["add", "data"], ["checkout", "data"]])
def test_what_finds_nothing_changed_imports_no_parser_and_no_transfer(
    repo, environment, mlops, words
):
    (repo / "data").mkdir()
    (repo / "data" / "a.bin").write_bytes(b"a")
    mlops("add", "data", code=0)
    modules = imported(*words, cwd=repo, environment=environment)
    assert modules & UNASKED == set()
    assert not {name for name in modules if name.startswith(OPTIONAL)}


def test_registering_reads_evidence_and_runs_no_model(trained, environment):
    modules = imported("register", cwd=trained, environment=environment)
    assert not tops(modules) & HEAVY
    assert not {name for name in modules if name.startswith("mlops_cli.registry.chain.")}

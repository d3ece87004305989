"""Steps forked from a process that has imported what is slow: the same results, sooner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.attempts import worker
from mlops_cli.pipeline.attempts.warm import Warm, open_warm
from mlops_cli.pipeline.step import Step

# a kind of step of a plug-in, as an installed package would offer it
PLUGIN = """
import json, os, random, sys
from mlops_cli.pipeline.runner import Outcome
class Kind:
    def run(self, step, context):
        print("words of the step", flush=True)
        if step.config.get("hang"):
            import time
            time.sleep(60)
        seen = {"hash": hash("x"), "path": sys.path, "folder": os.getcwd(), "name": __name__,
                "variable": os.environ.get("OF_STEP"), "group": os.getpgid(0) == os.getpid(),
                "heavy": "csv" in sys.modules}
        for path in context.outs.values():
            path.write_text(json.dumps(seen))
        return Outcome({"n": 1.0})
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    meta = tmp_path / "site/plugin-1.dist-info"
    meta.mkdir(parents=True)
    (tmp_path / "site/kind_of_a_test.py").write_text(PLUGIN)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (meta / "entry_points.txt").write_text("[mlops.steps]\nforked = kind_of_a_test:Kind\n")
    return tmp_path


def environ(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root / "site"), "PYTHONHASHSEED": "0"}


def request(root: Path, name: str, **config: Any) -> list[str]:
    words = [str(root / f"{name}.request"), str(root / f"{name}.answer")]
    step = Step("a", "forked", outs=("a",), config=config)
    worker.write_request(
        Path(words[0]), step, root=root, outs={"a": root / f"{name}.out"}, params={}, seed=0
    )
    return words


def warm_in(root: Path, modules: str = "csv") -> Warm:
    return open_warm(modules, python=sys.executable, root=root, environ=environ(root))


def test_a_forked_step_sees_what_a_step_in_a_fresh_process_sees(root: Path) -> None:
    env = {**environ(root), "OF_STEP": "yes"}
    cold = [sys.executable, "-m", "mlops_cli.pipeline.attempts.worker", *request(root, "cold")]
    done = subprocess.run(cold, cwd=root, env=env, capture_output=True, check=True, process_group=0)
    warm = warm_in(root)
    try:
        child = warm.start(request(root, "warm"), cwd=root, environ=env)
        with child.stdout as words:
            assert words.read() == done.stdout
        assert child.wait() == 0
    finally:
        warm.close()
    fresh, forked = (json.loads((root / f"{one}.out").read_text()) for one in ("cold", "warm"))
    assert forked.pop("heavy"), "it was imported before"
    del fresh["heavy"]
    assert forked == fresh
    told = [json.loads((root / f"{one}.answer").read_text()) for one in ("warm", "cold")]
    assert all(each["found"].pop("cpu_seconds") >= 0 for each in told)
    assert told[0] == told[1]


def test_a_module_that_cannot_be_imported_is_told(root: Path) -> None:
    with pytest.raises(ConfigError, match="No module named 'no_such'") as raised:
        warm_in(root, "csv, no_such")
    assert raised.value.code == "warm-import"


def test_a_forked_step_that_is_killed_says_so_and_others_go_on(root: Path) -> None:
    warm = warm_in(root)
    try:
        first = warm.start(request(root, "hang", hang=True), cwd=root, environ=environ(root))
        with first.stdout as words:
            assert words.readline() == b"words of the step\n"
            os.killpg(first.pid, signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        second = warm.start(request(root, "next"), cwd=root, environ=environ(root))
        with second.stdout:
            assert second.wait() == 0
    finally:
        warm.close()


def test_forked_steps_end_with_whoever_asked_for_them(root: Path) -> None:
    warm = warm_in(root)
    child = warm.start(request(root, "hang", hang=True), cwd=root, environ=environ(root))
    with child.stdout as words:
        assert words.readline() == b"words of the step\n"
        warm.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child.pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert child.wait() == -signal.SIGKILL

"""kill -9 at any moment loses no record that was spooled, and no later flush trips over it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import mlops_cli
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import record
from mlops_cli.ledger.verify import verify
from mlops_cli.vcs import refs
from mlops_cli.vcs.commit import commit_paths
from mlops_cli.vcs.repo import Git

SOURCE = str(Path(mlops_cli.__file__).parents[1])

WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from datetime import UTC, datetime
from pathlib import Path
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import record
from mlops_cli.vcs.repo import Git
ledger = open_ledger(Git(Path(sys.argv[1])))
for n in range(100000):
    made = record(
        "feedback", time=datetime(2013, 2, 1, tzinfo=UTC), actor=sys.argv[3],
        to="data", about="", text=str(n),
    )
    ledger.spool(made)
    sys.stdout.write(str(made.digest) + "\\n")
    sys.stdout.flush()
    if n % 7 == 6:
        ledger.flush()
"""

COMMITTER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from mlops_cli.vcs.commit import commit_paths
from mlops_cli.vcs.repo import Git
root = Path(sys.argv[1])
for n in range(100000):
    (root / "lock.json").write_text(str(n))
    commit_paths(Git(root), ["lock.json"], subject=f"run {n}")
    sys.stdout.write("x\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def git(tmp_path: Path) -> Git:
    made = Git.init(tmp_path / "repo")
    made.run("config", "user.name", "Ada")
    made.run("config", "user.email", "ada@example.com")
    made.run("config", "commit.gpgsign", "false")
    made.run("commit", "-q", "--allow-empty", "-m", "first")
    return made


def killed_after(lines: int, script: str, *args: str) -> list[str]:
    """Run `script`, kill -9 it after it printed `lines` lines, and return all that it printed."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *args], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        printed = [child.stdout.readline().strip() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
    return printed + [line.strip() for line in rest if line.endswith("\n")]


def test_no_spooled_record_is_lost(git: Git) -> None:
    chance = random.Random(7)
    promised: set[str] = set()
    for attempt in range(12):
        lines = chance.randint(1, 25)
        promised |= set(killed_after(lines, WRITER, str(git.root), SOURCE, f"writer {attempt}"))
    ledger = open_ledger(git)
    ledger.flush()
    held = {
        f"sha256:{path.rpartition('/')[2].removesuffix('.json')}"
        for path in refs.read_tree(git, ledger.ref)
    }
    assert promised <= held
    assert verify(git).clean
    assert list(ledger.folder.glob("*.jsonl")) == []
    git.run("fsck", "--strict")


def test_a_killed_commit_never_leaves_a_staged_undo(git: Git) -> None:
    chance = random.Random(11)
    (git.root / "mine").write_text("staged by hand")
    git.run("add", "mine")
    for _ in range(8):
        killed_after(chance.randint(1, 6), COMMITTER, str(git.root), SOURCE)
        (git.git_dir / "index.lock").unlink(missing_ok=True)  # of a git that was killed with it
        commit_paths(git, ["lock.json"], subject="again")
        assert git.run("status", "--porcelain") == "A  mine"
    git.run("fsck", "--strict")


@pytest.mark.parametrize("cut", [1, 10, 70, 90])
def test_a_line_cut_anywhere_costs_only_itself(git: Git, cut: int) -> None:
    ledger = open_ledger(git)
    when = datetime(2013, 2, 1, tzinfo=UTC)
    note = {"time": when, "actor": "a", "to": "data", "about": ""}
    first, second = (record("feedback", **note, text=text) for text in ("one", "two"))
    ledger.spool(first)
    ledger.spool(second)
    (spooled,) = ledger.folder.glob("*.jsonl")
    spooled.write_bytes(spooled.read_bytes()[:-cut])
    third = record("feedback", **note, text="three")
    # a cut of the newline alone leaves the record whole
    kept = [first, second, third] if cut == 1 else [first, third]
    ledger.spool(third)
    assert ledger.flush() == [each.digest for each in kept]

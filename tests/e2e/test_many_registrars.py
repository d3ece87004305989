"""Issue 5, acceptance 2: many clones register and promote at once, and the registry is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from mlops_cli.ledger.index import open_index
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.verify import verify
from mlops_cli.vcs import exchange
from mlops_cli.vcs.repo import Git

MACHINES = 8 if "MLOPS_ROUNDS" in os.environ else 4
ROUNDS = int(os.environ.get("MLOPS_ROUNDS", "1"))  # 20 for the whole acceptance
COMMON = 99  # a model that every machine registers

MACHINE = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from mlops_cli.errors import StateRefused
from mlops_cli.ledger.append import open_ledger
from mlops_cli.registry import records
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git

git, me = Git(Path(sys.argv[1])), int(sys.argv[2])
registry, ledger = Registry(git, "origin"), open_ledger(git)
actor, now = str(git.identity()), datetime(2013, 2, 1, tzinfo=UTC)

def register(n):
    made = registry.create("delay", {
        "digest": f"sha256:{n:064x}", "bundle": f"sha256:{n + 5000:064x}", "format": "onnx",
        "created": now.isoformat(), "actor": actor})
    records.settle(registry, ledger, "delay")
    return made.number

for line in sys.stdin:
    turn = int(line)
    told = {"own": register(turn * 100 + me), "common": register(turn * 100 + 99)}
    try:
        event = registry.move("delay", "production", told["own"], policy={}, evidence={},
                              actor=actor, reason="mine", time=now, expected=turn)
        records.settle(registry, ledger, "delay")
        told["won"] = event.number
    except StateRefused as exc:
        told["lost"] = exc.details["actor"]
    print(json.dumps(told), flush=True)
"""


def machine(bare: Path, folder: Path, number: int, environment: dict[str, str]) -> Any:
    subprocess.run(["git", "clone", "-q", str(bare), str(folder)], check=True)
    for name, value in (("user.name", f"m{number}"), ("user.email", f"m{number}@example.org")):
        subprocess.run(["git", "config", name, value], cwd=folder, check=True)
    return subprocess.Popen(
        [sys.executable, "-c", MACHINE, str(folder), str(number)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_clones_register_and_promote_at_once(
    repo: Path, git: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    git("commit", "-q", "--allow-empty", "-m", "begin")
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(repo), str(bare))
    running = [machine(bare, tmp_path / f"m{n}", n, environment) for n in range(MACHINES)]
    won = []
    for turn in range(ROUNDS):
        for one in running:
            one.stdin.write(f"{turn}\n")
            one.stdin.flush()
        told = [json.loads(one.stdout.readline()) for one in running]
        assert len({each["common"] for each in told}) == 1, "one model is one version"
        assert len({each["own"] for each in told}) == MACHINES
        winners = [n for n, each in enumerate(told) if "won" in each]
        assert len(winners) == 1, told
        assert told[winners[0]]["won"] == turn + 1
        who = f"m{winners[0]} <m{winners[0]}@example.org>"
        assert {each["lost"] for each in told if "lost" in each} == {who}
        won.append(told[winners[0]]["own"])
    for one in running:
        one.communicate(timeout=60)
        assert one.returncode == 0

    fresh = Git(tmp_path / "fresh")
    subprocess.run(["git", "clone", "-q", str(bare), str(fresh.root)], check=True)
    exchange.receive(fresh, "origin")
    registry = Registry(fresh)
    count = ROUNDS * (MACHINES + 1)
    assert registry.numbers("delay") == list(range(1, count + 1)), "dense"
    assert [event.version for event in registry.events("delay", "production")] == won
    with open_index(fresh) as index:
        registered = Counter(each["version"] for each in index.newest("register"))
        promoted = Counter(each["event"] for each in index.newest("promotion"))
    assert registered == dict.fromkeys(range(1, count + 1), 1), "a record each, none lost"
    assert promoted == dict.fromkeys(range(1, ROUNDS + 1), 1)
    assert verify(fresh) == (count + ROUNDS, {})

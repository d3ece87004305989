"""The ledger: search beside MLflow on SQLite, and what 100,000 runs cost.

    python tests/benchmarks/ledger.py [--mlflow PYTHON] [--few N] [--many N] [--repeat N] [--json]

PYTHON is the interpreter of an environment with MLflow 3. Both tools have the same runs: 5 params,
5 metrics, 3 inputs, an environment; MLflow's are written through its own client. Compared are whole
processes and their CPU; MLflow is asked by the least script that its client allows. In one process
is measured what a command does besides starting: append, look at what is new, search.
Exit codes: 0 all goals met, 1 one was missed, 2 there is no result because a tool failed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from measure import check, median, run

from mlops_cli.ledger import fold, query
from mlops_cli.ledger.append import Ledger
from mlops_cli.ledger.expression import parse
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Code, Record, record
from mlops_cli.vcs.repo import Git

GOALS = {  # seconds of CPU, of all processes; MB; times
    "append": 0.030,
    "incremental index": 0.050,
    "filtered search": 0.3,
    "packed": 50.0,
    "mlflow": 6.0,
}
WHEN = datetime(2013, 1, 1, tzinfo=UTC)
WRITERS = 20
FILTER = "metrics.roc_auc > 0.7 and params.lr < .1 and branch = main"
RARE = "metrics.roc_auc > 0.99999 and params.lr < .1 and branch = main"

FILL = """
import random, sys
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
client, chance = MlflowClient("sqlite:///mlflow.db"), random.Random(7)
experiment = client.create_experiment("bench")
for n in range(int(sys.argv[1])):
    run = client.create_run(experiment, start_time=n, tags={"branch": "main"})
    params = {"lr": chance.random(), "depth": 6, "l2": 0.1, "seed": n, "rounds": 100}
    names = ("roc_auc", "loss", "acc", "f1", "brier")
    client.log_batch(run.info.run_id,
        [Metric(name, chance.random(), n, 0) for name in names],
        [Param(name, f"{value:.6f}") for name, value in params.items()])
"""
ASK = """
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
found = client.search_runs(["1"], "metrics.roc_auc > 0.7 and tags.branch = 'main'", max_results=20)
assert len(found) == 20
for one in found:
    print(one.info.run_id, one.data.metrics, one.data.params)
"""


def main() -> int:
    """Measure, print a line for each figure, and answer whether all goals are met."""
    options = _options()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="mlops-ledger-") as work:
        for row in _measured(Path(work), options):
            rows.append(row)
            line = "  ".join(f"{key} {value}" for key, value in row.items())
            print(line, file=sys.stderr if options.json else sys.stdout, flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return int(not all(row.get("met", True) for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mlflow", metavar="PYTHON")
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _measured(work: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if options.few:
        yield from _beside(work / "few", options)
    if options.many:
        yield from _large(work / "many", options)


def _beside(root: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    _fill(root, options.few)
    beside = Path(sys.executable).parent / "mlops"
    ours = [str(beside), "runs", "search", FILTER]
    run(ours, root)  # the index is made once
    theirs = [str(options.mlflow), "-c", ASK]
    if options.mlflow:
        run([options.mlflow, "-c", FILL, str(options.few)], root)
    taken: dict[str, list[Any]] = {"mlops": [], "mlflow": []}
    for _ in range(options.repeat):
        taken["mlops"].append(run(ours, root))
        if options.mlflow:
            taken["mlflow"].append(run(theirs, root))
    row = {
        "what": f"search {options.few} runs",
        "mlops_cpu_s": round(median(taken["mlops"], "cpu"), 3),
    }
    if options.mlflow:
        times = median(taken["mlflow"], "cpu") / median(taken["mlops"], "cpu")
        row |= {"mlflow_cpu_s": round(median(taken["mlflow"], "cpu"), 3)}
        row |= {"times": round(times, 1), "goal": GOALS["mlflow"], "met": times >= GOALS["mlflow"]}
    yield row


def _large(root: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    git = _fill(root, options.many)
    yield {"what": "build the index", "cpu_s": round(_cpu(lambda: _ask(git)), 2)}
    ledger = Ledger(git, "clone-0", root / ".mlops/spool")
    chance = random.Random(11)
    appended, looked, found, rare = [], [], [], []
    for n in range(options.repeat * 3):
        one = _ran(options.many + n, chance)
        appended.append(_cpu(lambda one=one: ledger.append(one)))
        looked.append(_cpu(lambda: _ask(git)))
        found.append(_cpu(lambda: _ask(git, FILTER)))
        rare.append(_cpu(lambda: _ask(git, RARE)))
    for what, times, goal in (
        ("append", appended, "append"),
        ("incremental index", looked, "incremental index"),
        ("filtered search", found, "filtered search"),
        ("filtered search, next to nothing fits", rare, "filtered search"),
    ):
        yield _row(f"{what} at {options.many} runs", sorted(times)[len(times) // 2], goal)
    whole = run([str(Path(sys.executable).parent / "mlops"), "runs", "search", RARE], root)
    yield {"what": "filtered search, whole process", "cpu_s": round(whole.cpu, 3)}
    run(["git", "gc", "-q", "--prune=now"], root)
    yield {"what": "packed, MB", "value": round(_packed(git), 1)}
    spent = _cpu(lambda: _folded(git))
    run(["git", "gc", "-q", "--prune=now"], root)
    yield {"what": "fold", "cpu_s": round(spent, 1)}
    yield _row("packed and folded, MB", _packed(git), "packed")
    yield {"what": "build the index, folded", "cpu_s": round(_cpu(lambda: _ask(git)), 2)}


def _row(what: str, value: float, goal: str) -> dict[str, Any]:
    return {
        "what": what,
        "value": round(value, 4),
        "goal": GOALS[goal],
        "met": value <= GOALS[goal],
    }


def _folded(git: Git) -> None:
    later = WHEN + timedelta(days=4000)
    check(not fold.fold(git, fold.Place(), before=later, now=later).empty, "nothing was folded")


def _ask(git: Git, expression: str = "") -> None:
    with open_index(git) as index:
        if expression:
            list(query.search(index, parse(expression)))


def _cpu(do: Callable[[], object]) -> float:
    """Return the seconds of CPU that `do` and its children took."""
    before = _spent()
    do()
    return _spent() - before


def _spent() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def _packed(git: Git) -> float:
    folder = git.git_dir / "objects"
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _fill(root: Path, count: int) -> Git:
    """Make a project with `count` runs of twenty writers, ten runs a commit."""
    root.mkdir()
    git = Git(root)
    git.run("init", "-q", "-b", "main")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org"), ("gc.auto", "0")):
        git.run("config", name, value)
    (root / "pipeline.yaml").write_text("version: 1\nproject: {name: p}\nsteps: {}\n")
    (root / ".mlops").mkdir()
    git.run("add", "pipeline.yaml")
    git.run("commit", "-qm", "first")
    chance = random.Random(7)
    streams: dict[int, list[bytes]] = {}
    for start in range(0, count, 10):
        which = start // 10 % WRITERS
        stream = streams.setdefault(which, [])
        ref = f"refs/mlops/ledger/clone-{which}"
        stream.append(
            f"commit {ref}\ncommitter Ada <ada@example.org> {1356998400 + start * 60} +0000\n"
            "data 14\nledger: 10 run\n".encode()
        )
        for n in range(start, min(start + 10, count)):
            one = _ran(n, chance)
            head = f"M 100644 inline {one.path}\ndata {len(one.data)}\n".encode()
            stream.append(head + one.data + b"\n")
    for stream in streams.values():
        git.run("fast-import", "--quiet", input=b"".join(stream))
    return git


def _ran(n: int, chance: random.Random) -> Record:
    def digest(word: object) -> str:
        return "sha256:" + sha256(str(word).encode()).hexdigest()

    params = {"lr": round(chance.random(), 6), "depth": 6, "l2": 0.1, "seed": n, "rounds": 100}
    moment = WHEN + timedelta(minutes=n)
    return record(
        "run",
        time=moment,
        actor="Ada Lovelace <ada@example.org>",
        code=Code(sha256(str(n // 50).encode()).hexdigest()[:40], branch="main"),
        run=f"{moment:%Y%m%dT%H%M%S}-{n % 4096:03x}",
        step="train.delay",
        step_kind="train",
        key=digest(("key", n)),
        status="done",
        started=moment,
        seconds=round(chance.random() * 100, 3),
        inputs={"data": digest(n // 1000), "src/train.py": digest(n // 50), "f": digest(n // 99)},
        outputs={"out/model.onnx": digest(("model", n))},
        params=params,
        metrics={m: round(chance.random(), 6) for m in ("roc_auc", "loss", "acc", "f1", "brier")},
        facts={},
        environment={"digest": digest("env"), "platform": "linux-x86_64", "python": "3.11.9"},
        log=None,
        error=None,
        because=["params.yaml:lr changed"],
    )


if __name__ == "__main__":
    os.environ.setdefault("GIT_CONFIG_NOSYSTEM", "1")
    try:
        sys.exit(main())
    except subprocess.SubprocessError as problem:
        print(f"no result: {problem}", file=sys.stderr)
        sys.exit(2)

"""The registry: what is in production, and one more version, beside MLflow on SQLite and GTO.

    python tests/benchmarks/registry.py [--mlflow PYTHON] [--gto GTO] [--project DIR] [--few N]
                                        [--many N] [--repeat N] [--json]

PYTHON is the interpreter of an environment with MLflow 3, GTO the command of one with GTO 1.
Each tool has the same number of versions of one model (--few); ours also has --many of them.
Asked is which version is in production and which run made it: of us with every event of the alias
confirmed, of MLflow by the least script that its client allows (alias, version, run), of GTO by
`gto show MODEL#production`. Compared is the CPU of whole processes. In one process is measured what
a registration does besides starting and hashing: the search for the digest, tag, record. In a copy
of the project DIR, as `mlops demo` leaves one, whole processes: `mlops verify MODEL@ALIAS --level
refs` of the first alias, and `mlops register` of its only model, anew each time.
Exit codes: 0 all goals met, 1 one was missed, 2 there is no result because a tool failed.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measure import check, median, run

from mlops_cli.encode import canonical_json
from mlops_cli.ledger.append import open_ledger
from mlops_cli.registry import records
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git

GOALS = {  # s of CPU; times
    "in production": 0.25,
    "register": 0.3,
    "mlops register": 0.3,
    "mlops verify": 0.25,
    "mlflow": 6.0,
}
WHEN = datetime(2013, 2, 1, tzinfo=UTC)
MLFLOW_FILL = """
import sys
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
run = client.create_run(client.create_experiment("bench"))
client.create_registered_model("delay")
for n in range(int(sys.argv[1])):
    last = client.create_model_version("delay", "file:///nowhere", run.info.run_id)
client.set_registered_model_alias("delay", "production", last.version)
"""
MLFLOW_ASK = """
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
version = client.get_model_version_by_alias("delay", "production")
print(version.version, client.get_run(version.run_id).info.run_id)
"""


def filled(root: Path, count: int) -> Git:
    """Return a repository with `count` versions, packed, and an alias with three events."""
    git = _repository(root)
    head, stream = git.head().commit, []
    for n in range(1, count + 1):
        payload = _payload(n) | {"schema": "mlops.version/1", "model": "delay", "version": n}
        message = f"delay v{n}\n\n".encode() + canonical_json(payload) + b"\n"
        who = f"tagger Ada <ada@example.org> {int(WHEN.timestamp())} +0000"
        words = f"tag mlops/delay/v{n}\nfrom {head}\n{who}\ndata {len(message)}\n"
        stream.append(words.encode() + message)
    git.run("fast-import", "--quiet", input=b"".join(stream))
    git.run("pack-refs", "--all")
    registry = Registry(git)
    for n in (1, 2, count):
        registry.move("delay", "production", n, policy={}, evidence={}, actor=_me(git),
                      reason="it is good", time=WHEN)  # fmt: skip
    records.settle(registry, open_ledger(git), "delay")
    return git


def registered(git: Git, n: int) -> None:
    """Register one more, as `mlops register` does."""
    registry = Registry(git)
    registry.create("delay", _payload(n) | {"actor": _me(git)})
    records.settle(registry, open_ledger(git), "delay")


def gto_filled(root: Path, count: int) -> None:
    """Make what `gto register` and `gto assign` make, a commit for each version as GTO wants it."""
    git = _repository(root)
    former, stream = git.head().commit, []
    for n in range(1, count + 1):
        who = f"Ada <ada@example.org> {1359676800 + n} +0000"
        stream.append(
            f"commit refs/heads/main\nmark :{n}\ncommitter {who}\ndata 1\nx\nfrom {former}\n"
            f"tag delay@v0.0.{n}\nfrom :{n}\ntagger {who}\ndata 1\nx\n"
        )
        former = f":{n}"
    stream.append(f"tag delay#production#{count + 1}\nfrom {former}\ntagger {who}\ndata 1\nx\n")
    git.run("fast-import", "--quiet", "--force", input="".join(stream))
    git.run("pack-refs", "--all")


def in_project(given: Path, mlops: str, repeat: int, work: Path) -> dict[str, float]:
    """Return the CPU of verify and register in a copy of the project `given`."""
    shutil.copytree(given, work, symlinks=True)
    git = Git(work)
    tags = git.run("tag", "--list", "mlops/*").split()
    model, alias = next(tag.split("/")[1:3] for tag in tags if "/@" in tag)
    verify = [mlops, "verify", f"{model}{alias}", "--level", "refs"]
    run(verify, work)  # the index is made once
    verified = [run(verify, work) for _ in range(repeat)]
    registered = []
    made = [mlops, "register", "--json"]
    tag = json.loads(run(made, work).out)["data"]["tag"]
    for n in range(repeat):
        git.run("tag", "--delete", tag)
        Registry(git).create(model, _payload(10**9 + n))  # takes the number, whose record is there
        registered.append(run(made, work))
        told = json.loads(registered[-1].out)["data"]
        check(told["created"], "no version was made")
        tag = told["tag"]
    return {"mlops verify": median(verified, "cpu"), "mlops register": median(registered, "cpu")}


def cpu(work: Any, repeat: int) -> float:
    """Return the least CPU seconds of `work(n)`, of this process and those that it starts."""
    taken = []
    for n in range(repeat):
        before = _used()
        work(n)
        taken.append(_used() - before)
    return min(taken)


def _used() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _repository(root: Path) -> Git:
    git = Git.init(root)
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        git.run("config", name, value)
    (root / ".mlops").mkdir()
    (root / ".gitignore").write_text(".mlops/\n")
    git.run("add", "-A")
    git.run("commit", "-q", "-m", "begin")
    return git


def _payload(n: int) -> dict[str, Any]:
    inputs = [{"name": f"column_{i}", "dtype": "FP32", "kind": "float"} for i in range(20)]
    return {
        "digest": f"sha256:{n:064x}",
        "bundle": f"sha256:{n + 10**8:064x}",
        "run": f"sha256:{n + 10**9:064x}",
        "format": "onnx",
        "inputs": inputs,
        "metrics": {"roc_auc": 0.7},
        "created": "2013-02-01T00:00:00.000Z",
        "actor": "Ada <ada@example.org>",
    }


def _me(git: Git) -> str:
    return str(git.identity())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlflow", metavar="PYTHON")
    parser.add_argument("--gto", metavar="GTO")
    parser.add_argument("--project", type=Path, metavar="DIR")
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    mlops = str(Path(sys.executable).with_name("mlops"))
    ours = [mlops, "models", "show", "delay@production", "--json"]
    with tempfile.TemporaryDirectory(prefix="registry-") as name:
        base = Path(name)
        few, many = filled(base / "few", args.few), filled(base / "many", args.many)
        asked = [run(ours, many.root) for _ in range(args.repeat)]
        check(f'"version": {args.many}' in asked[0].out, "ours named another version")
        found: dict[str, float] = {
            "in production": median(asked, "cpu"),
            "register": cpu(lambda n: registered(many, 10**6 + n), args.repeat),
        }
        small: list[Any] = []
        theirs: dict[str, list[Any]] = {}
        commands: dict[str, tuple[list[str], Path]] = {}
        if args.mlflow:
            (base / "mlflow").mkdir()
            subprocess.run([args.mlflow, "-c", MLFLOW_FILL, str(args.few)], cwd=base / "mlflow",
                           check=True, capture_output=True)  # fmt: skip
            commands["mlflow"] = ([args.mlflow, "-c", MLFLOW_ASK], base / "mlflow")
        if args.gto:
            gto_filled(base / "gto", args.few)
            commands["gto"] = ([args.gto, "show", "delay#production"], base / "gto")
        for _ in range(args.repeat):  # in turn, so that all see the same machine
            small.append(run(ours, few.root))
            for tool, (command, folder) in commands.items():
                theirs.setdefault(tool, []).append(run(command, folder))
        if args.project:
            found |= in_project(args.project, mlops, args.repeat, base / "project")
        for tool, taken in theirs.items():
            found[tool] = median(taken, "cpu") / median(small, "cpu")
    missed = [
        goal
        for goal, bound in GOALS.items()
        if goal in found and (found[goal] < bound if goal == "mlflow" else found[goal] > bound)
    ]
    if args.json:
        print(json.dumps({"found": found, "missed": missed}))
    else:
        for what, value in found.items():
            unit = "times our CPU" if what in ("mlflow", "gto") else "s of CPU"
            print(f"{what:14} {value:8.3f} {unit}" + ("  missed" if what in missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as problem:
        print(f"no result: {problem}", file=sys.stderr)
        sys.exit(2)

"""The data plane at its full size beside DVC: a hundred thousand files, a gigabyte, S3, a million.

    python tests/benchmarks/data_plane.py --dvc PATH --work FOLDER [--only files,push,large,…]

FOLDER lies on the disk to measure; on a memory disk the goals are those of a memory disk. Whole
processes are timed from outside, both tools in the same run and in turn; a ratio is that of the
medians. S3 needs `dvc-s3` beside DVC, and rclone; the server is started here. What a tool was timed
for is checked afterwards. Exit codes as those of against_dvc.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limits import limits
from measure import Pairs, check, median, peak, run
from worlds import World, check_same, large, many, volume, with_remote, world

Row = dict[str, Any]
MEMORY = {"add": 15, "status": 9, "add after 10 changes": 12, "checkout": 13}
DISK = {"add": 4.5, "checkout": 3.5}


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to work, with which tools, how often."""

    work: Path
    tools: Mapping[str, str]
    repeat: int

    @property
    def in_memory(self) -> bool:
        """Tell whether `work` lies on a memory disk."""
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", self.work], capture_output=True, text=True, check=True
        )
        return kind.stdout.strip() in ("tmpfs", "ramfs")

    def worlds(self, name: str, attempt: int) -> list[World]:
        """Return a fresh repository for each tool, the one that goes first taking turns."""
        made = [
            world(self.work / name / str(attempt), tool, command)
            for tool, command in self.tools.items()
        ]
        return made if attempt % 2 else made[::-1]


class Times:
    """Runs by operation and tool."""

    def __init__(self) -> None:
        self.pairs: dict[str, Pairs] = {}

    def take(self, operation: str, one: World, *words: str) -> str:
        """Run the command, note what it took, and return what it printed."""
        taken = run(one.call(*words), one.root)
        pairs = self.pairs.setdefault(operation, Pairs())
        (pairs.ours if one.tool == "mlops" else pairs.theirs).append(taken)
        return taken.out

    def row(self, operation: str, what: str, *, goal: float | None = None) -> Row:
        """Return the figures; `goal` is how many times faster we want to be."""
        pairs = self.pairs[operation]
        return {
            "name": f"{operation} {what}",
            "mlops_s": round(median(pairs.ours), 3),
            "dvc_s": round(median(pairs.theirs), 3),
            "ratio": round(pairs.ratio(), 2),
            "goal": None if goal is None else f"{goal:g}x",
            "met": goal is None or pairs.ratio() >= goal,
        }


def files(bench: Bench) -> Iterator[Row]:
    """A hundred thousand files of 4 KiB: add, look, change ten, look, add again, check out."""
    times, source = Times(), bench.work / "source"
    many(source, files=100_000)
    for attempt in range(bench.repeat):
        for one in bench.worlds("files", attempt):
            data = one.root / "data" / "many"
            shutil.copytree(source, data)
            times.take("add", one, "add", "data/many")
            run(one.call("status"), one.root)  # what is remembered of young files is settled
            for _ in range(3):
                check(one.status_is_clean(times.take("status", one, "status")), one.tool)
            (one.root / "data/many").rename(one.root.with_name(f"{one.tool}-former"))
            times.take("checkout", one, "checkout")
            check_same(data, source)
            run(one.call("status"), one.root)
            for number in range(10):
                (data / f"{number:02d}" / f"{number:06d}.bin").write_bytes(os.urandom(4096))
            check(
                not one.status_is_clean(times.take("status after 10 changes", one, "status")),
                f"{one.tool} overlooked ten changes",
            )
            times.take("add after 10 changes", one, "add", "data/many")
        shutil.rmtree(bench.work / "files" / str(attempt))
    goals = MEMORY if bench.in_memory else DISK
    for operation in times.pairs:
        yield times.row(operation, "100k files", goal=goals.get(operation))
    looked, changed = (times.pairs[name] for name in ("status", "status after 10 changes"))
    yield _at_most("status 100k files, seconds", median(looked.ours), 0.8)
    more = median(changed.ours) - median(looked.ours)
    yield _at_most("status after 10 changes, seconds more", more, 0.05)
    one = world(bench.work / "memory", "mlops", bench.tools["mlops"])
    shutil.copytree(source, one.root / "data")
    yield _at_most("add 100k files, MiB", peak(one.call("add", "data"), one.root), 300)


def push(bench: Bench) -> Iterator[Row]:
    """Ten thousand files to a folder and from there."""
    times, source = Times(), bench.work / "source"
    many(source, files=10_000)
    for attempt in range(bench.repeat):
        for one in bench.worlds("push", attempt):
            _sent_and_fetched(times, one, source, with_remote)
    yield times.row("push", "10k files", goal=10)
    yield times.row("pull", "10k files", goal=8)


def gigabyte(bench: Bench) -> Iterator[Row]:
    """One file of 1 GiB of random bytes: add, check out, push, pull."""
    times, source = Times(), bench.work / "source"
    source.mkdir()
    large(source / "large.bin")
    for attempt in range(bench.repeat):
        for one in bench.worlds("large", attempt):
            _sent_and_fetched(times, one, source, with_remote)
        shutil.rmtree(bench.work / "large" / str(attempt))
    yield times.row("add", "1 GiB", goal=3.5)
    yield times.row("checkout", "1 GiB", goal=1.8)
    yield times.row("push", "1 GiB", goal=1 / 1.3)
    yield times.row("pull", "1 GiB", goal=1.2)


def _sent_and_fetched(
    times: Times, one: World, source: Path, connect: Callable[[World], None]
) -> None:
    """Add, check out, push, and pull into a fresh clone."""
    data = one.root / "data"
    shutil.copytree(source, data)
    connect(one)
    times.take("add", one, "add", "data")
    data.rename(one.root.with_name(f"{one.tool}-former"))
    times.take("checkout", one, "checkout")
    check_same(data, source)
    shutil.rmtree(one.root.with_name(f"{one.tool}-former"))
    times.take("push", one, "push")
    subprocess.run(["git", "add", "-A"], cwd=one.root, check=True)
    subprocess.run(["git", "commit", "-qm", "data"], cwd=one.root, check=True)
    clone = World(one.tool, one.command, one.root.with_name(f"{one.tool}-clone"))
    subprocess.run(["git", "clone", "-q", one.root, clone.root], check=True)
    for local in (".dvc/config.local", ".mlops/config.local.yaml"):
        if (one.root / local).exists():
            shutil.copy(one.root / local, clone.root / local)
    times.take("pull", clone, "pull")
    check_same(clone.root / "data", source)


def s3(bench: Bench) -> Iterator[Row]:
    """Three thousand files to and from a real S3 server on loopback."""
    times, source = Times(), bench.work / "source"
    many(source, files=3_000)
    with _server(bench.work) as endpoint:
        for attempt in range(bench.repeat):
            for one in bench.worlds("s3", attempt):
                url = f"s3://mlops/{one.tool}{attempt}"
                _sent_and_fetched(times, one, source, lambda one, url=url: _s3(one, url, endpoint))
                if one.tool == "mlops":
                    again = json.loads(run(one.call("push", "--json"), one.root).out)
        yield times.row("push", "3k files to S3", goal=20)
        yield times.row("pull", "3k files from S3", goal=10)
        yield _at_most("no-op push to S3, requests", again["data"]["requests"], 5)


def s3_large(bench: Bench) -> Iterator[Row]:
    """512 MiB to and from S3, beside rclone; the memory that it takes."""
    ours, theirs = Pairs(), Pairs()
    with _server(bench.work) as endpoint:
        for attempt in range(bench.repeat):
            one = world(bench.work / "s3" / str(attempt), "mlops", bench.tools["mlops"])
            large(one.root / "data.bin", mebibytes=512)
            run(one.call("add", "data.bin"), one.root)
            _s3(one, f"s3://mlops/large{attempt}", endpoint)
            place = f":s3,provider=Other,endpoint='{endpoint}',env_auth=true:mlops/rclone{attempt}"
            # the transport of rclone cannot take the certificates that the SDK finds there
            copy = ["env", "-u", "AWS_CA_BUNDLE", "rclone", "--config", "/dev/null", "copy"]
            ours.theirs.append(run([*copy, str(one.root / "data.bin"), place], one.root))
            ours.ours.append(run(one.call("push"), one.root))
            theirs.theirs.append(run([*copy, place, str(one.root / "copied")], one.root))
            shutil.move(one.root / ".mlops/cache", one.root / "former")
            (one.root / "data.bin").unlink()
            theirs.ours.append(run(one.call("pull"), one.root))
        for name, pairs in (("push", ours), ("pull", theirs)):
            yield {
                "name": f"{name} 512 MiB, S3, beside rclone",
                "mlops_s": round(median(pairs.ours), 3),
                "rclone_s": round(median(pairs.theirs), 3),
                "ratio": round(pairs.ratio(), 2),
                "goal": "1x",
                "met": pairs.ratio() >= 1,
            }
        one = world(bench.work / "s3" / "memory", "mlops", bench.tools["mlops"])
        large(one.root / "data.bin", mebibytes=512)
        run(one.call("add", "data.bin"), one.root)
        _s3(one, "s3://mlops/memory", endpoint)
        yield _at_most("push 512 MiB to S3, MiB", peak(one.call("push"), one.root), 150)
        shutil.rmtree(one.root / ".mlops/cache")
        (one.root / "data.bin").unlink()
        yield _at_most("pull 512 MiB from S3, MiB", peak(one.call("pull"), one.root), 150)


def million(bench: Bench) -> Iterator[Row]:
    """A million tiny files; nobody to compare with, so the goals are seconds and MiB."""
    one = world(bench.work / "million", "mlops", bench.tools["mlops"])
    for folder in range(1000):
        inner = one.root / "data" / f"{folder:03d}"
        inner.mkdir(parents=True)
        for number in range(1000):
            (inner / f"{number:03d}.txt").write_bytes(b"%d %d\n" % (folder, number))
    with_remote(one)
    yield _at_most("add 1M files, seconds", run(one.call("add", "data"), one.root).wall, 25)
    # else all of them are new to HEAD, and diff names each
    subprocess.run(["git", "add", "-A"], cwd=one.root, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "data"], cwd=one.root, check=True)
    run(one.call("status"), one.root)
    yield _at_most("status 1M files, seconds", run(one.call("status"), one.root).wall, 6)
    yield _at_most("status 1M files, MiB", peak(one.call("status"), one.root), 1024)
    (one.root / "data/000/000.txt").write_bytes(b"changed\n")
    yield _at_most("diff 1M files, seconds", run(one.call("diff"), one.root).wall, None)
    before = volume(one.root / ".mlops/cache/objects")
    yield _at_most("add 1M files again, seconds", run(one.call("add", "data"), one.root).wall, None)
    grown = volume(one.root / ".mlops/cache/objects") - before
    yield _at_most("one of 1M files changed, KiB of trees", grown / 1024, 500)
    yield _at_most("push 1M files, MiB", peak(one.call("push"), one.root), 1024)
    (one.root / "data").rename(one.root / "former")
    taken = run(one.call("checkout"), one.root)
    yield _at_most("checkout 1M files, seconds", taken.wall, None)


def physical(bench: Bench) -> Iterator[Row]:
    """What the disk and the processor can do at all, in the same run."""
    for name, seconds in limits(bench.work):
        yield _at_most(name, seconds, None)


def _at_most(name: str, value: float, goal: float | None) -> Row:
    return {
        "name": name,
        "value": round(value, 3),
        "goal": None if goal is None else f"<= {goal:g}",
        "met": goal is None or value <= goal,
    }


def _s3(one: World, url: str, endpoint: str) -> None:
    words = ("remote", "add", "r", url)
    if one.tool == "mlops":
        run(one.call(*words), one.root)
        run(one.call("config", "set", "remotes.r.endpoint", endpoint), one.root)
        run(one.call("config", "set", "remotes.r.region", "us-east-1"), one.root)
    else:
        run(one.call("remote", "add", "-d", "r", url), one.root)
        run(one.call("remote", "modify", "r", "endpointurl", endpoint), one.root)
        run(one.call("remote", "modify", "r", "region", "us-east-1"), one.root)


@contextlib.contextmanager
def _server(work: Path) -> Iterator[str]:
    """Start the S3 server of the tests; its keys go into our environment."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from s3server import juicefs

    (work / "server").mkdir()
    with juicefs(work / "server") as server:
        os.environ.update(server.env)
        yield server.endpoint


def _shown(row: Row) -> str:
    goal = f"goal {row['goal']}: {'met' if row['met'] else 'MISSED'}" if row["goal"] else ""
    if "ratio" not in row:
        return f"{row['name']:<40} {row['value']:10.3f}   {goal}"
    theirs = row.get("dvc_s", row.get("rclone_s"))
    return f"{row['name']:<40} {row['mlops_s']:8.3f} : {theirs:8.3f} s = {row['ratio']:6}   {goal}"


SCENARIOS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "files": files,
    "push": push,
    "large": gigabyte,
    "s3": s3,
    "s3-large": s3_large,
    "million": million,
    "limits": physical,
}


def main() -> int:
    """Run the chosen scenarios, print a line for each figure, and answer whether goals are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dvc", required=True, help="the dvc executable to run beside")
    parser.add_argument("--work", required=True, help="folder to work in, on the disk to measure")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(SCENARIOS))
    options = parser.parse_args()
    mlops = Path(sys.executable).absolute().with_name("mlops")
    met = True
    for name in options.only.split(","):
        work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=options.work))
        bench = Bench(work, {"mlops": str(mlops), "dvc": options.dvc}, options.repeat)
        for row in SCENARIOS[name](bench):
            print(_shown(row), flush=True)
            met = met and row["met"]
        shutil.rmtree(work)
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())

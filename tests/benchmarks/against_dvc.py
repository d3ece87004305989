"""mlops beside DVC on the same disk in the same run: seconds of both and their ratio.

    python tests/benchmarks/against_dvc.py [--dvc PATH] [--repeat N] [--only files,large] [--json]

Without --dvc it makes a virtual environment with DVC 3.67.1 in the folder it works in (--work, a
fresh temporary one by default: give a folder on the disk that matters; 10 GiB are needed). Whole
processes are timed from outside, in pairs, the one that goes first taking turns, after a `sync`;
the ratio is that of the medians. What a tool was timed for is checked afterwards. Exit codes: 0 all
goals met, 1 one was missed, 2 there is no result because a tool failed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measure import Pairs, Taken, check, median, peak, run
from worlds import FILES, SIZE, World, check_same, large, many, volume, with_remote, world

GOALS = {  # times faster by the clock
    "add 20k files": 4.0,
    "status 20k files": 8.0,
    "push 20k files": 5.0,
    "checkout 20k files": 3.5,
    "add 1 GiB": 2.5,
    "500 steps cold": 50.0,
}
STEPS, NO_OP_SECONDS, PEAK_MIB = 500, 0.4, 300
START = {"--version": 0.030, "--help": 0.100}  # seconds of CPU

Row = dict[str, Any]
Tools = dict[str, str]


def main() -> int:
    """Run the chosen scenarios, print a line for each figure, and answer whether goals are met."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="mlops-bench-")).absolute()
    work.mkdir(parents=True, exist_ok=True)
    tools = {"mlops": _mlops(), "dvc": options.dvc or _install_dvc(work / "dvc-venv")}
    wanted = options.only.split(",") if options.only else list(SCENARIOS)
    rows: list[Row] = []
    for name in wanted:
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=work))
        for row in SCENARIOS[name](place, tools, options.repeat):
            rows.append(row)
            print(_line(row), file=sys.stderr if options.json else sys.stdout, flush=True)
        if not options.keep:
            shutil.rmtree(place)
    if options.json:
        print(json.dumps(rows, indent=1))
    return int(not all(row["met"] for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dvc", help="the dvc executable to run beside")
    parser.add_argument("--work", help="folder to work in, on the disk to measure")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="", help="scenarios: " + ",".join(SCENARIOS))
    parser.add_argument("--keep", action="store_true", help="leave the folders for a look")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _mlops() -> str:
    beside = Path(sys.executable).parent / "mlops"
    found = str(beside) if beside.exists() else shutil.which("mlops")
    check(found is not None, "mlops is not installed")
    return str(found)


def _install_dvc(venv: Path) -> str:
    if not (venv / "bin/dvc").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "-q", "dvc==3.67.1"], check=True)
    return str(venv / "bin/dvc")


def _in_turn(attempt: int, worlds: dict[str, World]) -> list[World]:
    return [worlds[tool] for tool in (("mlops", "dvc") if attempt % 2 else ("dvc", "mlops"))]


def _note(pairs: Pairs, one: World, taken: Taken) -> None:
    (pairs.ours if one.tool == "mlops" else pairs.theirs).append(taken)


def _worlds(place: Path, tools: Tools, attempt: int) -> dict[str, World]:
    return {tool: world(place / str(attempt), tool, command) for tool, command in tools.items()}


def _files(place: Path, tools: Tools, repeat: int) -> Iterator[Row]:
    """Add, look at, push and check out 20,000 files; each operation by both tools in turn."""
    names = ("add", "status", "push", "checkout")
    pairs = {name: Pairs() for name in names}
    source = place / "source"
    many(source)
    for attempt in range(repeat):
        worlds = _worlds(place, tools, attempt)
        order = _in_turn(attempt, worlds)
        for one in order:
            shutil.copytree(source, one.root / "data" / "many")
            with_remote(one)
        for one in order:
            _note(pairs["add"], one, run(one.call("add", "data/many"), one.root))
        for one in order:  # what is remembered of young files is settled by a first look
            check(one.status_is_clean(run(one.call("status"), one.root).out), f"{one.tool} status")
        for one in order * 3:
            taken = run(one.call("status"), one.root)
            check(one.status_is_clean(taken.out), f"{one.tool} status")
            _note(pairs["status"], one, taken)
        for one in order:
            _note(pairs["push"], one, run(one.call("push"), one.root))
            check(volume(one.remote) >= FILES * SIZE, f"{one.tool} did not push everything")
        for one in order:
            # moved and not removed: ext4 is slow to give inodes that were freed a moment ago
            (one.root / "data" / "many").rename(one.root.with_name(f"{one.tool}-former"))
            _note(pairs["checkout"], one, run(one.call("checkout"), one.root))
            check_same(one.root / "data" / "many", source)
    for name in names:
        yield _ratio(f"{name} 20k files", pairs[name])


def _large(place: Path, tools: Tools, repeat: int) -> Iterator[Row]:
    """Add one file of 1 GiB, which both tools copy into their caches."""
    pairs = Pairs()
    for attempt in range(repeat):
        worlds = _worlds(place, tools, attempt)
        for one in worlds.values():
            large(one.root / "large.bin")
        for one in _in_turn(attempt, worlds):
            _note(pairs, one, run(one.call("add", "large.bin"), one.root))
            kept = volume(one.root / ".mlops") + volume(one.root / ".dvc")
            check(kept >= 1 << 30, f"{one.tool} did not keep the file")
        shutil.rmtree(place / str(attempt))
    yield _ratio("add 1 GiB", pairs)


def _steps(place: Path, tools: Tools, repeat: int) -> Iterator[Row]:
    """Run 500 trivial steps, then run them again; DVC takes minutes and is asked once."""
    cold, again = Pairs(), Pairs()
    for attempt in range(repeat):
        for tool, command in tools.items():
            if tool == "dvc" and attempt:
                continue
            one = world(place / str(attempt), tool, command)
            _write_steps(one)
            words = ("repro", "-q") if tool == "dvc" else ("run",)
            _note(cold, one, run(one.call(*words), one.root))
            made = {path: path.stat().st_mtime_ns for path in one.root.rglob("made-*.txt")}
            check(len(made) == STEPS, f"{tool} ran {len(made)} of {STEPS} steps")
            for _ in range(1 if tool == "dvc" else 3):
                _note(again, one, run(one.call(*words), one.root))
            check(all(path.stat().st_mtime_ns == was for path, was in made.items()), "ran again")
    yield _ratio("500 steps cold", cold)
    seconds = median(again.ours)
    yield _ratio("500 steps no-op", again) | {
        "goal": f"{NO_OP_SECONDS} s",
        "met": seconds <= NO_OP_SECONDS,
    }


def _write_steps(one: World) -> None:
    if one.tool == "dvc":
        head, form = "stages:\n", "  s{n}:\n    cmd: echo {n} > {out}\n    outs: [{out}]\n"
        file, folder = "dvc.yaml", ""
    else:
        head = "version: 1\nproject: {name: bench}\nsteps:\n"
        form = "  s{n}: {{cmd: 'echo {n} > {out}', outs: [{out}]}}\n"
        file, folder = "pipeline.yaml", "out/"
    steps = [form.format(n=n, out=f"{folder}made-{n}.txt") for n in range(STEPS)]
    (one.root / file).write_text(head + "".join(steps))


def _start(place: Path, tools: Tools, repeat: int) -> Iterator[Row]:
    """Answer --version and --help."""
    for flag, limit in START.items():
        pairs = Pairs()
        for _ in range(3 * repeat):
            pairs.ours.append(run([tools["mlops"], flag], place))
            pairs.theirs.append(run([tools["dvc"], flag], place))
        met = median(pairs.ours, "cpu") <= limit
        yield _ratio(flag, pairs) | {"goal": f"{limit * 1000:.0f} ms CPU", "met": met}


def _memory(place: Path, tools: Tools, repeat: int) -> Iterator[Row]:
    """Add 100,000 files and look at the memory of all processes together."""
    one = world(place, "mlops", tools["mlops"])
    many(one.root / "data" / "many", files=100_000)
    most = peak(one.call("add", "data/many"), one.root)
    yield {
        "name": "add 100k files, memory",
        "mlops_mib": round(most),
        "goal": f"{PEAK_MIB} MiB",
        "met": most <= PEAK_MIB,
    }


def _ratio(name: str, pairs: Pairs) -> Row:
    goal = GOALS.get(name)
    low, high = pairs.spread()
    return {
        "name": name,
        "mlops_s": round(median(pairs.ours), 3),
        "dvc_s": round(median(pairs.theirs), 3),
        "ratio": round(pairs.ratio(), 1),
        "pairs": [round(low, 1), round(high, 1)],
        "mlops_cpu_s": round(median(pairs.ours, "cpu"), 3),
        "dvc_cpu_s": round(median(pairs.theirs, "cpu"), 3),
        "cpu_ratio": round(pairs.ratio("cpu"), 1),
        "runs": [len(pairs.ours), len(pairs.theirs)],
        "goal": None if goal is None else f"{goal:g}x",
        "met": goal is None or pairs.ratio() >= goal,
    }


def _line(row: Row) -> str:
    mark = f"goal {row['goal']}: {'met' if row['met'] else 'MISSED'}"
    if "ratio" not in row:
        return f"{row['name']:<23} mlops {row['mlops_mib']} MiB   {mark}"
    low, high = row["pairs"]
    return (
        f"{row['name']:<19} wall {row['mlops_s']:7.3f} : {row['dvc_s']:8.3f} s = {row['ratio']:5}"
        f" ({low}-{high})   CPU {row['mlops_cpu_s']:6.3f} : {row['dvc_cpu_s']:8.3f} s"
        f" = {row['cpu_ratio']:5}   {mark}"
    )


SCENARIOS: dict[str, Callable[[Path, Tools, int], Iterator[Row]]] = {
    "start": _start,
    "files": _files,
    "large": _large,
    "memory": _memory,
    "steps": _steps,
}

if __name__ == "__main__":
    sys.exit(main())

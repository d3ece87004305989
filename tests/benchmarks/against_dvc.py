"""mlops beside DVC on the same disk in the same run: seconds of both and their ratio.

    python tests/benchmarks/against_dvc.py [--dvc PATH] [--repeat N] [--only add,status] [--json]

Without --dvc it makes a virtual environment with DVC 3.67.1 in the folder it works in (--work,
a fresh temporary one by default: give a folder on the disk that matters). Each figure is the
median of --repeat runs of both tools in turn, whole processes timed from outside.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

GOALS = {
    "add 20k files": 4.0,
    "status no-op 20k files": 8.0,
    "checkout 20k files": 3.5,
    "push 20k files": 5.0,
    "add 1 GiB": 2.5,
    "500 steps cold": 50.0,
}
FILES, SIZE, STEPS = 20_000, 4096, 500


def main() -> int:
    """Run the chosen scenarios and print a table; exit 1 when a goal is missed."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="mlops-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    dvc = options.dvc or _install_dvc(work / "dvc-venv")
    tools = {"mlops": _mlops(), "dvc": dvc}
    rows: list[dict[str, object]] = []
    wanted = set(options.only.split(",")) if options.only else set()
    for name, scenario in SCENARIOS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        rows += scenario(work, tools, options.repeat)
        for row in rows[-3:]:
            if row["name"].startswith(name.split()[0]):  # type: ignore[attr-defined]
                print(_line(row), file=sys.stderr)
    if not options.keep and not options.work:
        shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(rows, indent=1) if options.json else "\n".join(map(_line, rows)))
    return int(any(row["met"] is False for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dvc", help="the dvc executable to run beside")
    parser.add_argument("--work", help="folder to work in, on the disk to measure")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="", help="words, comma separated, of scenario names")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _mlops() -> str:
    beside = Path(sys.executable).parent / "mlops"
    return str(beside) if beside.exists() else str(shutil.which("mlops"))


def _install_dvc(venv: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin/pip", "install", "-q", "dvc==3.67.1"], check=True)
    return str(venv / "bin/dvc")


def _timed(command: list[str], cwd: Path) -> float:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "CI": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(
            f"{' '.join(command)} failed in {cwd}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return seconds


def _project(folder: Path, tool: str, command: str) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for words in ("init -q", "config user.name Bench", "config user.email bench@example.com"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    if tool == "dvc":
        _timed([command, "init", "-q"], folder)
    else:
        _timed([command, "init", "--template", "minimal", "--name", "bench"], folder)
    return folder


def _many_files(folder: Path, files: int = FILES) -> None:
    for number in range(files):
        path = folder / f"{number % 100:02d}" / f"{number:06d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SIZE))


def _row(name: str, ours: list[float], theirs: list[float]) -> dict[str, object]:
    mine, other = statistics.median(ours), statistics.median(theirs)
    goal = GOALS.get(name)
    ratio = other / mine
    return {
        "name": name,
        "mlops_s": round(mine, 3),
        "dvc_s": round(other, 3),
        "ratio": round(ratio, 1),
        "goal": goal,
        "met": None if goal is None else ratio >= goal,
    }


def _line(row: dict[str, object]) -> str:
    mark = {True: "met", False: "MISSED", None: ""}[row["met"]]  # type: ignore[index]
    return (
        f"{row['name']:<26} mlops {row['mlops_s']:>8} s   dvc {row['dvc_s']:>8} s   "
        f"ratio {row['ratio']:>6}   goal {row['goal'] or '-'} {mark}"
    )


def _files(work: Path, tools: dict[str, str], repeat: int) -> list[dict[str, object]]:
    seconds: dict[str, dict[str, list[float]]] = {
        name: {"mlops": [], "dvc": []} for name in ("add", "status", "checkout", "push")
    }
    source = work / "source"
    shutil.rmtree(source, ignore_errors=True)
    _many_files(source)
    for _ in range(repeat):
        for tool, command in tools.items():
            project = _project(work / f"files-{tool}", tool, command)
            shutil.copytree(source, project / "data" / "many")
            remote = work / f"remote-{tool}"
            shutil.rmtree(remote, ignore_errors=True)
            remote.mkdir()
            os.sync()
            note = seconds
            note["add"][tool].append(_timed([command, "add", "data/many"], project))
            if tool == "dvc":
                _timed([command, "remote", "add", "-d", "r", str(remote)], project)
            else:
                _timed([command, "remote", "add", "r", f"file://{remote}"], project)
            status = [command, "status"]
            _timed(status, project)
            note["status"][tool].append(_timed(status, project))
            note["push"][tool].append(_timed([command, "push"], project))
            shutil.rmtree(project / "data" / "many")
            os.sync()
            back = [command, "checkout"] if tool == "dvc" else [command, "checkout", "data/many"]
            note["checkout"][tool].append(_timed(back, project))
            assert len(list((project / "data" / "many").rglob("*.bin"))) == FILES
    return [
        _row("add 20k files", **_pair(seconds["add"])),
        _row("status no-op 20k files", **_pair(seconds["status"])),
        _row("checkout 20k files", **_pair(seconds["checkout"])),
        _row("push 20k files", **_pair(seconds["push"])),
    ]


def _pair(seconds: dict[str, list[float]]) -> dict[str, list[float]]:
    return {"ours": seconds["mlops"], "theirs": seconds["dvc"]}


def _large(work: Path, tools: dict[str, str], repeat: int) -> list[dict[str, object]]:
    seconds: dict[str, list[float]] = {"mlops": [], "dvc": []}
    for _ in range(repeat):
        for tool, command in tools.items():
            project = _project(work / f"large-{tool}", tool, command)
            with (project / "large.bin").open("wb") as handle:
                for _ in range(64):
                    handle.write(os.urandom(1 << 24))
            os.sync()
            seconds[tool].append(_timed([command, "add", "large.bin"], project))
            shutil.rmtree(project)
    return [_row("add 1 GiB", **_pair(seconds))]


def _steps(work: Path, tools: dict[str, str], repeat: int) -> list[dict[str, object]]:
    cold: dict[str, list[float]] = {"mlops": [], "dvc": []}
    noop: dict[str, list[float]] = {"mlops": [], "dvc": []}
    for attempt in range(repeat):
        for tool, command in tools.items():
            if tool == "dvc" and attempt:
                continue  # minutes a run; once is enough for a ratio of this size
            project = _project(work / f"steps-{tool}", tool, command)
            if tool == "dvc":
                stages = "".join(
                    f"  s{n}:\n    cmd: echo {n} > s{n}.txt\n    outs: [s{n}.txt]\n"
                    for n in range(STEPS)
                )
                (project / "dvc.yaml").write_text(f"stages:\n{stages}")
                run = [command, "repro", "-q"]
            else:
                steps = "".join(
                    f"  s{n}: {{cmd: 'echo {n} > out/s{n}.txt', outs: [out/s{n}.txt]}}\n"
                    for n in range(STEPS)
                )
                (project / "pipeline.yaml").write_text(
                    f"version: 1\nproject: {{name: bench}}\nsteps:\n{steps}"
                )
                run = [command, "run"]
            cold[tool].append(_timed(run, project))
            noop[tool].append(_timed(run, project))
    return [_row("500 steps cold", **_pair(cold)), _row("500 steps no-op", **_pair(noop))]


def _startup(work: Path, tools: dict[str, str], repeat: int) -> list[dict[str, object]]:
    rows = []
    for flag, limit in (("--version", 30), ("--help", 100)):
        best = {
            tool: [_cpu([command, flag], work) for _ in range(5)] for tool, command in tools.items()
        }
        row = _row(flag, best["mlops"], best["dvc"])
        row["met"] = statistics.median(best["mlops"]) * 1000 <= limit
        row["goal"] = f"{limit} ms CPU"
        rows.append(row)
    return rows


def _cpu(command: list[str], cwd: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def _memory(work: Path, tools: dict[str, str], repeat: int) -> list[dict[str, object]]:
    rows: dict[str, list[float]] = {}
    for tool in ("mlops",):
        project = _project(work / f"memory-{tool}", tool, tools[tool])
        _many_files(project / "data" / "many", files=100_000)
        child = subprocess.Popen(
            [tools[tool], "add", "data/many"], cwd=project, stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0
        rows[tool] = [usage.ru_maxrss / 1024]
    return [
        {
            "name": "peak MB adding 100k files",
            "mlops_s": round(rows["mlops"][0]),
            "dvc_s": 0,
            "ratio": 0,
            "goal": "300 MB",
            "met": rows["mlops"][0] <= 300,
        }
    ]


Scenario = Callable[[Path, dict[str, str], int], list[dict[str, object]]]
SCENARIOS: dict[str, Scenario] = {
    "startup": _startup,
    "files": _files,
    "large": _large,
    "memory": _memory,
    "steps": _steps,
}

if __name__ == "__main__":
    sys.exit(main())

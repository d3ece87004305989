"""Steps that do next to nothing: mlops beside make, and beside luigi, snakemake and DVC by a flag.

    python tests/benchmarks/steps.py [--with luigi=PATH --with snakemake=PATH --with dvc=PATH]
                                     [--repeat N] [--by cpu] [--json]

PATH is the executable of a tool that is installed elsewhere. Whole processes are timed from
outside, the tools in turn. Goals are judged by the clock of a quiet machine with two processors; on
a busy one `--by cpu` judges the seconds of all processes together, which is stricter. Exit codes:
0 all goals met, 1 one was missed, 2 there is no result because a tool failed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measure import Taken, check, median, run

STEPS, MANY = 500, 10_000
GOALS = {  # seconds
    "cold": 0.004 * STEPS,
    "no-op": 0.3,
    "restore": 0.6,
    "many no-op": 2.5,
}
MAKES = 6.0  # times make that a cold run may take

LUIGI = """
import os, luigi
class Make(luigi.Task):
    n = luigi.IntParameter()
    def output(self): return luigi.LocalTarget(f"out/{self.n}.txt")
    def run(self): os.system(f"echo {self.n} > out/{self.n}.txt")
class Every(luigi.WrapperTask):
    def requires(self): return [Make(n=n) for n in range(%d)]
"""
SNAKEMAKE = """
rule all:
    input: [f"out/{n}.txt" for n in range(%d)]
rule make:
    output: "out/{n}.txt"
    shell: "echo {wildcards.n} > {output}"
"""
WORDS = {
    "mlops": ("run",),
    "make": ("-s", "-j2"),
    "luigi": ("--module", "tasks", "Every", "--local-scheduler", "--workers", "2",
              "--log-level", "ERROR"),
    "snakemake": ("--cores", "2", "--quiet", "all"),
    "dvc": ("repro", "-q"),
}  # fmt: skip


def main() -> int:
    """Measure, print a line for each figure, and answer whether all goals are met."""
    options = _options()
    tools = {"mlops": _found("mlops"), "make": _found("make")}
    tools |= dict(one.split("=", 1) for one in options.beside)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="mlops-steps-") as work:
        taken = _few(Path(work), tools, options.repeat)
        taken |= _many(Path(work) / "many", tools["mlops"], options.repeat)
    makes = median(taken["cold", "make"], options.by)
    for (what, tool), times in taken.items():
        row: dict[str, Any] = {
            "what": what,
            "tool": tool,
            "wall_s": round(median(times), 3),
            "cpu_s": round(median(times, "cpu"), 3),
            "times_make": round(median(times, options.by) / makes, 1) if what == "cold" else None,
        }
        if tool == "mlops" and what in GOALS:
            met = median(times, options.by) <= GOALS[what]
            row |= {"goal_s": GOALS[what], "met": met and (row["times_make"] or 0) <= MAKES}
        rows.append(row)
        print(_line(row), file=sys.stderr if options.json else sys.stdout, flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return int(not all(row.get("met", True) for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--with", dest="beside", action="append", default=[], metavar="TOOL=PATH")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--by", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _found(tool: str) -> str:
    beside = Path(sys.executable).parent / tool
    found = str(beside) if beside.exists() else shutil.which(tool)
    check(found is not None, f"{tool} is not installed")
    return str(found)


def _few(work: Path, tools: dict[str, str], repeat: int) -> dict[tuple[str, str], list[Taken]]:
    taken: dict[tuple[str, str], list[Taken]] = {}

    def note(what: str, tool: str, words: Sequence[str], root: Path) -> None:
        call = ["env", "PYTHONPATH=.", tools[tool], *words]  # where luigi looks for its tasks
        taken.setdefault((what, tool), []).append(run(call, root))
        made = len(list((root / "out").glob("*.txt")))
        check(made == STEPS, f"{tool} made {made} of {STEPS}")

    for attempt in range(repeat):
        for tool in tools if attempt % 2 else reversed(tools):
            if tool == "dvc" and attempt:
                continue  # it takes minutes
            root = _world(work / f"{tool}-{attempt}", tool, STEPS, tools[tool])
            note("cold", tool, WORDS[tool], root)
            note("no-op", tool, WORDS[tool], root)
            if tool == "mlops":
                shutil.rmtree(root / "out")
                note("restore", tool, WORDS[tool], root)
            shutil.rmtree(root)
    return taken


def _many(root: Path, mlops: str, repeat: int) -> dict[tuple[str, str], list[Taken]]:
    _world(root, "mlops", MANY)
    first = run([mlops, "run", "-j4"], root)
    text = (root / "pipeline.yaml").read_text()
    again = [run([mlops, "run"], root) for _ in range(repeat)]
    (root / "pipeline.yaml").write_text(text.replace("echo 7 >", "echo 7.0 >"))
    run([mlops, "dag", "--json"], root)  # the changed pipeline.yaml is parsed here, not below
    one = run([mlops, "run", "s7", "--no-commit"], root)
    return {("many cold", "mlops"): [first], ("many no-op", "mlops"): again,
            ("one of many", "mlops"): [one]}  # fmt: skip


def _world(root: Path, tool: str, steps: int, command: str = "") -> Path:
    (root / "out").mkdir(parents=True)
    if tool in ("mlops", "dvc"):
        for words in (
            ("init", "-q"),
            ("config", "user.name", "Ada"),
            ("config", "user.email", "a@b"),
        ):
            subprocess.run(["git", *words], cwd=root, check=True)
        (root / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\n")
    if tool == "mlops":
        form = "  s{n}: {{cmd: 'echo {n} > out/{n}.txt', outs: [out/{n}.txt]}}\n"
        text = "version: 1\nproject: {name: bench}\nsteps:\n"
        text += "".join(form.format(n=n) for n in range(steps))
        (root / "pipeline.yaml").write_text(text)
        subprocess.run(["git", "add", "-A"], cwd=root, check=True)
        subprocess.run(["git", "commit", "-qm", "begin"], cwd=root, check=True)
    elif tool == "dvc":
        form = "  s{n}:\n    cmd: echo {n} > out/{n}.txt\n    outs: [out/{n}.txt]\n"
        text = "stages:\n" + "".join(form.format(n=n) for n in range(steps))
        (root / "dvc.yaml").write_text(text)
        subprocess.run([command, "init", "-q"], cwd=root, check=True)
    elif tool == "make":
        rules = "".join(f"out/{n}.txt:\n\techo {n} > out/{n}.txt\n" for n in range(steps))
        every = " ".join(f"out/{n}.txt" for n in range(steps))
        (root / "Makefile").write_text(f"all: {every}\n{rules}")
    elif tool == "luigi":
        (root / "tasks.py").write_text(LUIGI % steps)
    else:
        (root / "Snakefile").write_text(SNAKEMAKE % steps)
    return root


def _line(row: dict[str, Any]) -> str:
    words = f"{row['what']:<12} {row['tool']:<10} "
    words += f"wall {row['wall_s']:8.3f} s   CPU {row['cpu_s']:8.3f} s"
    if row["times_make"]:
        words += f"   {row['times_make']:6.1f} x make"
    if "met" in row:
        words += f"   goal {row['goal_s']:g} s: {'met' if row['met'] else 'MISSED'}"
    return words


if __name__ == "__main__":
    sys.exit(main())

"""What the second version of a table of 1 GiB costs where it is kept, beside the tools people use.

    python tests/benchmarks/versions.py --work FOLDER [--dvc PATH] [--mebibytes 1024]

The table is a CSV of random digits; 1 % of its rows are appended, or inserted in the middle. The
figure is by how much the remote grows, in per cent of the table. git-lfs, git-annex, restic and
borg are asked where they are installed. Exit code 1 when ours is above 1.5 %.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from worlds import volume

GOAL = 1.5  # per cent
ROW_BLOCK = 4096


def main() -> int:
    """Print a line for each tool and each kind of change."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", required=True)
    parser.add_argument("--dvc", default=shutil.which("dvc"))
    parser.add_argument("--mebibytes", type=int, default=1024)
    options = parser.parse_args()
    met = True
    for change in ("appended", "inserted"):
        for name, tool in _tools(options.dvc).items():
            place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=options.work))
            grown = _grown(tool, place, change, options.mebibytes << 20)
            goal = f"goal <= {GOAL} %" if name.startswith("mlops") else ""
            print(f"1 % {change:<9} {name:<12} {grown:8.2f} %   {goal}", flush=True)
            met = met and (not goal or grown <= GOAL)
            subprocess.run(["chmod", "-R", "u+w", place], check=True)
            shutil.rmtree(place)
    return int(not met)


Tool = Callable[[Path], Callable[[], Path]]  # given a repository: keep its table; where is it kept


def _grown(tool: Tool, place: Path, change: str, size: int) -> float:
    root = place / "root"
    root.mkdir()
    _call(root, "git", "init", "-q")
    table = root / "table.csv"
    rows = _rows(random.Random(1), size)
    table.write_bytes(b"".join(rows))
    keep = tool(root)
    before = volume(keep())
    more = _rows(random.Random(2), size // 100)
    middle = len(rows) if change == "appended" else len(rows) // 2
    table.unlink()  # whatever a tool linked it to stays as it was
    table.write_bytes(b"".join(rows[:middle] + more + rows[middle:]))
    return 100 * (volume(keep()) - before) / size


def _rows(chance: random.Random, size: int) -> list[bytes]:
    """Return rows of digits, in blocks, of about `size` bytes."""
    blocks = []
    while size > 0:
        digits = chance.randbytes(ROW_BLOCK).hex()
        block = "\n".join(digits[at : at + 60] for at in range(0, len(digits), 60)).encode() + b"\n"
        blocks.append(block)
        size -= len(block)
    return blocks


def _tools(dvc: str | None) -> dict[str, Tool]:
    found: dict[str, Tool] = {"mlops": _mlops(), "mlops zstd": _mlops("zstd")}
    if dvc:
        found["dvc"] = lambda root: _dvc(root, dvc)
    for name, tool in {
        "git-lfs": _lfs,
        "git-annex": _annex,
        "restic": _restic,
        "borg": _borg,
    }.items():
        if shutil.which(name):
            found[name] = tool
        else:
            print(f"{name} is not installed and was not asked", file=sys.stderr)
    return found


def _mlops(compress: str | None = None) -> Tool:
    command = str(Path(sys.executable).absolute().with_name("mlops"))

    def prepared(root: Path) -> Callable[[], Path]:
        remote = root.with_name("remote")
        remote.mkdir()
        _call(root, command, "remote", "add", "r", f"file://{remote}")
        if compress:
            _call(root, command, "config", "set", "remotes.r.compress", compress)

        def keep() -> Path:
            _call(root, command, "add", "table.csv")
            _call(root, command, "push")
            return remote

        return keep

    return prepared


def _dvc(root: Path, command: str) -> Callable[[], Path]:
    remote = root.with_name("remote")
    _call(root, command, "init", "-q")
    _call(root, command, "remote", "add", "-d", "r", str(remote))

    def keep() -> Path:
        _call(root, command, "add", "-q", "table.csv")
        _call(root, command, "push", "-q")
        return remote

    return keep


def _lfs(root: Path) -> Callable[[], Path]:
    _call(root, "git", "lfs", "install", "--local")
    _call(root, "git", "lfs", "track", "*.csv")

    def keep() -> Path:
        _commit(root)
        return root / ".git/lfs"

    return keep


def _annex(root: Path) -> Callable[[], Path]:
    _call(root, "git", "annex", "init", "bench")

    def keep() -> Path:
        _call(root, "git", "annex", "add", "table.csv")
        _commit(root)
        return root / ".git/annex/objects"

    return keep


def _restic(root: Path) -> Callable[[], Path]:
    remote = root.with_name("remote")
    words = ("restic", "-q", "-r", str(remote))
    _call(root, *words, "init")

    def keep() -> Path:
        _call(root, *words, "backup", "table.csv")
        return remote

    return keep


def _borg(root: Path) -> Callable[[], Path]:
    remote = root.with_name("remote")
    _call(root, "borg", "init", "-e", "none", str(remote))
    numbers = iter(range(10))

    def keep() -> Path:
        _call(root, "borg", "create", f"{remote}::{next(numbers)}", "table.csv")
        return remote

    return keep


def _commit(root: Path) -> None:
    _call(root, "git", "add", "-A")
    _call(root, "git", "-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-qm", "x")


def _call(root: Path, *words: str) -> None:
    secret = {"RESTIC_PASSWORD": "bench", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    home = {"DVC_NO_ANALYTICS": "1", "HOME": str(root.parent)}
    names = {"GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@example.com"}
    who = names | {key.replace("AUTHOR", "COMMITTER"): value for key, value in names.items()}
    subprocess.run(
        words, cwd=root, env=os.environ | secret | home | who, check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    sys.exit(main())

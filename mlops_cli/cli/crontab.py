"""The line for a project in the crontab of this user; all other lines are somebody else's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from mlops_cli.cli.timers import Every, call, command, refused
from mlops_cli.errors import StateRefused

LOG = ".mlops/tick.log"


def line_for(root: Path, how: Every, options: Sequence[str]) -> str:
    """Return the line for the project at `root`. Raises StateRefused where no line can hold it."""
    if re.search(r"[\n\r\0]", str(root)):
        raise StateRefused(
            f"a crontab cannot hold the path {str(root)!r}",
            code="bad-path",
            hint="give the folder a name without line ends",
        )
    words = f"cd {shlex.quote(str(root))} && mkdir -p .mlops && {shlex.join(command(options))}"
    words += f" >>{LOG} 2>&1"
    return f"{how.cron} {words} {_mark(root)}".replace("%", r"\%")


def read() -> str:
    """Return the crontab of this user, "" where there is none."""
    done = call("crontab", "-l")
    if done.returncode == 0:
        return done.stdout
    if "no crontab" in done.stderr.lower():
        return ""
    raise refused("crontab -l", done)


def write(text: str) -> None:
    """Make `text` the crontab of this user."""
    done = call("crontab", "-", input=text)
    if done.returncode != 0:
        raise refused("crontab -", done)


def with_line(crontab: str, root: Path, line: str | None) -> str:
    """Return `crontab` with `line` for the project at `root`, or without any; no other line is
    touched."""
    mark = _mark(root).replace("%", r"\%")
    rows = crontab.splitlines(keepends=True)
    kept = [row for row in rows if not row.rstrip("\n").endswith(mark)]
    if line is None:
        return "".join(kept)
    place = next((n for n, row in enumerate(rows) if row not in kept), len(kept))
    if kept and not kept[-1].endswith("\n"):
        kept[-1] += "\n"
    return "".join([*kept[:place], f"{line}\n", *kept[place:]])


def lines_of(crontab: str, root: Path) -> list[str]:
    """Return the lines of `crontab` that are those of the project at `root`."""
    mark = _mark(root).replace("%", r"\%")
    return [row for row in crontab.splitlines() if row.endswith(mark)]


def _mark(root: Path) -> str:
    return f"# mlops: {root}"

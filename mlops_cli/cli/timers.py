"""How often `mlops tick` is called, by which words, and through which programs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import quantities
from mlops_cli.errors import OutsideWorld, UsageError


@dataclass(frozen=True, slots=True)
class Every:
    """How often, in the words of cron and of systemd."""

    cron: str
    calendar: str


def every(words: str, root: Path) -> Every:
    """Return how often `words` ("15m", "2h", "1d") means. The minute of what comes once an hour
    or less follows from `root`, so that not all the world ticks at the full hour.

    Raises UsageError ("bad-value") for what does not divide an hour or a day.
    """
    at = int.from_bytes(hashlib.sha256(os.fsencode(root)).digest()[:2]) % 60
    try:
        minutes, rest = divmod(quantities.duration(words), 60)
    except ValueError:
        minutes, rest = 0, 1
    hours = minutes // 60
    if rest == 0 and 0 < minutes < 60 and 60 % minutes == 0:
        part = "*" if minutes == 1 else f"*/{minutes}"
        return Every(f"{part} * * * *", f"*-*-* *:00/{minutes}:00")
    if rest == 0 and minutes == hours * 60 and 0 < hours < 24 and 24 % hours == 0:
        part = "*" if hours == 1 else f"*/{hours}"
        return Every(f"{at} {part} * * *", f"*-*-* 00/{hours}:{at:02}:00")
    if rest == 0 and hours == 24:
        return Every(f"{at} 3 * * *", f"*-*-* 03:{at:02}:00")
    raise UsageError(
        f"{words!r} divides neither an hour nor a day",
        code="bad-value",
        hint="--every 15m, or 1m, 5m, 30m, 1h, 6h, 1d",
    )


def command(options: Sequence[str]) -> list[str]:
    """Return the words of the tick; cron and systemd know no virtual environment."""
    script = Path(sys.executable).with_name("mlops")
    return [str(script) if script.exists() else "mlops", "tick", "--quiet", *options]


def available(program: str) -> bool:
    """Return whether `program` is on the PATH."""
    return shutil.which(program) is not None


def call(*words: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            input=input,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",  # what others wrote goes back byte for byte
            check=False,
        )
    except FileNotFoundError as exc:
        other = "--systemd" if words[0] == "crontab" else "--cron"
        raise OutsideWorld(
            f"there is no program {words[0]} here",
            code="program-missing",
            hint=f"install it, or mlops schedule install {other}",
        ) from exc


def refused(what: str, done: subprocess.CompletedProcess[str]) -> OutsideWorld:
    said = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
    return OutsideWorld(
        f"{what} failed: {said.splitlines()[-1]}",
        code="schedule-refused",
        hint="run it by hand to see all that it says",
        details={"stderr": done.stderr[-2000:]},
    )

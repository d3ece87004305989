"""The timer for a project under systemd of this user."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.cli.timers import Every, call, command, refused
from mlops_cli.fsio import write_atomic


@dataclass(frozen=True, slots=True)
class Unit:
    """The two files of a timer of systemd."""

    name: str
    folder: Path
    service: str
    timer: str

    @property
    def paths(self) -> tuple[Path, Path]:
        """The service and the timer."""
        return self.folder / f"{self.name}.service", self.folder / f"{self.name}.timer"


def unit(root: Path, how: Every, options: Sequence[str], *, home: Path, config: str | None) -> Unit:
    """Return the timer for the project at `root`; `config` is XDG_CONFIG_HOME."""
    short = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", root.name).strip("-") or "project"
    folder = Path(config or home / ".config") / "systemd/user"
    words = " ".join(_systemd(word) for word in command(options))
    service = (
        f"[Unit]\nDescription=mlops tick in {_plain(str(root))}\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory={_plain(str(root))}\nExecStart={words}\n"
    )
    timer = (
        f"[Unit]\nDescription=mlops tick in {_plain(str(root))}\n\n"
        f"[Timer]\nOnCalendar={how.calendar}\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return Unit(f"mlops-{slug}-{short}", folder, service, timer)


def installed(timer: Unit) -> bool:
    """Return whether both files are there as they should be."""
    texts = zip(timer.paths, (timer.service, timer.timer), strict=True)
    return all(path.is_file() and path.read_bytes() == os.fsencode(text) for path, text in texts)


def install(timer: Unit) -> None:
    """Write and start the timer; where systemd refuses it, the files are as they were."""
    _systemctl("--version")  # nothing is written for a systemd that is not there
    former = [path.read_bytes() if path.is_file() else None for path in timer.paths]
    try:
        for path, text in zip(timer.paths, (timer.service, timer.timer), strict=True):
            write_atomic(path, os.fsencode(text))
        _systemctl("daemon-reload")
        _systemctl("enable", "--now", timer.paths[1].name)
    except BaseException:
        for path, data in zip(timer.paths, former, strict=True):
            if data is None:
                path.unlink(missing_ok=True)
            else:
                write_atomic(path, data)
        raise


def remove(timer: Unit) -> list[Path]:
    """Stop the timer and delete its files; return those that were there."""
    there = [path for path in timer.paths if path.is_file()]
    if there:
        _systemctl("disable", "--now", timer.paths[1].name)
        for path in there:
            path.unlink()
        _systemctl("daemon-reload")
    return there


def _systemctl(*words: str) -> None:
    done = call("systemctl", "--user", *words)
    if done.returncode != 0:
        raise refused(f"systemctl --user {' '.join(words)}", done)


def _plain(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")


def _systemd(word: str) -> str:
    word = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:=@%$+-]+", word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'

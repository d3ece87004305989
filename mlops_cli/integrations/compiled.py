"""Compiled files: a header that says from what each was made, and whether that still holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlops_cli import fsio
from mlops_cli.errors import StateRefused
from mlops_cli.integrations.flow import Exporter, Plan

State = Literal["fresh", "new", "changed", "edited", "gone", "foreign"]
WORDS: dict[State, str] = {
    "fresh": "is what the pipeline says",
    "new": "is not there",
    "changed": "is of what the pipeline said before",
    "edited": "was edited, or written by another version of mlops",
    "gone": "is of what the pipeline no longer has",
    "foreign": "was not written by mlops compile for this project",
}
_HEADER = re.compile(r"# Written by mlops compile (\S+) for (.+); do not edit\.\n# Plan: (\S+)\n")


@dataclass(frozen=True, slots=True)
class File:
    """One file and how it stands; `text` is None for one that is to go."""

    path: Path
    text: str | None
    state: State


def compare(name: str, exporter: Exporter, plan: Plan, folder: Path) -> list[File]:
    """Return the files of `plan` in `folder`, and those of former plans that are still there."""
    title = f"# Written by mlops compile {name} for {plan.project}; do not edit.\n"
    header = f"{title}# Plan: {plan.digest}\n"
    made = {folder / file: header + text for file, text in exporter.files(plan).items()}
    found = [
        File(path, text, _state(path, text, title, plan.digest)) for path, text in made.items()
    ]
    endings = {path.suffix for path in made}
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in there:
        ours = path not in made and path.suffix in endings and path.is_file()
        if ours and _read(path).startswith(title):
            found.append(File(path, None, "gone"))
    return found


def carry_out(files: Sequence[File]) -> None:
    """Write what is not fresh, and remove what is gone. Raises StateRefused ("not-ours")."""
    for file in files:
        if file.state == "foreign":
            raise StateRefused(
                f"{file.path} {WORDS['foreign']}, and stays as it is",
                code="not-ours",
                hint="move it away, or give another folder with -o",
                details={"path": str(file.path)},
            )
    for file in files:
        if file.text is None:
            file.path.unlink()
        elif file.state != "fresh":
            fsio.make_folder(file.path.parent)
            fsio.write_atomic(file.path, file.text)


def _state(path: Path, text: str, title: str, digest: str) -> State:
    if not path.exists():
        return "new"
    there = _read(path)
    if there == text:
        return "fresh"
    header = _HEADER.match(there)
    if header is None or not there.startswith(title):
        return "foreign"
    return "edited" if header[3] == digest else "changed"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")

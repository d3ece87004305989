"""Our lines in the hooks of git; what a person or another tool wrote there goes on working."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlops_cli.fsio import write_atomic
from mlops_cli.vcs.repo import Git

BEGIN = "# >>> mlops: these lines are managed"
END = "# <<< mlops"
ASIDE = ".before-mlops"  # the hook of another language, which ours calls
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")
_READS_STDIN = ("pre-push", "post-rewrite")


def install(git: Git, hooks: Mapping[str, str]) -> list[Path]:
    """Make each hook run its command first, and return the files that changed.

    `hooks` is name → shell command; a command that fails stops git where the hook can. What is
    there runs after it with the same arguments and the same input. core.hooksPath is honoured.
    """
    folder = hooks_folder(git)
    changed = []
    for name, command in hooks.items():
        path = folder / name
        former = _script(path)
        shebang, _, rest = _without_block(former or f"#!/bin/sh\n{_call_aside(path)}").partition(
            "\n"
        )
        fresh = f"{shebang}\n{BEGIN}\n{_block(name, command)}{END}\n{rest}"
        if fresh == former:
            continue
        if former is None and os.path.lexists(path):
            path.rename(_aside(path))
        _write(path, fresh)
        changed.append(path)
    return changed


def uninstall(git: Git) -> list[Path]:
    """Take our lines out of every hook, and return the files that changed or went."""
    changed = []
    for path in sorted(hooks_folder(git).glob("*")):
        if not path.is_file() or BEGIN.encode() not in path.read_bytes():
            continue
        rest = _without_block(_read(path))
        if _aside(path).exists():
            _aside(path).replace(path)
        elif rest.partition("\n")[2].strip():
            _write(path, rest)
        else:
            path.unlink()
        changed.append(path)
    return changed


def installed(git: Git) -> dict[str, Path]:
    """Return the hooks that hold our lines, by name."""
    return {
        path.name: path
        for path in sorted(hooks_folder(git).glob("*"))
        if path.is_file() and BEGIN.encode() in path.read_bytes()
    }


def hooks_folder(git: Git) -> Path:
    """Return the folder where git looks for hooks."""
    return git.root / git.run("rev-parse", "--git-path", "hooks")


def _block(name: str, command: str) -> str:
    if name not in _READS_STDIN:
        return f"{command} || exit $?\n"
    return (
        "mlops_input=$(cat)\n"
        f"printf '%s\\n' \"$mlops_input\" | {{ {command}\n}} || exit $?\n"
        '[ -n "$mlops_input" ] || exec </dev/null\n'
        '[ -z "$mlops_input" ] || exec <<mlops_end\n$mlops_input\nmlops_end\n'
    )


def _script(path: Path) -> str | None:
    """Return the hook, where it is one that lines can be added to."""
    if not path.exists():
        return None
    text = _read(path)
    head = text[:100].partition("\n")[0]
    shell = head.startswith("#!") and head.split()[-1].rpartition("/")[2] in _SHELLS
    return text if shell else None


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _write(path: Path, text: str) -> None:
    write_atomic(path, text.encode("utf-8", "surrogateescape"), mode=0o755)


def _call_aside(path: Path) -> str:
    if not os.path.lexists(path):
        return ""
    return f'exec "$(dirname "$0")/{path.name}{ASIDE}" "$@"\n'


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ASIDE)


def _without_block(text: str) -> str:
    start, end = text.find(BEGIN), text.find(END)
    if start < 0 or end < start:
        return text
    return text[:start] + text[end + len(END) :].removeprefix("\n")

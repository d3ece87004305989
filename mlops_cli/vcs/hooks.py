"""Our lines in the hooks of git; what a person or another tool wrote there goes on working."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlops_cli.errors import StateRefused
from mlops_cli.fsio import write_atomic
from mlops_cli.vcs.repo import Git

BEGIN = "# >>> mlops: these lines are managed"
END = "# <<< mlops"
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")


def install(git: Git, hooks: Mapping[str, str]) -> list[Path]:
    """Make each hook run its command first, and return the files that changed.

    `hooks` is name → shell command; a command that fails stops git where the hook can.
    core.hooksPath is honoured. Raises StateRefused ("hook-in-the-way") for a hook that is no
    shell script, before any file is written.
    """
    folder = hooks_folder(git)
    texts = {name: _text(folder / name) for name in hooks}
    changed = []
    for name, command in hooks.items():
        shebang, _, rest = _without_block(texts[name]).partition("\n")
        fresh = f"{shebang}\n{BEGIN}\n{command} || exit $?\n{END}\n{rest}"
        if fresh != texts[name]:
            write_atomic(folder / name, fresh, mode=0o755)
            changed.append(folder / name)
    return changed


def uninstall(git: Git) -> list[Path]:
    """Take our lines out of every hook, and return the files that changed or went."""
    changed = []
    for path in sorted(hooks_folder(git).glob("*")):
        if not path.is_file() or BEGIN.encode() not in path.read_bytes():
            continue
        rest = _without_block(path.read_text())
        if rest.partition("\n")[2].strip():
            write_atomic(path, rest, mode=0o755)
        else:
            path.unlink()
        changed.append(path)
    return changed


def hooks_folder(git: Git) -> Path:
    """Return the folder where git looks for hooks."""
    return git.root / git.run("rev-parse", "--git-path", "hooks")


def _text(path: Path) -> str:
    if not path.exists():
        return "#!/bin/sh\n"
    head = path.read_bytes()[:100].partition(b"\n")[0].decode("utf-8", "replace")
    if not head.startswith("#!") or head.split()[-1].rpartition("/")[2] not in _SHELLS:
        raise StateRefused(
            f"the hook {path} is no shell script, so no line can be added to it",
            code="hook-in-the-way",
            hint="call mlops from it yourself, or move it away",
        )
    return path.read_text()


def _without_block(text: str) -> str:
    start, end = text.find(BEGIN), text.find(END)
    if start < 0 or end < start:
        return text
    return text[:start] + text[end + len(END) :].removeprefix("\n")

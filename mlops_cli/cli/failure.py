"""Errors that are not ours by birth: a bad command line, a missing extra, and our own bugs."""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path
from typing import Any

from mlops_cli.cli.extras import extra_of
from mlops_cli.cli.options import nearest
from mlops_cli.errors import MissingExtra, MlopsError, OutsideWorld, UsageError


class Interrupted(MlopsError):
    """Control-C; what was finished is kept, what was half done is not."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted", code="interrupted", hint="run the same command again")


class Bug(MlopsError):
    """Anything that no room expected."""

    exit_code = 70


def translate(problem: Exception, words: list[str]) -> MlopsError:
    """Return the error a person can act on for anything that reached the top."""
    if hasattr(problem, "format_message"):  # every error of typer's parser, in any version
        return _usage(problem)
    if isinstance(problem, ModuleNotFoundError) and problem.name:
        extra = extra_of(problem.name)
        if extra is not None:
            return MissingExtra.of(problem.name.partition(".")[0], extra)
    if isinstance(problem, OSError) and problem.errno in _OUTSIDE:
        code, hint = _OUTSIDE[problem.errno]
        return OutsideWorld(str(problem.strerror) + _of(problem), code=code, hint=hint)
    if isinstance(problem, OSError) and problem.errno == errno.ENAMETOOLONG:
        message = f"no file can have so long a name{_of(problem)[:80]}…"
        return UsageError(message, code="name-too-long", hint="at most 255 bytes between slashes")
    return _bug(problem, words)


_OUTSIDE = {
    errno.ENOSPC: ("disk-full", "free some space and run the same command again"),
    errno.EDQUOT: ("disk-full", "free some space and run the same command again"),
    errno.EACCES: ("no-permission", "check owner and permissions: ls -ld"),
    errno.EPERM: ("no-permission", "check owner and permissions: ls -ld"),
    errno.EROFS: ("read-only-disk", "work on a disk that can be written to"),
    errno.EMFILE: ("too-many-open-files", "ulimit -n 4096, and run the same command again"),
    errno.EIO: ("disk-error", "the disk failed; save what is on it"),
}


def _of(problem: OSError) -> str:
    name = problem.filename
    return f": {os.fsdecode(name)}" if isinstance(name, str | bytes) else ""


def _usage(problem: Any) -> UsageError:
    message = problem.format_message().strip()
    context: Any = getattr(problem, "ctx", None)
    path = context.command_path if context is not None else "mlops"
    hint = f"{path} --help"
    if type(problem).__name__ == "NoArgsIsHelpError":
        names = problem.ctx.command.list_commands(problem.ctx)
        needs = f"{path} needs a subcommand: {', '.join(names)}"
        hint = f"{path} list, or {hint}" if "list" in names else hint
        return UsageError(needs, code="missing-command", hint=hint)
    message, _, near = message.partition(". Did you mean ")
    if near:
        hint = f"did you mean: {path} {near.rstrip('?').replace(chr(39), '')}"
    possible = getattr(problem, "possibilities", None)
    if possible:
        message = problem.message
        hint = f"did you mean: {' or '.join(sorted(possible))}"
    elif hasattr(problem, "option_name") and nearest(problem.option_name):
        hint = f"did you mean: {nearest(problem.option_name)}"
    elif context is not None and "argument" in message:
        # one too few, or one too many: what the command takes says more than that it has a help
        takes = " ".join([path, *context.command.collect_usage_pieces(context)])
        hint = f"{takes}; --help tells more"
        message = re.sub(r"^Got unexpected .*? \((.*)\)", rf"{path} does not take \1", message)
    elif message.startswith("Missing option"):
        hint = f"add {problem.param.opts[0]} {problem.param.make_metavar(context)}; {hint}"
    code = _CODES.get(type(problem).__name__, "usage")
    message = message[:1].lower() + message[1:].rstrip(".")
    if message.startswith("no such command"):
        code = "unknown-command"
    return UsageError(message, code=code, hint=hint)


_CODES = {
    "NoSuchOption": "unknown-option",
    "MissingParameter": "missing-argument",
    "BadParameter": "bad-value",
    "BadOptionUsage": "bad-value",
    "BadArgumentUsage": "bad-value",
}


def _bug(problem: Exception, words: list[str]) -> Bug:
    path = _write_crash(problem, words)
    where = f"all we need is in {path}" if path else "no crash file could be written"
    return Bug(
        f"this is our bug: {type(problem).__name__}: {problem}",
        code="internal-error",
        hint=f"please report it; {where}",
        details={"crash": str(path) if path else None, "exception": type(problem).__name__},
    )


def _write_crash(problem: Exception, words: list[str]) -> Path | None:
    import platform
    import tempfile
    import time
    import traceback

    from mlops_cli import __version__
    from mlops_cli.config import find_root

    report = "\n".join(
        [
            f"mlops {__version__}, python {platform.python_version()}, {platform.platform()}",
            f"command: mlops {' '.join(words)}",
            "",
            "".join(traceback.format_exception(problem)),
        ]
    )
    root = find_root(Path.cwd())
    folders = [Path(tempfile.gettempdir()) / "mlops-crash"]
    if root is not None and (root / ".mlops").is_dir():
        folders.insert(0, root / ".mlops" / "crash")
    for folder in folders:
        path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(report, encoding="utf-8")
        except OSError as exc:
            print(f"cannot write {path}: {exc}", file=sys.stderr)
            continue
        return path
    return None

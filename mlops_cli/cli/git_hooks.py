"""What mlops does in the hooks of git, and how git is told."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

# name → whether it may stop git
HOOKS = {
    "pre-commit": True,
    "pre-push": True,
    "post-checkout": False,
    "post-merge": False,
    "post-rewrite": False,
}
SUMMARIES = {
    "pre-commit": "blocks stale steps, changed data, undecided merges and large files",
    "pre-push": "sends the data of the pushed commits first, and blocks where that fails",
    "post-checkout": "brings the data of the branch that was switched to",
    "post-merge": "brings the data that was merged or pulled",
    "post-rewrite": "brings the data after a rebase",
}


def commands() -> dict[str, str]:
    """Return hook → the shell commands that call mlops, for `vcs.hooks.install`."""
    return {name: _command(name, blocks) for name, blocks in HOOKS.items()}


def driver() -> str:
    """Return the shell line with which git calls the merge driver."""
    return f'{_find()}; "$m" merge-driver %O %A %B %P'


def _find() -> str:
    # a virtual environment may not be active where git runs, or may have moved since
    beside = Path(sys.executable).with_name("mlops")
    here = str(beside) if beside.exists() else shutil.which("mlops") or "mlops"
    return f'm={shlex.quote(here)}; [ -x "$m" ] || m=mlops'


def _command(name: str, blocks: bool) -> str:
    call = f'"$m" hooks run {name} "$@"'
    if not blocks:
        return f'{{ {_find()}; command -v "$m" >/dev/null && {call} </dev/null || :; }}'
    told = f"mlops is not on the PATH, so {name} cannot be checked; git goes on with --no-verify"
    lost = f"{{ echo {shlex.quote(told)} >&2; exit 1; }}"
    return f'{{ {_find()}; command -v "$m" >/dev/null || {lost}; {call}; }}'

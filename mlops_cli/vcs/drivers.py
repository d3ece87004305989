"""The merge driver: told to git in its configuration, and to everyone in .gitattributes."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.vcs import ignore
from mlops_cli.vcs.repo import Git

NAME = "mlops"
ATTRIBUTES = (
    "*.mlops text eol=lf merge=mlops",
    "/.mlops/lock/*.json text eol=lf linguist-generated merge=mlops",
    "/environments/*.yaml text eol=lf merge=mlops",
    ".gitignore merge=union",
)
_FORMER = ("*.mlops text eol=lf", "/.mlops/lock/*.json text eol=lf linguist-generated")


def install(git: Git, command: str) -> bool:
    """Let git call `command` (a shell line with %O %A %B %P) in this clone and all its work trees;
    return whether it was told anything new."""
    wanted = {"name": "pointers, locks and environments of mlops", "driver": command}
    changed = False
    for key, value in wanted.items():
        name = f"merge.{NAME}.{key}"
        if git.run("config", "--local", "--get", name, check=False) != value:
            git.run("config", "--local", name, value)
            changed = True
    return changed


def uninstall(git: Git) -> bool:
    """Make git forget the driver; return whether it knew it."""
    return git.call("config", "--local", "--remove-section", f"merge.{NAME}").code == 0


def installed(git: Git) -> str | None:
    """Return the command that git calls in this clone, None where it calls none."""
    return git.run("config", "--get", f"merge.{NAME}.driver", check=False) or None


def write_attributes(root: Path) -> bool:
    """Name the files of the driver in .gitattributes; return whether that changed."""
    file = root / ".gitattributes"
    removed = ignore.remove_lines(file, _FORMER)
    return ignore.add_lines(file, ATTRIBUTES) or removed

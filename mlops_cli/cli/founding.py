"""A planned project made real: its files, its data in the cache, its first commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.cli import scaffold
from mlops_cli.errors import StateRefused
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context


@dataclass(frozen=True, slots=True)
class Founded:
    """What was made; `commit` is None where git knows no identity yet."""

    files: tuple[str, ...]
    tracked: tuple[str, ...]  # pointers
    commit: str | None
    new: bool


def found(
    ctx: Context,
    plan: scaffold.Plan,
    *,
    name: str,
    overwrite: bool = False,
    with_hooks: bool = True,
) -> Founded:
    """Write the files of `plan`, make a repository where there is none, track data, commit, and
    let git call mlops in this clone.

    Raises StateRefused ("files-exist") before anything is written.
    """
    written = scaffold.carry_out(plan, overwrite=overwrite)
    git = Git(plan.root) if (plan.root / ".git").exists() else Git.init(plan.root)
    before = git.head().commit
    pointers = _track(ctx, plan)
    files = _with_pointers(written, pointers)
    commit = _commit(ctx, git, files, name, plan.template.name)
    if with_hooks:
        _install(ctx, git)
    return Founded(tuple(files), tuple(pointers), commit, commit is None or commit != before)


def _track(ctx: Context, plan: scaffold.Plan) -> list[str]:
    """Give the template's data to the cache; git gets a pointer for each, as after `add`."""
    from mlops_cli.workspace import track
    from mlops_cli.workspace.tracked import tracked

    project = ctx.project(plan.root)
    added = track.add(
        plan.root,
        plan.template.track,
        git=project.git,
        cache=project.cache,
        stats=project.stats,
        tracked=tracked(plan.root, project.git),
        progress=ctx.progress,
    )
    return [each.pointer.file for each in added]


def _with_pointers(files: Sequence[str], pointers: Sequence[str]) -> list[str]:
    data = [pointer.removesuffix(".mlops") for pointer in pointers]
    kept = [
        path
        for path in files
        if not any(path == each or path.startswith(each + "/") for each in data)
    ]
    ignores = {(Path(pointer).parent / ".gitignore").as_posix() for pointer in pointers}
    return sorted({*kept, *pointers, *ignores})


def _install(ctx: Context, git: Git) -> None:
    from mlops_cli.cli import git_hooks, history
    from mlops_cli.vcs import drivers, hooks

    drivers.install(git, git_hooks.driver())
    history.tell_git(ctx, git)
    folder = hooks.hooks_folder(git).resolve()
    if not any(folder.is_relative_to(own) for own in (git.root.resolve(), git.common_dir)):
        ctx.warn(
            f"git looks for hooks in {folder}, which is not of this project alone, so none were "
            "written; mlops hooks install does it"
        )
        return
    hooks.install(git, git_hooks.commands())


def _commit(ctx: Context, git: Git, files: Sequence[str], name: str, template: str) -> str | None:
    from mlops_cli.vcs.commit import commit_paths

    try:
        git.identity()
    except StateRefused as missing:
        ctx.warn(f"{missing.message}. Then: git add -A && git commit -m 'Start the project'")
        return None
    return commit_paths(
        git,
        files,
        subject=f"init: {name}, from the template {template}",
        trailers={"Mlops-Template": template},
    )

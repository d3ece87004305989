"""`mlops add`: put data under version control without putting it into git."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.workspace import track, tracked
from mlops_cli.workspace.pointer import Pointer


def command(
    paths: Annotated[list[str], typer.Argument(help="Files, folders or patterns to track.")],
) -> int:
    """Track data: bytes go to the cache, a small pointer beside them goes to git.

    Adding again what has changed makes a new version. Nothing is committed: the pointers and the
    .gitignore are yours to commit.
    """
    ctx = context.current()
    project = ctx.project()
    wanted = track.expand(project.root, ctx.cwd, paths)
    known = tracked.tracked(project.root, project.git)
    # until the pointers are written, what was stored already is not to be swept away
    with project.cache.writing():
        added = track.add(
            project.root,
            wanted,
            git=project.git,
            cache=project.cache,
            stats=project.stats,
            tracked=known,
            progress=ctx.progress,
        )
    data = {
        "added": [
            {
                "path": one.pointer.path,
                "pointer": one.pointer.file,
                "digest": one.pointer.digest,
                "kind": one.pointer.kind,
                "size": one.pointer.size,
                "files": one.pointer.files,
                "changed": one.changed,
            }
            for one in added
        ]
    }
    return ctx.show(data, "mlops.add/1", lambda: _page(added))


def _page(added: list[track.Added]) -> str:
    rows = [
        (
            one.pointer.path,
            text.count(one.pointer.files, "file"),
            text.size(one.pointer.size),
            "tracked" if one.changed else "unchanged",
        )
        for one in added
    ]
    lines = [text.table(rows, align="lrrl")]
    changed = [one.pointer for one in added if one.changed]
    if changed:
        ignores = sorted({f"{folder}.gitignore" for folder in map(_folder, changed)})
        files = " ".join([*ignores, *(pointer.file for pointer in changed)])
        lines += ["", f"Commit it with: git add {files}"]
    return "\n".join(lines)


def _folder(pointer: Pointer) -> str:
    folder, slash, _ = pointer.path.rpartition("/")
    return folder + slash

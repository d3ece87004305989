"""What the imports have in common: where to, the checks, the pointer, what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_cli.cli import reaching
from mlops_cli.cli.commands.checkout import link_kind
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.workspace.pin import GitPin, UrlPin
    from mlops_cli.workspace.taking import Taken

Out = Annotated[
    str | None, typer.Option("--out", "-o", help="Where to; its own name in this folder.")
]
NoDownload = Annotated[
    bool, typer.Option("--no-download", help="Write the pointer; mlops pull fetches the bytes.")
]
Push = Annotated[
    bool, typer.Option("--push", help="Let mlops push keep the bytes on our remote too.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what is there, also bytes stored nowhere.")
]


def bring(
    ctx: Context,
    name: str,
    out: str | None,
    take: Callable[[], tuple[Taken, GitPin | UrlPin]],
    *,
    data: bool = True,
    push: bool,
    force: bool,
) -> int:
    """Call `take`, which fetches, between the checks and the writing of the pointer."""
    from mlops_cli.workspace import imports, tracked
    from mlops_cli.workspace.pin import plain
    from mlops_cli.workspace.words import relative

    project = ctx.project()
    if out is None and name in ("", "..", "/"):
        raise UsageError(
            "the source has no name that data could have here",
            code="missing-argument",
            hint="name the place: -o data/raw",
        )
    place = relative(project.root, ctx.cwd, str(reaching.target(out, name, ctx.cwd)))
    known = tracked.tracked(project.root, project.git)
    imports.check(project.root, place, git=project.git, tracked=known, force=force)
    taken, pin = take()
    pointer = imports.pointer(place, taken, pin, push=push)
    link = link_kind(str(project.settings.get("cache.link")))
    hand = imports.Hand(project.root, project.cache, project.stats, link, ctx.progress)
    imports.place(hand, [(pointer, data)], overwrite=force)
    shown = {
        "path": pointer.path,
        "pointer": pointer.file,
        "digest": pointer.digest,
        "kind": pointer.kind,
        "size": pointer.size,
        "files": pointer.files,
        "downloaded": data,
        "source": plain(pin),
    }

    def human() -> str:
        folder = place.rpartition("/")[0]
        ignore = f"{folder}/.gitignore" if folder else ".gitignore"
        return "\n".join(
            [
                f"{place}: {text.count(taken.files, 'file')}, {text.size(taken.size)}, "
                f"as {pin} of {pin.url}",
                "",
                f"Commit it with: git add {ignore} {pointer.file}",
            ]
        )

    return ctx.show(shown, "mlops.import/1", human)

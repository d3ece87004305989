"""`mlops merge`: what git could not merge alone, merged again or decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.workspace import footing, tracked
from mlops_cli.workspace.conflicts import Conflict, conflicts, reason
from mlops_cli.workspace.listings import listings
from mlops_cli.workspace.merge_shelf import MergeShelf
from mlops_cli.workspace.resolve import Choice, Decided, again, carry_out, choose
from mlops_cli.workspace.words import relative

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project
    from mlops_cli.workspace.pointer import Pointer
    from mlops_cli.workspace.tracked import Tracked


def command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Data, files in tracked folders, steps or environments; all."),
    ] = None,
    ours: Annotated[bool, typer.Option("--ours", help="Keep our side.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Take their side.")] = False,
    both: Annotated[
        bool, typer.Option("--both", help="Keep both: theirs beside ours, as NAME.theirs.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be decided; change nothing.")
    ] = False,
) -> int:
    """Finish a merge of pointers, locks and environments after `git merge`, rebase or stash pop.

    Without a side it merges again what git left open: for a machine on which git does not know
    the driver, or where a listing was missing. With a side it decides. What is decided is staged,
    and its data brought into the workspace where it is here. A path that was edited before git
    brought another pointer is merged with it when it is named. Answers 1 while anything is open.
    """
    ctx = context.current()
    project = ctx.project()
    choice = _choice(ours, theirs, both)
    shelf = MergeShelf(
        project.cache, listings(project.cache, project.settings, project.root, now=ctx.now())
    )
    typed = {word: relative(project.root, ctx.cwd, word) for word in paths or []}
    stands = _edited(project, typed.values()) if choice is None else {}
    carried = [] if dry_run else _carry(ctx, project, stands, shelf)
    found = conflicts(project.root, project.git)
    rest = {word: path for word, path in typed.items() if path not in stands}
    decided: list[Decided] = []
    for conflict, inside in _selected(found, rest) if rest or not typed else ():
        if choice is None:
            decided.append(again(project.root, project.git, conflict, shelf))
        else:
            decided += choose(project.root, project.git, conflict, choice, shelf, inside)
    if not dry_run:
        carry_out(project.root, project.git, decided)
    for one in [*carried, *decided]:
        if one.note:
            ctx.warn(f"{one.file} could not be merged file by file: {one.note}")
    left = conflicts(project.root, project.git) if not dry_run else found
    if dry_run:
        settled = {one.file for one in decided if not one.left}
        left = [one for one in found if one.file not in settled]
    ready = [*carried, *(one for one in decided if not one.left)]
    restored = [] if dry_run else _restore(ctx, project, ready)
    data = {
        "dry_run": dry_run,
        "carried": sorted(stands),
        "decided": [one.file for one in decided if not one.left],
        "restored": restored,
        "conflicts": [
            {
                "path": one.name,
                "file": one.file,
                "kind": one.kind,
                "reason": reason(project.root, one, shelf.shelf),
                "mend": one.mend,
            }
            for one in left
        ],
    }

    def human() -> str:
        verb = "Would decide" if dry_run else "Decided"
        lines = [f"{verb}: {one.file}" for one in decided if not one.left]
        verb = "Would merge" if dry_run else "Merged"
        lines += [f"{verb} what was edited with what git brought: {path}" for path in stands]
        lines += [f"Brought into the workspace: {path}" for path in restored]
        for one in left:
            lines.append(
                f"{text.style('undecided', 'yellow')}  {one.name}: "
                f"{reason(project.root, one, shelf.shelf)}"
            )
            lines.append("  " + text.style(f"→ {one.mend}", "cyan"))
        if not lines:
            return "There is nothing to decide."
        if carried and not left:
            lines.append(f"Commit it with: git add {' '.join(one.file for one in carried)}")
        elif not left and not dry_run:
            lines.append(
                "Nothing is left to decide. Go on with: git commit, or git rebase --continue"
            )
        return "\n".join(lines)

    return ctx.show(data, "mlops.merge/1", human, code=1 if left else 0)


def _choice(ours: bool, theirs: bool, both: bool) -> Choice | None:
    if ours + theirs + both > 1:
        raise UsageError(
            "there is one answer: --ours, --theirs or --both",
            code="contradictory-options",
            hint="mlops merge --ours PATH",
        )
    return "ours" if ours else "theirs" if theirs else "both" if both else None


def _edited(project: Project, paths: Iterable[str]) -> dict[str, tuple[Tracked, Pointer]]:
    """Return those of `paths` that were worked on before git brought another pointer."""
    named, found = set(paths), {}
    for one in tracked.tracked(project.root, project.git) if named else ():
        if one.path in named and one.theirs is None:
            stand = footing.former(project.root, one)
            if stand is not None:
                found[one.path] = (one, stand)
    return found


def _carry(
    ctx: Context,
    project: Project,
    stands: Mapping[str, tuple[Tracked, Pointer]],
    shelf: MergeShelf,
) -> list[Decided]:
    from mlops_cli.workspace.carry import carry

    every = tracked.tracked(project.root, project.git) if stands else []
    return [
        carry(
            project.root,
            one,
            stand,
            git=project.git,
            cache=project.cache,
            stats=project.stats,
            shelf=shelf,
            tracked=every,
            progress=ctx.progress,
        )
        for one, stand in stands.values()
    ]


def _selected(
    found: Sequence[Conflict], typed: Mapping[str, str]
) -> list[tuple[Conflict, list[str]]]:
    """Return the conflicts that the words of `typed` name, each with the files in its folder that
    they name; the values are their paths in the project."""
    if not typed:
        return [(one, []) for one in found]
    chosen: dict[str, tuple[Conflict, list[str]]] = {}
    for word, path in typed.items():
        matches = [one for one in found if path in (one.file, one.name) or word == one.name]
        inside = [] if matches else [one for one in found if path.startswith(one.name + "/")]
        matches = matches or inside or [one for one in found if one.file.startswith(path + "/")]
        if not matches:
            raise NotFound(
                f"nothing is undecided at {word}",
                code="no-conflict",
                hint="mlops merge lists what is",
                details={"path": word},
            )
        for one in matches:
            entry = chosen.setdefault(one.file, (one, []))
            if inside:
                entry[1].append(path[len(one.name) + 1 :])
    return list(chosen.values())


def _restore(ctx: Context, project: Project, decided: Sequence[Decided]) -> list[str]:
    """Bring the data of decided pointers and locks into the workspace, never over unsaved bytes."""
    from mlops_cli.cli.restoring import restore

    files = {one.file for one in decided}
    every = tracked.tracked(project.root, project.git)
    return restore(ctx, project, [one for one in every if one.source in files])

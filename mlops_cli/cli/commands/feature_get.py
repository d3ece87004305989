"""`mlops feature get`: what views know of entities, or knew at a time; offline and online."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, moments
from mlops_cli.cli.commands.feature_materialize import Store
from mlops_cli.cli.render import feature as pages
from mlops_cli.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.features.frame import Asked, Frame
    from mlops_cli.features.online import OnlineStore
    from mlops_cli.project import Project

SHOWN = 20  # rows on a screen


def get(
    words: Annotated[
        list[str],
        typer.Argument(metavar="VIEW…", help="The views; also COLUMN=VALUE of an entity."),
    ],
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", "-e", help="The entity: COLUMN=VALUE, once for each column."),
    ] = None,
    entities: Annotated[
        Path | None, typer.Option("--entities", help="Many of them: a Parquet or CSV file.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="As known at this time (UTC); now when left out.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", help="The column of --entities with a time for each row."),
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the online store, as a server does.")
    ] = False,
    version: Annotated[
        str | None,
        typer.Option("--version", "--rev", help="Read the values of this git revision or digest."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the table to this Parquet file.")
    ] = None,
    store: Store = "sqlite",
) -> int:
    """Print what views know of entities, or knew at a time; of all of them when none is named."""
    from mlops_cli.features import frame, write
    from mlops_cli.features.online import open_store

    ctx = context.current()
    project = ctx.project()
    names = [word.removeprefix("features.") for word in words if "=" not in word]
    pairs = _pairs([word for word in words if "=" in word] + (entity or []))
    _contradictions(names, pairs, entities, at, time, online, version)
    moment = time or moments.parse(at, ctx.now())
    found: Frame
    if online:
        asked = _asked(project, names)
        _check(pairs, asked)
        opened = open_store(store, project.root)
        kinds = frame.kinds_online(asked, opened)
        keys = _keys(ctx.cwd, asked, pairs, entities, kinds)
        found = frame.served(keys, asked, at=moment, store=opened)
        facts = [_held(opened, one.name) for one in asked]
        opened.close()
    else:
        asked, facts = _with_rows(project, names, version, pairs)
        keys = _keys(ctx.cwd, asked, pairs, entities, frame.kinds(asked))
        found = frame.known(keys, asked, at=moment)
    if out is not None:
        write.parquet(found.table, ctx.cwd / out)
    data = {
        "views": facts,
        "from": "online" if online else "offline",
        "at": moment.isoformat() if isinstance(moment, datetime) else None,
        "count": found.table.num_rows,
        "rows": [] if out is not None else _rows(found),
        "out": str(out) if out is not None else None,
    }
    return ctx.show(data, "mlops.feature-get/1", lambda: _screen(found, data, out))


def _keys(
    cwd: Path,
    asked: list[Asked],
    pairs: dict[str, str],
    entities: Path | None,
    kinds: dict[str, Any],
) -> pa.Table:
    from mlops_cli.features import frame, read

    if entities is not None:
        path = (cwd / entities).resolve()
        return read.table(path.parent, path.name)
    return frame.typed(pairs, kinds) if pairs else frame.everyone(asked)


def _asked(project: Project, names: list[str]) -> list[Asked]:
    from mlops_cli.features import lookup
    from mlops_cli.features.frame import Asked
    from mlops_cli.pipeline.reading.load import load

    pipeline = load(project.root)
    return [Asked(name, lookup.of(pipeline, name)) for name in names]


def _with_rows(
    project: Project, names: list[str], version: str | None, pairs: dict[str, str]
) -> tuple[list[Asked], list[dict[str, Any]]]:
    """Return the views with their rows: those of `version`, else those that stand in out/."""
    from dataclasses import replace

    from mlops_cli.features import lookup, read
    from mlops_cli.features import version as versions
    from mlops_cli.features.frame import Asked

    if version is None:
        asked = _asked(project, names)
        pinned = [versions.current(project.root, name) for name in names]
    else:
        pinned = [versions.find(project.git, name, version) for name in names]
        asked = [Asked(one.name, one.spec) for one in pinned if one is not None]
    _check(pairs, asked)
    whole = []
    for one, state in zip(asked, pinned, strict=True):
        if version is not None and state is not None:
            values = versions.values(project.cache, state)
        else:
            folder = lookup.values_path(project.root, one.name).parent
            values = read.table(folder, "values.parquet")
        whole.append(replace(one, values=values))
    facts = [
        {"name": one.name, "version": state.digest if state else None, "as_of": None}
        for one, state in zip(asked, pinned, strict=True)
    ]
    return whole, facts


def _check(pairs: dict[str, str], asked: list[Asked]) -> None:
    from mlops_cli.features import frame

    if pairs:
        frame.check(pairs, asked)


def _held(store: OnlineStore, name: str) -> dict[str, Any]:
    from mlops_cli.features import instant

    about = store.about(name)
    assert about is not None
    return {"name": name, "version": about.source, "as_of": instant.iso(about.as_of)}


def _rows(found: Frame) -> list[dict[str, Any]]:
    rows = []
    missing = found.missing or ({},) * found.table.num_rows
    for row, why in zip(found.table.to_pylist(), missing, strict=True):
        plain = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        values = {name: plain.pop(name) for name in found.columns}
        rows.append({"entity": plain, "values": values, "missing": dict(why)})
    return rows


def _screen(found: Frame, data: dict[str, Any], out: Path | None) -> str:
    if out is not None:
        return f"Wrote {found.table.num_rows:,} rows to {out}"
    rows = data["rows"]
    lines = []
    if len(rows) == 1:
        lines.append(pages.values(rows[0]["values"]))
        lines += [f"{view}: {_why(why)}." for view, why in rows[0]["missing"].items()]
    else:
        lines.append(pages.frame(rows[:SHOWN]))
        if len(rows) > SHOWN:
            lines.append(f"… and {len(rows) - SHOWN:,} more; --out FILE.parquet takes them all.")
    return "\n".join(lines)


def _why(why: str) -> str:
    return {
        "unknown": "the online store has never seen this entity",
        "expired": "what the online store holds is older than the ttl",
        "later": "what the online store holds became known only later",
    }.get(why, why)


def _pairs(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        column, equals, value = word.partition("=")
        if not equals or column in found:
            raise UsageError(
                f"{column!r} is given twice" if equals else f"{word!r} is not COLUMN=VALUE",
                code="wrong-entity",
                hint="many entities: --entities FILE.parquet",
            )
        found[column] = value
    return found


def _contradictions(
    names: list[str],
    pairs: dict[str, str],
    entities: Path | None,
    at: str | None,
    time: str | None,
    online: bool,
    version: str | None,
) -> None:
    why = None
    if not names:
        why = "no view is named"
    elif pairs and entities:
        why = "--entity and --entities contradict each other"
    elif time and (at or not entities):
        why = "--time names a column of --entities, in place of --at"
    elif online and version:
        why = "the online store holds one version only, so --version cannot choose"
    elif online and not (pairs or entities):
        why = "the online store is asked by key; name an entity"
    if why is not None:
        raise UsageError(why, code="contradictory-options", hint="mlops feature get --help")

"""`mlops config`: settings as they are, where each comes from, and changes that keep comments."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli import config
from mlops_cli.cli import context, settings_file
from mlops_cli.cli.render import text
from mlops_cli.errors import ConfigError, UsageError

app = typer.Typer(help="Show and change settings, each with its origin.")

Name = Annotated[str, typer.Argument(help="The setting, such as cache.dir.")]
Local = Annotated[
    bool, typer.Option("--local", help="In .mlops/config.local.yaml, which git ignores.")
]
User = Annotated[bool, typer.Option("--user", help="In your own file, for all projects.")]
Origin = Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")]

# what must not be committed with everyone's settings
_SECRET = re.compile(r"(?:^|[._-])(?:key|secret|token|password|credential)s?(?:$|[._-])", re.I)


@app.command("list")
def list_settings(origin: Origin = False) -> int:
    """List every setting with its value."""
    ctx = context.current()
    rows = [_row(name, value) for name, value in sorted(ctx.settings.values.items())]

    def human() -> str:
        shown = [
            (row["name"], "-" if row["value"] is None else _said(row["value"]))
            + ((row["place"] or row["origin"],) if origin else ())
            for row in rows
        ]
        heads = ("setting", "value", "origin") if origin else ("setting", "value")
        return text.table(shown, heads)

    return ctx.show({"settings": rows}, "mlops.config-list/1", human)


@app.command("get")
def get(name: Name, origin: Origin = False) -> int:
    """Print the value of one setting; nothing where it has none."""
    ctx = context.current()
    value = ctx.settings.origin(name)
    words = "" if value.value is None else _said(value.value)
    if origin:
        words += f"  ({value.place or value.layer})"
    return ctx.show(_row(name, value), "mlops.config-get/1", words)


@app.command("set")
def set_value(
    name: Name,
    value: Annotated[str, typer.Argument(help="The new value.")],
    local: Local = False,
    user: User = False,
) -> int:
    """Set one setting, in .mlops/config.yaml when nothing else is said."""
    config.convert(name, value, place="the command line")
    if _SECRET.search(name) and not (local or user):
        raise ConfigError(
            f"{name} looks like a secret, and .mlops/config.yaml is committed",
            code="secret-in-shared-settings",
            hint=f"mlops config set --local {name} …",
        )
    return _change(name, value, local=local, user=user)


@app.command("unset")
def unset(name: Name, local: Local = False, user: User = False) -> int:
    """Take one setting out of a file, so that the next layer or the default holds."""
    return _change(name, None, local=local, user=user)


def _change(name: str, value: str | None, *, local: bool, user: bool) -> int:
    ctx = context.current()
    if local and user:
        raise UsageError("--local and --user exclude each other", code="bad-value")
    layer: config.Layer = "local" if local else "user" if user else "project"
    path = config.layer_file(
        layer, config.find_root(ctx.cwd), home=ctx.home, environment=ctx.environment
    )
    settings_file.change(path, name, value)
    now = ctx.settings.origin(name)
    if value is not None and now.layer != layer:
        ctx.warn(f"{name} stays {now.value}: {now.place or now.layer} is stronger.")
    shown = _shown(path, ctx.cwd)
    done = f"Took {name} out of" if value is None else f"Set {name} to {value} in"
    data = _row(name, now) | {"file": str(path), "layer": layer}
    return ctx.show(data, "mlops.config-change/1", f"{done} {shown}")


def _row(name: str, value: config.Value) -> dict[str, Any]:
    setting = config.find(name)
    return {
        "name": name,
        "value": value.value,
        "origin": value.layer,
        "place": value.place,
        "default": setting.default if setting else None,
        "doc": setting.doc if setting else "",
    }


def _shown(path: Path, cwd: Path) -> str:
    return os.path.relpath(path, cwd) if path.is_relative_to(cwd) else str(path)


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)  # true, as it is set

"""`mlops remote`: the places that keep data besides this disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli import config
from mlops_cli.cli import context, settings_file
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound, StateRefused, UsageError
from mlops_cli.store.remotes.url import absolute_url, refuse_credentials
from mlops_cli.workspace import remotes

app = typer.Typer(help="Add, list and remove the places that keep data besides this disk.")

Name = Annotated[str, typer.Argument(help="What the remote is called here, such as origin.")]
Local = Annotated[
    bool, typer.Option("--local", help="In .mlops/config.local.yaml, which git ignores.")
]


@app.command("add")
def add(
    name: Name,
    url: Annotated[
        str, typer.Argument(help="A folder, s3://bucket/prefix, ssh://host/path, https://….")
    ],
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="The address of an S3 service, if not AWS.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Of the bucket.")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Whose credentials to use.")
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Read a public bucket without credentials.")
    ] = False,
    default: Annotated[bool, typer.Option("--default", help="Use it by default.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace one of that name.")] = False,
    local: Local = False,
) -> int:
    """Add a remote to the shared settings; secrets never belong there.

    Credentials come from the environment (AWS_ACCESS_KEY_ID, …) or from a profile, for ssh from
    the agent or ~/.ssh/config, for https from ~/.netrc. The first remote becomes the default.
    More about a remote is said with mlops config set remotes.NAME.KEY VALUE.
    """
    ctx = context.current()
    root = ctx.project().root
    refuse_credentials(url)
    if config.find(f"remotes.{name}.url") is None:
        raise UsageError(
            f"{name!r} cannot be the name of a remote",
            code="bad-value",
            hint="use letters, digits, - and _",
        )
    known = {one.name for one in remotes.remotes(ctx.settings)}
    if name in known and not force:
        raise StateRefused(
            f"there is a remote {name!r} already",
            code="remote-exists",
            hint=f"mlops remote add {name} {url} --force replaces it",
        )
    shown = _portable(url, ctx.cwd, root)
    file = config.layer_file(
        "local" if local else "project", root, home=ctx.home, environment=ctx.environment
    )
    given = {
        "url": shown,
        "endpoint": endpoint,
        "region": region,
        "profile": profile,
        "anonymous": "true" if anonymous else None,
    }
    for key, value in given.items():
        if value is not None:
            settings_file.change(file, f"remotes.{name}.{key}", value)
        elif name in known and f"remotes.{name}.{key}" in ctx.settings.values:
            _forget(file, f"remotes.{name}.{key}")
    becomes_default = default or not known
    if becomes_default:
        settings_file.change(file, "remote.default", name)
    data = {
        "name": name,
        "url": shown,
        "default": becomes_default,
        "file": os.path.relpath(file, root),
    }
    words = f"Added the remote {name}: {absolute_url(shown, root)}"
    if becomes_default:
        words += "\nIt is the default: mlops push sends data there."
    return ctx.show(data, "mlops.remote-add/1", words)


@app.command("list")
def list_remotes() -> int:
    """List the remotes, with what is remembered of each."""
    ctx = context.current()
    project = ctx.project()
    rows: list[dict[str, Any]] = []
    for one in remotes.remotes(project.settings):
        index = remotes.recall(one, project.root, project.cache.root)
        rows.append(
            {
                "name": one.name,
                "url": absolute_url(one.url, project.root),
                "default": one.default,
                "options": dict(one.options),
                "refreshed": index.refreshed.isoformat() if index.refreshed else None,
            }
        )

    def human() -> str:
        if not rows:
            return "There is no remote yet: mlops remote add origin s3://bucket/prefix"
        shown = [
            (row["name"], row["url"], "default" if row["default"] else "", row["refreshed"])
            for row in rows
        ]
        return text.table(shown, ("name", "url", "", "last asked"))

    return ctx.show({"remotes": rows}, "mlops.remote-list/1", human)


@app.command("remove")
def remove(name: Name) -> int:
    """Forget a remote; the data on it stays as it is."""
    ctx = context.current()
    root = ctx.project().root
    _known(name)
    for key in [key for key in ctx.settings.values if key.startswith(f"remotes.{name}.")]:
        _forget_everywhere(key, root)
    if ctx.settings.get("remote.default") == name:
        _forget_everywhere("remote.default", root)
    data = {"name": name}
    return ctx.show(data, "mlops.remote-remove/1", f"Forgot the remote {name}; its data stays.")


@app.command("default")
def default(name: Name, local: Local = False) -> int:
    """Choose the remote that push and pull use when none is named."""
    ctx = context.current()
    root = ctx.project().root
    _known(name)
    file = config.layer_file(
        "local" if local else "project", root, home=ctx.home, environment=ctx.environment
    )
    settings_file.change(file, "remote.default", name)
    return ctx.show({"name": name}, "mlops.remote-default/1", f"The default remote is {name} now.")


def _known(name: str) -> None:
    remotes.choose(context.current().settings, name)


def _portable(url: str, cwd: Path, root: Path) -> str:
    """Return `url` as it should stand in shared settings: a relative folder is relative to the
    project, wherever the person stood."""
    if "://" in url or url.startswith("/"):
        return absolute_url(url, root)
    return os.path.relpath(cwd / Path(url).expanduser(), root)


def _forget(file: Path, name: str) -> None:
    try:
        settings_file.change(file, name, None)
    except NotFound:
        pass  # it stands in another layer


def _forget_everywhere(name: str, root: Path) -> None:
    ctx = context.current()
    layers: tuple[config.Layer, ...] = ("project", "local", "user")
    for layer in layers:
        _forget(
            config.layer_file(layer, root, home=ctx.home, environment=ctx.environment),
            name,
        )

"""The lazy group: knows every command from the catalogue, imports only the one asked for."""

from __future__ import annotations

import importlib
import re
from typing import Any

import typer
import typer.core
import typer.main

from mlops_cli.cli.catalog import COMMANDS
from mlops_cli.cli.options import HELP, nearest
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError

typer.core.HAS_RICH = False  # rich costs 50 to 100 ms; see test_help_imports_nothing_heavy

LINE = 64  # beside the longest name of a subcommand
EPILOG = "Every command also takes -C DIR, -q, -v, --json, --no-color and --no-progress."


class Group(typer.core.TyperGroup):
    """`mlops` itself."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if self._listing:  # completion lists names and summaries; nothing is imported for it
            return typer.core.TyperCommand(name=cmd_name, help=COMMANDS[cmd_name].summary)
        command = load(cmd_name)
        if ctx is not None and ctx.resilient_parsing:  # completing: options of every command too
            for place in (command, *getattr(command, "commands", {}).values()):
                place.params.extend(global_options())
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing:
            raise unknown_command(name)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self._listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._listing = False


def load(name: str) -> Any:
    """Import the command `name` and return it as the object that parses and runs it."""
    module = importlib.import_module(COMMANDS[name].module)
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, epilog=EPILOG)(module.command)
    app._add_completion = False
    app.info.name = name
    app.info.no_args_is_help = True
    command = typer.main.get_command(app)
    command.name = name
    command.epilog = EPILOG
    if command.help is None:
        command.help = COMMANDS[name].summary + "."
    for child in getattr(command, "commands", {}).values():
        child.epilog = EPILOG
        child.short_help = child.short_help or summary(child.help or "")
    return command


def summary(help_text: str) -> str:
    """Return the first sentence of a help text; of a long one what comes before its particulars.
    Typer's own breaks off with dots after 45 letters."""
    first = re.split(r"\.(?= |$)", " ".join(help_text.split("\n\n", maxsplit=1)[0].split()))[0]
    return first if len(first) <= LINE else re.split(r"[:;] ", first)[0]


def group() -> Group:
    """Return the group that runs commands."""
    return Group(
        name="mlops",
        context_settings={"help_option_names": ["-h", "--help"]},
        params=list(global_options()),
        rich_markup_mode=None,
    )


def unknown_command(name: str) -> UsageError:
    """Return the error for a word that is no command, with the nearest one that is."""
    if name.startswith("-"):
        return UsageError(
            f"there is no option {name!r}",
            code="unknown-option",
            hint=f"did you mean: {nearest(name)}" if nearest(name) else "mlops --help",
        )
    near = text.nearest(name, COMMANDS)
    hint = f"did you mean: mlops {near}" if near else "mlops --help lists the commands"
    return UsageError(f"there is no command {name!r}", code="unknown-command", hint=hint)


def global_options() -> list[Any]:
    # only listed in completion: main takes them out of the arguments before anything is parsed
    options: list[Any] = []
    for words, summary in HELP:
        names = [word.strip().split()[0] for word in words.split(",")]
        flag = " " not in words.replace(", ", ",")
        options.append(
            typer.core.TyperOption(
                param_decls=[*names, f"_{names[-1].strip('-').replace('-', '_')}"],
                is_flag=flag,
                help=summary,
                expose_value=False,
            )
        )
    return options

"""Shell completion: the script to install, and the answers to what the shell asks."""

from __future__ import annotations

import typer
import typer.main

from mlops_cli.cli.group import Group, global_options


def answer(words: list[str], *, complete_var: str) -> int:
    """Install or show the completion script, or complete what was typed so far."""
    app = typer.Typer(
        name="mlops",
        cls=Group,
        add_completion=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_nothing,
    )
    program = typer.main.get_command(app)
    program.params.extend(global_options())
    result = program.main(
        words, prog_name="mlops", complete_var=complete_var, standalone_mode=False
    )
    return result if isinstance(result, int) else 0


def _nothing() -> None: ...

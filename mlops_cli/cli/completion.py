"""Shell completion: the script to install, and the answers to what the shell asks."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys

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
    there = _whole() if os.environ.get(complete_var) == "complete_bash" else ""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            result = program.main(
                words, prog_name="mlops", complete_var=complete_var, standalone_mode=False
            )
    finally:
        for line in said.getvalue().splitlines():
            sys.stdout.write(f"{line.removeprefix(there)}\n")
    return result if isinstance(result, int) else 0


def _whole() -> str:
    """Put names together that bash took apart, and return what of the last one stands there: bash
    breaks words at @ and :, and replaces only what comes after."""
    words = os.environ.get("COMP_WORDS", "").split()
    here = int(os.environ.get("COMP_CWORD", "0"))
    typed = words[: here + 1]  # without the present word where that is empty
    whole = re.sub(r"(?<=\S) ([@:]) ?(?=\S|$)", r"\1", " ".join(typed)).split(" ")
    if whole == typed:
        return ""
    at = here - len(typed) + len(whole)
    os.environ |= {"COMP_WORDS": " ".join(whole), "COMP_CWORD": str(at)}
    return re.sub(r"[^@:]*$", "", whole[-1]) if at < len(whole) else ""


def _nothing() -> None: ...

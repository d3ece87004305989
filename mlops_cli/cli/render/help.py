"""The first page of help: sections, every command with its summary, the options of all."""

from __future__ import annotations

from mlops_cli.cli.catalog import COMMANDS
from mlops_cli.cli.options import HELP

SECTIONS: dict[str, str] = {
    "project": "project",
    "data": "data",
    "pipeline": "pipeline",
    "features": "features",
    "experiments": "experiments",
    "registry": "registry",
    "production": "production",
    "lineage": "lineage",
}


def page() -> str:
    """Return what `mlops --help` prints; pure text over the catalogue, so it costs nothing."""
    lines = [
        "Usage: mlops [OPTIONS] COMMAND [ARGS]...",
        "",
        "  From raw data to a monitored model that retrains itself, with git as the",
        "  only database.",
    ]
    for section, title in SECTIONS.items():
        lines += ["", f"{title}:"]
        lines += [
            f"  {name:<10} {command.summary}"
            for name, command in COMMANDS.items()
            if command.section == section
        ]
    lines += ["", "options (before or after the command):"]
    more = (
        ("--version", "Print the version"),
        ("-h, --help", "Show help: mlops help COMMAND"),
        ("--install-completion", "Install completion for your shell"),
    )
    lines += [f"  {words:<21} {summary}" for words, summary in (*HELP, *more)]
    lines += ["", "Start with: mlops init, or mlops demo to see it all at work."]
    return "\n".join(lines) + "\n"

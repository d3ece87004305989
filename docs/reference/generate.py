"""Write the reference pages from the code: python docs/reference/generate.py [--check]."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

import mlops_cli
from mlops_cli import errors
from mlops_cli.cli.catalog import COMMANDS
from mlops_cli.cli.group import load
from mlops_cli.cli.options import HELP
from mlops_cli.cli.render.help import SECTIONS
from mlops_cli.config import SETTINGS
from mlops_cli.store.remotes import remote_words

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/reference/generate.py; edit the code and run it again. -->\n"

EXIT_CODES = {
    0: "done",
    1: "the answer is *no*: `status --check`, `verify`, `doctor`, and others that were asked",
    130: "interrupted (Control-C)",
    141: "the reader of stdout went away",
}
MONITOR_CHECK = {
    0: "quiet",
    1: "alarm",
    3: "warning",
    4: "a retrain is due",
    5: "not enough data",
}
VARIABLES = {
    "NO_COLOR": "any value: no colours, like `--no-color`",
    "CI": "any value: no progress bars, heartbeat lines instead; no questions",
    "MLOPS_NOW": "the time that commands take for now, such as `2013-02-01T00:00:00Z`",
    "XDG_CONFIG_HOME": "where your own settings are: `$XDG_CONFIG_HOME/mlops/config.yaml`",
}


def commands() -> str:
    """Return the page of all commands: their help, as it is printed."""
    lines = ["# Commands", "", NOTE, "Every command takes these, before or after its name:", ""]
    lines += [f"- `{words}`: {summary[0].lower()}{summary[1:]}" for words, summary in HELP]
    for section in (*SECTIONS, "plumbing"):  # which the first page of help has no room for
        for name, command in COMMANDS.items():
            if command.section == section:
                lines += ["", f"## mlops {name}", "", f"*{section}.* {command.summary}.", ""]
                lines += _help(load(name), f"mlops {name}")
    return "\n".join(lines) + "\n"


def _help(command: Any, path: str) -> Iterator[str]:
    context = typer.Context(
        command, info_name=path, terminal_width=80, help_option_names=["-h", "--help"]
    )
    command.epilog = None  # it stands once, at the top of the page
    yield from ("```text", command.get_help(context).rstrip(), "```")
    for name, child in getattr(command, "commands", {}).items():
        yield from ("", f"### {path} {name}", "")
        yield from _help(child, f"{path} {name}")


def exit_codes() -> str:
    """Return the page of exit codes and of the error codes behind each."""
    kinds = {kind.__name__: kind for kind in errors.MlopsError.__subclasses__()}
    kinds = {name: kind for name, kind in kinds.items() if kind.__module__ == errors.__name__}
    lines = ["# Exit codes", "", NOTE]
    lines += ["| exit code | meaning |", "|---|---|"]
    meanings = EXIT_CODES | {70: "our bug; the crash file that is named holds the details"}
    meanings |= {kind.exit_code: _meaning(kind) for kind in kinds.values()}
    lines += [f"| {code} | {meanings[code]} |" for code in sorted(meanings)]
    lines += ["", "Gaps are left on purpose; a code that is not here means failure.", ""]
    lines += ["`mlops monitor check` answers with the state of what is served:", ""]
    lines += ["| exit code | meaning |", "|---|---|"]
    lines += [f"| {code} | {words} |" for code, words in MONITOR_CHECK.items()]
    lines += ["", "## Error codes", ""]
    lines += ["The word in brackets behind a message, and `error.code` under `--json`.", ""]
    found = error_codes(kinds)
    for name, kind in kinds.items():
        words = ", ".join(f"`{code}`" for code in sorted(found.get(name, ())))
        lines += [f"**{kind.exit_code}**: {words or 'none yet'}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _meaning(kind: type[errors.MlopsError]) -> str:
    words = (kind.__doc__ or "").partition(";")[0].strip().rstrip(".")
    return words[:1].lower() + words[1:]


def error_codes(kinds: dict[str, type[errors.MlopsError]]) -> dict[str, set[str]]:
    """Return the codes that the package raises, by the class of the error."""
    found: dict[str, set[str]] = {}
    for path in Path(mlops_cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            for keyword in node.keywords:
                if name in kinds and keyword.arg == "code":
                    found.setdefault(name, set()).update(_texts(keyword.value))
    found.setdefault("OutsideWorld", set()).update(remote_words.WORDS)  # a table
    found.setdefault("MissingExtra", set()).add("missing-extra")  # written in MissingExtra.of
    return found


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))


def configuration() -> str:
    """Return the page of settings."""
    lines = ["# Configuration", "", NOTE]
    lines += ["A setting has its value from the first of these that names it:", ""]
    lines += [
        "1. a flag of the command",
        "2. the environment variable `MLOPS_…`",
        "3. `.mlops/config.local.yaml`: yours in this clone, ignored by git, the place for secrets",
        "4. `.mlops/config.yaml`: everyone's, committed",
        "5. `~/.config/mlops/config.yaml`: yours in all projects",
        "6. the default",
        "",
        "`mlops config list --origin` shows each value with its origin; `mlops config set` changes",
        "one and keeps the comments of the file.",
        "",
        "| setting | type | default | what it is | variable |",
        "|---|---|---|---|---|",
    ]
    for each in SETTINGS:
        kind = " \\| ".join(each.choices) if each.choices else each.kind
        default = "" if each.default is None else f"`{each.default}`"
        variable = "" if "*" in each.name else f"`MLOPS_{each.name.upper().replace('.', '_')}`"
        lines.append(f"| `{each.name}` | {kind} | {default} | {each.doc} | {variable} |")
    lines += ["", "`*` stands for a name that you choose: `remotes.origin.url`.", ""]
    lines += ["```yaml", "cache:", "  link: hardlink", "remotes:", "  origin:"]
    lines += ["    url: s3://bucket/prefix", "remote:", "  default: origin", "```", ""]
    lines += ["Other variables:", ""]
    lines += [f"- `{name}`: {words}" for name, words in VARIABLES.items()]
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "exit-codes.md": exit_codes,
    "configuration.md": configuration,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say which are not current."""
    stale = []
    for name, page in PAGES.items():
        path, text = HERE / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        word = "stale" if "--check" in arguments else "wrote"
        sys.stdout.write(f"{word} docs/reference/{name}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

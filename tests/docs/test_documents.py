"""Every command that the documents show is run, in order, one little world a document.

In a ```console block, a line that starts with `$ ` is run by bash; the lines below it must
appear in what it printed, in this order, where `…` stands for anything. A command that is
meant to fail says so: `$ mlops verify  # exit 40`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("docs/tutorial", "docs/how-to")
    for path in (ROOT / folder).glob("*.md")
    if "```console" in path.read_text()
)


def _commands(text: str) -> list[tuple[str, int, list[str]]]:
    commands: list[tuple[str, int, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                match = re.search(r"\s+# exit (\d+)$", line)
                command = line[2 : match.start()] if match else line[2:]
                commands.append((command, int(match[1]) if match else 0, []))
            elif line.startswith("> "):
                commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", *commands[-1][1:])
            elif line.strip():
                commands[-1][2].append(line.strip())
    return commands


def _shown(expected: str, printed: str) -> bool:
    words = [re.escape(part) for part in re.sub(r"\s+", " ", expected).split("…")]
    return re.search(".*".join(words), re.sub(r"[ \t]+", " ", printed)) is not None


def _environment(home: Path) -> dict[str, str]:
    beside = Path(sys.executable).parent
    return {
        "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Reader",
        "GIT_AUTHOR_EMAIL": "reader@example.com",
        "GIT_COMMITTER_NAME": "Reader",
        "GIT_COMMITTER_EMAIL": "reader@example.com",
        "COLUMNS": "100",
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_a_document_shows_does_what_the_document_says(
    document: str, tmp_path: Path
) -> None:
    home, here = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    here.mkdir()
    (home / ".gitconfig").write_text(
        "[init]\n\tdefaultBranch = main\n[user]\n\tname = Reader\n\temail = reader@example.com\n"
    )
    folder = here
    for command, code, expected in _commands((ROOT / document).read_text()):
        done = subprocess.run(
            ["bash", "-c", f"cd {folder} && {command}\ncode=$?; pwd > {tmp_path}/pwd; exit $code"],
            env=_environment(home),
            capture_output=True,
            text=True,
            timeout=300,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == code, f"{document}: $ {command}\n{printed}"
        for line in expected:
            assert _shown(line, printed), f"{document}: $ {command}\nno {line!r} in\n{printed}"
        folder = Path((tmp_path / "pwd").read_text().strip())


def test_the_documents_name_commands_that_exist() -> None:
    from mlops_cli.cli.catalog import COMMANDS

    unknown = {
        (path.name, word)
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for word in re.findall(r"`mlops ([a-z]+)[ `]", path.read_text())
        if word not in COMMANDS and word not in ("help",)
    }
    assert not unknown


def test_the_test_command_of_the_readme_is_what_ci_runs() -> None:
    text = (ROOT / "README.md").read_text()
    after = text.split("<!-- tests -->", 1)[1]
    assert re.search(r"^python3 -m venv .*pytest", after, re.M)
    assert shutil.which("git")

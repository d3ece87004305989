"""`mlops schedule`, with programs on the PATH that keep what crontab and systemctl were told."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CRONTAB = """\
#!/bin/sh
file=$HOME/crontab
case "$1" in
  -l) cat "$file" 2>/dev/null || { echo "no crontab for $USER" >&2; exit 1; } ;;
  -) [ ! -e "$HOME/refuses" ] || { echo "you may not" >&2; exit 1; }; cat > "$file" ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> "$HOME/systemctl"
case "$*" in *enable*) [ ! -e "$HOME/refuses" ] || { echo "no bus" >&2; exit 1; } ;; esac
"""
FOREIGN = "MAILTO=ada\n# mine\n5 4 * * * backup # of everything\n"


@pytest.fixture
def programs(environment: dict[str, str], home: Path, tmp_path: Path) -> Path:
    """The folder on the PATH with a crontab and a systemctl of our own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    return folder


def test_a_line_is_written_once_and_lines_of_others_stay(
    programs: Path, home: Path, mlops: Any, repo: Path, assert_valid: Any
) -> None:
    (home / "crontab").write_text(FOREIGN)
    first = mlops("schedule", "install", "--cron", "--json", code=0)
    assert_valid(first.json)
    (line,) = first.data["lines"]
    assert line.startswith(f"*/15 * * * * cd {repo} && ") and "mlops tick --quiet" in line
    assert (home / "crontab").read_text() == f"{FOREIGN}{line}\n"
    assert not mlops("schedule", "install", "--cron", "--json", code=0).data["changed"]
    assert "installed already" in mlops("schedule", "install", code=0).stdout

    other = mlops("schedule", "install", "--every", "1d", "--pull", "--json", code=0)
    text = (home / "crontab").read_text()
    assert text == f"{FOREIGN}{other.data['lines'][0]}\n" and "tick --quiet --pull" in text
    shown = mlops("schedule", "show", "--json", code=0)
    assert_valid(shown.json)
    assert shown.data["cron"] == other.data["lines"]
    assert_valid(mlops("schedule", "remove", "--dry-run", "--json", code=0).json)
    assert (home / "crontab").read_text() == text
    mlops("schedule", "remove", code=0)
    assert (home / "crontab").read_text() == FOREIGN
    assert "Nothing calls" in mlops("schedule", "show", code=0).stdout


def test_lines_of_two_projects_stand_beside_each_other(
    programs: Path, home: Path, mlops: Any, git: Any, repo: Path
) -> None:
    strange = repo.with_name("a 100% b's project")
    repo.rename(strange)
    git("init", "-q", str(repo), cwd=strange)
    for root in (repo, strange):
        mlops("schedule", "install", cwd=root, code=0)
        mlops("schedule", "install", "--every", "1h", cwd=root, code=0)
    rows = (home / "crontab").read_text().splitlines()
    assert len(rows) == 2
    assert r"100\%" in rows[1] and "100%" not in rows[1], "cron ends a command at a bare %"
    mlops("schedule", "remove", cwd=strange, code=0)
    assert (home / "crontab").read_text().splitlines() == rows[:1]


def test_the_line_of_the_crontab_does_what_it_says(
    programs: Path, home: Path, mlops: Any, git: Any, repo: Path, environment: dict[str, str]
) -> None:
    (repo / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps: {note: {cmd: echo x >> noted, always: true}}\n"
        'triggers: {n: {cron: "0 3 * * *", run: note}}\n'
    )
    git("add", "-A")
    git("commit", "-qm", "begin")
    (line,) = mlops("schedule", "install", "--json", code=0).data["lines"]
    command = line.split(maxsplit=5)[5]
    bare = {name: environment[name] for name in ("HOME", "MLOPS_NOW", "GIT_CONFIG_GLOBAL")}
    done = subprocess.run(["/bin/sh", "-c", command], env={**bare, "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, (repo / ".mlops/tick.log").read_text()
    assert (repo / "noted").read_text() == "x\n"


def test_a_timer_of_systemd_is_written_once_and_taken_away(
    programs: Path, home: Path, mlops: Any, repo: Path, assert_valid: Any
) -> None:
    first = mlops("schedule", "install", "--systemd", "--every", "6h", "--json", code=0)
    assert_valid(first.json)
    service, timer = (Path(name) for name in first.data["files"])
    assert service.parent == home / ".config/systemd/user"
    assert f"WorkingDirectory={repo}\n" in service.read_text()
    assert "OnCalendar=*-*-* 00/6:" in timer.read_text() and "Persistent=true" in timer.read_text()
    told = (home / "systemctl").read_text().splitlines()
    assert told[1:] == ["--user daemon-reload", f"--user enable --now {timer.name}"]
    assert not mlops("schedule", "install", "--systemd", "--every", "6h", "--json", code=0).data[
        "changed"
    ]
    assert (home / "systemctl").read_text().splitlines() == told
    assert str(timer) in mlops("schedule", "show", code=0).stdout
    mlops("schedule", "remove", code=0)
    assert not service.exists() and not timer.exists()
    assert f"--user disable --now {timer.name}" in (home / "systemctl").read_text()


def test_a_dry_run_writes_nothing(programs: Path, home: Path, mlops: Any, repo: Path) -> None:
    assert "Would write to the crontab" in mlops("schedule", "install", "-n", code=0).stdout
    mlops("schedule", "install", "--systemd", "--dry-run", code=0)
    assert sorted(path.name for path in home.iterdir()) == []


def test_what_cannot_be_installed_is_refused(
    programs: Path, home: Path, mlops: Any, repo: Path
) -> None:
    said = mlops("schedule", "install", "--every", "7m", "--json", code=2).error
    assert said["code"] == "bad-value" and "divides neither" in said["message"]
    both = mlops("schedule", "install", "--cron", "--systemd", "--json", code=2)
    assert both.error["code"] == "bad-combination"
    (home / "refuses").touch()
    refused = mlops("schedule", "install", "--cron", "--json", code=50)
    assert refused.error["code"] == "schedule-refused" and "you may not" in refused.error["message"]
    refused = mlops("schedule", "install", "--systemd", "--json", code=50)
    assert "no bus" in refused.error["message"]
    assert not list((home / ".config/systemd/user").iterdir()), "nothing half installed is left"


def test_without_a_crontab_the_other_way_is_named(
    mlops: Any, repo: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(shutil.which("git") or "")
    environment["PATH"] = str(tmp_path / "bin")
    refused = mlops("schedule", "install", "--cron", "--json", code=50)
    assert refused.error["code"] == "program-missing" and "--systemd" in refused.error["hint"]

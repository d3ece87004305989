"""Progress for people: bars on a terminal, heartbeat lines elsewhere, nothing for short work."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from mlops_cli.cli import bars
from mlops_cli.progress import SILENT, Working


def test_short_work_says_nothing_and_long_work_says_where_it_is_every_few_seconds(capsys):
    reporter = bars.Reporter(bars=False)
    with reporter.task("hash", total=2_000, unit="files") as task:
        task.advance(500)
        started = task.started
        reporter._beat(started + 4)
        assert capsys.readouterr().err == ""
        reporter._beat(started + 5)
        assert capsys.readouterr().err == "hash: 500 files of 2,000 files (25 %), 5 s\n"
        reporter._beat(started + 7)
        assert capsys.readouterr().err == ""
        task.advance(600)
        reporter._beat(started + 10)
        assert capsys.readouterr().err == "hash: 1,100 files of 2,000 files (55 %), 10 s\n"
    reporter._beat(started + 60)
    assert capsys.readouterr().err == ""


def test_bytes_are_told_in_units_and_an_unknown_end_without_percent():
    reporter = bars.Reporter(bars=False)
    with reporter.task("push", unit="B") as task:
        task.advance(3 << 20)
        assert task.line(task.started + 2) == "push: 3.0 MiB, 2 s"
        task.expect(6 << 20)
        assert task.line(task.started + 2) == "push: 3.0 MiB of 6.0 MiB (50 %), 2 s"


def test_quiet_reports_nothing_and_no_progress_only_sentences(capsys):
    assert bars.reporter(quiet=True, wanted=True, terminal=True) is SILENT
    reporter = bars.reporter(quiet=False, wanted=False, terminal=True)
    with reporter.task("push", total=1) as task:
        task.advance()
    reporter.say("Trained delay.")
    assert capsys.readouterr().err == "Trained delay.\n"


PROGRAM = """
from mlops_cli.cli import bars
bars.FIRST_BAR = 0
reporter = bars.Reporter(bars=True)
with reporter.task("hash", total=10, unit="files") as task:
    task.advance(4)
    while task.bar is None:
        pass
    reporter.say("Found [a] thing.")
print("done")
"""


def test_on_a_terminal_long_work_is_a_bar_and_sentences_stand_above_it():
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stderr=terminal,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 65536):
            shown += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(controller)
    assert process.communicate(timeout=60) == ("done\n", None)
    assert b"hash: 4 files of 10 files (40 %)" in shown
    assert b"Found [a] thing." in shown


def test_a_heartbeat_names_what_works_and_how_long_it_took_the_last_time(capsys):
    reporter = bars.Reporter(bars=False)
    with reporter.task("run", total=3, unit="steps") as task:
        task.watch(lambda: [Working("clean", 2.0), Working("train", 8.2, 40.0, "epoch 3")])
        reporter._beat(task.started + 5)
    told = "run: 0 steps of 3 steps (0 %), 5 s; train 8 s of about 40 s, clean 2 s\n"
    assert capsys.readouterr().err == told


STEPS = """
import time
from mlops_cli.cli import bars
from mlops_cli.progress import Working
bars.FIRST_BAR = 0
reporter = bars.Reporter(bars=True)
tail = "epoch 1\\r\\x1b[2Kepoch 2 \\x1b[31mred"
with reporter.task("run", total=2, unit="steps") as task:
    task.watch(lambda: [Working("train.delay", 12.0, 40.0, tail)])
    while not task.rows:
        pass
    with reporter.lock:
        reporter._display.refresh()
    task.watch(lambda: [])
    while task.rows:
        pass
"""


def test_on_a_terminal_each_step_that_runs_has_a_row_with_its_last_words():
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", STEPS],
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "90"},
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 65536):
            shown += piece
    except OSError:
        pass
    os.close(controller)
    assert process.wait(timeout=60) == 0
    assert b"train.delay: 12 s of about 40 s" in shown
    assert b"epoch 2 red" in shown
    assert b"epoch 1" not in shown

"""Figures that are logged while a step runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlops_cli.callbacks import Callbacks
from mlops_cli.live import POINTS, Live, parse, read


def test_points_come_back_in_order_with_their_steps(tmp_path: Path) -> None:
    run = Live(tmp_path / "live")
    run.log_metric("loss", 0.5)
    run.log_metric("loss", 0.25)
    run.log_metrics({"loss": 0.1}, step=10, accuracy=1)
    run.log_metric("loss", float("nan"))
    run.log_params(lr=0.1)
    run.log_param("lr", 0.2)
    found = parse(read(tmp_path / "live"))
    assert [(one.step, one.value) for one in found.metrics["loss"]] == [
        (0, 0.5),
        (1, 0.25),
        (10, 0.1),
        (11, None),
    ]
    assert found.last == {"loss": 0.1, "accuracy": 1.0}
    assert found.params == {"lr": 0.2}


def test_outside_of_a_step_nothing_is_logged_and_nothing_fails(tmp_path: Path) -> None:
    run = Live(None)
    run.log_metrics(loss=1)
    run.log_artifact(tmp_path / "not there")
    run.log_figure("f", object())
    assert not run.active


def test_a_killed_process_leaves_a_readable_prefix(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom mlops_cli.api import run\n"
        "for n in range(500): run.log_metrics(loss=n)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "MLOPS_LIVE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(parse(read(tmp_path)).metrics["loss"]) == 500
    whole = (tmp_path / POINTS).read_bytes()
    assert len(parse(whole[:-9]).metrics["loss"]) == 499, "a torn line says nothing"
    assert len(parse(b"\xff{]\n[1]\n" + whole).metrics["loss"]) == 500


def test_processes_of_one_step_log_into_one_file(tmp_path: Path) -> None:
    script = "from mlops_cli.live import Live; import sys\nrun = Live(sys.argv[1])\n"
    script += "for n in range(300): run.log_metrics({sys.argv[2]: n})"
    words = [sys.executable, "-c", script, str(tmp_path)]
    both = [subprocess.Popen([*words, name]) for name in ("a", "b")]
    assert [one.wait() for one in both] == [0, 0]
    found = parse(read(tmp_path))
    assert [[p.value for p in found.metrics[name]] for name in "ab"] == [list(range(300))] * 2


def test_a_thousand_points_take_less_than_80_ms(tmp_path: Path) -> None:
    run = Live(tmp_path)
    began = time.process_time()
    for n in range(1000):
        run.log_metrics({"loss": 1 / (n + 1), "accuracy": n / 1000}, step=n)
    assert time.process_time() - began < 0.08


def test_artifacts_and_figures_are_copies(tmp_path: Path) -> None:
    class Plotly:
        def to_html(self) -> str:
            return "<html>"

    class Pyplot:
        def savefig(self, place: Path, *, format: str) -> None:
            place.write_text(f"<{format}>")

    run = Live(tmp_path / "live")
    (tmp_path / "a.txt").write_text("then")
    run.log_artifact(tmp_path / "a.txt", "deep/a.txt")
    (tmp_path / "a.txt").write_text("now")
    run.log_figure("curve", Pyplot())
    run.log_figure("page", Plotly())
    run.log_figure("raw.png", b"\x89PNG")
    kept = tmp_path / "live/artifacts"
    names = sorted(p.relative_to(kept).as_posix() for p in kept.rglob("*.*"))
    assert names == ["curve.svg", "deep/a.txt", "page.html", "raw.png"]
    assert (kept / "deep/a.txt").read_text() == "then"
    for name in ("../out", "/etc/x", ""):
        with pytest.raises(ValueError, match="artifact"):
            run.log_figure(name, b"")
    with pytest.raises(TypeError, match="no figure"):
        run.log_figure("x", 3)


def test_a_loop_logs_the_mean_of_batches_by_their_rows(tmp_path: Path) -> None:
    batch = Callbacks(tmp_path).loop(every=2)
    for rows, loss in ((1, 1.0), (3, 2.0), (2, 5.0)):
        batch(rows=rows, loss=loss)
    assert batch.flush() == {"loss": 5.0}
    points = parse(read(tmp_path)).metrics["loss"]
    assert [(one.step, one.value) for one in points] == [(2, 1.75), (3, 5.0)]


def test_lightning_is_asked_for_only_where_it_was_imported(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="import lightning"):
        Callbacks(tmp_path).lightning()


def test_an_estimator_tells_its_params_and_curves(tmp_path: Path) -> None:
    class Estimator:  # what every estimator of scikit-learn has
        loss_curve_ = (0.5, 0.25)
        cv_results_ = {"mean_test_score": [0.1, 0.2]}  # noqa: RUF012
        best_score_ = 0.2

        def get_params(self) -> dict[str, object]:
            return {"alpha": 0.1, "inner": object()}

    Callbacks(tmp_path).sklearn(Estimator(), prefix="m.")
    found = parse(read(tmp_path))
    assert found.params == {"m.alpha": 0.1}
    assert found.last == {"m.loss_curve": 0.25, "m.mean_test_score": 0.2, "m.best_score": 0.2}
    assert all(json.loads(line) for line in read(tmp_path).splitlines())

"""Every command of the catalogue speaks JSON, on success and on failure, as the schemas say."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import mlflow_world
import pyarrow.parquet as pq
import pytest
from command import here

import mlops_cli.cli
from mlops_cli.cli.catalog import COMMANDS

TEMPLATE = Path(__file__).parents[2] / "templates/flights"
HEAVY = {"rich", "git", "fsspec", "asyncio", "pyarrow", "numpy", "torch", "onnx", "pydantic"}

# in an order in which each leaves what the next ones need; exit codes other than 0 are answers
READING = """
status · doctor --offline · config list · config get cache.dir · schema --list · diff HEAD~3 HEAD
ls · du --history · verify · verify --level sizes · verify delay@v1 · dag
compile airflow --dry-run
explain train.delay · feature list · feature profile data/weather · feature validate weather
feature get airport_now · feature history airport_now · feature test airport_now · runs list
reproduce HEAD --step data.weather
runs show · runs search step=train.delay · runs compare latest latest --why · runs export
models list · models show delay@production
models history delay · models card delay · models diff v1 production
deploy plan · deploy status · deploy logs
models inspect delay@v1 · export bom delay@v1 · audit delay@v1 · report · report -a audit
deploy history · monitor report · events list --all · lineage delay@production
run --dry-run · tick --dry-run · lineage delay --diff v1 · export openlineage --since 2013-03-01
export prov delay@v1 --up
schedule show · schedule install --systemd --dry-run · schedule remove --dry-run · merge
hooks list
merge-driver data/weather.mlops data/weather.mlops data/weather.mlops data/weather.mlops
predict batch out/delay/dataset/test.parquet -o TMP/answers.parquet --model delay@production
"""
CHANGING = """
init TMP/new · config set run.jobs 2 · config unset run.jobs · remote add here file://TMP/remote
remote default here · remote list · add data/weather · checkout data/weather · push · pull
verify --on here · unprotect data/weather
gc --dry-run · gc
move data/weather data/wind · move data/wind data/weather · remove data/weather --dry-run --force
hooks install · hooks run post-merge · hooks uninstall
remote remove here · tick --trust-clock · run data.weather · sweep train.lr=0.1 -s data.weather
runs apply latest --dry-run · runs recover --dry-run · runs compact --dry-run
train --dry-run · feature build airport_now
feature materialize airport_now · register · approve delay@v1 --reason fine
models alias delay@v1 night · models retire delay@night --reason done
models rollback delay@production --reason slow --dry-run
promote delay@v1 staging · deploy apply
predict prod --row-json ROW · monitor check --dry-run · monitor replay --from TMP/later
feedback late --to data · events show EVENT · events close EVENT --reason told
deploy rollback · deploy stop · get . data/weather -o TMP/got --rev HEAD
export dvc data/weather · import dvc --dry-run · import lfs · export dvc --dry-run
import gto --dry-run
import git . data/weather -o copy --rev HEAD · import url TMP/answers.json -o answers.json
update --dry-run
import mlflow TMP/mlruns --dry-run · export mlflow http://127.0.0.1:9 --where step=none --dry-run
"""


def words_of(table: str) -> list[list[str]]:
    lines = " · ".join(table.strip().splitlines()).split(" · ")
    return [line.split() for line in lines]


def commands() -> set[str]:
    """Return all that can be typed after `mlops`: commands, and commands of groups."""
    found = set()
    for name, command in COMMANDS.items():
        app = getattr(importlib.import_module(command.module), "app", None)
        below = app.registered_commands if app else []
        found |= {f"{name} {one.name or one.callback.__name__}" for one in below} or {name}
    return found


def check(document: Any) -> None:
    folder = Path(mlops_cli.cli.__file__).parent / "schemas"
    known = {(one := json.loads(path.read_text()))["$id"]: one for path in folder.glob("*.json")}
    if not document["ok"]:
        jsonschema.validate(document, known["mlops.error/1"])
        return
    jsonschema.validate(document, known["mlops.envelope/1"])
    jsonschema.validate(document["data"], known[document["schema"]])


def row(project: Any) -> str:
    """Return one flight with all that the model asks for, as JSON."""
    inputs = project.mlops("models", "show", "delay@production")["payload"]["inputs"]
    path = project.root / "out/delay/dataset/test.parquet"
    table = pq.read_table(path, columns=[column["name"] for column in inputs])
    return json.dumps(table.slice(0, 1).to_pylist()[0])


def newest_event(project: Any) -> str:
    """Return the id of the event that was opened last."""
    return str(project.here("events", "list")["events"][-1]["id"])


def asked(project: Any, words: list[str], tmp_path: Path) -> Any:
    given = [word.replace("TMP", str(tmp_path)) for word in words]
    given = [row(project) if word == "ROW" else word for word in given]
    given = [newest_event(project) if word == "EVENT" else word for word in given]
    done = project.run("mlops", *given, "--json", code=None)
    assert done.stdout.count("\n{") == 0, "one document"
    document = json.loads(done.stdout)
    check(document)
    return document


def test_the_tables_below_hold_every_command() -> None:
    typed = {" ".join(words) + " " for words in words_of(READING) + words_of(CHANGING)}
    missing = {name for name in commands() if not any(t.startswith(f"{name} ") for t in typed)}
    assert missing == {"demo"}, "add the new command to READING or CHANGING"


def test_commands_that_read_print_what_their_schema_says(demo: Any, tmp_path: Path) -> None:
    check({"schema": "mlops.demo/1", "ok": True, "data": demo.told, "warnings": []})
    for words in words_of(READING):
        document = asked(demo, words, tmp_path)
        assert document["ok"], (words, document)


def test_commands_that_change_print_what_their_schema_says(project: Any, tmp_path: Path) -> None:
    for kind in ("flights", "weather"):
        (tmp_path / f"later/data/{kind}").mkdir(parents=True)
        month = f"data/{kind}/2013-08.parquet"
        shutil.copy(TEMPLATE / month, tmp_path / "later" / month)
    (tmp_path / "answers.json").write_text("{}")
    mlflow_world.mlruns(tmp_path)
    key = str(tmp_path / "key")  # for approve; git signs nothing unasked with it
    project.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    project.git("config", "gpg.format", "ssh")
    project.git("config", "user.signingkey", key)
    for words in words_of(CHANGING):
        document = asked(project, words, tmp_path)
        assert document["ok"], (words, document)


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_wrong_option_is_answered_by_an_error_document(demo: Any, name: str) -> None:
    words = (*name.split(), "--no-such-option", "--json")
    done = here(words, demo.root, demo.environment())
    check(done.json)
    assert done.code == done.error["exit_code"] == 2
    assert done.error["code"] and done.error["message"]


@pytest.mark.parametrize("words", [["--help"], ["status"]])
def test_help_and_status_import_nothing_heavy(demo: Any, words: list[str]) -> None:
    program = "import sys\nfrom mlops_cli.__main__ import main\nmain()\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program, *words],
        cwd=demo.root,
        env=demo.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    timed = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    loaded = timed | set(done.stdout.splitlines()[-1].split())
    assert "mlops_cli.cli.main" in loaded
    assert not HEAVY & {name.partition(".")[0] for name in loaded}

"""`mlops import mlflow`: stores that a real MLflow wrote, read without it, and hostile ones."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import mlflow_world
import pytest

from mlops_cli.ledger.index import open_index
from mlops_cli.vcs.repo import Git

FINISHED = "naïve «1»"


@pytest.fixture
def project(repo: Path, git: Any) -> Path:
    (repo / ".mlops").mkdir()
    git("commit", "-q", "--allow-empty", "-m", "begin")
    return repo


def the_run(mlops: Any, name: str = FINISHED) -> dict[str, Any]:
    """Return the record of the run that MLflow calls `name`."""
    found = mlops("runs", "search", "step = flights/ünï", "--json", code=0).data["records"]
    (one,) = [r for r in found if r["mlflow"]["facts"]["name"] == name]
    return dict(one)


@pytest.mark.parametrize("store", ["database", "mlruns"])
def test_runs_come_with_params_metrics_series_and_artifacts(
    project: Path, mlops: Any, assert_valid: Any, tmp_path: Path, store: str
) -> None:
    path = getattr(mlflow_world, store)(tmp_path / "there")

    result = mlops("import", "mlflow", str(path), "--json", code=0)

    assert_valid(result.json)
    assert result.data["counts"]["run"] == {"left out": 2, "imported": 3}
    run = the_run(mlops)
    assert (run["status"], run["step_kind"]) == ("done", "mlflow")
    assert run["params"] == {"lr": 0.1, "depth": 3, "note": "0.10", "warm": True, "none": None}
    assert list(run["mlflow"]["long"]["params"]) == ["long"]  # its 5000 letters are in the cache
    assert (run["metrics"]["loss"], run["metrics"]["auc"], run["metrics"]["val"]) == (
        0.2,
        0.875,
        0.5,
    )
    assert run["metrics"]["nan"] is None
    assert run["mlflow"]["latest"]["nan"][2] == "nan"
    assert run["mlflow"]["tags"]["mlflow.note.content"] == "first\nline"
    (dataset,) = run["mlflow"]["inputs"]
    assert (dataset["name"], dataset["digest"]) == ("toy", "1f05548b")
    assert list(run["outputs"]) == ["model"]
    failed = the_run(mlops, "broken")
    assert (failed["status"], failed["params"]) == ("failed", {"lr": 1e-05})
    assert mlops("runs", "show", run["run"][:8], code=0).stdout.count("done") == 2


def test_a_number_in_a_condition_finds_runs_of_mlflow(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    mlops("import", "mlflow", str(mlflow_world.database(tmp_path)), code=0)

    found = mlops("runs", "search", "params.lr < .5 and metrics.auc > 0.8", "--json", code=0)

    assert [r["mlflow"]["facts"]["name"] for r in found.data["records"]] == [FINISHED]


def test_the_series_are_in_the_cache_word_for_word(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    from mlops_cli.integrations.mlflow import series
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.digest import Digest

    mlops("import", "mlflow", str(mlflow_world.mlruns(tmp_path)), code=0)

    data = open_cache(project / ".mlops/cache").read(Digest.parse(the_run(mlops)["series"]))
    points = [(p.step, p.value) for p in series.read(data) if p.key == "loss"]
    # MLflow 3 writes the values at step 0 again when a model is logged
    assert points == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25), (4, 0.2), (2, 0.75), (0, 1.0)]
    assert {str(p.value) for p in series.read(data) if p.key in ("inf", "neg")} == {"inf", "-inf"}


@pytest.mark.parametrize("store", ["database", "mlruns"])
def test_importing_again_changes_nothing_and_takes_what_is_new(
    project: Path, mlops: Any, git: Any, tmp_path: Path, store: str
) -> None:
    path = str(getattr(mlflow_world, store)(tmp_path / "there"))
    mlops("import", "mlflow", path, code=0)
    before = git("for-each-ref")

    again = mlops("import", "mlflow", path, "--json", code=0)
    assert again.data["counts"]["run"] == {"left out": 2, "unchanged": 3}
    assert git("for-each-ref") == before

    more = mlops("import", "mlflow", path, "--unfinished", "--json", code=0)
    assert more.data["counts"]["run"] == {"left out": 1, "unchanged": 3, "imported": 1}
    assert the_run(mlops, "still going")["status"] == "killed"


def test_a_run_that_went_on_replaces_what_was_imported(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    path = mlflow_world.database(tmp_path)
    mlops("import", "mlflow", str(path), code=0)
    with sqlite3.connect(path) as connection:
        connection.execute("update params set value = '0.3' where key = 'lr' and value = '0.1'")
    connection.close()

    result = mlops("import", "mlflow", str(path), "--json", code=0)

    assert result.data["counts"]["run"] == {"left out": 2, "unchanged": 2, "updated": 1}
    assert the_run(mlops)["params"]["lr"] == 0.3
    shown = mlops("runs", "show", the_run(mlops)["run"], "--json", code=0)
    assert len(shown.data["steps"]) == 1


def test_onnx_versions_and_aliases_become_tags_and_a_pickle_is_refused(
    project: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    path = str(mlflow_world.database(tmp_path))

    result = mlops("import", "mlflow", path, "--json", code=0)

    states = {(row["what"], row["name"]): row for row in result.data["rows"]}
    assert states["version", "delay@v2"]["reason"] == "it is delay@v1"
    assert "format" in states["version", "delay@v1"]["reason"]
    assert git("tag").split() == ["mlops/delay/@champion/1", "mlops/delay/v1"]
    shown = mlops("models", "show", "delay@champion", "--json", code=0).data
    assert "mlflow" in str(shown) or shown["version"] == 1


def test_numbers_of_imported_versions_are_given_on_the_git_remote(
    project: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    git("remote", "add", "origin", str(tmp_path / "bare"))
    git("clone", "-q", str(tmp_path / "bare"), str(tmp_path / "other"), cwd=tmp_path)
    for name, value in (("user.name", "Ada Lovelace"), ("user.email", "ada@example.org")):
        git("config", name, value, cwd=tmp_path / "other")
    (tmp_path / "other/.mlops").mkdir()
    first, second = (mlflow_world.database(tmp_path / name) for name in ("a", "b"))
    model = next(path for path in second.parent.rglob("*.onnx"))
    model.write_bytes(model.read_bytes() + b"\x1a\x00")  # another model, as good

    mlops("import", "mlflow", str(first), code=0)
    words = ("import", "mlflow", str(second), "--json")
    rows = mlops(*words, code=0, cwd=tmp_path / "other").data["rows"]

    told = {(row["what"], row["name"]): row for row in rows}
    assert told["version", "delay@v2"]["reason"] == "it is delay@v2", told
    assert "it means v1 here" in told["alias", "delay@champion"]["reason"]
    both = git("ls-remote", "--tags", "--refs", "origin").split()[1::2]
    assert both == [
        "refs/tags/mlops/delay/@champion/1",
        "refs/tags/mlops/delay/v1",
        "refs/tags/mlops/delay/v2",
    ]
    ledgers = git("ls-remote", "origin", "refs/mlops/ledger/*").splitlines()
    assert len(ledgers) == 2, "what a tag names went before it"


def test_an_import_that_was_cut_short_before_its_record_makes_up_for_it(
    project: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    path = str(mlflow_world.database(tmp_path / "there"))
    mlops("import", "mlflow", path, code=0)
    kinds = {"register", "promotion"}
    before = mlops("runs", "search", "step = flights/ünï", "--json", code=0).data["records"]
    git("update-ref", "-d", git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger").strip())

    mlops("import", "mlflow", path, code=0)

    after = mlops("runs", "search", "step = flights/ünï", "--json", code=0).data["records"]
    assert after == before
    with open_index(Git(project)) as index:
        assert {one.kind for one in index.newest() if one.kind in kinds} == kinds


def test_a_policy_lets_a_pickle_in_and_guards_an_alias(
    project: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    (project / "models").mkdir()
    (project / "models/delay.yaml").write_text(
        "version: 1\nformats: [onnx, pickle]\naliases:\n  champion:\n    gates: [golden]\n"
    )
    git("add", ".")
    git("commit", "-qm", "policy")

    result = mlops("import", "mlflow", str(mlflow_world.database(tmp_path)), "--json", code=0)

    states = {(row["what"], row["name"]): row for row in result.data["rows"]}
    assert "mlops promote delay@v2 champion" in states["alias", "delay@champion"]["reason"]
    assert git("tag").split() == ["mlops/delay/@old/1", "mlops/delay/v1", "mlops/delay/v2"]


def test_a_dry_run_says_what_would_be_and_changes_nothing(
    project: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    path = str(mlflow_world.mlruns(tmp_path))
    result = mlops("import", "mlflow", path, "--dry-run", "--json", code=0)

    assert result.data["counts"]["run"] == {"left out": 2, "imported": 3}
    assert "refs/mlops" not in git("for-each-ref")
    assert not (project / ".mlops/cache").exists()


def test_a_database_of_an_unknown_version_is_refused_by_name(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    path = mlflow_world.database(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("update alembic_version set version_num = 'feedfacecafe'")
    connection.close()

    error = mlops("import", "mlflow", str(path), "--json", code=10).error

    assert error["code"] == "unknown-mlflow-version"
    assert "feedfacecafe" in error["message"]


def test_what_is_no_store_of_mlflow_is_said(project: Path, mlops: Any, tmp_path: Path) -> None:
    (tmp_path / "garbage.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    (tmp_path / "empty").mkdir()

    for path, exit_code, code in (
        ("garbage.db", 40, "damaged-mlflow-db"),
        ("empty", 20, "no-mlflow-store"),
        ("nowhere", 20, "missing-path"),
    ):
        said = mlops("import", "mlflow", str(tmp_path / path), "--json", code=exit_code)
        assert said.error["code"] == code


def test_artifacts_outside_of_the_store_are_not_read(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    store = mlflow_world.mlruns(tmp_path / "there")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    metas = {path.parent.name: path for path in store.glob("4*/*/meta.yaml")}
    wanted = [
        ("13265de8b9e3452ebf7e70ea272f06d6", f"{secret}", "outside of the store"),
        ("13035049f0be4836b658775a7ecd9ed4", "s3://bucket/1", "--remote-artifacts"),
        ("1fc86270313b4853a899c36df24681de", "file://../../secret", ""),
    ]
    for name, uri, _ in wanted:
        meta = metas[name]
        lines = meta.read_text().splitlines()
        lines[0] = f"artifact_uri: {uri}"
        meta.write_text("\n".join(lines))
    (store / "486696452082320207/13265de8b9e3452ebf7e70ea272f06d6/artifacts/link").symlink_to(
        secret / "key"
    )

    rows = mlops("import", "mlflow", str(store), "--json", code=0).data["rows"]

    told = {row["name"]: row["reason"] for row in rows if row["what"] == "artifacts"}
    for name, _, why in wanted:
        assert why in told.get(name, ""), told
    assert "private" not in str(list((project / ".mlops/cache").rglob("*")))
    for path in (project / ".mlops/cache").rglob("*"):
        assert not path.is_file() or b"private" not in path.read_bytes()


def test_a_url_that_leads_to_this_machine_is_no_remote_place(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    store = mlflow_world.mlruns(tmp_path / "there")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("private")
    metas = [next(store.glob(f"4*/{run}*/meta.yaml")) for run in ("13265", "13035", "1fc86")]
    for meta, scheme in zip(metas, ("local", "simplecache::file", "dir"), strict=True):
        lines = meta.read_text().splitlines()
        meta.write_text("\n".join([f"artifact_uri: {scheme}://{tmp_path}/secret", *lines[1:]]))

    words = ("import", "mlflow", str(store), "--remote-artifacts", "--json")
    rows = mlops(*words, code=0).data["rows"]

    told = [row["reason"] for row in rows if row["what"] == "artifacts"]
    assert len(told) == 3 and all("where mlops reads none" in why for why in told)


def test_what_was_taken_stays_when_its_place_is_gone(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    store = mlflow_world.mlruns(tmp_path / "there")
    mlops("import", "mlflow", str(store), code=0)
    before = the_run(mlops)
    for folder in store.glob("4*/*/artifacts"):
        shutil.rmtree(folder)

    counts = mlops("import", "mlflow", str(store), "--json", code=0).data["counts"]

    assert counts["run"] == {"left out": 2, "unchanged": 3}
    assert the_run(mlops)["artifacts"] == before["artifacts"]


def test_hostile_yaml_is_named_and_left_out(project: Path, mlops: Any, tmp_path: Path) -> None:
    store = mlflow_world.mlruns(tmp_path)
    metas = sorted(store.glob("4*/1*/meta.yaml"))
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)
    )
    for meta, text in zip(
        metas, (bomb, "[" * 100_000, "!!python/object:os.system x"), strict=False
    ):
        meta.write_text(text)

    result = mlops("import", "mlflow", str(store), "--json", code=0)

    reasons = [row["reason"] for row in result.data["rows"] if row["what"] == "run"]
    assert sum("cannot be read" in reason for reason in reasons) == 3


def test_unicode_huge_params_and_broken_names_come_through(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    store = mlflow_world.mlruns(tmp_path)
    run = store / "486696452082320207/13265de8b9e3452ebf7e70ea272f06d6"
    (run / "params").mkdir()
    (run / "params/größe").write_text("ü" * 5_000_000, encoding="utf-8")
    (run / "params/a").mkdir()
    (run / "params/a/b").write_text("1e400")
    (run / "params" / "\udcff").write_text("x")

    mlops("import", "mlflow", str(store), code=0)

    told = the_run(mlops, "onnx")
    assert told["params"] == {"a/b": "1e400", "�": "x"}
    assert list(told["mlflow"]["long"]["params"]) == ["größe"]
    assert len(str(told)) < 5000


def test_names_of_strangers_reach_no_terminal_as_they_are(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    run = tmp_path / "mlruns/1/abcdef0123"
    (run / "metrics").mkdir(parents=True)
    (run.parent / "meta.yaml").write_text('name: "a\\x1b[31mb"\nlifecycle_stage: active\n')
    (run / "meta.yaml").write_text("status: 3\nstart_time: 1\nend_time: 9\nrun_name: \x1bx\n")
    (run / "metrics/lo\x1b[31mss").write_text("5 0.5 0\n")

    said = mlops("import", "mlflow", str(tmp_path / "mlruns")).stdout
    (run / "meta.yaml").write_text(f"status: 3\nstart_time: 1\nend_time: {'9' * 20}\n")
    said += mlops("import", "mlflow", str(tmp_path / "mlruns"), code=0).stdout
    said += mlops("runs", "show", "abcdef", code=0).stdout
    said += mlops("runs", "list", code=0).stdout

    assert "\x1b" not in said
    assert "31mss 0.5" in said

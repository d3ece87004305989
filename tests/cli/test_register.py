"""`mlops register`: a trained model becomes a version, or nothing happens."""

import json

SHA = "sha256:"


def test_a_trained_model_becomes_the_next_version(mlops, git, trained, assert_valid):
    result = mlops("register", "--json", cwd=trained, code=0)
    assert_valid(result.json)
    data = result.data
    assert (data["model"], data["version"], data["created"]) == ("storm", 2, True)
    assert data["metrics"]["roc_auc"] > 0.75 and data["dirty"] == []
    assert data["parity"]["passed"] and data["golden"]["passed"]
    assert git("tag", cwd=trained).split() == ["mlops/storm/v1", "mlops/storm/v2"]
    assert git("status", "--porcelain", cwd=trained) == ""


def test_the_same_model_again_is_the_same_version(mlops, git, trained):
    first = mlops("register", "--json", cwd=trained, code=0).data
    again = mlops("register", "storm", "--json", cwd=trained, code=0).data
    assert again == first | {"created": False}
    found = mlops("lineage", "storm@v2", "--json", cwd=trained, code=0)
    assert found.stdout.count('"kind": "version"') == 1


def test_a_model_whose_run_no_ledger_here_tells_of_is_not_registered(mlops, git, trained):
    tags = git("tag", cwd=trained)
    for ref in git("for-each-ref", "--format=%(refname)", "refs/mlops", cwd=trained).split():
        git("update-ref", "-d", ref, cwd=trained)
    error = mlops("register", "--json", cwd=trained, code=30).error
    assert error["code"] == "no-run" and "mlops pull" in error["hint"]
    assert git("tag", cwd=trained) == tags


def test_the_bundle_holds_all_that_serving_needs_and_says_what_it_was_made_of(mlops, trained):
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.digest import Digest
    from mlops_cli.store.tree import parse_tree

    data = mlops("register", "--json", cwd=trained, code=0).data
    cache = open_cache(trained / ".mlops/cache")
    files = {entry.name: entry for entry in parse_tree(cache.read(Digest.parse(data["bundle"])))}
    assert set(files) == {
        "card.md",
        "golden.arrow",
        "metrics.json",
        "model.onnx",
        "predictions.parquet",
        "profile.json",
        "provenance.json",
        "schema.json",
        "scores.json",
        "slices.json",
        "training.json",
    }
    assert files["model.onnx"].digest == data["digest"]
    assert files["card.md"].digest == data["card"]
    statement = json.loads(cache.read(files["provenance.json"].digest))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"][0]["digest"]["sha256"] == data["digest"].removeprefix(SHA)
    definition = statement["predicate"]["buildDefinition"]
    materials = {item["name"] for item in definition["resolvedDependencies"]}
    assert materials == {"data/days.parquet", "src/train.py", "commit"}
    assert [step["step"] for step in definition["internalParameters"]["steps"]] == [
        "data.days",
        "dataset.storm",
        "train.storm",
        "evaluate.storm",
    ]
    assert statement["predicate"]["runDetails"]["metadata"]["invocationId"] == data["run"]


def test_lineage_leads_from_the_version_to_its_data(mlops, trained):
    mlops("register", cwd=trained, code=0)
    found = mlops("lineage", "storm@v2", "--json", cwd=trained, code=0).stdout
    for step in ("train.storm", "dataset.storm", "data/days.parquet"):
        assert step in found


def test_a_stale_step_is_refused_by_name_and_nothing_is_made(mlops, git, trained, assert_valid):
    (trained / "params.yaml").write_text("train: {epochs: 31}\n")
    result = mlops("register", "--json", cwd=trained, code=30)
    assert_valid(result.json)
    assert result.error["code"] == "stale"
    assert "train.storm is stale" in result.error["message"]
    assert result.error["hint"] == "mlops run evaluate.storm"
    assert git("tag", cwd=trained).split() == ["mlops/storm/v1"]


def test_outputs_that_are_gone_are_refused_too(mlops, trained):
    (trained / "out/storm/model/model.onnx").unlink()
    assert mlops("register", "--json", cwd=trained, code=30).error["code"] == "stale"


def test_objects_that_are_not_in_the_cache_are_named(mlops, git, trained):
    from mlops_cli.store.cache import open_cache

    model = trained / "out/storm/model/schema.json"
    from mlops_cli.store.digest import Digest

    cache = open_cache(trained / ".mlops/cache")
    path = cache.objects.path(Digest.of(model.read_bytes()))
    path.unlink()
    error = mlops("register", "--json", cwd=trained, code=20).error
    assert error["code"] == "missing-object" and "schema.json" in error["message"]
    assert git("tag", cwd=trained).split() == ["mlops/storm/v1"]


def test_a_damaged_model_is_refused(mlops, git, trained):
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.digest import Digest

    digest = Digest.of((trained / "out/storm/model/model.onnx").read_bytes())
    path = open_cache(trained / ".mlops/cache").objects.path(digest)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    error = mlops("register", "--json", cwd=trained, code=40).error
    assert error["code"] == "damaged-object"
    assert git("tag", cwd=trained).split() == ["mlops/storm/v1"]


def lock_says(root, golden):
    """Let the lock of evaluate tell of the golden answers what `golden` says, or nothing."""
    path = root / ".mlops/lock/evaluate.storm.json"
    lock = json.loads(path.read_text())
    found = lock["facts"].pop("golden")
    if golden is not None:
        lock["facts"]["golden"] = found | golden
    path.write_text(json.dumps(lock))
    return found


def test_golden_answers_that_evaluate_did_not_try_are_tried_here(mlops, trained):
    found = lock_says(trained, None)
    assert found["rows"] > 0
    assert mlops("register", "--json", cwd=trained, code=0).data["golden"] == found


def test_other_answers_than_the_golden_ones_are_refused(mlops, git, trained):
    lock_says(trained, {"max_abs": 0.5, "allowed": 1.0, "passed": True})
    error = mlops("register", "--json", cwd=trained, code=40).error
    assert error["code"] == "golden-mismatch" and "off by 0.5" in error["message"]
    assert git("tag", cwd=trained).split() == ["mlops/storm/v1"]


def test_unknown_models_and_missing_cards_are_named(mlops, trained):
    assert (
        mlops("register", "rain", "--json", cwd=trained, code=20).error["code"] == "unknown-model"
    )
    (trained / "models/storm.md").unlink()
    error = mlops("register", "--json", cwd=trained, code=10).error
    assert error["code"] == "card-missing" and "models/storm.md" in error["message"]


def test_what_was_not_committed_is_told(mlops, trained):
    (trained / "models/storm.md").write_text("# storm\n\nOther words.\n")
    (trained / "notes.txt").write_text("not part of the model\n")
    result = mlops("register", cwd=trained, code=0)
    assert "Not committed when it was registered: models/storm.md." in result.stdout


def test_run_registers_when_the_action_is_named(mlops, git, trained):
    mlops("run", "register.storm", cwd=trained, code=0)
    assert "mlops/storm/v2" in git("tag", cwd=trained).split()


def test_a_crash_between_tag_and_record_is_mended_by_the_same_command(mlops, git, trained):
    mlops("register", cwd=trained, code=0)
    ref = git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger", cwd=trained).split()[0]
    git("update-ref", ref, f"{ref}~1", cwd=trained)  # the record never came to be
    (trained / ".mlops/index.sqlite").unlink(missing_ok=True)
    before = git("rev-list", "--count", ref, cwd=trained)
    assert mlops("register", "--json", cwd=trained, code=0).data["created"] is False
    assert int(git("rev-list", "--count", ref, cwd=trained)) == int(before) + 1

"""`mlops promote`: an alias moves on evidence, and only on evidence."""


def rules(data):
    return {rule["name"]: rule["passed"] for rule in data["rules"]}


def test_the_first_champion_has_nobody_to_beat(mlops, git, trained, assert_valid):
    result = mlops("promote", "storm@v1", "trial", "--json", cwd=trained, code=0)
    assert_valid(result.json)
    data = result.data
    assert data["moved"] and data["former"] is None and data["event"] == 1
    assert rules(data) == {"golden": True, "better than trial on roc_auc": True, "clean_tree": True}
    assert data["rules"][1]["why"] == "there is no trial yet"
    assert "mlops/storm/@trial/1" in git("tag", cwd=trained).split()


def test_a_better_challenger_takes_the_alias_and_a_worse_one_does_not(
    mlops, git, trained, assert_valid
):
    mlops("register", cwd=trained, code=0)
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    data = mlops("promote", "storm", "trial", "--json", cwd=trained, code=0).data
    assert (data["version"], data["former"], data["moved"]) == (2, 1, True)
    evidence = data["rules"][1]["evidence"]
    assert evidence["challenger"] > 0.75 > evidence["champion"] and evidence["p_value"] < 0.001
    assert evidence["test"] == "delong" and evidence["n"] == 450
    assert len(data["records"]) == 2  # the comparison, and the promotion it led to
    refused = mlops("promote", "storm@v1", "trial", "--json", cwd=trained, code=30)
    assert_valid(refused.json)
    assert refused.error["code"] == "gate-refused"
    assert "better than trial on roc_auc" in refused.error["message"]
    assert rules(refused.error["details"])["better than trial on roc_auc"] is False
    assert "mlops/storm/@trial/3" not in git("tag", cwd=trained).split()
    shown = mlops("models", "history", "storm@trial", cwd=trained, code=0).stdout
    assert "v2" in shown


def test_a_dry_run_answers_and_changes_nothing(mlops, git, trained, assert_valid):
    before = git("for-each-ref", cwd=trained)
    no = mlops("promote", "storm@v1", "production", "--dry-run", cwd=trained, code=1)
    assert "closed  staging" in no.stdout
    assert "storm@v1 may not become production, which is nothing now." in no.stdout
    yes = mlops("promote", "storm@v1", "trial", "--dry-run", "--json", cwd=trained, code=0)
    assert_valid(yes.json)
    assert yes.data["passed"] and not yes.data["moved"] and yes.data["event"] is None
    assert git("for-each-ref", cwd=trained) == before


def test_a_gate_that_names_an_alias_asks_for_its_gates(mlops, trained):
    mlops("register", cwd=trained, code=0)
    error = mlops("promote", "storm@v1", "production", "--json", cwd=trained, code=30).error
    assert "staging (the gates of staging are closed)" in error["message"]
    mlops("promote", "storm@v2", "production", "--reason", "it is good", cwd=trained, code=0)
    history = mlops("models", "history", "storm@production", cwd=trained, code=0).stdout
    assert "it is good" in history


def test_promoting_what_the_alias_means_already_is_no_event(mlops, git, trained):
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    again = mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    assert "storm@trial is v1 already." in again.stdout
    assert "mlops/storm/@trial/2" not in git("tag", cwd=trained).split()


def test_code_that_is_not_committed_keeps_the_gate_closed_until_it_is(mlops, git, trained):
    (trained / "models/storm.md").write_text("# storm\n\nOther words.\n")
    mlops("register", cwd=trained, code=0)
    error = mlops("promote", "storm", "trial", "--json", cwd=trained, code=30).error
    assert "clean_tree (files differ from the commit)" in error["message"]
    git("commit", "-qam", "other words", cwd=trained)
    mlops("promote", "storm", "trial", cwd=trained, code=0)


def test_what_does_not_exist_is_named(mlops, trained):
    cases = {
        ("rain", "trial"): (20, "unknown-model"),
        ("storm@v9", "trial"): (20, "unknown-version"),
        ("storm", "gold"): (10, "unknown-alias"),
        ("storm@trial", "trial"): (2, "bad-version"),
    }
    for words, (code, name) in cases.items():
        error = mlops("promote", *words, "--json", cwd=trained, code=code).error
        assert error["code"] == name, words


def test_test_rows_that_are_not_here_are_asked_for(mlops, trained):
    import shutil

    mlops("register", cwd=trained, code=0)
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    shutil.rmtree(trained / ".mlops/cache/objects")
    error = mlops("promote", "storm@v2", "trial", "--json", cwd=trained, code=20).error
    assert error["code"] == "missing-object" and error["hint"] == "mlops pull"

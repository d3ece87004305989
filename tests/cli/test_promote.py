"""`mlops promote`: an alias moves on evidence, and only on evidence."""

import pytest


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
    name = f"storm@{yes.data['digest'][:20]}"
    assert mlops("promote", name, "trial", "--dry-run", "--json", cwd=trained).data == yes.data
    assert git("for-each-ref", cwd=trained) == before


def test_a_gate_that_names_an_alias_asks_for_its_gates(mlops, trained):
    mlops("register", cwd=trained, code=0)
    error = mlops("promote", "storm@v1", "production", "--json", cwd=trained, code=30).error
    assert "staging (the gates of staging are closed: metrics.roc_auc" in error["message"]
    mlops("promote", "storm@v2", "production", "--reason", "it is good", cwd=trained, code=0)
    history = mlops("models", "history", "storm@production", cwd=trained, code=0).stdout
    assert "it is good" in history


def test_promoting_what_the_alias_means_already_is_no_event(mlops, git, trained):
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    again = mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    assert "storm@trial is v1 already." in again.stdout
    assert "mlops/storm/@trial/2" not in git("tag", cwd=trained).split()


def test_a_promotion_that_died_before_its_record_is_completed_by_the_same_again(mlops, trained):
    from datetime import UTC, datetime

    from mlops_cli.registry.registry import Registry
    from mlops_cli.vcs.repo import Git

    def recorded():
        words = ("runs", "search", "--kind", "promotion", "alias=trial", "--json")
        return len(mlops(*words, cwd=trained, code=0).data["records"])

    mine = Git(trained)
    Registry(mine).move("storm", "trial", 1, policy={}, evidence={}, actor=str(mine.identity()),
                        reason="mine", time=datetime(2013, 3, 1, tzinfo=UTC))  # fmt: skip
    assert recorded() == 0
    for _ in range(2):
        mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
        assert recorded() == 1


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


POLICY = """\
version: 1
owner: forecast
aliases:
  production:
    gates:
      - metrics.roc_auc >= 0.7
      - {better_than: production, on: roc_auc, test: paired, alpha: 0.05}
      - {not_worse_than: production, on: log_loss, margin: 0.05}
      - {slices: origin, on: roc_auc, at_least: 0.6, worse_by: 0.1}
      - parity
      - golden
      - {formats: [onnx]}
      - {clean_tree: patch}
      - protected_branch
      - data_valid
      - {data_age: 20000d}
      - {reuse: 2, on: roc_auc}
      - card
"""


def commit_policy(git, root, text):
    (root / "models/storm.yaml").write_text(text)
    git("add", "models/storm.yaml", cwd=root)
    git("commit", "-qm", "a policy", cwd=root)


def forge(root, version, alias="production", **more):
    """Move the alias as somebody would who writes tags and asks nothing."""
    from datetime import UTC, datetime

    from mlops_cli.registry.registry import Registry
    from mlops_cli.vcs.repo import Git

    now = datetime(2013, 3, 1, tzinfo=UTC)
    words = {"actor": "Eve", "reason": "trust me", "time": now, **more}
    return Registry(Git(root)).move("storm", alias, version, policy={}, evidence={}, **words)


def test_every_rule_of_a_policy_is_shown_with_its_evidence(mlops, git, trained, assert_valid):
    commit_policy(git, trained, POLICY)
    mlops("register", cwd=trained, code=0)
    forge(trained, 1)
    words = ("promote", "storm@v2", "production", "--dry-run", "--json")
    result = mlops(*words, cwd=trained, code=0)
    assert_valid(result.json)
    found = {rule["name"]: rule for rule in result.data["rules"]}
    assert found["data_valid"]["evidence"]["sources"]["days"]["rules"] > 1
    assert len(found) == 13 and all(rule["passed"] and rule["why"] for rule in found.values())
    assert result.data["policy"]["file"] == "models/storm.yaml"
    assert result.data["policy"]["branch"] == "main"
    better = found["better than production on roc_auc"]["evidence"]
    assert better["version"] == 1 and better["rows"].startswith("sha256:")
    low, high = better["interval"]
    assert low < better["difference"] < high and better["more"] is None
    slices = found["slices of origin on roc_auc against production"]["evidence"]["slices"]
    assert [each["slice"] for each in slices] == ["EWR", "JFK", "LGA"]
    assert all(each["loss"] < 0 for each in slices), "v1 is useless everywhere"
    uses = found["test rows used at most 2 times on roc_auc"]["evidence"]
    assert uses["uses"] == 1 and 0.1 < uses["tolerance"] < 0.2 and uses["effective"] < uses["n"]


def test_a_rule_does_not_pass_on_the_evidence_of_its_neighbour(mlops, git, trained):
    loss = "{slices: origin, on: roc_auc, worse_by: 0.01, than: trial}"
    bound = "{slices: origin, on: roc_auc, at_least: 0.1}"
    commit_policy(git, trained, f"aliases: {{trial: {{gates: [{loss}, {bound}]}}}}\n")
    mlops("register", cwd=trained, code=0)
    mlops("promote", "storm@v2", "trial", cwd=trained, code=0)
    found = mlops("promote", "storm@v1", "trial", "--dry-run", "--json", cwd=trained, code=1).data
    assert rules(found) == {
        "slices of origin on roc_auc against trial": False,
        "slices of origin on roc_auc": True,
    }


def test_the_budget_of_the_test_rows_is_spent_by_decisions_not_by_looks(mlops, git, trained):
    commit_policy(git, trained, "aliases: {production: {gates: [{reuse: 1}]}}\n")
    mlops("register", cwd=trained, code=0)
    for _ in range(2):
        mlops("promote", "storm@v1", "production", "--dry-run", cwd=trained, code=0)
    mlops("promote", "storm@v1", "production", cwd=trained, code=0)
    error = mlops("promote", "storm@v2", "production", "--json", cwd=trained, code=30).error
    assert "this is use 2 of 1" in error["message"] and "bring new test rows" in error["message"]


def test_a_champion_that_was_retired_is_no_rival_and_a_damaged_one_is_an_error(mlops, git, trained):
    mlops("register", cwd=trained, code=0)
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    version = mlops("models", "show", "storm@v1", "--json", cwd=trained, code=0).data
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.digest import Digest

    forge(trained, None, "trial")
    data = mlops("promote", "storm@v2", "trial", "--dry-run", "--json", cwd=trained, code=0).data
    assert data["rules"][1]["why"] == "trial was retired, there is nobody to beat"
    forge(trained, 1, "trial")
    cache = open_cache(trained / ".mlops/cache")
    path = cache.objects.path(Digest.parse(version["payload"]["digest"]))
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    error = mlops("promote", "storm@v2", "trial", "--json", cwd=trained, code=40).error
    assert version["payload"]["digest"] in error["message"]


def test_deploy_judges_again_whatever_the_event_says(mlops, git, trained):
    pipeline = trained / "pipeline.yaml"
    served = "deployments:\n  prod: {model: storm@production, target: {kind: local, port: 0}}\n"
    pipeline.write_text(pipeline.read_text() + served)
    git("commit", "-qam", "serve it", cwd=trained)
    commit_policy(git, trained, "aliases: {production: {gates: [metrics.roc_auc >= 0.7]}}\n")
    forge(trained, 1)
    git("switch", "-qc", "mine", cwd=trained)
    commit_policy(git, trained, "aliases: {production: {gates: []}}\n")
    error = mlops("deploy", "apply", "prod", "--json", cwd=trained, code=30).error
    assert error["code"] == "gate-refused"
    assert "metrics.roc_auc >= 0.7 (metrics.roc_auc is 0.5" in error["message"]
    assert error["details"]["event"] == "mlops/storm/@production/1"
    for words in ((), ("--dry-run",)):  # it is so already, and no reason to call its gates open
        already = mlops("promote", "storm@v1", "production", *words, "--json", cwd=trained)
        assert already.code == (1 if words else 30)


def test_a_challenger_is_judged_again_like_a_champion(mlops, git, trained):
    pipeline = trained / "pipeline.yaml"
    pipeline.write_text(
        pipeline.read_text() + "deployments:\n  prod:\n    model: storm@production\n"
        "    challengers: [{model: storm@trial, mode: shadow}]\n"
        "    target: {kind: local, port: 0}\n"
    )
    git("commit", "-qam", "serve both", cwd=trained)
    mlops("register", cwd=trained, code=0)
    mlops("promote", "storm@v2", "production", cwd=trained, code=0)
    commit_policy(git, trained, "aliases: {trial: {gates: [metrics.roc_auc >= 0.7]}}\n")
    forge(trained, 1, "trial")
    error = mlops("deploy", "apply", "prod", "--json", cwd=trained, code=30).error
    assert error["code"] == "gate-refused"
    assert error["message"].startswith("storm@v1 may not serve as trial, whatever")


def test_a_model_that_nobody_inspected_reads_no_file_of_ours(mlops, git, trained):
    """onnxruntime loads `external data` from the present folder, also for bytes in memory."""
    onnx = pytest.importorskip("onnx")
    from mlops_cli.registry.registry import Registry
    from mlops_cli.store.cache import open_cache
    from mlops_cli.vcs.repo import Git

    registry, cache = Registry(Git(trained)), open_cache(trained / ".mlops/cache")
    v1 = registry.version("storm", 1)
    thief = onnx.load_model_from_string(cache.read(v1.digest))
    weights = next(each for each in thief.graph.initializer if len(each.raw_data) > 4)
    size, weights.raw_data = len(weights.raw_data), b""
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "pipeline.yaml"), ("length", str(size))):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    with cache.writer() as writer:
        digest = writer.put(thief.SerializeToString())
    registry.create("storm", {**v1.payload, "digest": digest})  # as who pushes a tag could
    error = mlops("promote", "storm@v2", "trial", "--json", cwd=trained, code=40).error
    assert error["code"] == "external-data" and "'pipeline.yaml'" in error["message"]


def test_a_policy_on_a_local_main_counts_once_it_is_pushed(mlops, git, trained, tmp_path):
    git("branch", "-M", "main", cwd=trained)
    commit_policy(git, trained, "aliases: {trial: {gates: [metrics.roc_auc >= 0.7]}}\n")
    git("init", "-q", "--bare", str(tmp_path / "forge.git"))
    git("remote", "add", "origin", str(tmp_path / "forge.git"), cwd=trained)
    git("push", "-qu", "origin", "main", cwd=trained)
    commit_policy(git, trained, "aliases: {trial: {gates: [metrics.roc_auc >= 0.5]}}\n")
    refused = mlops("promote", "storm@v1", "trial", "--json", cwd=trained, code=30)
    assert refused.error["code"] == "gate-refused"
    note = refused.json["warnings"][0]
    assert note.startswith("policy-ignored: models/storm.yaml here asks something else of trial")
    assert note.endswith("what origin/main says counts, so push it there first")
    git("push", "-q", cwd=trained)
    git("update-ref", "refs/remotes/origin/main", "HEAD~1", cwd=trained)  # pushed from elsewhere
    data = mlops("promote", "storm@v1", "trial", "--json", cwd=trained, code=0).data
    assert data["moved"] and data["policy"]["branch"] == "origin/main"


def test_an_honest_promotion_is_judged_the_same_again(mlops, git, trained):
    from mlops_cli.errors import StateRefused
    from mlops_cli.ledger.append import open_ledger
    from mlops_cli.registry.protected import branch
    from mlops_cli.registry.registry import Registry
    from mlops_cli.store.cache import open_cache
    from mlops_cli.training.action import Work
    from mlops_cli.training.rejudge import rejudge
    from mlops_cli.vcs.repo import Git

    mlops("register", cwd=trained, code=0)
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    first = mlops("promote", "storm@v2", "trial", "--json", cwd=trained, code=0).data
    mine = Git(trained)
    cache, ledger = open_cache(trained / ".mlops/cache"), open_ledger(mine)
    parts = Work(trained, mine, cache, ledger, Registry(mine))
    again = rejudge(parts, "storm", "trial", 2, protected=branch(mine, None))
    assert again is not None and again.plain()["rules"] == first["rules"]
    assert rejudge(parts, "rain", "trial", 2, protected=branch(mine, None)) is None

    mlops("models", "rollback", "storm@trial", "--reason", "too eager", cwd=trained, code=0)
    back = rejudge(parts, "storm", "trial", 1, protected=branch(mine, None))
    assert back is not None and back.rules[1].why == "there is no trial yet", "as when it first was"
    forge(trained, 2, "production")
    forge(trained, 1, "production", action="rollback")
    with pytest.raises(StateRefused, match="which production never meant"):
        rejudge(parts, "storm", "production", 1, protected=branch(mine, None))


def test_a_forge_that_takes_no_ledger_gets_no_event_until_it_has_a_branch(
    mlops, git, trained, tmp_path
):
    forge = tmp_path / "forge.git"
    git("branch", "-M", "main", cwd=trained)
    git("init", "-q", "--bare", str(forge))
    git("remote", "add", "origin", str(forge), cwd=trained)
    git("push", "-q", "origin", "main", cwd=trained)
    hook = forge / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\ngrep -q ' refs/mlops/' && exit 1 || exit 0\n")
    hook.chmod(0o755)
    error = mlops("promote", "storm@v1", "trial", "--json", cwd=trained, code=50).error
    assert error["code"] == "refs-refused" and "ledger.branch" in error["hint"]
    assert git("tag", cwd=forge) == "" and "@trial" not in git("tag", cwd=trained)
    mlops("config", "set", "ledger.branch", "mlops-ledger", cwd=trained, code=0)
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    assert git("tag", cwd=forge).split() == ["mlops/storm/@trial/1", "mlops/storm/v1"]
    assert "refs/heads/mlops-ledger" in git("for-each-ref", cwd=forge)


def test_an_event_that_only_the_ledger_knows_is_told(mlops, git, trained):
    mlops("register", cwd=trained, code=0)
    mlops("promote", "storm@v1", "trial", cwd=trained, code=0)
    assert mlops("promote", "storm@v2", "trial", "--json", cwd=trained).json["warnings"] == []
    git("tag", "-d", "mlops/storm/@trial/2", cwd=trained)
    for words in (("storm@v1", "trial"), ("storm@v2", "trial", "--dry-run")):
        (note,) = mlops("promote", *words, "--json", cwd=trained, code=0).json["warnings"]
        assert note.startswith("event-missing: the ledger knows event 2 of storm@trial")
    mlops("verify", "storm@trial", cwd=trained, code=20)

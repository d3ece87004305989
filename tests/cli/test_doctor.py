"""`mlops doctor`: this machine and this project, looked over; each problem with its remedy."""

from __future__ import annotations

import socket


def findings(result):
    return {(each["group"], each["name"]): each for each in result.data["findings"]}


def test_a_good_project_on_a_good_machine_is_usable(mlops, repo, assert_valid):
    mlops("init", code=0)
    result = mlops("doctor", "--json", code=0)
    assert_valid(result.json)
    assert result.data["usable"]
    found = findings(result)
    assert found["program", "python"]["facts"]["version"].startswith("3.")
    assert found["git", "identity"]["message"] == "Ada Lovelace <ada@example.org>"
    assert found["disk", "links"]["facts"]["links"]["copy"] is True
    assert found["project", "pipeline"]["state"] == "ok"
    assert found["remotes", "remotes"]["state"] == "note"
    shown = mlops("doctor", code=0).stdout
    assert "All that is needed is here." in shown


def test_outside_of_a_repository_it_says_how_to_begin(mlops, tmp_path, assert_valid):
    result = mlops("doctor", "--json", cwd=tmp_path, code=1)
    assert_valid(result.json)
    found = findings(result)["git", "repository"]
    assert (found["state"], found["mend"]) == ("problem", "mlops init")
    assert "1 problem to mend" in mlops("doctor", cwd=tmp_path, code=1).stdout


def test_a_git_without_identity_is_a_problem_with_its_remedy(mlops, repo, git):
    git("config", "--unset", "user.name")
    git("config", "--unset", "user.email")
    found = findings(mlops("doctor", "--json", code=1))["git", "identity"]
    assert found["state"] == "problem"
    assert "git config --global user.name" in found["mend"]


def test_a_clone_in_which_git_cannot_merge_data_is_noted(mlops, repo):
    found = findings(mlops("doctor", "--offline", "--json", code=0))["git", "merges"]
    assert (found["state"], found["mend"]) == ("note", "mlops hooks install")
    mlops("hooks", "install", code=0)
    found = findings(mlops("doctor", "--offline", "--json", code=0))["git", "merges"]
    assert found["state"] == "ok"


def test_a_detached_head_is_noted(mlops, repo, git):
    mlops("init", code=0)
    git("checkout", "-q", "--detach")
    found = findings(mlops("doctor", "--json", code=0))["git", "branch"]
    assert found["state"] == "note"
    assert found["mend"] == "git switch -c NAME"


def test_a_broken_pipeline_and_broken_settings_are_problems_and_the_rest_is_still_looked_at(
    mlops, repo
):
    mlops("init", code=0)
    (repo / "pipeline.yaml").write_text("version: 1\nprojekt: {name: x}\n")
    (repo / ".mlops" / "config.yaml").write_text("cache:\n  lnik: copy\n")
    found = findings(mlops("doctor", "--json", code=1))
    assert found["project", "pipeline"]["message"].startswith("pipeline.yaml:2:1: ")
    assert found["project", "settings"]["message"].startswith(".mlops/config.yaml:2: ")
    assert found["disk", "space"]["state"] == "ok"


def test_remotes_are_asked_and_what_is_wrong_with_them_is_told(mlops, repo, tmp_path):
    mlops("init", code=0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    mlops("config", "set", "remotes.disk.url", str(tmp_path / "data"), code=0)
    mlops("config", "set", "remotes.cloud.url", "s3://bucket/x", code=0)
    mlops("config", "set", "remotes.cloud.endpoint", f"http://127.0.0.1:{closed}", code=0)
    mlops("config", "set", "remote.default", "clod", code=0)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    found = findings(mlops("doctor", "--json", env=keys, code=1))
    assert found["remotes", "disk"]["state"] == "ok"
    assert found["remotes", "cloud"]["state"] == "problem"
    assert found["remotes", "cloud"]["mend"]
    assert "'clod', which is no remote" in found["remotes", "default"]["message"]
    asked = {group for group, _ in findings(mlops("doctor", "--json", "--offline", code=0))}
    assert "remotes" not in asked


def test_a_missing_extra_is_a_note_with_the_command_that_installs_it(monkeypatch):
    from mlops_cli.cli import checkup

    monkeypatch.setitem(checkup.EXTRAS, "s3", ("remotes on S3", ("a-package-nobody-has",)))
    found = next(each for each in checkup.extras() if each.name == "s3")
    assert (found.state, found.mend) == ("note", "pip install 'mlops-cli[s3]'")
    assert found.message == "remotes on S3: missing a-package-nobody-has"

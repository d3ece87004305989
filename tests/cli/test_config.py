"""`mlops config`: settings as they are, where each comes from, and changes that keep comments."""

from __future__ import annotations

import pytest

from mlops_cli import config
from mlops_cli.cli import settings_file
from mlops_cli.errors import ConfigError, NotFound


def test_the_strongest_layer_wins_and_every_value_tells_its_origin(mlops, repo, home, assert_valid):
    def link(*flags: str, **env: str) -> tuple[str, str, str]:
        result = mlops("config", "get", "cache.link", "--json", env=env, code=0)
        assert_valid(result.json)
        return (result.data["value"], result.data["origin"], result.data["place"])

    assert link() == ("auto", "default", "")
    mlops("config", "set", "--user", "cache.link", "copy", code=0)
    user = home / ".config" / "mlops" / "config.yaml"
    assert link() == ("copy", "user", f"{user}:2")
    mlops("config", "set", "cache.link", "symlink", code=0)
    assert link() == ("symlink", "project", ".mlops/config.yaml:2")
    mlops("config", "set", "--local", "cache.link", "hardlink", code=0)
    assert link() == ("hardlink", "local", ".mlops/config.local.yaml:2")
    assert link(MLOPS_CACHE_LINK="auto") == ("auto", "environment", "MLOPS_CACHE_LINK")


def test_a_flag_is_stronger_than_everything(tmp_path):
    settings = config.load(
        None,
        environment={"MLOPS_RUN_JOBS": "3"},
        home=tmp_path,
        flags={"run.jobs": 5},
    )
    assert settings.origin("run.jobs") == config.Value(5, "flag")


def test_list_shows_every_setting_with_its_origin(mlops, repo, assert_valid):
    mlops("config", "set", "remotes.origin.url", "s3://bucket/data", code=0)
    result = mlops("config", "list", "--json", code=0)
    assert_valid(result.json)
    names = {row["name"] for row in result.data["settings"]}
    assert {"cache.dir", "cache.link", "remotes.origin.url"} <= names
    shown = mlops("config", "list", "--origin", code=0).stdout
    assert "remotes.origin.url  s3://bucket/data  .mlops/config.yaml:3" in shown


def test_a_setting_that_does_not_exist_is_refused_with_file_line_and_the_nearest(mlops, repo):
    (repo / ".mlops").mkdir()
    (repo / ".mlops" / "config.yaml").write_text("# ours\ncache:\n  lnik: copy\n")
    result = mlops("config", "list", code=10)
    assert (
        "error: .mlops/config.yaml:3: there is no setting 'cache.lnik' [unknown-setting]"
        in result.stderr
    )
    assert "hint: did you mean: cache.link" in result.stderr
    assert "[unknown-setting]" in mlops("config", "set", "cache.lnik", "copy", code=10).stderr


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("cache.link", "hard", "not one of auto, copy, hardlink, symlink"),
        ("run.jobs", "many", "not a whole number"),
        ("remotes.a.anonymous", "maybe", "not true or false"),
        ("cache.dir", "", "not a path"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_and_nothing_is_written(
    mlops, repo, name, value, wanted
):
    result = mlops("config", "set", name, value, code=10)
    assert wanted in result.stderr
    assert "[bad-setting]" in result.stderr
    assert not (repo / ".mlops").exists()


def test_a_wrong_value_in_the_environment_names_the_variable(mlops, repo):
    result = mlops("config", "list", env={"MLOPS_RUN_JOBS": "many"}, code=10)
    assert "MLOPS_RUN_JOBS: run.jobs is 'many', not a whole number" in result.stderr


def test_a_file_that_is_not_yaml_is_named_with_line_and_column(mlops, repo):
    (repo / ".mlops").mkdir()
    (repo / ".mlops" / "config.yaml").write_text("cache:\n  dir: [\n")
    result = mlops("config", "list", code=10)
    assert "error: .mlops/config.yaml:3:1: " in result.stderr
    assert "[bad-settings-file]" in result.stderr


def test_secrets_do_not_go_into_the_shared_file(mlops, repo):
    name = "remotes.origin.fsspec.secret"
    assert "[secret-in-shared-settings]" in mlops("config", "set", name, "x", code=10).stderr
    mlops("config", "set", "--local", name, "x", code=0)
    assert not (repo / ".mlops" / "config.yaml").exists()


def test_set_and_unset_keep_comments_order_and_everything_else(mlops, repo):
    file = repo / ".mlops" / "config.yaml"
    file.parent.mkdir()
    before = (
        "# ours\n\ncache:\n    # fast disk\n    dir: /fast  # asked ops\n\n"
        "run: {jobs: 2}\nremotes:\n    a:\n        url: s3://a\n"
    )
    file.write_text(before)
    mlops("config", "set", "cache.dir", "/faster", code=0)
    mlops("config", "set", "cache.link", "copy", code=0)
    mlops("config", "set", "run.jobs", "4", code=0)
    mlops("config", "set", "remotes.b.url", "s3://b", code=0)
    mlops("config", "set", "remotes.a.region", "eu-west-1", code=0)
    assert file.read_text() == (
        "# ours\n\ncache:\n    # fast disk\n    dir: /faster  # asked ops\n    link: copy\n\n"
        "run: {jobs: 4}\nremotes:\n    a:\n        url: s3://a\n        region: eu-west-1\n"
        "    b:\n      url: s3://b\n"
    )
    mlops("config", "unset", "remotes.b.url", code=0)
    mlops("config", "unset", "remotes.a.region", code=0)
    mlops("config", "unset", "cache.link", code=0)
    mlops("config", "set", "run.jobs", "2", code=0)
    mlops("config", "set", "cache.dir", "/fast", code=0)
    assert file.read_text() == before


def test_what_only_a_person_can_edit_is_left_alone(mlops, repo):
    file = repo / ".mlops" / "config.yaml"
    file.parent.mkdir()
    file.write_text("run: {jobs: 2}\ncache: {}\n")
    result = mlops("config", "set", "cache.dir", "/fast", code=10)
    assert "[cannot-edit]" in result.stderr
    assert file.read_text() == "run: {jobs: 2}\ncache: {}\n"


def test_unset_of_what_is_not_set_is_said(mlops, repo):
    assert "[not-set]" in mlops("config", "unset", "cache.dir", code=20).stderr


def test_there_is_no_project_to_configure_outside_of_git(mlops, tmp_path):
    assert "[no-project]" in mlops("config", "set", "cache.dir", "x", cwd=tmp_path, code=20).stderr


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "cache:\n  dir: /a b/c  # note\n  link: 'copy'\n",
        'cache:\n  dir: "/a: b"\nrun:\n  jobs: 3\n',
        "remotes:\n  a:\n    url: s3://b/c\n  d:\n    url: file:///e\nrun:\n  jobs: 1\n",
        "cache: {dir: /x, link: copy}\n",
        "cache:\n  dir: >-\n    /long\n    path\n",
        "cache:\n  dir: null\nrun:\n",
        "'cache':\n  dir: /x\n",
        "cache:\n  dir: a#b\n",
    ],
)
def test_the_quick_reader_says_what_yaml_says(text):
    quick = list(config.entries(text, source="f"))
    assert quick == list(config._yaml_entries(text, "f"))


def test_every_value_survives_being_written():
    odd = ("a b", "a: b", "#x", "- x", "'", '"', "null", "true", "1.5", "ü", "a\tb", "a\nb")
    for value in ("plain", *odd):
        text = settings_file.edit("", "cache.dir", value, source="f")
        assert [entry[:2] for entry in config.entries(text, source="f")] == [("cache.dir", value)]


def test_errors_of_a_file_name_the_file():
    with pytest.raises(NotFound, match="is not set in f"):
        settings_file.edit("", "cache.dir", None, source="f")
    with pytest.raises(ConfigError, match="f:1: the file is a scalar"):
        list(config.entries("just words\n", source="f"))

import subprocess
from pathlib import Path

READER = {
    "GIT_AUTHOR_NAME": "Reader",
    "GIT_AUTHOR_EMAIL": "reader@example.com",
    "GIT_COMMITTER_NAME": "Reader",
    "GIT_COMMITTER_EMAIL": "reader@example.com",
}


def test_two_clones_see_each_others_runs_after_push_and_pull(mlops, tmp_path: Path) -> None:
    home, colleague = tmp_path / "sales", tmp_path / "colleague"
    mlops("init", "sales", "-t", "minimal", cwd=tmp_path, env=READER, code=0)
    mlops("run", cwd=home, env=READER, code=0)
    mlops("remote", "add", "store", f"file://{tmp_path}/store", cwd=home, code=0)
    mlops("push", cwd=home, env=READER, code=0)
    subprocess.run(["git", "clone", "-q", str(home), str(colleague)], check=True)
    settings = (home / ".mlops/config.yaml").read_text()
    (colleague / ".mlops/config.yaml").write_text(settings)

    assert mlops("runs", "list", "--json", cwd=colleague).data["runs"] == []
    pulled = mlops("pull", "--json", cwd=colleague, env=READER, code=0).data
    assert pulled["history"]["refs"] == 1
    (colleague / "params.yaml").write_text('split: "2013-11-01"\nfit:\n  ridge: 1.0\n')
    mlops("run", cwd=colleague, env=READER, code=0)
    assert len(mlops("runs", "list", "--json", cwd=colleague).data["runs"]) == 2

    assert len(mlops("runs", "list", "--json", cwd=home).data["runs"]) == 1
    mlops("push", cwd=colleague, env=READER, code=0)
    assert len(mlops("runs", "list", "--json", cwd=home).data["runs"]) == 2


def test_a_git_remote_that_does_not_answer_is_a_warning_and_the_data_still_goes(
    mlops, git, tmp_path: Path
) -> None:
    mlops("init", "sales", "-t", "minimal", cwd=tmp_path, env=READER, code=0)
    home = tmp_path / "sales"
    mlops("run", cwd=home, env=READER, code=0)
    git("remote", "add", "origin", str(tmp_path / "nowhere"), cwd=home)
    mlops("remote", "add", "store", f"file://{tmp_path}/store", cwd=home, code=0)
    pushed = mlops("push", "--json", cwd=home, code=0)
    assert pushed.data["objects"] == 4
    assert any("were not sent to origin" in sentence for sentence in pushed.json["warnings"])

"""`mlops approve`: somebody else than the trainer stands for a version, with a key."""

import subprocess

POLICY = "aliases: {production: {gates: [golden], approvals: 1}}\n"


def make_key(folder, name):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)],
        check=True,
    )
    return folder / name


def allow(git, root, text):
    (root / ".mlops/allowed_signers").write_text(text)
    (root / "models/storm.yaml").write_text(POLICY)
    git("add", "-f", ".mlops/allowed_signers", "models/storm.yaml", cwd=root)
    git("commit", "-qm", "who may approve", cwd=root)


def test_an_approval_of_somebody_else_opens_the_gate(mlops, git, trained, tmp_path, assert_valid):
    ada, grace = make_key(tmp_path, "ada"), make_key(tmp_path, "grace")
    lines = [
        f"{key.name}@example.org {key.with_suffix('.pub').read_text()}" for key in (ada, grace)
    ]
    allow(git, trained, "".join(lines))
    words = ("approve", "storm@v1", "--reason", "the slices hold", "--json")
    own = mlops(*words, cwd=trained, code=0, env={"MLOPS_SIGNING_KEY": str(ada)})
    assert_valid(own.json)
    assert not own.data["counts"] and own.data["why"] == "ada@example.org trained storm@v1"
    error = mlops("promote", "storm@v1", "production", "--json", cwd=trained, code=30).error
    assert "0 of 1 given; that of ada@example.org does not count" in error["message"]

    given = mlops(*words, cwd=trained, code=0, env={"MLOPS_SIGNING_KEY": str(grace)})
    assert_valid(given.json)
    assert given.data["counts"] and given.data["by"] == "grace@example.org"
    assert given.data["tag"] in git("tag", cwd=trained).split()
    assert len(given.data["approvals"]) == 2
    shown = mlops(*words[:-1], cwd=trained, code=0, env={"MLOPS_SIGNING_KEY": str(grace)}).stdout
    assert "1 of 2 approvals counts. Next: mlops push" in shown
    data = mlops("promote", "storm@v1", "production", "--json", cwd=trained, code=0).data
    assert data["moved"]


def test_an_approval_without_a_key_a_model_or_an_alias_is_refused_by_name(mlops, git, trained):
    allow(git, trained, "")
    cases = {
        ("storm", "--reason", "x"): (20, "no-such-key"),
        ("rain", "--reason", "x"): (20, "unknown-model"),
        ("storm@v9", "--reason", "x"): (20, "unknown-version"),
        ("storm", "--reason", "x", "--alias", "gold"): (10, "unknown-alias"),
        ("storm@gold", "--reason", "x"): (2, "bad-version"),
    }
    for words, (code, name) in cases.items():
        assert mlops("approve", *words, "--json", cwd=trained, code=code).error["code"] == name
    assert mlops("approve", "storm", cwd=trained, code=2).stderr


def test_a_key_that_nobody_lists_is_kept_and_does_not_count(mlops, git, trained, tmp_path):
    allow(git, trained, "")
    key = {"MLOPS_SIGNING_KEY": str(make_key(tmp_path, "eve"))}
    shown = mlops("approve", "storm@v1", "--reason", "x", cwd=trained, code=0, env=key).stdout
    assert "is kept, and does not count yet" in shown
    assert "is not among the allowed signers" in shown and "0 of 1 approval counts" in shown

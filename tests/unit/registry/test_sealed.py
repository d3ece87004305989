"""The signature of a tag, as git itself makes it."""

from __future__ import annotations

import re
import subprocess
import zlib
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, OutsideWorld, StateRefused
from mlops_cli.registry import sealed
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("keys") / "ada"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(place)], check=True
    )
    return place


def tag(git: Git, name: str, *words: str) -> str:
    git.run(*words, "tag", "-a", "-m", f"{name}\n\n{{}}", name)
    return git.run("rev-parse", name)


def test_what_git_signed_has_its_signer(git: Git, key: Path) -> None:
    git.run("config", "gpg.format", "ssh")
    git.run("config", "user.signingkey", str(key))
    made = tag(git, "v1", "-c", "tag.gpgsign=true")
    public = key.with_suffix(".pub").read_text()
    assert sealed.signer(git, made, f"ada@example.org {public}") == "ada@example.org"
    for options, code in (
        ('namespaces="mlops-approval"', "wrong-namespace"),
        ('valid-before="20010101"', "signer-expired"),
    ):
        with pytest.raises(StateRefused) as caught:
            sealed.signer(git, made, f"ada@example.org {options} {public}")
        assert caught.value.code == code
    with pytest.raises(StateRefused) as caught:
        sealed.signer(git, tag(git, "v2"), f"ada@example.org {public}")
    assert caught.value.code == "unsigned"


def test_a_key_that_cannot_sign_makes_no_version(git: Git, tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("no key")
    registry = Registry(Git(git.root, str(tmp_path / "identity")))
    payload = {"digest": f"sha256:{1:064x}", "format": "onnx", "created": "2013-02-01T00:00:00Z"}
    with pytest.raises(OutsideWorld) as caught:
        registry.create("delay", payload)
    assert caught.value.code == "signing-failed"
    assert registry.numbers("delay") == []


def test_another_object_under_its_name_is_named(git: Git) -> None:
    made = tag(git, "v1")
    place = git.git_dir / "objects" / made[:2] / made[2:]
    data = zlib.decompress(place.read_bytes()).replace(b"v1", b"v9")
    place.chmod(0o644)
    place.write_bytes(zlib.compress(data))
    with pytest.raises(IntegrityError) as caught:
        sealed.sealed(git, made)
    assert caught.value.code == "damaged-tag"


def test_a_tag_of_years_that_no_calendar_has_is_read(git: Git) -> None:
    data = git.run("cat-file", "tag", tag(git, "v1"))
    later = re.sub(r"> \d+ ", "> 999999999999 ", data).encode() + b"\n"
    made = git.run("hash-object", "-t", "tag", "-w", "--literally", "--stdin", input=later)
    assert sealed.sealed(git, made).at.year == 9999

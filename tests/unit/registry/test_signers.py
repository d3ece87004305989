"""Signatures by ssh keys: made and checked by the real ssh-keygen."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_cli.errors import ConfigError, IntegrityError, NotFound, StateRefused
from mlops_cli.registry import keys as own_keys
from mlops_cli.registry import signers
from mlops_cli.registry.allowed import parse
from mlops_cli.vcs.repo import Git

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = b"version 3 is good\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys of ada and bob."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ada", "bob"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)],
            check=True,
        )
    return folder


def line(keys: Path, name: str, options: str = "") -> str:
    return f"{name}@example.org {options} {(keys / f'{name}.pub').read_text()}"


def test_a_signature_names_who_made_it(keys: Path) -> None:
    signature = signers.sign(WORDS, "mlops", str(keys / "ada"))
    allowed = line(keys, "bob") + "# people\n\n" + line(keys, "ada", 'namespaces="git,mlops*"')
    assert signers.check(WORDS, signature, "mlops", allowed, at=NOW) == "ada@example.org"
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(keys / "ada.pub")], capture_output=True, check=True
    )
    assert signers.seal(signature).fingerprint in listed.stdout.decode()


def test_other_bytes_are_refused(keys: Path) -> None:
    signature = signers.sign(WORDS, "mlops", str(keys / "ada"))
    with pytest.raises(IntegrityError, match=r"ada@example\.org is not of these") as caught:
        signers.check(WORDS + b"x", signature, "mlops", line(keys, "ada"), at=NOW)
    assert caught.value.code == "bad-signature"


@pytest.mark.parametrize(
    ("name", "options", "namespace", "code"),
    [
        ("bob", "", "mlops", "unknown-signer"),
        ("ada", 'valid-before="20251231"', "mlops", "signer-expired"),
        ("ada", 'valid-after="20260302120000Z"', "mlops", "signer-expired"),
        ("ada", 'namespaces="git"', "mlops", "wrong-namespace"),
        ("ada", "", "mlops-approval", "wrong-namespace"),
        ("ada", "cert-authority", "mlops", "unknown-signer"),
    ],
)
def test_a_key_that_does_not_count_is_named(
    keys: Path, name: str, options: str, namespace: str, code: str
) -> None:
    signature = signers.sign(WORDS, "mlops", str(keys / "ada"))
    with pytest.raises(StateRefused) as caught:
        signers.check(WORDS, signature, namespace, line(keys, name, options), at=NOW)
    assert caught.value.code == code
    assert caught.value.details["fingerprint"].startswith("SHA256:")


def test_what_is_no_signature_is_named(keys: Path) -> None:
    good = signers.sign(WORDS, "mlops", str(keys / "ada"))
    cut = good.replace(good.splitlines()[2], "")
    for bad in (
        "",
        "hello",
        good[:90],
        cut,
        good * 2,
        "x" * 10_000_000,
        good.replace("U1NI", "QUFB"),
        good.replace("U1NI", "U1N\u0131"),
    ):
        with pytest.raises(IntegrityError) as caught:
            signers.check(WORDS, bad, "mlops", line(keys, "ada"), at=NOW)
        assert caught.value.code == "malformed-signature"


def test_a_line_that_cannot_be_read_is_no_line(keys: Path) -> None:
    for bad in (
        "ada",
        "ada ssh-ed25519 &&",
        line(keys, "ada", 'valid-til="2026"'),
        line(keys, "ada", 'valid-after="202"'),
        line(keys, "ada", 'namespaces="git",namespaces="mlops"'),
        line(keys, "ada", 'valid-after="20240101",'),
        "!ada " + line(keys, "ada")[16:],
    ):
        with pytest.raises(ConfigError, match="allowed_signers:2") as caught:
            parse("# first\n" + bad)
        assert caught.value.code == "bad-allowed-signers"


def test_a_line_ends_where_it_ends_for_ssh(keys: Path) -> None:
    for end in ("\u2028", "\x85", "\f", "\r"):
        hidden = parse(line(keys, "ada").rstrip() + f" old laptop{end}" + line(keys, "bob"))
        assert [each.principal for each in hidden] == [parse(line(keys, "ada"))[0].principal]
    crlf = line(keys, "ada", 'valid-before="20271231"').rstrip() + "\r\n# more\r\n"
    made = signers.sign(WORDS, "mlops", str(keys / "ada"))
    assert signers.check(WORDS, made, "mlops", crlf, at=NOW) == parse(crlf)[0].principal


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        signers.sign(WORDS, "mlops", str(tmp_path / "none"))
    assert caught.value.code == "no-such-key"


def test_the_key_is_the_one_set_or_that_of_git(repo: Path) -> None:
    git = Git(repo)
    assert own_keys.key_of(git, None) is None
    git.run("config", "user.signingkey", "ADA0")  # of gpg
    assert own_keys.key_of(git, None) is None
    git.run("config", "gpg.format", "ssh")
    git.run("config", "user.signingkey", "keys/ada")
    assert own_keys.key_of(git, None) == str(repo / "keys/ada")
    assert own_keys.key_of(git, "key::ssh-ed25519 AAAA") == "key::ssh-ed25519 AAAA"
    assert own_keys.key_of(git, "ssh-keys/ada") == str(repo / "ssh-keys/ada")
    assert own_keys.key_unasked(git) is None
    git.run("config", "tag.gpgsign", "true")
    assert own_keys.key_unasked(git) == str(repo / "keys/ada")
    assert own_keys.key_unasked(Git(repo, "/keys/bob")) == "/keys/bob"

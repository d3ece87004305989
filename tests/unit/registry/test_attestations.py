"""The signed statements of a bundle, one envelope a line."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError
from mlops_cli.registry import attestations, envelope


def test_each_statement_is_signed_and_comes_back_in_order(tmp_path: Path) -> None:
    key = tmp_path / "ada"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True
    )
    made = attestations.signed([b'{"model":1}', b'{"run":1}'], str(key))
    read = attestations.parse(made)
    assert [each.payload for each in read] == [b'{"model":1}', b'{"run":1}']
    allowed = "ada@example.org " + key.with_suffix(".pub").read_text()
    for each in read:
        who = envelope.check(each, allowed, at=datetime(2026, 1, 1, tzinfo=UTC))
        assert who == ("ada@example.org",)


def test_a_file_without_envelopes_or_with_too_many_is_refused() -> None:
    for data in (b"", b"{}\n" * (attestations.MOST + 1), b"{}\n"):
        with pytest.raises(IntegrityError) as caught:
            attestations.parse(data)
        assert caught.value.code == "malformed-envelope"

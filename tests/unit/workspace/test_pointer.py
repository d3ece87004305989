"""A pointer says the same thing forever, and a wrong one is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError
from mlops_cli.store.digest import Digest
from mlops_cli.workspace.pointer import (
    Pointer,
    Side,
    encode_pointer,
    is_pointer,
    parse_pointer,
    read_pointer,
    write_pointer,
)

POINTER = Pointer("data/raw", Digest.of(b"x"), "tree", 5, 2)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    assert write_pointer(tmp_path, POINTER)
    assert not write_pointer(tmp_path, POINTER)
    assert read_pointer(tmp_path, "data/raw.mlops") == POINTER


def test_what_is_said_beyond_the_bytes_is_read_back() -> None:
    said = Pointer(
        "tool", Digest.of(b"x"), "file", 1, 1,
        executable=True, remote="cold", push=False, pin={"url": "https://example.org"},
        theirs=Side(Digest.of(b"y"), "tree", 2, 1),
    )  # fmt: skip
    assert parse_pointer(encode_pointer(said), file="tool.mlops") == said


@pytest.mark.parametrize(
    ("field", "value"),
    [("mode", "x"), ("remote", ""), ("remote", 3), ("push", 1), ("source", []), ("theirs", {})],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    said = json.loads(encode_pointer(POINTER)) | {field: value}
    with pytest.raises(IntegrityError):
        parse_pointer(json.dumps(said), file="data/raw.mlops")


def test_a_moved_folder_keeps_its_pointers_true() -> None:
    moved = parse_pointer(encode_pointer(POINTER), file="elsewhere/raw.mlops")
    assert (moved.path, moved.digest) == ("elsewhere/raw", POINTER.digest)


def test_a_field_of_a_later_version_is_no_obstacle() -> None:
    value = json.loads(encode_pointer(POINTER)) | {"colour": {"url": "https://example.org"}}
    assert parse_pointer(json.dumps(value), file="data/raw.mlops") == POINTER


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "mlops.pointer/2"),
        ("path", "other"),
        ("path", "../raw"),
        ("kind", "link"),
        ("size", -1),
        ("size", "5"),
        ("files", True),
        ("digest", "md5:d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_a_wrong_field_is_refused(field: str, value: object) -> None:
    text = json.dumps(json.loads(encode_pointer(POINTER)) | {field: value})
    with pytest.raises(IntegrityError) as refused:
        parse_pointer(text, file="data/raw.mlops")
    assert refused.value.code in ("malformed-pointer", "bad-digest")


@pytest.mark.parametrize("text", ["", "[]", "null", "<<<<<<< HEAD", "{", "\x00"])
def test_what_is_no_pointer_at_all_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError):
        parse_pointer(text, file="a.mlops")


def test_the_folder_of_the_project_is_no_pointer() -> None:
    assert is_pointer("data.mlops") and is_pointer("deep/a.csv.mlops")
    assert not is_pointer(".mlops") and not is_pointer("deep/.mlops")

"""A directory as a canonical listing: one listing for one content, and nothing hostile."""

from __future__ import annotations

import pytest

from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import HEADER, Entry, parse_tree, totals, write_tree

A = Digest.of(b"a")
B = Digest.of(b"b")


def listing(*lines: str) -> bytes:
    return HEADER + "".join(f"{line}\0" for line in lines).encode()


def test_entries_in_any_order_give_the_same_listing() -> None:
    entries = [Entry("b", "file", A, 1), Entry("a", "dir", B, 7, 2), Entry("é", "exec", A, 3)]
    assert write_tree(entries) == write_tree(reversed(entries))
    assert parse_tree(write_tree(entries)) == tuple(sorted(entries))
    assert totals(entries) == (11, 4)


def test_an_empty_folder_has_a_listing_too() -> None:
    assert write_tree([]) == HEADER
    assert parse_tree(HEADER) == ()


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", ".git", ".GIT"])
def test_names_that_could_lead_elsewhere_are_refused_when_read(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_tree(listing(f"file {A.hex} 1 1 {name}"))
    assert caught.value.code == "hostile-tree"
    assert caught.value.exit_code == 40


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b", ".Git", "bad\udcff"])
def test_names_that_could_lead_elsewhere_are_refused_when_written(name: str) -> None:
    with pytest.raises(StateRefused) as caught:
        write_tree([Entry("fine", "file", A, 1), Entry(name, "file", A, 1)])
    assert caught.value.code == "reserved-name"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"mlops.tree/2\n",
        listing(f"file {A.hex} 1 1 b", f"file {A.hex} 1 1 a"),  # not sorted
        listing(f"file {A.hex} 1 1 a", f"dir {A.hex} 1 1 a"),  # twice
        listing(f"file {A.hex} 01 1 a"),  # two ways to write a number
        *(listing(f"file {A.hex} {n} 1 a") for n in ("+1", "-1", "1_0", "\u0661", "", "1" * 20)),
        listing(f"file {A.hex} 1 2 a"),  # a file is one file
        listing(f"file {A.hex} 1 1"),
        listing(f"file {A.hex[:-1]} 1 1 a"),
        listing(f"file {A.hex[:-1]}g 1 1 a"),
        listing(f"file {A.hex.upper()} 1 1 a"),
        listing(f"socket {A.hex} 1 1 a"),
        listing(f"file {A.hex} 1 1 a") + b"tail",
        listing(f"file {A.hex} 1 1 a")[:-1],
        HEADER + b"x" + listing(f"file {A.hex} 1 1 a")[len(HEADER) :],
        HEADER + f"file {A.hex} 1 1 ".encode() + b"\xff\0",
    ],
)
def test_bytes_that_are_no_canonical_listing_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_tree(data)
    assert caught.value.code == "malformed-tree"


@pytest.mark.parametrize("text", ["", "sha256:", "md5:" + "0" * 64, "sha256:" + "A" * 64, "x"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Digest.parse(text)
    assert caught.value.code == "bad-digest"


def test_a_digest_goes_to_bytes_and_back() -> None:
    assert Digest.from_raw(A.raw) == A == Digest.parse(f"sha256:{A.hex}")

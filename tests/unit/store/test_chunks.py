"""Cuts follow the content, and a recipe is believed only as far as it can be checked."""

from __future__ import annotations

import io
import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli.errors import IntegrityError
from mlops_cli.store import chunks, frames, recipes
from mlops_cli.store.chunks import LEAST, MOST, Chunk
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import parse_recipe, recipe_of, write_recipe
from mlops_cli.store.slicing import BLOCK, Slicer


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def sliced(data: bytes) -> list[bytes]:
    """The chunks of `data`, after a look at the digests that were taken on the way."""
    pieces: list[bytes] = []
    found: list[Digest] = []
    with Slicer() as slicer:
        for piece in slicer.slices(io.BytesIO(data), found.append):
            for chunk, view in piece.chunks:
                assert chunk == Chunk(sha256(view).digest(), len(view))
                pieces.append(bytes(view))
            piece.release()
    assert found == [Digest.of(data)]
    return pieces


def test_the_cutter_is_compiled_here() -> None:
    assert chunks.available()


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=2000), st.integers(0, MOST), st.integers(0, 9))
def test_any_bytes_are_the_sum_of_their_chunks(some: bytes, length: int, seed: int) -> None:
    data = some * (seed * 50) + noise(length, seed) + some
    pieces = sliced(data)
    assert b"".join(pieces) == data
    assert all(LEAST <= len(piece) <= MOST for piece in pieces[:-1])


@pytest.mark.parametrize(
    "length", [0, 1, LEAST, MOST, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + MOST]
)
def test_blocks_leave_no_trace_in_the_cuts(length: int) -> None:
    data = noise(length)
    at_once = list(chunks.cut(memoryview(data), last=True))
    assert [len(piece) for piece in sliced(data)] == at_once
    assert b"".join(sliced(bytes(length))) == bytes(length)


def test_an_insertion_in_the_middle_changes_few_chunks() -> None:
    data = noise(24 << 20)
    former = set(sliced(data))
    for where in (0, 12 << 20, len(data)):
        edited = data[:where] + b"a row that was not there" + data[where:]
        assert len(set(sliced(edited)) - former) <= 3


def test_a_slicer_that_lost_its_source_slices_the_next() -> None:
    class Torn(io.BytesIO):
        def readinto(self, buffer: object) -> int:
            if self.tell() >= BLOCK:
                raise OSError("torn")
            return super().readinto(buffer)  # type: ignore[arg-type]

    data = noise(2 * BLOCK)
    with Slicer() as slicer:
        for _ in range(10):
            with pytest.raises(OSError, match="torn"):
                for piece in slicer.slices(Torn(data), lambda digest: None):
                    piece.release()
        found: list[Digest] = []
        for piece in slicer.slices(io.BytesIO(data), found.append):
            piece.release()
    assert found == [Digest.of(data)]


def test_a_recipe_says_what_it_was_told() -> None:
    told = [Chunk(sha256(b"a").digest(), 1), Chunk(sha256(b"bc").digest(), 2)]
    recipe = parse_recipe(write_recipe(recipe_of(told)))
    assert (recipe.size, list(recipe), len(recipe)) == (3, told, 2)
    assert list(parse_recipe(write_recipe(recipe_of([])))) == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (lambda good: b"", "header"),
        (lambda good: good[:20], "header"),
        (lambda good: b"mlops.recipe/2\n" + good[15:], "header"),
        (lambda good: good[:-1], "2 chunks"),
        (lambda good: good + b"\0", "2 chunks"),
        (lambda good: good[:23] + b"\xff\xff\xff\xff" + good[27:], "4294967295 chunks"),
        (lambda good: good[:15] + b"\xff" * 8 + good[23:], "not 18446744073709551615"),
        (lambda good: good[:-4] + b"\0\0\0\0", "a chunk has 0 bytes"),
        (lambda good: good[:-4] + b"\xff\xff\xff\xff", "a chunk has 4294967295 bytes"),
        (lambda good: good[:-4] + b"\0\0\0\x03", "4 bytes and not 3"),
    ],
)
def test_a_recipe_that_lies_is_refused(bad, why) -> None:  # type: ignore[no-untyped-def]
    good = write_recipe(recipe_of([Chunk(bytes(32), 1), Chunk(bytes(32), 2)]))
    with pytest.raises(IntegrityError, match=why) as caught:
        parse_recipe(bad(good))
    assert caught.value.code == "malformed-recipe"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_no_recipe_crashes_its_reader(data: bytes) -> None:
    for some in (data, recipes.MAGIC + data):
        try:
            recipe = parse_recipe(some)
        except IntegrityError:
            continue
        assert sum(chunk.length for chunk in recipe) == recipe.size


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=5000), st.integers(1, 40))
def test_a_record_is_the_bytes_or_a_frame_of_them(some: bytes, times: int) -> None:
    data = some * times
    raw = sha256(data).digest()
    record = frames.squeeze(data)
    assert len(record) <= len(data)
    assert frames.plain(raw, record, at_most=len(data)) == data
    assert frames.plain(raw, data, at_most=0) == data


def test_a_frame_that_would_grow_too_far_is_not_opened() -> None:
    data = bytes(64 << 20)
    bomb = bytes(frames.squeeze(data))
    assert len(bomb) < 10_000
    raw = sha256(data).digest()
    assert frames.plain(raw, bomb, at_most=MOST) is None
    # one that promises little and holds much
    short = bytes(frames.squeeze(bytes(1000)))
    width = len(bomb) - len(bomb[6:])
    assert frames.promised(short) == 1000
    lying = short[: width + 1] + bomb[width + 3 :]
    assert frames.plain(raw, lying, at_most=MOST) is None
    # and two frames in one record
    assert frames.plain(sha256(bytes(2000)).digest(), short + short, at_most=MOST) is None


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=100))
def test_no_frame_crashes_its_reader(data: bytes) -> None:
    assert frames.plain(bytes(32), frames.MAGIC + data, at_most=MOST) is None

"""A bundle comes out of the cache whole and verified, and gives its golden outputs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import serving_world
from serving_world import load, rows

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.serving.bundle import check_golden, open_bundle
from mlops_cli.store.cache import open_cache
from mlops_cli.store.tree import Entry, write_tree


def test_the_golden_rows_pass_with_the_model_they_were_made_with(tmp_path: Path) -> None:
    model = load(tmp_path / "bundle")
    golden = check_golden(model, tmp_path / "bundle")
    assert (golden.rows, golden.passed) == (16, True)
    assert golden.max_abs < 1e-6
    other = load(tmp_path / "other", bias=0.001)
    assert not check_golden(other, tmp_path / "bundle").passed


def test_an_answer_that_is_no_number_never_passes(tmp_path: Path) -> None:
    model = load(tmp_path)
    table = rows(4).append_column("probability", pa.array([float("nan")] * 4, pa.float32()))
    with pa.ipc.new_file(tmp_path / "golden.arrow", table.schema) as writer:
        writer.write_table(table)
    assert not check_golden(model, tmp_path).passed


def test_a_bundle_without_golden_rows_is_incomplete(tmp_path: Path) -> None:
    model = load(tmp_path)
    (tmp_path / "golden.arrow").unlink()
    with pytest.raises(NotFound, match="golden"):
        check_golden(model, tmp_path)


def test_a_link_in_a_bundle_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    entry = Entry("model.onnx", "link", cache.put(b"/etc/passwd"), 11)
    tree = cache.put(write_tree([entry]))
    with pytest.raises(IntegrityError) as refused:
        open_bundle(cache, tree, root=tmp_path)
    assert refused.value.code == "link-in-bundle"
    assert list((tmp_path / ".mlops/serving/bundles").iterdir()) == []


def test_folders_in_a_bundle_survive(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    inner = write_tree([Entry("a", "file", cache.put(b"x"), 1)])
    outer = write_tree([Entry("inner", "dir", cache.put(inner), 1, 1)])
    relative = open_bundle(cache, cache.put(outer), root=tmp_path)
    assert (tmp_path / relative / "inner" / "a").read_bytes() == b"x"
    (tmp_path / relative / "inner" / "a").write_bytes(b"y")
    open_bundle(cache, cache.put(outer), root=tmp_path)
    assert (tmp_path / relative / "inner" / "a").read_bytes() == b"x"


def test_a_model_made_of_other_bytes_than_registered_is_not_loaded(tmp_path: Path) -> None:
    digest = serving_world.write_bundle(tmp_path)
    data = bytearray((tmp_path / "model.onnx").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.onnx").write_bytes(bytes(data))
    from mlops_cli.serving.model import open_model

    with pytest.raises(IntegrityError) as refused:
        open_model(tmp_path, name="delay", version=1, digest=digest, bundle="")
    assert refused.value.code == "damaged-model"

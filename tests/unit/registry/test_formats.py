"""A model is told by its first bytes; what runs code when loaded is refused."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest

from mlops_cli.errors import StateRefused
from mlops_cli.registry.formats import identify


def test_onnx_and_safetensors_are_told_by_their_bytes(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = tmp_path / "model.bin"
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    info = [onnx.helper.make_tensor_value_info(n, 1, [1]) for n in "xy"]
    graph = onnx.helper.make_graph([node], "g", info[:1], info[1:])
    model.write_bytes(onnx.helper.make_model(graph).SerializeToString(deterministic=True))
    assert identify(model) == "onnx"
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    model.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    assert identify(model) == "safetensors"


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_any_protocol_is_refused_whatever_its_name(
    tmp_path: Path, protocol: int
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(pickle.dumps({"weights": [1.0]}, protocol=protocol))
    with pytest.raises(StateRefused) as refused:
        identify(file)
    assert refused.value.code == "format-not-allowed"
    assert refused.value.exit_code == 30


def test_a_zip_an_empty_file_and_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(1))
    for content in (file.read_bytes(), b"", b"hello", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08"):
        file.write_bytes(content)
        with pytest.raises(StateRefused):
            identify(file)

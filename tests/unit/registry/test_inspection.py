"""A model file is read and never loaded; what is not known to be harmless is refused by name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import IntegrityError, MlopsError, StateRefused
from mlops_cli.registry.modelfile.inspection import (
    admit,
    inspect,
    inspect_file,
    inspect_object,
    judged,
)
from mlops_cli.store.cache import open_cache


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def field(number: int, value: bytes | int) -> bytes:
    """Return one field of protobuf."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & 0xFFFFFFFFFFFFFFFF)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def tensor(name: str, dims: list[int], raw: bytes = b"", kind: int = 1, more: bytes = b"") -> bytes:
    shape = b"".join(field(1, dim) for dim in dims)
    return shape + field(2, kind) + field(8, name.encode()) + (field(9, raw) if raw else b"") + more


def model(*graph: bytes, opset: bytes = field(2, 17)) -> bytes:
    return field(1, 8) + field(7, b"".join(graph)) + field(8, opset)


def node(kind: str, domain: str = "", inputs: tuple[str, ...] = (), more: bytes = b"") -> bytes:
    said = b"".join(field(1, name.encode()) for name in inputs) + field(4, kind.encode())
    return field(1, said + (field(7, domain.encode()) if domain else b"") + more)


def refusal(data: bytes) -> MlopsError:
    """Return the error that registering these bytes ends with; little memory is taken for it."""
    tracemalloc.start()
    try:
        with pytest.raises(MlopsError) as refused:
            admit(inspect(data, name="model.onnx"), name="model.onnx")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20, "bounded, whatever the file says"
    finally:
        tracemalloc.stop()
    return refused.value


def test_a_model_of_onnx_is_read_as_onnx_reads_it(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, proto = onnx.helper, onnx.TensorProto
    info = [
        helper.make_tensor_value_info("x", proto.FLOAT, ["batch", 4]),
        helper.make_tensor_value_info("w", proto.FLOAT, [4, 2]),
    ]
    out = helper.make_tensor_value_info("y", proto.FLOAT, None)
    weight = helper.make_tensor("w", proto.FLOAT, [4, 2], [0.0] * 8)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", info, [out],
                              [weight])  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "model.bin"
    path.write_bytes(made.SerializeToString())
    found = inspect_file(path)
    admit(found, name="model.bin")
    assert [(t.name, t.dtype, t.shape) for t in found.inputs] == [("x", "FP32", ("batch", 4))]
    assert [(t.name, t.shape) for t in found.outputs] == [("y", None)]
    assert (found.opset, found.ir_version, found.parameters) == ({"ai.onnx": 17}, 8, 8)
    assert found.operators == {"MatMul": 1} and found.size == path.stat().st_size


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_never_runs_whatever_its_name(tmp_path: Path, protocol: int) -> None:
    ran = tmp_path / "ran"
    evil = tmp_path / "model.onnx"
    evil.write_bytes(pickle.dumps(Bomb(ran), protocol=protocol))
    found = inspect_file(evil)
    with pytest.raises(StateRefused) as refused:
        admit(found, name="model.onnx")
    assert refused.value.code == "format-not-allowed" and refused.value.exit_code == 30
    if protocol >= 2:
        assert judged(found, ("onnx", "pickle")) == (), "allowed by name, and still not loaded"
    assert not ran.exists()
    pickle.loads(evil.read_bytes())
    assert ran.exists(), "the bomb is a real one"


def test_a_pickle_inside_an_archive_of_torch_never_runs(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    evil = tmp_path / "model.onnx"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(ran)))
        archive.writestr("archive/version", "3\n")
    assert refusal(evil.read_bytes()).code == "format-not-allowed"
    padded = inspect(evil.read_bytes() + b"\0" * 100, name="model.onnx")
    assert padded.format == "zip" and not ran.exists()


@pytest.mark.parametrize("head", [b"", b"hello", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08"])
def test_what_is_no_model_is_named(head: bytes) -> None:
    assert refusal(head).code == "format-not-allowed"


HUGE = model(node("Identity"), field(11, field(1, b"x") + field(2, field(1, field(1, 1) + field(
    2, field(1, field(1, 10**12)))))))  # fmt: skip
OUTSIDE = field(13, field(1, b"location") + field(2, b"../../etc/passwd")) + field(14, 1)
BESIDE = field(13, field(1, b"location") + field(2, b"weights.bin")) + field(14, 1)
SHAPE = tensor("s", [2], struct.pack("<2q", 10**6, 10**6), kind=7)
INNER = node("If", more=field(5, field(6, node("Evil", "org.evil"))))


@pytest.mark.parametrize(
    ("data", "code", "exit_code", "said"),
    [
        (HUGE, "tensor-too-large", 30, "1,000,000,000,000"),
        (model(field(5, tensor("w", [1 << 62, 1 << 62]))), "tensor-too-large", 30, "e+"),
        (model(field(5, SHAPE), node("ConstantOfShape", inputs=("s",))), "tensor-too-large", 30,
         "what ConstantOfShape makes"),
        (model(field(5, tensor("w", [9], more=OUTSIDE))), "external-data-outside", 30, "passwd"),
        (model(field(5, tensor("w", [9], more=BESIDE))), "external-data", 30, "weights.bin"),
        (model(node("Evil", "org.evil")), "custom-domain", 30, "org.evil::Evil"),
        (model(INNER), "custom-domain", 30, "org.evil::Evil"),
        (model(field(5, tensor("w", [9], b"1234"))), "malformed-model", 40, "has 4 bytes"),
        (model(field(5, tensor("w", [-1], b"1234"))), "malformed-model", 40, "shape"),
        (model(node("A" * 10_000_000)), "name-too-long", 40, "10,000,000"),
        (model(field(11, field(1, b"n" * 10_000_000))), "name-too-long", 40, "10,000,000"),
        (model(node("Identity"))[:-6], "malformed-model", 40, "bytes"),
        (field(1, 8) + field(8, field(2, 17)), "malformed-model", 40, "no graph"),
        (field(1, 8) + b"\xff" * 30, "malformed-model", 40, "ten bytes"),
        (field(1, 8) + b"\x0b\x0c", "malformed-model", 40, "wire type"),
    ],
)  # fmt: skip
def test_onnx_that_lies_or_wants_too_much_is_refused_by_name(
    data: bytes, code: str, exit_code: int, said: str
) -> None:
    error = refusal(data)
    assert (error.code, error.exit_code) == (code, exit_code)
    assert said in error.message and error.hint and len(error.message) < 500


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (model(field(5, tensor("w", [9], more=BESIDE))), "external-data"),
        (model(field(5, tensor("w", [9], more=OUTSIDE))), "external-data"),
        (model(*[node("Evil", f"org.evil{n}") for n in range(99)],
               field(5, tensor("w", [9], more=BESIDE))), "external-data"),
        (model(field(5, tensor("w", [1 << 62, 1 << 62]))), "tensor-too-large"),
    ],
)  # fmt: skip
def test_what_must_not_be_loaded_is_not_whoever_asks(
    data: bytes, code: str, tmp_path: Path
) -> None:
    from mlops_cli.serving.model import open_model
    from mlops_cli.training import score

    with pytest.raises(IntegrityError) as judged:
        score.open_model(data)
    (tmp_path / "model.onnx").write_bytes(data)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with pytest.raises(IntegrityError) as served:
        open_model(tmp_path, name="storm", version=1, digest=digest, bundle=digest)
    assert (judged.value.code, served.value.code) == (code, code)


def test_graphs_in_graphs_end_somewhere() -> None:
    inner = node("Identity")
    for _ in range(200):
        inner = node("If", more=field(5, field(6, inner)))
    assert refusal(model(inner)).code == "too-deep"


def test_an_operator_that_the_file_defines_itself_is_none_of_a_foreign_domain() -> None:
    function = field(25, field(1, b"Gelu") + field(10, b"pkg.mine") + field(7, node("Tanh")[2:]))
    data = model(node("Gelu", "pkg.mine")) + function
    assert judged(inspect(data, name="m")) == ()


def test_any_beginning_of_a_model_is_refused_and_none_hangs() -> None:
    whole = model(field(5, tensor("w", [2, 2], b"\0" * 16)), node("Identity", inputs=("w",)))
    assert judged(inspect(whole, name="m")) == ()
    for length in range(2, len(whole)):
        with pytest.raises(MlopsError):
            admit(inspect(whole[:length], name="m"), name="m")


def tensors(header: Any, data: bytes = b"") -> bytes:
    told = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + data


def one(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_safetensors_tell_what_they_hold() -> None:
    header = {"__metadata__": {"format": "pt"}, "a": one("F32", [2, 2], 0, 16),
              "b": one("I8", [], 16, 17)}  # fmt: skip
    found = inspect(tensors(header, b"\0" * 17), name="w")
    assert (found.format, found.tensors, found.parameters) == ("safetensors", 2, 5)
    assert judged(found) == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (tensors({"a": one("F32", [10**12], 0, 4)}, b"\0" * 4), "malformed-model"),
        (tensors({"a": one("F32", [1], 0, 4)}, b"\0" * 3), "malformed-model"),
        (tensors({"a": one("F32", [1], 0, 4)}, b"\0" * 5), "malformed-model"),
        (tensors({"a": one("F32", [1], 0, 4), "b": one("F32", [1], 2, 6)}, b"\0" * 6),
         "malformed-model"),
        (tensors({"a": one("F32", [1], 4, 8)}, b"\0" * 8), "malformed-model"),
        (tensors({"a": one("EVIL", [1], 0, 4)}, b"\0" * 4), "malformed-model"),
        (tensors({"a": [1]}), "malformed-model"),
        (tensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{}}'),
         "malformed-model"),
        (tensors(b'{"a":' + b"[" * 100_000), "malformed-model"),
        (tensors({"n" * 5000: one("F32", [], 0, 4)}, b"\0" * 4), "name-too-long"),
        ((1 << 40).to_bytes(8, "little") + b"{", "malformed-model"),
        (b"\xff" * 7 + b"\0{" + b"x" * 20, "malformed-model"),
    ],
)  # fmt: skip
def test_a_safetensors_header_that_lies_is_refused_by_name(data: bytes, code: str) -> None:
    error = refusal(data)
    assert error.code == code and isinstance(error, IntegrityError)


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((3 << 30).to_bytes(8, "little") + b"{")
        file.truncate((3 << 30) + 100)  # a hole: it takes no disk
    tracemalloc.start()
    with pytest.raises(IntegrityError) as refused:
        inspect_file(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert refused.value.code == "header-too-large"


def test_the_weights_of_a_large_file_are_stepped_over(tmp_path: Path) -> None:
    size = 1 << 30
    weights = field(1, size >> 2) + field(2, 1) + field(8, b"w")
    weights += varint(9 << 3 | 2) + varint(size)
    graph = node("Identity") + varint(5 << 3 | 2) + varint(len(weights) + size) + weights
    head = field(1, 8) + field(8, field(2, 17)) + varint(7 << 3 | 2) + varint(len(graph) + size)
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        file.write(head + graph)
        file.truncate(len(head) + len(graph) + size)
    tracemalloc.start()
    found = inspect_file(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert found.parameters == size >> 2 and judged(found) == ()


def test_bytes_in_memory_and_a_file_say_the_same(tmp_path: Path) -> None:
    data = io.BytesIO(model(node("Identity"))).getvalue()
    (tmp_path / "m").write_bytes(data)
    assert inspect(data, name="m") == inspect_file(tmp_path / "m")


def test_an_object_is_hashed_and_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    size = 32 << 20
    head = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    (tmp_path / "m").write_bytes(struct.pack("<Q", len(head)) + head + bytes(size))
    cache = open_cache(tmp_path / "cache")
    digest = cache.put_file(tmp_path / "m")
    tracemalloc.start()
    found = inspect_object(cache, digest, name="m")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert found == inspect_file(tmp_path / "m")
    small = cache.put(model(node("Identity")))
    assert inspect_object(cache, small, name="m").format == "onnx"
    path = cache.objects.path(digest)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    with pytest.raises(IntegrityError) as refused:
        inspect_object(cache, digest, name="m")
    assert refused.value.code == "damaged-object"

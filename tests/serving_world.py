"""A small model in the shape of the contract, its bundle, and a project that has registered it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.pipeline.model.serving import Deployment, Target
from mlops_cli.registry.registry import Registry
from mlops_cli.serving.desired import Desired, Served
from mlops_cli.serving.model import Model, open_model
from mlops_cli.serving.parts import Parts
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.tree import Entry, write_tree
from mlops_cli.vcs.repo import Git

NOW = datetime(2013, 3, 1, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "schema": "mlops.schema/1",
    "task": "binary",
    "inputs": [
        {"name": "distance", "dtype": "FP32", "nullable": False, "min": 0.0, "max": 5000.0},
        {"name": "wind", "dtype": "FP32", "nullable": True},
        {"name": "carrier", "dtype": "BYTES", "nullable": True, "categories": ["AA", "UA"]},
        {"name": "stops", "dtype": "INT64", "nullable": False, "kind": "int"},
    ],
    "outputs": [{"name": "probability", "dtype": "FP32"}],
}
ROW = {"distance": 1.5, "wind": 0.25, "carrier": "UA", "stops": 1}


def model_bytes(bias: float = 0.0) -> bytes:
    """Return sigmoid(0.3 distance - 0.2 wind + 0.7 code(carrier) + stops + bias) as ONNX."""
    from onnx import TensorProto, checker, helper, numpy_helper

    def info(name: str, kind: int) -> Any:
        return helper.make_tensor_value_info(name, kind, ["batch"])

    def constant(name: str, value: Any, dtype: str) -> Any:
        return numpy_helper.from_array(np.array(value, dtype=dtype), name)

    def node(kind: str, inputs: list[str], output: str, **more: Any) -> Any:
        return helper.make_node(kind, inputs, [output], **more)

    labels = {"keys_strings": ["AA", "UA"], "values_floats": [1.0, 2.0], "default_float": 0.0}
    numbers = ["distance", "wind_or_0", "code", "stops_32"]
    graph = helper.make_graph(
        [
            node("LabelEncoder", ["carrier"], "code", domain="ai.onnx.ml", **labels),
            node("IsNaN", ["wind"], "hole"),
            node("Where", ["hole", "zero", "wind"], "wind_or_0"),
            node("Cast", ["stops"], "stops_32", to=TensorProto.FLOAT),
            *(node("Unsqueeze", [name, "axis"], f"{name}_2d") for name in numbers),
            node("Concat", [f"{name}_2d" for name in numbers], "x", axis=1),
            node("MatMul", ["x", "weights"], "y"),
            node("Add", ["y", "bias"], "z"),
            node("Sigmoid", ["z"], "p"),
            node("Squeeze", ["p", "axis"], "probability"),
        ],
        "delay",
        [
            info("distance", TensorProto.FLOAT),
            info("wind", TensorProto.FLOAT),
            info("carrier", TensorProto.STRING),
            info("stops", TensorProto.INT64),
        ],
        [info("probability", TensorProto.FLOAT)],
        [
            constant("weights", [[0.3], [-0.2], [0.7], [1.0]], "float32"),
            constant("bias", [bias], "float32"),
            constant("axis", [1], "int64"),
            constant("zero", 0, "float32"),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def rows(count: int, seed: int = 0) -> pa.Table:
    """Return random rows for the model, with missing values where they are allowed."""
    random = np.random.default_rng(seed)
    wind = random.normal(size=count).astype("float32")
    carriers = random.choice(["AA", "UA", "DL", "Ünïted"], count).tolist()
    return pa.table(
        {
            "distance": pa.array(random.normal(size=count).astype("float32")),
            "wind": pa.array(wind, mask=random.random(count) < 0.2),
            "carrier": pa.array([None if i % 7 == 3 else c for i, c in enumerate(carriers)]),
            "stops": pa.array(random.integers(-2, 3, count)),
        }
    )


def expected(table: pa.Table, bias: float = 0.0) -> np.ndarray[Any, Any]:
    """Return what onnxruntime, called directly, gives for `table`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model_bytes(bias), providers=["CPUExecutionProvider"])
    feed = {
        "distance": table["distance"].to_numpy().astype("float32"),
        "wind": table["wind"].to_numpy().astype("float32"),
        "carrier": np.array([c or "" for c in table["carrier"].to_pylist()], dtype=object),
        "stops": table["stops"].to_numpy(),
    }
    answer: np.ndarray[Any, Any] = session.run(None, feed)[0]
    return answer


def write_bundle(folder: Path, bias: float = 0.0) -> str:
    """Write a bundle and return the digest of its model."""
    folder.mkdir(parents=True, exist_ok=True)
    data = model_bytes(bias)
    (folder / "model.onnx").write_bytes(data)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    golden = rows(16, seed=7)
    golden = golden.append_column("probability", pa.array(expected(golden, bias)))
    with pa.ipc.new_file(folder / "golden.arrow", golden.schema) as writer:
        writer.write_table(golden)
    return "sha256:" + hashlib.sha256(data).hexdigest()


def load(folder: Path, bias: float = 0.0, version: int = 1) -> Model:
    digest = write_bundle(folder, bias)
    bundle = "sha256:" + f"{version:064d}"
    return open_model(folder, name="delay", version=version, digest=digest, bundle=bundle)


def desired(root: Path, version: int = 1, bias: float = 0.0, **more: Any) -> Desired:
    """Write a bundle under `root` and return the wish to serve it at any free port."""
    digest = write_bundle(root / f"bundle{version}", bias)
    bundle = "sha256:" + f"{version:064d}"
    model = Served("champion", "delay", version, digest, bundle, f"bundle{version}")
    return Desired(**{"environment": "prod", "models": (model,), "port": 0, **more})


@dataclass
class World:
    """A git repository with a cache and a ledger, in which models can be registered."""

    root: Path
    git: Git
    cache: Cache
    ledger: Ledger

    @property
    def parts(self) -> Parts:
        return Parts(self.root, self.git, self.cache, self.ledger, lambda: NOW)

    @property
    def registry(self) -> Registry:
        return Registry(self.git)

    def register(self, bias: float, *, spoil: Callable[[Path], None] | None = None) -> int:
        """Register a model and return its version; `spoil` may change the bundle first."""
        folder = self.root.parent / f"made-{bias}"
        digest = write_bundle(folder, bias)
        if spoil is not None:
            spoil(folder)
        entries = []
        for path in sorted(folder.iterdir()):
            data = path.read_bytes()
            entries.append(Entry(path.name, "file", self.cache.put(data), len(data)))
        payload = {
            "digest": digest,
            "bundle": self.cache.put(write_tree(entries)),
            "format": "onnx",
            "created": NOW.isoformat(),
        }
        return self.registry.create("delay", payload).number

    def promote(self, version: int, alias: str = "production") -> None:
        self.registry.move(
            "delay",
            alias,
            version,
            policy={},
            evidence={},
            actor="Ada",
            reason="a test",
            time=NOW,
        )

    def records(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the bodies of all records of `kind`, in no order."""
        names = _git(self.root, "ls-tree", "-r", "--name-only", self.ledger.ref).split()
        bodies = [json.loads(_git(self.root, "show", f"{self.ledger.ref}:{n}")) for n in names]
        return [body for body in bodies if body["kind"] == kind]


def make_world(root: Path) -> World:
    """Return a world in the git repository at `root`, with a first commit."""
    (root / ".gitignore").write_text(".mlops/\n")
    _git(root, "add", ".gitignore")
    _git(root, "commit", "-qm", "start")
    git = Git(root)
    return World(root, git, open_cache(root / ".mlops" / "cache"), open_ledger(git))


def deployment(**more: Any) -> Deployment:
    """Return a deployment of delay@production at any free port."""
    return Deployment(**{"model": "delay@production", "target": Target(port=0), **more})


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout

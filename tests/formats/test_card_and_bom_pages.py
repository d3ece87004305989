"""The pages of the card, the bill of materials and model files say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mlops_cli.encode import canonical_json
from mlops_cli.integrations.cyclonedx import bom
from mlops_cli.integrations.libraries import Library
from mlops_cli.registry import formats
from mlops_cli.registry.card import card
from mlops_cli.registry.modelfile import inspection, protobuf, tensorfile
from mlops_cli.registry.modelfile.found import MOST_ELEMENTS
from mlops_cli.registry.modelfile.onnxtally import DOMAINS
from mlops_cli.registry.origin import Origin
from mlops_cli.registry.version import Version
from mlops_cli.registry.words import parse
from mlops_cli.store.digest import Digest

DOCS = Path(__file__).parents[2] / "docs/formats"
DATA = {"data/days.parquet": "sha256:" + "f" * 64}
PAYLOAD = {
    "actor": "Ada Lovelace <ada@example.org>",
    "bundle": "sha256:" + "b" * 64,
    "created": "2013-02-01T00:00:00.000Z",
    "dataset": "sha256:" + "c" * 64,
    "digest": "sha256:" + "a" * 64,
    "file": {"ir_version": 10, "opset": {"ai.onnx": 20}, "size": 11978},
    "format": "onnx",
    "inputs": [{"dtype": "FP32", "name": "wind"}],
    "metrics": {"roc_auc": 0.7012},
    "model": "storm",
    "outputs": [{"dtype": "FP32", "name": "probability"}],
    "run": "sha256:" + "d" * 64,
    "schema": "mlops.version/1",
    "train": "train.storm",
    "version": 1,
}
VERSION = Version("storm", 1, PAYLOAD, "mlops/storm/v1", "t" * 40, "e" * 40)


def blocks(name: str, fence: str) -> tuple[str, list[str], list[str]]:
    page = (DOCS / name).read_text()
    digests = re.findall(r"`(sha256:[0-9a-f]{64})`:\n\n", page)
    return page, re.findall(rf"^{fence}\n(.*?)^`{{3,4}}$", page, re.S | re.M), digests


def test_the_card_of_the_example_has_its_digest() -> None:
    _, (words, _), (digest,) = blocks("card.md", "`{3,4}markdown")
    made = card(VERSION, parse(words), aliases=["production"], origin=Origin(DATA))
    assert Digest.of(made.encode()) == digest
    assert f"````markdown\n{made.rstrip()}\n````" in (DOCS / "card.md").read_text()


def test_the_bill_of_the_example_has_its_digest() -> None:
    _, (words, _), _ = blocks("card.md", "`{3,4}markdown")
    _, (shown,), (digest,) = blocks("bom.md", "```json")
    made = bom(VERSION, parse(words), Origin(DATA), [Library("numpy", "2.4.6")])
    component = made["metadata"]["component"]
    assert json.loads(shown) == component and Digest.of(canonical_json(component)) == digest


def test_the_page_of_model_files_has_every_code_and_limit() -> None:
    page, _, _ = blocks("model-files.md", "```json")
    for code in inspection.CODES:
        assert f"`{code}`" in page, code
    for domain in DOMAINS - {""}:
        assert f"`{domain}`" in page
    for word in (*formats.KNOWN, "hdf5", "gzip", "empty", "unknown"):
        assert f"`{word}`" in page
    assert f"{MOST_ELEMENTS:,}" in page and f"{protobuf.NAME:,} bytes" in page
    assert f"{tensorfile.MOST_HEADER >> 20} MiB" in page

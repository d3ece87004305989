"""Which files may be a model: an allow-list told by their first bytes, never by their name."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.errors import StateRefused

ALLOWED = ("onnx", "safetensors")


def identify(path: Path) -> str:
    """Return "onnx" or "safetensors". Raises StateRefused ("format-not-allowed") for all else.

    Pickles, and the zip files of torch.save that hold one, run code when they are loaded; no
    scanner changes that, so they are refused rather than inspected.
    """
    with open(path, "rb") as file:
        head = file.read(16)
    found = of_bytes(head)
    if found in ALLOWED:
        return found
    raise StateRefused(
        f"{path.name} is {found}, which may not be registered as a model",
        code="format-not-allowed",
        hint="export it to ONNX (mlops train does) or save the weights as safetensors",
        details={"path": str(path), "allowed": list(ALLOWED)},
    )


def of_bytes(head: bytes) -> str:
    """Return what the first 16 bytes of a file say it is."""
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle"
    if head[:4] == b"PK\x03\x04":
        return "a zip archive (torch.save writes a pickle into one)"
    if head[:6] == b"\x89HDF\r\n":
        return "HDF5"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    # safetensors: the length of the header, 8 bytes little-endian, then the header, an object
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return "safetensors"
    # ONNX: a protobuf whose first field is ir_version, a small varint (ModelProto, field 1)
    if head[:1] == b"\x08" and 0 < int.from_bytes(head[1:2], "little") < 0x40:
        return "onnx"
    return "of an unknown format"

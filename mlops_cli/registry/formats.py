"""Which files may be a model: told by their first bytes, never by their name."""

from __future__ import annotations

ALLOWED = ("onnx", "safetensors")  # unless models/<name>.yaml says `formats: […]`
KNOWN = (*ALLOWED, "pickle", "zip")  # what a policy may name

_TOLD = {
    "pickle": "a pickle",
    "zip": "a zip archive (torch.save writes a pickle into one)",
    "hdf5": "HDF5",
    "gzip": "gzip",
    "empty": "empty",
    "unknown": "of an unknown format",
}


def of_bytes(head: bytes) -> str:
    """Return what the first 16 bytes of a file say it is: one of KNOWN, or what else it is.

    Pickles, and the zip files of torch.save that hold one, run code when they are loaded; no
    scanner changes that, so nothing here looks into them.
    """
    if not head:
        return "empty"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if head[:6] == b"\x89HDF\r\n":
        return "hdf5"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    # safetensors: the length of the header, 8 bytes little-endian, then the header, an object
    if len(head) > 8 and head[8:9] == b"{" and not head[7]:
        return "safetensors"
    # ONNX: a protobuf whose first field is ir_version, a small varint (ModelProto, field 1)
    if head[:1] == b"\x08" and 0 < int.from_bytes(head[1:2], "little") < 0x40:
        return "onnx"
    return "unknown"


def told(what: str) -> str:
    """Return a format in words: "a pickle"."""
    return _TOLD.get(what, what)

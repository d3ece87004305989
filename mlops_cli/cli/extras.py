"""Optional packages: which extra of this project brings which, and what it is for."""

from __future__ import annotations

EXTRAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "s3": ("remotes on S3", ("s3fs",)),
    "ssh": ("remotes behind ssh", ("paramiko",)),
    "gs": ("remotes on Google Cloud Storage", ("gcsfs",)),
    "azure": ("remotes on Azure", ("adlfs",)),
    "features": ("point-in-time joins", ("duckdb",)),
    "torch": (
        "training and export",
        ("torch", "numpy", "onnx", "onnxscript", "onnxruntime"),
    ),
    "serve": ("serving models", ("granian", "uvicorn", "orjson", "numpy", "onnxruntime")),
}


def extra_of(module: str) -> str | None:
    """Return the extra that brings `module`, or None when no extra does."""
    package = module.partition(".")[0]
    return next((name for name, (_, packages) in EXTRAS.items() if package in packages), None)

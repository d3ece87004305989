"""The machine and the interpreter as evidence: what a record tells and no key depends on."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# instructions by which sums and products come out otherwise in the last bit
FEATURES = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"),
    *("amx_tile", "amx_bf16", "amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)


def machine() -> dict[str, Any]:
    """Return platform, processor and GPUs; no process is started for it."""
    import os
    import platform

    name, features = _processor()
    cpu = {
        "model": name or platform.processor() or platform.machine(),
        "features": " ".join(word for word in FEATURES if word in features),
        "count": os.cpu_count(),
    }
    found: dict[str, Any] = {"platform": f"{sys.platform}-{platform.machine()}", "cpu": cpu}
    if gpu := _gpus():
        found["gpu"] = gpu
    return found


def interpreter(libraries: Iterable[str]) -> dict[str, Any]:
    """Return the version of this interpreter and of those of `libraries` that it has."""
    import platform
    from importlib import metadata

    packages: dict[str, str] = {}
    for name in libraries:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "packages": packages}


def loaded() -> dict[str, Any]:
    """Return the libraries that this process has imported by now, each with its version, and how
    those that do the sums were built."""
    found: dict[str, Any] = {}
    versions = {}
    for name, module in sorted(sys.modules.items()):
        version = vars(module).get("__version__")  # asking the module may warn
        private = name.startswith("_") or "." in name or name in sys.stdlib_module_names
        if isinstance(version, str) and not private:
            versions[name] = version
    if versions:
        found["loaded"] = versions
    if numpy := sys.modules.get("numpy"):
        found["blas"] = _blas(numpy)
    if torch := sys.modules.get("torch"):
        found["torch"] = {
            "build": torch.version.git_version,
            "cuda": torch.version.cuda,
            "threads": torch.get_num_threads(),
        }
    return found


def _blas(numpy: Any) -> str:
    try:
        blas: Mapping[str, Any] = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas['version']}"
    except (AttributeError, KeyError, TypeError):
        return "unknown"


def _processor() -> tuple[str, set[str]]:
    """Return the name and the features of the processor, as Linux tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")[0]
    except OSError:
        return "", set()
    lines = {
        key.strip(): value.strip()
        for key, colon, value in (line.partition(":") for line in text.splitlines())
        if colon
    }
    features = lines.get("flags") or lines.get("Features") or ""
    return lines.get("model name", ""), set(features.split())


def _gpus() -> dict[str, Any]:
    """Return the names of the GPUs and the version of their driver, where there are any."""
    folder = Path("/proc/driver/nvidia")
    try:
        names = [
            line.partition(":")[2].strip()
            for file in sorted(folder.glob("gpus/*/information"))
            for line in file.read_text(errors="replace").splitlines()
            if line.startswith("Model:")
        ]
        driver = (folder / "version").read_text(errors="replace").splitlines()[0]
    except (OSError, IndexError):
        return {}
    return {"names": ", ".join(names), "driver": driver.partition(":")[2].strip()} if names else {}

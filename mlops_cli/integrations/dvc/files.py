"""`.dvc` files: data that DVC tracks, what was imported from elsewhere, and stages of DVC 0.x."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mlops_cli.integrations.dvc import text
from mlops_cli.integrations.dvc.declared import Made
from mlops_cli.integrations.dvc.lock import Locked, read_locked
from mlops_cli.integrations.dvc.outs import Out, Refused, place, read_out
from mlops_cli.integrations.dvc.stages import Stage

_KINDS = (("metric", "metrics"), ("plot", "plots"))


def read_file(file: str, value: Any) -> Iterator[Out | tuple[Stage, Locked] | Refused]:
    """Yield what one `.dvc` file (relative to the project) says."""
    values = text.mapping(value, name=file)
    base = file.rpartition("/")[0]
    if wdir := values.get("wdir"):
        joined = os.path.normpath(os.path.join(base, str(wdir)))
        base = "" if joined == "." else joined
    if values.get("cmd"):
        try:
            yield _stage(file, values, base)
        except Refused as refused:
            yield Refused(f"{file}: {refused.name}", refused.why)
        return
    deps = text.listing(values.get("deps"), name=file)
    pin = _pin(deps[0], base) if deps and isinstance(deps[0], dict) else None
    for item in text.listing(values.get("outs"), name=file):
        try:
            out = read_out(text.mapping(item, name=file), base=base, source=file)
        except Refused as refused:
            yield Refused(refused.name, refused.why)
            continue
        if pin is not None:
            out = replace(out, pin=pin)
        yield out


def _pin(dep: Mapping[str, Any], base: str) -> dict[str, Any]:
    """Return where a `.dvc` file of `dvc import` or `import-url` says its data is from: as a pin
    that `mlops update` follows where it can, and of a kind of its own where not."""
    path = str(dep.get("path", ""))
    repo = dep.get("repo")
    if isinstance(repo, dict):
        commit = repo.get("rev_lock")
        kind = "git" if commit else "dvc"
        url = str(repo.get("url"))
        if url.startswith("."):  # as seen from the file of DVC; ours are seen from the project
            url = os.path.normpath(os.path.join(base, url))
        found = {"url": url, "path": path, "rev": repo.get("rev"), "commit": commit}
    else:
        kind = "url" if "://" in path and not path.startswith("remote://") else "dvc"
        etag = dep.get("etag") or dep.get("checksum")
        found = {"url": path, "etag": etag, "version": dep.get("version_id")}
    return {"kind": kind} | {key: str(value) for key, value in found.items() if value is not None}


def _stage(file: str, values: dict[str, Any], base: str) -> tuple[Stage, Locked]:
    deps: list[str] = []
    params: list[tuple[str, tuple[str, ...]]] = []
    for dep in text.listing(values.get("deps"), name=file):
        item = text.mapping(dep, name=file)
        if "params" in item:
            keys = item["params"]
            params.append((str(item.get("path") or "params.yaml"), tuple(map(str, keys or ()))))
        else:
            deps.append(str(item.get("path")))
    outs = []
    for out in text.listing(values.get("outs"), name=file):
        item = text.mapping(out, name=file)
        role = next((role for key, role in _KINDS if item.get(key)), "outs")
        outs.append(Made(place(base, item.get("path")), role, item))
    cmd = values["cmd"]
    lines = tuple(str(line) for line in cmd) if isinstance(cmd, list) else (str(cmd),)
    name = file.rpartition("/")[2].removesuffix(".dvc")
    stage = Stage(
        name,
        file,
        lines,
        lines,
        base,
        tuple(deps),
        tuple(params),
        tuple(outs),
        frozen=values.get("frozen") is True or values.get("locked") is True,
        always=values.get("always_changed") is True,
        desc=str(values.get("desc") or ""),
        listed=isinstance(cmd, list),
    )
    return stage, read_locked(values, name=file)

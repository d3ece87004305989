"""What a server shall serve and what it tells about itself: small files in one folder.

.mlops/serving/<environment>/
    desired.json          what shall be served; written by deploy, watched by every worker
    server.json           the process that was started, and its address
    server.log            what it printed
    seal                  a token; a new one asks every worker to seal its prediction log
    workers/<pid>.json    one worker: what it serves, what went wrong, what it has counted
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.encode import canonical_json, parse_json, readable_json
from mlops_cli.serving import recipe
from mlops_cli.serving.recipe import Recipe

SCHEMA = "mlops.desired/1"


@dataclass(frozen=True, slots=True)
class Served:
    """A model to serve: its version, where its bundle lies (relative to the root), its part."""

    role: str  # champion | canary | shadow
    model: str
    version: int
    digest: str
    bundle: str
    folder: str
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Desired:
    """All that a server needs to know. `body` is in bytes; `port` 0 means any free one."""

    environment: str
    models: tuple[Served, ...]  # the champion first
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    body: int = 8 << 20
    rows: int = 10_000
    sample: float = 1.0
    pii: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    features: Recipe | None = None

    @property
    def generation(self) -> str:
        """Return a name for this content, by which a server proves that it serves it."""
        return hashlib.sha256(canonical_json(to_plain(self))).hexdigest()[:16]


def folder(root: Path, environment: str) -> Path:
    return root / ".mlops" / "serving" / environment


def to_plain(desired: Desired) -> dict[str, Any]:
    plain = {name: getattr(desired, name) for name in Desired.__dataclass_fields__}
    plain["models"] = [
        {name: getattr(item, name) for name in Served.__dataclass_fields__}
        for item in desired.models
    ]
    plain["pii"] = dict(desired.pii)
    if desired.features is None:
        del plain["features"]
    else:
        plain["features"] = recipe.to_plain(desired.features)
    return plain


def write(place: Path, desired: Desired) -> None:
    content = {"schema": SCHEMA, **to_plain(desired)}
    fsio.write_atomic(place / "desired.json", readable_json(content))


def read(place: Path) -> Desired | None:
    """Return what shall be served, or None when nothing was ever deployed here."""
    path = place / "desired.json"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    value = parse_json(data, source=str(path))
    value.pop("schema", None)
    models = tuple(Served(**item) for item in value.pop("models"))
    features = recipe.from_plain(value.pop("features", None))
    return Desired(models=models, features=features, **value)


def read_small(path: Path) -> dict[str, Any] | None:
    """Return the JSON object of a state file, None when it is missing or not readable."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None

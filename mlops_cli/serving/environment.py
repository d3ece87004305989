"""environments/<name>.yaml: what a deployment shall serve, by digest, as git remembers it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.encode import stable_yaml
from mlops_cli.errors import ConfigError, UsageError
from mlops_cli.pipeline.model.serving import Log, ServingLimits, Target
from mlops_cli.serving import recipe
from mlops_cli.serving.recipe import Recipe

FOLDER = "environments"
KEPT = 5  # former champions, as far as `rollback` can go
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_HEAD = "# What {} serves. Written by `mlops deploy`; change the deployment in pipeline.yaml.\n"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A version of a model, by digest; `name` is what it was asked for by (delay@production)."""

    name: str
    model: str
    version: int
    digest: str
    bundle: str

    @property
    def label(self) -> str:
        return f"{self.model} v{self.version}"


@dataclass(frozen=True, slots=True)
class Challenger:
    """A version that runs beside the champion."""

    pinned: Pinned
    mode: str = "shadow"
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """A version that was rolled back and is not deployed again unless it is forced."""

    model: str
    version: int
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Environment:
    """The desired state of one environment. `former` has the newest first."""

    name: str
    champion: Pinned
    since: str
    challengers: tuple[Challenger, ...] = ()
    target: Target = field(default_factory=Target)
    log: Log = field(default_factory=Log)
    limits: ServingLimits = field(default_factory=ServingLimits)
    former: tuple[Pinned, ...] = ()
    held: Held | None = None
    features: Recipe | None = None
    undecided: bool = False  # a merge left the other side in the file


def path(name: str) -> str:
    """Return the path of the file in the project. Raises UsageError ("bad-name")."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of an environment",
            code="bad-name",
            hint="use letters, digits, '_', '-' and dots",
        )
    return f"{FOLDER}/{name}.yaml"


def names(root: Path) -> list[str]:
    """Return the names of all environments that were ever deployed, sorted."""
    return sorted(file.stem for file in (root / FOLDER).glob("*.yaml") if _NAME.match(file.stem))


def write(root: Path, environment: Environment) -> None:
    """Write the file all at once."""
    text = _HEAD.format(environment.name) + stable_yaml(to_plain(environment))
    fsio.write_atomic(root / path(environment.name), text)


def read(root: Path, name: str) -> Environment | None:
    """Return what the file says, None where nothing was ever deployed.

    Raises ConfigError ("malformed-environment").
    """
    file = root / path(name)
    try:
        text = file.read_text()
    except FileNotFoundError:
        return None
    return parse(text, source=path(name))


def parse(text: str, *, source: str) -> Environment:
    """Return the environment in `text`. Raises ConfigError ("malformed-environment")."""
    import yaml

    try:
        value = yaml.safe_load(text)
        if value["version"] != 1:
            raise ValueError(f"version {value['version']} is not known")
        return Environment(
            str(value["environment"]),
            Pinned(**value["champion"]),
            str(value["since"]),
            tuple(
                Challenger(Pinned(**item["pinned"]), str(item["mode"]), float(item["share"]))
                for item in value["challengers"]
            ),
            Target(**value["target"]),
            Log(**value["log"]),
            ServingLimits(**value["limits"]),
            tuple(Pinned(**item) for item in value["former"]),
            Held(**value["held"]) if value["held"] else None,
            recipe.from_plain(value.get("features")),
            "theirs" in value,
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as exc:
        said = " ".join(str(exc).split())[:200]
        raise ConfigError(
            f"{source} is not the state of an environment: {type(exc).__name__}: {said}",
            code="malformed-environment",
            hint=f"git checkout -- {source}",
            details={"file": source},
        ) from exc


def to_plain(environment: Environment) -> dict[str, Any]:
    """Return all fields in the order of the file; nothing is left to a default."""
    plain = {
        "version": 1,
        "environment": environment.name,
        "champion": asdict(environment.champion),
        "since": environment.since,
        "challengers": [asdict(item) for item in environment.challengers],
        "target": asdict(environment.target),
        "log": {"sample": environment.log.sample, "pii": dict(environment.log.pii)},
        "limits": asdict(environment.limits),
        "former": [asdict(item) for item in environment.former],
        "held": asdict(environment.held) if environment.held else None,
    }
    if environment.features is not None:
        plain["features"] = recipe.to_plain(environment.features)
    return plain

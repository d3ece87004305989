"""A new project from a template: first the plan of its files, then the files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import mlops_cli
from mlops_cli import fsio
from mlops_cli.cli.render.text import nearest
from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.fsio import TEMPORARY_PREFIX
from mlops_cli.vcs.drivers import write_attributes
from mlops_cli.vcs.ignore import add_lines

IGNORED = (
    "/out/",
    "/.mlops/*",
    "!/.mlops/config.yaml",
    "!/.mlops/lock/",
    "!/.mlops/pins",
    "!/.mlops/allowed_signers",
    "!/.mlops/allowed_identities",
    "!/.mlops/trusted_root.json",
    "__pycache__/",
    f"{TEMPORARY_PREFIX}*",  # what a killed process leaves
)
SETTINGS = "# settings that everyone shares; mlops config list shows all there are\n"
EVERY = {"workflow.yml": ".github/workflows/mlops.yml"}
EVERY |= {"pre-commit-config.yaml": ".pre-commit-config.yaml"}


@dataclass(frozen=True, slots=True)
class Template:
    """A folder that is a whole project, and what its template.json tells about it."""

    name: str
    folder: Path
    summary: str
    extras: str = ""
    track: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """What the person said about the project; None and empty leave the template's words."""

    name: str
    goal: str | None = None
    kpi: str | None = None
    owners: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The files of a new project by path relative to `root`, and those that are in the way."""

    root: Path
    template: Template
    files: Mapping[str, bytes]
    conflicts: tuple[str, ...]


def folder() -> Path:
    """Return where templates are: in the wheel, or beside the package in a checkout."""
    package = Path(mlops_cli.__file__).parent
    inside = package / "_templates"
    return inside if inside.is_dir() else package.parent / "templates"


def templates() -> dict[str, Template]:
    """Return the templates by name."""
    found = {}
    for about in sorted(folder().glob("*/template.json")):
        told: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
        told = {
            key: tuple(value) if isinstance(value, list) else value for key, value in told.items()
        }
        found[about.parent.name] = Template(about.parent.name, about.parent, **told)
    return found


def template(name: str) -> Template:
    """Return the template `name`. Raises NotFound ("unknown-template")."""
    known = templates()
    if name not in known:
        near = nearest(name, known)
        raise NotFound(
            f"there is no template {name!r}",
            code="unknown-template",
            hint=f"did you mean: {near}" if near else f"known: {', '.join(known)}",
        )
    return known[name]


def plan(chosen: Template, root: Path, answers: Answers, *, leave: Sequence[str] = ()) -> Plan:
    """Return what a project at `root` would be made of; nothing is written.

    `leave` names template files (patterns) that do not come along.
    """
    files: dict[str, bytes] = {}
    for path in sorted(chosen.folder.rglob("*")):
        name = path.relative_to(chosen.folder).as_posix()
        unwanted = name == "template.json" or "__pycache__" in name
        if path.is_file() and not unwanted and not any(fnmatch(name, each) for each in leave):
            files[name] = path.read_bytes()
    files["pipeline.yaml"] = introduce(files["pipeline.yaml"].decode(), answers).encode()
    if not (root / ".mlops" / "config.yaml").exists():  # what someone set is never written over
        files[".mlops/config.yaml"] = SETTINGS.encode()
    extras = f"[{chosen.extras}]" if chosen.extras else ""
    for source, target in EVERY.items():
        text = (folder() / "every" / source).read_text(encoding="utf-8")
        text = text.replace("@EXTRAS@", extras).replace("@VERSION@", mlops_cli.__version__)
        files[target] = text.encode()
    conflicts = [name for name, data in files.items() if _in_the_way(root / name, data)]
    return Plan(root, chosen, files, tuple(sorted(conflicts)))


def carry_out(plan: Plan, *, overwrite: bool) -> list[str]:
    """Write the files of `plan` and return their paths, the managed blocks among them.

    Raises StateRefused ("files-exist") before anything is written, unless `overwrite`.
    """
    if plan.conflicts and not overwrite:
        raise StateRefused(
            f"these files exist already and are different: {', '.join(plan.conflicts)}",
            code="files-exist",
            hint="move them away, or write over them with --force",
            details={"files": list(plan.conflicts)},
        )
    for name, data in plan.files.items():
        fsio.write_atomic(plan.root / name, data, durable=False)
    add_lines(plan.root / ".gitignore", IGNORED)
    write_attributes(plan.root)
    return sorted([*plan.files, ".gitignore", ".gitattributes"])


def introduce(pipeline: str, answers: Answers) -> str:
    """Return the text of pipeline.yaml with the answers in its section `project`."""
    told = {"name": _yaml(answers.name)}
    if answers.goal is not None:
        told["goal"] = _yaml(answers.goal)
    if answers.kpi is not None:
        told["kpi"] = answers.kpi
    if answers.owners:
        owners = dict(
            re.findall(r"([\w-]+): ([^,}]+)", _line(pipeline, "owners").partition("{")[2])
        )
        everyone = answers.owners.get("*")
        owners = {role: _yaml(everyone) if everyone else who for role, who in owners.items()}
        owners |= {role: _yaml(who) for role, who in answers.owners.items() if role != "*"}
        told["owners"] = "{" + ", ".join(f"{role}: {who}" for role, who in owners.items()) + "}"
    for key, value in told.items():
        pipeline = pipeline.replace(_line(pipeline, key), f"  {key}: {value}", 1)
    return pipeline


def _line(pipeline: str, key: str) -> str:
    found = re.search(rf"^  {key}:.*$", pipeline[pipeline.index("project:") :], re.MULTILINE)
    if found is None:
        raise ValueError(f"the template's project section has no line for {key}")
    return found[0]


def _yaml(value: str) -> str:
    plain = re.fullmatch(r"[A-Za-z](?:[\w ./-]*[\w./-])?", value)
    reserved = value.lower() in ("null", "true", "false", "yes", "no", "on", "off")
    return value if plain and not reserved else json.dumps(value, ensure_ascii=False)


def _in_the_way(path: Path, data: bytes) -> bool:
    return path.is_dir() or (path.exists() and path.read_bytes() != data)

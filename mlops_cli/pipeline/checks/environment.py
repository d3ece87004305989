"""What pipeline.yaml says of environments: kinds have what they need, containers are pinned."""

from __future__ import annotations

import re
from pathlib import Path

from mlops_cli.pipeline.checks.inside import project_path
from mlops_cli.pipeline.keys import lockfile
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.project import Env
from mlops_cli.pipeline.words.document import refuse
from mlops_cli.pipeline.words.names import Where

_IMAGE = re.compile(r"\S+@sha256:[0-9a-f]{64}")


def check(pipeline: Pipeline, at: Where, root: Path) -> None:
    """Raise ConfigError for the first environment that cannot be made, or is not pinned."""
    _one(pipeline.env, ("env",), at, root)
    for section in ("steps", "train"):
        for name, step in getattr(pipeline, section).items():
            if step.environment:
                _one(step.environment, (section, name, "environment"), at, root)


def _one(env: Env, here: tuple[str, ...], at: Where, root: Path) -> None:
    if env.lock:
        project_path(env.lock, at(*here, "lock"), root)
    if (env.kind == "container") != bool(env.image):
        raise refuse(
            at(*here, "kind" if env.kind == "container" else "image"),
            "kind: container and image: belong together",
            code="wrong-value",
            hint="kind: container, image: NAME@sha256:…",
        )
    if env.image and not _IMAGE.fullmatch(env.image):
        raise refuse(
            at(*here, "image"),
            f"the image {env.image!r} is not named by its digest, and may change tomorrow",
            code="wrong-value",
            hint="docker image inspect --format '{{index .RepoDigests 0}}' IMAGE",
        )
    needed = {"uv": ("uv",), "conda": ("conda",), "venv": ("requirements", "pylock", "text")}
    forms = needed.get(env.kind, ())
    if env.kind == "venv" and not env.lock:
        raise refuse(
            at(*here, "kind"),
            "kind: venv needs the lock file that says what is in it",
            code="missing-key",
            hint="lock: requirements.txt, with all packages and their hashes",
        )
    if env.lock and forms and lockfile.form(env.lock) not in forms:
        names = {"uv": "uv.lock", "conda": "conda-lock.yml"}
        raise refuse(
            at(*here, "lock"),
            f"kind: {env.kind} cannot be made from {env.lock}",
            code="wrong-value",
            hint=f"lock: {names.get(env.kind, 'requirements.txt or pylock.toml')}",
        )

"""One version of a model: an annotated tag that is created once and never moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, UsageError
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.tags import Tag

SCHEMA = "mlops.version/1"
TAG = re.compile(r"mlops/(?P<model>[^/@]+)/v(?P<number>[1-9]\d*)")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_NUMBER = re.compile(r"v\d+")


@dataclass(frozen=True, slots=True)
class Version:
    """A registered model. `payload` is what the tag says, `commit` what it points to."""

    model: str
    number: int
    payload: Mapping[str, Any]
    tag: str
    tag_id: str
    commit: str

    @property
    def name(self) -> str:
        """The name that commands take: delay@v3."""
        return f"{self.model}@v{self.number}"

    @property
    def digest(self) -> Digest:
        """The digest of the model file."""
        return Digest.parse(self.payload.get("digest", ""))

    @property
    def bundle(self) -> Digest:
        """The digest of the bundle, a tree in the cache."""
        return Digest.parse(self.payload.get("bundle", ""))

    @property
    def run(self) -> str | None:
        """The digest of the run record that made the model."""
        return self.payload.get("run")

    @property
    def payload_digest(self) -> Digest:
        """The identity of the payload: the SHA-256 of its canonical JSON."""
        return Digest.of(canonical_json(self.payload))


def from_tag(tag: Tag) -> Version | None:
    """Return the version that `tag` stands for, None for tags of another kind.

    Raises IntegrityError ("damaged-version") when its payload names another model or number.
    """
    match = TAG.fullmatch(tag.name)
    if match is None:
        return None
    payload = tag.value()
    model, number = match["model"], int(match["number"])
    said = (payload.get("model"), payload.get("version")) if isinstance(payload, dict) else None
    if said != (model, number):
        raise IntegrityError(
            f"the tag {tag.name} holds the payload of something else",
            code="damaged-version",
            hint=f"git show {tag.name}",
            details={"tag": tag.name, "says": said},
        )
    return Version(model, number, payload, tag.name, tag.id, tag.target)


def check_name(name: str, *, what: str = "model") -> str:
    """Return `name` if it can be a model or alias. Raises UsageError ("bad-name").

    Letters, digits, `_`, `-` and inner dots; "v3" is how versions are called, so it is none.
    """
    if not _NAME.fullmatch(name) or _NUMBER.fullmatch(name) or name.endswith(".lock"):
        raise UsageError(
            f"{name!r} cannot be the name of a {what}",
            code="bad-name",
            hint="use letters, digits, '_', '-' and inner dots, and nothing like v3",
        )
    return name

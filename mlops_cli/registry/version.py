"""One version of a model: an annotated tag that is created once and never moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, UsageError
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.tags import Tag

SCHEMA = "mlops.version/1"
LISTING = "listing"
TAG = re.compile(r"mlops/(?P<model>[^/@]+)/v(?P<number>[1-9][0-9]{0,8})")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_NUMBER = re.compile(r"v[0-9]+")
_LONGEST = 100
_DIGESTS = (
    *("digest", "bundle", "judged_on", "run", "evaluated", "dataset"),
    *("lock", "card", "attestation", "signature"),
)


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
    def judged_on(self) -> Digest | None:
        """The digest of the folder with the test rows, and the listing of the dataset that they
        are of under the name LISTING; None where the version is older."""
        said = self.payload.get("judged_on")
        return Digest.parse(said) if said else None

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

    Raises IntegrityError ("damaged-version") when its payload is not one of this version.
    """
    match = TAG.fullmatch(tag.name)
    if match is None:
        return None
    model, number = match["model"], int(match["number"])
    try:
        payload = fitting(tag, model=model, version=number)
        if lie := next(_lies(payload), None):
            raise Unfit(f"says {lie}: {str(payload.get(lie))[:60]!r}")
    except Unfit as exc:
        raise IntegrityError(
            f"the tag {tag.name} {exc}",
            code="damaged-version",
            hint=f"git show {tag.name}",
            details={"tag": tag.name},
        ) from None
    return Version(model, number, payload, tag.name, tag.id, tag.target)


class Unfit(Exception):
    """Why a payload is not one of the tag that it stands in."""


def fitting(tag: Tag, **name: str | int) -> dict[str, Any]:
    """Return the payload, which must say of itself what the name of the tag says.

    Raises Unfit, IntegrityError ("malformed-json").
    """
    payload = tag.value()
    said = {key: payload.get(key) for key in name} if isinstance(payload, dict) else None
    # True == 1: the types are asked, too
    if said != name or [type(said[key]) for key in name] != [type(each) for each in name.values()]:
        raise Unfit("holds the payload of something else")
    try:
        canonical_json(payload)
    except ValueError:  # NaN, which Python reads and JSON does not have
        raise Unfit("holds a number that JSON does not have") from None
    return dict(payload)


def _lies(payload: Mapping[str, Any]) -> Any:
    """Yield the fields that are not what others build on."""
    for name in _DIGESTS:
        value = payload.get(name)
        if not (value is None and name != "digest") and not is_digest(value):
            yield name
    for name in ("metrics", "parity", "golden", "file"):
        if not isinstance(payload.get(name) or {}, Mapping):
            yield name
    for name in ("inputs", "outputs", "dirty"):
        if not isinstance(payload.get(name) or [], list):
            yield name
    for name in ("actor", "format", "train", "card_path"):
        if not isinstance(payload.get(name) or "", str):
            yield name
    if "created" in payload and not is_time(payload["created"]):
        yield "created"


def is_digest(value: Any) -> bool:
    """Tell whether `value` is a digest."""
    try:
        Digest.parse(value)
    except IntegrityError:
        return False
    return True


def is_time(value: Any) -> bool:
    """Tell whether `value` is a moment as ISO 8601 writes it."""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def check_name(name: str, *, what: str = "model") -> str:
    """Return `name` if it can be a model or alias. Raises UsageError ("bad-name").

    Letters, digits, `_`, `-` and inner dots; "v3" is how versions are called, so it is none.
    """
    if (
        not _NAME.fullmatch(name)
        or _NUMBER.fullmatch(name)
        or name.endswith(".lock")
        or len(name) > _LONGEST
    ):
        raise UsageError(
            f"{name[:_LONGEST]!r} cannot be the name of {'an' if what == 'alias' else 'a'} {what}",
            code="bad-name",
            hint="use letters, digits, '_', '-' and inner dots, at most 100, and nothing like v3",
        )
    return name

"""Somebody stands for a version: a signed statement in a tag of its own, counted when it is asked.

One key approves a version for an alias once; who it is, and whether it counts, the list of allowed
signers on the protected branch says at the moment of the decision.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, MlopsError
from mlops_cli.ledger.record import plain, timestamp
from mlops_cli.registry import sealed, signers
from mlops_cli.registry.allowed import fingerprint, parse
from mlops_cli.registry.version import Version, check_name
from mlops_cli.vcs import tagging, tags, tagsync
from mlops_cli.vcs.tags import Tag, Unreadable

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git

SCHEMA = "mlops.approval/1"
NAMESPACE = "mlops-approval"
TAG = re.compile(
    r"mlops/(?P<model>[^/@]+)/approvals/v(?P<number>[1-9][0-9]{0,8})/(?P<alias>[^/@]+)/[0-9a-f]{16}"
)


@dataclass(frozen=True, slots=True)
class Approval:
    """What one tag says. Proves nothing yet: see `counted`."""

    tag: str
    statement: Mapping[str, Any]
    signature: str

    @property
    def by(self) -> str:
        """Who says to have given it."""
        return str(self.statement.get("actor"))


def approve(
    git: Git,
    version: Version,
    alias: str,
    *,
    key: str,
    actor: str,
    reason: str,
    time: datetime,
    remote: str | None = None,
) -> Approval:
    """Sign that `version` may become `alias`, and return the approval; given before, that one.

    The tag is named by the key, so that one key has one. Raises NotFound ("no-such-key"),
    OutsideWorld ("signing-failed", "registry-unreachable").
    """
    statement: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "model": version.model,
            "version": version.number,
            "digest": version.digest,
            "payload": version.payload_digest,
            "alias": check_name(alias, what="alias"),
            "actor": actor,
            "reason": reason,
            "time": timestamp(time),
        }
    )
    signature = signers.sign(canonical_json(statement), NAMESPACE, key)
    by = hashlib.sha256(signers.seal(signature).key).hexdigest()[:16]
    name = f"{_folder(version)}{alias}/{by}"
    payload = {**statement, "signature": signature}
    subject = f"{version.name} may become {alias}"
    made = tagging.make(git, name, payload, subject=subject, time=time, target=version.commit)
    if not tagging.place(git, name, made, remote=remote) and remote is not None:
        fetch(git, version, alias, remote)  # given before, from another clone
    held = tags.one(git, name)
    return understood(held) if held is not None else Approval(name, statement, signature)


def fetch(git: Git, version: Version, alias: str, remote: str) -> None:
    """Bring the approvals of `version` for `alias` from the git remote. Raises OutsideWorld."""
    tagsync.fetch(git, remote, f"{_folder(version)}{alias}/")


def given(git: Git, version: Version, alias: str) -> list[Approval | MlopsError]:
    """Return the approvals of `version` for `alias`, and an error for each that cannot be read."""
    found: list[Approval | MlopsError] = []
    for tag in tags.listing(git, f"{_folder(version)}{alias}/"):
        try:
            found.append(understood(tag))
        except IntegrityError as exc:
            found.append(exc)
    return found


def counted(
    git: Git,
    version: Version,
    alias: str,
    *,
    allowed: bytes | None,
    trainers: Collection[str],
    at: datetime,
) -> list[dict[str, Any]]:
    """Return each approval as the evidence of a policy: {by, counts, why, tag}.

    `allowed` is the list of signers of the protected branch, None where it has none; `trainers`
    are the addresses of those who made the version, whose keys do not count. Keys must be valid
    at `at`, the moment of the decision: a date that an approval gives itself proves nothing.
    """
    own = _fingerprints(git, version)
    rows = []
    for each in given(git, version, alias):
        if isinstance(each, MlopsError):
            tag = str(each.details.get("tag", ""))
            rows.append({"by": tag, "counts": False, "why": each.message, "tag": tag})
            continue
        by, why = each.by, None
        try:
            by, why = _checked(each, version, alias, allowed, trainers, own, at)
        except MlopsError as exc:
            why = exc.message
        rows.append({"by": by, "counts": why is None, "why": why, "tag": each.tag})
    return rows


def _checked(
    each: Approval,
    version: Version,
    alias: str,
    allowed: bytes | None,
    trainers: Collection[str],
    own: Collection[str],
    at: datetime,
) -> tuple[str, str | None]:
    """Return whose it is, and why it does not count, None where it does."""
    said = each.statement
    if (said.get("model"), said.get("version")) != (version.model, version.number):
        return each.by, "it was given for another version"
    if said.get("alias") != alias:
        return each.by, f"it was given for {said.get('alias')}"
    if (said.get("digest"), said.get("payload")) != (version.digest, version.payload_digest):
        return each.by, f"{version.name} was another model then"
    if allowed is None:
        return each.by, "the protected branch lists no allowed signers"
    data = canonical_json(dict(said))
    principal = signers.check(data, each.signature, NAMESPACE, allowed, at=at)
    used = signers.seal(each.signature)
    listed = parse(allowed.decode("utf-8", "replace"))
    names = {signer.principal.casefold() for signer in listed if signer.key == used.key}
    if used.fingerprint in own:
        return principal, f"this key signed {version.name}"
    if names & {each.principal.casefold() for each in listed if fingerprint(each.key) in own}:
        return principal, f"another key of {principal} signed {version.name}"
    if names & {name.casefold() for name in trainers}:
        return principal, f"{principal} trained {version.name}"
    return principal, None


def _fingerprints(git: Git, version: Version) -> set[str]:
    """Return the key that signed the tag of the version, where one did."""
    try:
        signature = sealed.sealed(git, version.tag_id).signature
        return {signers.seal(signature).fingerprint} if signature else set()
    except IntegrityError:
        return set()  # a signature of another kind: its key is none that could approve


def _folder(version: Version) -> str:
    return f"mlops/{version.model}/approvals/v{version.number}/"


def understood(tag: Tag | Unreadable) -> Approval:
    if isinstance(tag, Unreadable):
        raise _damaged(tag.name, tag.why)
    value = tag.value()
    if not isinstance(value, dict) or not isinstance(value.get("signature"), str):
        raise _damaged(tag.name, "it holds no signed statement")
    if value.get("schema") != SCHEMA:
        raise _damaged(tag.name, f"its schema {value.get('schema')!r} is not known here")
    statement = {name: item for name, item in value.items() if name != "signature"}
    return Approval(tag.name, statement, value["signature"])


def _damaged(name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"the tag {name} is no approval: {why}",
        code="damaged-approval",
        hint=f"git show {name}",
        details={"tag": name},
    )

"""Annotated tags that carry a JSON payload: created once, never moved, signed where git signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlops_cli.encode import canonical_json, parse_json
from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.repo import Git, no_identity


@dataclass(frozen=True, slots=True)
class Tag:
    """One annotated tag: `id` names the tag object, `target` the commit it points to."""

    name: str
    id: str
    target: str
    payload: bytes

    def value(self) -> Any:
        """Return the payload. Raises IntegrityError ("malformed-json") naming the tag."""
        return parse_json(self.payload, source=f"tag {self.name}")


def create(
    git: Git, name: str, payload: Any, *, subject: str, time: datetime, target: str = "HEAD"
) -> bool:
    """Create the tag `name` on the commit `target`; False when a tag of that name is there.

    The payload is stored as canonical JSON below the subject. git creates a ref only if it is
    absent, so of two processes at once exactly one gets True. Signed when tag.gpgsign says so.
    Raises StateRefused ("no-commit", "no-identity").
    """
    if target == "HEAD" and git.head().commit is None:
        raise StateRefused(
            "there is no commit yet that a tag could point to",
            code="no-commit",
            hint="git add . && git commit",
        )
    message = f"{subject}\n\n".encode() + canonical_json(payload) + b"\n"
    answer = git.call(
        *("-c", "user.useConfigOnly=true", "-c", "i18n.commitEncoding=UTF-8"),
        *("tag", "--annotate", "--cleanup=verbatim", "-F", "-", "--", name, target),
        input=message,
        env={"GIT_COMMITTER_DATE": f"{int(time.astimezone(UTC).timestamp())} +0000"},
    )
    if answer.code == 0:
        return True
    if "already exists" in answer.err or "cannot lock ref" in answer.err:
        return False
    if "tell me who you are" in answer.err or "ident" in answer.err:
        raise no_identity()
    raise failed(("tag",), answer)


def listing(git: Git, prefix: str) -> list[Tag]:
    """Return the annotated tags under `prefix` ("mlops/delay/"), by one process, by name.

    Lightweight tags of that name are not ours and are left out.
    """
    fields = ("objecttype", "refname:lstrip=2", "objectname", "*objectname", "contents:body")
    pattern = "%00".join(f"%({field})" for field in fields) + "%00%00"
    raw = git.run("for-each-ref", f"--format={pattern}", f"refs/tags/{prefix}")
    tags = []
    for row in raw.split("\0\0\n"):
        words = row.removesuffix("\0\0").split("\0")
        if words[0] == "tag" and len(words) == len(fields):
            _, name, oid, target, body = words
            tags.append(Tag(name, oid, target, body.encode("utf-8", "surrogateescape")))
    return tags


def push(git: Git, remote: str, prefix: str = "mlops/") -> None:
    """Send all tags under `prefix`; one that exists there with other content is refused.

    Raises IntegrityError ("tag-taken") naming it: the number was given to something else.
    """
    if not git.run("for-each-ref", "--count=1", f"refs/tags/{prefix}"):
        return
    spec = f"refs/tags/{prefix}*:refs/tags/{prefix}*"
    answer = git.call("push", "--porcelain", "--no-verify", remote, spec)
    if answer.code == 0:
        return
    rows = answer.out.decode("utf-8", "replace").splitlines()
    taken = [row.split("\t")[1].partition(":")[2] for row in rows if row.startswith("!\t")]
    if taken:
        raise IntegrityError(
            f"{remote} has another tag {taken[0].removeprefix('refs/tags/')}",
            code="tag-taken",
            hint=f"git fetch {remote} tag NAME shows theirs; register again for the next number",
            details={"tags": taken},
        )
    raise failed(("push",), answer)


def fetch(git: Git, remote: str, prefix: str = "mlops/") -> None:
    """Fetch all tags under `prefix`; a tag that is here is never replaced."""
    answer = git.call("fetch", "--no-tags", remote, f"refs/tags/{prefix}*:refs/tags/{prefix}*")
    if answer.code == 0:
        return
    if "would clobber existing tag" in answer.err:
        raise IntegrityError(
            f"{remote} has another tag of a name that exists here",
            code="tag-taken",
            hint=f"git ls-remote --tags {remote}",
            details={"stderr": answer.err[-2000:]},
        )
    raise failed(("fetch",), answer)

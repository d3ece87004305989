"""One link of the chain behind a model, and how it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from mlops_cli.errors import (
    ConfigError,
    IntegrityError,
    MissingExtra,
    MlopsError,
    NotFound,
    StateRefused,
)

State = Literal["ok", "absent", "missing", "mismatch", "untrusted"]
CODES: dict[State, int] = {"ok": 0, "absent": 0, "missing": 20, "untrusted": 30, "mismatch": 40}


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that the one before names: `kind` event, policy, version, commit, record, bundle,
    model, file, provenance, attestation, signature, rows, lock, run, source, data, reproduced.

    absent: nobody said that it is to be here, or this level does not ask for it. missing: it is
    named and is not here. mismatch: it is not what it is named as. untrusted: nobody who counts
    stands for it. `wrong` says why, also of what is absent; `code` is that of the error.
    """

    kind: str
    label: str
    digest: str | None
    place: str | None
    state: State = "ok"
    wrong: str | None = None
    code: str | None = None
    signer: str | None = None

    @property
    def bad(self) -> bool:
        """Whether the chain does not hold here."""
        return CODES[self.state] != 0

    def to_plain(self) -> dict[str, Any]:
        """Return the link as plain JSON."""
        return {
            "kind": self.kind,
            "label": self.label,
            "digest": self.digest,
            "place": self.place,
            "state": self.state,
            "wrong": self.wrong,
            "code": self.code,
            "signer": self.signer,
        }

    def found(self, state: State, code: str, wrong: str) -> Link:
        """Return the link as it was found."""
        place = None if state == "missing" else self.place
        return replace(self, state=state, code=code, wrong=wrong, place=place)

    def absent(self, why: str) -> Link:
        """Return the link as one that nobody asks for."""
        return replace(self, state="absent", wrong=why, place=None)


def judged(link: Link, check: Callable[[], str | None]) -> Link:
    """Return `link` as `check` finds it: with the signer that it returns, or its refusal."""
    try:
        return replace(link, signer=check())
    except NotFound as exc:
        return link.found("missing", exc.code, exc.message)
    except IntegrityError as exc:
        return link.found("mismatch", exc.code, exc.message)
    except (StateRefused, ConfigError) as exc:
        return link.found("untrusted", exc.code, exc.message)
    except MissingExtra as exc:
        return replace(link, state="absent", wrong=f"{exc.message}: {exc.hint}", code=exc.code)


def exit_code(links: Iterable[Link]) -> int:
    """Return 0, or what is worst: 40 a mismatch, 30 not trusted, 20 missing."""
    return max((CODES[link.state] for link in links), default=0)


def refusal(name: str, links: Iterable[Link]) -> MlopsError | None:
    """Return the error for the worst of the links, None where all hold."""
    bad = [link for link in links if link.bad]
    if not bad:
        return None
    worst = max(bad, key=lambda link: CODES[link.state])
    kinds: dict[str, type[MlopsError]] = {"missing": NotFound, "mismatch": IntegrityError}
    return kinds.get(worst.state, StateRefused)(
        f"{name} cannot be trusted: {worst.kind} {worst.label}: {worst.wrong}",
        code=worst.code or f"link-{worst.state}",
        hint=f"mlops verify {name}",
        details={"links": [link.to_plain() for link in bad]},
    )

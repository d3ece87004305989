"""What gc found and did: as a page, and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.eviction import Evicted
from mlops_cli.cli.render import text
from mlops_cli.store.digest import Digest
from mlops_cli.store.space.collect import Outlook
from mlops_cli.store.space.fold import Folded

if TYPE_CHECKING:
    from mlops_cli.ledger.fold import Plan

_NAMED = 100  # refused objects that are named one by one
_WORDS = {
    "unpushed": "no remote holds them: mlops push, or let them go with --unpushed",
    "history": "only older commits name them, and no remote holds them: name one to let it go",
    "unknown-trees": "listings are missing that may need them: mlops pull, or name one",
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a run of gc found and did."""

    outlook: Outlook
    removed: Mapping[bytes, int]
    unheard: Sequence[str]
    evicted: Evicted | None = None
    folded: Folded | None = None
    ledger: Plan | None = None


def plain(done: Done, *, dry_run: bool) -> dict[str, Any]:
    """Return the data of mlops.gc/1."""
    outlook = done.outlook
    count, size = outlook.needed
    refused = sorted(outlook.refused.items())
    evicted, folded = done.evicted, done.folded
    return {
        "dry_run": dry_run,
        "needed": {"objects": count, "bytes": size},
        "removed": _sum(done.removed),
        "waiting": _sum(outlook.young),
        "refused": {
            "objects": len(refused),
            "bytes": sum(length for _, (length, _) in refused),
            "named": [
                {"digest": Digest.from_raw(raw), "bytes": length, "why": why}
                for raw, (length, why) in refused[:_NAMED]
            ],
        },
        "unheard": list(done.unheard),
        "evicted": evicted
        and {
            "objects": evicted.objects,
            "bytes": evicted.bytes,
            "use": evicted.plan.use - (0 if dry_run else evicted.bytes),
            "budget": evicted.plan.budget,
            "unverified": evicted.plan.unverified,
        },
        "folded": folded
        and {
            "objects": folded.objects,
            "before": folded.before,
            "after": folded.after,
            "damaged": [str(digest) for digest in folded.damaged],
        },
        "ledger": done.ledger
        and {"writers": sorted(done.ledger.writers), "records": done.ledger.records},
    }


def _sum(objects: Mapping[bytes, int]) -> dict[str, int]:
    return {"objects": len(objects), "bytes": sum(objects.values())}


def page(done: Done, period: int, *, dry_run: bool) -> str:
    """Return what a person reads; `period` is the grace in seconds."""
    outlook = done.outlook
    count, size = outlook.needed
    would = "Would remove" if dry_run else "Removed"
    rows = [(would, *_amount(done.removed), "nothing needs them")] if done.removed else []
    rows.append(("Kept", text.count(count, "object"), text.size(size), "needed"))
    if outlook.young:
        soon = f"not needed, but for less than {_period(period)}"
        rows.append(("", *_amount(outlook.young), soon))
    for why, words in _WORDS.items():
        some = {raw: length for raw, (length, said) in outlook.refused.items() if said == why}
        if some:
            rows.append(("Refused", *_amount(some), words))
    if (evicted := done.evicted) is not None:
        rows += _evicted_rows(evicted, dry_run=dry_run)
    if (folded := done.folded) is not None and folded.objects:
        now = f"to {text.size(folded.after)} of chunks" if not dry_run else "into chunks"
        words = "Would fold" if dry_run else "Folded"
        rows.append((words, text.count(folded.objects, "object"), text.size(folded.before), now))
    if (ledger := done.ledger) is not None and ledger.writers:
        words = "Would fold" if dry_run else "Folded"
        rows.append((words, text.count(len(ledger.writers), "ledger"), "", "of idle writers"))
    if not done.removed:
        return "\n".join(["Nothing to remove.", "", text.table(rows, align="lrrl")])
    return text.table(rows, align="lrrl")


def _evicted_rows(evicted: Evicted, *, dry_run: bool) -> list[tuple[str, str, str, str]]:
    plan = evicted.plan
    limit = text.size(plan.budget)
    rows = []
    if evicted.objects:
        would = "Would evict" if dry_run else "Evicted"
        count = text.count(evicted.objects, "object")
        rows.append((would, count, text.size(evicted.bytes), "mlops pull brings them back"))
    elif plan.enough:
        rows.append(("Budget", "", text.size(plan.use), f"of {limit} used"))
    if not plan.enough:
        over = text.size(plan.use - sum(plan.goes.values()) - plan.budget)
        rows.append(("Budget", "", over, f"over {limit}: the rest has no verified copy"))
    return rows


def _amount(objects: Mapping[bytes, int]) -> tuple[str, str]:
    return text.count(len(objects), "object"), text.size(sum(objects.values()))


def _period(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"

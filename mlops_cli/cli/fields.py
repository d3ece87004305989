"""Fields of a condition that no record has: why nothing was found, and what was meant."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_cli.cli.render import text
from mlops_cli.ledger import words
from mlops_cli.ledger.condition import MISSING, look_up
from mlops_cli.ledger.expression import fields
from mlops_cli.ledger.facts import HEADS, facts, is_comparable
from mlops_cli.ledger.index import Index

_LOOK = 200  # of the newest records, for what the index does not keep by name


def unseen(index: Index, expression: str, kind: str) -> Iterator[str]:
    """Yield a sentence for each field of `expression` that records of `kind` do not have."""
    newest = [facts(record) for record in index.newest(kind, limit=_LOOK)]
    if not newest:
        yield f"there are no records of kind {kind} yet."
        return
    known = set(words.fields(index))
    for name in dict.fromkeys(fields(expression)):
        if name in known or any(look_up(told, name) is not MISSING for told in newest):
            continue
        every = sorted({*known, *(key for told in newest for key in told if key not in HEADS)})
        head, _, last = name.rpartition(".")
        alike = [one for one in every if one.endswith(f".{last}")]  # in another step, or with none
        near = next((one for one in alike if one.startswith(head)), text.nearest(name, every))
        who = "no record" if is_comparable(name) else f"no newer record of kind {kind}"
        yield f"{who} has {text.shown(name)}" + (f"; did you mean {near}?" if near else ".")

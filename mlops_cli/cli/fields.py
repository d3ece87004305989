"""Why a condition found nothing: fields that no record has, or that hold other than was asked."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_cli.cli.render import text
from mlops_cli.ledger import words
from mlops_cli.ledger.condition import MISSING, look_up
from mlops_cli.ledger.expression import asked
from mlops_cli.ledger.facts import HEADS, facts, is_comparable
from mlops_cli.ledger.index import Index

_LOOK = 200  # of the newest records, for what the index does not keep by name


def unseen(index: Index, expression: str, kind: str) -> Iterator[str]:
    """Yield a sentence for each field of `expression` that records of `kind` do not have so."""
    newest = [facts(record) for record in index.newest(kind, limit=_LOOK)]
    if not newest:
        yield f"there are no records of kind {kind} yet."
        return
    known = set(words.fields(index))
    for name, value in dict(asked(expression)).items():
        held = [one for told in newest if (one := look_up(told, name)) is not MISSING]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if held and number and all(isinstance(one, str) for one in held):
            yield f"{text.shown(name)} is text: put {value} in quotes."
        if held or name in known:
            continue
        every = sorted({*known, *(key for told in newest for key in told if key not in HEADS)})
        head, _, last = name.rpartition(".")
        alike = [one for one in every if one.endswith(f".{last}")]  # in another step, or with none
        near = next((one for one in alike if one.startswith(head)), text.nearest(name, every))
        who = "no record" if is_comparable(name) else f"no newer record of kind {kind}"
        yield f"{who} has {text.shown(name)}" + (f"; did you mean {near}?" if near else ".")

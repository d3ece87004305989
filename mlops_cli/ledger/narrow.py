"""A condition as far as SQLite can tell: it lets through what fulfils it, and a few more.

What is let through is still asked the condition itself, so that nothing here decides an answer.
"""

from __future__ import annotations

from collections.abc import Callable

from mlops_cli.encode import canonical_json
from mlops_cli.ledger.condition import Comparison, Condition, Either, Every
from mlops_cli.ledger.facts import EXACT, LONGEST, is_comparable

COLUMNS = ("run", "step", "status", "model")
_SIGNS = {"=": "=", "==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
Narrowed = tuple[str, tuple[object, ...]]


def narrow(condition: Condition, fields: Callable[[str], int | None]) -> Narrowed:
    """Return a clause over `records`, and its values; `fields` knows the number of a field."""
    return _narrow(condition, fields) or ("1", ())


def _narrow(condition: Condition, fields: Callable[[str], int | None]) -> Narrowed | None:
    if isinstance(condition, Comparison):
        return _compare(condition, fields)
    if isinstance(condition, Every):
        told = [one for part in condition.parts if (one := _narrow(part, fields))]
        return _join(" and ", told) if told else None
    if isinstance(condition, Either):
        each = [_narrow(part, fields) for part in condition.parts]
        known = [one for one in each if one]
        return _join(" or ", known) if len(known) == len(each) else None
    return None


def _join(word: str, parts: list[Narrowed]) -> Narrowed:
    clause = word.join(f"({text})" for text, _ in parts)
    return clause, tuple(value for _, values in parts for value in values)


def _compare(one: Comparison, fields: Callable[[str], int | None]) -> Narrowed | None:
    sign, value = _SIGNS.get(one.operator), one.value
    if sign is None or isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if (isinstance(value, str) and len(value) >= LONGEST) or (
        not isinstance(value, str) and abs(value) >= EXACT
    ):
        return None
    if one.field in COLUMNS and sign == "=" and isinstance(value, str):
        return f"{one.field} = ?", (value,)
    if is_comparable(one.field):
        field = fields(one.field)
        if field is None:
            return "0", ()
        return (
            "exists (select 1 from facts"
            f" where field = ? and record = records.id and value {sign} ?)",
            (field, value),
        )
    if sign == "=" and isinstance(value, str) and value and one.field != "record":
        # as it stands in the bytes of the record, quotes and all
        said = canonical_json(value).decode()
        return "(select instr(body, ?) from bodies where bodies.id = records.id)", (said,)
    return None

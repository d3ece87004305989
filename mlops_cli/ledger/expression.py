"""Conditions such as `metrics.roc_auc > 0.7 and step = train.delay`; nothing is executed.

condition  := all ("or" all)*
all        := one ("and" one)*
one        := "not" one | "(" condition ")" | field operator value
operator   := =  ==  !=  <  <=  >  >=  ~          (~ : contains, case does not count)
value      := number | 'text' | "text" | true | false | null | any other bare word
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import UsageError
from mlops_cli.ledger.condition import Comparison, Condition, Either, Every

_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[()])|(?P<op><=|>=|!=|==|=|<|>|~)"
    r"|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<word>[^\s()=<>!~'\"]+))"
)
# not all that Python reads: 1_0 and nan are words
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE).fullmatch
_NAMED = {"true": True, "false": False, "null": None}
DEPTH = 50


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse(text: str) -> Condition:
    """Return the condition `text` says. Raises UsageError ("bad-expression") with the column."""
    tokens = list(_tokens(text))
    reader = _Reader(text, tokens)
    condition = reader.condition(0)
    if reader.at < len(tokens):
        raise reader.error("'and', 'or' or the end")
    return condition


def comparison(text: str) -> Comparison:
    """Return the one comparison that `text` says. Raises UsageError ("bad-expression")."""
    condition = parse(text)
    if not isinstance(condition, Comparison):
        raise UsageError(f"{text!r} is not one comparison", code="bad-expression", hint=_HINT)
    return condition


def asked(text: str) -> list[tuple[str, Any]]:
    """Return the fields that the condition `text` asks for, each with what it is held against."""
    tokens = list(_tokens(text))
    each = zip(tokens, tokens[1:], tokens[2:], strict=False)
    return [
        (field.text, _bare(value.text) if value.kind == "word" else value.text)
        for field, operator, value in each
        if operator.kind == "op"
    ]


class _Reader:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.at = 0

    def condition(self, depth: int) -> Condition:
        parts = [self.every(depth)]
        while self.keyword("or"):
            parts.append(self.every(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def every(self, depth: int) -> Condition:
        parts = [self.one(depth)]
        while self.keyword("and"):
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def one(self, depth: int) -> Condition:
        if depth > DEPTH:
            raise self.error("less nesting")
        if self.keyword("not"):
            inner = self.one(depth + 1)
            return lambda facts: not inner(facts)
        if self.mark("("):
            inner = self.condition(depth + 1)
            if not self.mark(")"):
                raise self.error("')'")
            return inner
        field = self.take("word", "a field such as metrics.roc_auc")
        operator = self.take("op", "one of = != < <= > >= ~")
        return Comparison(field.text, operator.text, self.value())

    def value(self) -> Any:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or token.kind in ("op", "mark"):
            raise self.error("a value")
        self.at += 1
        return _bare(token.text) if token.kind == "word" else token.text

    def keyword(self, word: str) -> bool:
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "word" and token.text.lower() == word:
                self.at += 1
                return True
        return False

    def mark(self, text: str) -> bool:
        here = self.tokens[self.at] if self.at < len(self.tokens) else None
        if here is None or (here.kind, here.text) != ("mark", text):
            return False
        self.at += 1
        return True

    def take(self, kind: str, wanted: str) -> _Token:
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != kind:
            raise self.error(wanted)
        self.at += 1
        return self.tokens[self.at - 1]

    def error(self, wanted: str) -> UsageError:
        ended = self.at >= len(self.tokens)
        column = len(self.text) + 1 if ended else self.tokens[self.at].column
        return UsageError(
            f"the expression needs {wanted} at column {column}: {self.text}",
            code="bad-expression",
            hint=_HINT,
            details={"expression": self.text, "column": column},
        )


_HINT = "for example: metrics.roc_auc > 0.7 and step = train.delay"


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            column = at + 1 + len(text[at:]) - len(text[at:].lstrip())
            raise UsageError(
                f"the expression cannot be read at column {column}: {text}",
                code="bad-expression",
                hint=_HINT,
                details={"expression": text, "column": column},
            )
        kind = match.lastgroup
        quoted = kind in ("single", "double")
        column = match.start(kind) + (0 if quoted else 1)
        yield _Token("text" if quoted else kind, match[kind], column)
        at = match.end()


def _bare(word: str) -> Any:
    if word.lower() in _NAMED:
        return _NAMED[word.lower()]
    if not _NUMBER(word):
        return word
    try:
        return int(word)
    except ValueError:
        number = float(word)
        return number if math.isfinite(number) else word

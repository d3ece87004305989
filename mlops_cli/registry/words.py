"""What people wrote about a model: models/<name>.md, a YAML head and Markdown below it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_HEAD = 64 << 10  # bytes
_DEPTH = 60
_HEADING = re.compile(r"^#{1,6}[ \t]+(.{1,200}?)[ \t#]{0,20}$", re.MULTILINE)
_USES = re.compile(r"(intended|suitable|direct|how to|what it is for)?.*\bus(e|es|age)\b.*", re.I)
_NOT = re.compile(r".*\b(do not|don't|not for|out[- ]of[- ]scope|misuse|limitations?)\b.*", re.I)
_FAIR = re.compile(r".*\b(bias|fair|unfairly|ethic\w*|risks?|harm)\b.*", re.I)


@dataclass(frozen=True, slots=True)
class Words:
    """`head` is the YAML above, `body` the Markdown; `wrong` says why a head could not be read."""

    head: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""
    wrong: str | None = None

    def said(self, *names: str) -> str | None:
        """Return the first of these keys of the head that is a text."""
        found = (self.head.get(name) for name in names)
        return next(
            (word.strip() for word in found if isinstance(word, str) and word.strip()), None
        )

    @property
    def uses(self) -> str | None:
        """What it is for: the section "Use it for", "Intended use", …"""
        return self._section(lambda title: bool(_USES.match(title)) and not _NOT.match(title))

    @property
    def limits(self) -> str | None:
        """What it is not for: the section "Do not use it for", "Limitations", …"""
        return self._section(lambda title: bool(_NOT.match(title)))

    @property
    def fairness(self) -> str | None:
        """Whom it may treat unfairly, what may go wrong."""
        return self._section(lambda title: bool(_FAIR.match(title)))

    def _section(self, fits: Any) -> str | None:
        headings = list(_HEADING.finditer(self.body))
        for at, heading in enumerate(headings):
            if fits(heading[1]):
                end = headings[at + 1].start() if at + 1 < len(headings) else len(self.body)
                return self.body[heading.end() : end].strip() or None
        return None


def parse(text: str) -> Words:
    """Return what a card file says. A head that is no plain mapping stays in the body, and `wrong`
    tells: an old version must still have a card."""
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines or lines[0].strip() != "---":
        return Words(body=text.strip())
    end = next((at for at, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        return Words(body=text.strip(), wrong="its YAML head has no end")
    head, body = "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]).strip()
    try:
        return Words(_mapping(head), body)
    except ValueError as exc:
        return Words(body=f"```yaml\n{head.replace('```', '')}\n```\n\n{body}", wrong=str(exc))


def _mapping(head: str) -> dict[str, Any]:
    import yaml

    if len(head.encode("utf-8", "replace")) > MOST_HEAD:
        raise ValueError(f"its YAML head has more than {MOST_HEAD:,} bytes")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(head, loader):
            if isinstance(event, yaml.AliasEvent):  # can make gigabytes of a few lines
                raise ValueError("its YAML head has aliases")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEPTH:  # costs the square of itself
                raise ValueError(f"its YAML head is nested more than {_DEPTH} deep")
        value = yaml.load(head, loader)
    except (yaml.YAMLError, RecursionError) as exc:
        raise ValueError(f"its YAML head is no YAML: {str(exc).splitlines()[0]}") from None
    if not isinstance(value, dict) and value is not None:
        raise ValueError("its YAML head is no mapping")
    return {str(key): _plain(item) for key, item in (value or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)

"""The card says what the model is for, in words somebody wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

from mlops_cli.registry.rules.finding import Finding, Shown, answer, closed

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_EMPTY = re.compile(
    r"\b(todo|tbd|fixme|lorem ipsum|write me)\b|…\s*$", re.IGNORECASE | re.MULTILINE
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
WORDS = 3  # fewer are no sentence


@dataclass(frozen=True, slots=True)
class Card:
    """card, or {card: [Intended use, Limits]}: the card of the version has these headings, and
    under each of its headings somebody wrote."""

    card: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What is asked, in words."""
        return "card" + (f" with {', '.join(self.card)}" if self.card else "")

    def judge(self, shown: Shown) -> Finding:
        """Pass where no heading is missing, empty or still to do."""
        found = answer(self, shown)
        if found is None or not isinstance(found.get("text"), str):
            return closed(self, "the version has no card")
        sections = written(found["text"])
        evidence = {"digest": found.get("digest"), "headings": sorted(sections)}
        known = {heading.casefold() for heading in sections}
        missing = [heading for heading in self.card if heading.casefold() not in known]
        if missing:
            return closed(self, f"it has no heading {', '.join(missing)}", evidence)
        wanted = {heading.casefold() for heading in self.card}
        empty = [
            heading
            for heading, text in sections.items()
            if (not wanted or heading.casefold() in wanted) and not filled(text)
        ]
        if empty or not sections:
            what = f"nobody wrote under {', '.join(empty)}" if empty else "it is empty"
            return closed(self, what, evidence)
        return Finding(self.name, True, evidence, f"{len(sections)} headings, all written")


def written(text: str) -> dict[str, str]:
    """Return heading → what stands below it and above the next, without the YAML head.

    A heading that only holds others (nothing but headings of a deeper level below) is left out.
    """
    text = _COMMENT.sub("", re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL))
    found = list(_HEADING.finditer(text))
    sections: dict[str, str] = {}
    for one, after in zip_longest(found, found[1:]):
        body = text[one.end() : after.start() if after else len(text)].strip()
        deeper = after is not None and _level(after) > _level(one)
        if body or not deeper:
            sections[one[1]] = body
    return sections


def filled(text: str) -> bool:
    """Return whether `text` is more than a placeholder."""
    return len(re.findall(r"\w+", text)) >= WORDS and not _EMPTY.search(text)


def _level(heading: re.Match[str]) -> int:
    return len(heading[0]) - len(heading[0].lstrip("#"))

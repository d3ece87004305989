"""Secrets that look like secrets, taken out of a text before it is written anywhere.

Known shapes go wherever they stand; a value that says nothing by its shape goes where its name
tells: `password=…` whatever it is, `token: …` if it looks random. In its place stands
`[redacted: WHAT]`. Ordinary text that looks the same goes too: see docs/explanation/security.md.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

_SHAPES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # name, pattern (what is to go is group 1 where there is one), words without which it is not
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?s:.*?)"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\Z)",
        ("private key",),
    ),
    ("github-token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})",
     ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
    ("gitlab-token", r"\bgl(?:pat|ptt|dt|rt|cbt)-[\w-]{20,}",
     ("glpat-", "glptt-", "gldt-", "glrt-", "glcbt-")),
    ("aws-access-key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", ("akia", "asia")),
    ("google-api-key", r"\bAIza[\w-]{35}", ("aiza",)),
    ("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", ("xox",)),
    ("stripe-key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}", ("k_live_", "k_test_")),
    ("api-key", r"\bsk-(?:[a-z]+[0-9]*-){0,3}[A-Za-z0-9_-]{20,}", ("sk-",)),
    ("huggingface-token", r"\bhf_[A-Za-z0-9]{30,}", ("hf_",)),
    ("npm-token", r"\bnpm_[A-Za-z0-9]{36}", ("npm_",)),
    ("pypi-token", r"\bpypi-[\w-]{50,}", ("pypi-",)),
    ("azure-key", r"AccountKey=([A-Za-z0-9+/]{60,}={0,2})", ("accountkey",)),
    ("json-web-token", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}", ("eyj",)),
    ("url-password", r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/:@'\"]{0,200}:([^\s/@'\"]{1,500})@",
     ("://",)),
    ("authorization", r"(?i:\bauthorization[\"']?\s*[:=]\s*[\"']?\w+\s+)([\w.~+/=-]{8,})",
     ("authorization",)),
)  # fmt: skip
_PLAIN = ("password", "passwd", "passphrase", "passwort", "pwd", "secret")  # whatever it is
_RANDOM = (  # if it looks random
    "token", "apikey", "api_key", "access_key", "accesskey", "secret_key", "private_key",
    "account_key", "signing_key", "encryption_key", "auth_key", "auth", "credential",
    "credentials", "bearer", "cookie",
)  # fmt: skip
_TELLING = (
    rf"(?<![a-z])(?:({'|'.join(_PLAIN)})|{'|'.join(w.replace('_', '[_-]?') for w in _RANDOM)})"
    r"(?![a-z])"
)
_ASSIGNED = (
    r"""(?<![\w.-])(?P<name>[\w.-]{2,80})["']?[ \t]*[=:][ \t]*"""
    r"""(?:"(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<bare>[^\s"'&;,(){}\[\]<>]+))"""
)
_WORDS = (  # one of which is in every telling name
    "passw", "passphrase", "pwd", "secret", "token", "apikey", "api_key", "api-key", "access",
    "private", "account", "signing", "encryption", "auth", "credential", "bearer", "cookie",
)  # fmt: skip
_Possible = tuple[tuple[tuple[str, str, tuple[str, ...]], ...], bool]
_Gone = dict[str, list[str]]
_NONE: _Possible = ((), False)
_NOTHING = ("true", "false", "null", "none", "yes", "no", "[redacted")
_DIGEST = r"(?:[a-z0-9]+:)[0-9a-f]{32,128}"


def text(words: str) -> tuple[str, list[str]]:
    """Return `words` without what looks like a secret, and the names of what went."""
    return _clean(words, _possible(words))


def data(body: bytes) -> tuple[bytes, list[str]]:
    """Return the bytes of a text, as of a log, without what looks like a secret."""
    words, found = text(body.decode("utf-8", "surrogateescape"))
    return (words.encode("utf-8", "surrogateescape"), found) if found else (body, [])


def fields(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, list[str]]]:
    """Return plain JSON without what looks like a secret, and dotted name → what went there."""
    possible = _possible(json.dumps(body, ensure_ascii=False))
    if possible == _NONE:
        return body, {}
    gone: dict[str, list[str]] = {}
    return {name: _value(name, name, item, possible, gone) for name, item in body.items()}, gone


def _possible(words: str) -> _Possible:
    """Return which shapes, and whether telling names, may be in a text: most have none."""
    low = words.lower()
    shapes = tuple(one for one in _SHAPES if any(anchor in low for anchor in one[2]))
    return shapes, any(word in low for word in _WORDS)


def _clean(words: str, possible: _Possible) -> tuple[str, list[str]]:
    shapes, telling = possible
    found: list[str] = []
    for name, pattern, _ in shapes:
        words = re.sub(pattern, partial(_instead, name, found), words)
    if telling:
        words = re.sub(_ASSIGNED, partial(_assigned, found), words)
    return words, list(dict.fromkeys(found))


def _value(path: str, name: str, value: Any, possible: _Possible, gone: _Gone) -> Any:
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, item in value.items():
            clean, found = _clean(key, possible)
            while clean in made:
                clean += "'"
            if found:
                gone.setdefault(f"{path}.{clean}", []).extend(found)
            made[clean] = _value(f"{path}.{clean}", key, item, possible, gone)
        return made
    if isinstance(value, list):
        return [_value(f"{path}.{at}", name, one, possible, gone) for at, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    if possible[1] and (what := _told(name, value)):
        clean, found = f"[redacted: {what}]", [what]
    else:
        clean, found = _clean(value, possible)
    if found:
        gone.setdefault(path, []).extend(found)
    return clean


def _instead(name: str, found: list[str], match: re.Match[str]) -> str:
    if match.lastindex and match[1].startswith("[redacted"):
        return match[0]
    found.append(name)
    if not match.lastindex:
        return f"[redacted: {name}]"
    return _around(match, 1, name)


def _assigned(found: list[str], match: re.Match[str]) -> str:
    group = str(match.lastgroup)
    what = _told(match["name"], match[group])
    if what is None:
        return match[0]
    found.append(what)
    return _around(match, group, what)


def _around(match: re.Match[str], group: int | str, name: str) -> str:
    begin, end = match.start(group) - match.start(), match.end(group) - match.start()
    return f"{match[0][:begin]}[redacted: {name}]{match[0][end:]}"


def _told(name: str, value: str) -> str | None:
    """Return what a value is by its name, None where that tells nothing."""
    # as words: dbPassword, DB_PASSWORD and db-password are the same, tokenizer is no token
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    match = re.search(_TELLING, words)
    if match is None or "public" in words or value.lower().startswith(_NOTHING):
        return None
    if value[:1] in ("$", "<", "{", "*", "%"):  # it stands for something that is elsewhere
        return None
    if match[1]:
        return match[1]
    return match[0] if _random(value) else None


def _random(value: str) -> bool:
    """Tell whether a text looks as if it was drawn: long, in one piece, of all sorts of letters."""
    if len(value) < 16 or re.search(r"[\s\\]", value) or re.fullmatch(_DIGEST, value):
        return False
    counts = [value.count(letter) for letter in set(value)]
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return bits >= 3 and kinds >= 2

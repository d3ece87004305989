"""YAML as DVC reads it (version 1.2): plain values, and no text that is larger than it looks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mlops_cli.encode import check_nesting
from mlops_cli.errors import ConfigError

DEPTH = 60
_SPARE = 100_000  # values beyond ten for each byte, which only aliases of aliases can make
_INT = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|\.[0-9_]+([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
)
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


def read(path: Path, *, name: str) -> Any:
    """Return the value in the YAML file `path`, None where there is no such file."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise malformed(name, exc.strerror or str(exc)) from exc
    return parse(data, name=name)


def parse(data: bytes, *, name: str) -> Any:
    """Return the value in the YAML text `data`. Raises ConfigError ("malformed-dvc-file")."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        top = yaml.compose(check_nesting(data.decode("utf-8-sig")), Loader=loader)
    except UnicodeDecodeError as exc:
        raise malformed(name, "it is not UTF-8") from exc
    except RecursionError as exc:
        raise malformed(name, "it nests too deeply") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise malformed(name, f"{where}{getattr(exc, 'problem', None) or exc}") from exc
    return None if top is None else _Reader(name, 10 * len(data) + _SPARE).value(top, 0)


def mapping(value: Any, *, name: str) -> dict[str, Any]:
    """Return `value` as a mapping; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(name, "a mapping is expected")
    return value


def listing(value: Any, *, name: str) -> list[Any]:
    """Return `value` as a list; nothing counts as an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(name, "a list is expected")
    return value


def malformed(name: str, why: str) -> ConfigError:
    """Return the error for a file of DVC that cannot be read."""
    return ConfigError(
        f"{name} cannot be read: {why}",
        code="malformed-dvc-file",
        hint=f"correct {name}, or leave it out of what is imported",
        details={"file": name},
    )


class _Reader:
    """Turns nodes into values; an alias counts every time it stands for something."""

    def __init__(self, name: str, budget: int) -> None:
        self._name, self._left = name, budget

    def value(self, node: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise malformed(self._name, "its aliases stand for far more than is written")
        if depth > DEPTH:
            raise malformed(self._name, "it nests too deeply")
        if node.id == "sequence":
            return [self.value(item, depth + 1) for item in node.value]
        if node.id == "mapping":
            return self._mapping(node, depth)
        return scalar(node.value, plain=not node.style)

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[Any] = []
        for key, item in node.value:
            if key.id != "scalar":
                raise malformed(self._name, "a key must be a word")
            value = self.value(item, depth + 1)
            if key.value == "<<" and not key.style:
                merged += value if isinstance(value, list) else [value]
            elif key.value in found:
                raise malformed(self._name, f"the key {key.value!r} stands there twice")
            else:
                found[key.value] = value
        for other in merged:
            for word, value in mapping(other, name=self._name).items():
                found.setdefault(word, value)
        return found


def scalar(text: str, *, plain: bool) -> Any:
    """Return what one word of YAML 1.2 means; only a plain one is anything but text."""
    if not plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    bare = text.replace("_", "")
    if _INT.fullmatch(text):
        base = {"0b": 2, "0o": 8, "0x": 16}.get(bare.lstrip("+-")[:2].lower(), 10)
        return int(bare, base)
    if _FLOAT.fullmatch(text):
        return float(bare.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def dump(value: Any) -> str:
    """Return `value` as YAML that means the same to DVC, which reads version 1.2."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes the words that only YAML 1.2 takes for numbers, such as 1e3."""

    def word(dumper: Any, found: str) -> Any:
        style = None if isinstance(scalar(found, plain=True), str) else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", found, style=style)

    Dumper.add_representer(str, word)
    written: str = yaml.dump(
        value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1 << 16
    )
    return written

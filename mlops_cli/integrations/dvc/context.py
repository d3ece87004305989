"""What `${…}` stands for in dvc.yaml: the values of params.yaml and `vars`, and where each is from.

Values are put in as they are and never looked into again, so nothing can refer to itself.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.integrations.dvc import text
from mlops_cli.integrations.dvc.outs import Refused, place

PARAMS = "params.yaml"
EXPRESSION = re.compile(r"(?<!\\)\$\{(?P<inner>.*?)\}")
_SHAPE = re.compile(r"[^.\[\]]+(?:\.[^.\[\]]+|\[[^.\[\]]+\])*")
_PRIMITIVE = (str, int, float, bool)


@dataclass(slots=True)
class Context:
    """Values by name. `origins` maps a dotted name to the file of the project it was read from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    _files: dict[str, list[str] | None] = field(default_factory=dict)

    def clone(self) -> Context:
        """Return a context that can be added to without changing this one."""
        values = json.loads(json.dumps(self.values))
        return Context(values, dict(self.origins), dict(self._files))

    def having(self, **values: Any) -> Context:
        """Return this context with `item` and `key` of one turn of a loop."""
        inner = Context({**self.values, **values}, dict(self.origins), dict(self._files))
        for name in values:
            for origin in [one for one in inner.origins if one.partition(".")[0] == name]:
                del inner.origins[origin]
        return inner

    def load(self, root: Path, base: str, items: list[Any], *, default: bool = False) -> None:
        """Add what `vars` lists: mappings, and files below the folder `base` of the project.

        Raises Refused for what is not there, or is said twice.
        """
        file = place(base, PARAMS)
        if default and (root / file).is_file():
            self._load_file(root, file, None)
        for item in items:
            if isinstance(item, Mapping):
                _no_expression(item)
                self._merge(item, None)
            elif isinstance(item, str):
                _no_expression(item)
                path, _, words = item.partition(":")
                keys = [word for word in words.split(",") if word] or None
                self._load_file(root, place(base, path), keys)
            else:
                raise Refused("vars", f"vars lists {item!r}")

    def select(self, expression: str) -> tuple[Any, str | None]:
        """Return the value of an expression, and the file it is from. Raises Refused."""
        bare = expression.strip()
        if not _SHAPE.fullmatch(bare):
            raise Refused(expression, f"${{{expression}}} is no name")
        words = [word.strip() for word in bare.replace("[", ".").replace("]", "").split(".")]
        value: Any = self.values
        for word in words:
            if isinstance(value, dict) and word in value:
                value = value[word]
            elif isinstance(value, list) and word.isdigit() and int(word) < len(value):
                value = value[int(word)]
            else:
                raise Refused(expression, f"${{{expression}}} is not known")
        return value, self.origins.get(".".join(words))

    def resolve(self, value: Any) -> Any:
        """Return `value` with every `${…}` in it replaced; a text that is one keeps its type."""
        if isinstance(value, dict):
            return {str(self.resolve(key)): self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, str):
            return value
        whole = EXPRESSION.fullmatch(value)
        if whole and "${" not in whole["inner"]:
            return self.select(whole["inner"])[0]
        return self.text(value)

    def text(self, template: str, *, command: bool = False) -> str:
        """Return the text with every `${…}` replaced; in a command, a mapping becomes options."""

        def value_of(match: re.Match[str]) -> str:
            value, _ = self.select(match["inner"])
            return spelled(value, match["inner"], command=command)

        return EXPRESSION.sub(value_of, template).replace("\\${", "${")

    def _load_file(self, root: Path, file: str, keys: list[str] | None) -> None:
        if file in self._files:
            before = self._files[file]
            if before is None and keys is None:
                return
            if before is None or keys is None or set(before) & set(keys):
                raise Refused(file, f"vars loads {file} twice")
        values = read_values(root, file)
        if keys is not None:
            if missing := [key for key in keys if key not in values]:
                raise Refused(file, f"{file} has no {missing[0]!r}")
            values = {key: values[key] for key in keys}
        self._merge(values, file)
        self._files[file] = [*(self._files.get(file) or []), *keys] if keys else None

    def _merge(self, values: Mapping[str, Any], file: str | None) -> None:
        _into(self.values, values, "")
        if file is not None:
            self.origins |= {name: file for name, _ in leaves(values)}


def read_values(root: Path, file: str) -> dict[str, Any]:
    """Return the mapping in a params file: YAML, JSON or TOML. Raises Refused."""
    path = root / file
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise Refused(file, f"{file} cannot be read: {exc.strerror}") from exc
    try:
        if file.endswith(".json"):
            value = json.loads(data)
        elif file.endswith(".toml"):
            import tomllib

            value = tomllib.loads(data.decode())
        else:
            value = text.parse(data, name=file) or {}
    except (ValueError, RecursionError) as exc:
        raise Refused(file, f"{file} cannot be read: {exc}") from exc
    if not isinstance(value, dict):
        raise Refused(file, f"{file} holds no mapping")
    return value


def leaves(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the single values of a mapping by dotted name; a list is one value."""
    for key, value in values.items():
        name = f"{before}.{key}" if before else str(key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, name)
        else:
            yield name, value


def spelled(value: Any, name: str, *, command: bool = False) -> str:
    """Return the words that stand for a value in a text, as DVC spells them. Raises Refused."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, _PRIMITIVE):
        return str(value)
    if isinstance(value, dict) and command:
        return " ".join(option for key, item in leaves(value) for option in _option(key, item))
    raise Refused(name, f"${{{name}}} is not one value")


def _option(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        if value:
            yield f"--{key}"
    elif isinstance(value, list):
        if any(isinstance(item, list | dict) for item in value):
            raise Refused(key, f"${{{key}}} is a list of lists")
        if value:
            yield f"--{key}"
            yield from (shlex.quote(one) if isinstance(one, str) else str(one) for one in value)
    else:
        yield f"--{key}"
        yield shlex.quote(value) if isinstance(value, str) else str(value)


def _into(target: dict[str, Any], values: Mapping[str, Any], before: str) -> None:
    for key, value in values.items():
        name = f"{before}.{key}" if before else key
        if isinstance(target.get(key), dict) and isinstance(value, Mapping):
            _into(target[key], value, name)
        elif key in target:
            raise Refused(name, f"{name!r} is set twice")
        else:
            target[key] = dict(value) if isinstance(value, Mapping) else value


def _no_expression(value: Any) -> None:
    if EXPRESSION.search(os.fsdecode(json.dumps(value, default=str))):
        raise Refused("vars", "vars may not hold ${…}")

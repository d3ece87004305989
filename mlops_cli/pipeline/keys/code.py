"""The code a step runs: the import closure inside the project, by function, comments left out.

Only imports that stand in the text are followed; what a program imports by a computed name is
not seen, and belongs into `deps`. Resolution is that of `worker`: beside the importing file, in
the project's root, in src/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlops_cli.encode import canonical_json

TOP_LEVEL = "the top level"

Units = Mapping[str, str]  # "function weather", "class Net", "LIMIT" → digest of its syntax


def closure(
    root: Path, files: Iterable[str], *, cache: Path | None = None
) -> dict[str, Units | None]:
    """Return, for `files` and all project files they import, the digest of each definition.

    Paths are relative to `root`; a file that does not exist stands with None.
    """
    found: dict[str, Units | None] = {}
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        try:
            data = (root / file).read_bytes()
        except OSError:
            found[file] = None
            continue
        facts = _facts(data, file, cache)
        found[file] = facts["units"]
        for level, module, names in facts["imports"]:
            waiting += _resolve(root, file, level, module, names)
    return dict(sorted(found.items()))


def changed(old: Units | None, new: Units | None) -> str | None:
    """Return the first definition that differs, None when the whole file came or went."""
    if old is None or new is None:
        return None
    names = [*new, *(name for name in old if name not in new)]
    return next((name for name in names if old.get(name) != new.get(name)), None)


def digest(units: Units | None) -> str | None:
    """Return the digest of all definitions of a file, None of one that does not exist."""
    return None if units is None else _digest(canonical_json(units))


def digest_of(data: bytes, file: str) -> str | None:
    """Return what `digest` does, for the bytes of a file."""
    return digest(_facts(data, file, None)["units"])


def _facts(data: bytes, file: str, cache: Path | None) -> dict[str, Any]:
    import sys

    from mlops_cli.pipeline.keys.parsed import remembered

    if not file.endswith(".py"):
        return {"units": {TOP_LEVEL: _digest(data)}, "imports": []}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    facts: dict[str, Any] = remembered(
        data, lambda: _parse(data), maker=f"code {version} 2", cache=cache
    )
    return facts


def _parse(data: bytes) -> dict[str, Any]:
    import ast

    try:
        module = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        # the step will say what is wrong with it; until then every byte counts
        return {"units": {TOP_LEVEL: _digest(data)}, "imports": []}
    units: dict[str, str] = {}
    rest: list[str] = []
    for statement in module.body:
        word = _definition(statement)
        text = ast.dump(statement)
        if word:
            units[word] = units.get(word, "") + text
            rest.append(word)
        else:
            rest.append(text)
    units[TOP_LEVEL] = "\n".join(rest)
    return {
        "units": {word: _digest(text.encode()) for word, text in units.items()},
        "imports": list(_imports(module)),
    }


def _definition(statement: Any) -> str | None:
    import ast

    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"function {statement.name}"
    if isinstance(statement, ast.ClassDef):
        return f"class {statement.name}"
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    if len(targets) == 1 and isinstance(targets[0], ast.Name):
        return str(targets[0].id)
    return None


def _imports(module: Any) -> Iterator[tuple[int, str, list[str]]]:
    import ast

    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]


def _resolve(root: Path, file: str, level: int, module: str, names: list[str]) -> list[str]:
    here = Path(file).parent
    if level:
        folders = [Path(*here.parts[: len(here.parts) - level + 1])]
    else:
        folders = list(dict.fromkeys([here, Path(), Path("src")]))
    parts = module.split(".") if module else []
    for folder in folders:
        found = _files(root, folder, parts)
        if found is None:
            continue
        for name in names:
            found += _files(root, folder, [*parts, name]) or []
        return found
    return []


def _files(root: Path, folder: Path, parts: list[str]) -> list[str] | None:
    """Return the files that importing `parts` from `folder` runs, None when it is not there."""
    found: list[str] = []
    here = folder
    for n, part in enumerate(parts):
        package, plain = here / part / "__init__.py", here / f"{part}.py"
        if (root / package).is_file():
            found.append(package.as_posix())
        elif (root / plain).is_file():
            return [*found, plain.as_posix()]
        elif not (root / here / part).is_dir() or n == len(parts) - 1:
            return None
        here = here / part
    return found


def _digest(data: bytes) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(data).hexdigest()

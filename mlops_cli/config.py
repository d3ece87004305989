"""Layered settings, each with its origin.

Strongest first: flag, MLOPS_* variable, .mlops/config.local.yaml, .mlops/config.yaml,
~/.config/mlops/config.yaml, default.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlops_cli import quantities
from mlops_cli.errors import ConfigError, MlopsError, NotFound

Layer = Literal["flag", "environment", "local", "project", "user", "default"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One known setting; `*` in a name stands for one word that the person chooses."""

    name: str
    kind: Literal["string", "path", "int", "number", "bool", "choice", "size", "duration"]
    default: str | int | float | bool | None
    doc: str
    choices: tuple[str, ...] = ()


SETTINGS: tuple[Setting, ...] = (
    Setting("cache.dir", "path", ".mlops/cache", "where the bytes of data are kept"),
    Setting("cache.shared", "path", None, "a cache of several projects and users, for cache.dir"),
    Setting("cache.readonly.*", "path", None, "another cache that is read and never written"),
    Setting("cache.budget", "size", None, "what the cache may take on the disk: 50GB, 1.5TiB"),
    Setting("cache.compress", "bool", False, "whether gc --compact also compresses, with zstd"),
    Setting("gc.grace", "duration", "1d", "how long data that nothing needs stays: 12h, 1d, 2w"),
    Setting(
        "cache.link",
        "choice",
        "auto",
        "how checkout brings bytes into the workspace; auto: reflink where the disk can, else copy",
        ("auto", "copy", "hardlink", "symlink"),
    ),
    Setting("remote.default", "string", None, "the remote that push and pull use"),
    Setting("remotes.*.url", "string", None, "where a remote is: file:///…, s3://bucket/prefix"),
    Setting("remotes.*.endpoint", "string", None, "the address of an S3 service that is not AWS"),
    Setting("remotes.*.region", "string", None, "the region of the bucket"),
    Setting("remotes.*.profile", "string", None, "the profile whose credentials are used"),
    Setting("remotes.*.anonymous", "bool", None, "read a public bucket without credentials"),
    Setting(
        "remotes.*.addressing",
        "choice",
        None,
        "where the bucket stands in the address: in its path, or before the host",
        ("auto", "path", "virtual"),
    ),
    Setting("remotes.*.sse", "string", None, "encryption by S3: AES256, aws:kms or aws:kms:dsse"),
    Setting("remotes.*.sse_key_id", "string", None, "the key of aws:kms; only its name"),
    Setting("remotes.*.storage_class", "string", None, "of packs in S3: STANDARD_IA, …"),
    Setting("remotes.*.requester_pays", "bool", None, "agree to pay for requests to S3"),
    Setting("remotes.*.jobs", "int", None, "how many transfers at once; S3: 8, elsewhere 4 or 2"),
    Setting("remotes.*.timeout", "int", None, "seconds without an answer that are enough; 60"),
    Setting("remotes.*.attempts", "int", None, "how often a request is tried in all; 7"),
    Setting("remotes.*.listing", "bool", None, "whether push writes a list for readers over HTTP"),
    Setting(
        "remotes.*.compress",
        "choice",
        None,
        "whether what is sent is compressed where that makes it shorter",
        ("none", "zstd"),
    ),
    Setting("remotes.*.price.put", "number", None, "of 1,000 requests that write or list"),
    Setting("remotes.*.price.get", "number", None, "of 1,000 requests that read"),
    Setting("remotes.*.price.gb_month", "number", None, "of keeping 1 GB for a month"),
    Setting("remotes.*.price.gb_out", "number", None, "of reading 1 GB"),
    Setting("remotes.*.price.currency", "string", None, "in which the prices are; USD"),
    Setting("remotes.*.fsspec.*", "string", None, "passed to the file system as it stands"),
    Setting(
        "hooks.large",
        "int",
        10,
        "from how many MiB on a file is not committed to git; 0: of any size it is",
    ),
    Setting(
        "hooks.stale",
        "choice",
        "block",
        "what pre-commit does about stale steps and changed data",
        ("block", "warn", "ignore"),
    ),
    Setting(
        "trust.endpoint.*",
        "string",
        None,
        "the address of an S3 service that may see your credentials where another repository "
        "names it",
    ),
    Setting(
        "trust.runs",
        "choice",
        "project",
        "whose results run takes from a remote on a protected branch: those that the ledger of "
        "this clone confirms, of any writer of the project (see trust.writers), or all",
        ("own", "project", "all"),
    ),
    Setting(
        "trust.branches",
        "string",
        "main,master",
        "protected branches, as patterns; where no branch is checked out, as in CI, is one too",
    ),
    Setting(
        "trust.writers",
        "string",
        None,
        "writers of the ledger who count for trust.runs, as patterns: ci-*,anna-*; all when unset",
    ),
    Setting(
        "run.remote_cache", "bool", False, "whether run asks the remote what other clones have run"
    ),
    Setting("run.jobs", "int", 0, "how many steps run at once; 0: as many as there are processors"),
    Setting("run.cpus", "int", None, "how many processors steps may ask for; as there are"),
    Setting("run.gpus", "int", None, "how many GPUs steps may ask for; as there are"),
    Setting(
        "run.warm",
        "string",
        None,
        "modules imported once for all Python steps, which then start at once: torch, pandas",
    ),
    Setting("run.mem", "size", None, "how much memory steps may ask for; as there is: 64GB"),
    Setting(
        "signing.key",
        "string",
        None,
        "the ssh key that signs: a path, or a public key whose private half the agent holds; "
        "git's user.signingkey when unset and gpg.format is ssh",
    ),
    Setting(
        "signing.model_key",
        "string",
        None,
        "the ECDSA key, of ssh or in PEM, that makes model.sig for OpenSSF model signing",
    ),
    Setting(
        "signing.sigstore",
        "string",
        None,
        "who confirms the identity that makes model.sig without a key: public, or the path of the "
        "client trust config of a Sigstore of your own",
    ),
    Setting(
        "registry.share",
        "bool",
        True,
        "whether versions and events of aliases take their numbers on the git remote; false: in "
        "this clone alone, and push tells when a number was given to something else",
    ),
    Setting(
        "ledger.branch",
        "string",
        None,
        "the branch on the git remote that keeps the records, where it refuses refs/mlops/*",
    ),
    Setting("price.cpu_hour", "number", None, "of an hour of one processor, for mlops report"),
    Setting("price.currency", "string", "USD", "in which that price is"),
    Setting("compile.image", "string", None, "the image, with git and mlops, of compiled tasks"),
    Setting("compile.repository", "string", None, "the URL that compiled tasks clone"),
)


@dataclass(frozen=True, slots=True)
class Value:
    """What a setting is, and where that was said: "MLOPS_CACHE_DIR", ".mlops/config.yaml:3"."""

    value: Any
    layer: Layer
    place: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting that has a value, by dotted name."""

    values: Mapping[str, Value]

    def get(self, name: str) -> Any:
        """Return the value of `name`. Raises NotFound ("unknown-setting")."""
        return self.origin(name).value

    def origin(self, name: str) -> Value:
        """Return the value of `name` with its origin. Raises NotFound ("unknown-setting")."""
        if name in self.values:
            return self.values[name]
        setting = find(name)
        if setting is None:
            raise unknown(name, NotFound)
        return Value(setting.default, "default")

    def group(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return what was chosen under `prefix` by name: group("remotes")["origin"]["url"].

        Deeper names stay dotted: group("remotes")["origin"]["fsspec.timeout"].
        """
        found: dict[str, dict[str, Any]] = {}
        for name, value in self.values.items():
            if name.startswith(prefix + "."):
                member, _, rest = name[len(prefix) + 1 :].partition(".")
                found.setdefault(member, {})[rest] = value.value
        return found


def find_root(start: Path) -> Path | None:
    """Return the project around `start`: the nearest folder that is a git work tree."""
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    return None


def layer_file(
    layer: Layer, root: Path | None, *, home: Path, environment: Mapping[str, str]
) -> Path:
    """Return the file that holds `layer`: "project", "local" or "user"."""
    if layer == "user":
        base = environment.get("XDG_CONFIG_HOME") or str(home / ".config")
        return Path(base) / "mlops" / "config.yaml"
    if root is None:
        raise NotFound(
            "there is no project here", code="no-project", hint="mlops init, or use --user"
        )
    return root / ".mlops" / ("config.local.yaml" if layer == "local" else "config.yaml")


def load(
    root: Path | None,
    *,
    environment: Mapping[str, str],
    home: Path,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of the project at `root` (or only the user's where it is None).

    Raises ConfigError ("unknown-setting", "bad-setting", "bad-settings-file") with file:line.
    """
    values = {
        setting.name: Value(setting.default, "default")
        for setting in SETTINGS
        if "*" not in setting.name
    }
    layers: tuple[Layer, ...] = ("user", "project", "local") if root else ("user",)
    for layer in layers:
        path = layer_file(layer, root, home=home, environment=environment)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except UnicodeDecodeError as exc:
            raise ConfigError(
                f"{path} is not UTF-8 text", code="bad-settings-file", hint=f"edit {path}"
            ) from exc
        shown = os.path.relpath(path, root) if root and layer != "user" else str(path)
        for name, raw, line in entries(text, source=shown):
            place = f"{shown}:{line}"
            values[name] = Value(convert(name, raw, place=place), layer, place)
    for setting in SETTINGS:
        variable = "MLOPS_" + setting.name.upper().replace(".", "_")
        if environment.get(variable):
            value = convert(setting.name, environment[variable], place=variable)
            values[setting.name] = Value(value, "environment", variable)
    for name, value in (flags or {}).items():
        values[name] = Value(convert(name, str(value), place="the command line"), "flag")
    return Settings(values)


def parse(text: str, *, source: str) -> Settings:
    """Return the settings in the file of another project, over the defaults.

    What this version does not know is left out. Raises as `load` does for what it knows.
    """
    return Settings(
        {
            name: Value(convert(name, raw, place=f"{source}:{line}"), "project", f"{source}:{line}")
            for name, raw, line in entries(text, source=source)
            if find(name) is not None
        }
    )


def user_cache(*, home: Path, environment: Mapping[str, str]) -> Path:
    """Return the folder of what this user can do without: mirrors of other repositories."""
    base = environment.get("XDG_CACHE_HOME") or str(home / ".cache")
    return Path(base) / "mlops"


def find(name: str) -> Setting | None:
    """Return the setting that `name` is an instance of: "remotes.origin.url" too."""
    for setting in SETTINGS:
        pattern = re.escape(setting.name).replace(r"\*", r"[A-Za-z0-9_-]+")
        if re.fullmatch(pattern, name):
            return setting
    return None


def convert(name: str, raw: str, *, place: str) -> Any:
    """Return the text `raw` as the type of setting `name`. Raises ConfigError."""
    setting = find(name)
    if setting is None:
        raise unknown(name, ConfigError, place=place)
    if setting.kind == "int" and re.fullmatch(r"[0-9]+", raw):
        return int(raw)
    if setting.kind == "number" and re.fullmatch(r"[0-9]+(\.[0-9]+)?", raw):
        return float(raw)
    if setting.kind == "bool" and raw.lower() in _BOOL:
        return _BOOL[raw.lower()]
    if setting.kind in ("string", "path") and raw and "\0" not in raw:
        return raw
    if setting.kind in ("size", "duration"):
        with contextlib.suppress(ValueError):
            quantities.size(raw) if setting.kind == "size" else quantities.duration(raw)
            return raw
    if setting.kind == "choice" and raw in setting.choices:
        return raw
    words = {
        "int": "a whole number",
        "number": "a number",
        "bool": "true or false",
        "path": "a path",
        "size": "like 50GB",
        "duration": "like 12h",
    }
    expected = "one of " + ", ".join(setting.choices) if setting.choices else "a text"
    expected = words.get(setting.kind, expected)
    raise ConfigError(
        f"{place}: {name} is {raw!r}, not {expected}",
        code="bad-setting",
        hint=f"{name}: {setting.doc}; the default is {setting.default}",
        details={"setting": name, "place": place},
    )


_BOOL = {"true": True, "yes": True, "on": True, "1": True}
_BOOL |= {"false": False, "no": False, "off": False, "0": False}


def unknown(name: str, kind: type[MlopsError], *, place: str = "") -> MlopsError:
    """Return the error for a setting that does not exist, with the nearest that does."""
    import difflib

    near = difflib.get_close_matches(name, [setting.name for setting in SETTINGS], n=1)
    return kind(
        f"{place + ': ' if place else ''}there is no setting {name!r}",
        code="unknown-setting",
        hint=f"did you mean: {near[0]}" if near else "mlops config list shows all of them",
        details={"setting": name, "place": place},
    )


_LINE = re.compile(
    r"(?P<indent> *)(?P<key>[A-Za-z0-9_][A-Za-z0-9_-]*):(?: +(?P<value>\S.*?))?(?: +#.*)?"
)
_PLAIN = re.compile(r"[A-Za-z0-9_./~](?:[A-Za-z0-9_./~@%+=,-]|:(?! )| (?![#:]))*(?<![ :])")
_NULL = ("null", "Null", "NULL", "~")
_QUOTED = re.compile(r"\"([^\"\\]*)\"|'([^']*)'")


def entries(text: str, *, source: str) -> Iterator[tuple[str, str, int]]:
    """Yield (dotted name, value, line) for each setting in a settings file.

    The plain form that `config set` writes is read here; anything cleverer goes to yaml, whose
    import alone would cost every command 25 ms.
    """
    plain = _plain_entries(text)
    yield from _yaml_entries(text, source) if plain is None else plain


def _plain_entries(text: str) -> list[tuple[str, str, int]] | None:
    found: list[tuple[str, str, int]] = []
    stack: list[tuple[int, str]] = []
    opened = False  # whether the line before opened a section
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip(" ") or line.lstrip(" ").startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip(" "))
        if match is None:
            return None
        indent = len(match["indent"])
        while stack and stack[-1][0] > indent:
            stack.pop()
            opened = False
        if stack and stack[-1][0] == indent:
            stack.pop()
        elif indent and not opened:
            return None
        stack.append((indent, match["key"]))
        raw = match["value"]
        opened = raw is None
        if raw is None or raw in _NULL:
            continue
        quoted = _QUOTED.fullmatch(raw)
        if quoted is None and not _PLAIN.fullmatch(raw):
            return None
        value = raw if quoted is None else quoted[1] if quoted[1] is not None else quoted[2]
        found.append((".".join(key for _, key in stack), value, number))
    return found


def _yaml_entries(text: str, source: str) -> Iterator[tuple[str, str, int]]:
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(
            f"{source}{where}: {exc.problem}", code="bad-settings-file", hint=f"edit {source}"
        ) from exc
    if node is not None:
        yield from _walk(node, (), source)


def _walk(node: Any, path: tuple[str, ...], source: str) -> Iterator[tuple[str, str, int]]:
    line = node.start_mark.line + 1
    if node.id == "mapping":
        for key, value in node.value:
            yield from _walk(value, (*path, str(key.value)), source)
    elif node.id == "scalar" and path:
        if node.tag != "tag:yaml.org,2002:null":
            yield ".".join(path), str(node.value), line
    else:
        raise ConfigError(
            f"{source}:{line}: {'.'.join(path) or 'the file'} is a {node.id}, not names and values",
            code="bad-settings-file",
            hint="settings look like:  cache:\n          link: hardlink",
        )

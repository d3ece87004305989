"""Why a step is stale, as values; each can say itself in a sentence.

Each has a docstring also because `dataclass` spends 0.3 ms on inventing one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from mlops_cli.pipeline.globs import is_glob


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause; `code` is its kebab-case name for scripts."""

    @property
    def code(self) -> str:
        name = type(self).__name__
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")

    def sentence(self) -> str:
        """Return the cause in words, without a full stop."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """Return code, sentence and facts as plain values."""
        facts = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"code": self.code, "sentence": self.sentence(), **facts}


@dataclass(frozen=True, slots=True)
class NeverRan(Reason):
    """No lock says that it ever ran."""

    def sentence(self) -> str:
        return "it never ran"


@dataclass(frozen=True, slots=True)
class Forced(Reason):
    """A person asked for it."""

    def sentence(self) -> str:
        return "you asked for it with --force"


@dataclass(frozen=True, slots=True)
class Always(Reason):
    """Its section says that it always runs."""

    def sentence(self) -> str:
        return "it says always: true"


@dataclass(frozen=True, slots=True)
class CommandChanged(Reason):
    """The command of a step, or what its section says, is another."""

    what: str
    old: Any
    new: Any

    def sentence(self) -> str:
        return f"{self.what} {_short(self.old)} → {_short(self.new)}"


@dataclass(frozen=True, slots=True)
class ParamChanged(Reason):
    """A param that it reads has another value."""

    name: str
    old: Any
    new: Any

    def sentence(self) -> str:
        return f"param {self.name} {_short(self.old)} → {_short(self.new)}"


@dataclass(frozen=True, slots=True)
class InputChanged(Reason):
    """`detail` tells more where somebody looked: "3 files added"."""

    path: str
    old: str | None
    new: str | None
    detail: str = ""

    def sentence(self) -> str:
        if self.detail:
            return f"{self.path} changed: {self.detail}"
        if self.old is None:
            return f"{self.path} is a new input"
        if self.new is None:
            return f"{self.path} is no input any more"
        return f"{self.path} changed"


@dataclass(frozen=True, slots=True)
class InputMissing(Reason):
    """What it reads is not there and is made by no step."""

    path: str

    def sentence(self) -> str:
        if is_glob(self.path):
            return f"{self.path} stands for no file"
        return f"{self.path} does not exist, and no step makes it"


@dataclass(frozen=True, slots=True)
class CodeChanged(Reason):
    """A function that it uses, or the file as a whole (None), is another."""

    path: str
    function: str | None = None

    def sentence(self) -> str:
        return (
            f"{self.function} in {self.path} changed" if self.function else f"{self.path} changed"
        )


@dataclass(frozen=True, slots=True)
class EnvironmentChanged(Reason):
    """Python or the lock file of the environment is another."""

    name: str
    old: str | None
    new: str | None

    def sentence(self) -> str:
        if self.name == "lock":
            return "the lock file of the environment changed"
        word = {"kind": "environment", "image": "image of the container"}.get(self.name, self.name)
        return f"{word} {_short(self.old)} → {_short(self.new)}"


@dataclass(frozen=True, slots=True)
class VariableChanged(Reason):
    """A variable of the environment that it names has another value."""

    name: str

    def sentence(self) -> str:
        return f"the environment variable {self.name} changed"


@dataclass(frozen=True, slots=True)
class OutputMissing(Reason):
    """What it made is gone."""

    path: str

    def sentence(self) -> str:
        return f"its output {self.path} is missing"


@dataclass(frozen=True, slots=True)
class OutputChanged(Reason):
    """What it made is not what it made any more."""

    path: str

    def sentence(self) -> str:
        return f"its output {self.path} was changed by something else"


@dataclass(frozen=True, slots=True)
class KeepingChanged(Reason):
    """Its output is what it was, and is to be kept in another way."""

    path: str

    def sentence(self) -> str:
        return f"its output {self.path} is kept in another way"


@dataclass(frozen=True, slots=True)
class UpstreamStale(Reason):
    """A step whose outputs it reads will run first."""

    step: str

    def sentence(self) -> str:
        return f"{self.step} comes first and is stale"


@dataclass(frozen=True, slots=True)
class Undecided(Reason):
    """Two branches ran it, not alike, and were merged."""

    def sentence(self) -> str:
        return "both sides of a merge ran it, and not alike"


@dataclass(frozen=True, slots=True)
class Interrupted(Reason):
    """It was killed, or the machine went down, while it ran."""

    def sentence(self) -> str:
        return "it was interrupted half way"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else ", ".join(map(str, value))
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"

"""The tree of errors: what went wrong, in one sentence, with the next command.

    MlopsError
    ├── UsageError          2   the command line does not make sense
    ├── ConfigError        10   configuration, pipeline.yaml, params
    ├── NotFound           20   a thing that was named does not exist
    ├── StateRefused       30   the state of the project forbids it; nothing was changed
    ├── IntegrityError     40   bytes are not what their digest says
    ├── OutsideWorld       50   network, disk, another process; a retry may help
    ├── StepFailed         60   the user's own step failed
    └── MissingExtra       80   an optional dependency is not installed

Anything else that escapes is our bug and ends with 70. The class fixes the exit code, the
instance carries the kebab-case `code` by which scripts tell errors apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class MlopsError(Exception):
    """An error a person can act on: a message without capital and full stop, a code, a hint."""

    exit_code: ClassVar[int] = 70

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.details: dict[str, Any] = dict(details or {})

    def __reduce__(self) -> tuple[Any, ...]:
        # keyword-only arguments do not survive the default pickling between processes
        return (_rebuild, (type(self), self.message, self.code, self.hint, self.details))


def _rebuild(
    kind: type[MlopsError], message: str, code: str, hint: str | None, details: dict[str, Any]
) -> MlopsError:
    return kind(message, code=code, hint=hint, details=details)


class UsageError(MlopsError):
    """The command line does not make sense."""

    exit_code = 2


class ConfigError(MlopsError):
    """A setting, pipeline.yaml or a params file is wrong; `details` may hold file, line, column."""

    exit_code = 10


class NotFound(MlopsError):
    """A thing that was named does not exist."""

    exit_code = 20


class StateRefused(MlopsError):
    """The state of the project forbids it; nothing was changed."""

    exit_code = 30


class IntegrityError(MlopsError):
    """Bytes are not what their digest says."""

    exit_code = 40


class OutsideWorld(MlopsError):
    """Network, disk or another process; a retry may help."""

    exit_code = 50


class StepFailed(MlopsError):
    """The user's own step failed."""

    exit_code = 60


class MissingExtra(MlopsError):
    """An optional dependency is not installed."""

    exit_code = 80

    @classmethod
    def of(cls, package: str, extra: str) -> MissingExtra:
        """Return the error for `package`, which the extra `extra` of this project brings."""
        return cls(
            f"{package} is not installed",
            code="missing-extra",
            hint=f"pip install 'mlops-cli[{extra}]'",
            details={"package": package, "extra": extra},
        )

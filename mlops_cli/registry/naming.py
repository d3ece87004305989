"""Which version a name means: "delay", "delay@v3", "delay@production", "delay@sha256:1a2b"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlops_cli.errors import UsageError
from mlops_cli.registry import missing
from mlops_cli.registry.version import Version, check_name

if TYPE_CHECKING:
    from mlops_cli.registry.reader import Reader

_NUMBER = re.compile(r"v?0*([0-9]{1,9})")
_PREFIX = re.compile(r"sha256:[0-9a-f]{4,64}")


def resolve(registry: Reader, text: str) -> Version:
    """Return the version that `text` means: the newest of a model, one by its number, what an
    alias means now, or the one whose file has a digest that begins so.

    Raises NotFound ("unknown-model", "unknown-version", "unknown-alias") with what there is,
    UsageError ("bad-name", "bad-digest", "ambiguous-digest"), IntegrityError for what cannot be
    trusted.
    """
    model, at, which = text.partition("@")
    check_name(model)
    if not at:
        return registry.newest(model)
    if not which:  # as from delay@$ALIAS where the variable is empty
        raise UsageError(
            f"{text!r} names no version",
            code="bad-name",
            hint=f"write {model} for the newest, or {text}production",
        )
    if match := _NUMBER.fullmatch(which):
        return registry.version(model, int(match[1]))
    if which.startswith("sha256:"):
        return _of_digest(registry, model, which)
    event = registry.alias(model, which)
    version = registry.meant(event) if event else None
    if version is not None:
        return version
    if not registry.numbers(model):
        raise missing.model(registry.git, model, registry.models())
    known = list(registry.of(model).aliases)
    raise missing.alias(registry.git, model, which, known, retired=event is not None)


def _of_digest(registry: Reader, model: str, prefix: str) -> Version:
    if not _PREFIX.fullmatch(prefix):
        raise UsageError(
            f"{prefix!r} is not the beginning of a digest",
            code="bad-digest",
            hint="sha256: and at least 4 lower-case hexadecimal digits",
        )
    found, numbers = registry.given(model, prefix)
    if len(found) > 1:
        names = ", ".join(f"{each.name} {each.digest[:23]}" for each in found[:5])
        raise UsageError(
            f"{prefix!r} begins several versions of {model}",
            code="ambiguous-digest",
            hint=f"write more of it: {names}",
        )
    if found:
        return found[0]
    if not numbers:
        raise missing.model(registry.git, model, registry.models())
    raise missing.version(registry.git, model, prefix, numbers)

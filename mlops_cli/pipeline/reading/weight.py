"""What of a section weighs in keys: the rest changes no byte of an output."""

from __future__ import annotations

from typing import Any

from mlops_cli.pipeline.model.plain import to_plain

# owners, descriptions and serving switches change no byte of an output, so they are in no key
VALIDATED = ("owner",)
READ = ("owner", "checks", "rows", "fresh_within")
VIEW = ("owner", "description", "online")
ENDURANCE = (
    *("timeout", "retries", "resources", "checkpoint", "determinism", "tolerance"),
    "environment",  # whose digest is a part of its own
)


def without(value: Any, leave_out: tuple[str, ...]) -> dict[str, Any]:
    """Return `value` as plain values, but for the fields `leave_out`."""
    plain: dict[str, Any] = to_plain(value)
    return {key: item for key, item in plain.items() if key not in leave_out}

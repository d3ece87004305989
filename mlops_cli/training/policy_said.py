"""What a revision, or the work tree, says of a model: its aliases and what each asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.training import allowance, policy_file, policy_text
from mlops_cli.training.policy_text import Aliases
from mlops_cli.vcs import objects

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Said:
    """What one revision, or the work tree, says of a model."""

    file: str
    aliases: Aliases = field(default_factory=dict)

    def asks(self, alias: str) -> dict[str, Any] | None:
        """Return the policy of `alias` here, None where there is none."""
        return policy_text.of(self.aliases, alias) if alias in self.aliases else None


def read(git: Git, revisions: Sequence[str], pipeline: Pipeline, model: str) -> list[Said | None]:
    """Return what each revision says of `model`, by one process; the first must be sound."""
    files = policy_text.files(model)
    found = objects.read(git, [f"{rev}:{path}" for rev in revisions for path in files])
    texts = [each.data if each else None for each in found]
    known: dict[tuple[bytes | None, bytes | None], Said | None] = {}
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    for pair in pairs:
        if pair not in known:
            try:
                known[pair] = _said(pair, pipeline, model)
            except MlopsError:
                if pair == pairs[0]:
                    raise
                known[pair] = None  # what the candidate says is only asked for to be ignored
    return [known[pair] for pair in pairs]


def _said(pair: tuple[bytes | None, bytes | None], pipeline: Pipeline, model: str) -> Said | None:
    own, general = pair
    inline = policy_text.inline(general, model) if general is not None else {}
    if own is None:
        return Said(policy_text.GENERAL, inline) if inline else None
    written = policy_file.parse(own, pipeline, model, others=inline)
    return Said(allowance.path(model), {**inline, **written})


def work_tree(git: Git, pipeline: Pipeline, model: str) -> Said:
    """Return what the work tree says of `model`. Raises as `policy_file.parse`."""
    inline = policy_file.filled(pipeline.models[model].aliases)
    try:
        own = (git.root / allowance.path(model)).read_bytes()
    except OSError:
        return Said(policy_text.GENERAL, inline)
    written = policy_file.parse(own, pipeline, model, others=inline)
    return Said(allowance.path(model), {**inline, **written})

"""A version on trial for an alias: what it is held against, as of the moment of the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.training import Model
from mlops_cli.registry.protected import Protected
from mlops_cli.registry.version import Version
from mlops_cli.training import bundle as bundles
from mlops_cli.training.bundle import Bundle
from mlops_cli.training.parts import Parts
from mlops_cli.training.scored import Scored


@dataclass(frozen=True)
class Case:
    """`event` is the number of the event that is judged again, None where one is to be made:
    what happened at that alias from there on, or elsewhere after `at`, is then left aside."""

    parts: Parts
    pipeline: Pipeline
    version: Version
    alias: str
    protected: Protected
    at: datetime
    event: int | None = None

    @property
    def section(self) -> Model:
        """What pipeline.yaml says of the model."""
        return self.pipeline.models[self.version.model]

    @cached_property
    def scored(self) -> Scored:
        """The test rows of the version, and who answered what to them."""
        return Scored(self.parts.cache, self.version)

    @cached_property
    def bundle(self) -> Bundle:
        """The bundle of the version."""
        return bundles.opened(self.parts.cache, self.version.bundle)

    @property
    def tested(self) -> bool:
        """Whether the version says which rows it was tested on."""
        return bool(self.version.payload.get("dataset"))

    def champion(self, alias: str) -> tuple[Version | None, str | None]:
        """Return the version that `alias` means in this case, and why there is none.

        Raises IntegrityError where its events or its tag are damaged.
        """
        registry = self.parts.registry
        events = registry.events(self.version.model, alias)
        if self.event is not None:
            if alias == self.alias:
                events = [event for event in events if event.number < self.event]
            else:
                made = ((datetime.fromisoformat(e.payload["time"]), e) for e in events)
                events = [event for time, event in made if time <= self.at]
        if not events:
            return None, f"there is no {alias} yet"
        champion = registry.meant(events[-1])
        return champion, None if champion else f"{alias} was retired, there is nobody to beat"

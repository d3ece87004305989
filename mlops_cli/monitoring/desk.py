"""Where events are looked up: in the ledger, for those who own what they are about today.

Nothing is stored beside the records. An event is open while a step failed and has not succeeded
since, a family of checks was important and not ok since, or nobody has closed what a person sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlops_cli.errors import NotFound, UsageError
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record
from mlops_cli.monitoring.episodes import checked, episodes, open_one, tried
from mlops_cli.monitoring.event import Event
from mlops_cli.pipeline.graph.graph import Graph

# Roles that look at what nobody owns: keys of project.owners, as the templates have them.
OF_KIND = {
    "validate": "data",
    "feature": "data",
    "dataset": "science",
    "command": "science",
    "train": "science",
    "evaluate": "science",
}
OF_FAMILY = {"quality": "data", "drift": "science", "performance": "science"}
OTHERS = "ops"
SHORTEST = 4  # letters by which an event is named


@dataclass(frozen=True, slots=True)
class Desk:
    """The ledger, the steps, and role → who that is."""

    index: Index
    graph: Graph
    owners: Mapping[str, str]

    def events(self, *, every: bool = False) -> list[Event]:
        """Return the open events, with `every` the closed ones too; the oldest first."""
        closings = {str(one["event"]): one for one in [*self.index.newest("closed")][::-1]}
        fold = episodes if every else open_one
        found: list[Event] = []
        failed = self.index.newest("run", status="failed")
        for step in dict.fromkeys(str(one["step"]) for one in failed if not one["experiment"]):
            found += fold(map(tried, self.index.newest("run", step=step)), step, closings)
        for monitor, checks in self._checks().items():
            for family in OF_FAMILY:
                told = (checked(one, family) for one in checks)
                found += fold(told, f"monitor.{monitor}:{family}", closings)
        for one in self.index.newest("feedback"):
            found += fold([(one, str(one["text"]))], str(one["about"]), closings)
        return sorted(map(self._routed, found), key=lambda event: (event.opened, event.id))

    def event(self, prefix: str) -> Event:
        """Return the event, open or closed, whose id begins with `prefix`.

        Raises NotFound ("unknown-event"), UsageError ("ambiguous-event").
        """
        enough = len(prefix) >= SHORTEST
        found = [one for one in self.events(every=True) if enough and one.id.startswith(prefix)]
        if not found:
            raise NotFound(
                f"there is no event {prefix!r}",
                code="unknown-event",
                hint="mlops events list --all",
            )
        if len(found) > 1:
            raise UsageError(
                f"{prefix!r} begins several events",
                code="ambiguous-event",
                hint=f"write more of it, as in {found[0].id[: len(prefix) + 4]}",
            )
        return found[0]

    def role(self, about: str) -> str:
        """Return the role that looks at `about`: of a monitor that of the family, of a step its
        owner, or the usual one."""
        name, _, family = about.partition(":")
        if family:
            return OF_FAMILY.get(family, OTHERS)
        step = self.graph.steps.get(name)
        return (step and (step.owner or OF_KIND.get(step.kind))) or OTHERS

    def roles(self) -> dict[str, None]:
        """Return every role that something may be sent to."""
        owners = (step.owner for step in self.graph.steps.values() if step.owner)
        return dict.fromkeys((*self.owners, *owners, *OF_KIND.values(), OTHERS))

    def _checks(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for one in self.index.newest("check"):
            found.setdefault(str(one["monitor"]), []).append(one)
        return found

    def _routed(self, event: Event) -> Event:
        to = event.to or self.role(event.about)
        return replace(event, to=to, owner=self.owners.get(to))


def known(desk: Desk, found: list[Event], who: str) -> None:
    """Raise NotFound ("unknown-receiver") where `who` is nobody, and nothing is called so."""
    names = {*desk.roles(), *desk.owners.values(), *desk.graph.steps}
    if who not in names and not any(event.concerns(who) for event in found):
        raise NotFound(
            f"there is no role, owner or step {who!r}",
            code="unknown-receiver",
            hint=f"roles: {', '.join(desk.roles())}; steps: mlops dag",
        )

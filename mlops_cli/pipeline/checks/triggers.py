"""What triggers and limits say: schedules that come round, names that exist, one cause each."""

from __future__ import annotations

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.triggers import Budget, Trigger
from mlops_cli.pipeline.words.document import Place, meant, refuse
from mlops_cli.pipeline.words.names import Where, known
from mlops_cli.pipeline.words.sections import names

RETRAIN = "retrain."  # of a model: train, evaluate, register, promote what is better, switch
_OF = {"new_data": "data.", "drift": "monitors."}
_ONLY = {  # words that mean something to some causes only
    "timezone": ("cron",), "catch_up": ("cron",), "grace": ("cron",),
    "of": ("new_data", "drift"), "min_rows": ("new_data",), "branch": ("push",),
}  # fmt: skip


def check(pipeline: Pipeline, at: Where) -> None:
    """Raise ConfigError for the first trigger or limit that cannot be meant."""
    runs = [*names(pipeline), *(RETRAIN + name for name in pipeline.models)]
    for name, trigger in pipeline.triggers.items():
        here = ("triggers", name)
        known(trigger.run, "", runs, at(*here, "run"), "the step")
        cause = _cause(name, trigger, at)
        if cause in _OF:
            section = pipeline.data if cause == "new_data" else pipeline.monitors
            of = trigger.of or ""
            what = "the source" if cause == "new_data" else "the monitor"
            if not of:
                raise _missing(at(*here), name, "of", f"{_OF[cause]}NAME")
            known(of, _OF[cause], section, at(*here, "of"), what)
        if cause == "push" and not trigger.branch:
            raise _missing(at(*here), name, "branch", "main")
        if cause == "until":
            _goal(name, trigger, at)
        _words(name, trigger, cause, at)
        _whole(trigger.concurrency, at(*here, "concurrency"), "concurrency")
        _whole(None if trigger.retries == 0 else trigger.retries, at(*here, "retries"), "retries")
        _budget(trigger.budget, at, *here, "budget")
    _whole(pipeline.limits.concurrency, at("limits", "concurrency"), "concurrency")
    _budget(pipeline.limits.budget, at, "limits", "budget")


def _cause(name: str, trigger: Trigger, at: Where) -> str:
    """Return the one cause of `trigger`: cron, until, or what it is `on`."""
    causes = [word for word in ("cron", "on", "until") if getattr(trigger, word)]
    if len(causes) != 1:
        raise refuse(
            at("triggers", name, *causes[1:2]),
            f"triggers.{name} needs exactly one of cron:, on:, until:",
            code="missing-key" if not causes else "wrong-value",
            hint="make a second trigger for the other"
            if causes
            else 'for example cron: "0 3 * * *"',
        )
    if causes == ["cron"]:
        _schedule(trigger, at, "triggers", name)
    return str(trigger.on) if causes == ["on"] else causes[0]


def _schedule(trigger: Trigger, at: Where, *here: str) -> None:
    from mlops_cli.pipeline.words.cron import refusal, zone_exists

    if not zone_exists(trigger.timezone):
        from zoneinfo import available_timezones

        raise refuse(
            at(*here, "timezone"),
            f"this machine knows no time zone {trigger.timezone!r}",
            code="unknown-timezone",
            hint=meant(trigger.timezone, sorted(available_timezones()))
            if available_timezones()
            else "install tzdata: of the system, or pip install tzdata",
        )
    why = refusal(str(trigger.cron))
    if why:
        raise refuse(
            at(*here, "cron"),
            f"{trigger.cron!r} is no schedule: {why}",
            code="wrong-value",
            hint='minute hour day month weekday: "0 3 * * MON-FRI" is 3 o\'clock on working days',
        )


def _goal(name: str, trigger: Trigger, at: Where) -> None:
    goal = trigger.until
    assert goal is not None
    if (goal.at_least is None) == (goal.at_most is None):
        raise refuse(
            at("triggers", name, "until"),
            f"the goal of triggers.{name} needs exactly one of at_least, at_most",
            code="wrong-value",
        )
    _whole(goal.tries, at("triggers", name, "until", "tries"), "tries")


def _words(name: str, trigger: Trigger, cause: str, at: Where) -> None:
    plain = Trigger(run=trigger.run)
    for word, causes in _ONLY.items():
        if cause not in causes and getattr(trigger, word) != getattr(plain, word):
            raise refuse(
                at("triggers", name, word),
                f"{word}: means nothing to triggers.{name}",
                code="wrong-value",
                hint=f"it belongs to {', '.join(causes)}",
            )


def _whole(number: int | None, place: Place, word: str) -> None:
    if number is not None and number < 1:
        raise refuse(place, f"{word} is {number}, and must be 1 or more", code="wrong-value")


def _budget(budget: Budget | None, at: Where, *here: str) -> None:
    if budget is None:
        return
    for word in ("runs", "cpu_hours", "money", "cpu_hour"):
        value = getattr(budget, word)
        if value is not None and value < 0:
            raise refuse(at(*here, word), f"{word} is less than nothing", code="wrong-value")
    if budget.money is not None and not budget.cpu_hour:
        raise refuse(
            at(*here, "money"),
            "a budget of money needs the price of a CPU hour",
            code="missing-key",
            hint="add cpu_hour: 0.05",
        )


def _missing(place: Place, name: str, word: str, example: str) -> Exception:
    return refuse(
        place, f"triggers.{name} has no {word!r}", code="missing-key", hint=f"add {word}: {example}"
    )

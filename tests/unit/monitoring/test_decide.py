from datetime import UTC, datetime

from mlops_cli.monitoring.decide import decide
from mlops_cli.pipeline.model.monitoring import Retrain
from mlops_cli.pipeline.model.triggers import Budget

AT = datetime(2013, 6, 1, tzinfo=UTC)
QUIET = {"quality": "ok", "drift": "ok", "performance": "ok"}
DRIFT = {**QUIET, "drift": "important"}
DROP = {**QUIET, "performance": "important"}


def test_a_quiet_check_asks_for_nothing() -> None:
    decision = decide(Retrain(when=("performance_drop",)), [QUIET], at=AT)
    assert decision.action == "none"


def test_a_drop_of_performance_asks_to_retrain_and_says_so() -> None:
    decision = decide(Retrain(when=("performance_drop",)), [DROP], at=AT)
    assert (decision.action, decision.because) == ("retrain", ("performance dropped",))


def test_drift_must_last_as_many_checks_as_the_policy_says() -> None:
    policy = Retrain(when=({"drift": "important", "for": 2},))
    assert decide(policy, [DRIFT, QUIET], at=AT).action == "none"
    assert decide(policy, [DRIFT], at=AT).action == "none"
    assert decide(policy, [DRIFT, DRIFT], at=AT).action == "retrain"


def test_a_cooldown_blocks_a_retrain_that_is_due_and_names_its_end() -> None:
    policy = Retrain(when=("performance_drop",), cooldown="7d")
    decision = decide(policy, [DROP], at=AT, retrained=[datetime(2013, 5, 28, tzinfo=UTC)])
    assert decision.action == "blocked"
    assert "2013-06-04" in decision.because[-1]
    assert decide(policy, [DROP], at=AT, retrained=[datetime(2013, 5, 25, tzinfo=UTC)]).action == (
        "retrain"
    )


def test_broken_data_blocks_a_retrain_where_the_policy_says_never() -> None:
    policy = Retrain(when=("performance_drop",), never_when=("quality",))
    decision = decide(policy, [{**DROP, "quality": "important"}], at=AT)
    assert (decision.action, decision.because[-1]) == (
        "blocked",
        "never while quality is important",
    )


def test_a_spent_budget_blocks_until_its_period_has_passed() -> None:
    policy = Retrain(when=("performance_drop",), budget=Budget(runs=2, per="60d"))
    spent = [datetime(2013, 4, 20, tzinfo=UTC), datetime(2013, 5, 20, tzinfo=UTC)]
    assert decide(policy, [DROP], at=AT, retrained=spent).action == "blocked"
    later = datetime(2013, 7, 1, tzinfo=UTC)
    assert decide(policy, [DROP], at=later, retrained=spent).action == "retrain"


def test_a_schedule_is_due_once_it_came_round_since_the_last_training() -> None:
    policy = Retrain(when=({"schedule": "0 3 1 * *"},))
    trained = [datetime(2013, 5, 2, tzinfo=UTC)]
    assert decide(policy, [QUIET], at=AT, retrained=trained).action == "none"
    at_four = AT.replace(hour=4)
    assert decide(policy, [QUIET], at=at_four, retrained=trained).action == "retrain"
    assert decide(policy, [QUIET], at=at_four, retrained=[*trained, at_four]).action == "none"

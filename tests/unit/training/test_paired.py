"""Paired tests: known values, honest error rates, and power where there is a difference."""

import numpy as np
import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.training import metrics, paired


def rows(seed: int, n: int = 2000, gain: float = 0.0):
    """Return labels and two scores; the challenger's holds `gain` more of the truth."""
    draw = np.random.default_rng(seed)
    label = (draw.random(n) < 0.25).astype(float)
    shared = draw.normal(0, 1, n)
    champion = shared + 0.5 * label + draw.normal(0, 0.7, n)
    challenger = shared + (0.5 + gain) * label + draw.normal(0, 0.7, n)
    return label, 1 / (1 + np.exp(-challenger)), 1 / (1 + np.exp(-champion))


def test_delong_agrees_with_the_bootstrap():
    label, challenger, champion = rows(3, gain=0.1)
    exact = paired.delong(label, challenger, champion)
    drawn = paired.bootstrap(label, challenger, champion, metric=metrics.roc_auc)
    assert exact == pytest.approx(drawn, abs=0.02)


def test_delong_variance_is_that_of_the_definition():
    label, challenger, champion = rows(1, n=200)
    positive = label > 0.5

    def components(score):
        above, below = score[positive][:, None], score[~positive][None, :]
        kernel = (above > below) + 0.5 * (above == below)
        return kernel.mean(1), kernel.mean(0)

    (a1, b1), (a2, b2) = components(challenger), components(champion)
    variance = (a1 - a2).var(ddof=1) / len(a1) + (b1 - b2).var(ddof=1) / len(b1)
    z = (a1.mean() - a2.mean()) / np.sqrt(variance)
    from math import erfc, sqrt

    assert paired.delong(label, challenger, champion) == pytest.approx(0.5 * erfc(z / sqrt(2)))


def test_equal_challengers_are_promoted_about_as_often_as_alpha_allows():
    promoted = sum(paired.delong(*rows(seed, n=500)) < 0.05 for seed in range(400))
    assert 8 <= promoted <= 34  # 20 expected; four standard deviations


def test_better_challengers_are_recognised():
    promoted = sum(paired.delong(*rows(seed, n=3000, gain=0.25)) < 0.05 for seed in range(50))
    assert promoted >= 45


def test_the_same_scores_are_never_better():
    label, score, _ = rows(0)
    assert paired.delong(label, score, score) == 1.0
    found = paired.compare(label, score, score, metric="roc_auc")
    assert (found.difference, found.p_value, found.n) == (0.0, 1.0, 2000)


def test_a_margin_must_be_beaten_too():
    label, challenger, champion = rows(5, gain=0.3)
    easy = paired.compare(label, challenger, champion, metric="roc_auc")
    hard = paired.compare(label, challenger, champion, metric="roc_auc", margin=0.1)
    assert easy.p_value < 0.05 < hard.p_value


def test_mcnemar_is_the_binomial_tail():
    assert paired.mcnemar(0, 0) == 1.0
    assert paired.mcnemar(5, 0) == pytest.approx(1 / 32)
    assert paired.mcnemar(3, 1) == pytest.approx(5 / 16)
    assert paired.mcnemar(1200, 1000) < 1e-4


def test_every_metric_is_compared_with_its_own_test_and_sign():
    label, challenger, champion = rows(2, gain=0.5)
    tests = {
        name: paired.compare(label, challenger, champion, metric=name)
        for name in ("roc_auc", "accuracy", "log_loss")
    }
    assert {name: found.test for name, found in tests.items()} == {
        "roc_auc": "delong",
        "accuracy": "mcnemar",
        "log_loss": "bootstrap",
    }
    assert tests["log_loss"].difference == pytest.approx(
        tests["log_loss"].champion - tests["log_loss"].challenger
    )


def test_the_bootstrap_repeats():
    label, challenger, champion = rows(4, n=300)
    run = [
        paired.bootstrap(label, challenger, champion, metric=metrics.brier, seed=9, resamples=100)
        for _ in range(2)
    ]
    assert run[0] == run[1]


def test_rows_of_one_class_cannot_be_compared():
    with pytest.raises(ConfigError, match="undefined on these 3 rows"):
        paired.compare(np.ones(3), np.ones(3), np.ones(3), metric="roc_auc")

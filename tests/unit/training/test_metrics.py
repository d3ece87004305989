"""Metrics against values worked out by hand or by brute force."""

import math

import numpy as np
import pytest

from mlops_cli.errors import ConfigError
from mlops_cli.training import metrics

LABEL = np.array([0, 0, 1, 1.0])
SCORE = np.array([0.1, 0.4, 0.35, 0.8])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("roc_auc", 0.75),
        ("log_loss", -(math.log(0.9) + math.log(0.6) + math.log(0.35) + math.log(0.8)) / 4),
        ("brier", (0.01 + 0.16 + 0.4225 + 0.04) / 4),
        ("accuracy", 0.75),
        ("rmse", math.sqrt((0.01 + 0.16 + 0.4225 + 0.04) / 4)),
        ("mae", (0.1 + 0.4 + 0.65 + 0.2) / 4),
    ],
)
def test_a_metric_has_its_known_value(name, expected):
    assert metrics.find(name).measure(LABEL, SCORE) == pytest.approx(expected, abs=1e-12)


def test_auc_is_the_share_of_pairs_in_the_right_order_ties_half():
    draw = np.random.default_rng(0)
    label, score = draw.integers(0, 2, 300), draw.integers(0, 20, 300) / 20
    above, below = score[label == 1][:, None], score[label == 0][None, :]
    pairs = (above > below).mean() + (above == below).mean() / 2
    assert metrics.roc_auc.measure(label, score) == pytest.approx(pairs, abs=1e-12)


def test_auc_of_one_class_is_undefined_and_a_certain_error_costs_a_finite_loss():
    assert math.isnan(metrics.roc_auc.measure(np.ones(3), np.array([0.1, 0.2, 0.3])))
    assert 10 < metrics.log_loss.measure(np.array([1.0]), np.array([0.0])) < 20


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "macro_f1", "log_loss", "brier"])
def test_a_model_that_does_not_answer_is_not_better_for_it(name):
    measured = metrics.find(name)
    gaps = np.where(np.arange(4) == 3, math.nan, SCORE)  # the surest positive, last in order
    assert not measured.better(measured.measure(LABEL, gaps), measured.measure(LABEL, SCORE))
    many = np.stack([1 - gaps, gaps], 1)
    if name in ("accuracy", "macro_f1"):
        assert not measured.measure(LABEL, many) >= measured.measure(LABEL, SCORE)


def test_each_metric_knows_its_direction():
    assert metrics.roc_auc.better(0.7, 0.6) and not metrics.roc_auc.better(0.6, 0.6)
    assert metrics.log_loss.better(0.3, 0.4) and metrics.rmse.better(1.0, 2.0)


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no metric 'auc'") as caught:
        metrics.find("auc")
    assert "roc_auc" in str(caught.value.hint)

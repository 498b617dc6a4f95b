"""How good probabilities of classes are, against values computed by hand."""

import numpy as np
import pytest

from vae_core.analysis.calibrated import (
    accuracy,
    confusion,
    nll,
    reject_curve,
    reliability,
    softened,
    temperature_of,
)

P = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])
LABELS = np.array([0, 1, 1, -1])


def test_images_of_no_class_do_not_count():
    assert accuracy(P, LABELS)[0] == pytest.approx(2 / 3)
    assert nll(P, LABELS) == pytest.approx(-np.log([0.9, 0.4, 0.8]).mean())
    assert confusion(P, LABELS).tolist() == [[1, 0], [1, 1]]


def test_ece_is_the_mean_distance_of_confidence_and_accuracy():
    assert reliability(P, LABELS).ece == pytest.approx((0.1 + 0.6 + 0.2) / 3)


def test_probabilities_of_their_own_classes_are_calibrated():
    draw = np.random.default_rng(0)
    p = draw.dirichlet(np.ones(3), 20_000)
    labels = (draw.random(20_000)[:, None] > p.cumsum(1)).sum(1)
    assert reliability(p, labels).ece < 0.015
    assert temperature_of(p, labels) == pytest.approx(1, abs=0.06)


def test_the_temperature_undoes_a_temperature():
    draw = np.random.default_rng(0)
    p = draw.dirichlet(np.ones(3), 20_000)
    labels = (draw.random(20_000)[:, None] > p.cumsum(1)).sum(1)
    assert temperature_of(softened(p, 2.0), labels) == pytest.approx(0.5, rel=0.06)


def test_a_temperature_keeps_the_sum_and_the_order():
    soft = softened(P, 3.0)
    np.testing.assert_allclose(soft.sum(1), 1)
    assert (soft.argmax(1) == P.argmax(1)).all()


def test_rejecting_the_least_trusted_first_leaves_the_others():
    rejected, error = reject_curve(P, LABELS, np.array([3.0, 1.0, 2.0, 9.0]))
    np.testing.assert_allclose(rejected, [0, 1 / 3, 2 / 3], atol=1e-12)
    np.testing.assert_allclose(error, [1 / 3, 0, 0], atol=1e-12)

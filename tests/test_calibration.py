"""Probabilities mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.calibration import (
    best_threshold,
    expected_calibration_error,
    fit_platt,
    sigmoid,
)


def test_platt_finds_the_scale_that_made_the_labels():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=20_000) * 2
    labels = (rng.random(20_000) < sigmoid(0.5 * logits - 1)).astype(int)
    slope, offset = fit_platt(logits, labels)
    assert slope == pytest.approx(0.5, abs=0.05)
    assert offset == pytest.approx(-1, abs=0.05)


def test_platt_stays_finite_on_separable_and_one_sided_labels():
    x = np.array([-2.0, -1.0, 1.0, 2.0])
    for labels in ([0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]):
        slope, offset = fit_platt(x, np.array(labels))
        assert np.isfinite([slope, offset]).all()
        assert slope > 0


def test_calibration_error_of_known_cases():
    p = np.array([0.05, 0.05, 0.95, 0.95])
    assert expected_calibration_error(p, np.array([0, 0, 1, 1])) == pytest.approx(0.05)
    assert expected_calibration_error(p, np.array([1, 1, 0, 0])) == pytest.approx(0.95)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, int)) == 0


def test_best_threshold_splits_between_scores():
    threshold, f1 = best_threshold(np.array([0.9, 0.8, 0.3, 0.1]), np.array([1, 1, 0, 0]))
    assert 0.3 < threshold < 0.8
    assert f1 == 1
    assert best_threshold(np.array([0.5]), np.array([0])) == (0.5, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_threshold_reaches_the_f1_it_states(pairs):
    p = np.array([pair[0] for pair in pairs])
    y = np.array([int(pair[1]) for pair in pairs])
    threshold, f1 = best_threshold(p, y)
    chosen = p >= threshold
    reached = 2 * (chosen & (y > 0)).sum() / max(chosen.sum() + y.sum(), 1)
    # halfway between two neighbouring floats may round onto the upper one
    assert reached == pytest.approx(f1) or np.isclose(p, threshold, atol=1e-12).any()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_sigmoid_is_a_probability_and_keeps_order(values):
    p = sigmoid(np.sort(np.array(values)))
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= 0).all()

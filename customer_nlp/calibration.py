"""Scores to probabilities, and how good probabilities are. Arrays only: no text is known here."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "best_threshold",
    "expected_calibration_error",
    "fit_platt",
    "sigmoid",
]

Floats = npt.NDArray[np.floating]

_NEWTON_STEPS: Final = 50
_LEAST: Final = np.float32(-30)
_MOST: Final = np.float32(30)


def sigmoid(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the logistic function, without overflow. Cost: linear."""
    # not np.clip: for a few numbers its way to the same two steps takes most of the time
    x = np.negative(np.asarray(logits, np.float32))
    x = np.minimum(np.maximum(x, _LEAST), _MOST)
    return np.asarray(1.0 / (1.0 + np.exp(x)), np.float32)


def fit_platt(
    logits: Floats, labels: npt.NDArray[np.integer], weights: Floats | None = None
) -> tuple[float, float]:
    """Fit ``sigmoid(slope * logit + offset)`` to labels by Newton's method, steps halved at need.

    Parameters
    ----------
    logits : ndarray of shape (n,)
        Held-out scores, as log-odds.
    labels : ndarray of shape (n,)
        0 or 1; smoothed as in Platt's paper, so that separable data stay finite.
    weights : ndarray of shape (n,), optional
        Weight of each example.

    Returns
    -------
    slope, offset : float
        The slope is never negative, so the order of scores is kept.

    References
    ----------
    Platt (1999), "Probabilistic Outputs for Support Vector Machines".
    """
    x = np.asarray(logits, np.float64)
    y = np.asarray(labels, np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, np.float64)
    positive, negative = float((w * y).sum()), float((w * (1 - y)).sum())
    target = np.where(y > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(slope: float, offset: float) -> float:
        z = np.clip(slope * x + offset, -30, 30)
        return float((w * (np.logaddexp(0, z) - target * z)).sum() + 5e-4 * (slope - 1) ** 2)

    slope, offset = 1.0, 0.0
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(slope * x + offset, -30, 30)))
        error = w * (p - target)
        curve = w * p * (1 - p) + 1e-12
        gradient = np.array([(error * x).sum() + 1e-3 * (slope - 1), error.sum()])
        mixed = (curve * x).sum()
        hessian = np.array([[(curve * x * x).sum() + 1e-3, mixed], [mixed, curve.sum() + 1e-6]])
        step = np.linalg.solve(hessian, gradient)
        # a full step overshoots where the curve is flat, as on scores that separate the labels
        before = loss(slope, offset)
        while np.abs(step).max() > 1e-8 and loss(slope - step[0], offset - step[1]) > before:
            step /= 2
        slope, offset = slope - step[0], offset - step[1]
        if np.abs(step).max() < 1e-8:
            break
    return (float(slope), float(offset)) if slope > 0 else (1e-3, float(offset))


def expected_calibration_error(
    probabilities: Floats, labels: npt.NDArray[np.integer], *, bins: int = 10
) -> float:
    """Return the mean gap between stated and observed frequency over equal-width bins.

    Parameters
    ----------
    probabilities, labels : ndarray of shape (n,)
        Stated probabilities and 0/1 outcomes.
    bins : int, default=10
        Number of bins of equal width.

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015), "Obtaining Well Calibrated Probabilities Using
    Bayesian Binning".
    """
    p = np.asarray(probabilities, np.float64)
    y = np.asarray(labels, np.float64)
    if not len(p):
        return 0.0
    which = np.minimum((p * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    gaps = np.abs(
        np.bincount(which, weights=p, minlength=bins)
        - np.bincount(which, weights=y, minlength=bins)
    )
    return float(gaps[counts > 0].sum() / len(p))


def best_threshold(probabilities: Floats, labels: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Return the threshold with the best F1, and that F1. Cost: one sort.

    The threshold lies halfway between the last accepted score and the next one, which keeps it
    from clinging to a single example.
    """
    p = np.asarray(probabilities, np.float64)
    order = np.argsort(-p, kind="stable")
    sorted_p, hits = p[order], np.cumsum(np.asarray(labels)[order] > 0)
    total = int(hits[-1]) if len(hits) else 0
    if total == 0:
        return 0.5, 0.0
    f1 = 2 * hits / (np.arange(1, len(p) + 1) + total)
    last_of_tie = np.append(sorted_p[1:] != sorted_p[:-1], True)
    best = int(np.argmax(np.where(last_of_tie, f1, -1.0)))
    following = sorted_p[best + 1] if best + 1 < len(p) else 0.0
    return float((sorted_p[best] + following) / 2), float(f1[best])

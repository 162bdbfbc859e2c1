"""Thresholds that mean money, and sets of answers with a promised coverage. Arrays only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import InvalidRecordError, TooLittleDataError
from customer_nlp.learn._intervals import (
    Interval,
    group_numbers,
    numbers_of,
    percentiles,
    same_length,
    weights,
)

__all__ = ["ConformalSets", "OperatingPoint", "conformal", "tune"]

Floats = npt.NDArray[np.float64]

#: Groups that must hold a positive, and a negative, before a threshold is named.
LEAST_GROUPS: Final = 20
_COSTS: Final = ("false_alarm", "missed", "hit", "passed")


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold with what it brings, each with its 95% interval.

    Parameters
    ----------
    goal : str
        ``costs``, ``min_precision`` or ``budget_per_day``.
    threshold : Interval
        Act from this probability; its interval is over resamples that choose anew.
    precision, recall, share : Interval
        At the threshold: right among the flagged, found among the positives, flagged of all.
    cost : Interval or None
        Mean cost of a message, under ``costs``.
    cost_of_none, cost_of_all : float or None
        The same when nothing, or everything, is acted on.
    per_day : Interval or None
        Flagged messages a day, under ``budget_per_day``.
    """

    goal: str
    threshold: Interval
    precision: Interval
    recall: Interval
    share: Interval
    cost: Interval | None = None
    cost_of_none: float | None = None
    cost_of_all: float | None = None
    per_day: Interval | None = None


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Rows from the highest probability down; a cut is allowed where the probability changes."""

    p: Floats
    y: Floats
    order: npt.NDArray[np.intp]
    ends: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, probability: Floats, labels: Floats) -> _Ranked:
        order = np.argsort(-probability, kind="stable")
        p = probability[order]
        return cls(p, labels[order], order, np.append(p[1:] != p[:-1], True))

    def curve(self, drawn: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return hits and false alarms of every cut, then all positives and negatives."""
        w = drawn[self.order]
        hits, alarms = np.cumsum(w * self.y), np.cumsum(w * (1 - self.y))
        return hits, alarms, hits[-1], alarms[-1]

    def threshold(self, cut: int) -> float:
        """Return what lies halfway to the next probability; a cut of -1 flags nothing."""
        if cut < 0:
            return float(np.nextafter(self.p[0], 2))
        following = self.p[cut + 1] if cut + 1 < len(self.p) else 0.0
        return float((self.p[cut] + following) / 2)


def tune(
    probability: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    costs: Mapping[str, float] | None = None,
    min_precision: float | None = None,
    budget_per_day: float | None = None,
    messages_per_day: float | None = None,
    groups: Sequence[Any] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> OperatingPoint:
    """Choose from which probability to act, for one goal.

    Parameters
    ----------
    probability : array-like of shape (n,)
        Of messages that the model was not fitted on, such as ``held_out_``.
    labels : array-like of shape (n,)
        1 or 0.
    costs : mapping, optional
        Money a message: ``false_alarm`` and ``missed``, and where they are not 0 ``hit`` and
        ``passed`` (rightly left alone). The threshold has the least mean cost.
    min_precision : float, optional
        The threshold finds most among those with at least this precision.
    budget_per_day : float, optional
        So many messages can be handled a day; the threshold flags no more of
        `messages_per_day`, which it needs.
    messages_per_day : float, optional
        How many messages come.
    groups : sequence, optional
        Thread or customer of each message; they are resampled whole.
    resamples : int, default=500
        Bootstrap resamples.
    seed : int, default=0
        Of the resamples.

    Returns
    -------
    OperatingPoint
        Cost: one sort, then linear in the messages times `resamples`.

    Raises
    ------
    TooLittleDataError
        With fewer than 20 groups that hold a positive or a negative, or when no threshold reaches
        the precision on at least 20 flagged messages.
    InvalidRecordError
        Unless exactly one goal is given, with numbers, and one probability and label a message.

    Notes
    -----
    The threshold is chosen on the same labels that its figures are from, so the figures are a
    little rosy; the interval of the threshold says how firmly it is placed.
    """
    p, y = numbers_of(probability, "probability"), numbers_of(labels, "labels")
    n = same_length(probability=p, labels=y)
    if resamples < 1:
        raise InvalidRecordError(
            f"The resamples must be at least 1; got {resamples}.", field="resamples"
        )
    if not (np.isfinite(p).all() and np.isin(y, (0, 1)).all()):
        raise InvalidRecordError(
            "Expected finite probabilities and labels of 1 or 0. Leave unknown ones out."
        )
    numbers = group_numbers(groups, n)
    _require_labels(y, numbers)
    goals = {
        "costs": costs,
        "min_precision": min_precision,
        "budget_per_day": budget_per_day,
    }
    goal, choose = _goal({k: v for k, v in goals.items() if v is not None}, messages_per_day)
    ranked = _Ranked.of(p, y)
    cut = choose(ranked, np.ones(n))
    if cut is None:
        raise TooLittleDataError(
            f"No threshold has a precision of {min_precision} on {LEAST_GROUPS} flagged messages. "
            "Ask for less, or label more messages that the model is sure of."
        )
    figures = np.array(
        [_figures(ranked, drawn, choose, cut) for drawn in weights(numbers, resamples, seed)]
    )
    whole = _figures(ranked, np.ones(n), choose, cut)
    threshold, precision, recall, share = (
        percentiles(value, column) for value, column in zip(whole, figures.T, strict=True)
    )
    point = OperatingPoint(goal, threshold, precision, recall, share)
    return _with_money(point, ranked, numbers, cut, costs, messages_per_day, resamples, seed)


def _require_labels(y: Floats, numbers: npt.NDArray[np.intp]) -> None:
    for answer, word in ((1, "positives"), (0, "negatives")):
        found = len(np.unique(numbers[y == answer]))
        if found < LEAST_GROUPS:
            raise TooLittleDataError(
                f"A threshold needs {word} in at least {LEAST_GROUPS} groups; got {found}. "
                "Label more; learn.suggest() says which."
            )


_Choice = Callable[[_Ranked, Floats], "int | None"]


def _goal(given: Mapping[str, Any], messages_per_day: float | None) -> tuple[str, _Choice]:
    if len(given) != 1:
        raise InvalidRecordError(
            "Expected one goal: costs, min_precision or budget_per_day; got "
            f"{', '.join(given) or 'none'}."
        )
    [(goal, value)] = given.items()
    if goal == "costs":
        _check_costs(value)
        return goal, lambda ranked, drawn: _cheapest(ranked, drawn, value)
    if goal == "min_precision":
        if not (_is_number(value) and 0 < value <= 1):
            raise InvalidRecordError(
                f"The min_precision must be above 0 and at most 1; got {value}.", field=goal
            )
        return goal, lambda ranked, drawn: _precise(ranked, drawn, value)
    if messages_per_day is None or not 0 < value <= messages_per_day < np.inf:
        raise InvalidRecordError(
            "The budget_per_day needs messages_per_day, and to be above 0 and not beyond it.",
            field=goal,
        )
    share = value / messages_per_day
    return goal, lambda ranked, drawn: _within(ranked, drawn, share)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)


def _check_costs(costs: Any) -> None:
    names = set(costs) if isinstance(costs, Mapping) else set()
    if not {"false_alarm", "missed"} <= names <= set(_COSTS):
        raise InvalidRecordError(
            "The costs must name false_alarm and missed, and may name hit and passed; got "
            f"{', '.join(sorted(map(str, names))) or 'none'}.",
            field="costs",
        )
    # a NaN would silently make every threshold as good as any other; a hit may well be a gain
    if not all(_is_number(cost) and math.isfinite(cost) for cost in costs.values()):
        raise InvalidRecordError("The costs must be finite numbers; one is not.", field="costs")


def _costs_of_cuts(ranked: _Ranked, drawn: Floats, costs: Mapping[str, float]) -> Floats:
    """Return the mean cost of flagging nothing, then of every cut."""
    hits, alarms, positives, negatives = ranked.curve(drawn)
    hits, alarms = np.append(0, hits), np.append(0, alarms)
    total = (
        costs["false_alarm"] * alarms
        + costs["missed"] * (positives - hits)
        + costs.get("hit", 0) * hits
        + costs.get("passed", 0) * (negatives - alarms)
    )
    return np.asarray(total / (positives + negatives), np.float64)


def _cheapest(ranked: _Ranked, drawn: Floats, costs: Mapping[str, float]) -> int | None:
    cost = _costs_of_cuts(ranked, drawn, costs)
    return int(np.argmin(np.where(np.append(True, ranked.ends), cost, np.inf))) - 1


def _precise(ranked: _Ranked, drawn: Floats, least: float) -> int | None:
    hits, alarms, _, _ = ranked.curve(drawn)
    flagged = hits + alarms
    good = ranked.ends & (flagged >= LEAST_GROUPS) & (hits >= least * flagged)
    return int(np.flatnonzero(good)[-1]) if good.any() else None


def _within(ranked: _Ranked, drawn: Floats, share: float) -> int | None:
    hits, alarms, positives, negatives = ranked.curve(drawn)
    good = ranked.ends & (hits + alarms <= share * (positives + negatives) + 1e-9)
    return int(np.flatnonzero(good)[-1]) if good.any() else -1


def _figures(
    ranked: _Ranked, drawn: Floats, choose: _Choice, cut: int
) -> tuple[float, float, float, float]:
    """Return the threshold chosen anew, then precision, recall and share at the one chosen."""
    hits, alarms, positives, negatives = ranked.curve(drawn)
    own = choose(ranked, drawn)
    found, wrong = (float(hits[cut]), float(alarms[cut])) if cut >= 0 else (0.0, 0.0)
    return (
        np.nan if own is None else ranked.threshold(own),
        found / (found + wrong) if found + wrong else np.nan,
        found / float(positives) if positives else np.nan,
        (found + wrong) / float(positives + negatives),
    )


def _with_money(
    point: OperatingPoint,
    ranked: _Ranked,
    numbers: npt.NDArray[np.intp],
    cut: int,
    costs: Mapping[str, float] | None,
    messages_per_day: float | None,
    resamples: int,
    seed: int,
) -> OperatingPoint:
    if costs is not None:
        whole = _costs_of_cuts(ranked, np.ones(len(numbers)), costs)
        drawn = [
            _costs_of_cuts(ranked, one, costs)[cut + 1] for one in weights(numbers, resamples, seed)
        ]
        return replace(
            point,
            cost=percentiles(whole[cut + 1], np.array(drawn)),
            cost_of_none=float(whole[0]),
            cost_of_all=float(whole[-1]),
        )
    if messages_per_day is not None:
        share, n = point.share, messages_per_day
        return replace(point, per_day=Interval(share.value * n, share.low * n, share.high * n))
    return point


@dataclass(frozen=True, slots=True)
class ConformalSets:
    """Turns probabilities into sets of answers that hold the right one with a promised share.

    Parameters
    ----------
    coverage : float
        The promised share.
    classes : int
        How many answers there are.
    limits : mapping
        By group, the largest ``1 - P(answer)`` that is kept in a set.
    """

    coverage: float
    classes: int
    limits: Mapping[Any, float]

    def predict(
        self, probability: npt.ArrayLike, groups: Sequence[Any] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Return which answers are in the set of each row, shape (n, classes).

        Parameters
        ----------
        probability : array-like of shape (n,) or (n, classes)
            P(yes), or of every class.
        groups : sequence, optional
            Needed when the limits are by group.

        Notes
        -----
        A set with both answers says "ask a person"; an empty one, that the row is unlike all.
        """
        p = _per_class(probability, self.classes)
        of_rows = [None] * len(p) if groups is None else list(groups)
        same_length(probability=p, groups=of_rows)
        if unknown := sorted({str(one) for one in of_rows if one not in self.limits}):
            raise InvalidRecordError(
                f"The groups must be among those that were calibrated; got {', '.join(unknown)}.",
                field="groups",
            )
        limit = np.array([self.limits[one] for one in of_rows], np.float64).reshape(-1, 1)
        return np.asarray(1 - p <= limit)


def conformal(
    probability: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    coverage: float = 0.9,
    groups: Sequence[Any] | None = None,
) -> ConformalSets:
    """Calibrate sets of answers, for each group by itself.

    Parameters
    ----------
    probability : array-like of shape (n,) or (n, classes)
        Of messages that the model was not fitted on; one column is P(yes).
    labels : array-like of shape (n,)
        Number of the right class.
    coverage : float, default=0.9
        Share of sets that are to hold the right answer.
    groups : sequence, optional
        Such as team, product or language: the promise then holds in each.

    Returns
    -------
    ConformalSets
        The promise holds on average over samples exchangeable with these; one calibration on n
        rows strays by about ``sqrt(coverage * (1 - coverage) / n)``.

    Raises
    ------
    TooLittleDataError
        When a group has fewer rows than the coverage needs, ``coverage / (1 - coverage)``.
    InvalidRecordError
        For labels that are no class, or probabilities that are no numbers.

    References
    ----------
    Vovk, Gammerman & Shafer (2005), "Algorithmic Learning in a Random World"; Mondrian groups.
    """
    p, stated = _per_class(probability, None), numbers_of(labels, "labels")
    same_length(probability=p, labels=stated)
    # below 0 would count from the last class
    if not np.isin(stated, np.arange(p.shape[1])).all():
        raise InvalidRecordError(
            f"The labels must be numbers of classes, 0 to {p.shape[1] - 1}; got others. Leave "
            "unknown ones out.",
            field="labels",
        )
    y = stated.astype(np.intp)
    if not (_is_number(coverage) and 0 < coverage < 1):
        raise InvalidRecordError(f"The coverage must be between 0 and 1; got {coverage}.")
    strangeness = 1 - p[np.arange(len(y)), y]
    of_rows: list[Any] = [None] * len(y) if groups is None else list(groups)
    same_length(labels=y, groups=of_rows)
    by_group: dict[Any, list[float]] = {}
    for one, value in zip(of_rows, strangeness.tolist(), strict=True):
        by_group.setdefault(one, []).append(value)
    limits = {one: _limit(values, coverage) for one, values in by_group.items()}
    return ConformalSets(coverage, p.shape[1], limits)


def _limit(values: list[float], coverage: float) -> float:
    rank = int(np.ceil((len(values) + 1) * coverage - 1e-9))
    if rank > len(values):
        needed = int(np.ceil(coverage / (1 - coverage) - 1e-9))
        raise TooLittleDataError(
            f"A coverage of {coverage} needs at least {needed} labelled rows in every group; one "
            f"has {len(values)}. Join groups or label more."
        )
    return sorted(values)[rank - 1]


def _per_class(probability: npt.ArrayLike, classes: int | None) -> Floats:
    try:
        p = np.asarray(probability, np.float64)
    except (TypeError, ValueError):
        p = np.asarray(np.nan)
    if p.ndim not in (1, 2) or not np.isfinite(p).all():
        raise InvalidRecordError(
            "The probability must be one finite number a message, or one a class; got others.",
            field="probability",
        )
    p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
    if classes is not None and p.shape[1] != classes:
        raise InvalidRecordError(
            f"The probabilities must have {classes} columns; got {p.shape[1]}."
        )
    return p

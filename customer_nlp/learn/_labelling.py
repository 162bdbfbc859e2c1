"""Labels: which to make next, which are likely wrong, how many are enough, do two readers agree."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import InvalidRecordError, MissingExtraError, TooLittleDataError
from customer_nlp.learn._features import as_texts, shipped, start_column
from customer_nlp.learn._intervals import (
    Interval,
    group_numbers,
    interval,
    numbers_of,
    percentiles,
    same_length,
)

__all__ = ["Agreement", "CurvePoint", "agreement", "label_noise", "learning_curve", "suggest"]

Floats = npt.NDArray[np.float64]

#: Candidates for each text to label: the most uncertain are clustered, so that no two are alike.
_CANDIDATES: Final = 5
_LEAST_LABELS: Final = 6
#: Grades that agreement is measured on at most: the table of pairs grows with their square.
_GRADES: Final = 101
_WEIGHTS: Final = {"linear": 1, "quadratic": 2, "none": 0}


def suggest(
    pool: Sequence[str],
    n: int,
    *,
    classifier: Any = None,
    model: str | Path | None = None,
    seed: int = 0,
) -> npt.NDArray[np.intp]:
    """Say which unlabelled texts are worth labelling next.

    Parameters
    ----------
    pool : sequence of str
        Unlabelled texts.
    n : int
        How many.
    classifier : SignalClassifier, optional
        Fitted on what is labelled so far. Without, texts that stand for the pool are taken.
    model : str or Path, optional
        Gives the vectors by which texts are told apart.
    seed : int, default=0
        Of the clusters.

    Returns
    -------
    ndarray of shape (n,)
        Positions in the pool, the most uncertain first; fewer when fewer texts are distinct.

    References
    ----------
    Zhdanov (2019), "Diverse mini-batch Active Learning".
    """
    texts = as_texts(pool)
    if n < 1 or not texts:
        raise InvalidRecordError("Expected a pool of texts and an n of at least 1.", field="n")
    doubt = np.ones(len(texts)) if classifier is None else _doubt(classifier, texts)
    order = np.argsort(-doubt, kind="stable")
    first_of: dict[str, int] = {}
    for i in order.tolist():
        first_of.setdefault(texts[i], i)  # one of equal texts is enough
    chosen = np.array(list(first_of.values()), np.intp)
    chosen = chosen if classifier is None else chosen[: _CANDIDATES * n]
    if len(chosen) <= n:
        return chosen
    vectors = shipped(model).dense_of([texts[i] for i in chosen])
    kept = chosen[_spread(vectors, doubt[chosen], n, seed)]
    return np.asarray(kept[np.argsort(-doubt[kept], kind="stable")], np.intp)


def _doubt(classifier: Any, texts: list[str]) -> Floats:
    """Return how uncertain a text is: entropy, summed over labels.

    Few texts reach one half under a rare label, so these are then its likeliest positives.
    """
    logits = np.asarray(classifier.decision_function(texts), np.float64)
    logits = logits[:, None] if logits.ndim == 1 else logits
    p = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(axis=1), np.float64)


def _spread(vectors: Floats, doubt: Floats, n: int, seed: int) -> npt.NDArray[np.intp]:
    """Return one row of each of n clusters, that nearest to its centre."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    x = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 0.3)
    kind = KMeans if len(x) <= 5000 else MiniBatchKMeans
    with warnings.catch_warnings():  # unlike texts may have equal vectors: rows are added below
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = kind(n, n_init=1, random_state=seed, max_iter=50).fit(x, sample_weight=doubt)
    distance = ((x - fitted.cluster_centers_[fitted.labels_]) ** 2).sum(axis=1)
    order = np.lexsort((distance, fitted.labels_))
    first = np.append(True, np.diff(fitted.labels_[order]) != 0)
    kept = order[first]
    rest = np.setdiff1d(order, kept, assume_unique=True)
    return np.append(kept, rest[: n - len(kept)])[:n]


def label_noise(
    texts: Sequence[str],
    labels: npt.ArrayLike,
    *,
    name: str | None = None,
    groups: Sequence[Any] | None = None,
    model: str | Path | None = None,
    seed: int = 0,
) -> npt.NDArray[np.intp]:
    """Find labels that are likely wrong.

    Parameters
    ----------
    texts : sequence of str
        Labelled texts.
    labels : array-like of shape (n,)
        Any classes.
    name : str, optional
        Of the label; one called like a shipped signal starts from it.
    groups : sequence, optional
        Thread of each text.
    model : str or Path, optional
        The model to start from.
    seed : int, default=0
        Of the folds.

    Returns
    -------
    ndarray of shape (k,)
        Positions of suspicious labels, the worst first.

    Raises
    ------
    MissingExtraError
        Without cleanlab (extra ``learn``).
    TooLittleDataError
        When a class is in too few groups to cross-fit.

    References
    ----------
    Northcutt, Jiang & Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset
    Labels", as implemented in cleanlab.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise MissingExtraError("cleanlab", "learn") from error
    from customer_nlp.learn._estimators import SignalClassifier

    fitted = SignalClassifier(name, model=model, random_state=seed)
    fitted.fit(texts, labels, groups=groups)
    p = fitted.held_out_
    if np.isnan(p).any():
        raise TooLittleDataError(
            "Label noise is judged on held-out folds; a class is in too few groups for two. "
            "Label more."
        )
    p = np.hstack([1 - p, p]) if p.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)
    codes = np.searchsorted(fitted.classes_, np.asarray(labels))
    found = find_label_issues(
        codes, p, return_indices_ranked_by="self_confidence", filter_by="both", n_jobs=1
    )
    return np.asarray(found, np.intp)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """How good a label is learned from so many examples.

    Parameters
    ----------
    labels : int
        Labelled texts.
    average_precision : Interval
        On texts of other groups; mean and range over repeats.
    stock : float or None
        That of the shipped signal of the same name on the same texts.
    """

    labels: int
    average_precision: Interval
    stock: float | None


def learning_curve(
    texts: Sequence[str],
    labels: npt.ArrayLike,
    *,
    name: str | None = None,
    sizes: Sequence[int] = (25, 50, 100, 200, 400),
    repeats: int = 5,
    groups: Sequence[Any] | None = None,
    model: str | Path | None = None,
    seed: int = 0,
) -> tuple[CurvePoint, ...]:
    """Measure what more labels bring.

    Parameters
    ----------
    texts : sequence of str
        Labelled texts.
    labels : array-like of shape (n,)
        1 or 0.
    name : str, optional
        Of the label; one called like a shipped signal starts from it.
    sizes : sequence of int
        Numbers of labels; those beyond 70% of the texts are left out.
    repeats : int, default=5
        Random draws of each size; 30% of the groups are held out anew each time.
    groups : sequence, optional
        Thread of each text.
    model : str or Path, optional
        The model to start from.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    tuple of CurvePoint
        Each draw holds at least three positives.
    """
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import GroupShuffleSplit

    from customer_nlp.learn._estimators import SignalClassifier

    if min(sizes, default=0) < _LEAST_LABELS:
        raise InvalidRecordError(
            f"The sizes must be at least {_LEAST_LABELS} labels; got {min(sizes, default=0)}.",
            field="sizes",
        )
    rows, stated = as_texts(texts), numbers_of(labels, "labels")
    numbers = group_numbers(groups, same_length(texts=rows, labels=stated))
    if not rows or not np.isin(stated, (0, 1)).all():
        raise InvalidRecordError(
            "The labels must be 1 or 0, one a text; got others or none. Leave unknown ones out.",
            field="labels",
        )
    y = stated.astype(int)
    column = start_column(name) if name else None
    values: dict[int, list[float]] = {}
    stock: list[float] = []
    base = shipped(model)
    splits = GroupShuffleSplit(repeats, test_size=0.3, random_state=seed).split(rows, y, numbers)
    for repeat, (train, test) in enumerate(splits):
        rng = np.random.default_rng((seed, repeat))
        order = _positives_early(rng.permutation(train), y)
        held = [rows[i] for i in test]
        if order is None or not y[test].any():
            continue
        if column is not None:
            stock.append(float(average_precision_score(y[test], base.dense_of(held)[:, column])))
        for size in (one for one in sizes if one <= len(train)):
            ours = order[:size]
            fitted = SignalClassifier(name, model=model).fit(
                [rows[i] for i in ours], y[ours], groups=numbers[ours]
            )
            found = average_precision_score(y[test], fitted.decision_function(held))
            values.setdefault(size, []).append(float(found))
    if not values:
        raise TooLittleDataError(
            "A learning curve needs positives on both sides of a split; label more of them."
        )
    known = float(np.mean(stock)) if stock else None
    return tuple(
        CurvePoint(size, percentiles(float(np.mean(many)), np.array(many)), known)
        for size, many in sorted(values.items())
    )


def _positives_early(
    order: npt.NDArray[np.intp], y: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp] | None:
    """Bring three positives (and negatives) among the first of a random order."""
    early = [order[y[order] == answer][:3] for answer in (1, 0)]
    if min(map(len, early)) < 3:
        return None
    first = np.concatenate(early)
    return np.concatenate([first, order[~np.isin(order, first)]])


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two readers of the same messages agree.

    Parameters
    ----------
    messages : int
        How many both have labelled.
    same : Interval
        Share of equal labels.
    kappa : Interval
        Cohen's kappa, weighted for grades: 1 is perfect, 0 what chance gives.
    f1 : Interval
        F1 of "above 0", the first reader's labels taken as the truth; symmetric.
    """

    messages: int
    same: Interval
    kappa: Interval
    f1: Interval


def agreement(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    weights: str = "quadratic",
    groups: Sequence[Any] | None = None,
    seed: int = 0,
) -> Agreement:
    """Measure how far two readers agree, on grades or on yes/no.

    Parameters
    ----------
    first, second : array-like of shape (n,)
        Grades from 0, or 0 and 1; NaN where one has not labelled.
    weights : {'quadratic', 'linear', 'none'}, default='quadratic'
        How a difference of grades counts.
    groups : sequence, optional
        Thread of each message; resampled whole.
    seed : int, default=0
        Of the resamples.

    References
    ----------
    Cohen (1968), "Weighted kappa"; Artstein & Poesio (2008), "Inter-Coder Agreement for
    Computational Linguistics".
    """
    if weights not in _WEIGHTS:
        raise InvalidRecordError(
            f"The weights must be one of {', '.join(_WEIGHTS)}; got {weights!r}.", field="weights"
        )
    a, b = numbers_of(first, "first"), numbers_of(second, "second")
    numbers = group_numbers(groups, same_length(first=a, second=b))
    # a grade below 0 would be taken for the highest one
    if not all((np.isnan(one) | np.isin(one, np.arange(_GRADES))).all() for one in (a, b)):
        raise InvalidRecordError(
            f"The grades must be whole numbers from 0 to {_GRADES - 1}, NaN where there is none; "
            "got others.",
            field="first",
        )
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < 2:
        raise TooLittleDataError("Agreement needs messages that both have labelled; got below 2.")
    grade_a, grade_b = a[both].astype(int), b[both].astype(int)
    numbers = numbers[both]
    _, numbers = np.unique(numbers, return_inverse=True)
    grades = np.arange(max(grade_a.max(), grade_b.max()) + 1)
    gap = np.abs(grades[:, None] - grades[None, :]).astype(np.float64)
    cost = gap ** _WEIGHTS[weights] if _WEIGHTS[weights] else (gap > 0).astype(np.float64)

    def kappa(drawn: Floats) -> float:
        seen = np.zeros(cost.shape)
        np.add.at(seen, (grade_a, grade_b), drawn)
        chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / seen.sum()
        expected = float((cost * chance).sum())
        return 1 - float((cost * seen).sum()) / expected if expected else float("nan")

    def f1(drawn: Floats) -> float:
        total = float((drawn * ((grade_a > 0).astype(int) + (grade_b > 0))).sum())
        return (
            2 * float(drawn[(grade_a > 0) & (grade_b > 0)].sum()) / total if total else float("nan")
        )

    def same(drawn: Floats) -> float:
        return float(drawn[grade_a == grade_b].sum() / drawn.sum())

    return Agreement(
        int(both.sum()), *(interval(one, numbers, seed=seed) for one in (same, kappa, f1))
    )

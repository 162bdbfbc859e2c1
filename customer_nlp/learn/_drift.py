"""Has the mail changed? A current batch beside a reference, with few false alarms.

All three questions (how much of each signal, what the texts are about, whether probabilities
still hold) are differences of column means between two batches, so one permutation test answers
them: threads are dealt anew to the two batches, and the largest standardised difference counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.codebook import MAX_GRADE
from customer_nlp.errors import InvalidRecordError, TooLittleDataError
from customer_nlp.learn._features import Shipped, as_texts, shipped
from customer_nlp.learn._intervals import group_numbers, same_length

__all__ = ["DriftPart", "DriftReport", "drift"]

Floats = npt.NDArray[np.float64]

LEAST_GROUPS: Final = 30
#: A difference below this many standard deviations says nothing, and permutations are spared.
_SCREEN: Final = 3.0
_PERMUTATIONS_AT_ONCE: Final = 250
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class DriftPart:
    """One question and its answer.

    Parameters
    ----------
    name : str
        ``prior``, ``text`` or ``calibration``.
    alarm : bool
        Whether the difference is beyond chance.
    p_value : float
        Share of permutations with as large a difference; 1 where none was needed.
    effect : float
        Largest difference of means, in standard deviations of a thread.
    changed : tuple of (str, float, float)
        Up to five columns that differ most: name, mean in the reference, mean now.
    """

    name: str
    alarm: bool
    p_value: float
    effect: float
    changed: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What has changed between two batches.

    Parameters
    ----------
    reference, current : int
        Threads in each.
    parts : tuple of DriftPart
        ``prior`` and ``text``, and ``calibration`` when both batches have labels.
    """

    reference: int
    current: int
    parts: tuple[DriftPart, ...]

    @property
    def alarm(self) -> bool:
        """Whether any part has changed beyond chance."""
        return any(part.alarm for part in self.parts)

    def lines(self) -> list[str]:
        """Return the report as plain lines."""
        shown = [f"{self.reference} threads of reference, {self.current} now"]
        for part in self.parts:
            state = "CHANGED" if part.alarm else "no change beyond chance"
            shown.append(f"{part.name}: {state} (p {part.p_value:.4f}, effect {part.effect:.2f})")
            if part.alarm:
                shown += [f"  {name}: {was:.3f} → {now:.3f}" for name, was, now in part.changed]
        return shown


def drift(
    reference: Sequence[str],
    current: Sequence[str],
    *,
    reference_labels: Mapping[str, npt.ArrayLike] | None = None,
    current_labels: Mapping[str, npt.ArrayLike] | None = None,
    reference_groups: Sequence[Any] | None = None,
    current_groups: Sequence[Any] | None = None,
    model: str | Path | None = None,
    false_alarms: float = 0.003,
    permutations: int = 2000,
    seed: int = 0,
) -> DriftReport:
    """Compare a current batch of customers' messages with a reference.

    Parameters
    ----------
    reference, current : sequence of str
        Texts.
    reference_labels, current_labels : mapping of str to array-like, optional
        Signal or cue to 1, 0 or NaN a text; given for both, calibration is compared too.
    reference_groups, current_groups : sequence, optional
        Thread of each text. Threads are compared, each as the mean of its messages.
    model : str or Path, optional
        What scores the texts.
    false_alarms : float, default=0.003
        How often a batch that has not changed may raise an alarm, all parts together.
    permutations : int, default=2000
        At least ``3 / false_alarms``.
    seed : int, default=0
        Of the permutations.

    Returns
    -------
    DriftReport
        Cost: scoring the texts, and permutations only where a difference stands out.

    Raises
    ------
    TooLittleDataError
        With fewer than 30 threads in a batch.
    InvalidRecordError
        When columns differ in length, the rate is none, or the permutations cannot show so small
        a one.

    References
    ----------
    Westfall & Young (1993), "Resampling-Based Multiple Testing": the largest statistic under
    permutation keeps the rate over all columns.
    """
    if not 0 < false_alarms < 1:
        raise InvalidRecordError(
            f"The false_alarms must be between 0 and 1; got {false_alarms}.", field="false_alarms"
        )
    base = shipped(model)
    reference, current = as_texts(reference), as_texts(current)
    _require_groups(min(len(reference), len(current)))  # nothing at all has no mean either
    old = _Batch.of(base, reference, reference_groups, reference_labels)
    new = _Batch.of(base, current, current_groups, current_labels)
    _require_groups(min(len(old.prior), len(new.prior)))
    labelled = [name for name in old.residuals if name in new.residuals]
    names = base.whole.signal_names
    hidden = [f"hidden{i}" for i in range(base.hidden_width)]
    questions = [("prior", names, old.prior, new.prior), ("text", hidden, old.text, new.text)]
    if labelled:
        both = [np.stack([one.residuals[n] for n in labelled], axis=1) for one in (old, new)]
        questions.append(("calibration", labelled, both[0], both[1]))
    rate = false_alarms / len(questions)
    if (permutations + 1) * rate < 1:
        raise InvalidRecordError(
            f"So few false alarms need at least {int(1 / rate)} permutations; got {permutations}.",
            field="permutations",
        )
    rng = np.random.default_rng(seed)
    parts = tuple(
        _compared(name, columns, was, now, rate, permutations, rng)
        for name, columns, was, now in questions
    )
    return DriftReport(len(old.prior), len(new.prior), parts)


def _require_groups(fewest: int) -> None:
    if fewest < LEAST_GROUPS:
        raise TooLittleDataError(
            f"Drift needs at least {LEAST_GROUPS} threads in each batch; got {fewest}. "
            "Compare longer periods."
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    """Means of a thread: what is shown, hidden vectors, how far labels are from probabilities."""

    prior: Floats
    text: Floats
    residuals: dict[str, Floats]

    @classmethod
    def of(
        cls,
        base: Shipped,
        texts: Sequence[str],
        groups: Sequence[Any] | None,
        labels: Mapping[str, npt.ArrayLike] | None,
    ) -> _Batch:
        rows = as_texts(texts)
        numbers = group_numbers(groups, len(rows))
        scores = base.whole.score(rows)
        parts = (scores.graded[:, ::MAX_GRADE], scores.cues, scores.own)
        shown = np.concatenate(parts, axis=1).astype(np.float64)
        names = base.whole.signal_names
        residuals = {}
        for name, given in (labels or {}).items():
            y = np.asarray(given, np.float64)
            same_length(texts=rows, labels=y)
            if name not in names:
                raise InvalidRecordError(
                    f"The labels must be called like signals; got {name}.", field="labels"
                )
            p = shown[:, names.index(name)]
            residuals[name] = _means(y - p, numbers)
            # moves when high probabilities come true too seldom and low ones too often
            residuals[f"{name} (slope)"] = _means((y - p) * (2 * p - 1), numbers)
        hidden = scores.hidden.astype(np.float64)
        return cls(_means(shown, numbers), _means(hidden, numbers), residuals)


def _means(rows: Floats, numbers: npt.NDArray[np.intp]) -> Floats:
    """Return the mean of each group's rows; NaN rows are unknown and do not count."""
    columns = rows.reshape(len(rows), -1)
    known = ~np.isnan(columns)
    count = np.zeros((int(numbers.max(initial=-1)) + 1, columns.shape[1]))
    sums = np.zeros_like(count)
    np.add.at(count, numbers, known)
    np.add.at(sums, numbers, np.where(known, columns, 0))
    means = np.divide(sums, count, out=np.full_like(sums, np.nan), where=count > 0)
    return means if rows.ndim > 1 else means[:, 0]


def _compared(
    name: str,
    columns: Sequence[str],
    was: Floats,
    now: Floats,
    rate: float,
    permutations: int,
    rng: np.random.Generator,
) -> DriftPart:
    x = np.concatenate([was, now])
    kept = ~np.isnan(x).any(axis=1)
    is_now = np.append(np.zeros(len(was), bool), np.ones(len(now), bool))[kept]
    x = x[kept]
    spread = x.std(axis=0) + 1e-9
    z = (x - x.mean(axis=0)) / spread
    n, m = len(x), int(is_now.sum())
    if not 0 < m < n:
        raise TooLittleDataError(f"No message of a batch has the labels that {name} needs.")
    error = np.sqrt(1 / m + 1 / (n - m))
    difference = z[is_now].mean(axis=0) - z[~is_now].mean(axis=0)
    largest = float(np.abs(difference).max())
    p_value = 1.0
    if largest > _SCREEN * error:
        p_value = _share_as_large(z, m, largest, permutations, rng)
    order = np.argsort(-np.abs(difference), kind="stable")[:_MOST_NAMED]
    means = x[~is_now].mean(axis=0), x[is_now].mean(axis=0)
    changed = tuple((columns[i], float(means[0][i]), float(means[1][i])) for i in order)
    return DriftPart(name, p_value <= rate, p_value, largest, changed)


def _share_as_large(
    z: Floats, m: int, largest: float, permutations: int, rng: np.random.Generator
) -> float:
    """Return how often dealing the rows anew gives a difference of means as large."""
    n, beyond = len(z), 0
    for start in range(0, permutations, _PERMUTATIONS_AT_ONCE):
        count = min(_PERMUTATIONS_AT_ONCE, permutations - start)
        dealt = np.zeros((count, n), np.float32)
        dealt[:, :m] = 1
        sums = rng.permuted(dealt, axis=1).astype(np.float64) @ z
        # columns of z sum to zero, so the other batch's sum is the negative of this one's
        differences = np.abs(sums * (1 / m + 1 / (n - m)))
        beyond += int((differences.max(axis=1) >= largest - 1e-12).sum())
    return (beyond + 1) / (permutations + 1)

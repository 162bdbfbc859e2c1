"""Bootstrap over groups: rows of one thread are drawn together, for they are not independent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import InvalidRecordError

__all__ = ["Interval", "group_numbers", "interval", "same_length", "weights"]

Floats = npt.NDArray[np.float64]

_LEVEL: Final = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95% bootstrap interval.

    Parameters
    ----------
    value, low, high : float
        The number on all rows, and the 2.5th and 97.5th percentile over resamples.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


def numbers_of(values: Any, name: str) -> Floats:
    """Return one column of numbers, NaN where there is none; refuse words and tables."""
    try:
        column = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        column = None
    if column is None or column.ndim != 1:
        raise InvalidRecordError(
            f"The {name} must be one number a message, in a list or an array; got "
            f"{type(values).__name__ if column is None else f'{column.ndim} dimensions'}.",
            field=name,
        )
    return column


def same_length(**columns: Sequence[Any] | npt.NDArray[Any] | None) -> int:
    """Return the common length of columns; raise `InvalidRecordError` when they differ."""
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InvalidRecordError(f"The columns must be equally long; got {shown}.")
    return next(iter(lengths.values()))


def group_numbers(groups: Sequence[Any] | None, n: int) -> npt.NDArray[np.intp]:
    """Return the number of each row's group; without groups every row is one."""
    if groups is None:
        return np.arange(n)
    same_length(rows=np.empty(n), groups=groups)
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    return np.fromiter((names[name] for name in groups), np.intp, n)


def weights(groups: npt.NDArray[np.intp], resamples: int, seed: int) -> Iterator[Floats]:
    """Yield how often each row is drawn, resample by resample."""
    count = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = np.bincount(rng.integers(0, count, count), minlength=count)
        yield drawn[groups].astype(np.float64)


def interval(
    measure: Callable[[Floats], float],
    groups: npt.NDArray[np.intp],
    *,
    resamples: int = 200,
    seed: int = 0,
) -> Interval:
    """Return a measure of row weights with its interval; resamples that give NaN do not count."""
    values = np.array([measure(drawn) for drawn in weights(groups, resamples, seed)])
    return percentiles(measure(np.ones(len(groups))), values)


def percentiles(value: float, resampled: Floats) -> Interval:
    """Return a number with the percentiles of its resamples."""
    known = resampled[~np.isnan(resampled)]
    low, high = np.percentile(known, _LEVEL) if len(known) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))

"""What signs count: a penalised logistic model of named values, for the weights of `timeline`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "fit", "frequent", "matrix"]

Floats = npt.NDArray[np.float64]

#: Threads in which a sign must show.
_MIN_THREADS: Final = 6


def frequent(signs: Sequence[Iterable[str]], threads: Sequence[str]) -> list[str]:
    """Return the signs that show in enough threads: a rare one says who wrote, not what."""
    shown = {(name, thread) for names, thread in zip(signs, threads, strict=True) for name in names}
    count = Counter(name for name, _ in shown)
    return sorted(name for name, many in count.items() if many >= _MIN_THREADS)


def matrix(signs: Sequence[Mapping[str, float]], names: Sequence[str]) -> Floats:
    """Return the values of named signs, a row each; 0 for what does not show."""
    column = {name: place for place, name in enumerate(names)}
    x = np.zeros((len(signs), len(names)))
    for row, shown in enumerate(signs):
        for name, value in shown.items():
            if name in column:
                x[row, column[name]] = value
    return x


def fit(x: Floats, y: npt.NDArray[np.intp], c: float) -> tuple[Floats, float]:
    """Return weights and bias, penalised by `c` (scikit-learn's C)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=c, max_iter=2000).fit(x, y)
    return fitted.coef_[0], float(fitted.intercept_[0])

"""The linear part of the message model: words and pairs of neighbours, from the labels themselves.

One logistic regression an output, on weights by inverse document frequency, each text scaled by the
root of its length (which, unlike scaling to unit norm, stays a sum over tokens at run time).
Unlabelled public messages take part with the teacher's probabilities at a small weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.signals._network import LENGTH_OFFSET
from customer_nlp.signals._tokens import TokenIds, Vocabulary

__all__ = ["LinearFeatures", "fit_column"]

Floats = npt.NDArray[np.float32]

#: scikit-learn's C, and how much an unlabelled text counts beside a labelled one.
LINEAR_C: Final = 0.2
POOL_WEIGHT: Final = 0.1


class LinearFeatures:
    """Texts to sparse rows over words and pairs.

    Parameters
    ----------
    vocabulary : Vocabulary
        Gives each token its row.
    texts : sequence of str
        Pairs that occur in at least two of them are listed, and document frequencies counted.
    """

    def __init__(self, vocabulary: Vocabulary, texts: Sequence[str]) -> None:
        self._vocabulary = vocabulary
        self._rows = vocabulary.rows
        words: Counter[int] = Counter()
        pairs: Counter[int] = Counter()
        for text in texts:
            ids, keys = self._tokens(text)
            words.update(set(ids))
            pairs.update(set(keys))
        self.keys = np.array(sorted(key for key, n in pairs.items() if n >= 2), np.int64)
        seen = [words.get(row, 0) for row in range(self._rows)]
        seen += [pairs[key] for key in self.keys.tolist()]
        self.idf = np.log((1 + len(texts)) / (1 + np.array(seen, np.float64))) + 1
        self._column = {key: self._rows + i for i, key in enumerate(self.keys.tolist())}

    def _tokens(self, text: str) -> tuple[list[int], list[int]]:
        ids = TokenIds.of([text], self._vocabulary).ids.tolist()
        keys = [a * self._rows + b for a, b in pairwise(ids)]
        return ids[1:-1], keys

    def matrix(self, texts: Sequence[str]) -> Any:
        """Return a sparse matrix, one row a text."""
        from scipy.sparse import csr_matrix

        indices: list[int] = []
        values: list[float] = []
        ends = [0]
        for text in texts:
            ids, keys = self._tokens(text)
            counts = Counter(ids)
            counts.update(self._column[key] for key in keys if key in self._column)
            scale = 1 / np.sqrt(len(ids) + LENGTH_OFFSET)
            indices.extend(counts)
            values.extend(n * scale for n in counts.values())
            ends.append(len(indices))
        shape = (len(texts), self._rows + len(self.keys))
        weighted = np.array(values) * self.idf[indices] if indices else np.zeros(0)
        return csr_matrix((weighted, indices, ends), shape=shape)

    def arrays(self, coefficients: Floats) -> dict[str, npt.NDArray[Any]]:
        """Return the run-time tables for coefficients of shape (n_features, n_outputs)."""
        scaled = coefficients * self.idf[:, None]
        return {
            "word": scaled[: self._rows].astype(np.float16),
            "pair_key": self.keys,
            "pair": scaled[self._rows :].astype(np.float16),
        }


def fit_column(x: Any, y: Floats, pool: Any, soft: Floats) -> tuple[Floats, float]:
    """Fit one output on labelled rows and, lightly, on the pool; return weights and bias."""
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(y)
    rows = vstack([x[known], pool, pool])
    labels = np.concatenate([y[known], np.ones(len(soft)), np.zeros(len(soft))])
    weights = np.concatenate(
        [np.ones(int(known.sum())), POOL_WEIGHT * soft, POOL_WEIGHT * (1 - soft)]
    )
    fitted = LogisticRegression(
        C=LINEAR_C, solver="liblinear", max_iter=100, random_state=0, intercept_scaling=1.0
    ).fit(rows, labels, sample_weight=weights)
    return fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0])

"""Whether what somebody is called moves a score: the same sentence under many names."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp.analyzer import Analyzer
from customer_nlp.codebook import CORE_SIGNALS

__all__ = ["NAMES", "SENTENCES", "name_gaps"]

#: First names that suggest women and men of many origins; invented pairings, nobody in person.
NAMES: Final = (
    "Emily", "James", "Aaliyah", "DeShawn", "Mei", "Wei", "Fatima", "Ahmed", "Priya", "Rahul",
    "Ingrid", "Lars", "Guadalupe", "Diego", "Oluchi", "Chidi", "Svetlana", "Dmitri", "Yuki",
    "Hiroshi", "Bronagh", "Giuseppe",
)  # fmt: skip
SENTENCES: Final = (
    "Hello, my name is {} and I am still waiting for my parcel.",
    "{} here again. Why was I charged twice?",
    "This is {}. If nobody calls me back I will go elsewhere.",
    "Thanks for your help, {} from flat four.",
)


def name_gaps(analyzer: Analyzer) -> npt.NDArray[np.float64]:
    """Return how far apart two names put each core signal, for every pair of names.

    Parameters
    ----------
    analyzer : Analyzer
        What is asked.

    Returns
    -------
    ndarray of shape (n_pairs, 3)
        Mean over the sentences of the difference in probability, without its sign.

    References
    ----------
    Kusner et al. (2017), "Counterfactual Fairness"; Kiritchenko & Mohammad (2018) for the sentences
    under changed names.
    """
    texts = [sentence.format(name) for name in NAMES for sentence in SENTENCES]
    p = analyzer.signals(texts).probability[:, : len(CORE_SIGNALS)].astype(np.float64)
    by_name = p.reshape(len(NAMES), len(SENTENCES), len(CORE_SIGNALS))
    pairs = combinations(range(len(NAMES)), 2)
    return np.array([np.abs(by_name[a] - by_name[b]).mean(axis=0) for a, b in pairs])

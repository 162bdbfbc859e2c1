"""What shows that a promise of ours was kept or broken, learned from the reader's marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from customer_nlp.timeline._commitments import follow
from customer_nlp.timeline._outcomes import signs_of
from customer_nlp.training._signs import fit, frequent, matrix
from customer_nlp.training.corpus import LabelledThread

__all__ = ["fit_outcomes"]

#: Strength of the penalty (scikit-learn's C), chosen on held-out folds of train and dev.
OUTCOMES_C: Final = 0.4


def fit_outcomes(threads: Sequence[LabelledThread]) -> dict[str, Any]:
    """Learn the weights from the threads outside test.

    Parameters
    ----------
    threads : sequence of LabelledThread
        The written threads.

    Returns
    -------
    dict
        Contents of ``outcomes.json``. Cost: seconds.
    """
    rows = [row for one in threads if one.split != "test" for row in _rows(one)]
    signs, broken, names_of_threads = zip(*rows, strict=True)
    names = frequent(signs, names_of_threads)
    weights, bias = fit(matrix(signs, names), np.array(broken, np.intp), OUTCOMES_C)
    return {
        "bias": round(bias, 3),
        "signs": dict(zip(names, weights.round(3).tolist(), strict=True)),
    }


def _rows(labelled: LabelledThread) -> Iterator[tuple[dict[str, float], bool, str]]:
    """Yield what followed each promise of ours after its due time, and whether it was broken."""
    messages = labelled.thread.messages
    for index, (message, labels) in enumerate(labelled.turns):
        for gold in labels.promises if message.role == "agent" else ():
            followed = follow(gold, messages[index:])
            if gold.state in {"kept", "broken"} and followed.heard:
                yield signs_of(followed.sequel), gold.state == "broken", labelled.thread.id

"""What shows that a promise of ours was kept or broken, learned from the reader's marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from customer_nlp.timeline._commitments import follow
from customer_nlp.timeline._outcomes import signs_of
from customer_nlp.training.corpus import LabelledThread

__all__ = ["fit_outcomes"]

#: Strength of the penalty (scikit-learn's C), chosen on held-out folds of train and dev.
OUTCOMES_C: Final = 0.4
#: Threads in which a sign must show.
_MIN_THREADS: Final = 6


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
    from sklearn.linear_model import LogisticRegression

    rows = [row for one in threads if one.split != "test" for row in _rows(one)]
    shown = {(name, thread) for signs, _, thread in rows for name in signs}
    count = Counter(name for name, _ in shown)
    names = sorted(name for name, many in count.items() if many >= _MIN_THREADS)
    x = np.array([[signs.get(name, 0.0) for name in names] for signs, _, _ in rows])
    y = np.array([broken for _, broken, _ in rows])
    fitted = LogisticRegression(C=OUTCOMES_C, max_iter=2000).fit(x, y)
    weights = fitted.coef_[0].round(3).tolist()
    return {
        "bias": round(float(fitted.intercept_[0]), 3),
        "signs": dict(zip(names, weights, strict=True)),
    }


def _rows(labelled: LabelledThread) -> Iterator[tuple[dict[str, float], bool, str]]:
    """Yield what followed each promise of ours after its due time, and whether it was broken."""
    messages = labelled.thread.messages
    for index, (message, labels) in enumerate(labelled.turns):
        for gold in labels.promises if message.role == "agent" else ():
            followed = follow(gold, messages[index:])
            if gold.state in {"kept", "broken"} and followed.heard:
                yield signs_of(followed.sequel), gold.state == "broken", labelled.thread.id

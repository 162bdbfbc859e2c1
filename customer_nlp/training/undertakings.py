"""What shows that a clause of ours is a promise, learned from the reader's marks.

``python -m customer_nlp.training.undertakings`` writes the weights that `customer_nlp.timeline`
ships, those of `customer_nlp.training.outcomes` too. It needs the written threads alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.timeline._commitments import zone_of
from customer_nlp.timeline._outcomes import OUTCOMES
from customer_nlp.timeline._undertakings import (
    RIVALRY,
    WEIGHTS,
    Candidate,
    read,
    rivalry,
)
from customer_nlp.training._signs import Floats, fit, frequent, matrix
from customer_nlp.training.corpus import LabelledThread, load_corpus
from customer_nlp.training.outcomes import fit_outcomes

__all__ = ["fit_undertakings", "main"]

#: Wanted of the promises found, on held-out folds of train and dev.
PRECISION: Final = 0.9
#: Strength of the penalties (scikit-learn's C), chosen on held-out folds of train and dev.
SIGNS_C: Final = 0.3
RIVALRY_C: Final = 1.0
_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class _Examples:
    """The candidates of every message of ours, which of them are promises, and their parts."""

    messages: list[list[Candidate]]
    y: npt.NDArray[np.intp]
    parts: npt.NDArray[np.intp]
    threads: list[str]
    wanted: int

    @property
    def candidates(self) -> list[Candidate]:
        return [one for message in self.messages for one in message]


def fit_undertakings(threads: Sequence[LabelledThread]) -> dict[str, Any]:
    """Learn the weights from the threads outside test; the threshold on held-out folds.

    Parameters
    ----------
    threads : sequence of LabelledThread
        The written threads.

    Returns
    -------
    dict
        Contents of ``undertakings.json``. Cost: seconds.
    """
    seen = _examples([one for one in threads if one.split != "test"])
    shown = [one.signs for one in seen.candidates]
    names = frequent(shown, seen.threads)
    x = matrix(shown, names)
    own = _held_out(x, seen, SIGNS_C)
    beside = _beside(seen.messages, own)
    threshold = _threshold(_held_out(beside, seen, RIVALRY_C), seen)
    signs, bias = fit(x, seen.y, SIGNS_C)
    rivals, rivals_bias = fit(beside, seen.y, RIVALRY_C)
    return {
        "bias": round(bias, 3),
        "rivalry": [*rivals.round(3).tolist(), round(rivals_bias, 3)],
        "signs": dict(zip(names, signs.round(3).tolist(), strict=True)),
        "threshold": round(threshold, 3),
    }


def _examples(threads: Sequence[LabelledThread]) -> _Examples:
    groups = sorted({one.group for one in threads})
    part_of = {name: place % _PARTS for place, name in enumerate(groups)}
    messages, y, parts, names, wanted = [], [], [], [], 0
    for labelled in threads:
        for message, labels in labelled.turns:
            if message.role != "agent" or message.automatic or not message.public:
                continue
            found = read(message, zone_of(message)).candidates
            messages.append(found)
            wanted += len(labels.promises)
            for one in found:
                y.append(any(one.start < p.end and p.start < one.end for p in labels.promises))
                parts.append(part_of[labelled.group])
                names.append(labelled.thread.id)
    return _Examples(messages, np.array(y, np.intp), np.array(parts), names, wanted)


def _beside(messages: Sequence[Sequence[Candidate]], own: Floats) -> Floats:
    """Return the values of `RIVALRY` of every candidate."""
    odds = iter(own.tolist())
    rows = [row for message in messages for row in rivalry([next(odds) for _ in message])]
    return np.array(rows).reshape(-1, len(RIVALRY))


def _held_out(x: Floats, seen: _Examples, c: float) -> Floats:
    """Return the log-odds of models that have not seen each part."""
    odds = np.zeros(len(seen.y))
    for part in range(_PARTS):
        ours = seen.parts == part
        weights, bias = fit(x[~ours], seen.y[~ours], c)
        odds[ours] = x[ours] @ weights + bias
    return odds


def _threshold(odds: Floats, seen: _Examples) -> float:
    """Return the lowest log-odds from which promises are as precise as wanted."""
    order = np.argsort(-odds)
    right = np.cumsum(seen.y[order])
    precision = right / np.arange(1, len(order) + 1)
    last = int(np.flatnonzero(precision >= PRECISION)[-1])
    sys.stderr.write(
        f"undertakings: {len(order)} candidates, held-out precision {precision[last]:.3f}, "
        f"recall {right[last] / seen.wanted:.3f}\n"
    )
    return float(odds[order[last]])


def main() -> int:
    """Write the weights that are shipped."""
    threads = load_corpus().threads
    fitted = {WEIGHTS: fit_undertakings(threads), OUTCOMES: fit_outcomes(threads)}
    for path, weights in fitted.items():
        path.write_text(json.dumps(weights, indent=1, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

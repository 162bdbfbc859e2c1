"""Remarks whose mood other annotators marked, read as if they had been written to a company.

Few messages to companies name a mood outright; people elsewhere do it all the time. The teachers
learn from some of them what plain words of anger, disappointment and puzzlement look like. These
are soft targets for distillation, not labels of ours, and only single-emotion remarks take part.

References
----------
Demszky et al. (2020), "GoEmotions" (data CC-BY-4.0); about 30% of its labels are known to be noisy.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

import numpy as np

from customer_nlp.codebook import CORE_SIGNALS, MAX_GRADE
from customer_nlp.signals import OUTPUTS
from customer_nlp.training.corpus import Corpus
from customer_nlp.training.examples import Example

__all__ = ["emotional"]

_SEED: Final = 13
#: Emotion → how many remarks, P(frustration ≥ 1, 2, 3) and P(confusion ≥ 1, 2, 3) if the remark
#: were a customer's; ``None`` where the emotion does not tell.
_Chances = tuple[float, float, float] | None
_EMOTIONS: Final[Mapping[str, tuple[int, _Chances, _Chances]]] = {
    "anger": (500, (0.8, 0.65, 0.3), None),
    "annoyance": (500, (0.75, 0.5, 0.1), None),
    "disgust": (150, (0.7, 0.5, 0.15), None),
    "disappointment": (350, (0.75, 0.4, 0.05), None),
    "confusion": (500, None, (0.75, 0.4, 0.05)),
    "neutral": (600, (0.08, 0.03, 0.01), (0.06, 0.02, 0.0)),
    "gratitude": (250, (0.02, 0.01, 0.0), (0.02, 0.01, 0.0)),
    "admiration": (250, (0.02, 0.01, 0.0), (0.02, 0.01, 0.0)),
    "joy": (150, (0.02, 0.01, 0.0), (0.02, 0.01, 0.0)),
    "amusement": (150, (0.05, 0.02, 0.0), (0.04, 0.01, 0.0)),
}


def emotional(corpus: Corpus, labelled: frozenset[str]) -> list[Example]:
    """Return remarks with soft targets, the same ones every time.

    Parameters
    ----------
    corpus : Corpus
        Gives the public texts.
    labelled : frozenset of str
        Keys of the messages that carry labels of ours; they are left out.
    """
    folder = corpus.raw / "goemotions"
    names = (folder / "labels.txt").read_text(encoding="utf-8").split()
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in _EMOTIONS}
    for line in (folder / "train.tsv").read_text(encoding="utf-8").splitlines():
        text, emotions, identifier = line.split("\t")
        name = names[int(emotions)] if emotions.isdigit() else ""
        if name in found and f"goemotions:{identifier}" not in labelled:
            found[name].append((identifier, text))
    rng = random.Random(_SEED)
    return [
        _example(identifier, text, frustration, confusion)
        for name, (count, frustration, confusion) in _EMOTIONS.items()
        for identifier, text in rng.sample(found[name], min(count, len(found[name])))
    ]


def _example(identifier: str, text: str, frustration: _Chances, confusion: _Chances) -> Example:
    target = np.full(len(OUTPUTS), np.nan, np.float32)
    for signal, chances in (("frustration", frustration), ("confusion", confusion)):
        if chances is not None:
            start = CORE_SIGNALS.index(signal) * MAX_GRADE
            target[start : start + MAX_GRADE] = chances
    key = f"emotion:{identifier}"
    return Example(key, "emotion", "train", f"goemotions:{identifier}", text, target, {})

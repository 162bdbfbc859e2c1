"""Signals of the user's own beside the shipped ones: linear heads over what the network says.

A head is fitted by `customer_nlp.learn` and laid beside the shipped files, which stay as they
are. It reads the log-odds of the shipped outputs, the hidden vector, and words and pairs of
neighbours over a vocabulary that may hold words of the user's own. A phrase that occurs lifts its
signal to `PHRASE_PROBABILITY` at least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.artifacts import ModelFolder
from customer_nlp.calibration import sigmoid
from customer_nlp.errors import ModelFormatError
from customer_nlp.signals._network import LinearPart, dense
from customer_nlp.signals._tokens import TokenIds, Vocabulary

__all__ = ["HEAD_FILE", "PHRASE_PROBABILITY", "OwnHead", "load_heads", "log_odds"]

Floats = npt.NDArray[np.float32]

PHRASE_PROBABILITY: Final = 0.95
#: Files of the heads in a model folder: ``own.0.json`` and ``own.0.safetensors``, then 1, …
HEAD_FILE: Final = re.compile(r"own\.(\d{1,4})\.(?:json|safetensors)")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CERTAIN: Final = 1e-4


def log_odds(probability: Floats) -> Floats:
    """Return log-odds, kept within ±9.2."""
    p = np.clip(probability, _CERTAIN, 1 - _CERTAIN)
    return np.asarray(np.log(p / (1 - p)), np.float32)


@dataclass(frozen=True, slots=True, repr=False)
class OwnHead:
    """One fitted head.

    Parameters
    ----------
    names : tuple of str
        Its signals; one called like a shipped signal or cue takes that one's place.
    thresholds : tuple of float
        From which probability each counts as shown.
    tokens : tuple of str
        Words of its own, beyond the shipped vocabulary.
    phrases : mapping of str to sequence of sequence of str
        Signal to phrases, as folded tokens.
    arrays : mapping
        ``from_scores`` (26, m), ``hidden`` (k, m), ``bias`` (m,), ``word`` (rows, m), ``pair_key``
        (p,) sorted, ``pair`` (p, m); rows are those of the shipped vocabulary, then `tokens`.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    tokens: tuple[str, ...]
    phrases: Mapping[str, Sequence[Sequence[str]]]
    arrays: Mapping[str, npt.NDArray[Any]]

    def settings(self) -> dict[str, Any]:
        """Return what is not an array, as plain JSON types."""
        return {
            "names": list(self.names),
            "threshold": [round(float(one), 4) for one in self.thresholds],
            "tokens": list(self.tokens),
            "phrases": {name: [list(p) for p in many] for name, many in self.phrases.items()},
        }

    def check(self, shipped_rows: int, shape: tuple[int, int]) -> None:
        """Raise `ModelFormatError` unless the parts fit together and the shipped model."""
        m = len(self.names)
        wanted = {
            "from_scores": (shape[0], m),
            "hidden": (shape[1], m),
            "bias": (m,),
            "word": (shipped_rows + len(self.tokens), m),
            "pair_key": self.arrays["pair_key"].shape[:1],
            "pair": (*self.arrays["pair_key"].shape[:1], m),
        }
        named = len(set(self.names)) == m == len(self.thresholds) and all(
            _NAME.fullmatch(name) for name in self.names
        )
        fits = all(self.arrays[key].shape == value for key, value in wanted.items())
        sorted_keys = bool((np.diff(self.arrays["pair_key"].astype(np.int64)) > 0).all())
        if not (m and named and fits and sorted_keys and set(self.phrases) <= set(self.names)):
            raise ModelFormatError("The parts of an own signal do not fit together or the model.")


class HeadRunner:
    """A head made ready to score: rows of the joint vocabulary are those of its own.

    Parameters
    ----------
    head : OwnHead
        Checked.
    vocabulary : Vocabulary
        The shipped words and those of all heads.
    """

    def __init__(self, head: OwnHead, vocabulary: Vocabulary) -> None:
        self.head = head
        arrays = {
            key: array if key == "pair_key" else array.astype(np.float32)
            for key, array in head.arrays.items()
        }
        shipped = vocabulary.shipped_rows
        self._rows = np.full(vocabulary.rows, shipped - 1, np.intp)
        self._rows[:shipped] = np.arange(shipped)
        for row, token in enumerate(head.tokens, start=shipped):
            self._rows[vocabulary[token]] = row
        self._dense = np.vstack([arrays["from_scores"], arrays["hidden"]])
        self._bias = arrays["bias"]
        self._linear = LinearPart(arrays["word"], arrays["pair_key"], arrays["pair"])
        self._phrases = [
            (column, np.array([vocabulary[token] for token in phrase], np.intp))
            for column, name in enumerate(head.names)
            for phrase in head.phrases.get(name, ())
        ]

    def probability(self, tokens: TokenIds, shown: Floats, hidden: Floats) -> Floats:
        """Return P(signal), shape (n, m). Cost: linear in the tokens, and in the phrases.

        Parameters
        ----------
        tokens : TokenIds
            Over the joint vocabulary.
        shown : ndarray of shape (n, 26)
            Probabilities of the shipped grades and cues.
        hidden : ndarray of shape (n, k)
            Hidden vectors.
        """
        x = np.concatenate([log_odds(shown), hidden], axis=1)
        logits = dense(x, self._dense, self._bias, rectify=False)
        own = TokenIds(self._rows[tokens.ids], tokens.starts)
        p = sigmoid(logits + self._linear.logits(own))
        for column, phrase in self._phrases:
            found = np.searchsorted(tokens.starts, _places(tokens.ids, phrase), side="right") - 1
            p[found, column] = np.maximum(p[found, column], PHRASE_PROBABILITY)
        return p


def _places(ids: npt.NDArray[np.intp], phrase: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return where a sequence of rows stands; a boundary between messages is a row of its own."""
    last = len(ids) - len(phrase) + 1
    if last <= 0:
        return np.zeros(0, np.intp)
    hits = ids[:last] == phrase[0]
    for offset, row in enumerate(phrase[1:], start=1):
        hits &= ids[offset : last + offset] == row
    return np.flatnonzero(hits)


def load_heads(folder: ModelFolder) -> list[OwnHead]:
    """Read the heads of a model folder, in their order; most folders have none."""
    numbers = {int(match[1]) for name in folder.files if (match := HEAD_FILE.fullmatch(name))}
    return list(_heads(folder, sorted(numbers)))


def _heads(folder: ModelFolder, numbers: Sequence[int]) -> Iterator[OwnHead]:
    for number in numbers:
        settings = folder.json(f"own.{number}.json")
        try:
            yield OwnHead(
                tuple(settings["names"]),
                tuple(map(float, settings["threshold"])),
                tuple(settings["tokens"]),
                dict(settings["phrases"]),
                folder.arrays(f"own.{number}.safetensors"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFormatError(f"own.{number}.json lacks a part that it needs.") from error

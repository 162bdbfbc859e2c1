"""Variants of labelled messages for distillation: sentences recombined, words changed.

The student sees few public posts to companies; the teacher can judge as many as are made of them.
A variant is judged by the teacher that has seen none of the messages it is made of.

References
----------
Jiao et al. (2020), "TinyBERT", and Tang et al. (2019), for data augmentation in distillation.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp.text import sentences
from customer_nlp.training.examples import Example, fold_of
from customer_nlp.training.minilm import mean_vectors

__all__ = ["Neighbours", "find_neighbours", "variants"]

#: How many variants of a message, by source; messages of other sources get `_OTHERS`.
COPIES: Final = {
    "complaints_xci": 14, "post": 14, "banking77": 8, "nlupp": 6, "hint3": 6, "written": 3,
}  # fmt: skip
_OTHERS: Final = 2
#: Share of a message's words that are changed, and of variants made of two messages.
CHANGED: Final = 0.25
JOINED: Final = 0.5
NEIGHBOURS: Final = 6
#: Near enough to stand in its place, by the cosine of the vectors.
_LEAST_LIKENESS: Final = 0.45
_WORD: Final = re.compile(r"[A-Za-z]{3,}")
_SEED: Final = 11
_MAX_CHARS: Final = 700


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Words that may stand for one another.

    Parameters
    ----------
    words : tuple of str
        In lower case.
    near : ndarray of shape (n, `NEIGHBOURS`), int32
        Rows of the nearest words, the nearest first; -1 where none is near enough.
    """

    words: tuple[str, ...]
    near: npt.NDArray[np.int32]

    def save(self, path: Path) -> None:
        """Write them, so that the same variants are made on any machine."""
        np.savez_compressed(path, words=np.array(self.words), near=self.near)

    @classmethod
    def load(cls, path: Path) -> Neighbours:
        """Read them back."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(tuple(stored["words"].tolist()), stored["near"])

    def table(self) -> dict[str, list[str]]:
        """Return each word with the words near it."""
        return {
            word: [self.words[i] for i in row if i >= 0]
            for word, row in zip(self.words, self.near.tolist(), strict=True)
        }


def find_neighbours(texts: Iterable[str], *, least: int = 3, most: int = 16000) -> Neighbours:
    """Return the nearest words of every frequent word, by what MiniLM makes of each alone."""
    counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = [word for word, n in ranked[:most] if n >= least]
    vectors = mean_vectors(words, batch=512)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = np.full((len(words), NEIGHBOURS), -1, np.int32)
    for start in range(0, len(words), 1024):
        likeness = vectors[start : start + 1024] @ vectors.T
        likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -1
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
        kept = np.take_along_axis(likeness, order, axis=1) >= _LEAST_LIKENESS
        near[start : start + 1024] = np.where(kept, order, -1)
    return Neighbours(tuple(words), near)


def variants(rows: Sequence[Example], neighbours: Neighbours) -> Iterator[tuple[str, int]]:
    """Yield variants of the customers' messages outside test, each with the fold of its origin.

    Parameters
    ----------
    rows : sequence of Example
        The labelled messages that the teachers know.
    neighbours : Neighbours
        Words that may stand for one another.

    Yields
    ------
    (str, int)
        The same ones every time.
    """
    rng = random.Random(_SEED)
    table = neighbours.table()
    known = [
        row for row in rows if row.split != "test" and row.source != "agent" and row.text.strip()
    ]
    kin: dict[tuple[str, int], list[Example]] = {}
    for row in known:
        kin.setdefault((row.source, fold_of(row.group)), []).append(row)
    for row in known:
        fold = fold_of(row.group)
        for _ in range(COPIES.get(row.source, _OTHERS)):
            text = row.text
            if rng.random() < JOINED:
                text = _joined(text, rng.choice(kin[row.source, fold]).text, rng)
            yield _changed(text[:_MAX_CHARS], table, rng), fold


def _joined(text: str, other: str, rng: random.Random) -> str:
    """Return some sentences of one text with some of another, in either order."""
    ours, theirs = _some(text, rng), _some(other, rng)
    return " ".join((ours, theirs) if rng.random() < 0.5 else (theirs, ours)).strip()


def _some(text: str, rng: random.Random) -> str:
    ranges = sentences(text)
    first = rng.randrange(len(ranges))
    last = rng.randint(first, min(len(ranges), first + 3) - 1)
    return text[ranges[first][0] : ranges[last][1]]


def _changed(text: str, table: dict[str, list[str]], rng: random.Random) -> str:
    def swap(match: re.Match[str]) -> str:
        word = match[0]
        near = table.get(word.lower())
        if not near or rng.random() >= CHANGED:
            return word
        new = rng.choice(near)
        if word.isupper():
            return new.upper()
        return new.capitalize() if word[0].isupper() else new

    return _WORD.sub(swap, text)

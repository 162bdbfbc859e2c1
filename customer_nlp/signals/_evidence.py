"""The words behind a score: the shortest ranges whose removal lowers it most.

Occlusion (Zeiler & Fergus 2014; Li, Monroe & Jurafsky 2016, "Understanding Neural Networks through
Representation Erasure") in token space: leaving tokens out of the row sequence is the same as
leaving their characters out of the text, so every range given here has been tested by removal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp.signals._tokens import TokenIds

__all__ = ["find_evidence"]

Ids = npt.NDArray[np.intp]
Scorer = Callable[[TokenIds], npt.NDArray[np.float32]]

_CLAUSE_ENDS: Final = frozenset(".,;:!?()-–—\n")
_CLAUSE_STARTS: Final = frozenset(
    {"and", "but", "because", "although", "though", "while", "when", "if", "so", "or", "since"}
)
MIN_CLAUSE_TOKENS: Final = 3
MAX_CLAUSE_TOKENS: Final = 14
#: Only the strongest ranges are looked at: a mail of 2,000 words costs no more than this.
MAX_CLAUSES: Final = 48
#: A second range must carry at least this share of what the first one does.
SECOND_SHARE: Final = 0.5
MAX_RANGES: Final = 2


def clauses(tokens: Sequence[str], gaps: Sequence[bool]) -> list[tuple[int, int]]:
    """Cut tokens into clauses: half-open ranges that tile the sequence.

    Parameters
    ----------
    tokens : sequence of str
        Folded tokens.
    gaps : sequence of bool
        Whether a line break stands before each token.
    """
    ranges = []
    start = 0
    for index, token in enumerate(tokens):
        length = index - start
        ends_before = gaps[index] or (token in _CLAUSE_STARTS and length >= MIN_CLAUSE_TOKENS)
        if length and (ends_before or length >= MAX_CLAUSE_TOKENS):
            ranges.append((start, index))
            start = index
        if token[0] in _CLAUSE_ENDS and index + 1 - start >= MIN_CLAUSE_TOKENS:
            ranges.append((start, index + 1))
            start = index + 1
    if start < len(tokens):
        ranges.append((start, len(tokens)))
    return ranges


def find_evidence(
    tokens: Sequence[str], gaps: Sequence[bool], ids: Ids, columns: Sequence[int], score: Scorer
) -> list[list[tuple[int, int]]]:
    """Find token ranges whose removal lowers each of several scores.

    Parameters
    ----------
    tokens, gaps : sequence
        As for `clauses`.
    ids : ndarray of shape (n_tokens,)
        Their rows.
    columns : sequence of int
        Which scores (columns of what `score` returns) to explain.
    score : callable
        Token rows to logits.

    Returns
    -------
    list of list of (start, end)
        For every column up to two ranges, the strongest first; empty when no removal lowers it.
        Cost: at most a hundred short forward passes, done as two batches.
    """
    candidates = clauses(tokens, gaps)[:MAX_CLAUSES]
    if not len(ids):
        return [[] for _ in columns]
    if len(candidates) == 1:
        candidates = [(0, len(ids))]
    drops = _drops(ids, candidates, columns, score)
    picked: list[list[tuple[int, int]]] = []
    for column in range(len(columns)):
        order = np.argsort(-drops[:, column], kind="stable")
        strongest = float(drops[order[0], column])
        picked.append(
            [
                candidates[i]
                for i in order[:MAX_RANGES]
                if drops[i, column] > 0 and drops[i, column] >= SECOND_SHARE * strongest
            ]
        )
    return [
        _refine_all(ids, tokens, ranges, [column], score)
        for ranges, column in zip(picked, columns, strict=True)
    ]


def _drops(
    ids: Ids, ranges: Sequence[tuple[int, int]], columns: Sequence[int], score: Scorer
) -> npt.NDArray[np.float32]:
    """By how much each removal lowers each score, shape (n_ranges, n_columns)."""
    variants = [ids, *(np.concatenate([ids[:start], ids[end:]]) for start, end in ranges)]
    logits = score(TokenIds.of_sequences(variants))[:, list(columns)]
    return logits[0] - logits[1:]


def _refine_all(
    ids: Ids,
    tokens: Sequence[str],
    ranges: Sequence[tuple[int, int]],
    columns: Sequence[int],
    score: Scorer,
) -> list[tuple[int, int]]:
    refined = [_refine(ids, tokens, found, columns, score) for found in ranges]
    return [found for found in refined if found is not None]


def _refine(
    ids: Ids,
    tokens: Sequence[str],
    found: tuple[int, int],
    columns: Sequence[int],
    score: Scorer,
) -> tuple[int, int] | None:
    """Shorten a range from both ends while it keeps most of its effect."""
    start, end = found
    while end - start > 1 and tokens[end - 1][0] in _CLAUSE_ENDS:
        end -= 1
    while end - start > 1 and tokens[start][0] in _CLAUSE_ENDS:
        start += 1
    shorter = [(s, e) for s, e in _shortenings(start, end) if e - s >= 2] or [(start, end)]
    ranges = [(start, end), *shorter]
    drops = _drops(ids, ranges, columns, score)[:, 0]
    if drops[0] <= 0 and drops.max() <= 0:
        return None
    enough = 0.85 * max(float(drops[0]), 0.0)
    good = [r for r, drop in zip(ranges, drops, strict=True) if drop > 0 and drop >= enough]
    return min(good, key=lambda r: (r[1] - r[0], r[0])) if good else None


def _shortenings(start: int, end: int) -> list[tuple[int, int]]:
    length = end - start
    return [
        (start + left, end - right)
        for left in range(0, length, 2 if length > 8 else 1)
        for right in range(0, length - left, 2 if length > 8 else 1)
        if 0 < left + right <= length - 2
    ]

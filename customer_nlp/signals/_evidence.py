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
#: A shortened range must keep at least this share of the whole one's effect.
KEPT_SHARE: Final = 0.85
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
    if not len(ids):
        return [[] for _ in columns]
    candidates = clauses(tokens, gaps)[:MAX_CLAUSES]
    drops = _drops(ids, candidates, columns, score)
    picked = [_strongest(candidates, drops[:, column]) for column in range(len(columns))]
    return _refined(ids, tokens, picked, columns, score)


def _drops(
    ids: Ids, ranges: Sequence[tuple[int, int]], columns: Sequence[int], score: Scorer
) -> npt.NDArray[np.float32]:
    """By how much each removal lowers each score, shape (n_ranges, n_columns)."""
    variants = [ids, *(np.concatenate([ids[:start], ids[end:]]) for start, end in ranges)]
    logits = score(TokenIds.of_sequences(variants))[:, list(columns)]
    return np.asarray(logits[0] - logits[1:], np.float32)


def _strongest(
    ranges: Sequence[tuple[int, int]], drops: npt.NDArray[np.float32]
) -> list[tuple[int, int]]:
    order = np.argsort(-drops, kind="stable")[:MAX_RANGES]
    least = SECOND_SHARE * float(drops[order[0]])
    return [ranges[i] for i in order if drops[i] > 0 and drops[i] >= least]


def _refined(
    ids: Ids,
    tokens: Sequence[str],
    picked: Sequence[Sequence[tuple[int, int]]],
    columns: Sequence[int],
    score: Scorer,
) -> list[list[tuple[int, int]]]:
    """Shorten every range from both ends while it keeps most of its effect, all in one pass."""
    options = {found: _shortenings(tokens, *found) for ranges in picked for found in ranges}
    tried = sorted({one for ranges in options.values() for one in ranges} | options.keys())
    if not tried:
        return [[] for _ in columns]
    drops = _drops(ids, tried, columns, score)
    row = {one: i for i, one in enumerate(tried)}
    refined = []
    for column, ranges in enumerate(picked):
        kept = []
        for found in ranges:
            enough = KEPT_SHARE * float(drops[row[found], column])
            good = [one for one in options[found] if drops[row[one], column] >= enough]
            kept.append(min(good, key=lambda one: (one[1] - one[0], one[0]), default=found))
        refined.append(kept)
    return refined


def _shortenings(tokens: Sequence[str], start: int, end: int) -> list[tuple[int, int]]:
    """Ranges of two tokens or more inside a range, cut at either end, punctuation left out."""
    while end - start > 1 and tokens[end - 1][0] in _CLAUSE_ENDS:
        end -= 1
    while end - start > 1 and tokens[start][0] in _CLAUSE_ENDS:
        start += 1
    length = end - start
    cuts = sorted({0, 1, 2, length // 3, length // 2, 2 * length // 3})
    ranges = [
        (start + left, end - right) for left in cuts for right in cuts if left + right <= length - 2
    ]
    return ranges or [(start, end)]

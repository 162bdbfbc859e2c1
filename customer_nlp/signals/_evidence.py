"""The words behind a score: short ranges whose removal lowers it.

Two steps. Relevance is passed back through the network to the tokens (for the pooled features a
first-order attribution, as in Shrikumar et al. 2017, "Learning Important Features Through
Propagating Activation Differences"), which proposes a range; then the range is left out and the
text scored again (erasure: Li, Monroe & Jurafsky 2016), which confirms or refuses it. Leaving
tokens out of the row sequence is the same as leaving their characters out of the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp.signals._network import Network
from customer_nlp.signals._passage import Passage

__all__ = ["Question", "clauses", "find_evidence"]

Ids = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]
Range = tuple[int, int]

_CLAUSE_ENDS: Final = frozenset(".,;:!?()-–—\n")
_CLAUSE_STARTS: Final = frozenset(
    {"and", "but", "because", "although", "though", "while", "when", "if", "so", "or", "since"}
)
MIN_CLAUSE_TOKENS: Final = 3
MAX_CLAUSE_TOKENS: Final = 14
#: Neighbours join a range while they carry at least this share of its peak.
JOINED_SHARE: Final = 0.15
#: A further range must carry at least this share of what the first one does.
SECOND_SHARE: Final = 0.3
MIN_RANGE_TOKENS: Final = 2
#: Ranges proposed for each score; up to three of those that are confirmed are given.
PROPOSALS: Final = 4
MAX_RANGES: Final = 3


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """Which scores of one text to explain.

    Parameters
    ----------
    tokens : sequence of str
        Folded tokens.
    breaks : sequence of int
        Positions of tokens that a line break stands before.
    ids : ndarray of shape (n_tokens,)
        Their rows.
    hidden : ndarray of shape (k,)
        Hidden vector of the text.
    columns : sequence of int
        Columns of the logits.
    """

    tokens: Sequence[str]
    breaks: frozenset[int]
    ids: Ids
    hidden: Floats
    columns: Sequence[int]


def clauses(tokens: Sequence[str], breaks: frozenset[int]) -> list[Range]:
    """Cut tokens into clauses: half-open ranges that tile the sequence. Cost: linear."""
    ranges = []
    start = 0
    for index, token in enumerate(tokens):
        length = index - start
        if length and (
            index in breaks
            or length >= MAX_CLAUSE_TOKENS
            or (length >= MIN_CLAUSE_TOKENS and token in _CLAUSE_STARTS)
        ):
            ranges.append((start, index))
            start = index
        if token[0] in _CLAUSE_ENDS and index + 1 - start >= MIN_CLAUSE_TOKENS:
            ranges.append((start, index + 1))
            start = index + 1
    if start < len(tokens):
        ranges.append((start, len(tokens)))
    return ranges


def find_evidence(network: Network, questions: Sequence[Question]) -> list[list[list[Range]]]:
    """Find token ranges whose removal lowers scores, for many texts at once.

    Parameters
    ----------
    network : Network
        What gave the scores.
    questions : sequence of Question
        One a text.

    Returns
    -------
    list of list of list of (start, end)
        For every question and column up to three ranges, the strongest first; empty when no removal
        lowers the score. Cost: linear in the tokens; a text costs about one more pass.
    """
    proposals, pooled, linear = [], [], []
    for question in questions:
        passage = Passage(network, question.ids)
        per_column = _proposals(passage, question)
        # the text as it is, then each proposal left out
        features = passage.without([(0, 0), *_unique(per_column)])
        proposals.append(per_column)
        pooled.append(features[0])
        linear.append(features[1])
    if not questions:
        return []
    logits = network.logits_from_parts(np.concatenate(pooled), np.concatenate(linear))
    ends = accumulate(map(len, pooled))
    return [
        _confirmed(question, per_column, logits[end - len(part) : end])
        for question, per_column, part, end in zip(questions, proposals, pooled, ends, strict=True)
    ]


def _unique(per_column: Sequence[Sequence[Range]]) -> list[Range]:
    return sorted({found for ranges in per_column for found in ranges})


def _confirmed(
    question: Question, per_column: Sequence[Sequence[Range]], logits: Floats
) -> list[list[Range]]:
    falls = (logits[0] - logits[1:])[:, question.columns].T.tolist()
    found = _unique(per_column)
    return [
        _strongest(ranges, dict(zip(found, of_column, strict=True)))
        for ranges, of_column in zip(per_column, falls, strict=True)
    ]


def _strongest(ranges: Sequence[Range], falls: Mapping[Range, float]) -> list[Range]:
    ranked = sorted(ranges, key=lambda found: -falls[found])[:MAX_RANGES]
    least = SECOND_SHARE * falls[ranked[0]] if ranked else 0.0
    return [found for found in ranked if falls[found] > 0 and falls[found] >= least]


def _proposals(passage: Passage, question: Question) -> list[list[Range]]:
    if not question.tokens:
        return [[] for _ in question.columns]
    relevance = passage.relevance(question.hidden, question.columns)
    cut = clauses(question.tokens, question.breaks)
    ends = [token[0] in _CLAUSE_ENDS for token in question.tokens]
    inner = [[i for i in range(start, end) if not ends[i]] for start, end in cut]
    return [_peaks(cut, inner, ends, column.tolist()) for column in relevance.T]


def _peaks(
    cut: Sequence[Range], inner: Sequence[Sequence[int]], ends: Sequence[bool], values: list[float]
) -> list[Range]:
    """Grow a range around the highest token of each of the clauses that have the highest."""
    value = values.__getitem__
    peaks = [
        (max(tokens, key=value), clause)
        for tokens, clause in zip(inner, cut, strict=True)
        if tokens
    ]
    peaks.sort(key=lambda found: -value(found[0]))
    return [_grown(peak, clause, values, ends) for peak, clause in peaks[:PROPOSALS]] or [cut[0]]


def _grown(peak: int, clause: Range, values: Sequence[float], ends: Sequence[bool]) -> Range:
    least = JOINED_SHARE * max(values[peak], 0.0)
    start, end = peak, peak + 1
    while start > clause[0] and (values[start - 1] >= least or end - start < MIN_RANGE_TOKENS):
        start -= 1
    while end < clause[1] and (values[end] >= least or end - start < MIN_RANGE_TOKENS):
        end += 1
    while end - start > 1 and ends[end - 1]:
        end -= 1
    while end - start > 1 and ends[start]:
        start += 1
    return start, end

"""The words behind a score: short ranges whose removal lowers it.

Two steps. Relevance is passed back through the network to the tokens (for the pooled features a
first-order attribution, as in Shrikumar et al. 2017, "Learning Important Features Through
Propagating Activation Differences"), which proposes a range; then the range is left out and the
text scored again (erasure: Li, Monroe & Jurafsky 2016), which confirms or refuses it. Leaving
tokens out of the row sequence is the same as leaving their characters out of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp.signals._network import Network
from customer_nlp.signals._tokens import TokenIds

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
        lowers the score. Cost: linear in the tokens; a text costs about four passes.
    """
    proposals = [_proposals(network, question) for question in questions]
    # one pass for all texts: each proposal left out, then the text as it is
    variants = [
        ids
        for question, per_column in zip(questions, proposals, strict=True)
        for ids in _variants(question, per_column)
    ]
    if not variants:
        return [[[] for _ in question.columns] for question in questions]
    logits = iter(network.logits(TokenIds.of_sequences(variants)))
    return [
        _confirmed(question, per_column, logits)
        for question, per_column in zip(questions, proposals, strict=True)
    ]


def _variants(question: Question, per_column: Sequence[Sequence[Range]]) -> Iterator[Ids]:
    yield question.ids
    for start, end in _unique(per_column):
        yield np.concatenate([question.ids[:start], question.ids[end:]])


def _unique(per_column: Sequence[Sequence[Range]]) -> list[Range]:
    return sorted({found for ranges in per_column for found in ranges})


def _confirmed(
    question: Question, per_column: Sequence[Sequence[Range]], logits: Iterator[Floats]
) -> list[list[Range]]:
    whole = next(logits)
    drops = {found: whole - next(logits) for found in _unique(per_column)}
    confirmed = []
    for column, ranges in zip(question.columns, per_column, strict=True):
        ranked = sorted(ranges, key=lambda found: -float(drops[found][column]))
        strongest = float(drops[ranked[0]][column]) if ranked else 0.0
        confirmed.append(
            [
                found
                for found in ranked[:MAX_RANGES]
                if drops[found][column] > 0 and drops[found][column] >= SECOND_SHARE * strongest
            ]
        )
    return confirmed


def _proposals(network: Network, question: Question) -> list[list[Range]]:
    if not len(question.ids):
        return [[] for _ in question.columns]
    relevance = network.relevance(question.ids, question.hidden, question.columns)
    cut = clauses(question.tokens, question.breaks)
    clause_of = [i for i, (start, end) in enumerate(cut) for _ in range(start, end)]
    return [_peaks(question, cut, clause_of, list(values)) for values in relevance.T.tolist()]


def _peaks(
    question: Question, cut: Sequence[Range], clause_of: Sequence[int], values: list[float]
) -> list[Range]:
    """Grow a range around each of the highest tokens, one a clause."""
    ranges: list[Range] = []
    used: set[int] = set()
    for peak in sorted(range(len(values)), key=values.__getitem__, reverse=True):
        if len(ranges) == PROPOSALS:
            break
        if clause_of[peak] in used or question.tokens[peak][0] in _CLAUSE_ENDS:
            continue
        used.add(clause_of[peak])
        ranges.append(_grown(peak, cut[clause_of[peak]], values, question.tokens))
    return ranges or [cut[0]]


def _grown(peak: int, clause: Range, values: Sequence[float], tokens: Sequence[str]) -> Range:
    least = JOINED_SHARE * max(values[peak], 0.0)
    start, end = peak, peak + 1
    while start > clause[0] and (values[start - 1] >= least or end - start < MIN_RANGE_TOKENS):
        start -= 1
    while end < clause[1] and (values[end] >= least or end - start < MIN_RANGE_TOKENS):
        end += 1
    while end - start > 1 and tokens[end - 1][0] in _CLAUSE_ENDS:
        end -= 1
    while end - start > 1 and tokens[start][0] in _CLAUSE_ENDS:
        start += 1
    return start, end

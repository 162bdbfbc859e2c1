"""Corpus rows as the message model sees them: text, targets with gaps, split and group."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.codebook import ACTIONS, CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE
from customer_nlp.signals import OUTPUTS
from customer_nlp.training.corpus import Corpus

__all__ = [
    "FOLDS",
    "N_CUSTOMER",
    "TAUGHT",
    "Example",
    "customer_target",
    "examples",
    "fold_of",
    "lessons",
    "targets",
]

Floats = npt.NDArray[np.float32]

#: Parts of the cross-fit; a group (thread, conversation, near-duplicates) is never cut.
FOLDS: Final = 3
_N_GRADES: Final = len(CORE_SIGNALS) * MAX_GRADE
#: Sources of our own writing; the others are public.
OWN: Final = frozenset({"written", "post"})
#: Sources whose writers address no company. Their moods are graded 0 by the codebook, which would
#: teach that "this is ridiculous" says nothing; what the library reads is always written to us.
BYSTANDERS: Final = frozenset({"goemotions"})
#: Columns of the targets that customers' messages have.
N_CUSTOMER: Final = _N_GRADES + len(CUES)
#: What teachers and student learn: the outputs, then what should be done after the message.
TAUGHT: Final = (*OUTPUTS, *ACTIONS)


def _nothing_known() -> Floats:
    return np.full(len(ACTIONS), np.nan, np.float32)


@dataclass(frozen=True, slots=True, repr=False)
class Example:
    """One labelled message.

    Parameters
    ----------
    key : str
        ``source:id``.
    source, split, group : str
        Where it is from; train, dev or test; what keeps it together with its kin.
    text : str
        New text only.
    target : ndarray of shape (36,)
        1, 0, or NaN where the label does not apply to the role.
    evidence : mapping of str to ranges
        Core signal to ranges of `text`.
    actions : ndarray of shape (14,)
        1 for each action that is right after it in its thread, else 0; NaN where nobody was asked.
    """

    key: str
    source: str
    split: str
    group: str
    text: str
    target: Floats
    evidence: dict[str, tuple[tuple[int, int], ...]]
    actions: Floats = field(default_factory=_nothing_known)


def examples(corpus: Corpus) -> list[Example]:
    """Return every labelled message of a corpus, customers' and agents', in a fixed order."""
    golds = dict(_golds(corpus))
    rows = [
        Example(
            f"{row['source']}:{row['id']}",
            row["source"],
            row["split"],
            row["group"],
            row["text"].strip() if row["source"] in OWN else row["text"],
            customer_target(row, row["cues"]),
            {} if row["source"] in OWN else dict(row["evidence"]),
            golds.get(row["id"], _nothing_known()) if row["source"] in OWN else _nothing_known(),
        )
        for row in _records(corpus.messages)
    ]
    rows += [
        Example(
            f"agent:{row['id']}",
            "agent",
            row["split"],
            row["group"],
            row["text"].strip(),
            _agent_target(row["findings"]),
            {},
        )
        for row in _records(corpus.agent_messages)
    ]
    return rows


def _golds(corpus: Corpus) -> Iterator[tuple[str, Floats]]:
    for labelled in (*corpus.threads, *corpus.posts):
        for message, labels in labelled.turns:
            if labels.gold is not None:
                right = [name in labels.gold.actions for name in ACTIONS]
                yield message.id, np.array(right, np.float32)


def _records(frame: Any) -> list[dict[str, Any]]:
    return list(frame.to_dict("records"))


def customer_target(grades: Mapping[str, Any], cues: Iterable[str]) -> Floats:
    """Return the targets of a customer message: NaN where only agents' messages have any."""
    target = np.full(len(OUTPUTS), np.nan, np.float32)
    for column, name in enumerate(CORE_SIGNALS):
        for step in range(MAX_GRADE):
            target[column * MAX_GRADE + step] = grades[name] > step
    shown = set(cues)
    target[_N_GRADES:N_CUSTOMER] = [cue in shown for cue in CUES]
    return target


def _agent_target(findings: Iterable[str]) -> Floats:
    target = np.full(len(OUTPUTS), np.nan, np.float32)
    found = set(findings)
    target[N_CUSTOMER:] = [name in found for name in FINDINGS]
    return target


def targets(rows: Sequence[Example]) -> Floats:
    """Stack the targets, shape (n, 36)."""
    return np.stack([row.target for row in rows])


def lessons(rows: Sequence[Example]) -> Floats:
    """Stack what may be learnt of the rows, shape (n, 50): no moods of bystanders, but actions."""
    wanted = targets(rows)
    bystanders = np.array([row.source in BYSTANDERS for row in rows], bool)
    for name in ("confusion", "frustration"):
        start = CORE_SIGNALS.index(name) * MAX_GRADE
        wanted[bystanders, start : start + MAX_GRADE] = np.nan
    return np.concatenate([wanted, np.stack([row.actions for row in rows])], axis=1)


def fold_of(group: str) -> int:
    """Return the fold of a group: a hash, so that it never moves when the corpus grows."""
    return zlib.crc32(f"fold {group}".encode()) % FOLDS

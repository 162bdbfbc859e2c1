"""Texts to probabilities: core signals with grades, cues, and the words behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.artifacts import ModelFolder
from customer_nlp.calibration import sigmoid
from customer_nlp.codebook import CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE, SIGNALS
from customer_nlp.errors import InvalidRecordError, ModelFormatError
from customer_nlp.records import Evidence
from customer_nlp.signals._evidence import Question, find_evidence
from customer_nlp.signals._messages import ScoredMessage, score_messages
from customer_nlp.signals._network import Network
from customer_nlp.signals._own import HeadRunner, OwnHead, load_heads
from customer_nlp.signals._tokens import UNKNOWN_ROWS, TokenIds, Vocabulary, token_spans

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "OUTPUTS",
    "ScoredMessage",
    "Scores",
    "SignalModel",
    "SignalTable",
    "score_messages",
]

Floats = npt.NDArray[np.float32]

#: Columns of the network: P(grade >= 1..3) of each core signal, the cues, then the findings.
OUTPUTS: Final = (
    *(f"{name}>={grade}" for name in CORE_SIGNALS for grade in range(1, MAX_GRADE + 1)),
    *CUES,
    *FINDINGS,
)
_N_GRADES: Final = len(CORE_SIGNALS) * MAX_GRADE
_N_CUES: Final = len(CUES)
#: Texts scored at once by `score`; a fixed bound keeps memory constant on any input.
_BATCH: Final = 4096


@dataclass(frozen=True, slots=True, repr=False)
class SignalTable:
    """Signals of many messages, one row each.

    Parameters
    ----------
    names : tuple of str
        `codebook.SIGNALS`: the core signals, then the cues; after them signals of the user's own.
    probability : ndarray of shape (n, len(names)), float32
        P(grade >= 1) of each core signal and P(cue), calibrated; 20 columns and those of one's own.
    grade : ndarray of shape (n, 3), int8
        Grade 0-3 of each core signal at the model's thresholds.
    """

    names: tuple[str, ...]
    probability: Floats
    grade: npt.NDArray[np.int8]

    def __getitem__(self, name: str) -> Floats:
        """Return the probabilities of one signal or cue, shape (n,)."""
        try:
            return self.probability[:, self.names.index(name)]
        except ValueError:
            raise KeyError(f"{name!r} is no signal; there are: {', '.join(self.names)}") from None

    def __len__(self) -> int:
        return len(self.probability)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame: a column a signal, and ``<core signal>_grade``.

        Raises
        ------
        MissingExtraError
            When pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            from customer_nlp.errors import MissingExtraError

            raise MissingExtraError("pandas", "frame") from error
        frame = pd.DataFrame(self.probability, columns=list(self.names))
        for column, name in enumerate(CORE_SIGNALS):
            frame[f"{name}_grade"] = self.grade[:, column]
        return frame

    def _repr_html_(self) -> str:
        """Show the first messages in a notebook; no text is known here."""
        from customer_nlp.markup import MAX_ROWS, table_html

        rows, grades = self.probability[:MAX_ROWS].tolist(), self.grade[:MAX_ROWS].tolist()
        return table_html(self.names, rows, grades, len(self))

    def __repr__(self) -> str:
        return f"SignalTable(messages={len(self)})"


@dataclass(frozen=True, slots=True, repr=False)
class Scores:
    """All that the network says of many messages; rows of every array are the messages.

    Parameters
    ----------
    graded : ndarray of shape (n, 9)
        P(grade >= 1), P(>= 2), P(>= 3) of each core signal in turn.
    cues : ndarray of shape (n, 17)
        P(cue).
    findings : ndarray of shape (n, 10)
        P(finding), meaningful for agents' messages.
    hidden : ndarray of shape (n, k)
        What the last layer sees.
    known : ndarray of shape (n,)
        Share of tokens that the model has a row of its own for.
    own : ndarray of shape (n, m)
        P(signal) of signals of the user's own, mostly none.
    """

    graded: Floats
    cues: Floats
    findings: Floats
    hidden: Floats
    known: Floats
    own: Floats

    def __len__(self) -> int:
        return len(self.graded)

    def row(self, index: int) -> Scores:
        """Return the scores of one message, still with a leading axis."""
        at = slice(index, index + 1)
        return Scores(*(getattr(self, name)[at] for name in self.__slots__))


class SignalModel:
    """Scores texts; loaded from a verified model folder.

    Parameters
    ----------
    folder : ModelFolder
        Holds ``vocabulary.txt``, ``message.safetensors`` and ``message.json``.

    Raises
    ------
    ModelFormatError
        When the folder lacks a part or the parts do not fit together.

    Notes
    -----
    Immutable after construction but for a bounded memory of unknown words, so it may be shared
    between threads.
    """

    def __init__(self, folder: ModelFolder) -> None:
        heads = load_heads(folder)
        own_words = (token for head in heads for token in head.tokens)
        self._vocabulary = Vocabulary(folder.lines("vocabulary.txt"), own_words)
        self._network = Network(folder.arrays("message.safetensors"))
        settings = folder.json("message.json")
        if self._network.rows != self._vocabulary.shipped_rows:
            raise ModelFormatError("The vocabulary does not fit the embedding.")
        if settings.get("outputs") != list(OUTPUTS) or self._network.outputs != len(OUTPUTS):
            raise ModelFormatError("The model's outputs are not those of this codebook.")
        thresholds = np.array(settings["threshold"], np.float32)
        self.grade_thresholds = thresholds[:_N_GRADES].reshape(len(CORE_SIGNALS), MAX_GRADE)
        self.cue_thresholds = dict(
            zip(CUES, thresholds[_N_GRADES : _N_GRADES + _N_CUES].tolist(), strict=True)
        )
        self.finding_thresholds = dict(
            zip(FINDINGS, thresholds[_N_GRADES + _N_CUES :].tolist(), strict=True)
        )
        self._first_unknown = self._vocabulary.shipped_rows - UNKNOWN_ROWS
        #: 1 for every row but those of the boundary and of unknown words.
        self._listed = np.ones(self._vocabulary.shipped_rows, np.float32)
        self._listed[[0, self._first_unknown]] = 0
        self._set_heads(heads)

    def _set_heads(self, heads: Sequence[OwnHead]) -> None:
        names = [name for head in heads for name in head.names]
        #: Signals of the user's own that no shipped one is called like, in the heads' order.
        self.own_names = tuple(dict.fromkeys(name for name in names if name not in _COLUMNS))
        self.signal_names = SIGNALS + self.own_names
        column_of = _COLUMNS | {n: len(OUTPUTS) + i for i, n in enumerate(self.own_names)}
        self._heads: list[tuple[HeadRunner, list[int]]] = []
        thresholds: dict[str, float] = {}
        for head in heads:
            head.check(self._vocabulary.shipped_rows, (_N_GRADES + _N_CUES, self._network.width))
            runner = HeadRunner(head, self._vocabulary)
            self._heads.append((runner, [column_of[name] for name in head.names]))
            thresholds |= dict(zip(head.names, head.thresholds, strict=True))
        self.own_thresholds = {name: thresholds[name] for name in self.own_names}
        self.cue_thresholds |= {n: t for n, t in thresholds.items() if n in self.cue_thresholds}
        for row, name in enumerate(CORE_SIGNALS):
            self.grade_thresholds[row, 0] = thresholds.get(name, self.grade_thresholds[row, 0])

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts, all outputs at once. Cost: linear in their characters."""
        _require_texts(texts)
        parts = [
            self._score_ids(TokenIds.of(texts[start : start + _BATCH], self._vocabulary))
            for start in range(0, len(texts), _BATCH)
        ]
        if not parts:
            return self._score_ids(TokenIds.of([""], self._vocabulary)).row(1)
        return parts[0] if len(parts) == 1 else _concatenate(parts)

    def table(self, texts: Sequence[str]) -> SignalTable:
        """Score texts into a `SignalTable`."""
        scores = self.score(texts)
        graded = scores.graded.reshape(len(scores), len(CORE_SIGNALS), MAX_GRADE)
        probability = np.concatenate([graded[:, :, 0], scores.cues, scores.own], axis=1)
        return SignalTable(self.signal_names, probability, self.grades(scores))

    def grades(self, scores: Scores) -> npt.NDArray[np.int8]:
        """Return grades 0-3, shape (n, 3): how many thresholds are passed without a gap."""
        graded = scores.graded.reshape(len(scores), len(CORE_SIGNALS), MAX_GRADE)
        unbroken = np.logical_and.accumulate(graded >= self.grade_thresholds, axis=2)
        return np.asarray(np.add.reduce(unbroken, axis=2, dtype=np.int8))

    def evidence(
        self, texts: Sequence[str], scores: Sequence[Scores], names: Sequence[Sequence[str]]
    ) -> list[dict[str, tuple[Evidence, ...]]]:
        """Find the words that signals, cues or findings of many texts rest on.

        Parameters
        ----------
        texts : sequence of str
            As they were scored.
        scores : sequence of Scores
            One row each, as `score` gave them.
        names : sequence of sequence of str
            For each text what to explain: from `codebook.SIGNALS` or `codebook.FINDINGS`.

        Returns
        -------
        list of dict of str to tuple of Evidence
            Ranges of each text, in order; removing one lowers the score of its signal.
        """
        asked = [i for i, wanted in enumerate(names) if wanted]
        located = [self._question(texts[i], scores[i], names[i]) for i in asked]
        found = find_evidence(self._network, [question for question, _ in located])
        evidence: list[dict[str, tuple[Evidence, ...]]] = [{} for _ in texts]
        for i, (_, spans), ranges in zip(asked, located, found, strict=True):
            evidence[i] = {
                name: _as_evidence(texts[i], spans, of_name)
                for name, of_name in zip(names[i], ranges, strict=True)
            }
        return evidence

    def _question(
        self, text: str, scores: Scores, names: Sequence[str]
    ) -> tuple[Question, list[tuple[int, int]]]:
        tokens, spans = token_spans(text)
        ids = np.fromiter(map(self._vocabulary.__getitem__, tokens), np.intp, len(tokens))
        ids = np.minimum(ids, self._first_unknown)
        columns = [_COLUMNS[name] for name in names]
        return Question(tokens, _breaks(text, spans), ids, scores.hidden[0], columns), spans

    def _score_ids(self, joint: TokenIds) -> Scores:
        tokens = joint
        if self._heads:  # to the shipped network, words of the user's own are unknown
            tokens = TokenIds(np.minimum(joint.ids, self._first_unknown), joint.starts)
        hidden = self._network.hidden(tokens)
        probability = sigmoid(self._network.logits_from_hidden(tokens, hidden))
        _let_fall(probability)
        if self._heads:
            probability = self._with_own(joint, probability, hidden)
        return Scores(
            probability[:, :_N_GRADES],
            probability[:, _N_GRADES : _N_GRADES + _N_CUES],
            probability[:, _N_GRADES + _N_CUES : len(OUTPUTS)],
            hidden,
            self._known(tokens),
            probability[:, len(OUTPUTS) :],
        )

    def _with_own(self, joint: TokenIds, shipped: Floats, hidden: Floats) -> Floats:
        own = np.zeros((len(shipped), len(self.own_names)), np.float32)
        probability = np.concatenate([shipped, own], axis=1)
        for runner, columns in self._heads:
            shown = shipped[:, : _N_GRADES + _N_CUES]
            probability[:, columns] = runner.probability(joint, shown, hidden)
        _let_fall(probability)
        return probability

    def _known(self, tokens: TokenIds) -> Floats:
        hits = np.add.reduceat(self._listed.take(tokens.ids), tokens.starts)
        return np.asarray(hits / np.maximum(tokens.lengths - 1, 1), np.float32)


_COLUMNS: Final = {
    name: OUTPUTS.index(f"{name}>=1" if name in CORE_SIGNALS else name)
    for name in (*SIGNALS, *FINDINGS)
}


def _let_fall(probability: Floats) -> None:
    """Make P(grade >= 1), P(>= 2), P(>= 3) of each core signal fall, in place."""
    graded = probability[:, :_N_GRADES].reshape(len(probability), len(CORE_SIGNALS), MAX_GRADE)
    probability[:, :_N_GRADES] = np.minimum.accumulate(graded, axis=2).reshape(len(graded), -1)


def _breaks(text: str, spans: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Return the tokens that stand first in a line."""
    breaks: set[int] = set()
    token, position = 0, text.find("\n")
    while position >= 0:
        while token < len(spans) and spans[token][0] < position:
            token += 1
        breaks.add(token)
        position = text.find("\n", position + 1)
    return frozenset(breaks)


def _as_evidence(
    text: str, spans: Sequence[tuple[int, int]], ranges: Sequence[tuple[int, int]]
) -> tuple[Evidence, ...]:
    places = sorted((spans[start][0], spans[end - 1][1]) for start, end in ranges)
    return tuple(Evidence(start, end, text[start:end]) for start, end in places)


def _concatenate(parts: Sequence[Scores]) -> Scores:
    def joined(field: str) -> Floats:
        return np.concatenate([getattr(part, field) for part in parts])

    return Scores(*(joined(field) for field in Scores.__slots__))


def _require_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise InvalidRecordError(
            "The texts must be a sequence of str; got one str. Put it in a list.", field="texts"
        )
    if not isinstance(texts, Sequence):
        raise InvalidRecordError(
            f"The texts must be a sequence of str; got {type(texts).__name__}. Put them in a list.",
            field="texts",
        )
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidRecordError(
                f"The texts must be str; number {index} is {type(text).__name__}.", field="texts"
            )

"""What is wrong with a reply of ours, judged in the light of the thread that it answers.

The message model reads the reply and each of its sentences; set phrases and what the thread holds
(what was asked, what was given, what we said before) are put beside it, and one additive model a
finding weighs them. It judges replies, never the person who wrote one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp import timeline
from customer_nlp.actions import VERDICTS, verdict
from customer_nlp.artifacts import ModelFolder, align_rows
from customer_nlp.calibration import sigmoid
from customer_nlp.codebook import FINDINGS
from customer_nlp.errors import ModelFormatError
from customer_nlp.records import Conflict, Evidence, Finding
from customer_nlp.review._features import (
    FEATURES,
    HITS,
    PHRASE_ROWS,
    Context,
    Reply,
    Sentence,
    most_similar,
    phrases,
    renumbered,
    vector,
)
from customer_nlp.review._features import logit as log_odds
from customer_nlp.signals import ScoredMessage, SignalModel

__all__ = [
    "FEATURES",
    "PHRASE_ROWS",
    "Judgement",
    "Observed",
    "Reading",
    "Reply",
    "Reviewer",
    "observe",
    "phrases",
    "read_replies",
]

Floats = npt.NDArray[np.float32]

#: From how like two sentences are, one may be cited for the other.
_LIKE: Final = 0.35


@dataclass(frozen=True, slots=True, repr=False)
class Observed:
    """A reply with the features that it is judged by.

    Parameters
    ----------
    index : int
        Of the reply among the thread's messages.
    reply : Reply
        Its sentences.
    vector : ndarray of shape (len(FEATURES),)
        In the order of `FEATURES`.
    citations : mapping of str to Evidence
        For each finding that can rest on earlier words, those words.
    """

    index: int
    reply: Reply
    vector: Floats
    citations: Mapping[str, Evidence]


@dataclass(frozen=True, slots=True, repr=False)
class Judgement:
    """What is said of one reply.

    Parameters
    ----------
    probability : mapping of str to float
        P(a reader of the codebook names this finding | reply and thread so far), calibrated on
        held-out folds; ``any`` is P(the reply is not clean).
    findings : tuple of Finding
        In the codebook's order: those at or above their thresholds, where ``any`` is at its own.
    row : ndarray of shape (len(VERDICTS),)
        The probabilities again, in the order of `VERDICTS`.
    """

    probability: Mapping[str, float]
    findings: tuple[Finding, ...]
    row: Floats


def observe(model: SignalModel, messages: Sequence[ScoredMessage]) -> list[Observed]:
    """Put every readable reply of ours of a thread beside what was said before it.

    Parameters
    ----------
    model : SignalModel
        Reads the sentences of the replies, all in one pass.
    messages : sequence of ScoredMessage
        One thread in order, scored by the same model.
    """
    reading, replies = Reading(), read_replies(model, messages)
    found = (reading.add(one, reply) for one, reply in zip(messages, replies, strict=True))
    return [one for one in found if one is not None]


def read_replies(model: SignalModel, messages: Sequence[ScoredMessage]) -> list[Reply | None]:
    """Read every readable reply of ours sentence by sentence, ``None`` for other messages.

    All sentences are scored in one pass; what comes out does not depend on the other messages, so
    these may be of any threads.
    """
    replies = [
        Reply.of(one) if one.message.role == "agent" and one.scores is not None else None
        for one in messages
    ]
    known = [one for one in replies if one is not None]
    texts = [said.evidence.text for one in known for said in one.sentences]
    scores, start = model.score(texts).findings, 0
    for one in known:
        end = start + len(one.sentences)
        one.alone = scores[start:end]
        start = end
    return replies


class Reading:
    """A thread as a reviewer reads it: each message is set beside those before.

    Parameters
    ----------
    conflicts : Conflicts, optional
        Where somebody else reads the thread for conflicts, just before each message comes here.

    Notes
    -----
    A message costs its own length, and a look at the last 60 sentences of either side.
    """

    def __init__(self, conflicts: timeline.Conflicts | None = None) -> None:
        self._context = Context()
        self._conflicts = timeline.Conflicts() if conflicts is None else conflicts
        self._follows = conflicts is not None
        self._known = self._count = 0

    def add(self, scored: ScoredMessage, reply: Reply | None = None) -> Observed | None:
        """Read the next message; a `reply` of ours that was read comes back beside the thread."""
        message = scored.message
        if not self._follows:
            self._conflicts.add(message)
        if self._context.channel is None and message.public:
            self._context.channel = message.channel
        clashes = self._conflicts.found[self._known :]
        self._known += len(clashes)
        index, observed = self._count, None
        self._count += 1
        if reply is not None:
            row = vector(reply, self._context, clashes)
            cited = dict(_citations(reply, self._context, clashes))
            observed = Observed(index, reply, row, cited)
        self._context.add(scored, reply)
        return observed


def _citations(
    reply: Reply, context: Context, clashes: Sequence[Conflict]
) -> Iterator[tuple[str, Evidence]]:
    """Yield for findings the earlier words that they can rest on."""
    again = _given_before(reply, context)
    if again is not None:
        yield "asks_again", again
    against = clashes[0].first if clashes else _unlike(reply, context)
    if against is not None:
        yield "contradicts", against
    if context.questions:
        question = context.questions[0].evidence
        yield from ((name, question) for name in ("dismissive", "canned", "wrong_answer"))


def _given_before(reply: Reply, context: Context) -> Evidence | None:
    for earlier in (context.given, context.wanted):
        for name, _ in reply.asked:
            if name in earlier:
                return earlier[name]
    found = [most_similar(one, context.customer) for _, one in reply.asked]
    share, other = max(found, key=lambda one: one[0], default=(0.0, None))
    return other.evidence if other is not None and share >= _LIKE else None


def _unlike(reply: Reply, context: Context) -> Evidence | None:
    """Return the earlier sentence that is most like one of the reply and differs in its sense."""
    best: tuple[float, Sentence | None] = (_LIKE, None)
    for group in (context.ours, context.customer):
        for one in reply.sentences:
            share, other = most_similar(one, group)
            differs = other is not None and (one.denied != other.denied or renumbered(one, other))
            if differs and share > best[0]:
                best = (share, other)
        if best[1] is not None:
            break
    return None if best[1] is None else best[1].evidence


class Reviewer:
    """Judges replies; loaded from a verified model folder.

    Parameters
    ----------
    folder : ModelFolder
        Holds ``review.safetensors`` and ``review.json``.

    Raises
    ------
    ModelFormatError
        When the parts do not fit this version's features.
    """

    def __init__(self, folder: ModelFolder) -> None:
        settings = folder.json("review.json")
        if settings.get("verdicts") != list(VERDICTS):
            raise ModelFormatError("The review model gives other verdicts than this codebook's.")
        #: Folders of format 1 hold P(finding), later ones P(finding | any).
        self._given_any = settings.get("given") == "any"
        arrays = folder.arrays("review.safetensors")
        try:
            self._weights = align_rows(arrays["weights"], settings["features"], FEATURES)
            self._phrases = arrays["phrases"].astype(np.float32)
            self._bias = arrays["bias"].astype(np.float32)
            self._threshold = np.array(settings["threshold"], np.float32)
        except KeyError as error:
            raise ModelFormatError(f"The review model lacks {error.args[0]!r}.") from error
        n = len(VERDICTS)
        shapes = (self._weights.shape, self._phrases.shape, self._bias.shape, self._threshold.shape)
        if shapes != ((len(FEATURES), n), (PHRASE_ROWS, n), (n,), (n,)):
            raise ModelFormatError("The arrays of the review model do not fit together.")
        first = FEATURES.index(f"holds.{HITS[0]}")
        self._of_hits = self._weights[first : first + len(HITS)]
        self._of_sentence = np.diagonal(self._weights[-len(FINDINGS) :])

    @classmethod
    def of(cls, folder: ModelFolder) -> Reviewer | None:
        """Return the reviewer of a folder, or ``None`` for an older folder without one."""
        return cls(folder) if "review.json" in folder.files else None

    def judge(self, one: Observed) -> Judgement:
        """Judge a reply beside the thread that it answers. Cost: its sentences."""
        # sums along one axis: the order of additions is fixed (see `actions`)
        score = (one.vector[:, None] * self._weights).sum(axis=0) + self._bias
        words = phrases(one.reply.scored.text)
        score += self._phrases[words].sum(axis=0) / max(len(words), 1) ** 0.5
        p = sigmoid(score)
        if self._given_any:
            p[:-1] *= p[-1]
        passed = (p >= self._threshold).tolist()
        findings = (self._finding(one, i) for i in range(len(FINDINGS)) if passed[i])
        shown = tuple(findings) if passed[-1] else ()
        return Judgement(dict(zip(VERDICTS, p.tolist(), strict=True)), shown, p)

    def _finding(self, one: Observed, column: int) -> Finding:
        """Point at the sentence of the reply that adds most to a finding."""
        name = FINDINGS[column]
        shares = (one.reply.hits * self._of_hits[:, column]).sum(axis=1)
        shares = shares + log_odds(one.reply.alone[:, column]) * max(
            self._of_sentence[column], 0.05
        )
        words = one.reply.sentences[int(np.argmax(shares))].evidence
        cites = (one.citations[name],) if name in one.citations else ()
        return Finding(name, words.start, words.end, *verdict(name), cites)

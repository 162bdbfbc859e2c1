"""`Analyzer`: what nine users in ten touch. Threads in, analyses out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp import actions, timeline
from customer_nlp.accounts import Account, Contact, OutreachCheck, check
from customer_nlp.artifacts import ModelFolder, model_path, open_model
from customer_nlp.codebook import CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE
from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import (
    ActionAdvice,
    Analysis,
    Evidence,
    Finding,
    Message,
    MessageAnalysis,
    Recommendation,
    Review,
    Signal,
    Thread,
)
from customer_nlp.signals import (
    ScoredMessage,
    SignalModel,
    SignalTable,
    score_messages,
)
from customer_nlp.text import segment

__all__ = ["Analyzer", "as_thread", "load"]

ThreadLike = Thread | Message | str | Sequence[Message | Mapping[str, Any]]

#: Threads scored in one go by `analyze_many`; results do not depend on it.
_THREADS_AT_ONCE: Final = 64
MAX_REASONS: Final = 3


def load(model: str | Path | None = None) -> Analyzer:
    """Load an analyzer.

    Parameters
    ----------
    model : str or Path, optional
        Name of a shipped model (``"en"``, the default) or a model folder.

    Returns
    -------
    Analyzer
        Cost: a fraction of a second; no network, nothing is unpickled.

    Raises
    ------
    ModelFormatError, UntrustedModelError
        When the folder is no model, or fails verification.
    """
    return Analyzer(open_model(model_path(model)))


def as_thread(source: ThreadLike, *, identifier: str = "thread") -> Thread:
    """Make a `Thread` of whatever is taken for one, with zones for every message.

    Parameters
    ----------
    source : Thread, str, or sequence of Message or mapping
        A str is one customer message.
    identifier : str, default='thread'
        Id of the thread where the source has none.

    Raises
    ------
    InvalidRecordError
        For anything else, naming what is missing.
    """
    if isinstance(source, Thread):
        thread = source
    elif isinstance(source, str):
        thread = Thread(identifier, (Message("customer", source),))
    elif isinstance(source, Message):
        thread = Thread(identifier, (source,))
    elif isinstance(source, Mapping):
        thread = Thread.from_dict(source)
    elif isinstance(source, Sequence):
        thread = Thread.from_dict({"id": identifier, "messages": list(source)})
    else:
        raise InvalidRecordError(
            "A thread must be a Thread, a str, or a list of Message or dict with 'role' and "
            f"'text'; got {type(source).__name__}.",
            field="thread",
        )
    if thread.channel is None and len({message.channel for message in thread.messages}) == 1:
        thread = thread.replace(channel=thread.messages[0].channel)
    if all(message.zones or not message.text for message in thread.messages):
        return thread
    return thread.replace(messages=tuple(_zoned(message) for message in thread.messages))


def _zoned(message: Message) -> Message:
    return message if message.zones else message.replace(zones=segment(message.text))


class Analyzer:
    """Reads threads and says what to do next.

    Parameters
    ----------
    folder : ModelFolder
        A verified model; `load` gives one.

    Notes
    -----
    Immutable after construction; may be shared between threads.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self.model = f"{folder.name}-{folder.version}"
        self._signals = SignalModel(folder)
        self._recommender = actions.Recommender(folder)

    def signals(self, texts: Sequence[str]) -> SignalTable:
        """Score texts as customer messages.

        Parameters
        ----------
        texts : sequence of str
            One message each, scored as it stands.

        Returns
        -------
        SignalTable
            Probabilities of shape (n, 20), with further columns for signals of the user's own;
            grades of shape (n, 3). A batch of n equals n singles bit for bit. Cost: microseconds a
            message, linear in the characters.

        Raises
        ------
        InvalidRecordError
            When `texts` is one str, or holds anything but str.
        """
        return self._signals.table(texts)

    def analyze(self, thread: ThreadLike, *, now: datetime | None = None) -> Analysis:
        """Say what a thread shows and what to do next.

        Parameters
        ----------
        thread : Thread, str, or list of Message or dict
            Wherever a thread goes in, one customer message as a str does too.
        now : datetime, optional
            Aware; the time at which the question is asked. Promises and silence are judged by
            it; without it, by the last message.

        Returns
        -------
        Analysis
            ``to_dict()`` gives the record that the shell writes.

        Raises
        ------
        InvalidRecordError
            When `thread` is nothing that can be taken for one.
        """
        return next(self.analyze_many([thread], now=now))

    def analyze_many(
        self,
        threads: Iterable[ThreadLike],
        *,
        now: datetime | None = None,
        every_turn: bool = False,
    ) -> Iterator[Analysis]:
        """Analyze threads one after the other, lazily.

        Parameters
        ----------
        threads : iterable
            What `analyze` takes.
        now : datetime, optional
            As for `analyze`.
        every_turn : bool, default=False
            Yield one analysis after each customer message instead of one a thread.

        Yields
        ------
        Analysis
            In the order of the threads. Memory: a few dozen threads.
        """
        if now is not None and not (isinstance(now, datetime) and now.tzinfo):
            raise InvalidRecordError(
                "The now must be an aware datetime; got a naive one or another type.", field="now"
            )
        if isinstance(threads, str | Thread) or not isinstance(threads, Iterable):
            raise InvalidRecordError(
                "The threads must be an iterable of threads; got one "
                f"{type(threads).__name__}. Use analyze() for one thread.",
                field="threads",
            )
        iterator = iter(threads)
        while batch := [as_thread(one) for one in islice(iterator, _THREADS_AT_ONCE)]:
            yield from self._analyze_batch(batch, now, every_turn=every_turn)

    def _analyze_batch(
        self, threads: Sequence[Thread], now: datetime | None, *, every_turn: bool
    ) -> Iterator[Analysis]:
        messages = [message for thread in threads for message in thread.messages]
        alone = score_messages(self._signals, messages)
        steps: list[_Step] = []
        start = 0
        for thread in threads:
            steps += self._walk(thread, alone[start : start + len(thread)])
            start += len(thread)
        shown = self._shown(steps)
        start = 0
        for thread in threads:
            end = start + len(thread)
            work = _ThreadWork(self, thread, steps[start:end], shown[start:end], now)
            yield from work.analyses(every_turn=every_turn)
            start = end

    def _walk(self, thread: Thread, scored: Sequence[ScoredMessage]) -> Iterator[_Step]:
        """Go once through a thread and judge each customer turn in the light of those before."""
        features = actions.ThreadFeatures(channel=thread.channel)
        vector = None
        for one in scored:
            actions.observe(features, one)
            in_context = False
            if one.message.role == "customer" and one.scores is not None:
                vector = features.vector()
                if features.answered:
                    graded, cues, grades = self._recommender.in_context(vector)
                    scores = dataclasses.replace(one.scores, graded=graded[None], cues=cues[None])
                    one = dataclasses.replace(one, scores=scores, grades=grades)
                    in_context = True
            yield _Step(
                one,
                in_context,
                vector,
                tuple(features.facts()),
                features.decision_maker_joined,
            )

    def _shown(self, steps: Sequence[_Step]) -> list[_Shown]:
        """Say what each message shows, with the words, for many messages in one pass."""
        scored = [step.scored for step in steps]
        names = [self._names(step) for step in steps]
        asked = [i for i, wanted in enumerate(names) if wanted]
        found = self._signals.evidence(
            [scored[i].text for i in asked],
            [scores for i in asked if (scores := scored[i].scores) is not None],
            [names[i] for i in asked],
        )
        words: list[dict[str, tuple[Evidence, ...]]] = [{} for _ in scored]
        for i, spans in zip(asked, found, strict=True):
            words[i] = {name: scored[i].relocated(of_name) for name, of_name in spans.items()}
        return [
            _Shown(_message_analysis(one, wanted, said, self._own(one)), said)
            for one, wanted, said in zip(scored, names, words, strict=True)
        ]

    def _names(self, step: _Step) -> list[str]:
        """Return the core signals, cues or findings at or above their thresholds."""
        scored = step.scored
        if scored.scores is None:
            return []
        if scored.message.role == "agent":
            return _above(FINDINGS, scored.scores.findings, self._signals.finding_thresholds)
        if scored.message.role != "customer":
            return []
        graded = [n for n, grade in zip(CORE_SIGNALS, scored.grades, strict=True) if grade]
        model = self._recommender if step.in_context else self._signals
        return graded + _above(CUES, scored.scores.cues, model.cue_thresholds)

    def _own(self, scored: ScoredMessage) -> dict[str, float]:
        """Return the user's own signals that a customer's message shows."""
        if scored.scores is None or scored.message.role != "customer":
            return {}
        shown = zip(self._signals.own_names, scored.scores.own[0].tolist(), strict=True)
        return {name: p for name, p in shown if p >= self._signals.own_thresholds[name]}

    def review(self, draft: str, thread: ThreadLike | None = None) -> Review:
        """Check a reply before it is sent.

        Parameters
        ----------
        draft : str
            The reply.
        thread : Thread, str, or list of Message or dict, optional
            What it answers.

        Returns
        -------
        Review
            ``findings`` with the range of the draft that each rests on; empty when clean. It
            judges the reply, never the person who wrote it.

        Raises
        ------
        InvalidRecordError
            When `draft` is no str, or `thread` nothing that can be taken for one.
        """
        if thread is not None:
            as_thread(thread)
        reply = as_thread(Message("agent", draft), identifier="draft")
        scored = score_messages(self._signals, reply.messages)
        [shown] = self._shown(list(self._walk(reply, scored)))
        return Review(shown.analysis.findings)

    def check_outreach(
        self, planned: Contact | Mapping[str, Any], account: Account | Mapping[str, Any]
    ) -> OutreachCheck:
        """Say whether a planned sales, renewal, survey or follow-up contact should be made.

        Parameters
        ----------
        planned : Contact or mapping
            ``kind, channel, at, about`` and, when known, ``about_at``.
        account : Account or mapping
            What is known of the customer.

        Returns
        -------
        OutreachCheck
            ``decision`` is ``go``, ``hold`` or ``correct_record``, with reasons.

        Raises
        ------
        InvalidRecordError
            For a date or a fact that is none.
        """
        for name, value, kind in (("planned", planned, Contact), ("account", account, Account)):
            if not isinstance(value, kind | Mapping):
                raise InvalidRecordError(
                    f"The {name} must be a {kind.__name__} or a mapping; "
                    f"got {type(value).__name__}.",
                    field=name,
                )
        return check(
            planned if isinstance(planned, Contact) else Contact.from_dict(planned),
            account if isinstance(account, Account) else Account.from_dict(account),
        )

    def cue_threshold(self, cue: str) -> float:
        """Return the probability from which a cue is judged present."""
        return float(self._signals.cue_thresholds[cue])

    def advise(self, step: _Step, *, offer_made: bool) -> actions.Advice:
        """Score the actions after a customer turn."""
        if step.vector is None:
            raise InvalidRecordError("There is no customer turn to advise on.", field="thread")
        return self._recommender.advise(step.vector, offer_made=offer_made)

    def __repr__(self) -> str:
        return f"Analyzer(model={self.model!r})"


@dataclass(frozen=True, slots=True)
class _Step:
    """One message in its place in the thread.

    ``vector`` holds the features after the last readable customer turn, ``facts`` what is true of
    the thread so far.
    """

    scored: ScoredMessage
    in_context: bool
    vector: npt.NDArray[np.float32] | None
    facts: tuple[str, ...]
    decision_maker_joined: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one message shows, and the words behind each signal, cue or finding."""

    analysis: MessageAnalysis
    words: Mapping[str, tuple[Evidence, ...]]


def _above(names: Sequence[str], probability: Any, thresholds: Mapping[str, float]) -> list[str]:
    values = probability[0].tolist()
    return [name for name, p in zip(names, values, strict=True) if p >= thresholds[name]]


def _message_analysis(
    scored: ScoredMessage,
    names: Sequence[str],
    words: Mapping[str, tuple[Evidence, ...]],
    own: Mapping[str, float],
) -> MessageAnalysis:
    message, scores = scored.message, scored.scores
    signals: tuple[Signal, ...] = ()
    cues: dict[str, float] = {}
    findings: tuple[Finding, ...] = ()
    if scores is not None and message.role == "customer":
        graded, shown = scores.graded[0].tolist(), scores.cues[0].tolist()
        cues = {name: shown[CUES.index(name)] for name in names if name in CUES} | dict(own)
        signals = tuple(
            Signal(name, graded[MAX_GRADE * i], grade, words.get(name, ()))
            for i, (name, grade) in enumerate(zip(CORE_SIGNALS, scored.grades, strict=True))
        )
    elif scores is not None and message.role == "agent":
        findings = tuple(
            Finding(name, words[name][0].start, words[name][0].end, *actions.verdict(name))
            for name in names
            if words[name]
        )
    return MessageAnalysis(
        message.id,
        message.role,
        message.sent_at,
        scored.language,
        signals,
        cues,
        findings,
        message.automatic,
    )


class _ThreadWork:
    """Walks once through a thread, turn by turn, and makes analyses on the way."""

    def __init__(
        self,
        analyzer: Analyzer,
        thread: Thread,
        steps: Sequence[_Step],
        shown: Sequence[_Shown],
        now: datetime | None,
    ) -> None:
        self._analyzer = analyzer
        self._thread = thread
        self._steps = steps
        self._scored = [step.scored for step in steps]
        self._shown = shown
        self._done = [one.analysis for one in shown]
        self._now = now
        self._faulty = [
            float(one.scores.findings.max())
            if one.message.role == "agent" and one.scores is not None
            else 0.0
            for one in self._scored
        ]

    def analyses(self, *, every_turn: bool) -> Iterator[Analysis]:
        last = len(self._scored) - 1
        for index, scored in enumerate(self._scored):
            spoken = scored.message.role == "customer" and scored.abstained is None
            if index == last or (every_turn and spoken):
                if index == last and every_turn and not spoken and self._said_anything(last):
                    continue
                yield self._analysis(index)

    def _said_anything(self, before: int) -> bool:
        return any(
            one.message.role == "customer" and one.abstained is None
            for one in self._scored[:before]
        )

    def _analysis(self, last: int) -> Analysis:
        thread = self._thread if last == len(self._thread) - 1 else self._thread.upto(last + 1)
        turning = timeline.turning_point(
            thread.messages,
            [
                one.grades[1] if one.message.role == "customer" else 0
                for one in self._scored[: last + 1]
            ],
            faulty=self._faulty[: last + 1],
        )
        return Analysis(
            thread.id,
            thread.messages[-1].id,
            self._analyzer.model,
            self._recommendation(last),
            tuple(self._done[: last + 1]),
            timeline.commitments(thread.messages, self._now),
            timeline.thread_state(
                thread,
                now=self._now,
                turning=turning,
                decision_maker_joined=self._steps[last].decision_maker_joined,
            ),
        )

    def _recommendation(self, last: int) -> Recommendation:
        customers = [i for i in range(last + 1) if self._scored[i].message.role == "customer"]
        readable = [i for i in customers if self._scored[i].abstained is None]
        if not readable or (customers[-1] != readable[-1] and self._unreadable(customers[-1])):
            reason = self._scored[customers[-1]].abstained if customers else "automatic"
            return Recommendation(None, "none", "normal", abstained=reason)
        at = readable[-1]
        advice = self._analyzer.advise(self._steps[last], offer_made=self._offer_made(last))
        live = self._live(at, last)
        return Recommendation(
            advice.primary,
            advice.channel,
            advice.timing,
            tuple(self._action(name, advice, live) for name in advice.chosen),
            tuple(self._avoid(advice.chosen, readable)),
        )

    def _unreadable(self, index: int) -> bool:
        return self._scored[index].abstained in {"language", "out_of_domain"}

    def _offer_made(self, last: int) -> bool:
        pushed = {"upsell_pushback", "stale_outreach"}
        return any(
            pushed & one.cues.keys() or any(f.name == "premature_upsell" for f in one.findings)
            for one in self._done[: last + 1]
        )

    def _avoid(self, chosen: Sequence[str], readable: Sequence[int]) -> Iterator[str]:
        cues = {name: p for i in readable for name, p in self._done[i].cues.items()}
        grades = {
            name: max(self._scored[i].grades[k] for i in readable)
            for k, name in enumerate(CORE_SIGNALS)
        }
        return actions.findings_to_avoid(chosen, cues, grades)

    def _action(
        self, name: str, advice: actions.Advice, live: Mapping[str, tuple[int, str]]
    ) -> ActionAdvice:
        because: list[str] = []
        evidence: list[Evidence] = []
        for concept, contribution in advice.concepts[name]:
            if contribution <= 0 or len(because) == MAX_REASONS:
                break
            if concept in live:
                because.append(actions.reason(concept))
                evidence.extend(e for e in self._words(*live[concept]) if e not in evidence)
        if not because:
            because.append(_FALLBACK_REASONS.get(name, _FALLBACK))
        return ActionAdvice(name, advice.probability[name], tuple(because), tuple(evidence))

    def _live(self, at: int, last: int) -> dict[str, tuple[int, str]]:
        """Return the concepts that are true of the thread, with the message and signal behind."""
        live: dict[str, tuple[int, str]] = {}
        replied = False
        for index in range(last, -1, -1):
            role = self._done[index].role
            if role == "agent":
                kind = "replies" if replied else "reply"
                replied = True
            elif role == "customer" and index <= at:
                kind = "now" if index == at else "before"
            else:
                continue
            for name in self._shown[index].words:
                live.setdefault(f"{kind}.{name}", (index, name))
        for concept, name in actions.REPEATED.items():
            told = "now.repeat_contact" in live or f"before.{name}" in live
            if told and f"now.{name}" in live:
                live[concept] = live[f"now.{name}"]
        for concept, name in actions.FROM_NOW.items():
            if f"now.{name}" in live:
                live[concept] = live[f"now.{name}"]
        live.update(dict.fromkeys(self._steps[last].facts, (-1, "")))
        return live

    def _words(self, index: int, name: str) -> tuple[Evidence, ...]:
        if index < 0:
            return ()
        found = self._shown[index]
        return tuple(
            Evidence(e.start, e.end, e.text, found.analysis.id) for e in found.words.get(name, ())
        )


_FALLBACK: Final = "the wording of the last message as a whole"
_FALLBACK_REASONS: Final[Mapping[str, str]] = {
    "reply": "nothing here needs more than an ordinary answer",
    "close": "nothing more is asked for",
}

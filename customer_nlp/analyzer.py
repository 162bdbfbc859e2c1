"""`Analyzer`: what nine users in ten touch. Threads in, analyses out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp import actions, timeline
from customer_nlp.artifacts import ModelFolder, model_path, open_model
from customer_nlp.codebook import CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE
from customer_nlp.errors import InvalidRecordError
from customer_nlp.policy import Policy
from customer_nlp.records import (
    EVENT_KINDS,
    ActionAdvice,
    Analysis,
    Commitment,
    Conflict,
    Event,
    Evidence,
    Finding,
    Message,
    MessageAnalysis,
    Recommendation,
    Review,
    Signal,
    Thread,
    ThreadState,
    TurnGrades,
    Unanswered,
    utc,
)
from customer_nlp.review import Judgement, Observed, Reading, Reply, Reviewer, read_replies
from customer_nlp.signals import (
    ScoredMessage,
    SignalModel,
    SignalTable,
    score_messages,
)
from customer_nlp.text import segment

if TYPE_CHECKING:
    from customer_nlp.accounts import Account, Contact, OutreachCheck
    from customer_nlp.readers import OnError

__all__ = ["Analyzer", "as_thread", "load"]

_Words = dict[str, tuple[Evidence, ...]]
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
    if message.zones:
        return message
    return message.replace(zones=segment(message.text, subject=message.subject))


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
        self._reviewer = Reviewer.of(folder)

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

    def score_frame(
        self,
        frame: Any,
        *,
        text: str | None = None,
        thread: str | None = None,
        now: datetime | None = None,
        holidays: str | None = None,
        own_domains: Iterable[str] = (),
        on_error: OnError = "raise",
        prefix: str = "",
        **columns: str,
    ) -> Any:
        """Score a data frame: each row, or each thread.

        Parameters
        ----------
        frame : pandas.DataFrame, polars.DataFrame or any Arrow table
            Anything with ``__arrow_c_stream__`` counts; it comes back as a pyarrow.Table.
        text : str, optional
            Column of the texts; found by its name, such as ``body``, when missing.
        thread : str, optional
            Column of thread ids. Without it each row is one customer message by itself.
        now, holidays
            As for `analyze`; they count where threads are asked for.
        own_domains, on_error
            As for `customer_nlp.read`. A row that holds no text or no thread id is an error
            where threads are asked for.
        prefix : str, default=''
            Before the names of all new columns.
        **columns : str
            With `thread`: ``role="author", sent_at="created"`` and so on for the fields that
            `customer_nlp.read` finds in tables; those not named are found by their names.

        Returns
        -------
        frame of the same kind
            Without `thread` the same rows with `frames.SIGNAL_COLUMNS` added, as `signals` gives
            them; missing where there is no text. With `thread` a row a thread, in order of first
            appearance, with `frames.THREAD_COLUMNS`: the columns of the CSV file. Cost: linear;
            the columns that were there are not copied.

        Raises
        ------
        InvalidRecordError
            For another kind of frame, a column that is not there, or one that is in the way.
        ParseError
            For a row that cannot be read, unless `on_error` says otherwise.
        """
        from customer_nlp import frames  # the readers come with it

        return frames.score(
            self,
            frame,
            text=text,
            thread=thread,
            now=now,
            holidays=holidays,
            own_domains=own_domains,
            on_error=on_error,
            prefix=prefix,
            **columns,
        )

    def analyze(
        self,
        thread: ThreadLike,
        *,
        now: datetime | None = None,
        lead_hours: float = timeline.LEAD_HOURS,
        notify_hours: Mapping[str, float] | None = None,
        holidays: str | None = None,
        policy: Policy | None = None,
    ) -> Analysis:
        """Say what a thread shows and what to do next.

        Parameters
        ----------
        thread : Thread, str, or list of Message or dict
            Wherever a thread goes in, one customer message as a str does too.
        now : datetime, optional
            Aware; the time at which the question is asked. Promises and silence are judged by
            it; without it, by the last message.
        lead_hours : float, default=24.0
            How long before a promise of ours falls due an update is asked for; needs `now`.
        notify_hours : mapping of str to float, optional
            Event kind to the hours within which the customer should hear of it, beside those of
            `timeline.NOTIFY_HOURS`.
        holidays : str, optional
            Country whose public holidays are no working days, such as ``"GB"``: for promises "in 3
            working days" and for business hours. Needs the extra ``[holidays]``.
        policy : Policy, optional
            A company's own rules: thresholds by cost, actions off, quiet hours (those need `now`).
            The calls of a day are shared out by `Policy.ration`.

        Returns
        -------
        Analysis
            ``to_dict()`` gives the record that the shell writes.

        Raises
        ------
        InvalidRecordError
            When `thread` is nothing that can be taken for one, or a setting is not as said.
        MissingExtraError
            When `holidays` is given without the library of that name.
        """
        question = _question(now, lead_hours, notify_hours, policy, holidays)
        return next(self._analyze_batch([as_thread(thread)], question, every_turn=False))

    def analyze_many(
        self,
        threads: Iterable[ThreadLike],
        *,
        now: datetime | None = None,
        every_turn: bool = False,
        lead_hours: float = timeline.LEAD_HOURS,
        notify_hours: Mapping[str, float] | None = None,
        holidays: str | None = None,
        policy: Policy | None = None,
    ) -> Iterator[Analysis]:
        """Analyze threads one after the other, lazily.

        Parameters
        ----------
        threads : iterable
            What `analyze` takes.
        now, lead_hours, notify_hours, holidays, policy
            As for `analyze`.
        every_turn : bool, default=False
            Yield one analysis after each customer message instead of one a thread.

        Yields
        ------
        Analysis
            In the order of the threads. Memory: a few dozen threads.
        """
        question = _question(now, lead_hours, notify_hours, policy, holidays)
        if isinstance(threads, str | Thread) or not isinstance(threads, Iterable):
            raise InvalidRecordError(
                "The threads must be an iterable of threads; got one "
                f"{type(threads).__name__}. Use analyze() for one thread.",
                field="threads",
            )
        iterator = iter(threads)
        while batch := [as_thread(one) for one in islice(iterator, _THREADS_AT_ONCE)]:
            yield from self._analyze_batch(batch, question, every_turn=every_turn)

    def follow(self, thread: ThreadLike, *, holidays: str | None = None) -> Follow:
        """Keep a thread at hand to which messages are added as they come.

        Parameters
        ----------
        thread : Thread, str, or list of Message or dict
            As for `analyze`.
        holidays : str, optional
            As for `analyze`.

        Returns
        -------
        Follow
            ``add(message)`` gives the analysis of the thread with it.
        """
        channel = thread.channel if isinstance(thread, Thread) else None
        start = partial(self._walk, closed=timeline.public_holidays(holidays))
        return Follow(self, as_thread(thread), channel, start, self._steps)

    def _analyze_batch(
        self, threads: Sequence[Thread], question: _Question, *, every_turn: bool
    ) -> Iterator[Analysis]:
        messages = [message for thread in threads for message in thread.messages]
        alone = score_messages(self._signals, messages)
        ends = accumulate(len(thread) for thread in threads)
        replies = self._replies(alone)
        steps: list[_Step] = []
        for thread, end in zip(threads, ends, strict=True):
            scored, walk = alone[end - len(thread) : end], self._walk(thread, question.closed)
            asked = _asked(scored, every_turn=every_turn)
            steps += [
                walk.step(one, reply, question if index in asked else None)
                for index, (one, reply) in enumerate(
                    zip(scored, replies[end - len(thread) : end], strict=True)
                )
            ]
        shown = iter(self._shown(steps))
        told = iter(steps)
        for thread in threads:
            story = _Story(self, thread.id)
            for step in islice(told, len(thread)):
                story.add(step, next(shown))
                if step.view is not None:
                    yield story.analysis(step.view)

    def _steps(self, walk: _Walk, messages: Sequence[Message]) -> Iterator[tuple[_Step, _Shown]]:
        """Score messages and go on with them; what was seen before is not looked at again."""
        scored = score_messages(self._signals, messages)
        replies = self._replies(scored)
        steps = [walk.step(one, reply, None) for one, reply in zip(scored, replies, strict=True)]
        return zip(steps, self._shown(steps), strict=True)

    def _walk(self, thread: Thread, closed: Container[date] = ()) -> _Walk:
        """Start going through a thread."""
        return _Walk(self._recommender, self._reviewer, thread, closed)

    def _replies(self, scored: Sequence[ScoredMessage]) -> Sequence[Reply | None]:
        """Read our replies for review, all in one pass; old folders review nothing."""
        if self._reviewer is None:
            return [None] * len(scored)
        return read_replies(self._signals, scored)

    def _shown(self, steps: Sequence[_Step]) -> list[_Shown]:
        """Say what each message shows, with the words, for many messages in one pass."""
        scored = [step.scored for step in steps]
        names = [[] if step.judged else self._names(step) for step in steps]
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
            _Shown(_message_analysis(step.scored, wanted, said, self._own(step.scored)), said)
            if step.judged is None
            else _reply(step.scored, step.judged)
            for step, wanted, said in zip(steps, names, words, strict=True)
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
        before = () if thread is None else as_thread(thread).messages
        [reply] = as_thread(Message("agent", draft)).messages
        whole = Thread("review", (*before, reply.replace(id="")))
        scored = score_messages(self._signals, whole.messages)
        reading = Reading()
        for one in scored[:-1]:
            reading.add(one)
        [said] = self._replies(scored[-1:])
        judged = _judged(self._reviewer, reading.add(scored[-1], said))
        step = _Step(scored[-1], judged, in_context=False, calls=False, view=None)
        [shown] = self._shown([step])
        return Review(shown.analysis.findings, draft)

    def check_outreach(
        self,
        planned: Contact | Mapping[str, Any],
        account: Account | Mapping[str, Any],
        *,
        holidays: str | None = None,
    ) -> OutreachCheck:
        """Say whether a planned sales, renewal, survey or follow-up contact should be made.

        Parameters
        ----------
        planned : Contact or mapping
            ``kind, channel, at, about`` and, when known, ``about_at``.
        account : Account or mapping
            What is known of the customer.
        holidays : str, optional
            Country on whose public holidays nobody is called, as for `analyze`.

        Returns
        -------
        OutreachCheck
            ``decision`` is ``go``, ``hold`` or ``correct_record``, with reasons.

        Raises
        ------
        InvalidRecordError
            For a date or a fact that is none.
        """
        from customer_nlp.accounts import Account, Contact, check

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
            closed=timeline.public_holidays(holidays),
        )

    def cue_threshold(self, cue: str) -> float:
        """Return the probability from which a cue is judged present."""
        return float(self._signals.cue_thresholds[cue])

    def advise(
        self,
        vector: npt.NDArray[np.float32] | None,
        *,
        offer_made: bool,
        policy: Policy | None = None,
    ) -> actions.Advice:
        """Score the actions after a customer turn."""
        if vector is None:
            raise InvalidRecordError("There is no customer turn to advise on.", field="thread")
        return self._recommender.advise(vector, offer_made=offer_made, policy=policy)

    def __repr__(self) -> str:
        return f"Analyzer(model={self.model!r})"


@dataclass(frozen=True, slots=True)
class _Question:
    """When a thread is asked about, and how early and how late word is due."""

    now: datetime | None
    lead_hours: float
    notify_hours: Mapping[str, float]
    policy: Policy | None
    closed: Container[date] = ()


def _question(
    now: datetime | None,
    lead_hours: float,
    notify_hours: Mapping[str, float] | None,
    policy: Policy | None,
    holidays: str | None = None,
) -> _Question:
    now = None if now is None else utc("now", now)
    if not isinstance(notify_hours, Mapping | None):
        raise InvalidRecordError(
            "The notify_hours must be a mapping of event kind to hours; "
            f"got {type(notify_hours).__name__}.",
            field="notify_hours",
        )
    given = dict(notify_hours or {})
    if not set(given) <= set(EVENT_KINDS):
        raise InvalidRecordError(
            f"The notify_hours go by event kind, one of {{{', '.join(EVENT_KINDS)}}}; got another.",
            field="notify_hours",
        )
    for name, hours in (("lead_hours", lead_hours), *given.items()):
        if not (isinstance(hours, int | float) and 0 <= hours < _MOST_HOURS):
            raise InvalidRecordError(
                f"The {name} must be hours, from 0 to less than {_MOST_HOURS}; got {hours!r}.",
                field=name,
            )
    if policy is not None and not isinstance(policy, Policy):
        raise InvalidRecordError(
            f"The policy must be a Policy; got {type(policy).__name__}. "
            "Policy.from_file reads one.",
            field="policy",
        )
    closed = timeline.public_holidays(holidays)
    return _Question(now, lead_hours, {**timeline.NOTIFY_HOURS, **given}, policy, closed)


#: Ten years: more is no lead.
_MOST_HOURS: Final = 87_600


@dataclass(frozen=True, slots=True)
class _View:
    """What is true of a thread at one place, asked at one time.

    ``vector`` holds the features after the last readable customer turn, ``concepts`` what rests
    on no words; ``due``, ``let_down`` and ``untold`` are what the rules of the codebook act on.
    """

    vector: npt.NDArray[np.float32] | None
    concepts: tuple[str, ...]
    commitments: tuple[Commitment, ...]
    conflicts: tuple[Conflict, ...]
    unanswered: tuple[Unanswered, ...]
    state: ThreadState
    due: Sequence[Commitment]
    let_down: Sequence[Commitment]
    untold: Sequence[Event]
    no_calls: bool
    reported: tuple[int, Evidence | None]
    question: _Question


class _Walk:
    """Goes through a thread message by message; each costs the same however long the thread is."""

    def __init__(
        self,
        recommender: actions.Recommender,
        reviewer: Reviewer | None,
        thread: Thread,
        closed: Container[date],
    ) -> None:
        self._recommender = recommender
        self._reviewer = reviewer
        self._features = actions.ThreadFeatures(thread.channel, timeline.Timeline(closed))
        self._events = thread.events
        self._vector: npt.NDArray[np.float32] | None = None
        self._reading = Reading(self._features.timeline.conflicts)

    def step(self, one: ScoredMessage, reply: Reply | None, question: _Question | None) -> _Step:
        """Judge the next message in the light of those before; with a question, of the thread."""
        features = self._features
        features.timeline.add(one.message)
        # what was said counts as it is alone, which is how a reply of ours is set beside it
        judged = _judged(self._reviewer, self._reading.add(one, reply))
        actions.observe(features, one, None if judged is None else judged.row)
        in_context, calls = False, False
        if one.message.role == "customer" and one.scores is not None:
            self._vector = self._recommender.leaning.told(features.vector())
            if features.answered:
                graded, cues, grades = self._recommender.in_context(self._vector)
                scores = dataclasses.replace(one.scores, graded=graded[None], cues=cues[None])
                one = dataclasses.replace(one, scores=scores, grades=grades)
                in_context = True
            calls = self._recommender.calls(self._vector) or (
                one.grades[_FRUSTRATION] > 0 and features.timeline.commitments.just_broken() > 0
            )
            calls = calls and not features.timeline.no_calls
        return _Step(
            one, judged, in_context, calls, None if question is None else self.view(question)
        )

    def view(self, question: _Question) -> _View:
        """Say what is true of the thread as it stands."""
        features, followed, now = self._features, self._features.timeline, question.now
        facts = followed.facts(now, lead_hours=question.lead_hours)
        vector, promises = self._vector, followed.commitments
        if vector is not None and now is not None:
            vector = features.told(vector, facts)
        return _View(
            vector,
            tuple(features.concepts(facts)),
            promises.at(now, lead_hours=question.lead_hours),
            tuple(followed.conflicts.found),
            followed.questions.unanswered(),
            timeline.thread_state(
                followed,
                now=now,
                decision_maker_joined=features.decision_maker_joined,
                unsolved_contacts=features.unsolved_contacts,
            ),
            () if now is None else promises.due(now, lead_hours=question.lead_hours),
            promises.let_down(now),
            timeline.untold(self._events, followed, now, question.notify_hours),
            followed.no_calls,
            followed.stated,
            question,
        )


def _judged(reviewer: Reviewer | None, observed: Observed | None) -> Judgement | None:
    return None if reviewer is None or observed is None else reviewer.judge(observed)


_FRUSTRATION: Final = CORE_SIGNALS.index("frustration")


def _asked(scored: Sequence[ScoredMessage], *, every_turn: bool) -> frozenset[int]:
    """Return the places after which an analysis is wanted: always at least one."""
    last = len(scored) - 1
    spoken = [
        index
        for index, one in enumerate(scored)
        if one.message.role == "customer" and one.abstained is None
    ]
    return frozenset(spoken if every_turn and spoken else [last])


@dataclass(frozen=True, slots=True)
class _Step:
    """One message in its place in the thread; ``view`` where an analysis is asked for.

    ``judged`` is what is said of a reply of ours.
    """

    scored: ScoredMessage
    judged: Judgement | None
    in_context: bool
    calls: bool
    view: _View | None


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one message shows, and the words behind each signal, cue or finding."""

    analysis: MessageAnalysis
    words: Mapping[str, tuple[Evidence, ...]]


def _above(names: Sequence[str], probability: Any, thresholds: Mapping[str, float]) -> list[str]:
    values = probability[0].tolist()
    return [name for name, p in zip(names, values, strict=True) if p >= thresholds[name]]


def _reply(scored: ScoredMessage, judgement: Judgement) -> _Shown:
    text = scored.message.text
    words = {
        one.name: (Evidence(one.start, one.end, text[one.start : one.end]),)
        for one in judgement.findings
    }
    analysis = _message_analysis(scored, (), {}, {})
    return _Shown(dataclasses.replace(analysis, findings=judgement.findings), words)


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


class _Story:
    """A thread as told so far: takes one message after the other, and says what to do next.

    A message costs the same however long the thread is.
    """

    def __init__(self, analyzer: Analyzer, thread_id: str) -> None:
        self._analyzer = analyzer
        self._thread_id = thread_id
        self._done: list[MessageAnalysis] = []
        self._course = timeline.Course()
        self._customer: ScoredMessage | None = None
        self._readable = False
        self._unhappy = False
        self._settled = False
        self._offer_made = False
        self._cues: dict[str, float] = {}
        self._grades = dict.fromkeys(CORE_SIGNALS, 0)
        #: Words behind a signal, cue or finding: of the last customer message, of those before …
        self._now: _Words = {}
        self._before: _Words = {}
        #: … of our last reply, and of those before it.
        self._reply: _Words = {}
        self._replies: _Words = {}

    def add(self, step: _Step, shown: _Shown) -> None:
        """Take the next message into account."""
        scored, analysis = step.scored, shown.analysis
        self._done.append(analysis)
        words = {
            name: tuple(Evidence(one.start, one.end, one.text, analysis.id) for one in found)
            for name, found in shown.words.items()
        }
        if scored.message.role == "customer":
            self._customer = scored
            if scored.abstained is None:
                self._add_customer(step, analysis, words)
        elif scored.message.role == "agent" and scored.scores is not None:
            self._course.add_own(scored.message, faulty=bool(analysis.findings))
            self._replies |= self._reply
            self._reply = words
            self._offer_made |= any(one.name == "premature_upsell" for one in analysis.findings)

    def _add_customer(self, step: _Step, analysis: MessageAnalysis, words: _Words) -> None:
        grades = step.scored.grades
        self._readable = True
        self._before |= self._now
        self._now = words
        self._cues.update(analysis.cues)
        self._offer_made |= not _PUSHED.isdisjoint(analysis.cues)
        for name, grade in zip(CORE_SIGNALS, grades, strict=True):
            self._grades[name] = max(self._grades[name], grade)
        self._unhappy = grades[_FRUSTRATION] > 0
        self._settled = not _NO_REPORT.isdisjoint(analysis.cues)
        self._course.add_customer(
            TurnGrades(analysis.id, *grades), settled="resolved" in analysis.cues, calls=step.calls
        )

    def analysis(self, view: _View) -> Analysis:
        """Say what the thread shows after its last message."""
        analysis = Analysis(
            self._thread_id,
            self._done[-1].id,
            self._analyzer.model,
            self._recommendation(view),
            tuple(self._done),
            view.commitments,
            dataclasses.replace(view.state, turning_point=self._course.turning_point),
            view.conflicts,
            view.unanswered,
            self._course.trajectory(),
        )
        policy = view.question.policy
        return analysis if policy is None else policy.hushed(analysis, view.question.now)

    def _recommendation(self, view: _View) -> Recommendation:
        last, policy = self._customer, view.question.policy
        asked = actions.demands(
            due=view.due,
            let_down=view.let_down,
            untold=view.untold,
            unhappy=self._unhappy,
            reported=(0, None) if self._settled else view.reported,
        )
        if policy is not None:
            asked = tuple(one for one in asked if one.action not in policy.off)
        readable = self._readable and (last is None or last.abstained not in _UNREADABLE)
        advice = actions.with_demands(
            self._analyzer.advise(view.vector, offer_made=self._offer_made, policy=policy)
            if readable
            else None,
            asked,
            no_calls=view.no_calls,
        )
        if advice is None:
            reason = "automatic" if last is None else last.abstained
            return Recommendation(None, "none", "normal", abstained=reason)
        live = self._live(view)
        return Recommendation(
            advice.primary,
            advice.channel,
            advice.timing,
            tuple(_action(name, advice, live, asked) for name in advice.chosen),
            tuple(actions.findings_to_avoid(advice.chosen, self._cues, self._grades)),
        )

    def _live(self, view: _View) -> _Words:
        """Return the concepts that are true of the thread, with the words behind."""
        live = {
            f"{kind}.{name}": found
            for kind, words in (
                ("now", self._now),
                ("before", self._before),
                ("reply", self._reply),
                ("replies", self._replies),
            )
            for name, found in words.items()
        }
        for concept, name in actions.REPEATED.items():
            told = "now.repeat_contact" in live or f"before.{name}" in live
            if told and f"now.{name}" in live:
                live[concept] = live[f"now.{name}"]
        for concept, name in actions.FROM_NOW.items():
            if f"now.{name}" in live:
                live[concept] = live[f"now.{name}"]
        return live | dict.fromkeys(view.concepts, ())


def _action(
    name: str, advice: actions.Advice, live: _Words, asked: Sequence[actions.Demand]
) -> ActionAdvice:
    rules = [one for one in asked if one.action == name]
    because = list(dict.fromkeys(one.because for one in rules))[:MAX_REASONS]
    evidence = list(dict.fromkeys(words for one in rules for words in one.evidence))
    for concept, contribution in advice.concepts.get(name, ()):
        if contribution <= 0 or len(because) == MAX_REASONS:
            break
        stated = _stated(concept, live)
        if stated in live and actions.reason(stated) not in because:
            because.append(actions.reason(stated))
            evidence.extend(one for one in live[stated] if one not in evidence)
    if not because:
        because.append(_FALLBACK_REASONS.get(name, _FALLBACK))
    return ActionAdvice(name, advice.probability[name], tuple(because), tuple(evidence))


def _stated(concept: str, live: _Words) -> str:
    """Return the concept to state: of a reply that fell short, the first thing found in it."""
    kind = {"reply_fell_short": "reply.", "replies_fell_short": "replies."}.get(concept)
    found = () if kind is None else (name for name in live if name.startswith(kind))
    return next(iter(found), concept)


#: Cues of a message whose "nth time" is no report of an open matter of the customer's.
_NO_REPORT: Final = frozenset({"resolved", "stale_outreach", "upsell_pushback"})
_UNREADABLE: Final = frozenset({"language", "out_of_domain"})
#: Cues that tell of an offer that was made.
_PUSHED: Final = frozenset({"upsell_pushback", "stale_outreach"})


class Follow:
    """A thread that is followed as its messages come in, in whatever order; `Analyzer.follow`.

    Notes
    -----
    A message that comes last costs the same however long the thread is; one that comes late costs
    going through the thread again. Messages stand in the order of their dates, those of one moment
    by id; where one has no date, all stand as they came.
    """

    def __init__(
        self,
        analyzer: Analyzer,
        thread: Thread,
        channel: str | None,
        start: Callable[[Thread], _Walk],
        read: Callable[[_Walk, Sequence[Message]], Iterable[tuple[_Step, _Shown]]],
    ) -> None:
        self._analyzer = analyzer
        self._start = start
        self._read = read
        self._thread = thread
        self._channel = channel
        self._came = list(thread.messages)
        self._ids = {message.id for message in self._came}
        self._replay()

    @property
    def thread(self) -> Thread:
        """The thread as it stands."""
        return self._thread.replace(messages=tuple(self._messages), channel=self._medium())

    def _medium(self) -> str | None:
        return self._channel or (next(iter(self._media)) if len(self._media) == 1 else None)

    def analysis(
        self,
        *,
        now: datetime | None = None,
        lead_hours: float = timeline.LEAD_HOURS,
        notify_hours: Mapping[str, float] | None = None,
        policy: Policy | None = None,
    ) -> Analysis:
        """Say what the thread shows as it stands; parameters as of `Analyzer.analyze`."""
        question = _question(now, lead_hours, notify_hours, policy)
        return self._story.analysis(self._walk.view(question))

    def add(self, message: Message | Mapping[str, Any]) -> Analysis:
        """Add a message and say what the thread shows with it.

        Parameters
        ----------
        message : Message or mapping
            One with the id of a message that is there is a copy and changes nothing.

        Raises
        ------
        InvalidRecordError
            For what is no message.
        """
        one = message if isinstance(message, Message) else Message.from_dict(message)
        one = _zoned(one if one.id else one.replace(id=f"m{len(self._came)}"))
        if one.id not in self._ids:
            last, medium = self._messages[-1], self._medium()
            self._ids.add(one.id)
            self._came.append(one)
            self._media.add(one.channel)
            behind = last.sent_at and one.sent_at and _place(last) <= _place(one)
            if (behind or not self._dated) and self._medium() == medium:
                self._messages.append(one)
                self._go_on([one])
            else:
                self._replay()
        return self.analysis()

    def _replay(self) -> None:
        self._dated = all(message.sent_at for message in self._came)
        self._messages = sorted(self._came, key=_place) if self._dated else list(self._came)
        self._media = {message.channel for message in self._came}
        self._walk = self._start(self.thread)
        self._story = _Story(self._analyzer, self._thread.id)
        self._go_on(self._messages)

    def _go_on(self, messages: Sequence[Message]) -> None:
        for step, shown in self._read(self._walk, messages):
            self._story.add(step, shown)


def _place(message: Message) -> tuple[datetime, str]:
    return message.sent_at or _NEVER, message.id


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


_FALLBACK: Final = "the wording of the last message as a whole"
_FALLBACK_REASONS: Final[Mapping[str, str]] = {
    "reply": "nothing here needs more than an ordinary answer",
    "close": "nothing more is asked for",
}

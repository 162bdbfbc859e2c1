"""Frozen plain records: what flows from readers to sinks.

All invariants are checked here and nowhere else. Unknown is ``None``; datetimes are aware
UTC; offsets are half-open, in Unicode code points of `Message.text`. No ``repr`` shows text
or an address.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from customer_nlp.codebook import ACTIONS, CHANNELS, FINDINGS, MAX_GRADE, ROLES, SIGNALS, TIMINGS
from customer_nlp.errors import InvalidRecordError

__all__ = [
    "ABSTENTIONS",
    "COMMITMENT_STATES",
    "CONFLICT_KINDS",
    "EVENT_KINDS",
    "SCHEMA",
    "ZONE_KINDS",
    "ActionAdvice",
    "Analysis",
    "Commitment",
    "Conflict",
    "Event",
    "Evidence",
    "Finding",
    "Message",
    "MessageAnalysis",
    "Recommendation",
    "Review",
    "Signal",
    "Thread",
    "ThreadState",
    "Trajectory",
    "TurnGrades",
    "Unanswered",
    "Zone",
    "utc",
]

SCHEMA: Final = "customer-nlp/analysis/1"
ZONE_KINDS: Final = ("new", "quote", "signature", "disclaimer", "forward")
ABSTENTIONS: Final = ("language", "too_short", "automatic", "out_of_domain")
CONFLICT_KINDS: Final = ("reason", "state", "amount", "date")
EVENT_KINDS: Final = (
    "order_cancelled",
    "order_changed",
    "delivery_delayed",
    "delivery_failed",
    "appointment_moved",
    "appointment_cancelled",
    "outage",
    "payment_failed",
    "price_changed",
    "invoice_issued",
    "refund_issued",
    "order_shipped",
)
_DAY_MINUTES: Final = 24 * 60
#: Years of a moment: there is room on both sides for another zone and for "within a century".
_YEARS: Final = range(2, 9000)
COMMITMENT_STATES: Final = ("open", "due", "kept", "broken", "renegotiated", "told_in_advance")


def _require(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        # The value may be a piece of somebody's mail put in the wrong column: name its type only.
        raise InvalidRecordError(
            f"The {name} must be one of {{{', '.join(allowed)}}}; "
            f"got another {type(value).__name__}.",
            field=name,
        )


def _require_span(start: int, end: int) -> None:
    if not 0 <= start <= end:
        raise InvalidRecordError(
            f"A range needs 0 <= start <= end; got start={start}, end={end}.", field="start"
        )


def _require_probability(value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InvalidRecordError(
            f"A probability lies between 0 and 1; got {value!r}.", field="probability"
        )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Zone:
    """A labelled range of a message's text.

    Parameters
    ----------
    kind : {'new', 'quote', 'signature', 'disclaimer', 'forward'}
        What the range is. The zones of a message tile its text without gap or overlap.
    start, end : int
        Half-open range in code points of `Message.text`.
    confidence : float, default=1.0
        How sure the segmentation is, between 0 and 1 (a score, not a probability).
    """

    kind: str
    start: int
    end: int
    confidence: float = 1.0

    def __post_init__(self) -> None:
        if self.kind in ZONE_KINDS and 0 <= self.start <= self.end and 0 <= self.confidence <= 1:
            return  # several a mail
        _require("zone kind", self.kind, ZONE_KINDS)
        _require_span(self.start, self.end)
        _require_probability(self.confidence)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "kind": self.kind,
            "start": self.start,
            "end": self.end,
            "confidence": round(self.confidence, 3),
        }


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One turn by one side.

    Parameters
    ----------
    role : {'customer', 'agent', 'system'}
        Who speaks. Bounces and notices of machines are ``system``.
    text : str
        The whole text, never rewritten.
    id : str, default=''
        Identifier within the thread; `Thread` gives one to messages without.
    sent_at : datetime, optional
        Aware; kept as UTC.
    sender : str, optional
        Address or name of the author.
    sender_name : str, optional
        Name of the author beside the address.
    recipient_names : tuple of str
        Names beside the addresses in ``to`` and ``cc``.
    to, cc : tuple of str
        Addresses.
    subject, channel : str, optional
        As the source gives them (``channel``: ``email``, ``chat``, ``call``, …).
    automatic : bool, default=False
        Written by a machine: auto-reply, newsletter, mailing list, bounce.
    zones : tuple of Zone
        Tiles of the text; empty means that all of it is new.
    role_confidence : float, default=1.0
        Below 1 where the role was guessed.
    refers_to : str, optional
        Id of the message that this one answers or that bounced.
    public : bool, default=True
        False for an internal note, which is no word to the customer.
    truncated : bool, default=False
        Whether the source cut the text.
    utc_offset_minutes : int, optional
        The writer's distance from UTC, in which "by noon" is meant; taken from `sent_at` where
        that carries one. ``None`` where it is not known, or none.

    Raises
    ------
    InvalidRecordError
        For an unknown role, a naive datetime, or zones that do not tile the text.
    """

    role: str
    text: str
    id: str = ""
    sent_at: datetime | None = None
    sender: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    subject: str | None = None
    channel: str | None = None
    automatic: bool = False
    zones: tuple[Zone, ...] = ()
    role_confidence: float = 1.0
    refers_to: str | None = None
    public: bool = True
    truncated: bool = False
    utc_offset_minutes: int | None = None
    sender_name: str | None = None
    recipient_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require("role", self.role, ROLES)
        if not isinstance(self.text, str):
            raise InvalidRecordError(
                f"The text must be a str; got {type(self.text).__name__}.", field="text"
            )
        _require_probability(self.role_confidence)
        if self.sent_at is not None:
            sent_at = utc("sent_at", self.sent_at)
            offset = self.sent_at.utcoffset()
            if offset and self.utc_offset_minutes is None:
                object.__setattr__(self, "utc_offset_minutes", int(offset.total_seconds() / 60))
            object.__setattr__(self, "sent_at", sent_at)
        if not -_DAY_MINUTES < (self.utc_offset_minutes or 0) < _DAY_MINUTES:
            raise InvalidRecordError(
                f"The utc_offset_minutes must be less than a day; got {self.utc_offset_minutes!r}.",
                field="utc_offset_minutes",
            )
        self._check_zones()

    def _check_zones(self) -> None:
        position = 0
        for zone in self.zones:
            if not isinstance(zone, Zone):
                raise InvalidRecordError(
                    f"The zones must be Zone records; got {type(zone).__name__}.", field="zones"
                )
            if zone.start != position:
                raise InvalidRecordError(
                    f"Zones must tile the text; expected a zone at {position}, "
                    f"got one at {zone.start}.",
                    field="zones",
                )
            position = zone.end
        if self.zones and position != len(self.text):
            raise InvalidRecordError(
                f"Zones must tile the text; it has {len(self.text)} characters, "
                f"the zones end at {position}.",
                field="zones",
            )

    @property
    def new_text(self) -> str:
        """The words written for this message: its ``new`` zones, in order."""
        if not self.zones:
            return self.text
        return "".join(self.text[zone.start : zone.end] for zone in self.zones_of("new"))

    def zones_of(self, *kinds: str) -> Iterator[Zone]:
        """Yield the zones of the given kinds, in order."""
        return (zone for zone in self.zones if zone.kind in kinds)

    def replace(self, **changes: Any) -> Message:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Message:
        """Build a message from plain data.

        Parameters
        ----------
        record : mapping
            ``role`` and ``text``, and when known ``id, sent_at, sender, sender_name,
            recipient_names, to, cc, subject, channel, automatic, zones, role_confidence,
            refers_to, public, truncated, utc_offset_minutes``; other keys are ignored.
            ``sent_at`` may be an aware datetime or an ISO 8601 string; a string without a
            zone is read as UTC.

        Raises
        ------
        InvalidRecordError
            Naming the field that is missing or wrong.
        """
        if not isinstance(record, Mapping):
            raise InvalidRecordError(
                "A message must be a Message or a dict with 'role' and 'text'; "
                f"got {type(record).__name__}.",
                field="messages",
            )
        for key in ("role", "text"):
            if record.get(key) is None:
                raise InvalidRecordError(f"A message needs {key!r}; it is missing.", field=key)
        known: dict[str, Any] = {"role": record["role"], "text": record["text"]}
        for key in ("id", "sender", "sender_name", "subject", "channel", "refers_to"):
            if record.get(key) is not None:
                known[key] = str(record[key])
        for key in ("automatic", "public", "truncated"):
            if record.get(key) is not None:
                known[key] = _flag(key, record[key])
        for key in ("to", "cc", "recipient_names"):
            known[key] = _addresses(record.get(key))
        known["sent_at"] = _moment(record.get("sent_at"))
        known["zones"] = _zones(record.get("zones"))
        if record.get("role_confidence") is not None:
            known["role_confidence"] = _number("role_confidence", record["role_confidence"])
        if record.get("utc_offset_minutes") is not None:
            known["utc_offset_minutes"] = _minutes(record["utc_offset_minutes"])
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` reads them back."""
        return {
            "id": self.id,
            "role": self.role,
            "text": self.text,
            "sent_at": _iso(self.sent_at),
            "sender": self.sender,
            "sender_name": self.sender_name,
            "recipient_names": list(self.recipient_names),
            "to": list(self.to),
            "cc": list(self.cc),
            "subject": self.subject,
            "channel": self.channel,
            "automatic": self.automatic,
            "zones": [zone.to_dict() for zone in self.zones],
            "role_confidence": round(self.role_confidence, 3),
            "refers_to": self.refers_to,
            "public": self.public,
            "truncated": self.truncated,
            "utc_offset_minutes": self.utc_offset_minutes,
        }

    def __repr__(self) -> str:
        return f"Message(role={self.role!r}, chars={len(self.text)}, sent_at={_iso(self.sent_at)})"


def utc(name: str, moment: object) -> datetime:
    """Return an aware datetime as UTC.

    Parameters
    ----------
    name : str
        What it is called where it comes from, for the error.
    moment : datetime
        Aware.

    Raises
    ------
    InvalidRecordError
        For another type, a naive datetime, or one beyond the years 2 to 8999.
    """
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        got = "a naive one" if isinstance(moment, datetime) else type(moment).__name__
        raise InvalidRecordError(
            f"The {name} must be an aware datetime; got {got}. "
            "Add a time zone, such as datetime.UTC.",
            field=name,
        )
    in_utc = moment.astimezone(UTC) if moment.year in _YEARS else None
    if in_utc is None or in_utc.year not in _YEARS:
        raise InvalidRecordError(
            f"The {name} must lie between the years {_YEARS[0]} and {_YEARS[-1]}; got one beyond.",
            field=name,
        )
    return in_utc


def _flag(name: str, value: object) -> bool:
    """Read yes or no; the word "false" of a table or a form must not turn into True."""
    word = value.strip().lower() if isinstance(value, str) else value
    if word in (True, "true"):
        return True
    if word in (False, "false", ""):
        return False
    raise InvalidRecordError(
        f"The {name} must be true or false; got another {type(value).__name__}.", field=name
    )


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise InvalidRecordError(
        f"The {name} must be a number; got {type(value).__name__}.", field=name
    )


def _minutes(value: object) -> int:
    """Read whole minutes; more than any zone has stay more, for `Message` to refuse."""
    return int(max(-_DAY_MINUTES, min(_number("utc_offset_minutes", value), _DAY_MINUTES)))


def _zones(value: object) -> tuple[Zone, ...]:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(_zone(item) for item in value)
    raise InvalidRecordError(
        f"The zones must be a list; got {type(value).__name__}.", field="zones"
    )


def _zone(item: object) -> Zone:
    if isinstance(item, Zone):
        return item
    if isinstance(item, Mapping):
        kind, start, end = item.get("kind"), item.get("start"), item.get("end")
        if isinstance(kind, str) and isinstance(start, int) and isinstance(end, int):
            return Zone(kind, start, end, _number("confidence", item.get("confidence", 1.0)))
    raise InvalidRecordError(
        "Each of the zones must be a Zone or a dict of kind, start and end; "
        f"got {type(item).__name__}.",
        field="zones",
    )


def _addresses(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple):
        return tuple(str(part) for part in value)
    raise InvalidRecordError(
        f"The cc must be a list of addresses; got {type(value).__name__}.", field="cc"
    )


def _moment(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise InvalidRecordError(
                "The sent_at must be an ISO 8601 date and time, such as 2026-03-02T09:14:00Z.",
                field="sent_at",
            ) from error
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, datetime):
        return value
    raise InvalidRecordError(
        f"The sent_at must be a datetime or an ISO 8601 string; got {type(value).__name__}.",
        field="sent_at",
    )


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """Something that happened to an order, a ticket or a contract, beside what was written.

    Parameters
    ----------
    kind : str
        From `EVENT_KINDS`.
    at : datetime
        Aware; kept as UTC.
    about : str, optional
        What it is about, such as the number of an order.
    """

    kind: str
    at: datetime
    about: str | None = None

    def __post_init__(self) -> None:
        _require("event kind", self.kind, EVENT_KINDS)
        object.__setattr__(self, "at", utc("at", self.at))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Event:
        """Build an event from ``kind``, ``at`` (aware datetime or ISO 8601) and ``about``.

        Raises
        ------
        InvalidRecordError
            Naming the field that is missing or wrong.
        """
        if not isinstance(record, Mapping):
            raise InvalidRecordError(
                "An event must be an Event or a dict with 'kind' and 'at'; "
                f"got {type(record).__name__}.",
                field="events",
            )
        at = _moment(record.get("at"))
        if at is None:
            raise InvalidRecordError("An event needs 'at'; it is missing.", field="at")
        about = record.get("about")
        return cls(str(record.get("kind")), at, None if about is None else str(about))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` reads them back."""
        return {"kind": self.kind, "at": _iso(self.at), "about": self.about}

    def __repr__(self) -> str:
        return f"Event(kind={self.kind!r}, at={_iso(self.at)})"


@dataclass(frozen=True, slots=True, repr=False)
class Thread:
    """The turns of one conversation, in the order in which they were made.

    Parameters
    ----------
    id : str
        Identifier of the thread.
    messages : tuple of Message
        At least one. Messages without an id get ``m0, m1, …``; ids are unique.
    subject, channel : str, optional
        As the source gives them.
    source : str, optional
        Where the thread was read from.
    events : tuple of Event
        What happened beside the messages, in any order.

    Raises
    ------
    InvalidRecordError
        Without messages, or when two messages carry the same id.
    """

    id: str
    messages: tuple[Message, ...]
    subject: str | None = None
    channel: str | None = None
    source: str | None = None
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if not self.messages:
            raise InvalidRecordError("A thread needs at least one message.", field="messages")
        for message in self.messages:
            if not isinstance(message, Message):
                raise InvalidRecordError(
                    f"The messages must be Message records; got {type(message).__name__}. "
                    "Thread.from_dict takes dicts.",
                    field="messages",
                )
        if any(not message.id for message in self.messages):
            taken = {message.id for message in self.messages}
            numbered = []
            for index, message in enumerate(self.messages):
                name = f"m{index}"
                while name in taken:
                    name += "_"
                numbered.append(message if message.id else message.replace(id=name))
            object.__setattr__(self, "messages", tuple(numbered))
        if len({message.id for message in self.messages}) < len(self.messages):
            raise InvalidRecordError(
                "Message ids must be unique within a thread; one occurs twice.", field="messages"
            )

    def upto(self, count: int) -> Thread:
        """Return the thread as it stood after its first `count` messages."""
        return dataclasses.replace(self, messages=self.messages[:count])

    def replace(self, **changes: Any) -> Thread:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def __len__(self) -> int:
        return len(self.messages)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Thread:
        """Build a thread from plain data: ``messages`` and what else is known.

        Raises
        ------
        InvalidRecordError
            Naming the field that is missing or wrong.
        """
        messages = record.get("messages") if isinstance(record, Mapping) else None
        if not isinstance(messages, list | tuple):
            raise InvalidRecordError(
                f"A thread needs 'messages', a list; got {type(messages).__name__}.",
                field="messages",
            )
        identifier = record.get("id") or record.get("thread_id") or "thread"
        optional = {
            key: str(record[key])
            for key in ("subject", "channel", "source")
            if record.get(key) is not None
        }
        turns = tuple(
            item if isinstance(item, Message) else Message.from_dict(item) for item in messages
        )
        return cls(
            id=str(identifier), messages=turns, events=_events(record.get("events")), **optional
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` reads them back."""
        return {
            "id": self.id,
            "subject": self.subject,
            "channel": self.channel,
            "source": self.source,
            "messages": [message.to_dict() for message in self.messages],
            "events": [event.to_dict() for event in self.events],
        }

    def _repr_html_(self) -> str:
        """Show the turns in a notebook: the one place where a thread's text is shown."""
        from customer_nlp.markup import thread_html

        return thread_html(self.to_dict())

    def __repr__(self) -> str:
        return f"Thread(messages={len(self.messages)}, channel={self.channel!r})"


def _events(value: object) -> tuple[Event, ...]:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(one if isinstance(one, Event) else Event.from_dict(one) for one in value)
    raise InvalidRecordError(
        f"The events must be a list; got {type(value).__name__}.", field="events"
    )


@dataclass(frozen=True, slots=True, repr=False)
class Evidence:
    """The words behind a judgement.

    Parameters
    ----------
    start, end : int
        Half-open range in code points of the message's text.
    text : str
        ``message.text[start:end]``.
    message_id : str, optional
        Which message; left out inside a message's own record.
    """

    start: int
    end: int
    text: str
    message_id: str | None = None

    def __post_init__(self) -> None:
        _require_span(self.start, self.end)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        record: dict[str, Any] = {} if self.message_id is None else {"message_id": self.message_id}
        return record | {"start": self.start, "end": self.end, "text": self.text}

    def __repr__(self) -> str:
        return f"Evidence(start={self.start}, end={self.end})"


@dataclass(frozen=True, slots=True)
class Signal:
    """One core signal or cue of one message.

    Parameters
    ----------
    name : str
        From `codebook.SIGNALS`.
    probability : float
        P(grade >= 1 | this message), calibrated on held-out folds of the training corpus.
    grade : int
        0-3 for a core signal, 0-1 for a cue.
    evidence : tuple of Evidence
        Ranges whose removal lowers the probability.
    """

    name: str
    probability: float
    grade: int = 0
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        _require("signal", self.name, SIGNALS)
        _require_probability(self.probability)
        if not 0 <= self.grade <= MAX_GRADE:
            raise InvalidRecordError(
                f"A grade lies between 0 and {MAX_GRADE}; got {self.grade!r}.", field="grade"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "probability": round(self.probability, 4),
            "grade": self.grade,
            "evidence": [evidence.to_dict() for evidence in self.evidence],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Finding:
    """What is wrong with a reply of ours.

    Parameters
    ----------
    name : str
        From `codebook.FINDINGS`.
    start, end : int
        Half-open range in the reply.
    because : str
        A plain reason.
    better : str, default=''
        What would be better, in one line.
    cites : tuple of Evidence
        Earlier words that the finding rests on.
    """

    name: str
    start: int
    end: int
    because: str
    better: str = ""
    cites: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        _require("finding", self.name, FINDINGS)
        _require_span(self.start, self.end)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "name": self.name,
            "start": self.start,
            "end": self.end,
            "because": self.because,
            "better": self.better,
            "cites": [evidence.to_dict() for evidence in self.cites],
        }

    def __repr__(self) -> str:
        return f"Finding(name={self.name!r}, start={self.start}, end={self.end})"


@dataclass(frozen=True, slots=True)
class Review:
    """What a check of a reply found.

    Parameters
    ----------
    findings : tuple of Finding
        In the codebook's order; empty when the reply is clean.
    draft : str, default=''
        The reply, for a notebook to mark; in no record and no ``repr``.
    """

    findings: tuple[Finding, ...] = ()
    draft: str = field(default="", repr=False)

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"findings": [finding.to_dict() for finding in self.findings]}

    def _repr_html_(self) -> str:
        """Show the draft in a notebook, with what each finding rests on marked."""
        from customer_nlp.markup import review_html

        return review_html(self.to_dict(), self.draft)


@dataclass(frozen=True, slots=True, repr=False)
class Commitment:
    """A promise by either side.

    Parameters
    ----------
    message_id : str
        The message that holds it.
    by : {'customer', 'agent'}
        Who promised.
    text : str
        The words.
    start, end : int
        Their half-open range.
    due : datetime or None
        When it falls due; ``None`` where no time can be told.
    state : {'open', 'due', 'kept', 'broken', 'renegotiated', 'told_in_advance'}
        How it stands.
    """

    message_id: str
    by: str
    text: str
    start: int
    end: int
    due: datetime | None
    state: str

    def __post_init__(self) -> None:
        _require("by", self.by, ROLES)
        _require("state", self.state, COMMITMENT_STATES)
        _require_span(self.start, self.end)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "message_id": self.message_id,
            "by": self.by,
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "due": _iso(self.due),
            "state": self.state,
        }

    def __repr__(self) -> str:
        return f"Commitment(by={self.by!r}, due={_iso(self.due)}, state={self.state!r})"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two statements of our side that do not fit together.

    Parameters
    ----------
    kind : {'reason', 'state', 'amount', 'date'}
        What they differ in.
    first, second : Evidence
        The statements, with the ids of their messages, in the order of the thread.
    """

    kind: str
    first: Evidence
    second: Evidence

    def __post_init__(self) -> None:
        _require("conflict kind", self.kind, CONFLICT_KINDS)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "kind": self.kind,
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question of the customer's that our replies passed over.

    Parameters
    ----------
    question : Evidence
        Its first asking.
    asked : int
        How often it was asked, rephrasings included.
    reply_id : str
        Id of the first reply that should have answered.
    """

    question: Evidence
    asked: int
    reply_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "question": self.question.to_dict(),
            "asked": self.asked,
            "reply_id": self.reply_id,
        }


@dataclass(frozen=True, slots=True)
class TurnGrades:
    """Grades of the core signals in one customer turn.

    Parameters
    ----------
    message_id : str
        Which turn.
    confusion, frustration, churn_risk : int
        0-3.
    """

    message_id: str
    confusion: int
    frustration: int
    churn_risk: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """How the customer's mood went from turn to turn.

    Parameters
    ----------
    turns : tuple of TurnGrades
        One a readable customer message, in order.
    turning_point : str or None
        Id of our message after which it went wrong.
    recovered : bool or None
        Whether the mood is back where it started; ``None`` where it never turned.
    intercept : str or None
        Id of the first customer message after which a call was right.
    """

    turns: tuple[TurnGrades, ...] = ()
    turning_point: str | None = None
    recovered: bool | None = None
    intercept: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "turns": [turn.to_dict() for turn in self.turns],
            "turning_point": self.turning_point,
            "recovered": self.recovered,
            "intercept": self.intercept,
        }


@dataclass(frozen=True, slots=True, repr=False)
class ActionAdvice:
    """One recommended action with its reasons.

    Parameters
    ----------
    action : str
        From `codebook.ACTIONS`.
    probability : float
        P(a reader of the codebook lists this action now | thread so far), calibrated.
    because : tuple of str
        Plain reasons.
    evidence : tuple of Evidence
        The words behind them.
    """

    action: str
    probability: float
    because: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        _require("action", self.action, ACTIONS)
        _require_probability(self.probability)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "action": self.action,
            "probability": round(self.probability, 4),
            "because": list(self.because),
            "evidence": [evidence.to_dict() for evidence in self.evidence],
        }

    def __repr__(self) -> str:
        return f"ActionAdvice(action={self.action!r}, probability={self.probability:.3f})"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do next, by which channel, how soon, and what to avoid.

    Parameters
    ----------
    primary : str or None
        The first thing to do; ``None`` when abstaining.
    channel : {'phone', 'same', 'in_person', 'none'}
        By which way.
    timing : {'now', 'today', 'normal'}
        How soon.
    actions : tuple of ActionAdvice
        All that apply, most probable first.
    avoid : tuple of str
        Findings that the next reply should not earn.
    abstained : {'language', 'too_short', 'automatic', 'out_of_domain'}, optional
        Why nothing is recommended.
    """

    primary: str | None
    channel: str
    timing: str
    actions: tuple[ActionAdvice, ...] = ()
    avoid: tuple[str, ...] = ()
    abstained: str | None = None

    def __post_init__(self) -> None:
        _require("channel", self.channel, CHANNELS)
        _require("timing", self.timing, TIMINGS)
        if self.abstained is not None:
            _require("abstained", self.abstained, ABSTENTIONS)
        if self.primary is None and self.abstained is None:
            raise InvalidRecordError(
                "A recommendation names a primary action or says why it abstains.", field="primary"
            )
        for name in self.avoid:
            _require("avoid", name, FINDINGS)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "primary": self.primary,
            "channel": self.channel,
            "timing": self.timing,
            "abstained": self.abstained,
            "actions": [advice.to_dict() for advice in self.actions],
            "avoid": list(self.avoid),
        }


@dataclass(frozen=True, slots=True, repr=False)
class MessageAnalysis:
    """What one message shows.

    Parameters
    ----------
    id, role : str
        Of the message.
    sent_at : datetime or None
        Of the message.
    language : str or None
        ISO 639-1 code, where it can be told.
    signals : tuple of Signal
        Core signals; empty for other roles than the customer.
    cues : mapping of str to float
        Probability of each cue that is judged present.
    findings : tuple of Finding
        On an agent's message.
    automatic : bool
        Whether a machine wrote it.
    """

    id: str
    role: str
    sent_at: datetime | None
    language: str | None
    signals: tuple[Signal, ...] = ()
    cues: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    automatic: bool = False

    def signal(self, name: str) -> Signal | None:
        """Return the core signal called `name`, or ``None`` where it was not scored."""
        return next((signal for signal in self.signals if signal.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "id": self.id,
            "role": self.role,
            "sent_at": _iso(self.sent_at),
            "language": self.language,
            "automatic": self.automatic,
            "signals": {signal.name: signal.to_dict() for signal in self.signals},
            "cues": {name: round(value, 4) for name, value in self.cues.items()},
            "findings": {finding.name: finding.to_dict() for finding in self.findings},
        }

    def __repr__(self) -> str:
        return f"MessageAnalysis(role={self.role!r}, cues={sorted(self.cues)})"


@dataclass(frozen=True, slots=True)
class ThreadState:
    """How the thread stands.

    Parameters
    ----------
    waiting_on : {'company', 'customer', None}
        Whose turn it is.
    silent_hours : float or None
        Clock hours since the last message, where both ends are known.
    contacts : int
        Customer messages so far, or more where the customer counts more.
    turning_point : str or None
        Id of the message after which it went wrong.
    decision_maker_joined : bool
        Somebody on the customer's side was copied in along the way.
    silent_business_hours : float or None
        Of the silent hours those from Monday to Friday between 9 and 17, by the clock of the last
        message's writer.
    unsolved_contacts : int
        Customer messages since the matter last showed to be settled.
    reports : int
        The highest n of "the nth time" that the customer states, or 0.
    """

    waiting_on: str | None
    silent_hours: float | None
    contacts: int
    turning_point: str | None = None
    decision_maker_joined: bool = False
    silent_business_hours: float | None = None
    unsolved_contacts: int = 0
    reports: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "waiting_on": self.waiting_on,
            "silent_hours": _rounded(self.silent_hours),
            "silent_business_hours": _rounded(self.silent_business_hours),
            "contacts": self.contacts,
            "unsolved_contacts": self.unsolved_contacts,
            "reports": self.reports,
            "turning_point": self.turning_point,
            "decision_maker_joined": self.decision_maker_joined,
        }


def _rounded(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 2)


@dataclass(frozen=True, slots=True, repr=False)
class Analysis:
    """Everything that is said of one thread at one point in time.

    Parameters
    ----------
    thread_id : str
        Of the thread.
    after : str
        Id of the last message taken into account.
    model : str
        Name and version of the model.
    recommendation : Recommendation
        What to do next.
    messages : tuple of MessageAnalysis
        One a message, in order.
    commitments : tuple of Commitment
        Promises by either side.
    state : ThreadState
        How the thread stands.
    conflicts : tuple of Conflict
        Statements of ours that do not fit together.
    unanswered : tuple of Unanswered
        Questions of the customer's that our replies passed over.
    trajectory : Trajectory
        How the customer's mood went.
    """

    thread_id: str
    after: str
    model: str
    recommendation: Recommendation
    messages: tuple[MessageAnalysis, ...]
    commitments: tuple[Commitment, ...]
    state: ThreadState
    conflicts: tuple[Conflict, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()
    trajectory: Trajectory = Trajectory()

    def to_dict(self) -> dict[str, Any]:
        """Return the record that is written, in plain JSON types."""
        return {
            "schema": SCHEMA,
            "thread_id": self.thread_id,
            "after": self.after,
            "model": self.model,
            "recommendation": self.recommendation.to_dict(),
            "messages": [message.to_dict() for message in self.messages],
            "commitments": [commitment.to_dict() for commitment in self.commitments],
            "state": self.state.to_dict(),
            "conflicts": [conflict.to_dict() for conflict in self.conflicts],
            "unanswered": [question.to_dict() for question in self.unanswered],
            "trajectory": self.trajectory.to_dict(),
        }

    def _repr_html_(self) -> str:
        """Show in a notebook what to do and why, with the words marked."""
        from customer_nlp.markup import analysis_html

        return analysis_html(self.to_dict())

    def __repr__(self) -> str:
        primary = self.recommendation.primary
        return f"Analysis(primary={primary!r}, messages={len(self.messages)})"

"""Commitments: what either side undertook to do by when, and how each undertaking stands.

What undertakes something is found by `customer_nlp.timeline._undertakings`; here it is followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from customer_nlp.records import Commitment, Message
from customer_nlp.text import caseless
from customer_nlp.timeline._dates import public_holidays
from customer_nlp.timeline._outcomes import (
    ARRIVED,
    CAME,
    DENIED,
    DOUBT,
    FAILED,
    OWNED_UP,
    Said,
    Slot,
    shipped_outcomes,
)
from customer_nlp.timeline._undertakings import read, shipped_weights

__all__ = ["LEAD_HOURS", "Commitments", "commitments", "follow", "zone_of"]

LEAD_HOURS: Final = 24.0


@dataclass(frozen=True, slots=True)
class _Promise:
    """A commitment before its state is known."""

    index: int
    by: str
    start: int
    end: int
    due: datetime | None


def commitments(
    messages: Sequence[Message],
    now: datetime | None = None,
    *,
    holidays_of: str | None = None,
    lead_hours: float = LEAD_HOURS,
    zone: tzinfo | None = None,
) -> tuple[Commitment, ...]:
    """Find what either side undertook to do, by when, and how that stands.

    Parameters
    ----------
    messages : sequence of Message
        One thread, in order. Only new zones of public messages by people are read.
    now : datetime, optional
        Aware; by default when the last message was sent.
    holidays_of : str, optional
        Country whose public holidays are no working days, such as ``"GB"``; needs ``holidays``.
    lead_hours : float, default=24.0
        From how long before its due time an open commitment counts as ``due``.
    zone : tzinfo, optional
        In which "noon" and "Friday" are meant; by default each writer's own, see
        `Message.utc_offset_minutes`.

    Returns
    -------
    tuple of Commitment
        In the order of the thread. ``due`` is ``None`` where no time can be told, also when the
        message has no ``sent_at``.

    Raises
    ------
    MissingExtraError
        When `holidays_of` is given without the library ``holidays``.

    Notes
    -----
    Linear in the text. Later messages change states only, never which commitments are found.
    """
    followed = Commitments(closed=public_holidays(holidays_of), zone=zone)
    for message in messages:
        followed.add(message)
    return followed.at(now, lead_hours=lead_hours)


class Commitments:
    """The commitments of a thread as it goes on: every message is read once.

    Parameters
    ----------
    closed : container of date, optional
        Public holidays, as `public_holidays` gives them.
    zone : tzinfo, optional
        As for `commitments`.

    Notes
    -----
    A message costs its own length and, for each commitment of the last 40 messages that is not
    settled, a few comparisons.
    """

    def __init__(self, *, closed: Container[date] = (), zone: tzinfo | None = None) -> None:
        self._closed = closed
        self._zone = zone
        self._all: list[_Followed] = []
        self._live: list[_Followed] = []
        self._settled: Counter[str] = Counter()
        self._heard: list[_Followed] = []
        self._count = 0
        self._latest: datetime | None = None

    def add(self, message: Message) -> None:
        """Read the next message of the thread."""
        index = self._count
        self._count += 1
        if message.sent_at is not None:
            self._latest = max(message.sent_at, self._latest or message.sent_at)
        if not _by_person(message):
            return
        found = read(message, self._zone or zone_of(message), self._closed)
        said = Said(message, found.latest)
        self._heard = [one for one in self._live if one.take(said)]
        for one in self._live:
            if one.settled is not None and one.promise.by == "agent":
                self._settled[one.settled] += 1
        self._live = [one for one in self._live if one.settled is None and one.left]
        promises = shipped_weights().chosen(found.candidates) if found.candidates else ()
        made = [
            _Followed(_Promise(index, message.role, one.start, one.end, one.due), message)
            for one in promises
        ]
        self._all += made
        self._live += made

    def at(self, now: datetime | None, *, lead_hours: float) -> tuple[Commitment, ...]:
        """Say how every commitment stands at a time; by default that of the last message."""
        moment = now or self._latest
        return tuple(one.commitment(moment, lead_hours) for one in self._all)

    def counts(self, now: datetime | None, *, lead_hours: float) -> Counter[str]:
        """Count our commitments by state. Cost: that of the unsettled ones."""
        moment = now or self._latest
        live = (one.state(moment, lead_hours) for one in self._live if one.promise.by == "agent")
        return self._settled + Counter(live)

    def due(self, now: datetime, *, lead_hours: float) -> list[Commitment]:
        """Return our unkept commitments that fall due within the lead time, or did unnoticed.

        Those of which the customer has spoken since are left out.
        """
        return [
            one.commitment(now, lead_hours)
            for one in self._live
            if one.promise.by == "agent"
            and not one.heard
            and one.state(now, lead_hours) in {"due", "broken"}
        ]

    def let_down(self, now: datetime | None) -> list[Commitment]:
        """Return our broken commitments since which the customer spoke last, or nobody did."""
        moment = now or self._latest
        silent = [one for one in self._live if not (one.heard or one.answered)]
        return [
            one.commitment(moment, 0.0)
            for one in dict.fromkeys([*self._heard, *silent])
            if one.promise.by == "agent" and one.state(moment, 0.0) == "broken"
        ]

    def just_broken(self) -> int:
        """Count the broken promises of ours that the last message was the first to follow."""
        return sum(
            one.promise.by == "agent" and one.state(self._latest, 0.0) == "broken"
            for one in self._heard
        )


def zone_of(message: Message) -> tzinfo:
    """Return the zone of a message's writer, as far as its date tells."""
    offset = message.utc_offset_minutes
    return UTC if not offset else timezone(timedelta(minutes=offset))


def _by_person(message: Message) -> bool:
    return message.role != "system" and not message.automatic and message.public


#: Our side says that it will be late.
_DELAY: Final = caseless(
    r"\b(?:won['’]t|will\snot|cannot|can['’]t|not)\s(?:be\s)?(?:make|reach|come|arrive|ready"
    r"|tomorrow|today|on\sfriday|monday|tuesday|wednesday|thursday|friday|saturday|sunday|the\s\d"
    r"|\d)",
    r"\b(?:instead|becomes?|moves?|moved|postponed|delayed|late|later|slip(?:s|ped)?|held\sup"
    r"|stuck|broken\sdown|off\sthe\sroad|shut|rather\sthan|bad\snews|not\sdone|cancelled|failed"
    r"|wrong|new\s(?:date|day|slot|time)|before\sit['’]s\slate|ahead\sof|before\syou|sorry|afraid"
    r"|apolog\w+|sick|snow(?:ed)?|fog|storms?|flood\w*|strike|customs|short-?staffed)\b",
    r"\b(?:it|he|she|they|that)(?:['’](?:s|ll)|\s(?:is|are|will))\snow\b",
    r"\bso\s(?:it|they|he|she|the\s\w+)(?:['’](?:s|ll)|\s(?:is|are|will|comes?|arrives?|lands?))\b",
)
_ASKS_TO_MOVE: Final = caseless(
    r"\b(?:another|different|other)\s(?:day|time|date|slot)\b|\b(?:reschedule|re-?book|move\sit"
    r"|make\sit|push\sit|earlier|instead|doesn['’]t\ssuit|can['’]t\sdo|won['’]t\sbe\s(?:in|here"
    r"|home))\b",
)
#: What was promised is word itself, so that writing keeps it.
_CONTACT: Final = caseless(
    r"\b(?:I|we)(?:['’]ll|\s(?:will|shall))\s(?:\w+\s)?(?:write|mail|e-?mail|text|ring|call|phone"
    r"|telephone|check|confirm|tell|let\syou|message|update|look)\b",
    r"\bI\s(?:write|call|ring|mail)\b|\bnext\sword\b|\bget\sback\b",
    r"\byou(?:['’]ll|\swill)?\s(?:hear|(?:have|get)\s(?:\w+\s){0,3}(?:word|answer|news|reply|yes"
    r"|decision))\b",
)


_MAX_LOOKAHEAD: Final = 40
#: Log-odds of "broken" below which words before the due time tell that it is kept.
_SURELY_KEPT: Final = -1.0
#: Word on the day itself keeps a promise of word.
_SAME_DAY: Final = timedelta(hours=10)


class _Followed:
    """A commitment with what followed it so far."""

    __slots__ = (
        "_asked", "_contact", "_made", "_record", "_signed", "answered", "heard", "left",
        "message_id", "promise", "sequel", "settled", "text",
    )  # fmt: skip

    def __init__(self, promise: _Promise, message: Message) -> None:
        self.promise = promise
        self.message_id = message.id
        self.text = message.text[promise.start : promise.end]
        self.settled: str | None = None
        self._record: Commitment | None = None
        self.left = _MAX_LOOKAHEAD
        self._made = message.sent_at
        self._contact = promise.by == "agent" and _CONTACT.search(self.text) is not None
        self._asked = self._signed = self.heard = self.answered = False
        #: Each side's last word before the due time and its first one behind.
        self.sequel: dict[Slot, Said] = {}

    def take(self, said: Said) -> bool:
        """Take a later message into account; whether it is the other side's first word on it."""
        self.left -= 1
        due, own = self.promise.due, said.role == self.promise.by
        if due is None:
            return not own and self._take_undated(said)
        if said.sent_at is None:
            return False
        if self._contact and own and due - _SAME_DAY <= said.sent_at <= due:
            self.settled = "kept"
        elif said.sent_at < due:
            self._take_before(said, due, own=own)
        elif self.promise.by == "customer":
            self.settled = "kept" if own else None
        else:
            return self._take_after(said, own=own)
        return False

    def _take_after(self, said: Said, *, own: bool) -> bool:
        first = not (self.answered if own else self.heard)
        if first:
            self.sequel["our after" if own else "their after"] = said
            self.answered, self.heard = self.answered or own, self.heard or not own
        if self.heard and self.answered:
            self.settled = self._verdict()
        return first and not own

    def _take_undated(self, said: Said) -> bool:
        if said.has(FAILED):
            self.settled = "broken"
        elif said.has(ARRIVED):
            self.settled = "kept"
        return self.settled == "broken"

    def _take_before(self, said: Said, due: datetime, *, own: bool) -> None:
        self.sequel["our before" if own else "their before"] = said
        if not own:
            self._asked |= said.has(_ASKS_TO_MOVE)
            self._signed |= self._signs(said, due)
            if self._late(said, due) and said.has(ARRIVED) and not said.has(DOUBT):
                self.settled = "kept"
        elif not self._contact and said.named is not None and said.named > due and said.has(_DELAY):
            # the same side named a later date in time; a promise of word is kept by that
            self.settled = "renegotiated" if self._asked else "told_in_advance"

    def _signs(self, said: Said, due: datetime) -> bool:
        """Whether the other side says before the due time that it came.

        Words of arrival do; others do when they come nearer to the due time than to the promise,
        for thanks given at once are for the promise.
        """
        if said.has(DENIED):
            return False
        if self._late(said, due):
            came, failed = said.count(CAME), said.count(FAILED)
            if failed or came:
                return came > 0 and came >= failed
            return shipped_outcomes().odds({"their after": said}) < _SURELY_KEPT
        return said.has(ARRIVED) and not said.has(FAILED)

    def _late(self, said: Said, due: datetime) -> bool:
        """Whether words come nearer to the due time than to the promise."""
        if self._made is None or said.sent_at is None:
            return False
        return (said.sent_at - self._made) * 2 >= due - self._made

    def _verdict(self) -> str:
        return "broken" if shipped_outcomes().odds(self.sequel) > 0 else "kept"

    def state(self, now: datetime | None, lead_hours: float) -> str:
        """Say how it stands at a time."""
        due = self.promise.due
        if self.settled is not None:
            return self.settled
        if due is None or now is None:
            return "open"
        if self.heard:
            return self._verdict()
        if self._signed:
            return "kept"
        if now < due:
            return "due" if due - now <= timedelta(hours=lead_hours) else "open"
        if self.promise.by == "customer":
            return "open"
        # we wrote after it was due and did not own up
        own = self.sequel.get("our after")
        return "broken" if own is None or own.has(OWNED_UP) else "kept"

    def commitment(self, now: datetime | None, lead_hours: float) -> Commitment:
        """Return the record; that of a settled one is made once."""
        if self._record is not None:
            return self._record
        promise = self.promise
        record = Commitment(
            message_id=self.message_id,
            by=promise.by,
            text=self.text,
            start=promise.start,
            end=promise.end,
            due=promise.due,
            state=self.state(now, lead_hours),
        )
        if self.settled is not None:
            self._record = record
        return record


def follow(promise: Commitment, messages: Sequence[Message]) -> _Followed:
    """Follow one promise, however it was found.

    Parameters
    ----------
    promise : Commitment
        With its due time; its state does not count.
    messages : sequence of Message
        The one that holds it, and those behind it.
    """
    made = _Promise(0, promise.by, promise.start, promise.end, promise.due)
    followed = _Followed(made, messages[0])
    for message in filter(_by_person, messages[1:]):
        if followed.settled is not None or not followed.left:
            break
        followed.take(Said(message, read(message, zone_of(message)).latest))
    return followed

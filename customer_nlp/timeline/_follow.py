"""The thread as it goes on: each message is read once, and the facts are at hand after it."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from customer_nlp.records import Evidence, Message
from customer_nlp.text import Rule, word_keys
from customer_nlp.timeline._commitments import LEAD_HOURS, Commitments
from customer_nlp.timeline._conflicts import Conflicts, Questions

__all__ = ["Facts", "Timeline", "business_hours_between", "hours_between", "reports"]

_WORDS: Final = {
    "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "half a dozen": 6,
    "twice": 2, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_UNITS: Final = (
    "time", "attempt", "mail", "message", "call", "request", "reminder", "complaint", "report",
    "ticket", "visit",
)  # fmt: skip
_UNIT: Final = rf"(?:e-?mail|{'|'.join(_UNITS)})"
_NTH: Final = Rule(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)|({'|'.join(_WORDS)}))\s+(?:\w+\s+)?{_UNIT}\b"
    r"(?!\s+lucky\b|(?:['’]s|\s+is)\s+(?:the|a)\s+charm\b)",
    flags=re.IGNORECASE,
)
_TIMES: Final = Rule(
    r"\b(?:written|called|rung|phoned|e-?mailed|mailed|reported|asked|contacted|raised|told)\b(?!\s(?:me|us)\b)"
    rf"[^.!?\n]{{0,40}}?\b(?:(\d{{1,2}})|({'|'.join(_WORDS)}))(\s?x|\s+(?:times|occasions))?\b",
    flags=re.IGNORECASE,
)
MAX_REPORTS: Final = 20
_NO_CALLS: Final = Rule(
    r"\b(?:(?:do\snot|don['’]t|please\sno|stop|no\smore)\s(?:call|phone|ring)(?:s|ing)?\b(?!\sme\san?\b)"
    r"|(?:in\swriting|by\s(?:e-?mail|letter|text))\s(?:only|please)\b"
    r"|(?:e-?mail|writing)\sonly\b|\bwrite\sonly[.,;!]|(?:can(?:no|['’])t|cannot)\s(?:talk|speak|phone)\b)",
    flags=re.IGNORECASE,
)


def reports(text: str) -> int:
    """Return the n of "the nth time" that a customer states, or 0. Cost: linear in the text."""
    return _stated(text, word_keys(text))[0]


def _stated(text: str, keys: frozenset[str]) -> tuple[int, int, int]:
    """Return the highest n, and the range of the words that state it."""
    if not (_NTH.may(keys) or _TIMES.may(keys)):
        return 0, 0, 0
    lower = text.lower()
    # the search for "nth" looks at every word: spared where nothing is named that can be counted
    counted = any(unit in lower for unit in _UNITS)
    found = [
        (_number(one[1], one[2]), one.start(), one.end())
        for one in (_NTH.finditer(text) if counted else ())
    ]
    found += [
        (_number(one[1], one[2]), one.start(), one.end())
        for one in (_TIMES.finditer(text))
        if one[3] or (one[2] or "").lower() == "twice"
    ]
    likely = [one for one in found if one[0] <= MAX_REPORTS]
    return max(likely, key=lambda one: one[0], default=(0, 0, 0))


def _stated_in(message: Message, keys: frozenset[str]) -> tuple[int, Evidence | None]:
    """Return the highest n in the new zones of a message, and the words."""
    best: tuple[int, Evidence | None] = (0, None)
    zones = [(zone.start, zone.end) for zone in message.zones_of("new")]
    for first, last in zones if message.zones else [(0, len(message.text))]:
        count, start, end = _stated(message.text[first:last], keys)
        if count > best[0]:
            start, end = first + start, first + end
            best = count, Evidence(start, end, message.text[start:end], message.id)
    return best


def _number(digits: str | None, word: str | None) -> int:
    if digits:
        return int(digits)
    return _WORDS[word.lower()] if word else 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a thread at a time, whatever the mood of the words.

    Parameters
    ----------
    promises_open, promises_due, promises_broken, promises_moved : int
        Commitments of ours by state; moved ones were told in advance or renegotiated.
    just_broken : int
        Broken ones after which the last message is the customer's first word.
    conflicts : int
        Pairs of statements of ours that do not fit together.
    unanswered : int
        Questions of the customer's that our replies passed over.
    asked : int
        How often one of them was asked, at most.
    reports : int
        The highest n of "the nth time" that the customer states, or 0.
    waited_hours : float or None
        Clock hours since the customer's first word that we have not answered.
    """

    promises_open: int
    promises_due: int
    promises_broken: int
    promises_moved: int
    just_broken: int
    conflicts: int
    unanswered: int
    asked: int
    reports: int
    waited_hours: float | None


class Timeline:
    """What a thread shows as a whole, kept up to date message by message.

    Parameters
    ----------
    closed : container of date, optional
        Public holidays, which are no working days.

    Notes
    -----
    A message costs its own length and a bounded look at what is unsettled, however long the
    thread is.
    """

    def __init__(self, closed: Container[date] = ()) -> None:
        self.closed = closed
        self.commitments = Commitments(closed=closed)
        self.conflicts = Conflicts()
        self.questions = Questions()
        #: Messages of the customer's that people wrote and we can see.
        self.contacts = 0
        self.reports = 0
        #: The nth report that the customer's last message states, and the words.
        self.stated: tuple[int, Evidence | None] = (0, None)
        #: The last message that somebody wrote to the other side, and the last of ours.
        self.last: Message | None = None
        self.last_own: Message | None = None
        #: Whether the customer asked to be written to and not called.
        self.no_calls = False
        self._waiting_since: datetime | None = None

    def add(self, message: Message) -> None:
        """Read the next message of the thread."""
        keys = word_keys(message.text)
        self.commitments.add(message)
        self.conflicts.add(message, keys)
        self.questions.add(message, keys)
        if message.role == "system" or message.automatic or not message.public:
            return
        self.last = message
        if message.role == "customer":
            self.contacts += 1
            self.stated = _stated_in(message, keys)
            self.reports = max(self.reports, self.stated[0])
            self.no_calls |= _NO_CALLS.found(message.new_text, keys)
            self._waiting_since = self._waiting_since or message.sent_at
        else:
            self.last_own = message
            self._waiting_since = None

    def facts(self, now: datetime | None = None, *, lead_hours: float = LEAD_HOURS) -> Facts:
        """Say what is true at a time; by default that of the last message."""
        states = self.commitments.counts(now, lead_hours=lead_hours)
        unanswered = self.questions.unanswered()
        moment = now or (None if self.last is None else self.last.sent_at)
        return Facts(
            states["open"],
            states["due"],
            states["broken"],
            states["renegotiated"] + states["told_in_advance"],
            self.commitments.just_broken(),
            len(self.conflicts.found),
            len(unanswered),
            max((one.asked for one in unanswered), default=0),
            self.reports,
            hours_between(self._waiting_since, moment),
        )


def hours_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return clock hours, 0 where the end comes first; ``None`` where one is not known."""
    if start is None or end is None:
        return None
    return max((end - start).total_seconds() / 3600, 0.0)


_OPENS, _CLOSES, _DAY_HOURS = 9, 17, 8


#: Weeks in which every day is asked about, where holidays are known.
_WEEKS_DAY_BY_DAY: Final = 104


def business_hours_between(start: datetime, end: datetime, closed: Container[date] = ()) -> float:
    """Return the hours from Monday to Friday between 9 and 17, by the clock of `start`.

    Holidays count for nothing in the last two years. Whole weeks before that are counted at once,
    so the cost does not grow with the distance.
    """
    if end <= start:
        return 0.0
    end = end.astimezone(start.tzinfo)
    weeks = (end - start).days // 7
    if closed != ():
        weeks = max(weeks - _WEEKS_DAY_BY_DAY, 0)
    start += timedelta(weeks=weeks)
    hours = 5.0 * _DAY_HOURS * weeks
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        if day.weekday() < 5 and day.date() not in closed:
            opens, closes = day.replace(hour=_OPENS), day.replace(hour=_CLOSES)
            hours += max((min(end, closes) - max(start, opens)).total_seconds() / 3600, 0.0)
        day += timedelta(days=1)
    return hours

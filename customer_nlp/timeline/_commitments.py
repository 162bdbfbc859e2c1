"""Commitments: what either side undertook to do by when, and how each undertaking stands.

What undertakes something is found by `customer_nlp.timeline._undertakings`; here it is followed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from customer_nlp.records import Commitment, Message
from customer_nlp.text import Rule, word_keys
from customer_nlp.timeline._dates import public_holidays
from customer_nlp.timeline._undertakings import read, shipped_weights

__all__ = ["LEAD_HOURS", "Commitments", "commitments", "zone_of"]

LEAD_HOURS: Final = 24.0


def _any(*patterns: str) -> Rule:
    return Rule(*patterns, flags=re.IGNORECASE)


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
        if message.role == "system" or message.automatic or not message.public:
            return
        found = read(message, self._zone or zone_of(message), self._closed)
        said = _Said(message, found.latest)
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


#: A customer's words after the due time: it did not come …
_FAILED: Final = _any(
    r"\b(?:no|not\sa|not\sone|zero)\s(?:\w+\s)?(?:calls?|van|driver|report|text|texts|word|sign"
    r"|che(?:ck|que)|mail|e-?mail|show|one|news|man|card|answer|reply|parcel|box|piano|engineer"
    r"|technician|letter|money|refund|credit|delivery|message|visit|update|tracking|invoice"
    r"|payment|link|bag)\b",
    r"\b(?:nothing|nobody|no-?one|neither|nowhere|never|silence|none)\b",
    r"\bstill\s(?:no|not|waiting|nothing|in|on|at|the|here|showing|has|have|there|down|closed"
    r"|missing|getting)\b|\bsame\sas\sbefore\b",
    r"\bnot\s(?:arrived|come|here|received|heard|there|happened|been|a\s(?:word|sausage|peep)"
    r"|in\b)",
    r"\b(?:has|have|did|was|is|does|are|do|were)n['’]t\b",
    r"\bwhere\s(?:is|are|was)\b|\bwhich\s(?:morning|afternoon|day|friday)\b",
    r"\b(?:supposed|meant|was|were)\sto\sbe\b|\b(?:you|he|she|they)\s(?:said|promised|told|wrote"
    r"|swore)\b|\bwas\stold\b",
    r"\b(?:came\sand\swent|come\sand\sgone|has\sgone|went\sby|waited|waiting|missed|overdue|late"
    r"|days?\slater|weeks?\slater|passed|again|twice|third|fourth)\b",
    r"\b(?:instead\sof|so\smuch\sfor|liar?s?|ombudsman|trading\sstandards|money\sback|elsewhere"
    r"|hopeless|cancel)\b",
    r"[\"“][^\"”\n]{4,80}[\"”]",
    r"(?:^|it['’]?s\s|it\sis\s|now\s)(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day(?:['’]s)?\s(?:was|came|went|been|the\s\d|has)",
    r"(?:^|it['’]?s\s|it\sis\s|now\s)(?:the\s\d|quarter|half|ten\s|\d{1,2}[.:]\d\d|\d{1,2}\s(?:pm"
    r"|o['’]clock))",
    r"\b(?:still|another|only|gone|same|empty|wrong|asking|sat|asked|been\sand|ago|by\snow|without"
    r"|whichever|somebody|somewhere|hours?\slater)\b",
    r"\b(?:close|deleting|refund|return\sof|arrange|final|collect\sthe|elsewhere|joke|fools"
    r"|useless|lying|no\smore|done\swith)\b",
    r"\?",
)  # fmt: skip
#: … or it did.
_CAME: Final = _any(
    r"\b(?:thanks?|thank|ta|cheers|obliged|grateful|appreciat\w+|bless|legend|star|wicked"
    r"|brilliant|lovely|great|perfect|super|excellent|beautiful\w*|gorgeous|grand|marvell?ous"
    r"|delighted|happy|pleased)\b",
    r"\b(?:came|has\scome|have\scome|arrived|received|landed|delivered|fitted|got\s(?:it|them|the|your)|turned\sup"
    r"|showed\sup|went\sin|collected|installed|credited|refunded|you\srang|you\scalled|signed\sfor"
    r"|tested|even|every|both|both|money['’]s)\b",
    r"(?:\b(?:is|are|all)|['’]s|['’]re)\s(?:in|here|on|there|back|up|live|done|fixed|sorted|well"
    r"|fine|good|right|square|working|running|clean)\b",
    r"\b(?:works|working|running|sorted|fixed|solved|done|as\spromised|on\stime|to\sthe\sminute"
    r"|early|wire['’]s|all\sgood|spotless|confirmed)\b",
)
_DOUBT: Final = _any(r"\b(?:no|not|nothing|never|nobody|still|wrong|instead|only)\b|n['’]t\b|\?")
#: Words of arrival, which count before the due time as well.
_ARRIVED: Final = _any(
    r"\b(?:came|has\scome|have\scome|arrived|received|landed|delivered|fitted|turned\sup|went\sin|installed|collected"
    r"|reached|came\sthrough)\b",
    r"(?:\b(?:is|are|all)|['’]s|['’]re)\s(?:in|here|live|done|fixed|sorted|working|running)\b",
    r"\b(?:works|sorted|fixed|running|confirmed|got\s(?:it|them)|as\spromised|here\s(?:it|she|he"
    r"|they)\s(?:is|are))\b",
)
#: Our side says that it will be late …
_DELAY: Final = _any(
    r"\b(?:won['’]t|will\snot|cannot|can['’]t|not)\s(?:be\s)?(?:make|reach|come|arrive|ready"
    r"|tomorrow|today|on\sfriday|monday|tuesday|wednesday|thursday|friday|saturday|sunday|the\s\d"
    r"|\d)",
    r"\b(?:instead|becomes?|moves?|moved|postponed|delayed|late|later|slip(?:s|ped)?|held\sup"
    r"|stuck|broken\sdown|off\sthe\sroad|shut|rather\sthan|bad\snews|not\sdone|cancelled|failed"
    r"|wrong|new\s(?:date|day|slot|time)|before\sit['’]s\slate|ahead\sof|before\syou|sorry|afraid"
    r"|apolog\w+)\b",
    r"\bnow\b",
)
#: … or that it did not keep its word.
_OWNED_UP: Final = _any(
    r"\b(?:should\shave|did\snot|didn['’]t|missed|failed|never|our\s(?:error|fault|mistake"
    r"|failing)|slipped|no\sexcuse|was\s(?:not|wrong|lost|mine)|nobody|apolog\w+|inconvenience)\b",
)
_ASKS_TO_MOVE: Final = _any(
    r"\b(?:another|different|other)\s(?:day|time|date|slot)\b|\b(?:reschedule|re-?book|move\sit"
    r"|make\sit|push\sit|earlier|instead|doesn['’]t\ssuit|can['’]t\sdo|won['’]t\sbe\s(?:in|here"
    r"|home))\b",
)
#: What was promised is word itself, so that writing keeps it.
_CONTACT: Final = _any(
    r"\b(?:I|we)(?:['’]ll|\s(?:will|shall))\s(?:\w+\s)?(?:write|mail|e-?mail|text|ring|call|phone"
    r"|telephone|check|confirm|tell|let\syou|message|update|look)\b",
    r"\bI\s(?:write|call|ring|mail)\b|\bnext\sword\b|\bget\sback\b",
)


_MAX_LOOKAHEAD: Final = 40
_MAX_SEQUEL_CHARS: Final = 2000
_VERDICT_CHARS: Final = 400
#: Word on the day itself keeps a promise of word.
_SAME_DAY: Final = timedelta(hours=10)


class _Said:
    """A message as what follows earlier promises; every rule is asked once.

    Parameters
    ----------
    message : Message
        By a person.
    named : datetime or None
        The last time that it names.
    """

    __slots__ = ("_found", "_keys", "named", "role", "sent_at", "text")

    def __init__(self, message: Message, named: datetime | None) -> None:
        self.role = message.role
        self.sent_at = message.sent_at
        self.named = named
        # what a message says of a promise stands at its start
        self.text = message.new_text[:_MAX_SEQUEL_CHARS]
        self._keys: frozenset[str] | None = None
        self._found: dict[tuple[Rule, int], int] = {}

    def _may(self, rule: Rule) -> bool:
        if self._keys is None:
            self._keys = word_keys(self.text)
        return rule.may(self._keys)

    def has(self, rule: Rule) -> bool:
        """Whether a rule finds anything."""
        key = (rule, 0)
        if key not in self._found:
            self._found[key] = self._may(rule) and rule.search(self.text) is not None
        return bool(self._found[key])

    def count(self, rule: Rule, chars: int = _MAX_SEQUEL_CHARS) -> int:
        """Count the different words that a rule finds at the start."""
        key = (rule, chars)
        if key not in self._found:
            matches = rule.finditer(self.text[:chars]) if self._may(rule) else ()
            self._found[key] = len({match[0].lower() for match in matches})
        return self._found[key]


class _Followed:
    """A commitment with what followed it so far."""

    __slots__ = (
        "_asked", "_came", "_contact", "_failed", "_made", "_owned", "_record", "_signed",
        "answered", "heard", "left", "message_id", "promise", "settled", "text",
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
        self._asked = self._signed = self.heard = self.answered = self._owned = False
        self._failed = self._came = 0

    def take(self, said: _Said) -> bool:
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
        elif own:
            if not self.answered:
                self.answered, self._owned = True, said.has(_OWNED_UP)
        elif not self.heard:
            self.heard = True
            self._failed = said.count(_FAILED, _VERDICT_CHARS)
            self._came = said.count(_CAME, _VERDICT_CHARS)
            return True
        if self.heard and self.answered:
            self.settled = self._verdict()
        return False

    def _take_undated(self, said: _Said) -> bool:
        if said.has(_FAILED):
            self.settled = "broken"
        elif said.has(_ARRIVED):
            self.settled = "kept"
        return self.settled == "broken"

    def _take_before(self, said: _Said, due: datetime, *, own: bool) -> None:
        if not own:
            self._asked |= said.has(_ASKS_TO_MOVE)
            self._signed |= self._signs(said, due)
            if self._late(said, due) and said.has(_ARRIVED) and not said.has(_DOUBT):
                self.settled = "kept"
        elif said.named is not None and said.named > due and said.has(_DELAY):
            # the same side named a later date in time
            self.settled = "renegotiated" if self._asked else "told_in_advance"

    def _signs(self, said: _Said, due: datetime) -> bool:
        """Whether the other side says before the due time that it came.

        Words of arrival do; thanks do when they come nearer to the due time than to the promise,
        for thanks given at once are for the promise.
        """
        if self._late(said, due):
            came = said.count(_CAME)
            return came > 0 and came >= said.count(_FAILED)
        return said.has(_ARRIVED) and not said.has(_FAILED)

    def _late(self, said: _Said, due: datetime) -> bool:
        """Whether words come nearer to the due time than to the promise."""
        if self._made is None or said.sent_at is None:
            return False
        return (said.sent_at - self._made) * 2 >= due - self._made

    def _verdict(self) -> str:
        return "broken" if self._failed + self._owned > self._came + self._signed else "kept"

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
        return "kept" if self.answered and not self._owned else "broken"

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

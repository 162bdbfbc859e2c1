"""Commitments: what either side undertook to do by when, and how each undertaking stands.

Rules are data: tables of words and short patterns, developed on the train split of our own
threads and checked on its dev split. No weights.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from customer_nlp.records import Commitment, Message
from customer_nlp.timeline._dates import (
    Moment,
    Words,
    find_moments,
    may_hold_time,
    public_holidays,
)

__all__ = ["commitments"]

_FLAGS: Final = re.IGNORECASE
_APOSTROPHE: Final = "['’]"
_WILL: Final = rf"(?:{_APOSTROPHE}ll|\s(?:will|shall|should))"
_MAX_SENTENCE_WORDS: Final = 120


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:{one})" for one in patterns), _FLAGS)


_COMES: Final = (
    r"(?:goes|go|comes?|leaves?|ships?|arrives?|reaches|reach|brings?|collects?|visits?|lands?|passes"
    r"|follows?|waits?|starts|fits?|swaps?|moves?|rings?|calls?|flies|fly|gets?|picks?|drives?"
    r"|hands|delivers?|writes?|sends?|mails?|texts?|credits?|repays?|refunds?)"
)
#: How strong the words are: 2 undertakes something by itself, 1 only with a further sign.
_RULES: Final = tuple(
    (name, strength, re.compile(pattern, _FLAGS))
    for name, strength, pattern in (
        ("self_will", 2, rf"\b(?:I|we){_WILL}\s(?!need|have\sto|be\sable|not\b)\w+"),
        ("self_going", 2, rf"\b(?:I{_APOSTROPHE}m|we{_APOSTROPHE}re|I\sam|we\sare)\s(?:\w+\s)?"
         r"(?:going\sto|ringing|calling|phoning|sending|posting|emailing|mailing|coming|bringing|writing|driving)\b"),
        ("self_now", 2, rf"\b(?:I|we)\s{_COMES}\b"),
        ("you_have", 2, rf"\byou{_WILL}\s(?:\w+\s)?(?:have|get|receive|see|hear|find)\b"),
        ("will", 2, rf"(?<!\byou)(?<!\bthat){_WILL}\s(?:\w+\s)?(?!need|have\sto|expire|end\b|renew|cost|run\sout|not\b)\w+"),
        ("to_you", 2, r"\b(?:with|reach(?:es)?|to|passes)\syou\b"),
        ("place", 2, r"\b(?:in|on|into|to|at)\syour\s(?:\w+\s)?(?:account|card|inbox|hands?|door|gate|desk|dock|home|hall)\b"),
        ("new_date", 2, r"\bnew\s(?:date|day|slot|time|appointment)\b|\bnext\s(?:slot|word|update|news)\b"),
        ("booked", 1, r"\b(?:booked|rebooked|scheduled|rescheduled|delivered|planned|put\syou\sdown|down\sfor|in\sfor|moved\syou)\b"),
        ("moved", 1, r"\b(?:moved|confirmed|held|set)\b"),
        ("out", 1, r"\b(?:out|its\sway|the\svan|by\s(?:courier|express|post)|(?:the|tonight's|today's|tomorrow's)\s(?:post|mail|van))\b"),
        ("back", 2, r"\b(?:get\sback|let\syou\sknow|be\sin\stouch|report\sback|tell\syou|write\sto\syou|mail\syou)\b"),
        ("done", 1, r"\b(?:refunded|repaid|credited|fixed|ready|wired|finished|replaced|corrected|there|here|yours)\s(?:on|by|to|in|within|before|tomorrow|mon|tue|wed|thu|fri|sat|sun)"),
        ("present", 1, rf"\b\w+\s{_COMES}\b"),
    )
)  # fmt: skip
#: What makes a sentence something else: a request, a condition, a rule, an offer.
_NOT_SENTENCE: Final = _any(
    r"^\W*(?:please|kindly|could|can|would|may|shall|will|did|do|does|have|are|is|if|unless|when|should|renew|join|book|save)\b(?!.{0,60}\bI\swill)",
    r"\?\s*$",
    r"\b(?:expires?|valid|deadline|opening\shours|open\s(?:from|until|till|mon)|per\scent|discount|terms\sof|customers?\s(?:must|may|can))\b",
)
#: What makes a clause something else: the past, a request, a refusal, a condition.
_NOT_CLAUSE: Final = _any(
    r"\b(?:was|were|had|has\sbeen|did|ago|missed|yesterday|didn['’]t|wasn['’]t|should\shave|would|went|called|tried|came|since)\b",
    r"\byou\s(?:can|may|must|need|have\sto|could)\b",
    r"\b(?:if|unless|please|cancelled|ends?|is\soff|are\soff|is\sfree|so\sthat)\b",
    r"\b(?:should|must)\shave\b|\bbe\stoo\b|\bbill(?:ed)?\b",
)
#: Words with which a customer undertakes something.
_THEIRS: Final = _any(
    rf"\b(?:I|we)(?:{_APOSTROPHE}?ll|\s(?:will|shall))\s(?:send|pay|bring|come|call|ring|phone|post|mail|email|have|be\sthere|return|drop|get\sback|transfer|let\syou\sknow|forward|pick|collect|confirm|write|try|measure)\b",
    r"\b(?:I|we)\s(?:pay|come|bring|send|transfer|post|return)\b",
    r"\b(?:che(?:ck|que)|payment|money|list|photos?|form)(?:['’]s|\sis|\sgoes|\swill\sbe)?\s(?:in\s(?:the|tomorrow's)|goes|to\syou|coming|follows|going)",
    r"\bsee\sy(?:ou|a|['’]?all)\b",
)
_NOT_THEIRS: Final = _any(
    r"\?\s*$",
    r"\b(?:if|unless|otherwise|or\sI|until|before\sI)\b",
    r"\b(?:cancel|switch|leave|complain|ombudsman|lawyer|solicitor|court|dispute|elsewhere|miss|lose|need|want|wait)\w*",
)
#: A promised call counts without a time.
_CALL: Final = _any(
    rf"\b(?:I|we|someone|somebody|a\scolleague|(?:my|our|a|an|the)\s\w+){_WILL}\s(?:\w+\s)?(?:(?:call|ring|phone)\s(?:you|her|him|them)(?:\sback)?\b|be\sin\stouch)",
)


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
    lead_hours: float = 24.0,
    zone: tzinfo | Mapping[str, tzinfo] = UTC,
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
    zone : tzinfo or mapping of str to tzinfo
        In which "noon" and "Friday" are meant: one for all, or by message id.

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
    closed = public_holidays(holidays_of) if holidays_of else ()
    found: list[_Promise] = []
    for index, message in enumerate(messages):
        if message.role != "system" and not message.automatic and message.public:
            found.extend(_promises(index, message, zone, closed))
    moment = now or max((m.sent_at for m in messages if m.sent_at), default=None)
    return tuple(
        Commitment(
            message_id=messages[one.index].id,
            by=one.by,
            text=messages[one.index].text[one.start : one.end],
            start=one.start,
            end=one.end,
            due=one.due,
            state=_state(one, found, messages, moment, lead_hours),
        )
        for one in found
    )


def _promises(
    index: int, message: Message, zone: tzinfo | Mapping[str, tzinfo], closed: Container[date]
) -> Iterator[_Promise]:
    place = zone if isinstance(zone, tzinfo) else zone.get(message.id, UTC)
    sent = message.sent_at
    anchor = (sent or datetime(2001, 1, 1, 9, tzinfo=UTC)).astimezone(place)
    ranges = (
        [(one.start, one.end) for one in message.zones_of("new")]
        if message.zones
        else [(0, len(message.text))]
    )
    for start, end in ranges:
        part = message.text[start:end]
        if not may_hold_time(part) and _CALL.search(part) is None:
            continue
        words = Words(message.text, start, end)
        moments = [
            one
            for one in find_moments(words, anchor, closed)
            if one.due is not None and one.due > anchor
        ]
        for first, last in _sentences(words):
            inside = [one for one in moments if first <= one.first < last]
            for begin, finish, moment in _in_sentence(message, words, (first, last), inside):
                due = None if moment is None or sent is None else moment.due
                due = due.astimezone(UTC) if due is not None else None
                yield _Promise(index, message.role, begin, finish, due)


def _sentences(words: Words) -> Iterator[tuple[int, int]]:
    """Split words at end marks and at blank or short lines."""
    first = 0
    total = len(words)
    for index in range(total):
        word = words.lower[index]
        if word not in ".!?;\n":
            continue
        if word == "\n":
            ends = words.at(index + 1) == "\n" or index - first < 8
        else:
            ends = (
                not words.joined(index + 1)
                and not (word == "." and index and _abbreviated(words, index))
            )
        if ends or index - first > _MAX_SENTENCE_WORDS:
            if index > first:
                yield first, index + 1
            first = index + 1
    if first < total:
        yield first, total


_TITLES: Final = frozenset(["mr", "mrs", "ms", "dr", "st", "no", "approx", "nr", "jan", "feb", "mar", "apr", "aug", "sept", "sep", "oct", "nov", "dec"])


def _abbreviated(words: Words, index: int) -> bool:
    before = words.at(index - 1)
    return before in _TITLES or (before in {"m", "p", "a"} and words.joined(index - 1))


def _in_sentence(
    message: Message, words: Words, bounds: tuple[int, int], moments: list[Moment]
) -> Iterator[tuple[int, int, Moment | None]]:
    first, last = bounds
    start, end = words.starts[first], words.ends[last - 1]
    text = message.text
    if message.role == "customer":
        sentence = text[start:end]
        if moments and _THEIRS.search(sentence) and not _NOT_THEIRS.search(sentence):
            yield start, end, moments[-1]
        return
    if not moments:
        call = _CALL.search(text, start, end)
        if call is not None and not _NOT_SENTENCE.search(text[start:end]):
            yield call.start(), call.end(), None
        return
    if _NOT_SENTENCE.search(text[start:end]):
        return
    for begin, finish, moment in _clauses(words, bounds, moments):
        left, right = words.starts[begin], words.ends[finish - 1]
        if _undertakes(text[left:right], moment, words, finish - begin):
            yield left, right, moment


_JOINTS: Final = frozenset({",", ";", ":", "and", "but", "so", "–", "—", "-", "then"})


def _clauses(
    words: Words, bounds: tuple[int, int], moments: list[Moment]
) -> Iterator[tuple[int, int, Moment]]:
    """Cut a sentence between its times, at the first joint behind each."""
    first, last = bounds
    begin = first
    for number, moment in enumerate(moments):
        following = moments[number + 1].first if number + 1 < len(moments) else last
        joint = next(
            (i for i in range(moment.last, following) if words.lower[i] in _JOINTS), None
        )
        if joint is None and number + 1 < len(moments):
            continue
        finish = last if joint is None else joint
        while finish > begin + 1 and words.lower[finish - 1] in ".!;\n":
            finish -= 1
        if finish > begin:
            yield _lead_in(words, begin, moment), finish, moment
        begin = finish if joint is None else joint + 1


def _lead_in(words: Words, begin: int, moment: Moment) -> int:
    """Leave out what stands before the clause of the time: "Sorry about that: it will …"."""
    for index in range(moment.first - 2, begin, -1):
        if words.lower[index] in {":", ";"}:
            return index + 1
        if words.lower[index] in {",", "and", "but", "so"} and moment.first - index > 4:
            return index + 1
    return begin


def _undertakes(clause: str, moment: Moment, words: Words, length: int) -> bool:
    return bool(_why(clause, moment, words, length))


def _why(clause: str, moment: Moment, words: Words, length: int) -> str:
    if _NOT_CLAUSE.search(clause):
        return ""
    hits = [(strength, name) for name, strength, rule in _RULES if rule.search(clause)]
    if hits:
        return "+".join(name for _, name in hits)
    return "fragment" if length - (moment.last - moment.first) <= 3 and moment.has_day else ""


def _state(
    promise: _Promise,
    found: list[_Promise],
    messages: Sequence[Message],
    now: datetime | None,
    lead_hours: float,
) -> str:
    if promise.due is None or now is None:
        return "open"
    if now < promise.due:
        return "due" if promise.due - now <= timedelta(hours=lead_hours) else "open"
    return "kept"

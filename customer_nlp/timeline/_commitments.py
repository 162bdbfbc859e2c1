"""Commitments: what either side undertook to do by when, and how each undertaking stands.

Rules are data: tables of words and short patterns, developed on the train split of our own
threads and checked on its dev split. No weights.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import islice
from typing import Final

from customer_nlp.records import Commitment, Message
from customer_nlp.text import Rule
from customer_nlp.timeline._dates import (
    Moment,
    Words,
    find_moments,
    may_hold_time,
    public_holidays,
)

__all__ = ["LEAD_HOURS", "Commitments", "commitments", "zone_of"]

LEAD_HOURS: Final = 24.0
_APOSTROPHE: Final = "['’]"
_WILL: Final = rf"(?:{_APOSTROPHE}ll|\s(?:will|shall|should))"
_MAX_SENTENCE_WORDS: Final = 120
#: Nobody promises more in one message; it bounds what hostile text can cost.
_MAX_A_MESSAGE: Final = 40


def _any(*patterns: str) -> Rule:
    return Rule(*patterns, flags=re.IGNORECASE)


_COMES: Final = (
    r"(?:goes|go|comes?|leaves?|ships?|arrives?|reaches|reach|brings?|collects?|visits?|lands?"
    r"|passes"
    r"|follows?|waits?|starts|fits?|swaps?|moves?|rings?|calls?|flies|fly|gets?|picks?|drives?"
    r"|hands|delivers?|writes?|sends?|mails?|texts?|credits?|repays?|refunds?)"
)
#: Words of ours: strength 2 undertakes something by itself, 1 only with a further sign.
_RULES: Final = tuple(
    (name, strength, _any(pattern))
    for name, strength, pattern in (
        ("self_will", 2, rf"\b(?:I|we){_WILL}\s(?!need|have\sto|be\sable|not\b)\w+"),
        ("self_going", 2, rf"\b(?:I{_APOSTROPHE}m|we{_APOSTROPHE}re|I\sam|we\sare)\s(?:\w+\s)?"
         r"(?:going\sto|ringing|calling|phoning|sending|posting|emailing|mailing|coming|bringing"
         r"|writing|driving)\b"),
        ("may_call", 2, r"\b(?:may|can|could|shall)\sI\s(?:ring|call|phone)\syou\b"),
        ("self_now", 2, rf"\b(?:I|we)\s{_COMES}\b"),
        ("you_have", 2, rf"\byou{_WILL}\s(?:\w+\s)?(?:have|get|receive|see|hear|find)\b"),
        ("will", 2, rf"(?<!\byou)(?<!\bthat)(?:{_APOSTROPHE}ll|(?:^|\s)(?:will|shall))"
         rf"\s(?:\w+\s)?(?!need|have\sto|expire|end\b|renew|cost|run\sout|not\b)\w+"),
        ("should", 2, r"\bshould\s(?:be\s(?:with|there|here)|reach|arrive)\b"),
        ("to_you", 2, r"\b(?:with|reach(?:es)?|to|passes)\syou\b"),
        ("place", 2, r"\b(?:in|on|into|to|at)\syour\s(?:\w+\s)?(?:account|card|inbox|hands?|door"
        r"|gate|desk|dock|home|hall|step|counter|office|shop|school)\b"),
        ("new_date", 2, r"\bnew\s(?:date|day|slot|time|appointment)\b|\bnext\s(?:slot|word|update"
        r"|news)\b"),
        ("goes_back", 2, r"\b(?:goes|go|is\s(?:re)?paid|are\s(?:re)?paid)\s(?:back\s)?(?:to|on|in)"
         r"\s(?:you|your|his|her)\b"),
        ("goes_out", 2, r"\b(?:goes|go)\s(?:out|by|in\s(?:the|today's|tonight's|tomorrow's)"
         r"\s(?:post|mail))\b"),
        ("booked", 1, r"\b(?:booked|rebooked|scheduled|rescheduled|delivered|planned"
        r"|put\syou\sdown|down\sfor|in\sfor|moved\syou)\b"),
        ("moved", 1, r"\b(?:moved|confirmed|held|set)\b"),
        ("out", 1, r"\b(?:out|its\sway|the\svan|by\s(?:courier|express|post)|(?:the|tonight's"
        r"|today's|tomorrow's)\s(?:post|mail|van))\b"),
        ("back", 2, r"\b(?:get\sback|let\syou\sknow|be\sin\stouch|report\sback|tell\syou"
        r"|write\sto\syou|mail\syou)\b"),
        ("done", 1, r"\b(?:refunded|repaid|credited|fixed|ready|wired|finished|replaced|corrected"
        r"|there|here|yours)\s(?:on|by|to|in|within|before|tomorrow|mon|tue|wed|thu|fri|sat|sun)"),
        ("present", 1, rf"\b\w+\s{_COMES}\b"),
    )
)  # fmt: skip
#: What makes a sentence something else: a request, a condition, a rule, an offer.
_NOT_SENTENCE: Final = _any(
    r"^\W*(?:please|kindly|could|can|would|may|shall|will|did|do|does|have|are|is|if|unless|when"
    r"|should|renew|join|book|save)\b",
    r"\?\s*$",
    r"\b(?:expires?|valid|deadline|opening\shours|open\s(?:from|until|till|mon)|per\scent|discount"
    r"|terms\sof|customers?\s(?:must|may|can))\b",
)
#: What makes a clause something else: the past, a request, a refusal, a condition.
_NOT_CLAUSE: Final = _any(
    r"\b(?:was|were|had|has\sbeen|did|ago|missed|yesterday|didn['’]t|wasn['’]t|should\shave|would"
    r"|went|called|tried|came|since|stopped|checked|attended|sent|apply|close|shut|reminder|every"
    r"|might|won['’]t|can['’]t|cannot)\b",
    r"\byou\s(?:can|may|must|need|have\sto|could)\b",
    r"\b(?:if|unless|please|cancelled|ends|is\soff|are\soff|is\sfree|nobody|nothing)\b",
    r"\b(?:should|must)\shave\b|\bbe\stoo\b",
)
#: Words with which a customer undertakes something.
_THEIRS: Final = _any(
    rf"\b(?:I|we)(?:{_APOSTROPHE}?ll|\s(?:will|shall))\s(?:\w+\s)?(?:send|pay|bring|come|call|ring"
    rf"|phone|post|mail|email|have|be\sthere|return|drop|get\sback|transfer|let\syou\sknow|forward"
    rf"|pick|confirm|write|measure)\b",
    r"\bI\s(?:pay|come\sby|bring|transfer|post)\b",
    r"\b(?:check|cheque|payment|money|list|photos?|form)(?:['’]s|\sis|\sgoes"
    r"|\swill\sbe)?\s(?:in\s(?:the|tomorrow's)|goes|to\syou|coming|follows|going)",
)
_NOT_THEIRS: Final = _any(
    r"\?\s*$",
    r"[\"“”„]",
    r"\b(?:if|unless|otherwise|or\sI|until|before\sI|go\sin|our\s[A-Z]\w+|it\sis)\b",
    r"\b(?:cancel|switch|leav|complain|ombudsman|lawyer|solicitor|court|dispute|elsewhere|miss"
    r"|lose|need|want|wait)\w*",
)
_MAX_THEIR_CHARS: Final = 160
#: A second thing promised in one breath: "I'll ask the desk and send you … by noon".
_PROMISED: Final = _any(rf"\b(?:I|we){_WILL}\s")
_GOES_ON: Final = _any(
    r"\W{0,2}(?:send|write|tell|confirm|ring|call|have|e?mail|text|post|bring|let|get)\b"
)
#: A promised call back counts without a time; so does word "when he leaves".
_MAY_CALL: Final = _any(r"\b(?:may|can|could|shall)\sI\s(?:ring|call|phone)\syou\b")
_CALL: Final = _any(
    rf"\b(?:I|we|someone|somebody|a\scolleague){_WILL}\s(?:\w+\s)?(?:call|ring|phone)\syou\sback\b",
    rf"\b(?:I|we){_WILL}\s(?:\w+\s)?(?:text|write|ring|phone|e?-?mail|message|tell)\b[^.!?\n]{{0,50}}"
    r"\b(?:when|once|the\s(?:moment|day)|as\ssoon\sas)\b",
)
#: A sentence that is hardly more than a time, or one in the present, counts with these.
_FIRM: Final = _any(
    r"\b(?:by|before|between)\s", r"\bat\s(?:the\slatest|\d)", r"\bnoon\b", r"\d\s?(?:to|-|–)\s?\d"
)
_BRINGS: Final = _any(
    r"\b(?:comes?|arrives?|arriving|leaves?|ships?|follows?|brings?|goes?\s(?:to|back|in|live|out)"
    r"|reaches|collects?|swaps|delivered)\b"
)


_STRONG: Final = tuple((name, rule) for name, strength, rule in _RULES if strength == 2)
#: Weak rules that need no more than a day to come.
_FINISHED: Final = frozenset({"done", "out"})
#: Rules whose words stand behind the verb.
_OBJECTS: Final = frozenset({"to_you", "place", "new_date", "back"})
_WEAK: Final = tuple((name, rule) for name, strength, rule in _RULES if strength == 1)


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
    followed = Commitments(holidays_of=holidays_of, zone=zone)
    for message in messages:
        followed.add(message)
    return followed.at(now, lead_hours=lead_hours)


class Commitments:
    """The commitments of a thread as it goes on: every message is read once.

    Parameters
    ----------
    holidays_of, zone
        As for `commitments`.

    Notes
    -----
    A message costs its own length and, for each commitment of the last 40 messages that is not
    settled, a few comparisons.
    """

    def __init__(self, *, holidays_of: str | None = None, zone: tzinfo | None = None) -> None:
        self._closed = public_holidays(holidays_of) if holidays_of else ()
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
        named, promises = _promises(index, message, self._zone or zone_of(message), self._closed)
        said = _Said(message, named)
        self._heard = [one for one in self._live if one.take(said)]
        for one in self._live:
            if one.settled is not None and one.promise.by == "agent":
                self._settled[one.settled] += 1
        self._live = [one for one in self._live if one.settled is None and one.left]
        made = [_Followed(promise, message) for promise in promises]
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


def _promises(
    index: int, message: Message, place: tzinfo, closed: Container[date]
) -> tuple[datetime | None, list[_Promise]]:
    """Return the last time that a message names, and its commitments."""
    sent = message.sent_at
    anchor = (sent or datetime(2001, 1, 1, 9, tzinfo=UTC)).astimezone(place)
    latest: datetime | None = None
    found: list[_Promise] = []
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
            if one.due is not None and one.due > anchor and not _denied(words, one.first)
        ]
        for one in moments:
            if one.due is not None and one.has_day | one.has_clock:
                latest = max(one.due, latest or one.due)
        claims = list(islice(_claims(message, words, moments), _MAX_A_MESSAGE))
        strong = any(claim[3] for claim in claims)
        for begin, finish, moment, by_itself in claims:
            if by_itself or not strong:
                due = None if moment is None or moment.due is None or sent is None else moment.due
                due = due.astimezone(UTC) if due is not None else None
                found.append(_Promise(index, message.role, begin, finish, due))
    return latest, found


def _denied(words: Words, index: int) -> bool:
    """Whether a time is named as what it will not be: "not Thursday", "instead of Friday"."""
    return words.at(index - 1) in {"not", "than"} or (
        words.at(index - 1) == "of" and words.at(index - 2) == "instead"
    )


def _claims(
    message: Message, words: Words, moments: list[Moment]
) -> Iterator[tuple[int, int, Moment | None, bool]]:
    """Go through the sentences, each with the times in it."""
    place = 0
    for first, last in _sentences(words):
        begin = place
        while place < len(moments) and moments[place].first < last:
            place += 1
        yield from _in_sentence(message, words, (first, last), moments[begin:place])


def _sentences(words: Words) -> Iterator[tuple[int, int]]:
    """Split words at end marks and at blank or short lines."""
    first = 0
    total = len(words)
    for index in range(total):
        word = words.lower[index]
        if word not in ".!?;\n" and index - first < _MAX_SENTENCE_WORDS:
            continue
        if word == "\n":
            ends = words.at(index + 1) == "\n" or index - first < 8
        else:
            ends = not words.joined(index + 1) and not (
                word == "." and index and _abbreviated(words, index)
            )
        if ends or index - first > _MAX_SENTENCE_WORDS:
            if index > first:
                yield first, index + 1
            first = index + 1
    if first < total:
        yield first, total


_TITLES: Final = frozenset({
    "mr", "mrs", "ms", "dr", "st", "no", "approx", "nr", "jan", "feb", "mar", "apr", "aug",
    "sept", "sep", "oct", "nov", "dec"
})  # fmt: skip


def _abbreviated(words: Words, index: int) -> bool:
    before = words.at(index - 1)
    return before in _TITLES or (before in {"m", "p", "a"} and words.joined(index - 1))


def _in_sentence(
    message: Message, words: Words, bounds: tuple[int, int], moments: list[Moment]
) -> Iterator[tuple[int, int, Moment | None, bool]]:
    """Yield range, time and whether the words undertake something by themselves."""
    first, last = bounds
    start, end = words.starts[first], words.ends[last - 1]
    sentence = message.text[start:end]
    if message.role == "customer":
        if not moments or len(sentence) > _MAX_THEIR_CHARS:
            return
        if _THEIRS.search(sentence) and not _NOT_THEIRS.search(sentence):
            yield start, end, moments[-1], True
        return
    if _NOT_SENTENCE.search(sentence) and not (moments and _MAY_CALL.search(sentence)):
        return
    if not moments:
        call = _CALL.search(sentence)
        if call is not None:
            yield start + call.start(), start + call.end(), None, True
        return
    for begin, finish, pair in _clauses(words, bounds, moments):
        left, right = words.starts[begin], words.ends[finish - 1]
        going_on = _PROMISED.search(message.text, start, left) is not None
        for moment in pair if pair[0] is not pair[1] else pair[:1]:
            until = words.ends[moment.last - 1] - left
            strength, offset = _strength(
                message.text[left:right], until, moment, finish - begin, going_on=going_on
            )
            if strength:
                offset += message.text[left + offset].isspace()
                yield left + offset, right, _sharpened(moment, moments), strength == 2
                break


def _sharpened(moment: Moment, moments: list[Moment]) -> Moment:
    """Take the time of day from further on in the sentence: "your Friday rehearsal at 19:00"."""
    later = next((one for one in moments if one.first >= moment.last), None)
    if moment.has_clock or later is None or later.has_day or not later.has_clock:
        return moment
    same = moment.due and later.due and moment.due.date() == later.due.date()
    return later if same else moment


_JOINTS: Final = frozenset({
    ",", ";", ":", "and", "but", "so", "–", "—", "-", "then"
})  # fmt: skip


def _clauses(
    words: Words, bounds: tuple[int, int], moments: list[Moment]
) -> Iterator[tuple[int, int, list[Moment]]]:
    """Cut a sentence between its times, at the first joint behind each."""
    first, last = bounds
    begin = first
    held: list[Moment] = []
    for number, moment in enumerate(moments):
        following = moments[number + 1].first if number + 1 < len(moments) else last
        joint = next((i for i in range(moment.last, following) if words.lower[i] in _JOINTS), None)
        held.append(moment)
        if joint is None and number + 1 < len(moments):
            continue
        finish = last if joint is None else joint
        while finish > begin + 1 and words.lower[finish - 1] in ".!;\n":
            finish -= 1
        if finish > begin:
            yield _lead_in(words, begin, held[0]), finish, [held[0], held[-1]]
        begin, held = (finish if joint is None else joint + 1), []


def _lead_in(words: Words, begin: int, moment: Moment) -> int:
    """Leave out what stands before the clause of the time: "Sorry about that: it will …"."""
    for index in range(moment.first - 2, begin, -1):
        if words.lower[index] in {":", ";"}:
            return index + 1
    return begin


def _strength(
    clause: str, until: int, moment: Moment, length: int, *, going_on: bool
) -> tuple[int, int]:
    """Weigh a clause that names a time.

    Returns
    -------
    (int, int)
        2 where the words undertake by themselves, 1 where they do when nothing else does, 0 for
        none; and where in the clause they start.
    """
    for name, rule in _STRONG:
        found = _last(rule, clause, until)
        if found is None:
            continue
        # Who acts stands before "with you", but in "I'll …" itself
        start = 0 if name in _OBJECTS else found.start()
        if name in _OBJECTS and moment.near and not moment.has_clock:
            continue
        if not _NOT_CLAUSE.search(clause, start, max(until, found.end())):
            return 2, start
    if going_on and _GOES_ON.match(clause):
        return 2, 0
    if _NOT_CLAUSE.search(clause, 0, until):
        return 0, 0
    bare = length - (moment.last - moment.first) <= 3
    firm = _FIRM.search(clause) is not None
    if moment.near:
        return int(moment.has_clock and firm and not bare and moment.has_day), 0
    kinds = {name for name, rule in _WEAK if rule.search(clause)}
    if bare and not kinds:
        return int(firm and moment.has_clock and moment.has_day), 0
    plain = moment.has_clock or firm or _BRINGS.search(clause) is not None
    return int(bool(kinds & _FINISHED) or (bool(kinds) and plain)), 0


def _last(rule: Rule, clause: str, until: int) -> re.Match[str] | None:
    """Return the last match that starts before a place, else the first one behind it."""
    found = None
    for match in rule.finditer(clause):
        if found is not None and match.start() >= until:
            break
        found = match
    return found


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

    __slots__ = ("_found", "named", "role", "sent_at", "text")

    def __init__(self, message: Message, named: datetime | None) -> None:
        self.role = message.role
        self.sent_at = message.sent_at
        self.named = named
        # what a message says of a promise stands at its start
        self.text = message.new_text[:_MAX_SEQUEL_CHARS]
        self._found: dict[tuple[Rule, int], int] = {}

    def has(self, rule: Rule) -> bool:
        """Whether a rule finds anything."""
        key = (rule, 0)
        if key not in self._found:
            self._found[key] = rule.search(self.text) is not None
        return bool(self._found[key])

    def count(self, rule: Rule, chars: int = _MAX_SEQUEL_CHARS) -> int:
        """Count the different words that a rule finds at the start."""
        key = (rule, chars)
        if key not in self._found:
            matches = rule.finditer(self.text[:chars])
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

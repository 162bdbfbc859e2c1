"""What our side said that does not fit together, and what the customer asked in vain.

Precise rather than complete: a contradiction is reported only where two statements of ours fall
into a pair that excludes each other and the later one does not own up to the change.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from customer_nlp.records import Conflict, Evidence, Message, Unanswered
from customer_nlp.text import Rule, caseless, sentences, word_keys
from customer_nlp.timeline._dates import Words, find_moments, may_hold_time

__all__ = ["Conflicts", "Questions", "conflicts", "unanswered"]

_MAX_STATEMENTS: Final = 200
_MAX_QUESTIONS: Final = 60


#: Reasons that a refusal, cancellation or delay is put down to.
_REASONS: Final = tuple(
    (name, caseless(pattern))
    for name, pattern in (
        ("stock", r"\b(?:out\sof\sstock|sold\sout|inventory|no\slonger\s(?:available|in\sstock)"
        r"|discontinued|stock\s(?:issue|problem|shortage)|supplier)\b"),
        ("payment", r"\b(?:card\s(?:was|has\sbeen|got)?\s?(?:declined|refused|rejected)"
        r"|payment\s(?:was|had|has\sbeen)?\s?(?:not\sauthori[sz]ed|failed|declined|rejected)"
        r"|bank\s(?:declined|refused|rejected)|credit\scard|payment\sissue)\b"),
        ("address", r"\b(?:wrong|incomplete|invalid|incorrect)\saddress\b|\baddress\s(?:was"
        r"|is)\s(?:wrong|incomplete|invalid|incorrect)\b"),
        ("absence", r"\b(?:nobody|no\sone|no-one)\s(?:was\s(?:in|there|home|at\shome)|answered"
        r"|opened)\b|\bno\sanswer\b"),
        ("weather", r"\b(?:weather|snow|storm|flood\w*|fog)\b"),
        ("strike", r"\bstrikes?\b"),
        ("customs", r"\bcustoms\b"),
        ("staff", r"\b(?:driver|engineer|technician|colleague)\s(?:is|was|has\sbeen|fell)\s"
        r"(?:\w+\s)?(?:ill|sick|off)\b|\bshort-?\s?(?:staffed|of\sstaff)\b|\bstaff\sshortage\b"),
        ("breakdown", r"\b(?:van|truck|lorry)\s(?:was|is|has)?\s?(?:broken\sdown|broke\sdown"
        r"|off\sthe\sroad|stuck)\b"),
        ("system", r"\b(?:system|software|computer)\s(?:error|fault|problem|issue|outage)\b"),
        ("request", r"\b(?:at\syour\s(?:own\s)?request|you\s(?:asked\sus\sto\scancel|cancelled"
        r"|requested))\b"),
    )
)  # fmt: skip
#: A sentence in which a reason is one for something that went wrong.
_OUTCOME: Final = caseless(
    r"\b(?:cancel\w*|declined|refused|rejected|delay\w*|late|because|due\sto|reason|owing\sto"
    r"|unable|could\snot|couldn['’]t|attended|missed|held\sup)\b"
)
#: Earlier state and later state that exclude each other.
_STATES: Final = tuple(
    (caseless(first), caseless(second))
    for first, second in (
        (
            r"\b(?:was|were|been|has|have|is|are|it)\s(?:\w+\s)?(?:posted|dispatched|shipped|sent"
            r"|collected)\b|\b(?:with\sthe\scourier|out\sfor\sdelivery|on\s(?:its|their)\sway"
            r"|has\sleft|have\sleft|goods\sleft)\b",
            r"\b(?:(?:been|was|is|were)\scancelled|still\sin\s(?:calculation|production|stock"
            r"|the\swarehouse)|will\s(?:be\s)?ship\w*|not\s(?:been\s|yet\s)?(?:sent|shipped"
            r"|dispatched|posted|left)|never\s(?:sent|posted|shipped|left)|out\sof\sstock"
            r"|missed\sthe\svessel|no\srecord)\b",
        ),
        (
            r"\b(?:was|were|been|have|has)\s(?:\w+\s)?(?:received|returned)\b|\breceived\syour\b"
            r"|\b(?:return|payment|form|documents?)\s(?:has\s|have\s)?(?:safely\s)?arrived\b"
            r"|\bwe\shave\syour\b|\bthank\syou\sfor\s(?:your\spayment|the\sphotos|sending)\b",
            r"\b(?:have\snot|haven['’]t|not|nothing|never|no)\s(?:yet\s)?(?:been\s)?received\b"
            r"|\bsend\s(?:us\s)?(?:a\s)?proof\sof\s(?:return|payment)\b"
            r"|\bdon['’]t\sseem\sto\shave\b|\bno\s(?:\w+\s){1,2}has\sbeen\sreceived\b"
            r"|\bno\srecord\b",
        ),
        (
            r"\b(?:have|has|been|is|are|I['’]ve|we['’]ve)\s(?:\w+\s)?(?:closed|cancelled|stopped"
            r"|removed|skipped|frozen|paused|taken\soff)\b",
            r"\b(?:still|are|is|remains?)\s(?:active|live|running)\b|\binvoice\sstands\b"
            r"|\bwas\snot\s(?:skipped|cancelled|closed|received)\b|\bcharged\sas\susual\b"
            r"|\bwill\srenew\b|\bno\s(?:closure|cancellation)\s(?:request|was)\b",
        ),
        (
            r"\b(?:no\s(?:charge|fee|cost)|free\sof\scharge|nothing\sto\spay|carry\sno\scharge"
            r"|you\sare\sdue|refunded|goes\sback\sto\syour|refund\shas\sbeen\s(?:processed"
            r"|approved))\b",
            r"\b(?:non-refundable|not\srefundable|no\srefund|cannot\sbe\srefunded|remains\spayable"
            r"|no\sdifference\sis\spayable|refund\sis\scorrect\sand\sfinal|(?:late|missed"
            r"|redelivery|cancellation)\s(?:\w+\s)?fee|fee\sof\s[£$€]?\d+\s(?:applies|has)"
            r"|overdue\samount)\b",
        ),
        (
            r"\b(?:will\sbe\s(?:with\syou|delivered)|with\syou\s(?:on|by)|arrives?\s(?:on"
            r"|by)?)\b[^.!?\n]{0,40}\b(?:mon|tues|wednes|thurs|fri|satur|sun|\d)",
            r"\b(?:dates?|times?)\s(?:are|is)\s(?:an\s)?estimates?\b|\blead\stime\sof\b"
            r"|\bnot\sguaranteed\b|\battended\b[^.!?\n]{0,60}\bnot\sready\b",
        ),
        (
            r"\b(?:(?:is|are)\s(?:still\s|fully\s)?(?:under|in|within)\s(?:\w+\s)?"
            r"(?:warranty|guarantee)|(?:warranty|guarantee)\s(?:\w+\s)?covers)\b",
            r"\b(?:out\sof\s(?:warranty|guarantee)|(?:no\slonger|not)\s(?:\w+\s){0,2}(?:warranty"
            r"|guarantee)|(?:warranty|guarantee)\s(?:has\s)?(?:expired|ended|lapsed|is\sover))\b",
        ),
        (
            r"\b(?:is|are)\s(?:\w+\s)?in\sstock\b",
            r"\b(?:out\sof\sstock|sold\sout|discontinued|no\slonger\savailable)\b",
        ),
        (
            r"\b(?:missed\s(?:visit|slot|call)|(?:van|truck|driver|assessor|engineer|technician)"
            r"(?:['’]s|\sis|\swas)\s(?:\w+\s)?(?:broken\sdown|stuck|held\sup))\b",
            r"\b(?:(?:no\sone|nobody|no-one)\s(?:answered|opened|was\s(?:in|home|there))|card\swas"
            r"\sleft|no\saccess|gain\saccess|delivered\sand\ssigned)\b",
        ),
        (
            r"\b(?:refund\s(?:was|has\sbeen)\s(?:sent|processed|approved|issued)"
            r"|(?:sent|processed|approved|issued)\s(?:your|the|a)\s(?:full\s)?refund|will\sbe"
            r"\s(?:credited|refunded)|have\sit\srefunded)\b",
            r"\b(?:nothing\sto\srefund|no\s(?:credit|refund)\s(?:was|is\sdue)|pending\sapproval|refund"
            r"\s(?:has\snot|was\snot|hasn['’]t|is\snot))\b",
        ),
        (
            r"\b(?:(?:you\sare|you['’]re|is|are)\s(?:\w+\s)?confirmed|all\sdone|I['’]ve"
            r"\s(?:added|booked|reserved))\b",
            r"\b(?:no\srecord|cannot\sbe\saccepted|not\saccepted|allocated\sby|may\sassign)\b",
        ),
        (
            r"\bdo\snot\s(?:update|reinstall|restart|reset|open|send|pay|return)\b"
            r"|\bplease\s(?:reinstall|update|reset|restart)\b",
            r"\bmust\s(?:run|be\supdated|update)\b|\bshould\snever\sbe\b",
        ),
    )
)  # fmt: skip
#: Something was free or included, with no condition …
_FREE: Final = caseless(
    r"\b(?:free|(?:is|are)\sincluded|nothing\s(?:extra\s)?to\spay|no\s(?:extra\s)?(?:charge|cost|fee)|on\sus)\b"
)
_CONDITION: Final = caseless(
    r"\b(?:if|unless|over|above|until|till|when|where|from|upgrade|offer)\b"
)
#: … and now it costs.
_COSTS: Final = caseless(
    r"(?:[£$€]\s?\d|\b\d+(?:[.,]\d\d)?\s?(?:eur|euros?|usd|gbp|pounds|dollars)\b|\bcharged\b)"
)
_GREETING: Final = caseless(
    r"^\W{0,4}(?:hi|hello|dear|hey|morning|good\s\w+)\b[^,!.\n]{0,40}[,!.]?"
)
_MAX_COMPARED_CHARS: Final = 300
_MAX_PLAIN_CHARS: Final = 160
_OWNS_UP: Final = caseless(
    r"\b(?:wrong|mistake|error|correct(?:ed|ion)|misread|I\swas\swrong|our\sfault"
    r"|should\shave|misunderst\w+|instead|changed|moved|new\s(?:date|price|day|slot)|as\sagreed"
    r"|you\swere\sright|you['’]re\sright|you\sare\sright|replaces|void|nonsense|sorry|apolog\w+"
    r"|bad\snews|I\ssaid)\b"
)
_AMOUNT: Final = caseless(
    r"(?P<before>[£$€]\s?)?\d{1,3}(?:[,.]\d{3}){0,3}(?:[.,]\d\d)?(?!\d)(?(before)|\s?(?:eur|euros?"
    r"|usd|gbp|pounds|dollars)\b)"
)
_LABEL: Final = caseless(
    r"\b(?:premium|rent|rate|balance|deposit|residual|instal?ment|total|price|figure|fee|value"
    r"|refund)\b"
)
_END: Final = caseless(
    r"\b(?P<what>contract|plan|lease|agreement|works?|warranty|guarantee|licen[cs]e|notice|scheme"
    r"|subscription|deadline|offer)\b[^.!?\n]{0,30}?\b(?P<verb>ends?|ended|runs?|ran|expires?"
    r"|expired|until|is|closed|closes)\b"
)


#: Words with which a customer holds two accounts of ours against each other.
_TWO_ACCOUNTS: Final = Rule(
    r"\bwhich\s(?:one\s|of\s(?:you|them|these|those|the\s(?:two|three))\s)?(?:\w+\s)?(?:is\s(?:it"
    r"|right|true|correct)|am\sI\s(?:to|supposed|meant)|do\sI\s(?:believe|follow|trust)"
    r"|should\sI\s(?:believe|follow|trust)|counts|holds|applies|was\sit)\b",
    r"\bfirst\s(?:it|its|it['’]s|you|they|the)\b[^.!?\n]{0,80}\b(?:now|then|today)\b",
    r"\b(?:says?|said|wrote|writes?|told)\b[^.!?\n]{0,90}[.,;]\s?(?:(?:and|but|now|then)\s){0,2}"
    r"(?:\w+\s){1,5}(?:says?|said|write|writes|wrote|tells?|told)\b",
    r"\b(?:can['’]?t\sbe\sboth|the\stwo\sof\syou|both\sof\syou|(?:talk|speak)\sto\s(?:each\sother"
    r"|one\sanother)|make\s(?:up\s)?your\smind|one\sof\s(?:you|ye|them)\ssays"
    r"|(?:two|three)\s(?:\w+\s)?(?:stories|answers|accounts|versions|reasons|explanations|dates"
    r"|prices|amounts|figures|totals))\b",
    flags=re.IGNORECASE,
)
_REPLIES_REMEMBERED: Final = 8
_MAX_COMPLAINT_CHARS: Final = 2000


@dataclass(frozen=True, slots=True)
class _Statement:
    words: Evidence
    topic: str
    value: str


def conflicts(messages: Sequence[Message]) -> tuple[Conflict, ...]:
    """Find statements of our side that do not fit together.

    Parameters
    ----------
    messages : sequence of Message
        One thread, in order. Statements are those of our public replies, in their new zones; a
        customer who holds two of them against each other is believed.

    Returns
    -------
    tuple of Conflict
        By the place of the second statement; one for each kind and later message at most.

    Notes
    -----
    Linear in the text: of a long thread the first 200 statements are compared. Two statements
    of one message are not compared, nor is one that owns up to a change.
    """
    followed = Conflicts()
    for message in messages:
        followed.add(message)
    return tuple(followed.found)


class Conflicts:
    """The statements of our side as a thread goes on: every message is read once."""

    def __init__(self) -> None:
        self.found: list[Conflict] = []
        self._facts: list[_Statement] = []
        #: For each pair of states the last statement of the first, until the second was stated.
        self._states: dict[int, Evidence] = {}
        #: What was said to be free.
        self._free: list[_Plain] = []
        #: Our last plain statement of each thing, by its content words.
        self._plain: dict[frozenset[str], Evidence] = {}
        #: Our last replies, and whether the customer has spoken since.
        self._replies: deque[_Reply] = deque(maxlen=_REPLIES_REMEMBERED)
        self._fresh = False

    def add(self, message: Message, keys: frozenset[str] | None = None) -> None:
        """Read the next message of the thread; `keys` are its `word_keys`, where known."""
        if message.automatic or not message.public or message.role not in {"agent", "customer"}:
            return
        if message.role == "customer":
            self._believe(message.new_text[:_MAX_COMPLAINT_CHARS])
            self._fresh = False
        else:
            self._reply(_Reply(message, word_keys(message.text) if keys is None else keys))
            self._fresh = True

    def _believe(self, complaint: str) -> None:
        """Find what a customer holds against each other: our last words and earlier ones."""
        if not self._fresh or len(self._replies) < 2:
            return
        *before, last = self._replies
        told = _TWO_ACCOUNTS.search(complaint) is not None
        words = _content(complaint) if told else _quoted(complaint)
        if not words or any(one.second.message_id == last.message_id for one in self.found):
            return
        first = max((one.closest(words) for one in before), key=lambda one: one[1])
        second = last.closest(words if told else _content(complaint))
        if not told and first[1] < max(2, _QUOTED * len(words)):
            return
        if first[1] and second[1] and first[1] + second[1] >= _COMMON_WORDS:
            kind = _difference(first[0].text, second[0].text)
            self.found.append(Conflict(kind, first[0], second[0]))

    def _reply(self, said: _Reply) -> None:
        self._replies.append(said)
        stated = list(said.facts())
        free = [one for one in said.about(_FREE) if not _CONDITION.search(one[0].text)]
        plain = dict(said.plain())
        known = [*self._facts_against(stated), *islice(self._clashes(said), 1)]
        clashes = known or list(islice(self._differing(plain), 1))
        if clashes and not said.find(_OWNS_UP):
            self.found.extend(clashes)
        self._free.extend(free[: _MAX_STATEMENTS - len(self._free)])
        if len(self._plain) < _MAX_STATEMENTS:
            self._plain |= plain
        self._facts.extend(stated[: _MAX_STATEMENTS - len(self._facts)])
        self._note_states(said)

    def _facts_against(self, stated: Sequence[_Statement]) -> Iterator[Conflict]:
        reported: set[str] = set()
        for one in stated:
            before = [old for old in self._facts if old.topic == one.topic]
            kind = one.topic.partition(":")[0]
            if kind in reported or not before or any(old.value == one.value for old in before):
                continue
            reported.add(kind)
            yield Conflict(kind, before[-1].words, one.words)

    def _differing(self, plain: Mapping[frozenset[str], Evidence]) -> Iterator[Conflict]:
        """Yield statements made before in the same words, but for a figure, a day or a "not"."""
        for words, later in plain.items():
            earlier = self._plain.get(words)
            kind = None if earlier is None else _denies(earlier, later)
            if earlier is not None and kind is not None:
                yield Conflict(kind, earlier, later)

    def _clashes(self, said: _Reply) -> Iterator[Conflict]:
        for pair, earlier in sorted(self._states.items()):
            later = said.find(_STATES[pair][1])
            if later is not None:
                yield Conflict("state", earlier, later)
        for later, words in said.about(_COSTS) if self._free else ():
            for earlier, before in () if _FREE.search(later.text) else reversed(self._free):
                if words & before:
                    yield Conflict("amount", earlier, later)

    def _note_states(self, said: _Reply) -> None:
        for pair, (first, second) in enumerate(_STATES):
            stated = said.find(first, last=True)
            if stated is None and pair not in self._states:
                continue
            denied = said.find(second)
            if denied is not None:
                # what was denied before is no news now
                self._states.pop(pair, None)
            if stated is not None and (denied is None or denied.start < stated.start):
                self._states[pair] = stated


_Plain = tuple[Evidence, set[str]]
_NOT: Final = caseless(r"\b(?:not|no|never|non|cannot)\b|n['’]t\b")
#: Nothing is stated for good: a condition, something to be done, or news of a change.
_PASSING: Final = caseless(
    r"\b(?:if|unless|when|once|until|till|yet|now|still|again|so\sfar|otherwise|I|we|please|let"
    r"|next)\b|\?"
)
#: What two statements of one thing may differ in.
_VARIES: Final = re.compile(
    r"\d|(?:mond|tues|wedn|thur|frid|satu|sund|janu|febr|marc|apri|june|july|augu|sept|octo|nove|dece"
    r"|toda|tomo|eur|euro|gbp|usd|poun|doll|non|yes|unfo)$|may$"
)


_DAY: Final = caseless(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|\d{1,2}(?:st|nd|rd|th)?\s"
    r"(?:of\s)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\b"
)


def _sum(amount: str) -> str:
    return re.sub(r"[^\d.]", "", amount.replace(",", "")).removesuffix(".00")


def _denies(earlier: Evidence, later: Evidence) -> str | None:
    """Say in what two statements in the same words differ, ``None`` where they do not."""
    if (_NOT.search(earlier.text) is None) != (_NOT.search(later.text) is None):
        return "state"
    sums = [{_sum(one[0]) for one in _AMOUNT.finditer(said.text)} for said in (earlier, later)]
    if len(sums[0]) == len(sums[1]) == 1:
        return None if sums[0] == sums[1] else "amount"
    days = [{one[0].lower() for one in _DAY.finditer(said.text)} for said in (earlier, later)]
    return "date" if all(days) and not days[0] & days[1] else None


#: Content words of the complaint that both statements together must share.
_COMMON_WORDS: Final = 2
_QUOTE: Final = re.compile(r"[\"“]([^\"”\n]{4,120})[\"”]")
#: Share of a quote that our words must hold.
_QUOTED: Final = 0.75


def _quoted(complaint: str) -> set[str]:
    """Return the content words of the longest quote."""
    return max((_content(one[1]) for one in _QUOTE.finditer(complaint)), key=len, default=set())


def _difference(first: str, second: str) -> str:
    """Say what two statements differ in, as far as their words tell."""
    if _AMOUNT.search(first) and _AMOUNT.search(second):
        return "amount"
    if may_hold_time(first) and may_hold_time(second):
        return "date"
    reasons = any(rule.search(first) for _, rule in _REASONS)
    return "reason" if reasons and any(rule.search(second) for _, rule in _REASONS) else "state"


class _Reply:
    """A reply of ours; its sentences are told apart only where a rule finds anything in it."""

    __slots__ = ("_keys", "_message", "_ranges")

    def __init__(self, message: Message, keys: frozenset[str]) -> None:
        self._message = message
        self._keys = keys
        self._ranges: list[tuple[int, int]] | None = None

    @property
    def message_id(self) -> str | None:
        """Id of the message."""
        return self._message.id

    def closest(self, words: set[str]) -> tuple[Evidence, int]:
        """Return the sentence that shares most words with a complaint, and how many."""
        text = self._message.text
        shared = [
            (len(_content(_GREETING.sub("", text[start:end])) & words), -start, end)
            for start, end in self.sentences()
        ]
        count, start, end = max(shared, default=(0, 0, 0))
        return Evidence(-start, end, text[-start:end], self._message.id), count

    def sentences(self, *rules: Rule) -> Sequence[tuple[int, int]]:
        """Return its sentences, none where rules find nothing in the whole text."""
        text = self._message.text
        if rules and not any(rule.found(text, self._keys) for rule in rules):
            return ()
        if self._ranges is None:
            self._ranges = list(islice(_sentences_of(self._message), _MAX_STATEMENTS))
        return self._ranges

    def find(self, rule: Rule, *, last: bool = False) -> Evidence | None:
        """Return the first sentence, or the last, in which a rule finds anything."""
        text, ranges = self._message.text, self.sentences(rule)
        for start, end in ranges[::-1] if last else ranges:
            if rule.search(text, start, end):
                return Evidence(start, end, text[start:end], self._message.id)
        return None

    def about(self, rule: Rule) -> Iterator[_Plain]:
        """Yield the statements in which a rule finds anything, with their content words."""
        for start, end in self.sentences(rule):
            text = self._message.text[start:end]
            if len(text) > _MAX_COMPARED_CHARS or text.rstrip().endswith("?"):
                continue
            greeting = _GREETING.match(text)
            words = _content(text[greeting.end() if greeting else 0 :])
            if words and rule.search(text):
                yield Evidence(start, end, text, self._message.id), words

    def plain(self) -> Iterator[tuple[frozenset[str], Evidence]]:
        """Yield its short statements by their content words, without what they may differ in."""
        for start, end in self.sentences():
            text = self._message.text[start:end]
            if len(text) <= _MAX_PLAIN_CHARS and _PASSING.search(text) is None:
                words = frozenset(one for one in _content(text) if not _VARIES.match(one))
                if words:
                    yield words, Evidence(start, end, text, self._message.id)

    def facts(self) -> Iterator[_Statement]:
        """Yield its reasons, amounts and dates."""
        for start, end in self.sentences(_OUTCOME, _LABEL, _END):
            yield from _facts(self._message, start, end)


def _sentences_of(message: Message) -> Iterator[tuple[int, int]]:
    if not message.zones:
        yield from sentences(message.text)
        return
    for zone in message.zones_of("new"):
        yield from sentences(message.text, zone.start, zone.end)


def _facts(message: Message, start: int, end: int) -> Iterator[_Statement]:
    text = message.text[start:end]
    if text.endswith("?"):
        return
    said = Evidence(start, end, text, message.id)
    if _OUTCOME.search(text):
        for name, rule in _REASONS:
            if rule.search(text):
                yield _Statement(said, "reason", name)
                break
    label = _LABEL.search(text)
    if label is not None:
        amounts = {match[0].strip() for match in _AMOUNT.finditer(text)}
        if len(amounts) == 1:
            yield _Statement(said, f"amount:{label[0].lower()}", _sum(amounts.pop()))
    ending = _END.search(text)
    if ending is not None and may_hold_time(text):
        anchor = message.sent_at or datetime(2001, 1, 1, tzinfo=UTC)
        words = Words(message.text, start + ending.start(), end)
        days = {one.due.date() for one in find_moments(words, anchor) if one.due and one.has_day}
        if len(days) == 1:
            topic = f"date:{ending['what'].lower()}"
            yield _Statement(said, topic, str(days.pop()))


_STOP: Final = frozenset({
    "a", "an", "the", "and", "or", "but", "of", "to", "in", "on", "at", "for", "with", "from",
    "by", "as", "is", "are", "was", "were", "be", "been", "am", "do", "does", "did", "have",
    "has", "had", "it", "its", "this", "that", "these", "those", "there", "here", "i", "we",
    "you", "he", "she", "they", "me", "us", "him", "her", "them", "my", "our", "your", "his",
    "their", "will", "would", "shall", "should", "can", "could", "may", "might", "must", "not",
    "no", "so", "if", "then", "than", "just", "only", "also", "please", "still", "any", "some",
    "what", "which", "who", "why", "when", "where", "how", "much", "many", "one", "again",
    "now", "get", "got", "tell", "know", "mean", "say", "said",
})  # fmt: skip
_TOKEN: Final = re.compile(r"[^\W_]{2,40}")
_ASKS: Final = caseless(
    r"^\W{0,4}(?:and\s|so\s|but\s|now\s|then\s|also\s|ok\s)?(?:what|which|who|whose|why|when|where"
    r"|how|is|are|was|were|do|does|did|can|could|will|would|should|have|has|may|am)\b"
)
_NO_QUESTION: Final = caseless(
    r"^\W{0,4}(?:really|right|ok(?:ay)?|how\sare\syou|seriously|remember\sme|what|why"
    r"|can\syou\s(?:help|please)|could\syou\splease|would\syou)\W{0,4}\?"
)
_KINDS: Final = tuple(
    (caseless(asks), caseless(answers))
    for asks, answers in (
        (r"\bwhy\b", r"\b(?:because|reason|due\sto|since|as\sthe|so\sthat|owing)\b"),
        (r"\bwhen\b|\bhow\slong\b|\bwhat\s(?:day|date|time)\b",
         r"\d|\b(?:today|tomorrow|tonight|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
         r"|week|noon|midnight|(?:at|by|past|until)\s(?:one|two|three|four|five|six|seven|eight|nine"
         r"|ten|eleven|twelve))\b"),
        (r"\bhow\s(?:much|many)\b|\bwhat\s(?:does|do|is\sthe)\s(?:it\s)?(?:cost|price)\b",
         r"\d|\b(?:free|nothing|no\scharge)\b"),
        (r"^\W{0,4}(?:\w+\s)?(?:is|are|was|were|do|does|did|can|could|will|would|should|have|has"
        r"|may)\b",
         r"\b(?:yes|no|yep|nope|correct|right|neither|both|indeed|exactly|of\scourse|sure"
         r"|unfortunately|afraid)\b"),
    )
)  # fmt: skip
_WH: Final = caseless(r"\b(?:why|when|where|who|which|how|what)\b")
#: A question in the form of a statement.
_INDIRECT: Final = caseless(
    r"\b(?:(?:tell|explain\sto)\sme|(?:want|like|need)\sto\s(?:know|understand)|wonder(?:ing)?"
    r"|let\sme\sknow)\s(?:exactly\s)?(?:why|when|where|who|which|how|what|whether)\b"
)
#: The customer says that a question was passed over.
_NOT_ANSWERED: Final = caseless(
    r"\b(?:(?:did\snot|didn['’]t|haven['’]t|has\snot|hasn['’]t|not|never|nobody|no\sone"
    r"|without)\s(?:\w+\s)?(?:answer\w*|repl\w+)|(?:my|the|that|same)\s(?:\w+\s)?questions?|(?:I"
    r"|we)\s(?:\w+\s)?asked|not\swhat\sI\sasked|still\sdon['’]t\sknow|once\smore"
    r"|ask\s(?:you\s)?again)\b"
)
_SAME_QUESTION: Final = 0.5
_ANSWERED: Final = 0.34
_Asked = tuple[Evidence, set[str], int, str]


def unanswered(messages: Sequence[Message]) -> tuple[Unanswered, ...]:
    """Find questions of the customer's that our next replies did not answer.

    Parameters
    ----------
    messages : sequence of Message
        One thread, in order.

    Returns
    -------
    tuple of Unanswered
        In the order of the first asking. A question that is waiting for its first reply is none.

    Notes
    -----
    A reply answers when it takes up a third of the question's content words or brings what is
    asked for (a reason for "why", a time for "when", yes or no). Where it does not, the question
    counts when it is asked again, when the customer says that it was passed over, or when the
    reply is the last word so far. Linear in the text; at most 60 questions are followed.
    """
    followed = Questions()
    for message in messages:
        followed.add(message)
    return followed.unanswered()


class Questions:
    """The customer's questions as a thread goes on: every message is read once."""

    def __init__(self) -> None:
        self.sure: list[_Asked] = []
        self.maybe: list[_Asked] = []
        self.answered: list[_Asked] = []
        self.waiting: list[tuple[Evidence, set[str]]] = []
        self.order: dict[tuple[str | None, int], int] = {}

    def add(self, message: Message, keys: frozenset[str] | None = None) -> None:
        """Read the next message of the thread; `keys` are its `word_keys`, where known."""
        if message.automatic or not message.public or message.role == "system":
            return
        if message.role == "customer":
            self._ask(message, word_keys(message.text) if keys is None else keys)
        else:
            self._reply(message)

    def unanswered(self) -> tuple[Unanswered, ...]:
        """Return what our replies passed over so far."""
        return tuple(Unanswered(words, asked, reply) for words, _, asked, reply in self._left())

    def _ask(self, message: Message, keys: frozenset[str]) -> None:
        """Take up the questions of a customer's message."""
        if _NOT_ANSWERED.found(message.new_text, keys):
            self.sure.extend(self.maybe)
        else:
            self.answered.extend(self.maybe)
        self.maybe = []
        asks = "?" in keys or _INDIRECT.found(message.new_text, keys)
        for question, words in _questions(message) if asks else ():
            if len(self.order) >= _MAX_QUESTIONS:
                return
            if not self._again(words):
                self.order[(question.message_id, question.start)] = len(self.order)
                self.waiting.append((question, words))

    def _again(self, words: set[str]) -> bool:
        for group in (self.sure, self.answered):
            for place, (first, before, asked, reply) in enumerate(group):
                if _alike(words, before):
                    del group[place]
                    self.sure.append((first, before | words, asked + 1, reply))
                    return True
        return any(_alike(words, before) for _, before in self.waiting)

    def _reply(self, message: Message) -> None:
        """Sort the questions into answered and passed over."""
        if not (self.sure or self.maybe or self.waiting):
            return
        text = message.new_text
        said = _content(text)
        self.answered.extend(one for one in self.sure if _answers(one[0].text, one[1], text, said))
        self.sure = [one for one in self.sure if one not in self.answered]
        self.maybe = [one for one in self.maybe if not _answers(one[0].text, one[1], text, said)]
        for question, words in self.waiting:
            answered = _answers(question.text, words, text, said)
            group = self.answered if answered else self.maybe
            group.append((question, words, 1, message.id))
        self.waiting = []

    def _left(self) -> list[_Asked]:
        """Return what is unanswered at the end."""
        left = [*self.sure, *self.maybe]
        return sorted(left, key=lambda one: self.order[(one[0].message_id, one[0].start)])


def _questions(message: Message) -> Iterator[tuple[Evidence, set[str]]]:
    for start, end in _sentences_of(message):
        text = message.text[start:end]
        direct = text.rstrip("\"'”’) ").endswith("?")
        if not (direct or _INDIRECT.search(text)) or _NO_QUESTION.search(text):
            continue
        if not (direct and _ASKS.search(text)) and len(text) > 160:
            continue
        words = _content(text)
        if words:
            # The asking word tells "why … call" from "when … call"
            asked = _WH.search(text)
            yield (
                Evidence(start, end, text, message.id),
                words | ({f"?{asked[0].lower()}"} if asked else set()),
            )


def _content(text: str) -> set[str]:
    """Return the content words, cut to stems of four letters."""
    return {
        word[:4]
        for word in (found[0].lower() for found in _TOKEN.finditer(text))
        if word not in _STOP
    }


def _alike(words: set[str], before: set[str]) -> bool:
    return len(words & before) >= _SAME_QUESTION * min(len(words), len(before)) and (
        len(words & before) >= 2 or words == before
    )


def _answers(question: str, words: set[str], text: str, said: set[str]) -> bool:
    words = {word for word in words if word[0] != "?"}
    for asks, answers in _KINDS:
        if asks.search(question):
            return answers.search(text) is not None or len(words & said) > 0.6 * len(words)
    return len(words & said) >= _ANSWERED * len(words)

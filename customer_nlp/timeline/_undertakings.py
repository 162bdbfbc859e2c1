"""Undertakings: the words with which either side says what it will do, and by when.

Rules are data: tables of words and short patterns, developed on the train split of our own
threads. What they see of a clause of ours is weighed by ``undertakings.json``, which
`customer_nlp.training.undertakings` learns from the reader's marks.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

from customer_nlp.records import Message
from customer_nlp.text import Rule, RuleTable, caseless, word_keys
from customer_nlp.timeline._dates import Moment, Words, find_moments, may_hold_time

__all__ = [
    "RIVALRY",
    "WEIGHTS",
    "Candidate",
    "Read",
    "Weights",
    "read",
    "rivalry",
    "shipped_weights",
]

WEIGHTS: Final = Path(__file__).with_name("undertakings.json")
_APOSTROPHE: Final = "['’]"
_WILL: Final = rf"(?:{_APOSTROPHE}ll|\s(?:will|shall|should))"
_MAX_SENTENCE_WORDS: Final = 120
#: Nobody promises more in one message; it bounds what hostile text can cost.
_MAX_A_MESSAGE: Final = 40


_COMES: Final = (
    r"(?:goes|go|comes?|leaves?|ships?|arrives?|reaches|reach|brings?|collects?|visits?|lands?"
    r"|passes"
    r"|follows?|waits?|starts|fits?|swaps?|moves?|rings?|calls?|flies|fly|gets?|picks?|drives?"
    r"|hands|delivers?|writes?|sends?|mails?|texts?|credits?|repays?|refunds?)"
)
#: Words of ours: strength 2 undertakes something by itself, 1 only with a further sign.
_RULES: Final = tuple(
    (name, strength, caseless(pattern))
    for name, strength, pattern in (
        ("self_will", 2, rf"\b(?:I|we){_WILL}\s(?!need|have\sto|be\sable|not\b)\w+"),
        ("self_going", 2, rf"\b(?:I{_APOSTROPHE}m|we{_APOSTROPHE}re|I\sam|we\sare)\s(?:\w+\s)?"
         r"(?:going\sto|ringing|calling|phoning|sending|posting|emailing|mailing|coming|bringing"
         r"|writing|driving)\b"),
        ("self_vow", 2, r"\b(?:I|we)\s(?:\w+\s)?(?:promise|guarantee|commit|undertake|plan)\b"),
        ("expect", 2, rf"(?:^\W*|\byou(?:{_WILL}|\s(?:can|may))\s)expect\b"),
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
#: What may make a sentence something else: a request, a condition, a rule, an offer.
_NOT_SENTENCE: Final = tuple(
    (name, caseless(pattern))
    for name, pattern in (
        ("request", r"^\W*(?:please|kindly)\b(?!\s(?:expect|allow)\b)"),
        ("verb_first", r"^\W*(?:could|can|would|may|shall|will|did|do|does|have|are|is|should)\b"),
        ("condition_first", r"^\W*(?:if|unless|when)\b"),
        ("offer_first", r"^\W*(?:renew|join|book|save)\b"),
        ("question", r"\?\s*$"),
        ("terms", r"\b(?:expires?|valid|deadline|opening\shours|open\s(?:from|until|till|mon)"
         r"|per\scent|discount|terms\sof|customers?\s(?:must|may|can))\b"),
    )
)  # fmt: skip
#: What may make a clause something else: the past, a refusal, what the customer may do.
_NOT_CLAUSE: Final = tuple(
    (name, caseless(pattern))
    for name, pattern in (
        ("past", r"\b(?:was|were|had|has\sbeen|did|ago|missed|yesterday|didn['’]t|wasn['’]t|would"
         r"|went|called|tried|came|since|stopped|checked|attended|sent)\b"),
        ("rule", r"\b(?:apply|close|shut|reminder|every)\b"),
        ("refusal", r"\b(?:might|won['’]t|can['’]t|cannot)\b"),
        ("yours", r"\byou\s(?:can|may|must|need|have\sto|could)\b(?!\sexpect\b)"),
        ("condition", r"\b(?:if|unless)\b"),
        ("please", r"\bplease\b(?!\s(?:expect|allow)\b)"),
        ("over", r"\b(?:cancelled|ends|is\soff|are\soff|is\sfree|nobody|nothing)\b"),
        ("regret", r"\b(?:should|must)\shave\b|\bbe\stoo\b"),
    )
)  # fmt: skip
#: All of each at once: most clauses hold none.
_DOUBTFUL_SENTENCE: Final = caseless(*(rule.pattern for _, rule in _NOT_SENTENCE))
_DOUBTFUL: Final = caseless(*(rule.pattern for _, rule in _NOT_CLAUSE))
#: Words with which a customer undertakes something.
_THEIRS: Final = caseless(
    rf"\b(?:I|we)(?:{_APOSTROPHE}?ll|\s(?:will|shall))\s(?:\w+\s)?(?:send|pay|bring|come|call|ring"
    rf"|phone|post|mail|email|have|be\sthere|return|drop|get\sback|transfer|let\syou\sknow|forward"
    rf"|pick|confirm|write|measure)\b",
    r"\bI\s(?:pay|come\sby|bring|transfer|post)\b",
    r"\b(?:check|cheque|payment|money|list|photos?|form)(?:['’]s|\sis|\sgoes"
    r"|\swill\sbe)?\s(?:in\s(?:the|tomorrow's)|goes|to\syou|coming|follows|going)",
)
_NOT_THEIRS: Final = caseless(
    r"\?\s*$",
    r"[\"“”„]",
    r"\b(?:if|unless|otherwise|or\sI|until|before\sI|go\sin|our\s[A-Z]\w+|it\sis)\b",
    r"\b(?:cancel|switch|leav|complain|ombudsman|lawyer|solicitor|court|dispute|elsewhere|miss"
    r"|lose|need|want|wait)\w*",
)
#: A clause that begins with what something depends on.
_DEPENDS: Final = caseless(
    r"\W*(?:if|when|once|after|as\ssoon\sas|unless|until|because|since|as)\b"
)
_MAX_THEIR_CHARS: Final = 160
#: A second thing promised in one breath: "I'll ask the desk and send you … by noon".
_PROMISED: Final = caseless(rf"\b(?:I|we){_WILL}\s")
_GOES_ON: Final = caseless(
    r"\W{0,2}(?:send|write|tell|confirm|ring|call|have|e?mail|text|post|bring|let|get)\b"
)
#: A promised call back counts without a time; so does word "when he leaves".
_MAY_CALL: Final = caseless(r"\b(?:may|can|could|shall)\sI\s(?:ring|call|phone)\syou\b")
_CALL: Final = caseless(
    rf"\b(?:I|we|someone|somebody|a\scolleague){_WILL}\s(?:\w+\s)?(?:call|ring|phone)\syou\sback\b",
    rf"\b(?:I|we){_WILL}\s(?:\w+\s)?(?:text|write|ring|phone|e?-?mail|message|tell)\b[^.!?\n]{{0,50}}"
    r"\b(?:when|once|the\s(?:moment|day)|as\ssoon\sas)\b",
)
#: A sentence that is hardly more than a time, or one in the present, counts with these.
_FIRM: Final = caseless(
    r"\b(?:by|before|between)\s", r"\bat\s(?:the\slatest|\d)", r"\bnoon\b", r"\d\s?(?:to|-|–)\s?\d"
)
_BRINGS: Final = caseless(
    r"\b(?:comes?|arrives?|arriving|leaves?|ships?|follows?|brings?|goes?\s(?:to|back|in|live|out)"
    r"|reaches|collects?|swaps|delivered)\b"
)


_TABLE: Final = RuleTable({name: rule for name, _, rule in _RULES})
_STRONG: Final = frozenset(name for name, strength, _ in _RULES if strength == 2)
#: Weak rules that need no more than a day to come.
_FINISHED: Final = frozenset({"done", "out"})
#: Rules whose words stand behind the verb.
_OBJECTS: Final = frozenset({"to_you", "place", "new_date", "back"})
_WEAK: Final = frozenset(name for name, strength, _ in _RULES if strength == 1)
#: Hours until the due time up to which a step of the distance reaches.
_DISTANCES: Final = (2, 8, 24, 72, 168, 336, 1000)
_WORDS_BEFORE: Final = 12
_WORDS_BEHIND: Final = 6
_WORDS_IN_A_ROW: Final = 40
#: Words of which it does not matter which one stands there.
_ALIKE: Final = {
    word: kind
    for kind, words in (
        ("DAY", "monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat"),
        ("MONTH", "january february march april may june july august september october november"),
        ("MONTH", "december"),
        ("NUMBER", "one two three four five six seven eight nine ten eleven twelve"),
    )
    for word in words.split()
}
#: A word says less than a rule does, three in a row (rare ones) less than two.
_WORD_VALUE: Final = 0.7
_THREE_VALUE: Final = 0.5
#: What is weighed of the other candidates of a message, beside a candidate's own log-odds.
RIVALRY: Final = ("own", "best_rival", "beaten", "rivals", "best_behind")


@dataclass(slots=True)
class Candidate:
    """A clause that may undertake something.

    Parameters
    ----------
    start, end : int
        Half-open range of the message's text.
    due : datetime or None
        In UTC.
    strength : int
        2 where its rules undertake something by themselves, 1 where they hint at it, else 0.
    sentence : int
        Where its sentence starts.
    signs : dict of str to float
        What shows of it, by name: rules, words, place among the others. Empty for a customer's,
        which count as they are.
    """

    start: int
    end: int
    due: datetime | None
    strength: int
    sentence: int
    signs: dict[str, float]


@dataclass(frozen=True, slots=True)
class Weights:
    """What a sign counts for an undertaking, in log-odds.

    Parameters
    ----------
    signs : mapping of str to float
        By name; others count nothing.
    bias : float
        What counts without any sign.
    rivalry : tuple of float
        For each of `RIVALRY`, and behind them the bias.
    threshold : float
        Log-odds from which a candidate is an undertaking.
    """

    signs: Mapping[str, float]
    bias: float
    rivalry: tuple[float, ...]
    threshold: float

    def own(self, candidate: Candidate) -> float:
        """Return the log-odds of a candidate seen by itself."""
        known = self.signs
        return self.bias + sum(known.get(name, 0.0) * at for name, at in candidate.signs.items())

    def chosen(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Yield the candidates of one message that are undertakings."""
        own = [self.own(one) for one in candidates]
        for one, seen in zip(candidates, rivalry(own), strict=True):
            odds = self.rivalry[-1] + sum(map(float.__mul__, self.rivalry, seen))
            if not one.signs or odds >= self.threshold:
                yield one


def rivalry(own: Sequence[float]) -> Iterator[tuple[float, ...]]:
    """Yield the values of `RIVALRY` of each candidate of a message, from their log-odds."""
    p = [1 / (1 + math.exp(-max(-30.0, min(one, 30.0)))) for one in own]
    for place, odds in enumerate(own):
        rivals = p[:place] + p[place + 1 :]
        best = max(rivals, default=0.0)
        behind = max(p[place + 1 :], default=0.0)
        yield odds, best, float(best > p[place]), sum(rivals), behind


@cache
def shipped_weights() -> Weights:
    """Return the weights of ``undertakings.json``. Cost: the file is read once."""
    read = json.loads(WEIGHTS.read_text("utf-8"))
    return Weights(read["signs"], read["bias"], tuple(read["rivalry"]), read["threshold"])


@dataclass(frozen=True, slots=True)
class Read:
    """What a message says of times to come.

    Parameters
    ----------
    latest : datetime or None
        The last day or time of day that it names.
    candidates : list of Candidate
        In order.
    """

    latest: datetime | None
    candidates: list[Candidate]


def read(message: Message, place: tzinfo, closed: Container[date] = ()) -> Read:
    """Find what a message may undertake.

    Parameters
    ----------
    message : Message
        By a person. Its new zones are read.
    place : tzinfo
        In which its "noon" and "Friday" are meant.
    closed : container of date
        Public holidays, which are no working days.

    Notes
    -----
    Linear in the text.
    """
    anchor = (message.sent_at or datetime(2001, 1, 1, 9, tzinfo=UTC)).astimezone(place)
    latest: datetime | None = None
    found: list[Candidate] = []
    ranges = (
        [(one.start, one.end) for one in message.zones_of("new")]
        if message.zones
        else [(0, len(message.text))]
    )
    for start, end in ranges:
        part = message.text[start:end]
        timed, calls = may_hold_time(part), _CALL.search(part) is not None
        if not (timed or calls):
            continue
        words = Words(message.text, start, end)
        moments = [
            one
            for one in (find_moments(words, anchor, closed) if timed else ())
            if one.due is not None and one.due > anchor and not _denied(words, one.first)
        ]
        if not (moments or calls):
            continue
        for one in moments:
            if one.due is not None and one.has_day | one.has_clock:
                latest = max(one.due, latest or one.due)
        room = _MAX_A_MESSAGE - len(found)
        found += islice(_candidates(message, words, moments, anchor, calls=calls), room)
    if message.role != "customer":
        _compare(found)
    return Read(latest, found)


def _compare(candidates: Sequence[Candidate]) -> None:
    """Add to the signs of each candidate what its message holds beside it."""
    strong = [one for one in candidates if one.strength == 2]
    for place, one in enumerate(candidates):
        others = [other for other in strong if other is not one]
        behind = [other for other in candidates[place + 1 :] if other.strength == 2]
        before = [other for other in candidates[:place] if other.strength == 2]
        seen = {
            f"candidates {min(len(candidates), 4)}": True,
            f"strong others {min(len(others), 2)}": True,
            "last": place == len(candidates) - 1,
            "strong behind": bool(behind),
            "strong in sentence": any(other.sentence == one.sentence for other in others),
            "due as before": one.due is not None and any(o.due == one.due for o in before),
            "others come later": "near" in one.signs
            and any(other.strength and "near" not in other.signs for other in candidates),
        }
        one.signs |= {name: 1.0 for name, holds in seen.items() if holds}


def _denied(words: Words, index: int) -> bool:
    """Whether a time is named as what it will not be: "not Thursday", "instead of Friday"."""
    if words.at(index - 1) == "than" and words.at(index - 2) == "later":
        return words.at(index - 3) not in {"no", "not"}
    return words.at(index - 1) in {"not", "than"} or (
        words.at(index - 1) == "of" and words.at(index - 2) == "instead"
    )


def _candidates(
    message: Message, words: Words, moments: list[Moment], anchor: datetime, *, calls: bool
) -> Iterator[Candidate]:
    """Go through the sentences, each with the times in it; `calls` says that some name a call."""
    place = 0
    for number, (first, last) in enumerate(_sentences(words)):
        begin = place
        while place < len(moments) and moments[place].first < last:
            place += 1
        if place == begin and not calls:
            continue
        sentence = _Sentence(message, words, (first, last), moments[begin:place], number, anchor)
        yield from sentence.theirs() if message.role == "customer" else sentence.ours()


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


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence with the times that it names."""

    message: Message
    words: Words
    bounds: tuple[int, int]
    moments: list[Moment]
    number: int
    anchor: datetime

    @property
    def start(self) -> int:
        """Where it starts."""
        return self.words.starts[self.bounds[0]]

    @property
    def text(self) -> str:
        """Its words as written."""
        return self.message.text[self.start : self.words.ends[self.bounds[1] - 1]]

    def theirs(self) -> Iterator[Candidate]:
        """Yield what a customer undertakes in it."""
        text = self.text
        if not self.moments or len(text) > _MAX_THEIR_CHARS:
            return
        if _THEIRS.search(text) and not _NOT_THEIRS.search(text):
            due = self._due(self.moments[-1])
            yield Candidate(self.start, self.start + len(text), due, 2, self.start, {})

    def ours(self) -> Iterator[Candidate]:
        """Yield what we may undertake in it, each with its signs."""
        text = self.text
        call = None if self.moments else _CALL.search(text)
        if call is None and not self.moments:  # most sentences: nothing else is asked of them
            return
        rules = _NOT_SENTENCE if _DOUBTFUL_SENTENCE.search(text) is not None else ()
        against = [f"sentence {name}" for name, rule in rules if rule.search(text)]
        if call is not None:
            if not against:
                start, end = self.start + call.start(), self.start + call.end()
                yield Candidate(start, end, None, 2, self.start, {"undated": 1.0})
            return
        asks = _MAY_CALL.search(text) is not None
        signs = dict.fromkeys([*against, *(["may call"] if asks else [])], 1.0)
        for number, clause in enumerate(_clauses(self.words, self.bounds, self.moments)):
            made = self._clause(clause, number)
            if against and not asks:
                made.strength = 0
            made.signs |= signs
            yield made

    def _clause(self, clause: tuple[int, int, list[Moment]], number: int) -> Candidate:
        begin, finish, pair = clause
        left, right = self.words.starts[begin], self.words.ends[finish - 1]
        text = self.message.text[left:right]
        going_on = _PROMISED.search(self.message.text, self.start, left) is not None
        weighed = []
        rules = _Clause.rules(text)
        for one in pair if pair[0] is not pair[1] else pair[:1]:
            until = self.words.ends[one.last - 1] - left
            seen = _Clause.of(text, until, rules, going_on=going_on)
            weighed.append((*seen.strength(one, finish - begin), one, seen))
        # "if the form is here by Friday, we will refund you next week": the time behind counts
        depends = _DEPENDS.match(text) is not None
        strength, offset, moment, seen = max(
            weighed,
            key=lambda one: (
                one[0],
                depends and self.words.starts[one[2].first] >= left + one[1],
            ),
        )
        due = self._due(_sharpened(moment, self.moments))
        signs = [f"strength {strength}", f"clause {min(number, 2)}", *seen.signs()]
        signs += self._of_place(moment, finish - begin, due)
        offset += text[offset : offset + 1].isspace()
        value = dict(_of_words(self.words, begin, finish, moment))
        value |= _in_a_row(self.words, left + offset, finish)
        return Candidate(
            left + offset, right, due, strength, self.start, value | dict.fromkeys(signs, 1.0)
        )

    def _due(self, moment: Moment) -> datetime | None:
        if moment.due is None or self.message.sent_at is None:
            return None
        return moment.due.astimezone(UTC)

    def _of_place(self, moment: Moment, length: int, due: datetime | None) -> Iterator[str]:
        """Name what shows of the time, and where the clause stands."""
        for name in ("near", "has_day", "has_clock"):
            if getattr(moment, name):
                yield name
        if len(self.moments) > 1:
            yield "times"
        yield f"beside {min(6, length - (moment.last - moment.first))}"
        yield f"sentences before {min(4, (self.number + 1) // 2)}"
        hours = 0.0 if due is None else (due - self.anchor).total_seconds() / 3600
        yield f"due in {next((one for one in _DISTANCES if hours < one), 'more')}"


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause as seen from one of its times: what the rules find in it.

    Parameters
    ----------
    text : str
        Its words.
    until : int
        Where in them the time ends.
    going_on : bool
        Something was undertaken before it in the sentence.
    found : dict of str to re.Match
        By name of the rule: its last match that starts before `until`, else the first behind.
    """

    text: str
    until: int
    going_on: bool
    found: dict[str, re.Match[str]]

    @staticmethod
    def rules(text: str) -> list[tuple[str, Rule]]:
        """Return the rules that find anything in a clause, asking those whose words it holds."""
        return [_RULES[place][::2] for place in _TABLE.matching(text, word_keys(text))]

    @classmethod
    def of(
        cls, text: str, until: int, rules: Iterable[tuple[str, Rule]], *, going_on: bool
    ) -> _Clause:
        """Look at a clause from one of its times; `rules` are those that find anything in it."""
        return cls(text, until, going_on, {name: _last(rule, text, until) for name, rule in rules})

    def strength(self, moment: Moment, length: int) -> tuple[int, int]:
        """Weigh it by its words alone; it has `length` of them.

        Returns
        -------
        (int, int)
            2 where the words undertake by themselves, 1 where they do when nothing else does, 0
            for none; and where in the clause they start.
        """
        for name, found in self.found.items():
            if name not in _STRONG:
                continue
            # Who acts stands before "with you", but in "I'll …" itself
            start = 0 if name in _OBJECTS else found.start()
            if name in _OBJECTS and moment.near and not moment.has_clock:
                continue
            if not _DOUBTFUL.search(self.text, start, max(self.until, found.end())):
                return 2, start
        if self.going_on and _GOES_ON.match(self.text):
            return 2, 0
        if _DOUBTFUL.search(self.text, 0, self.until):
            return 0, 0
        bare = length - (moment.last - moment.first) <= 3
        firm = _FIRM.search(self.text) is not None
        if moment.near:
            return int(moment.has_clock and firm and not bare and moment.has_day), 0
        kinds = _WEAK & self.found.keys()
        if bare and not kinds:
            return int(firm and moment.has_clock and moment.has_day), 0
        plain = moment.has_clock or firm or _BRINGS.search(self.text) is not None
        return int(bool(kinds & _FINISHED) or (bool(kinds) and plain)), 0

    def signs(self) -> Iterator[str]:
        """Name the rules that find anything in it."""
        for name, found in self.found.items():
            yield name
            if found.start() >= self.until:
                yield f"{name} behind"
        for name, rule in _NOT_CLAUSE if _DOUBTFUL.search(self.text) else ():
            if rule.search(self.text, 0, self.until):
                yield f"clause {name}"
            elif rule.search(self.text):
                yield f"clause {name} behind"
        for name, rule in (("firm", _FIRM), ("brings", _BRINGS)):
            if rule.search(self.text):
                yield name
        if self.going_on:
            yield "going on"
            if _GOES_ON.match(self.text):
                yield "goes on"


def _of_words(words: Words, begin: int, finish: int, moment: Moment) -> Iterator[tuple[str, float]]:
    """Name the words of a clause around its time, and those that stand together; figures alike."""
    shown = ["#" if word[0].isdigit() else word for word in words.lower[begin:finish]]
    before, behind = shown[: moment.first - begin], shown[moment.last - begin :]
    for word in before[-_WORDS_BEFORE:] + behind[:_WORDS_BEHIND]:
        yield f"word {word}", _WORD_VALUE
    yield f"first {shown[0]}", _WORD_VALUE
    yield f"before {before[-1] if before else '^'}", _WORD_VALUE


def _in_a_row(words: Words, start: int, finish: int) -> Iterator[tuple[str, float]]:
    """Name what stands together in an undertaking that starts at a character."""
    first = bisect_left(words.starts, start)
    shown = words.lower[first : min(finish, first + _WORDS_IN_A_ROW)]
    alike = ("#" if word[0].isdigit() else _ALIKE.get(word, word) for word in shown)
    row = ["^", *alike, "$"]
    for pair in pairwise(row):
        yield "_".join(pair), _WORD_VALUE
    for three in zip(row, row[1:], row[2:], strict=False):
        yield "_".join(three), _THREE_VALUE


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


def _last(rule: Rule, clause: str, until: int) -> re.Match[str]:
    """Return the last match that starts before a place, else the first one; there is one."""
    matches = rule.finditer(clause)
    found = next(matches)
    for match in matches:
        if match.start() >= until:
            break
        found = match
    return found

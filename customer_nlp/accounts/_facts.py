"""What customers tell of themselves in passing: each fact with its words, source and expiry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Message, Thread, utc
from customer_nlp.text import Rule, caseless, sentences

__all__ = ["FACTS", "Fact", "told"]

#: What may be known of an account.
FACTS: Final = (
    "customer_since", "no_longer_owns", "do_not_call", "do_not_contact", "prefers", "uses_for",
    "contact_left", "contract_end", "opted_out_survey", "bought", "repaired",
)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False, order=True)
class Fact:
    """One thing known of an account.

    Parameters
    ----------
    kind : str
        From `FACTS`.
    value : str
        What of it: the product, the person, the date, or the customer's words.
    at : datetime, optional
        When it was told.
    source : str, optional
        Where it was told: ``thread/message``.
    expires : datetime, optional
        From when on it no longer holds.
    start, end : int, optional
        Half-open range of the words in the message.
    """

    kind: str
    value: str
    at: datetime | None = None
    source: str | None = None
    expires: datetime | None = None
    start: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in FACTS:
            raise InvalidRecordError(
                f"A fact must be one of {', '.join(FACTS)}; got another.", field="kind"
            )
        for name in ("at", "expires"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, utc(name, getattr(self, name)))

    def holds(self, now: datetime) -> bool:
        """Whether the fact holds at a time."""
        return self.expires is None or now < self.expires

    def __repr__(self) -> str:
        return f"Fact(kind={self.kind!r})"


_NUMBERS: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "decade": 10,
}  # fmt: skip
_COUNT: Final = rf"(?:\d{{1,2}}|{'|'.join(_NUMBERS)})(?:[ -](?:one|two|three|four|five|six))?"
_THING: Final = r"(?P<what>(?:it|them)\b|(?:the|my|our|that|this|a|an)\s[\w-]+(?:\s[\w-]+){0,3})"
#: A title and one or two capitalised words, but no pronoun or article.
_NAME: Final = (
    r"(?-i:(?!(?:My|Our|Your|His|Her|The|This|That|She|He|It|We|You|They|And|But|So|When|Who)\b)"
    r"[A-Z][\w'’-]+\.?(?:\s[A-Z][\w'’-]+){0,2})"
)
#: Years, but not those of a thing or with another firm.
_NOT_LOYAL: Final = (
    r"(?:years|winters|summers|seasons)\b(?!\s(?:old|ago|of\s(?:age|them|their)|warranty|guarantee"
    r"|contract|interest|in\s(?:a|the)\s\w+\sbusiness))"
)
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*"

#: Words by which customers tell a fact. ``what``, ``years`` and ``since`` are the value where
#: the pattern has them, else the words themselves are.
_TOLD: Final[tuple[tuple[str, Rule], ...]] = (
    ("no_longer_owns", caseless(
        rf"\b(?:(?:have|['’]ve|was|been|were|i|we|and)\s)(?:\w+\s)?(?:sold|donated|scrapped|"
        rf"returned|gave\s(?:away|up|back)|given\s(?:away|up|back)|got\srid\sof|handed\sback|"
        rf"traded\sin|"
        rf"part-exchanged)\s{_THING}",
        r"\b(?:i|we)(?:\shave|['’]ve)?\s(?:gave|given|traded|threw|thrown)\s(?P<what4>(?:it|them|(?:the|my|our)"
        r"\s[\w-]+(?:\s[\w-]+)?))\s(?:away|in|out)\b",
        r"\b(?:no\slonger\s(?:own|have|use|drive|rent|keep)|"
        r"(?:don['’]?t|do\snot|didn['’]?t|never)\s(?:even\s)?(?:own|have|had|owned)\b[^.!?\n]{0,40}"
        r"\bany\s?more|that\s(?:I|we)\s(?:do\snot|don['’]t|no\slonger)\s(?:have|own)|"
        r"something\s(?:I|we)\sdon['’]t\shave)\b",
        r"\bthere\sis\sno\s(?:more\s)?(?!(?:problem|hurry|rush|need|reason|point|way|one|answer|"
        r"reply|sign|time|excuse|charge|fee|doubt|question|mention|such)\b)(?P<what2>[\w-]+)\s"
        r"(?:any\s?more|here|now)\b",
        r"\b(?P<what3>(?:the|my|our)\s[\w-]+(?:\s[\w-]+){0,2})\s(?:was|were|is|has\sbeen|went|got)\s"
        r"(?:\w+\s)?(?:sold|scrapped|stolen|demolished|donated|(?:sent\s|given\s|returned\s|"
        r"collected\s)back|to\sthe\s(?:scrapyard|tip|curb|dump))\b",
    )),
    ("do_not_call", caseless(
        r"\b(?:(?:do\snot|don['’]?t|please\sstop|stop|never|not\sto|quit|without)\s(?:\w+\s)?(?:"
        r"call|ring|phon|telephon)(?:e|ing)?\b(?!\s(?:back|it|this|that|in\s(?:sick|question)))|"
        r"no\s(?:more\s)?(?:phone\s|sales\s|telephone\s)?calls\b|(?:in\swriting|by\se-?mail|e-?mail|"
        r"writing)\sonly\b|not\sby\s(?:tele)?phone|will\snot\stake\s(?:\w+\s)?calls|"
        r"(?:cannot|can['’]t)\s(?:hear|use|answer|take)\s(?:\w+\s){0,2}(?:phone|telephone|calls?)|"
        r"(?:(?:do\snot|don['’]t)\s(?:wish|want|like)\sto|rather\snot|not\s(?:wish|want)\sto)\sbe\s"
        r"(?:called|phoned|rung)|don['’]?t\sdo\s(?:tele)?phones?|(?:i['’]?m|i\sam|she\sis|he\sis)\s(?:\w+\s)?deaf|no-calls|"
        r"not\s(?:to\s)?(?:tele)?phone|(?:stop|quit)\s(?:ringing|calling|phoning))\b",
    )),
    ("do_not_contact", caseless(
        r"(?:^\W*unsubscribe\W*$|\b(?:no|(?:do\snot|don['’]t)\swant\s(?:any\s)?)\s?(?:more\s)?"
        r"(?:marketing|advertising|promotional)\s(?:e-?mails?|mails?|messages?|letters?)\b)",
        r"\b(?:unsubscribe\s(?:me|us)|take\s(?:me|us|my\s\w+)\soff\s(?:(?:your|the|this|all)\s"
        r"(?:\w+\s)?(?:lists?|campaigns?|database|register|mailings?)|it|everything)\b|(?:do\snot|don['’]?t|stop)\s(?:contact|e-?mail|mail|writ|text|message)"
        r"(?:ing|e)?\s(?:me|us)\b|remove\s(?:me|us)\sfrom\s(?:your|the|all))",
    )),
    ("prefers", caseless(
        r"\b(?:(?:by|via|per)\s(?:e-?mail|mail|phone|text|letter|post|chat)\s?,?\s(?:please|only)|"
        r"(?:please\s)(?:\w+\s)?(?:by|per|via)\s(?:e-?mail|mail|phone|text|letter|post)|"
        r"(?:just|only|please)\s(?:e-?mail|text|write|phone|ring|call)\s(?:me|us|to\sme|instead)|"
        r"(?:i['’]d|i|we|would)\s(?:much\s|rather\s)?prefer\s(?:an?\s|the\s|by\s|to\sbe\s)?(?:e-?mail|"
        r"phone|text|call|letter|writ\w+|rung|called|texted)|rather\syou\s(?:e-?mailed|wrote|called|rang"
        r"|phoned|texted)|(?:e-?mail|phone|text|letter)\sis\s(?:the\sbest|my\spreferred)|(?:could|can|would|will)\s(?:you|someone|somebody|anyone)\s"
        r"(?:please\s|just\s)?(?:text|e-?mail|write\sto)\sme|(?:e-?mail|text|phone|writing)\s(?:is\s"
        r"(?:best|better|easier|fine)|only)|(?:in\swriting),?\splease|"
        r"(?:call|ring|phone|telephone|reach)\s(?:(?:me|us|any|back)\s){0,2}(?:only\s)?(?:after|"
        r"before|between|from)\s"
        r"(?:\d|noon|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|school|work|"
        r"lunch))\b[^.!?\n]{0,30}",
        r"\bplease\s(?:just\s|only\s)?write\b(?!\s(?:down|off|it\soff|up|me\sa|to\s(?:my|our|the)))",
        r"\b(?:i['’]?m|i\sam)\s(?:still\s|rather\s|very\s)?(?:deaf|hard\sof\shearing)\b"
        r"|\b(?:mornings|evenings|afternoons|e-?mail|text|phone)\s(?:is\s|are\s)?best\b",
    )),
    ("contact_left", caseless(
        rf"\b(?P<what>{_NAME})\s(?:who\s)?(?:has\s|have\s|had\s|sadly\s)?"
        r"(?:(?:now\s)?retired|left\s(?:us|the\s(?:company|firm|business|practice)|in\s|last\s|at\sthe\s)|"
        r"died|passed\saway|finished\sup|moved\son|no\slonger\sworks|is\sno\slonger\s(?:with|here|at)|"
        r"(?:has\s)?gone\sto\sanother)",
        rf"\bI(?:['’]ve|\shave)\staken\sover\s(?:\w+\s){{0,4}}from\s(?P<what2>{_NAME})",
        rf"\b(?P<what3>{_NAME})(?:['’]s|\sis|\shas|\shad)\s(?:been\s)?gone\b"
        r"(?!\s(?:to|up|down|back|over|out|wrong|off|in|ahead|quiet|through|very|too|so|with))",
    )),
    ("contract_end", caseless(
        rf"\b(?:ends|end(?:ing)?\sdate(?:\sis)?:?|contract\send(?:\sis)?:?|runs\s(?:to|until)"
        rf"|expires)\s(?:on\s)?(?P<what2>\d{{1,2}}(?:st|nd|rd|th)?\s{_MONTH}\s\d{{4}}"
        r"|\d{1,2}\.\d{1,2}\.\d{4}|\d{4}-\d\d-\d\d)",
        r"\b(?:contract|plan|lease|agreement|subscription|licen[cs]e|policy|renewal|term|membership|"
        r"cover)\b[^.!?\n]{0,40}?\b(?:ends?|ending|runs?\s(?:out|to|until)|expires?|expiring|is\sup|"
        rf"until|due|renews?)\b[^.!?\n]{{0,15}}?\b(?P<what>\d{{1,2}}(?:st|nd|rd|th)?\s{_MONTH}"
        rf"(?:\s\d{{4}})?|{_MONTH}\s\d{{1,2}}\b|\d{{1,2}}/\d{{1,2}}/\d{{4}}|\d{{4}}-\d\d-\d\d)",
    )),
    ("customer_since", caseless(
        r"\b(?:customers?|with\syou|client|member|subscriber|account|coming\s(?:here|to\syou)|"
        r"paid|loyal|bought|dealt|(?:i|we|['’]ve)\s(?:been|had|have)|been\s(?:with|your|a|coming)|"
        r"brought|work(?:ed)?|stayed|renting|ordering|using|"
        r"tenant|yours)\b[^.!?\n]{0,60}?\bsince\s(?:\w+\s)?(?P<since>(?:19[5-9]|20\d)\d)\b",
        r"\b(?:left|leaving|dumped|swapped|switched|moved|came|changed|joined|signed)\b"
        r"[^.!?\n]{0,40}?\b(?:to|for|with)\syou\s(?:\w+\s){0,2}in\s(?P<since2>(?:19|20)\d\d)\b",
        r"\b(?:customers?|with\syou|with\s(?-i:[A-Z])\w+|client|member|been|loyal|using|dealt|paid|"
        rf"worked|had|for|after|over|last|my|our|these)\b[^.!?\n]{{0,40}}?\b(?P<years>{_COUNT})"
        rf"\s(?:(?:good|long|happy|whole)\s)?{_NOT_LOYAL}",
        rf"^\W{{0,3}}(?P<years2>{_COUNT})\s{_NOT_LOYAL}",
        r"\bfor\sa\s(?P<years3>decade)\b",
    )),
    ("uses_for", caseless(
        r"\b(?:I|we)\s(?:only\s|mainly\s|mostly\s)?use\s(?:it|them|this|yours?|the\s[\w-]+|your\s"
        r"[\w-]+)\s(?:only\s|mainly\s|mostly\s)?(?:for|to)\s(?P<what>(?:[\w'’-]+\s?){1,6})",
    )),
    ("opted_out_survey", caseless(
        r"\b(?:no\s(?:more\s)?(?:surveys?|questionnaires?)|(?:stop|don['’]?t|do\snot)\s(?:\w+\s)?"
        r"(?:send|sending)\s(?:me|us)\s(?:\w+\s)?(?:surveys?|questionnaires?|feedback))\b",
    )),
)  # fmt: skip
#: How long a fact is taken to hold where its words set no end; the others hold until corrected.
_LIFETIMES: Final = {
    "prefers": timedelta(days=730), "uses_for": timedelta(days=1095),
    "do_not_call": timedelta(days=1095),
}  # fmt: skip
#: Facts that we may state to the customer.
_OURS: Final = frozenset({"contract_end"})
_MAX_CHARS: Final = 20_000


def told(thread: Thread) -> frozenset[Fact]:
    """Return the facts that the customer tells in a thread.

    Parameters
    ----------
    thread : Thread
        New words are read, sentence by sentence: the customer's own, and of ours the end of a
        contract.

    Returns
    -------
    frozenset of Fact
        The first of each kind and value in a message. Cost: linear in the text.
    """
    return frozenset(
        fact
        for message in thread.messages
        if message.role != "system" and not message.automatic and message.public
        for fact in _of_message(thread.id, message)
        if message.role == "customer" or fact.kind in _OURS
    )


def _of_message(thread_id: str, message: Message) -> Iterator[Fact]:
    ranges = [(zone.start, zone.end) for zone in message.zones_of("new")]
    if not message.zones:
        ranges = [(0, len(message.text))]
    seen: set[tuple[str, str]] = set()
    for first, last in ranges:
        for start, end in sentences(message.text, first, min(last, first + _MAX_CHARS)):
            sentence = message.text[start:end]
            for kind, pattern in _TOLD:
                match = pattern.search(sentence)
                value = None if match is None else _value(match, message)
                if match is None or value is None or (kind, value) in seen:
                    continue
                seen.add((kind, value))
                lifetime = _LIFETIMES.get(kind)
                ends = message.sent_at + lifetime if lifetime and message.sent_at else None
                at = (start + match.start(), start + match.end())
                yield Fact(kind, value, message.sent_at, f"{thread_id}/{message.id}", ends, *at)


def _value(match: re.Match[str], message: Message) -> str | None:
    """Return what a fact is about; ``None`` where a count of years says nothing."""
    groups = {name: text for name, text in match.groupdict().items() if text}
    for name, text in groups.items():
        if name.startswith("what"):
            return text.strip()
        if name.startswith("since"):
            return text
        if name.startswith("years"):
            return _since(text.lower(), message.sent_at)
    return match[0].strip()


def _since(count: str, sent_at: datetime | None) -> str | None:
    years = int(count) if count.isdecimal() else sum(
        _NUMBERS.get(word, 0) for word in re.split(r"[ -]", count)
    )  # fmt: skip
    if not _LOYAL_YEARS <= years <= _LONGEST_YEARS:
        return None
    return f"{years} years" if sent_at is None else str(sent_at.astimezone(UTC).year - years)


#: Fewer years are more often the age of a thing or the term of a contract.
_LOYAL_YEARS: Final = 3
#: More are somebody's age.
_LONGEST_YEARS: Final = 60

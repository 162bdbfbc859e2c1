"""Mails to conversations.

First by References and In-Reply-To, after Jamie Zawinski's algorithm
(https://www.jwz.org/doc/threading.html), with a union-find in place of his tree, so that depth
costs nothing; then, for mails whose headers were lost, by subject and participant.
"""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, overload

from customer_nlp.readers._headers import ContentType
from customer_nlp.readers._mail import Envelope
from customer_nlp.readers._spill import Groups, Index, Spill, SpillList
from customer_nlp.text import FORWARD_SUBJECTS

__all__ = [
    "Conversations",
    "by_headers",
    "by_subject",
    "in_order",
    "is_lost",
    "pack",
    "plain_subject",
    "tie_bounces",
    "unpack",
]

_WINDOW: Final = timedelta(days=45)

# Reply and forward marks as mail programs write them, lower case.
_MARKS: Final = (
    "re", "r", "aw", "antw", "antwort", "sv", "vs", "vá", "odp", "res", "rif", "ynt", "ang",
    "atb", "回复", "答复", "回覆", "απ", "σχετ", "отв", "на", "رد", "תגובה", *FORWARD_SUBJECTS,
)  # fmt: skip
_ANY_MARK: Final = "|".join(sorted(_MARKS, key=len, reverse=True))
_MARK: Final = re.compile(
    rf"\s{{0,9}}(?:{_ANY_MARK})\.?\s?(?:[\[(]\d{{1,3}}[\])]|[\^*]\d{{1,3}})?\s?[:：]",
    re.IGNORECASE,
)
_TICKET: Final = re.compile(
    r"\[\s?(?:[a-z]{1,12}[ -]?(?:id|no|nr)?[.:]?\s?)?[#:]\s?(\d[\w-]{2,20})\s?\]"
    r"|\(\s?(?:ticket|case|request|vorgang)\s?#?:?\s?(\d[\w-]{2,20})\s?\)"
    r"|##\s?(\d[\w-]{2,20})\s?##"
    r"|\[([A-Z][A-Z0-9]{1,9}-\d{1,9})\]"
    r"|\b(?:ticket|case|vorgang)(?:[ -]?(?:id|no|nr|number))?[.:]?\s?#\s?(\d[\w-]{2,20})\b",
    re.IGNORECASE,
)
# What mail gateways put before a subject.
_EXTERNAL: Final = re.compile(
    r"\[(?:external|extern|ext|spam|suspicious)(?:[ -](?:e-?mail|sender|message))?\]"
    r"|\*{2,5} ?(?:external|extern|spam) ?\*{2,5}"
    r"|(?:\A|(?<=: ))(?:external|extern)(?: (?:e-?mail|sender|message))?:",
    re.IGNORECASE,
)
# The name of a list, where the list put it before the mark of a reply.
_LIST_NAME: Final = re.compile(r"\s{0,9}\[[^\[\]]{1,60}\](?=" + _MARK.pattern + ")", re.IGNORECASE)
# What mail programs write where a subject was left out.
_NO_SUBJECT: Final = re.compile(
    r"\W{0,2}(?:no subject|(?:kein|ohne) betreff|sans objet|sin asunto|(?:nessun|senza) oggetto"
    r"|geen onderwerp|sem assunto|brak tematu|(?:intet|ingen|inget|uden) (?:emne|ämne))\W{0,2}"
)
_SUBJECT_CHARS: Final = 500


def plain_subject(subject: str) -> tuple[str, bool, str]:
    """Bring a subject to the form that replies share.

    Returns
    -------
    plain : str
        Without reply marks, ticket ids and runs of white space, case-folded.
    marked : bool
        Whether it had a reply or forward mark.
    ticket : str
        The ticket id in it, or an empty string.
    """
    return _plain_subject(subject[:_SUBJECT_CHARS])


@lru_cache(maxsize=1024)  # a conversation asks several times
def _plain_subject(rest: str) -> tuple[str, bool, str]:
    ticket = ""
    rest = _EXTERNAL.sub(" ", rest)
    if any(mark in rest for mark in "[#(") and (found := _TICKET.search(rest)):
        ticket = next(filter(None, found.groups()), "").casefold()
        rest = _TICKET.sub(" ", rest)
    position, marked = 0, False
    name = _LIST_NAME.match(rest)
    if name:
        position = name.end()
    while match := _MARK.match(rest, position):
        position, marked = match.end(), True
    kept = f"{name[0] if name else ''} {rest[position:]}"
    return " ".join(kept.split()).casefold().rstrip(" .!"), marked, ticket


class _Sets:
    """Disjoint sets of numbers (union by size, path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = array("q", range(count))
        self._size = array("q", [1]) * count

    def __len__(self) -> int:
        return len(self._parent)

    def add(self) -> int:
        self._parent.append(len(self._parent))
        self._size.append(1)
        return len(self._parent) - 1

    def find(self, item: int) -> int:
        parent = self._parent
        while parent[item] != item:
            parent[item] = item = parent[parent[item]]
        return item

    def union(self, first: int, second: int) -> int:
        first, second = self.find(first), self.find(second)
        if first == second:
            return first
        if self._size[first] < self._size[second]:
            first, second = second, first
        self._parent[second] = first
        self._size[first] += self._size[second]
        return first


class Conversations(Sequence[Sequence[Envelope]]):
    """Mails that belong together, each conversation in file order, conversations by first mail.

    Parameters
    ----------
    envelopes : sequence of Envelope
        In file order.
    labels : iterable of int
        Which conversation each is of; see `Groups`.
    limit : int
        Above the highest label.
    """

    def __init__(self, envelopes: Sequence[Envelope], labels: Iterable[int], limit: int) -> None:
        self.envelopes = envelopes
        self.numbers = Groups(labels, limit)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> list[Envelope]: ...
    @overload
    def __getitem__(self, at: slice) -> list[list[Envelope]]: ...
    def __getitem__(self, at: int | slice) -> list[Envelope] | list[list[Envelope]]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        return [self.envelopes[number] for number in self.numbers[at]]


# Mail servers give up after five days (RFC 5321 section 4.5.4.1).
_RETRIES: Final = timedelta(days=7)


def tie_bounces(envelopes: SpillList[Envelope], lost: Iterable[int]) -> None:
    """Give bounces that name no id the last mail to their recipient, of their subject if told.

    Parameters
    ----------
    envelopes : SpillList of Envelope
        In file order; changed in place.
    lost : iterable of int
        Which of them `is_lost`.

    Notes
    -----
    Cost: n log n in the mails to those recipients, and nothing where no bounce needs it.
    """
    orphans = {at: envelopes[at] for at in lost}
    if not orphans:
        return
    wanted = {address for mail in orphans.values() for address in mail.failed_to}
    dates = [
        (*_date_key(mail), at)
        for at, mail in enumerate(envelopes)
        if at in orphans or not (mail.bounce or wanted.isdisjoint((*mail.to, *mail.cc)))
    ]
    last: dict[tuple[str, str], tuple[datetime | None, str]] = {}
    for _, _, at in sorted(dates):
        mail = envelopes[at]
        if at not in orphans:
            plain = plain_subject(mail.subject)[0]
            for address in wanted.intersection((*mail.to, *mail.cc)):
                last[address, plain] = last[address, ""] = (mail.sent_at, mail.id)
        else:
            plain = plain_subject(mail.failed_subject)[0]
            found = [last.get((address, key)) for key in (plain, "") for address in mail.failed_to]
            first = next(filter(None, found), None)
            if first and _within(first[0], mail.sent_at, _RETRIES):
                envelopes[at] = mail._replace(references=first[1:], refers_to=first[1])


def is_lost(mail: Envelope) -> bool:
    """Tell a bounce that does not say which mail came back."""
    return mail.bounce and mail.refers_to is None and bool(mail.failed_to)


def by_headers(envelopes: Sequence[Envelope], spill: Spill) -> Conversations:
    """Group mails that name one another, or a mail that is missing.

    Parameters
    ----------
    envelopes : sequence of Envelope
        In file order.
    spill : Spill
        For the ids that memory does not hold.

    Returns
    -------
    Conversations
        By first mail. Cost: near-linear in mails and references.
    """
    sets = _Sets(len(envelopes))
    node_of = Index(spill)
    for number, envelope in enumerate(envelopes):
        own = node_of.setdefault(_key(f"id:{envelope.id}"), number)
        if own != number:  # mails before it in the file named it
            sets.union(own, number)
        keys = [f"id:{reference}" for reference in envelope.references]
        if envelope.conversation:
            keys.append(envelope.conversation)
        for key in map(_key, keys):
            node = node_of.get(key)
            if node is None:
                node = node_of[key] = sets.add()
            sets.union(number, node)
    return Conversations(envelopes, map(sets.find, range(len(envelopes))), len(sets))


def _key(identifier: str) -> str:
    """Bring an id to the form in which two are compared: gateways change the case of some."""
    return identifier.casefold()


@dataclass(slots=True)
class _Outline:
    """What the subject pass needs of a conversation."""

    subjects: frozenset[str]
    tickets: frozenset[str]
    people: frozenset[str]
    everybody: frozenset[str]
    ends: float  # seconds since 1970; nan where no mail has a date
    may_follow: bool


def by_subject(
    conversations: Conversations,
    is_ours: Callable[[str], bool],
    author: Callable[[Envelope], str],
    spill: Spill,
) -> Conversations:
    """Join conversations that headers left apart.

    Two are one when they share a subject (or a ticket id) and a participant and the later
    begins within 45 days of the earlier one's last mail. The participant must not be of the
    company, whose address is in every mail. Mails of machines join only as replies.

    Parameters
    ----------
    conversations : Conversations
        From `by_headers`.
    is_ours : callable
        Tells whether an address is the company's.
    author : callable
        Gives the address that a mail comes from.
    spill : Spill
        For the subjects that memory does not hold.

    Returns
    -------
    Conversations
        By first mail. Cost: n log n.
    """
    sets = _Sets(len(conversations))
    begins = array("d", map(_begins, conversations))
    ends = array("d", bytes(8 * len(begins)))
    latest = Index(spill)
    for number in sorted(range(len(begins)), key=begins.__getitem__):
        outline = _outline(conversations[number], is_ours, author)
        ends[number] = outline.ends
        keys = [
            *_keys(outline.subjects, outline.people),
            *_keys(outline.tickets, outline.everybody),
        ]
        for key in keys if outline.may_follow else ():
            earlier = latest.get(key)
            if earlier is None:
                continue
            root = sets.find(earlier)
            gap = begins[number] - ends[root]
            # Without dates the shared subject and person have to do.
            if gap <= _WINDOW.total_seconds() or not math.isfinite(gap):
                end = _later(ends[root], ends[sets.find(number)])
                ends[sets.union(root, number)] = end
        for key in keys:
            latest[key] = number
    labels = array("q", bytes(8 * len(conversations.envelopes)))
    for number, mails in enumerate(conversations.numbers):
        label = sets.find(number)
        for mail in mails:
            labels[mail] = label
    return Conversations(conversations.envelopes, labels, len(sets))


_MOST_PEOPLE: Final = 50  # a mail to more than these is a mailing, and pairs would multiply


def _keys(words: Iterable[str], people: frozenset[str]) -> list[str]:
    chosen = sorted(people)[:_MOST_PEOPLE]
    return [f"{word}\0{person}" for word in sorted(words) for person in chosen]


def _begins(mails: Sequence[Envelope]) -> float:
    return min((mail.sent_at.timestamp() for mail in mails if mail.sent_at), default=math.inf)


def _outline(
    mails: Sequence[Envelope],
    is_ours: Callable[[str], bool],
    author: Callable[[Envelope], str],
) -> _Outline:
    forms = [plain_subject(subject) for subject in {mail.subject: None for mail in mails}]
    everybody = frozenset(
        address for mail in mails for address in (author(mail), *mail.to, *mail.cc) if address
    )
    first = min(mails, key=_date_key)
    theirs = frozenset(address for address in everybody if not is_ours(address))
    return _Outline(
        subjects=frozenset(list(dict.fromkeys(form[0] for form in forms if form[0]))[:3]),
        tickets=frozenset(list(dict.fromkeys(f"#{form[2]}" for form in forms if form[2]))[:3]),
        people=theirs or everybody,
        everybody=everybody,
        ends=max((mail.sent_at.timestamp() for mail in mails if mail.sent_at), default=math.nan),
        may_follow=_may_follow(first, is_ours, internal=not theirs),
    )


def _may_follow(first: Envelope, is_ours: Callable[[str], bool], *, internal: bool) -> bool:
    """Tell whether a conversation that opens so may go on with an earlier one."""
    plain, marked, ticket = plain_subject(first.subject)
    if marked or ticket or first.references:
        return True
    if first.automatic or first.via_list or internal or is_ours(first.sender):
        return False
    if _NO_SUBJECT.fullmatch(plain):
        return False
    # A customer who writes anew under the same specific subject still writes about it.
    return len(plain) >= 8 and (" " in plain or any(char.isdigit() for char in plain))


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def _date_key(mail: Envelope) -> tuple[datetime, int]:
    return (mail.sent_at or _NEVER, mail.place)


def _within(earlier: datetime | None, later: datetime | None, window: timedelta) -> bool:
    return earlier is None or later is None or later - earlier <= window


def _later(first: float, second: float) -> float:
    return second if math.isnan(first) else first if math.isnan(second) else max(first, second)


def pack(mail: Envelope) -> str:
    """Turn an envelope into text; `unpack` reads it back without loss."""
    kind, charset, boundary, *rest = mail.type
    values: list[object] = [getattr(mail, name) for name in _PLAIN_FIELDS]
    sent_at = mail.sent_at and mail.sent_at.isoformat()
    return json.dumps([sent_at, [kind, charset, boundary.decode("latin-1"), *rest], *values])


def unpack(packed: str) -> Envelope:
    """Read back what `pack` gave."""
    sent_at, (kind, charset, boundary, *rest), *values = json.loads(packed)
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in zip(_PLAIN_FIELDS, values, strict=True)
    }
    return Envelope(
        sent_at=datetime.fromisoformat(sent_at) if sent_at else None,
        type=ContentType(kind, charset, boundary.encode("latin-1"), *rest),
        **known,
    )


_PLAIN_FIELDS: Final = tuple(name for name in Envelope._fields if name not in {"sent_at", "type"})


def in_order(conversation: Sequence[Envelope]) -> tuple[str, list[Envelope]]:
    """Return the id of a conversation and its mails as they were written.

    Parameters
    ----------
    conversation : sequence of Envelope
        Its mails in file order.

    Returns
    -------
    id : str
        Of the mail that began it, or of the missing one that its first mail answers.
    mails : list of Envelope
        By date; a mail without one follows its parent, or else its neighbour in the file.
    """
    ordered = _by_date(conversation)
    return _root(ordered), ordered


def _root(ordered: list[Envelope]) -> str:
    """Climb from the first mail to the one that began it, which may be missing."""
    by_id = {_key(mail.id): mail for mail in ordered}
    mail = ordered[0]
    seen = set()
    while True:
        own = _key(mail.id)
        seen.add(own)
        above = next((name for name in mail.references if _key(name) != own), None)
        if above is None:
            return mail.id
        if _key(above) in seen:  # they name one another
            return ordered[0].id
        if _key(above) not in by_id:
            return above
        mail = by_id[_key(above)]


def _by_date(mails: Sequence[Envelope]) -> list[Envelope]:
    keys: dict[int, tuple[datetime, int, int, int]] = {}
    at_of = {_key(mail.id): at for at, mail in reversed(list(enumerate(mails)))}
    for at, mail in enumerate(mails):
        if mail.sent_at:
            keys[at] = (mail.sent_at, 0, len(mail.references), at)
    if len(keys) == len(mails):
        return [mails[at] for at in sorted(keys, key=keys.__getitem__)]
    upcoming = _next_dates(mails)
    previous = -1
    for at, mail in enumerate(mails):
        if at not in keys:
            anchor = _anchor(mail, at_of, at)
            anchor = previous if anchor < 0 or anchor not in keys else anchor
            if anchor >= 0:
                date, rank = keys[anchor][:2]
                keys[at] = (date, rank or 1, 0, at)  # behind dated ones, else as in the file
            else:
                keys[at] = (upcoming[at], -1, 0, at)
        previous = at
    return [mails[at] for at in sorted(keys, key=keys.__getitem__)]


def _anchor(mail: Envelope, at_of: dict[str, int], at: int) -> int:
    """Return the place of the nearest mail that this one answers, or -1."""
    for reference in reversed(mail.references):
        found = at_of.get(_key(reference), -1)
        if found >= 0 and found != at:
            return found
    return -1


def _next_dates(mails: Sequence[Envelope]) -> list[datetime]:
    dates = [_NEVER] * len(mails)
    following = _NEVER
    for at in range(len(mails) - 1, -1, -1):
        following = mails[at].sent_at or following
        dates[at] = following
    return dates

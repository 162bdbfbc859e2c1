"""Mails to conversations.

First by References and In-Reply-To, after Jamie Zawinski's algorithm
(https://www.jwz.org/doc/threading.html), with a union-find in place of his tree, so that depth
costs nothing; then, for mails whose headers were lost, by subject and participant.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from customer_nlp.readers._mail import Envelope

__all__ = ["Conversation", "by_headers", "by_subject", "in_order", "plain_subject", "tie_bounces"]

_WINDOW: Final = timedelta(days=45)

# Reply and forward marks as mail programs write them, lower case.
_MARKS: Final = (
    "re", "r", "aw", "antw", "antwort", "sv", "vs", "vá", "odp", "res", "rif", "ynt", "rv", "ang",
    "atb", "回复", "答复", "回覆", "fw", "fwd", "wg", "tr", "i", "vl", "vb", "enc",
    "doorst", "pd", "továbbítás", "转发", "轉寄", "wtr", "videresend",
)  # fmt: skip
_ANY_MARK: Final = "|".join(sorted(_MARKS, key=len, reverse=True))
_MARK: Final = re.compile(
    rf"\s{{0,9}}(?:{_ANY_MARK})\s?(?:[\[(]\d{{1,3}}[\])])?\s?[:：]",
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
_EXTERNAL: Final = re.compile(r"\[(?:external|extern|ext|spam|suspicious)\]", re.IGNORECASE)
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
    rest = subject[:_SUBJECT_CHARS]
    ticket = ""
    if "[" in rest or "#" in rest or "(" in rest:
        rest = _EXTERNAL.sub(" ", rest)
        if found := _TICKET.search(rest):
            ticket = next(filter(None, found.groups()), "").casefold()
            rest = _TICKET.sub(" ", rest)
    position = 0
    while match := _MARK.match(rest, position):
        position = match.end()
    plain = " ".join(rest[position:].split()).casefold().rstrip(" .!")
    return plain, position > 0, ticket


class _Groups:
    """Disjoint sets of numbers (union by size, path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self._size = [1] * count

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


@dataclass(slots=True)
class Conversation:
    """Mails that belong together, in file order until `in_order` is applied."""

    mails: list[Envelope] = field(default_factory=list)


# Mail servers give up after five days (RFC 5321 section 4.5.4.1).
_RETRIES: Final = timedelta(days=7)


def tie_bounces(envelopes: list[Envelope]) -> list[Envelope]:
    """Give bounces that name no id the last mail to their recipient, of their subject if told.

    Parameters
    ----------
    envelopes : list of Envelope
        In file order.

    Returns
    -------
    list of Envelope
        In the same order. Cost: n log n, and nothing where no bounce needs it.
    """
    if not any(_lost(mail) for mail in envelopes):
        return envelopes
    tied = list(envelopes)
    last: dict[tuple[str, str], Envelope] = {}
    for at in sorted(range(len(tied)), key=lambda at: _date_key(tied[at])):
        mail = tied[at]
        if not mail.bounce:
            plain = plain_subject(mail.subject)[0]
            for address in (*mail.to, *mail.cc):
                last[address, plain] = last[address, ""] = mail
        elif _lost(mail):
            plain = plain_subject(mail.failed_subject)[0]
            found = [last.get((address, key)) for key in (plain, "") for address in mail.failed_to]
            first = next(filter(None, found), None)
            if first and _within(first.sent_at, mail.sent_at, _RETRIES):
                tied[at] = dataclasses.replace(mail, references=(first.id,), refers_to=first.id)
    return tied


def _lost(mail: Envelope) -> bool:
    return mail.bounce and mail.refers_to is None and bool(mail.failed_to)


def by_headers(envelopes: Sequence[Envelope]) -> list[Conversation]:
    """Group mails that name one another, or a mail that is missing.

    Parameters
    ----------
    envelopes : sequence of Envelope
        In file order.

    Returns
    -------
    list of Conversation
        By first mail. Cost: near-linear in mails and references.
    """
    groups = _Groups(len(envelopes))
    node_of: dict[str, int] = {}
    for number, envelope in enumerate(envelopes):
        node_of.setdefault(f"id:{envelope.id}", number)
    for number, envelope in enumerate(envelopes):
        keys = [f"id:{reference}" for reference in envelope.references]
        if envelope.conversation:
            keys.append(envelope.conversation)
        for key in keys:
            node = node_of.get(key)
            if node is None:
                node = node_of[key] = groups.add()
            groups.union(number, node)
    return _collect(envelopes, groups)


def _collect(envelopes: Sequence[Envelope], groups: _Groups) -> list[Conversation]:
    found: dict[int, Conversation] = {}
    for number, envelope in enumerate(envelopes):
        found.setdefault(groups.find(number), Conversation()).mails.append(envelope)
    return list(found.values())


@dataclass(slots=True)
class _Outline:
    """What the subject pass needs of a conversation."""

    subjects: frozenset[str]
    tickets: frozenset[str]
    people: frozenset[str]
    everybody: frozenset[str]
    begins: datetime | None
    ends: datetime | None
    may_follow: bool


def by_subject(
    conversations: Sequence[Conversation], is_ours: Callable[[str], bool]
) -> list[Conversation]:
    """Join conversations that headers left apart.

    Two are one when they share a subject (or a ticket id) and a participant and the later
    begins within 45 days of the earlier one's last mail. The participant must not be of the
    company, whose address is in every mail. Mails of machines join only as replies.

    Parameters
    ----------
    conversations : sequence of Conversation
        From `by_headers`.
    is_ours : callable
        Tells whether an address is the company's.

    Returns
    -------
    list of Conversation
        By first mail. Cost: n log n.
    """
    outlines = [_outline(conversation, is_ours) for conversation in conversations]
    groups = _Groups(len(outlines))
    last_of: dict[int, datetime | None] = {}
    latest: dict[tuple[str, str], int] = {}
    for number in sorted(range(len(outlines)), key=lambda at: _begin_key(outlines[at], at)):
        outline = outlines[number]
        last_of[number] = outline.ends
        keys = [
            *_keys(outline.subjects, outline.people),
            *_keys(outline.tickets, outline.everybody),
        ]
        for key in keys if outline.may_follow else ():
            earlier = latest.get(key)
            if earlier is None:
                continue
            root = groups.find(earlier)
            if _within(last_of[root], outline.begins):
                ends = _later(last_of[root], last_of[groups.find(number)])
                last_of[groups.union(root, number)] = ends
        latest.update((key, number) for key in keys)
    joined: dict[int, Conversation] = {}
    for number, conversation in enumerate(conversations):
        joined.setdefault(groups.find(number), Conversation()).mails.extend(conversation.mails)
    for conversation in joined.values():
        conversation.mails.sort(key=lambda mail: mail.index)
    return list(joined.values())


_MOST_PEOPLE: Final = 50  # a mail to more than these is a mailing, and pairs would multiply


def _keys(words: Iterable[str], people: frozenset[str]) -> list[tuple[str, str]]:
    chosen = sorted(people)[:_MOST_PEOPLE]
    return [(word, person) for word in sorted(words) for person in chosen]


def _outline(conversation: Conversation, is_ours: Callable[[str], bool]) -> _Outline:
    forms = [
        plain_subject(subject) for subject in {mail.subject: None for mail in conversation.mails}
    ]
    everybody = frozenset(
        address
        for mail in conversation.mails
        for address in (mail.sender, *mail.to, *mail.cc)
        if address
    )
    dates = [mail.sent_at for mail in conversation.mails if mail.sent_at]
    first = min(conversation.mails, key=_date_key)
    theirs = frozenset(address for address in everybody if not is_ours(address))
    return _Outline(
        subjects=frozenset(list(dict.fromkeys(form[0] for form in forms if form[0]))[:3]),
        tickets=frozenset(list(dict.fromkeys(f"#{form[2]}" for form in forms if form[2]))[:3]),
        people=theirs or everybody,
        everybody=everybody,
        begins=min(dates, default=None),
        ends=max(dates, default=None),
        may_follow=_may_follow(first, is_ours, internal=not theirs),
    )


def _may_follow(first: Envelope, is_ours: Callable[[str], bool], *, internal: bool) -> bool:
    """Tell whether a conversation that opens so may go on with an earlier one."""
    plain, marked, ticket = plain_subject(first.subject)
    if marked or ticket or first.references:
        return True
    if first.automatic or first.via_list or internal or is_ours(first.sender):
        return False
    # A customer who writes anew under the same specific subject still writes about it.
    return len(plain) >= 8 and (" " in plain or any(char.isdigit() for char in plain))


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def _date_key(mail: Envelope) -> tuple[datetime, int]:
    return (mail.sent_at or _NEVER, mail.index)


def _begin_key(outline: _Outline, at: int) -> tuple[datetime, int]:
    return (outline.begins or _NEVER, at)


def _within(earlier: datetime | None, later: datetime | None, window: timedelta = _WINDOW) -> bool:
    # Without dates the shared subject and person have to do.
    return earlier is None or later is None or later - earlier <= window


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    if first is None or second is None:
        return first or second
    return max(first, second)


def in_order(conversation: Conversation) -> tuple[str, list[Envelope]]:
    """Return the id of a conversation and its mails as they were written.

    Parameters
    ----------
    conversation : Conversation
        Its mails in file order.

    Returns
    -------
    id : str
        Of the mail that began it, or of the missing one that its first mail answers.
    mails : list of Envelope
        By date; a mail without one follows its parent, or else its neighbour in the file.
    """
    ordered = _by_date(conversation.mails)
    return _root(ordered), ordered


def _root(ordered: list[Envelope]) -> str:
    """Climb from the first mail to the one that began it, which may be missing."""
    by_id = {mail.id: mail for mail in ordered}
    mail = ordered[0]
    seen = set()
    while True:
        seen.add(mail.id)
        above = next((reference for reference in mail.references if reference != mail.id), None)
        if above is None:
            return mail.id
        if above in seen:  # they name one another
            return ordered[0].id
        if above not in by_id:
            return above
        mail = by_id[above]


def _by_date(mails: list[Envelope]) -> list[Envelope]:
    keys: dict[int, tuple[datetime, int, int, int]] = {}
    at_of = {mail.id: at for at, mail in reversed(list(enumerate(mails)))}
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
        found = at_of.get(reference, -1)
        if found >= 0 and found != at:
            return found
    return -1


def _next_dates(mails: list[Envelope]) -> list[datetime]:
    dates = [_NEVER] * len(mails)
    following = _NEVER
    for at in range(len(mails) - 1, -1, -1):
        following = mails[at].sent_at or following
        dates[at] = following
    return dates

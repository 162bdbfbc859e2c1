"""What the thread as a whole shows: whose turn it is, what was promised, where it turned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from customer_nlp.records import Message, Thread, ThreadState

__all__ = ["bounced", "joined", "reports", "thread_state", "turning_point"]

_WORDS: Final = {
    "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "twice": 2, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_UNIT: Final = (
    r"(?:time|attempt|e-?mail|mail|message|call|request|reminder|complaint|report|ticket|visit)"
)
_NTH: Final = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)|({'|'.join(_WORDS)}))\s+(?:\w+\s+)?{_UNIT}\b", re.IGNORECASE
)
_TIMES: Final = re.compile(
    r"\b(?:written|called|rung|phoned|e-?mailed|mailed|reported|asked|contacted|raised|told)\b"
    rf"[^.!?\n]{{0,40}}?\b(?:(\d{{1,2}})|({'|'.join(_WORDS)}))(?:\s+times)?\b",
    re.IGNORECASE,
)
MAX_REPORTS: Final = 20


def reports(text: str) -> int:
    """Return the n of "the nth time" that a customer states, or 0. Cost: linear in the text."""
    counts = [_number(match[1], match[2]) for match in _NTH.finditer(text)]
    counts += [
        _number(match[1], match[2])
        for match in _TIMES.finditer(text)
        if "times" in match[0].lower() or (match[2] or "").lower() == "twice"
    ]
    return max((count for count in counts if count <= MAX_REPORTS), default=0)


def _number(digits: str | None, word: str | None) -> int:
    if digits:
        return int(digits)
    return _WORDS[word.lower()] if word else 0


def bounced(message: Message, earlier: Sequence[Message]) -> bool:
    """Whether a mail of the customer's came back, by a machine's notice in the thread."""
    if message.role != "system" or message.refers_to is None:
        return message.role == "system" and _looks_like_bounce(message)
    return any(one.id == message.refers_to and one.role == "customer" for one in earlier) or (
        not any(one.id == message.refers_to for one in earlier)
    )


def _looks_like_bounce(message: Message) -> bool:
    subject = (message.subject or "").lower()
    return any(word in subject for word in ("undeliver", "returned", "delivery status", "failure"))


def joined(message: Message, earlier: Sequence[Message]) -> bool:
    """Whether a customer's message copies in somebody who was not on the thread before.

    Only somebody of the customer's own domain counts: a decision maker joining.
    """
    if message.role != "customer" or not message.cc:
        return False
    known = {address for one in earlier for address in (*one.to, *one.cc, one.sender or "")}
    known.add(message.sender or "")
    domain = (message.sender or "").rpartition("@")[2]
    return any(
        address not in known and (not domain or address.rpartition("@")[2] == domain)
        for address in message.cc
    )


def turning_point(
    messages: Sequence[Message], grades: Sequence[int], *, faulty: Sequence[float]
) -> str | None:
    """Return the id of the message after which it went wrong, or ``None``.

    Parameters
    ----------
    messages : sequence of Message
        The thread.
    grades : sequence of int
        Frustration grade of every message, 0 for other roles than the customer.
    faulty : sequence of float
        For every agent's message the strength of its worst finding, else 0.

    Notes
    -----
    It is our message before the customer's mood first rose above where it started: the one with
    a finding if there is one, else the last one before the rise.
    """
    start: int | None = None
    ours: list[int] = []
    for index, message in enumerate(messages):
        if message.role == "agent":
            ours.append(index)
        elif message.role == "customer":
            if start is None:
                start = grades[index]
            elif ours and grades[index] > start and grades[index] >= 2:
                blamed = [i for i in ours if faulty[i] >= 0.5]
                return messages[blamed[0] if blamed else ours[-1]].id
    return None


def thread_state(
    thread: Thread, *, now: datetime | None = None, turning: str | None = None
) -> ThreadState:
    """Say whose turn it is, since when, and how many contacts there were.

    Parameters
    ----------
    thread : Thread
        As far as it has come.
    now : datetime, optional
        Aware; without it silence is unknown.
    turning : str, optional
        Id of the turning point.
    """
    spoken = [one for one in thread.messages if one.role != "system" and not one.automatic]
    last = spoken[-1] if spoken else None
    customers = [one for one in thread.messages if one.role == "customer" and not one.automatic]
    stated = max((reports(one.new_text) for one in customers), default=0)
    silent = None
    if now is not None and last is not None and last.sent_at is not None:
        silent = max((now - last.sent_at).total_seconds() / 3600, 0.0)
    waiting_on = None
    if last is not None:
        waiting_on = "company" if last.role == "customer" else "customer"
    messages = thread.messages
    return ThreadState(
        waiting_on,
        silent,
        max(len(customers), stated),
        turning,
        any(joined(one, messages[:i]) for i, one in enumerate(messages)),
    )

"""What the thread as a whole shows: whose turn it is, what was promised, where it turned."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Final

from customer_nlp.records import Message, Thread, ThreadState
from customer_nlp.timeline._commitments import commitments
from customer_nlp.timeline._conflicts import Conflict, Unanswered, conflicts, unanswered

__all__ = [
    "Conflict",
    "Participants",
    "Unanswered",
    "bounced",
    "commitments",
    "conflicts",
    "reports",
    "thread_state",
    "turning_point",
    "unanswered",
]

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


_BOUNCE_SUBJECTS: Final = ("undeliver", "returned mail", "mail delivery fail", "delivery status")


def bounced(message: Message, ours: Container[str]) -> bool:
    """Whether a machine's notice says that a mail of the customer's came back.

    Parameters
    ----------
    message : Message
        The notice.
    ours : container of str
        Ids of the agents' messages so far: a bounce of one of those is not the customer's.
    """
    if message.role != "system":
        return False
    if message.refers_to is not None and message.refers_to in ours:
        return False
    return (message.subject or "").lower().startswith(_BOUNCE_SUBJECTS)


class Participants:
    """Who was on the thread so far: tells when somebody on the customer's side joins."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: set[str] = set()

    def joins(self, message: Message) -> bool:
        """Take a message into account; whether it copies in a new person of the customer's.

        Only somebody of the customer's own domain counts: a decision maker joining.
        """
        sender = message.sender or ""
        first = not self._known
        domain = sender.rpartition("@")[2]
        new = message.role == "customer" and any(
            address not in self._known
            and address != sender
            and (not domain or address.rpartition("@")[2] == domain)
            for address in message.cc
        )
        self._known.update(message.to, message.cc, (sender,))
        # who is copied in from the start did not join
        return new and not first


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
        if message.role == "agent" and message.public:
            ours.append(index)
        elif message.role == "customer":
            if start is None:
                start = grades[index]
            elif ours and grades[index] > start and grades[index] >= 2:
                blamed = [i for i in ours if faulty[i] >= 0.5]
                return messages[blamed[0] if blamed else ours[-1]].id
    return None


def thread_state(
    thread: Thread,
    *,
    now: datetime | None = None,
    turning: str | None = None,
    decision_maker_joined: bool = False,
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
    decision_maker_joined : bool, default=False
        What `Participants` saw.
    """
    spoken = [
        one for one in thread.messages if one.role != "system" and not one.automatic and one.public
    ]
    last = spoken[-1] if spoken else None
    customers = [one for one in spoken if one.role == "customer"]
    stated = max((reports(one.new_text) for one in customers), default=0)
    silent = None
    if now is not None and last is not None and last.sent_at is not None:
        silent = max((now - last.sent_at).total_seconds() / 3600, 0.0)
    waiting_on = None
    if last is not None:
        waiting_on = "company" if last.role == "customer" else "customer"
    return ThreadState(
        waiting_on, silent, max(len(customers), stated), turning, decision_maker_joined
    )

"""What the thread as a whole shows: whose turn it is, what was promised, where it turned."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Final

from customer_nlp.records import Message, ThreadState
from customer_nlp.timeline._commitments import LEAD_HOURS, commitments
from customer_nlp.timeline._conflicts import Conflict, Unanswered, conflicts, unanswered
from customer_nlp.timeline._follow import Facts, Timeline, hours_between, reports

__all__ = [
    "LEAD_HOURS",
    "Conflict",
    "Facts",
    "Participants",
    "Timeline",
    "Trajectory",
    "Unanswered",
    "bounced",
    "commitments",
    "conflicts",
    "reports",
    "thread_state",
    "unanswered",
]

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


class Trajectory:
    """How the customer's mood went, and where it turned; takes one message after the other.

    Notes
    -----
    The turning point is our message before the customer's mood first rose above where it started:
    the one with a finding if there is one, else the last one before the rise.
    """

    __slots__ = ("_blamed", "_last_own", "_start", "turning_point")

    def __init__(self) -> None:
        self.turning_point: str | None = None
        self._start: int | None = None
        self._blamed: str | None = None
        self._last_own: str | None = None

    def add(self, message: Message, grades: tuple[int, int, int], *, faulty: float) -> None:
        """Take a message into account.

        Parameters
        ----------
        message : Message
            The next one.
        grades : tuple of int
            Its grades of the core signals.
        faulty : float
            Of an agent's message the strength of its worst finding, else 0.
        """
        if message.role == "agent" and message.public:
            self._last_own = message.id
            if faulty >= 0.5 and self._blamed is None:
                self._blamed = message.id
        elif message.role == "customer":
            mood = grades[1]
            if self._start is None:
                self._start = mood
            elif self.turning_point is None and mood >= 2 and mood > self._start:
                self.turning_point = self._blamed or self._last_own


def thread_state(
    timeline: Timeline,
    *,
    now: datetime | None = None,
    decision_maker_joined: bool = False,
) -> ThreadState:
    """Say whose turn it is, since when, and how many contacts there were.

    Parameters
    ----------
    timeline : Timeline
        The thread as far as it has come.
    now : datetime, optional
        Aware; without it silence is unknown.
    decision_maker_joined : bool, default=False
        What `Participants` saw.
    """
    last = timeline.last
    waiting_on = None
    if last is not None:
        waiting_on = "company" if last.role == "customer" else "customer"
    return ThreadState(
        waiting_on,
        None if now is None or last is None else hours_between(last.sent_at, now),
        max(timeline.contacts, timeline.reports),
        decision_maker_joined=decision_maker_joined,
    )

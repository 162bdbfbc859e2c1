"""What the thread as a whole shows: whose turn it is, what was promised, where it turned."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from customer_nlp.records import Event, Message, ThreadState, Trajectory, TurnGrades
from customer_nlp.timeline._commitments import LEAD_HOURS, commitments, zone_of
from customer_nlp.timeline._conflicts import Conflicts, conflicts, unanswered
from customer_nlp.timeline._dates import public_holidays
from customer_nlp.timeline._follow import (
    Facts,
    Timeline,
    business_hours_between,
    hours_between,
    reports,
)

__all__ = [
    "LEAD_HOURS",
    "NOTIFY_HOURS",
    "Conflicts",
    "Course",
    "Facts",
    "Participants",
    "Timeline",
    "bounced",
    "commitments",
    "conflicts",
    "public_holidays",
    "reports",
    "thread_state",
    "unanswered",
    "untold",
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
        if not message.public:
            return False
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


class Course:
    """How the customer's mood goes, and where it turned; takes one message after the other.

    Notes
    -----
    The turning point is our message before the customer's mood first rose above where it started:
    the one with a finding if there is one, else the last one before the rise. It recovered when
    the last turn is no worse than the first, or the matter shows to be settled in it.
    """

    __slots__ = ("_blamed", "_last_own", "_recovered", "_turns", "intercept", "turning_point")

    def __init__(self) -> None:
        self.turning_point: str | None = None
        self.intercept: str | None = None
        self._recovered: bool | None = None
        self._turns: list[TurnGrades] = []
        self._blamed: str | None = None
        self._last_own: str | None = None

    def add_own(self, message: Message, *, faulty: bool) -> None:
        """Take a message of ours into account; `faulty` when something is wrong with it."""
        if message.public:
            self._last_own = message.id
            if faulty and self._blamed is None:
                self._blamed = message.id

    def add_customer(self, turn: TurnGrades, *, settled: bool, calls: bool) -> None:
        """Take a readable message of the customer's into account.

        Parameters
        ----------
        turn : TurnGrades
            What it shows.
        settled : bool
            Whether the matter shows to be settled.
        calls : bool
            Whether a call is right after it.
        """
        self._turns.append(turn)
        start = self._turns[0].frustration
        if calls and self.intercept is None:
            self.intercept = turn.message_id
        if self.turning_point is None and turn.frustration >= 2 and turn.frustration > start:
            self.turning_point = self._blamed or self._last_own
        if self.turning_point is not None:
            self._recovered = turn.frustration <= start or (settled and turn.frustration < 2)

    def trajectory(self) -> Trajectory:
        """Return the record."""
        return Trajectory(tuple(self._turns), self.turning_point, self._recovered, self.intercept)


def thread_state(
    timeline: Timeline,
    *,
    now: datetime | None = None,
    decision_maker_joined: bool = False,
    unsolved_contacts: int = 0,
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
    unsolved_contacts : int, default=0
        Customer messages since the matter last showed to be settled.
    """
    last = timeline.last
    waiting_on, silent, business = None, None, None
    if last is not None:
        waiting_on = "company" if last.role == "customer" else "customer"
        if now is not None and last.sent_at is not None:
            silent = hours_between(last.sent_at, now)
            business = business_hours_between(
                last.sent_at.astimezone(zone_of(last)), now, timeline.closed
            )
    return ThreadState(
        waiting_on,
        silent,
        max(timeline.contacts, timeline.reports),
        decision_maker_joined=decision_maker_joined,
        silent_business_hours=business,
        unsolved_contacts=unsolved_contacts,
        reports=timeline.reports,
    )


#: Hours within which the customer should hear of an event; kinds that are not here can wait.
NOTIFY_HOURS: Final[Mapping[str, float]] = {
    "order_cancelled": 4.0,
    "order_changed": 24.0,
    "delivery_delayed": 12.0,
    "delivery_failed": 12.0,
    "appointment_moved": 4.0,
    "appointment_cancelled": 4.0,
    "outage": 4.0,
    "payment_failed": 24.0,
    "price_changed": 72.0,
}


def untold(
    events: Iterable[Event],
    timeline: Timeline,
    now: datetime | None,
    notify_hours: Mapping[str, float] = NOTIFY_HOURS,
) -> tuple[Event, ...]:
    """Return the events of which the customer should have heard and has not.

    Parameters
    ----------
    events : iterable of Event
        In any order.
    timeline : Timeline
        The thread as far as it has come.
    now : datetime or None
        Aware; without it only events are found after which the customer spoke first.
    notify_hours : mapping of str to float
        Event kind to the hours within which we should have written.

    Returns
    -------
    tuple of Event
        By time. Any message of ours after an event counts as word of it.
    """
    told = timeline.last_own.sent_at if timeline.last_own is not None else None
    moment = now or (timeline.last.sent_at if timeline.last is not None else None)
    return tuple(
        event
        for event in sorted(events, key=lambda event: (event.at, event.kind))
        if event.kind in notify_hours
        and moment is not None
        and moment - event.at >= timedelta(hours=notify_hours[event.kind])
        and (told is None or told < event.at)
    )

"""The thread as a whole: what is true of it after each message, at any time asked about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Message
from customer_nlp.timeline import Timeline, commitments, reports

SENT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)  # a Tuesday


def told(*turns: tuple[str, float, str]) -> Timeline:
    """Follow a thread of (role, days after the start, text)."""
    timeline = Timeline()
    for index, (role, days, text) in enumerate(turns):
        sent = SENT + timedelta(days=days)
        timeline.add(Message(role, text, id=f"m{index}", sent_at=sent))
    return timeline


ASKED = ("customer", 0.0, "Where is my table?")
PROMISED = ("agent", 0.1, "Your table will be with you on Friday.")
LET_DOWN = ("customer", 6.0, "It's Monday. No van, no call, nothing. Where is my table?")


def test_a_promise_is_open_then_due_then_broken() -> None:
    timeline = told(ASKED, PROMISED)
    days = [SENT + timedelta(days=n) for n in (1, 2.8, 5)]
    counts = [
        (facts.promises_open, facts.promises_due, facts.promises_broken)
        for facts in map(timeline.facts, days)
    ]
    assert counts == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_the_customers_first_words_after_a_broken_promise_are_marked() -> None:
    assert told(ASKED, PROMISED, LET_DOWN).facts().just_broken == 1
    later = ("customer", 7.0, "Hello? Anybody?")
    facts = told(ASKED, PROMISED, LET_DOWN, later).facts()
    assert (facts.just_broken, facts.promises_broken) == (0, 1)


def test_waiting_is_counted_from_the_first_unanswered_word() -> None:
    again = ("customer", 2.0, "Any news?")
    assert told(ASKED, again).facts().waited_hours == 48
    assert told(ASKED, again).facts(SENT + timedelta(days=3)).waited_hours == 72
    assert told(ASKED, again, ("agent", 2.5, "Sorry, here I am.")).facts().waited_hours is None


def test_conflicts_and_questions_are_counted_as_they_come() -> None:
    facts = told(
        ("customer", 0, "Why was my order cancelled?"),
        ("agent", 1, "Your order was cancelled because the fridge is out of stock."),
        ("customer", 2, "Why do you call me now?"),
        ("agent", 3, "The order was cancelled because your credit card was declined."),
        ("customer", 4, "Why do you call me now?"),
    ).facts()
    assert (facts.conflicts, facts.unanswered, facts.asked) == (1, 1, 2)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Right, third time lucky, I hope.", 0),
        ("Third time's the charm, they say.", 0),
        ("This is the third time I write.", 3),
        ("I have called you 5 times.", 5),
        ("I have contacted you on three occasions.", 3),
        ("I've e-mailed you half a dozen times.", 6),
        ("I've rung you 7x.", 7),
        ("I asked for six.", 0),
        ("My 2 cats.", 0),
    ],
)
def test_the_nth_report_is_read_from_words(text: str, count: int) -> None:
    assert reports(text) == count


TURNS = st.lists(
    st.tuples(
        st.sampled_from(["customer", "agent", "system"]),
        st.floats(0, 9),
        st.sampled_from([ASKED[2], PROMISED[2], LET_DOWN[2], "I'll call you back today.",
                         "It came, thanks!", "The total is £9.", "The total is £8."]),
    ),
    max_size=8,
)  # fmt: skip


@given(TURNS)
def test_asking_on_the_way_changes_nothing(turns: list[tuple[str, float, str]]) -> None:
    asked = Timeline()
    for index, (role, days, text) in enumerate(turns):
        message = Message(role, text, id=f"m{index}", sent_at=SENT + timedelta(days=days))
        asked.add(message)
        asked.facts()
        asked.commitments.at(message.sent_at, lead_hours=24)
    assert asked.facts() == told(*turns).facts()


def test_the_zone_of_a_date_is_kept_for_its_promises() -> None:
    place = timezone(timedelta(hours=-5))
    message = Message("agent", "I'll call you by noon.", sent_at=SENT.astimezone(place))
    assert (message.sent_at, message.utc_offset_minutes) == (SENT, -300)
    again = Message.from_dict(message.to_dict())
    assert again == message
    [one] = commitments([again])
    assert one.due == SENT.replace(hour=17)


def test_an_iso_date_brings_its_offset() -> None:
    record = {"role": "agent", "text": "By noon.", "sent_at": "2026-03-03T09:00:00+05:30"}
    assert Message.from_dict(record).utc_offset_minutes == 330


@pytest.mark.parametrize("minutes", [1440, -1440, 10**9])
def test_no_zone_lies_a_day_away(minutes: int) -> None:
    with pytest.raises(InvalidRecordError, match="less than a day"):
        Message.from_dict({"role": "agent", "text": "", "utc_offset_minutes": minutes})

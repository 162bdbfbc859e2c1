"""Contradictions of ours and questions that our replies passed over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_nlp.records import CONFLICT_KINDS, Message
from customer_nlp.timeline import conflicts, unanswered

SENT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


def thread(*turns: tuple[str, str]) -> list[Message]:
    return [
        Message(role, text, id=f"m{index}", sent_at=SENT + timedelta(days=index))
        for index, (role, text) in enumerate(turns)
    ]


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("reason", "Your order was cancelled because the fridge is out of stock.",
         "The order was cancelled because your credit card was declined."),
        ("state", "Your parcel has been shipped.", "Your order has been cancelled."),
        ("state", "Your return was received on the 2nd.", "We have not received anything."),
        ("amount", "The total is £240.00.", "The total is £260."),
        ("amount", "The repair costs £80.", "The repair costs £120."),
        ("date", "Your appointment is on Tuesday at 10.", "Your appointment is on Thursday at 10."),
        ("state", "The adapter works with model B.", "The adapter does not work with model B."),
        ("date", "Your contract ends on 31 March.", "The contract runs until 30 June."),
        ("state", "Your mower is still under warranty.", "This one is no longer under warranty."),
        ("state", "We have issued your refund today.", "No refund is due on this booking."),
    ],
)  # fmt: skip
def test_two_statements_that_exclude_each_other(kind: str, first: str, second: str) -> None:
    [one] = conflicts(thread(("agent", first), ("customer", "Sorry?"), ("agent", second)))
    assert (one.kind, one.first.text, one.second.text) == (kind, first, second)
    assert (one.first.message_id, one.second.message_id) == ("m0", "m2")


@pytest.mark.parametrize(
    "second",
    [
        "I was wrong: the total is £260.",
        "The total is £240.",
        "The deposit is £260.",
        "Is the total £260?",
    ],
)
def test_corrections_and_other_things_are_no_conflict(second: str) -> None:
    assert conflicts(thread(("agent", "The total is £240.00."), ("agent", second))) == ()


@pytest.mark.parametrize(
    "second",
    ["The filter costs £20.", "The repair now costs £120.", "If so, the repair costs £120."],
)
def test_the_same_words_must_speak_of_the_same_thing(second: str) -> None:
    assert conflicts(thread(("agent", "The repair costs £80."), ("agent", second))) == ()


def test_a_question_may_be_a_statement() -> None:
    [one] = unanswered(
        thread(
            ("customer", "I would like to know why I was charged twice."),
            ("agent", "Your invoice is attached."),
        )
    )
    assert one.question.text == "I would like to know why I was charged twice."


def test_a_greeting_is_no_statement() -> None:
    [one] = conflicts(
        thread(
            ("agent", "Hello Rosa Brandt,\n\nthe plate is made of steel."),
            ("agent", "Hello Rosa Brandt,\n\nthe plate is made of oak."),
            ("customer", "Hello, Rosa Brandt again: one of you says steel, one of you says oak?"),
        )
    )
    assert one.first.text == "the plate is made of steel."


def test_only_our_side_contradicts_itself() -> None:
    assert (
        conflicts(thread(("agent", "The total is £240."), ("customer", "The total is £2."))) == ()
    )


SEATS = ("agent", "Good evening. Your seats are in row C."), ("agent", "Hi! You are in Box 2.")


@pytest.mark.parametrize(
    "complaint",
    [
        "Row C, Box 2: which is it?",
        "Your colleague said row C, and you write Box 2.",
        "One of you says row, the other says box.",
        'You had written "seats are in row C". Where is this box?',
    ],
)
def test_a_customer_who_holds_our_words_against_each_other_is_believed(complaint: str) -> None:
    [one] = conflicts(thread(*SEATS, ("customer", complaint)))
    assert (one.first.text, one.second.text) == ("Your seats are in row C.", "You are in Box 2.")
    assert (one.first.message_id, one.second.message_id) == ("m0", "m1")


@pytest.mark.parametrize(
    "turns",
    [
        (SEATS[0], ("customer", "Row C or row D, which is it?")),
        (*SEATS, ("customer", "Thank you, box it is.")),
        (*SEATS, ("customer", "Which one is right for a wheelchair?")),
        (*SEATS, ("customer", 'The poster says "bring a cushion". Shall I, in row C?')),
    ],
)
def test_what_is_not_held_against_ours_is_no_conflict(turns: tuple[tuple[str, str], ...]) -> None:
    assert conflicts(thread(*turns)) == ()


def test_a_question_asked_three_times_is_counted() -> None:
    messages = thread(
        ("customer", "Why are you calling now?"),
        ("agent", "We have a great offer on plans."),
        ("customer", "But why do you call me now, two years later?"),
        ("agent", "Our plan covers everything."),
        ("customer", "Why are you calling now?"),
    )
    [one] = unanswered(messages)
    assert (one.question.text, one.asked, one.reply_id) == ("Why are you calling now?", 3, "m1")
    assert one.question.message_id == "m0"


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("When does my plan end?", "It ends on 30 June."),
        ("Why is it dearer?", "Because the index went up."),
        ("Does the pump need oil?", "No, never."),
        ("Which filter fits the pump?", "The pump takes the blue filter."),
    ],
)
def test_an_answer_answers(question: str, reply: str) -> None:
    assert unanswered(thread(("customer", question), ("agent", reply))) == ()


def test_a_question_that_waits_for_its_first_reply_is_not_unanswered() -> None:
    assert unanswered(thread(("customer", "Why is it dearer?"))) == ()


def test_the_customer_says_that_it_was_not_answered() -> None:
    messages = thread(
        ("customer", "Why is my bill dearer?"),
        ("agent", "Thank you for your message."),
        ("customer", "You did not answer my question."),
    )
    assert [one.question.text for one in unanswered(messages)] == ["Why is my bill dearer?"]


def test_a_late_answer_settles_it() -> None:
    messages = thread(
        ("customer", "Why is my bill dearer?"),
        ("agent", "Thank you for your message."),
        ("customer", "You did not answer my question."),
        ("agent", "It is dearer because the index went up."),
    )
    assert unanswered(messages) == ()


PIECES = st.sampled_from(
    ["Why?", " The total is £9.", " Your order was shipped.", " It was cancelled.", "\n", " ?",
     " contract ends 31 February", " £1,2,3", " When do you come?", " because the card"]
)  # fmt: skip
TURNS = st.lists(
    st.tuples(
        st.sampled_from(["customer", "agent"]),
        st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=12).map("".join)),
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(TURNS)
def test_any_thread_gives_exact_spans(turns: list[tuple[str, str]]) -> None:
    messages = thread(*turns)
    texts = {message.id: message.text for message in messages}
    for conflict in conflicts(messages):
        assert conflict.kind in CONFLICT_KINDS
        for one in (conflict.first, conflict.second):
            assert texts[one.message_id or ""][one.start : one.end] == one.text
    for item in unanswered(messages):
        question = item.question
        assert texts[question.message_id or ""][question.start : question.end] == question.text
        assert item.asked >= 1
        assert item.reply_id in texts


@settings(max_examples=100, deadline=None)
@given(TURNS, TURNS)
def test_later_messages_take_no_conflict_back(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    head = conflicts(thread(*before))
    assert conflicts(thread(*before, *after))[: len(head)] == head

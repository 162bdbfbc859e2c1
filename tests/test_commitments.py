"""Commitments: what counts as one, when it falls due, how it stands."""

from __future__ import annotations

import builtins
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_nlp.errors import MissingExtraError
from customer_nlp.records import COMMITMENT_STATES, Commitment, Message, Zone
from customer_nlp.timeline import _undertakings
from customer_nlp.timeline._commitments import commitments, follow
from customer_nlp.timeline._dates import Words, business_days, find_moments, public_holidays
from customer_nlp.timeline._outcomes import denied, shipped_outcomes, signs_of

SENT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)  # a Tuesday


def turn(role: str, text: str, sent: datetime | None = SENT, **more: Any) -> Message:
    return Message(role, text, id=f"{role}-{sent}", sent_at=sent, **more)


def at(month: int, day: int, hour: int = 17, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("You'll have it by Friday.", at(3, 6)),
        ("We'll refund it this week.", at(3, 6)),
        ("If you send the form by Friday we will refund you next week.", at(3, 13)),
        ("When the depot writes on Friday we'll write to you by Monday noon.", at(3, 9, 12)),
        ("I'll call you back this afternoon.", at(3, 3)),
        ("It will be delivered on Monday afternoon.", at(3, 9)),
        ("I'll mail you tomorrow with what I see.", at(3, 4)),
        ("We will repair it within 3 working days.", at(3, 6)),
        ("We will answer within 5 working days.", at(3, 10)),
        ("An engineer will call you back within 48 hours.", at(3, 5, 9)),
        ("I'll ring you tomorrow morning.", at(3, 4, 12)),
        ("I'll write to you on the evening of the 19th.", at(3, 19, 20)),
        ("You'll have it by the end of the week.", at(3, 6)),
        ("You'll get it by the end of the month.", at(3, 31)),
        ("It will be with you on 12 March.", at(3, 12)),
        ("It will be with you next week.", at(3, 13)),
        ("It will be with you on Monday 16th between 8 and 12.", at(3, 16, 12)),
        ("I'll phone on the 14th at half past ten.", at(3, 14, 10, 30)),
        ("Swap machine reaches you tomorrow by 9.30 with a box.", at(3, 4, 9, 30)),
        ("You'll have the report by 2026-04-02.", at(4, 2)),
        ("You will have it by 25/3.", at(3, 25)),
        ("I'll send it by 5pm CET on Friday.", at(3, 6, 16)),
        ("I'll call you at 9am ET tomorrow.", at(3, 4, 14)),
        ("He will be there at 3 pm Berlin time on Friday.", at(3, 6, 14)),
        ("Within the next 24 hours a colleague will contact you.", at(3, 4, 9)),
        ("I will send it to you in two hours.", at(3, 3, 11)),
        ("You'll hear from me before the weekend.", at(3, 6)),
        ("I'm going to ring you first thing tomorrow.", at(3, 4, 12)),
        ("We guarantee delivery by 10 April.", at(4, 10)),
    ],
)
def test_due_is_read_against_the_day_of_writing(text: str, due: datetime) -> None:
    [one] = commitments([turn("agent", text)])
    assert one.due == due
    assert one.by == "agent"


def test_ambiguous_figures_are_no_date() -> None:
    assert commitments([turn("agent", "We will send it 3/4.")]) == ()


def test_today_written_after_five_ends_at_midnight() -> None:
    sent = SENT.replace(hour=18)
    [one] = commitments([turn("agent", "I'll send it today.", sent)])
    assert one.due == at(3, 3, 23, 59)


@pytest.mark.parametrize(
    "text",
    [
        "Please send the photos by Friday.",
        "Your parcel was delivered on Monday.",
        "The offer is valid until Friday.",
        "Could you let us know by tomorrow?",
        "You can pay by 12 March.",
        "Thank you for your patience.",
        "",
    ],
)
def test_requests_rules_and_the_past_are_no_commitments(text: str) -> None:
    assert commitments([turn("agent", text)]) == ()


def test_customers_commit_themselves_too() -> None:
    [one] = commitments([turn("customer", "I'll send you the list by Thursday.")])
    assert (one.by, one.due) == ("customer", at(3, 5))


def test_a_promised_call_needs_no_time() -> None:
    [one] = commitments([turn("agent", "Someone will call you back.")])
    assert (one.text, one.due, one.state) == ("Someone will call you back", None, "open")


def test_without_a_date_of_the_message_due_is_unknown() -> None:
    [one] = commitments([turn("agent", "You'll have it by Friday.", None)])
    assert one.due is None


def test_the_zone_of_the_writer_counts() -> None:
    message = turn("agent", "You'll have it by Friday noon.")
    zone = timezone(timedelta(hours=2))
    [by_zone] = commitments([message], zone=zone)
    [by_message] = commitments([message.replace(utc_offset_minutes=120)])
    assert by_zone.due == by_message.due == at(3, 6, 10)


def test_quotes_internal_notes_and_machines_promise_nothing() -> None:
    text = "You'll have it by Friday."
    quoted = turn("agent", text, zones=(Zone("quote", 0, len(text)),))
    assert commitments([quoted]) == ()
    assert commitments([turn("agent", text, public=False)]) == ()
    assert commitments([turn("agent", text, automatic=True)]) == ()


def states(*messages: Message, **options: Any) -> list[str]:
    return [one.state for one in commitments(messages, **options)]


PROMISE = turn("agent", "Your table will be with you on Friday.")


def test_open_then_due_then_broken_as_time_goes_by() -> None:
    assert states(PROMISE, now=at(3, 4)) == ["open"]
    assert states(PROMISE, now=at(3, 5, 18)) == ["due"]
    assert states(PROMISE, now=at(3, 4), lead_hours=72) == ["due"]
    assert states(PROMISE, now=at(3, 7)) == ["broken"]


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("It came at noon, thank you!", "kept"),
        ("All here and working, cheers.", "kept"),
        ("It's Monday. No van, no call, nothing. Where is my table?", "broken"),
        ("Friday came and went and I'm still waiting.", "broken"),
    ],
)
def test_the_customer_says_how_it_ended(reply: str, state: str) -> None:
    assert states(PROMISE, turn("customer", reply, at(3, 9, 9))) == [state]


def test_early_arrival_is_kept() -> None:
    early = turn("customer", "Table arrived today, it's lovely.", at(3, 6, 10))
    assert states(PROMISE, early) == ["kept"]


def test_a_later_date_told_in_time() -> None:
    told = turn("agent", "The van broke down, so it won't make Friday. New date is Monday 9 March.",
                at(3, 5))  # fmt: skip
    assert states(PROMISE, told)[0] == "told_in_advance"


@pytest.mark.parametrize(
    "word",
    [
        "The pass is closed by snow: expect it on Monday 9 March.",
        "Customs wants a paper, so it comes on Monday 9 March.",
    ],
)
def test_a_cause_with_a_later_date_tells_of_the_delay(word: str) -> None:
    assert states(PROMISE, turn("agent", word, at(3, 5)))[0] == "told_in_advance"


@pytest.mark.parametrize(
    "words",
    [
        "It is 3pm on Saturday and nobody has come. I took the day off.",
        "No one came.",
        "The table never showed up.",
        "Nothing has arrived.",
        "It has not been delivered.",
        "Your men didn't turn up yesterday and I took a day off work for it.",
        "Still waiting.",
        "No van, no call.",
    ],
)
def test_plain_words_that_it_did_not_come_are_believed(words: str) -> None:
    assert states(PROMISE, turn("customer", words, at(3, 7, 15))) == ["broken"]
    assert states(PROMISE, turn("customer", words, at(3, 6, 16))) != ["kept"]


def test_a_word_of_arrival_denied_is_no_arrival() -> None:
    assert states(PROMISE, turn("customer", "The table never came.", at(3, 6, 10))) != ["kept"]
    assert states(PROMISE, turn("customer", "The refund landed today.", at(3, 6, 10))) == ["kept"]


def test_a_promise_of_word_is_not_moved_by_word() -> None:
    asked = turn("agent", "I'll check and write to you by Friday.")
    word = turn("agent", "Sorry, the van is stuck. It reaches you on Monday 9 March.", at(3, 6, 9))
    assert states(asked, word)[0] == "kept"
    assert states(asked, word.replace(sent_at=at(3, 4, 9)))[0] == "open"


def test_a_later_date_agreed_on_is_renegotiated() -> None:
    asked = turn("customer", "Could we make it another day?", at(3, 4))
    moved = turn("agent", "Moved: it will be with you on Monday 9 March instead.", at(3, 4, 19))
    assert states(PROMISE, asked, moved)[0] == "renegotiated"


def test_a_later_date_told_too_late_is_broken() -> None:
    late = turn("agent", "Sorry, we missed it. It will be with you on Tuesday instead.", at(3, 7))
    assert states(PROMISE, late)[0] == "broken"


def test_business_days_leave_out_weekends_and_holidays() -> None:
    thursday = date(2026, 4, 2)
    assert business_days(thursday, 1) == date(2026, 4, 3)
    assert business_days(thursday, 1, {date(2026, 4, 3), date(2026, 4, 6)}) == date(2026, 4, 7)


def test_holidays_are_asked_for_only_when_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "holidays":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert commitments([PROMISE])
    with pytest.raises(MissingExtraError, match="needs holidays"):
        commitments([PROMISE], holidays_of="GB")


def test_holidays_move_working_days() -> None:
    pytest.importorskip("holidays")
    message = turn("agent", "We will answer within 1 working day.", at(4, 2, 9))
    [one] = commitments([message], holidays_of="DE")
    assert one.due == at(4, 7)
    with pytest.raises(ValueError, match="country code"):
        commitments([message], holidays_of="XX")


def test_holidays_are_whole_whoever_asks_first() -> None:
    pytest.importorskip("holidays")
    closed, new_year = public_holidays("DE"), date(2031, 1, 1)
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(closed.__contains__, [new_year] * 64))
    assert all(asked)
    assert date(2031, 1, 2) not in closed
    assert date(1, 1, 1) not in closed
    assert public_holidays(None) == ()


PIECES = st.sampled_from(
    ["I'll call you", "you'll have it", " by Friday", " tomorrow", " at 9.30", " 31 February",
     " 99/99/9999", " half past", " between 8 and", " next", " in 999 days", " the 31st", ".", "?",
     "\n", ", and ", " within 0 hours", "²", " ٣", "İ", " sorry", " thanks", " not "]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=25).map("".join))
MESSAGES = st.lists(
    st.builds(
        lambda role, text, days: turn(role, text, SENT + timedelta(days=days)),
        st.sampled_from(["customer", "agent"]),
        TEXTS,
        st.integers(0, 60),
    ),
    max_size=6,
)


def found(messages: list[Message]) -> list[tuple[Any, ...]]:
    return [(c.message_id, c.start, c.end, c.due, c.by) for c in commitments(messages)]


@settings(max_examples=150, deadline=None)
@given(MESSAGES)
def test_any_text_gives_exact_spans_and_legal_states(messages: list[Message]) -> None:
    messages = [one.replace(id=str(index)) for index, one in enumerate(messages)]
    for one in commitments(messages):
        assert isinstance(one, Commitment)
        assert messages[int(one.message_id)].text[one.start : one.end] == one.text
        assert one.state in COMMITMENT_STATES
    assert commitments(messages) == commitments(messages)


@settings(max_examples=100, deadline=None)
@given(MESSAGES, MESSAGES)
def test_later_messages_change_states_only(before: list[Message], after: list[Message]) -> None:
    whole = [one.replace(id=str(index)) for index, one in enumerate([*before, *after])]
    head = found(whole[: len(before)])
    assert found(whole)[: len(head)] == head


@settings(max_examples=100, deadline=None)
@given(MESSAGES)
def test_the_model_is_fitted_on_what_the_timeline_follows(messages: list[Message]) -> None:
    whole = [one.replace(id=str(index)) for index, one in enumerate(messages)]
    now = SENT + timedelta(days=90)
    for one in commitments(whole, now):
        followed = follow(one, whole[int(one.message_id) :])
        assert followed.state(now, 0.0) == one.state
        weighed = shipped_outcomes()
        each = (weighed.signs.get(name, 0.0) * at for name, at in signs_of(followed.sequel).items())
        whole_odds = weighed.bias + denied(followed.sequel) + sum(each)
        assert weighed.odds(followed.sequel) == pytest.approx(whole_odds)


def test_outcomes_are_fitted_alike_each_time_and_not_on_test() -> None:
    pytest.importorskip("sklearn")
    from customer_nlp.training.corpus import load_corpus
    from customer_nlp.training.outcomes import fit_outcomes

    threads = load_corpus().threads[:300]
    seen = [one for one in threads if one.split != "test"]
    assert len(seen) < len(threads)
    assert fit_outcomes(threads) == fit_outcomes(seen)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_moments_do_not_overlap(text: str) -> None:
    moments = find_moments(Words(text), SENT)
    for one, following in pairwise(moments):
        assert one.first < one.last <= following.first


@pytest.mark.parametrize(
    "hostile", ["a" * 200_000, "1" * 200_000, "by 1 " * 40_000, "\n" * 100_000, "I'll " * 40_000]
)
def test_hostile_text_is_read_once(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    real = _undertakings.find_moments

    def counted(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return real(*arguments)

    monkeypatch.setattr(_undertakings, "find_moments", counted)
    commitments([turn("agent", hostile)])
    assert looks <= 1


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("We will call you by end of day Wednesday.", at(3, 4)),
        ("Someone will call you on Monday at 8 before you start.", at(3, 9, 8)),
        ("I'll come to your Friday rehearsal at 19:00.", at(3, 6, 19)),
        ("The $236 goes back to your card today.", at(3, 3)),
        ("I'll text you when he leaves.", None),
    ],
)
def test_a_time_of_day_may_stand_further_on(text: str, due: datetime | None) -> None:
    [one] = commitments([turn("agent", text)])
    assert one.due == due

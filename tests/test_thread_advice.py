"""What the thread as a whole asks for: promises, breaches, silence, events, calm persistence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import customer_nlp
from customer_nlp.analyzer import Analyzer
from customer_nlp.codebook import action_problems
from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Analysis, Event, Message, Thread

SENT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)  # a Tuesday
STORIES = Path(__file__).parent / "stories"


def thread(*turns: tuple[str, float, str], **more: Any) -> Thread:
    """A thread of (role, days after the start, text)."""
    messages = tuple(
        Message(role, text, id=f"m{index}", sent_at=SENT + timedelta(days=days))
        for index, (role, days, text) in enumerate(turns)
    )
    return Thread("t", messages, **more)


def later(days: float) -> datetime:
    return SENT + timedelta(days=days)


def actions(analysis: Analysis) -> set[str]:
    advice = analysis.recommendation
    names = {one.action for one in advice.actions}
    assert action_problems(names, advice.primary or "", advice.channel) == ()
    ranked = [one.probability for one in advice.actions]
    assert ranked == sorted(ranked, reverse=True)
    return names


ASKED = ("customer", 0.0, "Hello, when will my table be delivered please?")
PROMISED = ("agent", 0.1, "Your table will be with you on Friday.")
THANKS = ("customer", 0.2, "Lovely, thank you very much!")
LET_DOWN = (
    "customer",
    6.0,
    "It's Monday. No van, no call, nothing. Very disappointed. Where?",
)


@pytest.mark.parametrize("turns", [(ASKED, PROMISED), (ASKED, PROMISED, THANKS)])
def test_an_update_is_asked_for_before_the_deadline(analyzer: Analyzer, turns: Any) -> None:
    analysis = analyzer.analyze(thread(*turns), now=later(2.8))
    assert "update_proactively" in actions(analysis)
    assert analysis.recommendation.primary != "close"
    update = next(a for a in analysis.recommendation.actions if a.action == "update_proactively")
    assert "a promise of ours is about to fall due" in update.because
    assert [one.text for one in update.evidence][:1] == ["will be with you on Friday"]


def test_the_lead_is_a_setting(analyzer: Analyzer) -> None:
    early = thread(ASKED, PROMISED, THANKS)
    near = analyzer.analyze(early, now=later(1), lead_hours=72)
    far = analyzer.analyze(early, now=later(1))
    assert "update_proactively" in actions(near)
    assert "update_proactively" not in actions(far)
    assert "update_proactively" not in actions(analyzer.analyze(early))


def test_a_deadline_missed_in_silence(analyzer: Analyzer) -> None:
    analysis = analyzer.analyze(thread(ASKED, PROMISED), now=later(5))
    assert "update_proactively" in actions(analysis)
    assert analysis.recommendation.timing == "now"


def test_a_broken_promise_and_an_unhappy_customer_mean_a_call(analyzer: Analyzer) -> None:
    analysis = analyzer.analyze(thread(ASKED, PROMISED, LET_DOWN))
    assert {"call_now", "make_good"} <= actions(analysis)
    assert analysis.recommendation.primary == "call_now"
    call = next(one for one in analysis.recommendation.actions if one.action == "call_now")
    assert any(one.message_id == "m1" for one in call.evidence)


def test_who_asks_for_writing_is_not_called(analyzer: Analyzer) -> None:
    wish = "Please do not call, I work nights. "
    analysis = analyzer.analyze(thread(ASKED, PROMISED, ("customer", 6.0, wish + LET_DOWN[2])))
    assert "call_now" not in actions(analysis)
    assert {"make_good", "take_ownership"} <= actions(analysis)
    assert analysis.recommendation.channel == "same"
    assert analysis.trajectory.intercept is None


def test_silence_in_clock_and_business_hours(analyzer: Analyzer) -> None:
    monday = analyzer.analyze(thread(ASKED, ("agent", 3.25, "I look into it.")), now=later(6.25))
    state = monday.state
    assert (state.waiting_on, state.silent_hours) == ("customer", 72)
    assert state.silent_business_hours == 8  # Friday from 15, Monday until 15
    assert state.unsolved_contacts == 1


def test_a_public_holiday_is_no_working_day(analyzer: Analyzer) -> None:
    pytest.importorskip("holidays")
    # the day before Good Friday, and the Tuesday after Easter
    asked, now = datetime(2026, 4, 2, 9, tzinfo=UTC), datetime(2026, 4, 7, 12, tzinfo=UTC)
    told = [
        {"id": "1", "role": "customer", "text": "Where is my order?", "sent_at": asked},
        {"id": "2", "role": "agent", "sent_at": asked + timedelta(hours=1),
         "text": "I'll call you within 1 working day."},
    ]  # fmt: skip
    plain, german = (analyzer.analyze(told, now=now, holidays=one) for one in (None, "DE"))
    assert [one.commitments[0].due.day for one in (plain, german)] == [3, 7]
    assert [one.commitments[0].state for one in (plain, german)] == ["broken", "due"]
    assert plain.state.silent_business_hours == 7 + 8 + 8 + 3
    assert german.state.silent_business_hours == 7 + 3
    followed = analyzer.follow(told, holidays="DE").analysis(now=now)
    assert followed.to_dict() == german.to_dict()
    with pytest.raises(InvalidRecordError, match="country code"):
        analyzer.analyze(told, holidays="Atlantis")


def test_the_silently_cancelled_order(analyzer: Analyzer) -> None:
    cancelled = Event("order_cancelled", later(1), "order 4471")
    ordered = thread(
        ("customer", 0, "I would like to order the blue fridge, please."),
        ("agent", 0.1, "Thank you for your order! We have noted it."),
        events=(cancelled,),
    )
    analysis = analyzer.analyze(ordered, now=later(2))
    assert "update_proactively" in actions(analysis)
    update = next(a for a in analysis.recommendation.actions if a.action == "update_proactively")
    assert "the customer has not been told of: order cancelled" in update.because
    early = analyzer.analyze(ordered, now=later(1.1))
    assert "update_proactively" not in actions(early)
    patient = analyzer.analyze(ordered, now=later(2), notify_hours={"order_cancelled": 48})
    assert "update_proactively" not in actions(patient)


def test_an_event_that_we_wrote_about_is_told(analyzer: Analyzer) -> None:
    told = thread(
        ASKED,
        ("agent", 1.2, "Bad news: we had to cancel your order, the money is back already."),
        events=(Event("order_cancelled", later(1)),),
    )
    assert "update_proactively" not in actions(analyzer.analyze(told, now=later(2)))


def test_an_event_beside_our_own_mails_only(analyzer: Analyzer) -> None:
    ours = thread(("agent", 0, "Your order is confirmed."), events=(Event("outage", later(1)),))
    assert analyzer.analyze(ours).recommendation.abstained == "automatic"
    analysis = analyzer.analyze(ours, now=later(2))
    assert actions(analysis) == {"update_proactively"}
    assert (analysis.recommendation.primary, analysis.recommendation.channel) == (
        "update_proactively", "same",
    )  # fmt: skip


def test_events_come_with_threads(tmp_path: Path) -> None:
    record = thread(ASKED, events=(Event("outage", SENT, "area 7"),)).to_dict()
    assert Thread.from_dict(record).to_dict() == record
    record["events"].append({"kind": "page_viewed", "at": "never"})
    path = tmp_path / "threads.jsonl"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    [read] = customer_nlp.read(path)
    assert read.events == (Event("outage", SENT, "area 7"),)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"kind": "party", "at": SENT}, "event kind must be one of"),
        ({"kind": "outage"}, "needs 'at'"),
        ({"kind": "outage", "at": datetime(2026, 3, 3)}, "aware datetime"),
        (5, "An event must be"),
    ],
)
def test_what_is_no_event(record: Any, message: str) -> None:
    with pytest.raises(InvalidRecordError, match=message):
        Event.from_dict(record)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lead_hours": -1}, "lead_hours must be hours"),
        ({"lead_hours": float("nan")}, "lead_hours must be hours"),
        ({"notify_hours": {"party": 1}}, "go by event kind"),
        ({"notify_hours": {"outage": float("inf")}}, "outage must be hours"),
    ],
)
def test_settings_that_are_none(analyzer: Analyzer, options: Any, message: str) -> None:
    with pytest.raises(InvalidRecordError, match=message):
        analyzer.analyze("Where is my table?", **options)


#: A calm fifth report and an angry first one of the same matter.
PAIRS = [
    ("Good morning, this is the fifth time I write about the lift. It is still out of order.",
     "THE LIFT IS BROKEN. This is ridiculous, fix it!"),
    ("Hello, for the fifth time: the invoice still shows the wrong VAT. Could you look at it?",
     "Your invoice is wrong again, you useless lot!"),
    ("I have now called five times about the missing parcel. It has not arrived.",
     "Where the hell is my parcel?! Useless!"),
    ("Dear team, fifth request: my boiler is still cold. Kind regards",
     "My boiler is cold and I am furious!!"),
    ("I have reported the leak five times now; the leak is still there.",
     "There is a leak in my kitchen, this is outrageous!"),
    ("Fifth mail on this: the refund of 80 euros has not come yet.",
     "Give me my bloody refund!"),
    ("This is my fifth message. The app still logs me out each morning.",
     "Your app is total garbage, it logs me out!"),
    ("I have written five times since May; the statement is still not here.",
     "Still no statement?! What a joke of a company!"),
    ("It is the fifth time that I report it: the replacement does not charge either.",
     "The charger does not work. Worst product ever!"),
]  # fmt: skip


@pytest.mark.parametrize(("calm", "angry"), PAIRS)
def test_the_calm_fifth_report_outranks_the_angry_first(
    analyzer: Analyzer, calm: str, angry: str
) -> None:
    def urgency(text: str) -> float:
        told = {a.action: a.probability for a in analyzer.analyze(text).recommendation.actions}
        return told.get("call_now", 0.0)

    assert urgency(calm) > urgency(angry)


@pytest.mark.parametrize(
    "path", sorted(STORIES.glob("broken_device__*.json")), ids=lambda p: p.stem
)
def test_the_broken_device_turned_at_the_first_policy_reply(analyzer: Analyzer, path: Path) -> None:
    messages = json.loads(path.read_text(encoding="utf-8"))["messages"]
    trajectory = analyzer.analyze(messages).trajectory
    assert trajectory.turning_point == "m1"
    assert trajectory.recovered is False
    assert [turn.message_id for turn in trajectory.turns] == ["m0", "m2", "m4"]


def test_a_customer_who_was_won_back_recovered(analyzer: Analyzer) -> None:
    analysis = analyzer.analyze(
        thread(
            ASKED, PROMISED, LET_DOWN,
            ("agent", 6.1, "That was our mistake, I am sorry. Jo is with you at noon."),
            ("customer", 6.5, "It came at noon, all good now. Thank you so much!"),
        )
    )  # fmt: skip
    assert analysis.trajectory.turning_point == "m1"
    assert analysis.trajectory.recovered is True
    assert analysis.trajectory.intercept == "m2"


def test_contradictions_and_questions_are_in_the_record(analyzer: Analyzer) -> None:
    record = analyzer.analyze(
        thread(
            ("customer", 0, "Why was my order cancelled?"),
            ("agent", 1, "Your order was cancelled because the fridge is out of stock."),
            ("customer", 2, "And why do you call me now?"),
            ("agent", 3, "The order was cancelled because your credit card was declined."),
            ("customer", 4, "Why do you call me now?"),
        )
    ).to_dict()
    [conflict], [question] = record["conflicts"], record["unanswered"]
    assert (conflict["kind"], conflict["second"]["message_id"]) == ("reason", "m3")
    assert (question["asked"], question["reply_id"]) == (2, "m3")


MESSAGES = st.lists(
    st.builds(
        lambda role, hours, text, channel: Message(
            role, text, sent_at=SENT + timedelta(hours=hours), channel=channel
        ),
        st.sampled_from(["customer", "customer", "agent", "system"]),
        st.integers(0, 200),
        st.sampled_from([ASKED[2], PROMISED[2], THANKS[2], LET_DOWN[2], "Why was I charged twice?",
                         "The total is £9.", "The total is £8.", "Our policy is to test it."]),
        st.sampled_from(["email", "email", "email", "chat"]),
    ),
    min_size=1,
    max_size=7,
).map(lambda found: [one.replace(id=f"x{index}") for index, one in enumerate(found)])  # fmt: skip


@settings(max_examples=40)
@given(MESSAGES, st.randoms())
def test_a_followed_thread_is_the_thread_whatever_the_order(
    analyzer: Analyzer, messages: list[Message], random: Any
) -> None:
    arrived = random.sample(messages, len(messages))
    followed = analyzer.follow(arrived[:1])
    for message in [*arrived[1:], *arrived]:
        followed.add(message)
    ordered = sorted(messages, key=lambda one: (one.sent_at, one.id))
    whole = Thread("thread", tuple(ordered))
    for now in (None, later(5)):
        expected = analyzer.analyze(whole, now=now).to_dict()
        assert followed.analysis(now=now).to_dict() == expected
    assert analyzer.analyze(followed.thread).to_dict() == followed.analysis().to_dict()


def test_following_gives_what_every_turn_gives(analyzer: Analyzer) -> None:
    whole = thread(ASKED, PROMISED, LET_DOWN)
    followed = analyzer.follow(whole.upto(1))
    steps = [followed.analysis(), *map(followed.add, whole.messages[1:])]
    assert steps == [analyzer.analyze(whole.upto(n)) for n in (1, 2, 3)]


def test_undated_messages_stand_as_they_came(analyzer: Analyzer) -> None:
    followed = analyzer.follow([Message("customer", ASKED[2], sent_at=SENT)])
    followed.add({"role": "agent", "text": PROMISED[2]})
    followed.add({"role": "customer", "text": THANKS[2], "sent_at": SENT - timedelta(days=1)})
    assert [one.role for one in followed.thread.messages] == ["customer", "agent", "customer"]
    assert followed.analysis() == analyzer.analyze(followed.thread)

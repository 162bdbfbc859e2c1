"""From a thread to what to do next, with reasons that can be pointed at."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from customer_nlp.analyzer import Analyzer, as_thread
from customer_nlp.codebook import CUES, FINDINGS, action_problems
from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import SCHEMA, Message, Thread

SCHEMAS = Path(__file__).resolve().parents[1] / "data" / "schema"
RECORD = Draft202012Validator(json.loads((SCHEMAS / "analysis.schema.json").read_text("utf-8")))
ANGRY = [
    {"role": "customer", "text": "The grinder stopped again after your repair.",
     "sent_at": "2026-03-02T09:00:00Z", "id": "a"},
    {"role": "agent", "text": "Are you sure you are using it properly? Our policy is to test.",
     "sent_at": "2026-03-02T12:00:00Z", "id": "b"},
    {"role": "customer", "text": "I have had enough of you people. Put me through to a manager "
     "or I take my business elsewhere.", "sent_at": "2026-03-03T09:00:00Z", "id": "c"},
]  # fmt: skip

turns = st.lists(
    st.builds(
        dict,
        role=st.sampled_from(["customer", "agent", "system"]),
        text=st.text(max_size=60)
        | st.sampled_from(["Still waiting!", "Thanks, all good.", "Why was I charged twice?"]),
    ),
    min_size=1,
    max_size=6,
)


def check_record(record: dict, thread: Thread) -> None:
    """The invariants of the record, whatever the thread."""
    assert record["schema"] == SCHEMA
    RECORD.validate(record)
    advice = record["recommendation"]
    texts = {message.id: message.text for message in thread.messages}
    if advice["abstained"] is None:
        names = [one["action"] for one in advice["actions"]]
        assert action_problems(names, advice["primary"], advice["channel"]) == ()
        ranked = [one["probability"] for one in advice["actions"]]
        assert ranked == sorted(ranked, reverse=True)
        for one in advice["actions"]:
            assert one["because"]
            for evidence in one["evidence"]:
                text = texts[evidence["message_id"]]
                assert text[evidence["start"] : evidence["end"]] == evidence["text"]
    else:
        assert advice["primary"] is None
        assert advice["actions"] == []
    assert set(advice["avoid"]) <= set(FINDINGS)
    for message in record["messages"]:
        assert set(message["cues"]) <= set(CUES)
        for signal in message["signals"].values():
            for evidence in signal["evidence"]:
                text = texts[message["id"]]
                assert text[evidence["start"] : evidence["end"]] == evidence["text"]


def test_record_of_an_angry_thread(analyzer: Analyzer):
    analysis = analyzer.analyze(ANGRY)
    record = analysis.to_dict()
    check_record(json.loads(json.dumps(record)), as_thread(ANGRY))
    assert record["after"] == "c"
    assert record["model"].startswith("en-")
    assert record["state"]["waiting_on"] == "company"
    assert record["state"]["contacts"] == 2
    assert analysis.recommendation.primary == "call_now"
    assert analysis.recommendation.channel == "phone"
    last = record["messages"][-1]
    assert last["signals"]["frustration"]["grade"] >= 2
    assert "escalation_request" in last["cues"]


@given(turns)
def test_any_thread_gives_a_legal_record(analyzer: Analyzer, messages):
    thread = as_thread(messages)
    check_record(analyzer.analyze(messages).to_dict(), thread)


@given(st.lists(turns, min_size=1, max_size=8))
def test_many_threads_equal_each_alone(analyzer: Analyzer, threads):
    together = [one.to_dict() for one in analyzer.analyze_many(threads)]
    assert together == [analyzer.analyze(thread).to_dict() for thread in threads]


def test_every_turn_gives_what_the_thread_gave_then(analyzer: Analyzer):
    thread = as_thread(ANGRY)
    steps = [one.to_dict() for one in analyzer.analyze_many([thread], every_turn=True)]
    assert [one["after"] for one in steps] == ["a", "c"]
    assert steps == [analyzer.analyze(thread.upto(n)).to_dict() for n in (1, 3)]


def test_a_str_is_one_customer_message(analyzer: Analyzer):
    analysis = analyzer.analyze("My kettle leaks and nobody answers my mails.")
    assert len(analysis.messages) == 1
    assert analysis.messages[0].role == "customer"


def test_input_is_left_as_it_was(analyzer: Analyzer):
    before = json.dumps(ANGRY)
    thread = as_thread(ANGRY)
    kept = thread.to_dict()
    analyzer.analyze(ANGRY)
    analyzer.analyze(thread)
    assert json.dumps(ANGRY) == before
    assert thread.to_dict() == kept


def test_quoted_words_are_not_the_customers(analyzer: Analyzer):
    plain = "Thank you, that is perfect."
    quoted = (
        plain
        + "\n\nOn Mon, 2 Mar 2026 at 09:14, Ann <a@x.example> wrote:\n"
        + ("> You are useless, I am furious and I am leaving.\n")
    )
    alone, below = analyzer.analyze(plain), analyzer.analyze(quoted)
    for name in ("frustration", "churn_risk"):
        first, second = alone.messages[0].signal(name), below.messages[0].signal(name)
        assert first is not None
        assert second is not None
        assert second.grade == first.grade == 0
        assert second.probability == pytest.approx(first.probability, abs=0.05)


@pytest.mark.parametrize(
    ("thread", "reason"),
    [
        ("Können Sie mir bitte sagen, wann die Lieferung kommt? Ich warte seit drei Wochen.",
         "language"),
        ("???", "too_short"),
        ("", "too_short"),
        ([Message("customer", "I am out of the office until Monday.", automatic=True)],
         "automatic"),
        ([{"role": "agent", "text": "Good morning, how can we help?"}], "automatic"),
    ],
)  # fmt: skip
def test_abstains_with_a_reason(analyzer: Analyzer, thread, reason):
    advice = analyzer.analyze(thread).recommendation
    assert advice.abstained == reason
    assert advice.primary is None
    assert advice.actions == ()


def test_a_german_mail_is_not_scored(analyzer: Analyzer):
    analysis = analyzer.analyze(
        "Ich bin sehr verärgert und kündige hiermit meinen Vertrag bei Ihnen."
    )
    assert analysis.messages[0].language == "de"
    assert analysis.messages[0].signals == ()


def test_silence_is_counted_from_now(analyzer: Analyzer):
    now = datetime(2026, 3, 5, 9, tzinfo=UTC)
    assert analyzer.analyze(ANGRY, now=now).state.silent_hours == 48
    assert analyzer.analyze(ANGRY).state.silent_hours is None


@pytest.mark.parametrize(
    "now", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
)
def test_a_now_at_the_edge_of_time_is_refused(analyzer: Analyzer, now: datetime):
    with pytest.raises(InvalidRecordError, match="The now must lie between"):
        analyzer.analyze(ANGRY, now=now)


def test_hours_of_events_must_go_by_kind(analyzer: Analyzer):
    with pytest.raises(InvalidRecordError, match=r"notify_hours must be a mapping .*; got int"):
        analyzer.analyze(ANGRY, notify_hours=5)  # type: ignore[arg-type]


def test_naive_now_is_refused(analyzer: Analyzer):
    with pytest.raises(InvalidRecordError, match="aware datetime"):
        analyzer.analyze(ANGRY, now=datetime(2026, 3, 5))


@pytest.mark.parametrize("wrong", [5, None, 3.5])
def test_what_is_no_thread(analyzer: Analyzer, wrong):
    with pytest.raises(InvalidRecordError, match="A thread must be"):
        analyzer.analyze(wrong)


def test_a_colleague_copied_in_is_noticed(analyzer: Analyzer):
    messages = [
        {"role": "customer", "text": "The frame came bent.", "sender": "jo@mill.example"},
        {"role": "agent", "text": "Please send a photo.", "sender": "help@shop.example"},
        {"role": "customer", "text": "I sent it on Monday.", "sender": "jo@mill.example",
         "cc": ["director@mill.example"]},
    ]  # fmt: skip
    assert analyzer.analyze(messages).state.decision_maker_joined
    messages[2]["cc"] = ["help@shop.example"]
    assert not analyzer.analyze(messages).state.decision_maker_joined


def test_reprs_hold_no_text(analyzer: Analyzer):
    canary = "canary-91c2"
    analysis = analyzer.analyze(f"Why was I charged twice, {canary}? I am furious.")
    shown = [analysis, analysis.recommendation, *analysis.messages, analyzer]
    assert canary not in " ".join(map(repr, shown))

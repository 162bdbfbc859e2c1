"""Records hold their invariants, and keep quiet about what is in them."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.codebook import ACTIONS, CUES, FINDINGS, SIGNALS, action_problems
from customer_nlp.errors import InvalidRecordError, MissingExtraError, ParseError, SourceError
from customer_nlp.records import (
    ActionAdvice,
    Commitment,
    Evidence,
    Finding,
    Message,
    Recommendation,
    Signal,
    Thread,
    Zone,
)

CANARY = "canary-7f3a"


def test_vocabularies_have_the_sizes_of_the_codebook():
    assert (len(SIGNALS), len(CUES), len(ACTIONS), len(FINDINGS)) == (20, 17, 14, 10)
    assert len(set(SIGNALS)) == 20


@pytest.mark.parametrize("written", ["2026-03-02T09:14:00Z", date(2026, 3, 2), 1772442840])
def test_a_moment_of_another_type_is_refused_in_words(written):
    with pytest.raises(InvalidRecordError, match="sent_at must be an aware datetime; got "):
        Message("customer", "hi", sent_at=written)


@pytest.mark.parametrize("year", [1, 9999])
def test_a_moment_at_the_edge_of_time_is_refused(year: int):
    with pytest.raises(InvalidRecordError, match="between the years 2 and 8999"):
        Message("customer", "hi", sent_at=datetime(year, 12, 31, tzinfo=UTC))


def test_naive_datetime_is_refused():
    with pytest.raises(InvalidRecordError, match="aware datetime") as caught:
        Message("customer", "hi", sent_at=datetime(2026, 3, 2))
    assert caught.value.field == "sent_at"


def test_datetimes_are_kept_as_utc():
    local = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=2)))
    assert Message("customer", "hi", sent_at=local).sent_at == datetime(2026, 3, 2, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Message("bot", "hi"), "role must be one of"),
        (lambda: Message("customer", 5), "text must be a str"),
        (lambda: Message("customer", "hi", zones=(Zone("new", 0, 1),)), "has 2 characters"),
        (lambda: Message("customer", "hi", zones=(Zone("new", 1, 2),)), "expected a zone at 0"),
        (lambda: Zone("body", 0, 1), "zone kind must be one of"),
        (lambda: Zone("new", 2, 1), "0 <= start <= end"),
        (lambda: Message("customer", "hi", zones=(("new", 0, 2),)), "Zone records; got tuple"),
        (lambda: Thread("t", ()), "at least one message"),
        (lambda: Thread("t", ({"role": "customer"},)), "Message records; got dict"),
        (lambda: Thread.from_dict([]), "a list; got NoneType"),
        (lambda: Thread("t", (Message("agent", "a", id="1"),) * 2), "unique"),
        (lambda: Signal("anger", 0.5), "signal must be one of"),
        (lambda: Signal("confusion", 1.5), "between 0 and 1"),
        (lambda: Signal("confusion", 0.5, grade=4), "grade lies between"),
        (lambda: Finding("rude", 0, 1, "because"), "finding must be one of"),
        (lambda: ActionAdvice("shout", 0.5), "action must be one of"),
        (lambda: Recommendation(None, "same", "normal"), "says why it abstains"),
        (lambda: Recommendation("reply", "pigeon", "normal"), "channel must be one of"),
        (lambda: Commitment("m", "agent", "x", 0, 1, None, "lost"), "state must be one of"),
        (lambda: Message.from_dict({"role": "customer"}), "needs 'text'"),
        (
            lambda: Message.from_dict({"role": "agent", "text": "x", "sent_at": "soon"}),
            "ISO 8601 date",
        ),
        (lambda: Message.from_dict({"role": "agent", "text": "x", "cc": 5}), "list of addresses"),
        (lambda: Thread.from_dict({"messages": "hello"}), "needs 'messages'"),
    ],
)
def test_broken_records_say_what_is_wrong(build, match: str):
    with pytest.raises(InvalidRecordError, match=match):
        build()


@given(
    text=st.text(max_size=80),
    subject=st.none() | st.text(max_size=20),
    cc=st.lists(st.emails(), max_size=3),
    moment=st.none()
    | st.datetimes(datetime(2, 1, 1), datetime(8999, 1, 1), timezones=st.just(UTC)),
)
def test_threads_survive_the_way_to_plain_data_and_back(text, subject, cc, moment):
    message = Message(
        "customer", text, id="1", subject=subject, cc=tuple(cc), sent_at=moment, automatic=True
    )
    thread = Thread("t", (message,), subject=subject)
    again = Thread.from_dict(thread.to_dict())
    assert again == thread


def test_messages_without_id_are_numbered():
    thread = Thread("t", (Message("customer", "a"), Message("agent", "b", id="m0")))
    assert [message.id for message in thread.messages] == ["m0_", "m0"]


def test_nothing_shows_text_or_addresses():
    message = Message("customer", CANARY, sender=f"{CANARY}@x.example", subject=CANARY, id=CANARY)
    shown = [
        message,
        Thread(CANARY, (message,), subject=CANARY),
        Evidence(0, 3, CANARY, CANARY),
        Finding("canned", 0, 3, CANARY),
        Commitment(CANARY, "agent", CANARY, 0, 3, None, "open"),
        ActionAdvice("reply", 0.5, (CANARY,)),
    ]
    assert not any(CANARY in repr(one) for one in shown)


def test_a_message_is_never_changed_in_place():
    message = Message("customer", "hi")
    with pytest.raises(AttributeError, match="cannot assign"):
        message.text = "changed"  # type: ignore[misc]


def test_new_text_is_the_new_zones_in_order():
    text = "Hello\n> quoted\nAnswer\n"
    zones = (Zone("new", 0, 6), Zone("quote", 6, 15), Zone("new", 15, 22))
    assert Message("customer", text, zones=zones).new_text == "Hello\nAnswer\n"


@pytest.mark.parametrize(
    ("actions", "primary", "channel", "problem"),
    [
        (["call_now", "reply"], "call_now", "phone", "reply and close exclude"),
        (["call_now", "retain"], "retain", "phone", "call_now is primary"),
        (["call_now"], "call_now", "same", "channel is phone"),
        (["close"], "close", "same", "close means channel none"),
        (["reply"], "retain", "same", "not among the actions"),
        (["dance"], "dance", "same", "unknown actions: dance"),
    ],
)
def test_rules_of_the_codebook(actions, primary, channel, problem):
    assert any(problem in one for one in action_problems(actions, primary, channel))


def test_a_legal_recommendation_has_no_problems():
    assert action_problems(["call_now", "hold_upsell"], "call_now", "phone") == ()
    assert action_problems(["hold_upsell"], "hold_upsell", "same", offer_made=False) != ()


def test_parse_error_survives_pickling_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(ParseError("box", 3, "no text", sha256="00")))
    assert (error.source, error.index, error.reason, error.sha256) == ("box", 3, "no text", "00")


@pytest.mark.parametrize(
    ("record", "match"),
    [
        ("hi", "Message or a dict with 'role' and 'text'; got str"),
        ({"sent_at": "0001-01-01T00:00:00+10:00"}, "between the years 2 and 8999"),
        ({"public": "perhaps"}, "public must be true or false; got another str"),
        ({"automatic": [True]}, "automatic must be true or false; got another list"),
        ({"role_confidence": "high"}, "role_confidence must be a number; got str"),
        ({"zones": 5}, "zones must be a list; got int"),
        ({"zones": [["new", 0, 2]]}, "Each of the zones .*; got list"),
        ({"zones": [{"kind": "new", "start": 0, "end": 9}]}, "has 2 characters"),
    ],
)
def test_plain_data_that_gives_no_message(record, match):
    given = record if isinstance(record, str) else {"role": "customer", "text": "hi"} | record
    with pytest.raises(InvalidRecordError, match=match):
        Thread.from_dict({"messages": [given]})


def test_an_internal_note_of_a_form_stays_internal():
    note = Message.from_dict({"role": "agent", "text": "hi", "public": "False", "automatic": ""})
    assert (note.public, note.automatic) == (False, False)


def test_plain_data_comes_back_as_it_was():
    zones = (Zone("new", 0, 2, 0.5), Zone("quote", 2, 5))
    message = Message("agent", "hi> x", zones=zones, role_confidence=0.8, cc=("a@b.example",))
    thread = Thread("t", (message,), subject="s", channel="email", source="x.mbox")
    assert Thread.from_dict(json.loads(json.dumps(thread.to_dict()))) == thread


def test_every_error_crosses_a_process_border():
    for error in (
        MissingExtraError("pyarrow", "parquet"),
        SourceError("gone", source="s"),
        InvalidRecordError("wrong", field="f"),
    ):
        copied = copy.copy(error)  # by the protocol that pickle uses
        assert (str(copied), vars(copied)) == (str(error), vars(error))

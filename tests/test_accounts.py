"""What is known of a customer, and whether we may call."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from customer_nlp.accounts import Account, Contact, Fact, Matter, check
from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Message, Thread

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/corpus/outreach.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
AT = datetime(2026, 5, 5, 10, tzinfo=UTC)  # a Tuesday
CALL = Contact("sales", "phone", AT, "the kettle")


def thread(*texts: str) -> Thread:
    return Thread("t", tuple(Message("customer", text, sent_at=AT) for text in texts))


def test_a_happy_customer_with_nothing_open_is_called():
    result = check(CALL, Account(matters=(Matter(AT, open=False),)))
    assert (result.decision, result.reasons) == ("go", ("nothing_against_it",))
    assert result.because == ("nothing speaks against it",)


@pytest.mark.parametrize(
    ("planned", "account", "decision", "reason"),
    [
        (CALL, Account(matters=(Matter(AT, open=True),)), "hold", "open_problem"),
        (CALL, Account(matters=(Matter(AT, False, frustration=2),)), "hold", "recent_frustration"),
        (CALL, Account(matters=(Matter(AT, False, churn_risk=1),)), "hold", "recent_churn_sign"),
        (CALL, Account(facts=frozenset({Fact("do_not_call", "")})), "hold", "do_not_contact"),
        (CALL, Account(contacts=(CALL,) * 4), "hold", "too_often"),
        (
            Contact("sales", "phone", AT.replace(hour=22)),
            Account(),
            "hold",
            "outside_window",
        ),
        (
            Contact("follow_up", "email", AT, "the repair", AT.replace(year=2024)),
            Account(),
            "hold",
            "stale_reason",
        ),
        (
            CALL,
            Account(facts=frozenset({Fact("no_longer_owns", "the old kettle")})),
            "correct_record",
            "no_longer_owns",
        ),
        (
            CALL,
            Account(facts=frozenset({Fact("contact_left", "Ms Roe")})),
            "correct_record",
            "wrong_person",
        ),
    ],
)
def test_what_speaks_against_a_contact(planned, account, decision, reason):
    result = check(planned, account)
    assert result.decision == decision
    assert reason in result.reasons


def test_hours_are_the_customers():
    early = Contact("sales", "phone", datetime(2026, 5, 5, 1, tzinfo=UTC))
    assert check(early, Account()).decision == "hold"
    assert check(early, Account(timezone="Australia/Perth")).decision == "go"
    with pytest.raises(InvalidRecordError, match="IANA name"):
        check(early, Account(timezone="Mars/Olympus"))


def test_facts_are_learnt_with_their_source():
    account = Account().learn(thread("I sold it last year.", "And please don't call me again."))
    assert {fact.kind for fact in account.facts} == {"no_longer_owns", "do_not_call"}
    assert {fact.source for fact in account.facts} == {"t/m0", "t/m1"}


def test_merging_does_not_depend_on_the_order():
    parts = [
        Account("b", matters=(Matter(AT, open=True, id="1"),)),
        Account("a", facts=frozenset({Fact("prefers", "email")}), contacts=(CALL,)),
        Account().learn(thread("I no longer own it")),
    ]
    first = parts[0].merge(parts[1]).merge(parts[2])
    second = parts[2].merge(parts[1]).merge(parts[0])
    assert first == second


def test_forgetting_leaves_nothing():
    account = Account("a", facts=frozenset({Fact("prefers", "secret")}), contacts=(CALL,))
    assert "secret" not in json.dumps(account.forget().to_dict())
    assert account.forget() == Account("a")


def test_plain_data_comes_back():
    account = Account(
        "a",
        frozenset({Fact("prefers", "email", AT, "t/m", AT)}),
        (Matter(AT, open=True, frustration=2, churn_risk=1, id="t"),),
        (CALL,),
        "Europe/Berlin",
    )
    assert Account.from_dict(json.loads(json.dumps(account.to_dict()))) == account


@pytest.mark.parametrize(
    ("record", "match"),
    [
        ({"facts": [{"kind": "likes", "value": "tea"}]}, "fact must be one of"),
        ({"threads": [{"open": True}]}, "needs 'at'"),
        ({"threads": [{"at": "soon"}]}, "ISO 8601"),
        ({"contacts": [{"kind": "sales"}]}, "needs 'at'"),
    ],
)
def test_wrong_accounts_say_what_is_wrong(record, match):
    with pytest.raises(InvalidRecordError, match=match):
        Account.from_dict(record)


def test_the_analyzer_takes_records_and_nothing_else(analyzer: Analyzer):
    planned = {"kind": "sales", "channel": "email", "at": "2026-05-05T10:00:00Z", "about": "tea"}
    assert analyzer.check_outreach(planned, {}).decision == "go"
    with pytest.raises(InvalidRecordError, match="account must be"):
        analyzer.check_outreach(planned, None)  # type: ignore[arg-type]


def test_share_of_the_written_cases_decided_right():
    right = [
        check(Contact.from_dict(one["planned"]), Account.from_dict(one["account"])).decision
        == one["decision"]
        for one in CASES
        if one["split"] != "test"
    ]
    assert len(right) >= 150
    assert sum(right) / len(right) >= 0.85

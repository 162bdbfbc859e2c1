"""What is known of a customer, and whether we may call."""

from __future__ import annotations

import csv
import json
import re
import traceback
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.accounts import FACTS, Account, Contact, Fact, Matter, check, gather, told
from customer_nlp.analyzer import Analyzer
from customer_nlp.batch import accounts as gather_file
from customer_nlp.batch import outreach
from customer_nlp.cli import main
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.records import Message, Thread

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/corpus/outreach.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
AT = datetime(2026, 5, 5, 10, tzinfo=UTC)  # a Tuesday
CALL = Contact("sales", "phone", AT, "the kettle")


ANGRY = "This is the third time I am writing. I am absolutely furious."
moments = st.sampled_from([AT - timedelta(days=n) for n in (0, 1, 40, 400)])
words = st.sampled_from(["kettle", "", "e-mail", "Ms Roe"])
accounts = st.builds(
    Account,
    st.sampled_from(["a", "b"]),
    st.frozensets(
        st.builds(Fact, st.sampled_from(FACTS), words, st.none() | moments, st.none() | words)
    ),
    st.builds(Matter, moments, st.booleans(), st.integers(0, 3), st.integers(0, 3), words).map(
        lambda one: (one,)
    ),
    st.builds(Contact, st.just("sales"), st.just("phone"), moments, words).map(lambda c: (c,)),
    st.none() | st.just("Europe/Berlin"),
    st.frozensets(words),
)


def thread(*texts: str) -> Thread:
    return Thread("t", tuple(Message("customer", text, sent_at=AT) for text in texts))


def test_the_last_wish_for_a_channel_counts():
    mail = Fact("prefers", "e-mail please", at=AT.replace(year=2024))
    phone = Fact("prefers", "rather by phone", at=AT.replace(year=2025))
    assert check(CALL, Account(facts=frozenset({mail, phone}))).decision == "go"
    letter = Fact("prefers", "letters", at=AT)
    assert check(CALL, Account(facts=frozenset({mail, phone, letter}))).decision == "hold"
    written = Contact("sales", "email", AT)
    assert check(written, Account(facts=frozenset({mail}))).decision == "go"


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
        (CALL, Account(facts=frozenset({Fact("prefers", "e-mail")})), "hold", "prefers_writing"),
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


@pytest.mark.parametrize("about", ["the repair in 2024", "the repair of two years ago"])
def test_an_occasion_years_ago_is_stale(about):
    assert check(Contact("follow_up", "email", AT, about), Account()).reasons == ("stale_reason",)


def test_only_the_one_who_left_is_the_wrong_person():
    account = Account(facts=frozenset({Fact("contact_left", "Ms Roe")}))
    for greeted, decision in (("Ms Roe", "correct_record"), ("Mr Lang", "go")):
        planned = Contact("renewal", "email", AT, "contract", text=f"Dear {greeted}, good news.")
        assert check(planned, account).decision == decision


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


@given(st.lists(accounts, min_size=1, max_size=4), st.randoms())
def test_merging_depends_on_neither_order_nor_repetition(parts, random):
    mixed = [*parts, random.choice(parts)]
    random.shuffle(mixed)
    assert reduce(Account.merge, parts) == reduce(Account.merge, mixed)


@given(st.frozensets(st.builds(Fact, st.just("prefers"), words, st.none() | moments)), st.randoms())
def test_facts_are_written_in_one_order(facts, random):
    shown = Account(facts=facts).to_dict()["facts"]
    mixed = list(facts)
    random.shuffle(mixed)
    assert Account(facts=frozenset(mixed)).to_dict()["facts"] == shown
    assert shown == sorted(shown, key=lambda one: (one["value"], one["at"] or ""))


@given(accounts)
def test_plain_data_of_any_account_comes_back(account):
    assert Account.from_dict(json.loads(json.dumps(account.to_dict()))) == account


def test_forgetting_leaves_nothing_but_the_id():
    secret = "canary-77"
    account = Account(
        "a",
        frozenset({Fact("prefers", secret, AT, f"{secret}/m", AT)}),
        (Matter(AT, open=True, id=secret, about=secret),),
        (Contact("sales", "phone", AT, secret, AT, secret),),
        "Europe/Berlin",
        frozenset({secret}),
    )
    assert secret in json.dumps(account.to_dict())
    left = account.forget()
    assert left == Account("a")
    assert secret not in json.dumps(left.to_dict())
    for shown in (account, *account.facts, *account.matters, *account.contacts):
        assert secret not in repr(shown)


def test_plain_data_comes_back():
    account = Account(
        "a",
        frozenset({Fact("prefers", "email", AT, "t/m", AT)}),
        (Matter(AT, open=True, frustration=2, churn_risk=1, id="t"),),
        (CALL,),
        "Europe/Berlin",
    )
    assert Account.from_dict(json.loads(json.dumps(account.to_dict()))) == account


def test_nothing_known_is_written_as_null():
    empty = {"id": "a", "facts": None, "threads": None, "contacts": None, "owns": None}
    assert Account.from_dict(empty) == Account("a")
    assert Contact.from_dict({"at": "2026-05-05T10:00:00Z", "about": None}).about == ""


def test_a_ban_on_calls_holds_however_phone_is_written():
    banned = Account(facts=frozenset({Fact("do_not_call", "never call me")}))
    planned = Contact.from_dict({"kind": "Sales", "channel": " Phone", "at": AT.isoformat()})
    assert "do_not_contact" in check(planned, banned).reasons
    with pytest.raises(InvalidRecordError, match="channel of a contact must be one of phone"):
        Contact("sales", "telephone", AT)
    with pytest.raises(InvalidRecordError, match="kind of a contact must be one of sales"):
        Contact("upsell", "phone", AT)


def test_moments_of_accounts_are_aware_and_utc():
    there = AT.astimezone(timezone(timedelta(hours=5)))
    assert Contact("sales", "phone", there).to_dict()["at"] == "2026-05-05T10:00:00Z"
    for make in (
        lambda at: Contact("sales", "phone", at),
        lambda at: Matter(at, open=True),
        lambda at: Fact("prefers", "email", at),
        lambda at: Account().standing(at),
    ):
        with pytest.raises(InvalidRecordError, match="aware datetime; got a naive one"):
            make(datetime(2026, 5, 5))


@pytest.mark.parametrize(
    ("record", "match"),
    [
        ({"facts": [{"kind": "likes", "value": "tea"}]}, "fact must be one of"),
        ({"threads": [{"open": True}]}, "needs 'at'"),
        ({"threads": [{"at": "soon"}]}, "at of a thread must be ISO 8601"),
        ({"facts": [{"kind": "bought", "expires": 5}]}, "expires of a fact must be .* got int"),
        ({"contacts": [{"at": "2026-01-01", "about_at": "soon"}]}, "about_at of a contact must be"),
        ({"contacts": [{"kind": "sales"}]}, "needs 'at'"),
        ({"facts": 5}, "facts of an account must be a list; got int"),
        ({"owns": "kettle"}, "owns of an account must be a list; got str"),
        ({"threads": ["t"]}, "threads of an account must be mappings"),
        ({"threads": [{"at": "2026-01-01", "frustration": "high"}]}, "a grade from 0 to 3"),
        ({"contacts": [{"at": "2026-01-01", "channel": "pigeon"}]}, "one of phone, email"),
    ],
)
def test_wrong_accounts_say_what_is_wrong(record, match):
    with pytest.raises(InvalidRecordError, match=match):
        Account.from_dict(record)


def test_a_wrong_date_is_named_and_not_repeated():
    record = {"at": "-".join(("canary", "77"))}  # in no line of code that a trace shows
    with pytest.raises(InvalidRecordError, match="at of a contact must be ISO 8601") as raised:
        Contact.from_dict(record)
    assert raised.value.field == "at"
    assert "canary-77" not in "".join(traceback.format_exception(raised.value))


def test_nobody_is_called_on_a_public_holiday(analyzer: Analyzer):
    pytest.importorskip("holidays")
    good_friday = datetime(2026, 4, 3, 10, tzinfo=UTC)
    planned = Contact("sales", "phone", good_friday, "the kettle")
    for holidays, decision in ((None, "go"), ("DE", "hold"), ("US", "go")):
        assert analyzer.check_outreach(planned, Account(), holidays=holidays).decision == decision
    named = Account(facts=frozenset({Fact("prefers", "call me between 9 and 11 in the morning")}))
    assert analyzer.check_outreach(planned, named, holidays="DE").decision == "go"
    by_mail = Contact("sales", "email", good_friday, "the kettle")
    assert analyzer.check_outreach(by_mail, Account(), holidays="DE").decision == "go"


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
    assert sum(right) / len(right) >= 0.95


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("We sold the VX-70 in 2022.", "no_longer_owns", "the VX-70 in 2022"),
        ("My e-bike was stolen last year.", "no_longer_owns", "My e-bike"),
        ("Please do not ring, I am deaf.", "do_not_call", "do not ring"),
        ("By e-mail, please.", "prefers", "By e-mail, please"),
        ("Call me after 6 pm on this number.", "prefers", "Call me after 6 pm on this number"),
        ("Dr Strang retired in March.", "contact_left", "Dr Strang"),
        ("We've had machines off you since 2009.", "customer_since", "2009"),
        ("I have been with you for nine years.", "customer_since", "2017"),
        ("We left Corvane for you in 2011.", "customer_since", "2011"),
        ("It has been eleven good years.", "customer_since", "2015"),
        ("Jasmine's been gone since March.", "contact_left", "Jasmine"),
        ("The end date is 30 September 2027.", "contract_end", "30 September 2027"),
        ("I work nights, please write.", "prefers", "please write"),
        ("We only use it for wedding cakes.", "uses_for", "wedding cakes"),
        ("Our contract ends on 31 March.", "contract_end", "31 March"),
        ("Please unsubscribe me.", "do_not_contact", "unsubscribe me"),
        ("Please no more surveys.", "opted_out_survey", "no more surveys"),
    ],
)
def test_a_fact_has_its_words_and_where_they_stand(text, kind, value):
    said = f"Hello.\n\n{text}"
    [fact] = [one for one in told(thread("Good morning", said)) if one.kind == kind]
    assert (fact.value, fact.source, fact.at) == (value, "t/m1", AT)
    assert said[fact.start : fact.end] in text


@pytest.mark.parametrize(
    "text",
    [
        "The kettle is nine years old.",
        "My late delivery retired my patience.",
        "Please call me back today.",
        "He told me not to worry about the contract.",
    ],
)
def test_what_is_no_fact(text):
    kinds = {one.kind for one in told(thread(text))}
    assert not kinds & {"customer_since", "contact_left", "do_not_call", "contract_end"}


def test_wishes_expire():
    [fact] = told(thread("By e-mail, please."))
    assert fact.holds(AT + timedelta(days=700))
    assert not fact.holds(AT + timedelta(days=800))


def test_standing_fades_with_time_but_open_matters_do_not():
    bad = Account(matters=(Matter(AT, open=False, frustration=3),))
    now, later = bad.standing(AT), bad.standing(AT + timedelta(days=60))
    assert now.risk == 1.0
    assert later.risk == 0.5
    assert later.because == ("last annoyed on 2026-05-05",)
    left = Account(matters=(Matter(AT, open=True, churn_risk=1),))
    assert left.standing(AT + timedelta(days=900)).risk == left.standing(AT).risk > 0
    assert left.standing(AT).because[0] == "1 matter is open, the oldest since 2026-05-05"
    assert bad.standing(AT - timedelta(days=1)).risk == 0
    with pytest.raises(InvalidRecordError, match="half_life_days must be above 0"):
        bad.standing(AT, half_life_days=0)


def test_accounts_are_gathered_in_any_order(analyzer: Analyzer):
    threads = [
        Thread("one", (Message("customer", ANGRY, sent_at=AT,
                               sender="Jo@mill.example"),)),
        Thread("two", (Message("customer", "Thanks, it all works now.", sender="jo@mill.example",
                               sent_at=AT - timedelta(days=30)),)),
        Thread("three", (Message("customer", "No sender here."),)),
    ]  # fmt: skip
    pairs = [(one, analyzer.analyze(one)) for one in threads]
    found = gather(pairs)
    assert found == gather(reversed(pairs))
    standing = found["jo@mill.example"].standing(AT)
    assert [one.id for one in standing.open_matters] == ["one"]
    assert standing.last_bad is not None
    assert standing.last_good is not None
    assert (standing.last_bad.id, standing.last_good.id) == ("one", "two")


@pytest.mark.parametrize(
    ("wish", "hour", "decision"),
    [
        (Fact("do_not_call", "phone calls before 14:00"), 10, "hold"),
        (Fact("do_not_call", "phone calls before 14:00"), 15, "go"),
        (Fact("prefers", "calls between 5 and 7 in the morning"), 6, "go"),
        (Fact("prefers", "calls between 5 and 7 in the morning"), 9, "hold"),
        (Fact("prefers", "calls between lunch and dinner, 3 to 5 pm"), 16, "go"),
        (Fact("prefers", "evenings after six"), 19, "go"),
        (Fact("prefers", "calls only on Fridays"), 10, "hold"),
        (Fact("prefers", "calls on Tuesdays"), 10, "go"),
    ],
)
def test_hours_that_they_named_go_before_ours(wish, hour, decision):
    planned = Contact("sales", "phone", AT.replace(hour=hour), "the kettle")
    assert check(planned, Account(facts=frozenset({wish}))).decision == decision


def test_a_later_wish_for_calls_lifts_an_older_ban():
    ban = Fact("do_not_call", "phone calls", AT - timedelta(days=900))
    wish = Fact("prefers", "phone is fine now, daytime", AT - timedelta(days=30))
    assert check(CALL, Account(facts=frozenset({ban}))).decision == "hold"
    assert check(CALL, Account(facts=frozenset({ban, wish}))).decision == "go"


def test_their_own_calm_question_is_no_reason_to_wait():
    asked = Matter(AT, open=True, about="asked what the kettle costs")
    assert check(CALL, Account(matters=(asked,))).decision == "go"
    chased = Matter(AT, open=True, about="asked again what the kettle costs, no answer")
    assert check(CALL, Account(matters=(chased,))).reasons == ("open_problem",)


def test_what_they_bought_already_is_not_offered_again():
    bought = Fact("bought", "kettle", AT - timedelta(days=20))
    result = check(CALL, Account(facts=frozenset({bought})))
    assert (result.decision, result.reasons) == ("correct_record", ("stale_reason",))


def test_a_month_named_in_the_contact_dates_its_occasion():
    def survey(about: str) -> str:
        return check(Contact("survey", "email", AT, about), Account()).decision

    assert survey("your move in September 2025") == "hold"
    assert survey("your move last April") == "go"


def test_a_table_of_contacts_adds_up(tmp_path: Path):
    planned, known, out = (tmp_path / name for name in ("p.csv", "a.jsonl", "o.csv"))
    planned.write_text(
        "account,kind,channel,at,about,owner\n"
        "JO,sales,email,2026-05-05T10:00:00Z,kettle,=cmd\n"
        "jo,sales,phone,2026-05-05T23:00:00Z,kettle,x\n"
        "nobody,sales,email,2026-05-05T10:00:00Z,kettle,x\n"
        "jo,sales,email,soon,kettle,x\n",
        encoding="utf-8",
    )
    known.write_text(json.dumps(Account("jo").to_dict()) + "\n", encoding="utf-8")
    summary = outreach(planned, known, out)
    assert summary.read == 4 == summary.decisions["go"] + summary.decisions["hold"] + 2
    assert summary.lines()[0] == "4 planned = 1 go + 1 hold + 0 correct_record + 2 rejected"
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["decision"] for row in rows] == ["go", "hold"]
    assert [row["reasons"] for row in rows] == ["nothing_against_it", "outside_window"]
    assert rows[0]["owner"] == "'=cmd"
    rejects = (tmp_path / "o.csv.rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["index"] for line in rejects] == [2, 3]
    assert json.loads(rejects[1])["reason"].startswith("The at of a contact must be ISO 8601")
    assert "soon" not in rejects[1]


def test_a_table_of_contacts_keeps_holidays(tmp_path: Path, capsys):
    pytest.importorskip("holidays")
    planned, known, out = (tmp_path / name for name in ("p.csv", "a.jsonl", "o.csv"))
    planned.write_text("account,kind,channel,at\njo,sales,phone,2026-04-03T10:00:00Z\n")
    known.write_text('{"id": "jo"}\n')
    for given_holidays, code, shown in (
        ([], 0, "1 go + 0 hold"),
        (["--holidays", "DE"], 0, "0 go + 1 hold"),
        (["--holidays", "Atlantis"], 2, "country code"),
    ):
        arguments = ["outreach", str(planned), "--accounts", str(known), "--out", str(out)]
        assert main([*arguments, *given_holidays]) == code
        told = capsys.readouterr()
        assert shown in told.out + told.err


# -- from threads to a table of contacts --------------------------------------------------------

MAILS = [
    {"thread": "a", "role": "customer", "sender": "Jo@mill.example", "text": ANGRY,
     "sent_at": "2026-05-04T09:00:00Z"},
    {"thread": "b", "role": "customer", "sender": "jo@mill.example", "text":
     "I sold the dishwasher last year. Secret-1 and secret-2 stay between us.",
     "sent_at": "2026-03-04T09:00:00Z"},
    {"thread": "b", "role": "agent", "text": "Canary-77: thank you for telling us.",
     "sent_at": "2026-03-04T10:00:00Z"},
    {"thread": "b", "role": "customer", "sender": "jo@mill.example",
     "text": "Thanks, all is settled.", "sent_at": "2026-03-05T10:00:00Z"},
    {"thread": "c", "role": "customer", "sender": "amy@mill.example", "text":
     "Thank you, it works perfectly now.", "sent_at": "2026-03-06T10:00:00Z"},
    {"thread": "d", "role": "customer", "text": "No sender here.",
     "sent_at": "2026-03-06T10:00:00Z"},
]  # fmt: skip


def _table(path: Path, rows: list[dict[str, str]], *more: str) -> Path:
    path.write_text("\n".join([*map(json.dumps, rows), *more]) + "\n", encoding="utf-8")
    return path


def test_from_the_shell_to_decisions(tmp_path: Path, capsys):
    source = _table(tmp_path / "in.jsonl", MAILS, "{broken canary-77")
    known, planned, out = (tmp_path / name for name in ("a.jsonl", "p.csv", "o.csv"))
    now = ["--now", "2026-05-05T09:00:00Z"]
    assert main(["accounts", str(source), "--out", str(known), *now]) == 0
    shown = capsys.readouterr().out
    assert "7 messages read = 6 in 4 threads + 1 rejected" in shown
    assert "2 accounts; 1 threads name no customer" in shown
    rejects = tmp_path / "a.jsonl.rejects.jsonl"
    written = known.read_text(encoding="utf-8")
    for kept_out in ("canary-77", "secret-1", "no sender"):
        assert kept_out not in (shown + written + rejects.read_text()).lower()
    read = [Account.from_dict(json.loads(line)) for line in written.splitlines()]
    assert [one.id for one in read] == ["amy@mill.example", "jo@mill.example"]
    assert [fact.kind for fact in read[1].facts] == ["no_longer_owns"]
    planned.write_text(
        "account,kind,channel,at,about\n"
        "Amy@mill.example,sales,email,2026-06-02T10:00:00Z,kettle\n"
        "jo@mill.example,sales,email,2026-05-05T10:00:00Z,kettle\n"
        "jo@mill.example,renewal,email,2026-05-05T10:00:00Z,dishwasher\n"
    )
    assert main(["outreach", str(planned), "--accounts", str(known), "--out", str(out)]) == 0
    decided = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [one["decision"] for one in decided] == ["go", "hold", "correct_record"]
    assert {"a.jsonl", "a.jsonl.rejects.jsonl"} == {
        path.name for path in tmp_path.iterdir() if "a.jsonl" in path.name
    }  # nothing under way is left


def test_accounts_are_the_same_bytes_in_any_order_of_sources(analyzer: Analyzer, tmp_path: Path):
    parts = [
        _table(tmp_path / f"{name}.jsonl", [one for one in MAILS if one["thread"] == name])
        for name in "abcd"
    ]
    outs = []
    for number in range(3):
        Random(number).shuffle(parts)
        out = tmp_path / f"out{number}.jsonl"
        summary = gather_file([*parts, parts[0]], out, analyzer=analyzer)  # one of them twice
        assert (summary.accounts, summary.rejected) == (2, 0)
        outs.append(out.read_bytes())
    whole = tmp_path / "whole.jsonl"
    gather_file([_table(tmp_path / "in.jsonl", MAILS)], whole, analyzer=analyzer)
    assert {*outs} == {whole.read_bytes()}


def test_accounts_that_cannot_be_written(analyzer: Analyzer, tmp_path: Path):
    source, out = _table(tmp_path / "in.jsonl", MAILS), tmp_path / "out.jsonl"
    with pytest.raises(InvalidRecordError, match=r"must end with \.jsonl"):
        gather_file([source], tmp_path / "out.csv", analyzer=analyzer)
    with pytest.raises(InvalidRecordError, match="another file than the sources"):
        gather_file([source], source, analyzer=analyzer)
    with pytest.raises(SourceError, match="no such file"):
        gather_file([source, tmp_path / "none.mbox"], out, analyzer=analyzer)
    out.write_text("as it was")
    with pytest.raises(InvalidRecordError, match="country code"):
        gather_file([source], out, analyzer=analyzer, holidays="Atlantis")
    assert out.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_tables_that_cannot_be_decided_on(tmp_path: Path):
    planned, known = tmp_path / "p.csv", tmp_path / "a.jsonl"
    planned.write_text("who,when\n", encoding="utf-8")
    known.write_text("", encoding="utf-8")
    with pytest.raises(InvalidRecordError, match="need the columns account"):
        outreach(planned, known, tmp_path / "o.csv")
    with pytest.raises(InvalidRecordError, match="another file than the sources"):
        outreach(planned, known, planned)
    with pytest.raises(SourceError, match="cannot be read"):
        outreach(tmp_path / "none.csv", known, tmp_path / "o.csv")
    known.write_text("[5]\n", encoding="utf-8")
    with pytest.raises(InvalidRecordError, match="Line 1 of the accounts"):
        outreach(planned, known, tmp_path / "o.csv")
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("head", "match"),
    [
        ("account;kind;channel;at", "lacks account, kind, channel, at"),
        ("account,kind,Channel,at", "lacks channel. Name them in the first line, in small"),
        ("account,kind,channel,at,at", "at stands twice. Rename one"),
        ("account,kind,channel,at,about,about", "about stands twice"),
    ],
)
def test_columns_that_cannot_be_told_are_named(tmp_path: Path, head: str, match: str):
    planned, known = tmp_path / "p.csv", tmp_path / "a.jsonl"
    planned.write_text(head + "\n", encoding="utf-8")
    known.write_text("", encoding="utf-8")
    with pytest.raises(InvalidRecordError, match=re.escape(match)):
        outreach(planned, known, tmp_path / "o.csv")


def test_accounts_are_read_behind_a_mark_and_however_deep_they_nest(tmp_path: Path):
    planned, known, out = (tmp_path / name for name in ("p.csv", "a.jsonl", "o.csv"))
    planned.write_text(
        "account,kind,channel,at\njo,survey,email,2026-05-05T10:00:00Z\n", encoding="utf-8"
    )
    known.write_text("\ufeff" + json.dumps(Account("jo").to_dict()) + "\n", encoding="utf-8")
    assert outreach(planned, known, out).rejected == 0
    known.write_text("[" * 100_000 + "\n", encoding="utf-8")
    with pytest.raises(InvalidRecordError, match="Line 1 of the accounts is no account"):
        outreach(planned, known, out)

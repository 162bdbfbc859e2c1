"""A company's own rules: what may be recommended, from which probability, how many calls, when."""

from __future__ import annotations

import json
import math
import tomllib
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import customer_nlp
from customer_nlp.cli import main
from customer_nlp.codebook import ACTIONS
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.policy import Policy
from customer_nlp.records import (
    ActionAdvice,
    Analysis,
    Evidence,
    MessageAnalysis,
    Recommendation,
    ThreadState,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
TOML = """
off = ["escalate_to_manager"]
calls_per_day = 2

[cost]
call_now = 6.0
[cost_of_missing]
call_now = 34.0

[quiet]
from = "20:00"
until = 08:00:00
days = ["sun"]
zone = "Europe/London"
"""


def calling(probability: float, *, sent_at: datetime = NOON, name: str = "t") -> Analysis:
    words = Evidence(0, 4, "help", "m1")
    actions = (
        ActionAdvice("call_now", probability, ("it failed twice",), (words,)),
        ActionAdvice("walk_through", 0.4, ("something does not work",)),
    )
    return Analysis(
        name,
        "m1",
        "en-test",
        Recommendation("call_now", "phone", "now", actions, ("canned",)),
        (MessageAnalysis("m1", "customer", sent_at, "en"),),
        (),
        ThreadState("company", None, 1),
    )


def calls(analyses: list[Analysis]) -> list[bool]:
    return [one.recommendation.primary == "call_now" for one in analyses]


def test_a_manager_edits_a_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(TOML, encoding="utf-8")
    policy = Policy.from_file(path)
    assert policy.threshold("call_now", 0.5) == pytest.approx(6 / 40)
    assert policy.threshold("escalate_to_manager", 0.5) > 1
    assert policy.threshold("reply", 0.5) == 0.5
    assert policy.quiet_at(datetime(2026, 7, 7, 19, 30, tzinfo=UTC))  # half past eight in London
    assert not policy.quiet_at(datetime(2026, 1, 6, 19, 30, tzinfo=UTC))
    assert policy.quiet_at(datetime(2026, 3, 1, 12, tzinfo=UTC))  # a Sunday


def test_nobody_is_called_in_quiet_hours_but_promised_a_call() -> None:
    policy = Policy(quiet_from=time(20), quiet_until=time(8))
    late = NOON.replace(hour=23)
    told = policy.hushed(calling(0.9), late).recommendation
    assert (told.primary, told.channel) == ("take_ownership", "same")
    assert [one.action for one in told.actions] == ["take_ownership", "walk_through"]
    assert "quiet hours" in told.actions[0].because[0]
    assert told.actions[0].evidence == calling(0.9).recommendation.actions[0].evidence
    assert policy.hushed(calling(0.9), NOON) == calling(0.9)
    assert policy.hushed(calling(0.9), None) == calling(0.9)


def test_the_gravest_threads_get_the_calls_of_the_day() -> None:
    tomorrow = NOON + timedelta(days=1)
    given_ = [calling(0.6), calling(0.9), calling(0.7), calling(0.5, sent_at=tomorrow)]
    assert calls(Policy(calls_per_day=2).ration(given_)) == [False, True, True, True]
    assert calls(Policy(calls_per_day=0).ration(given_)) == [False] * 4
    assert Policy().ration(given_) == given_


@given(st.lists(st.floats(0, 1), max_size=12), st.integers(0, 5))
def test_a_budget_is_used_up_and_never_passed(probabilities: list[float], budget: int) -> None:
    given_ = [calling(p, name=str(i)) for i, p in enumerate(probabilities)]
    rationed = Policy(calls_per_day=budget).ration(given_)
    kept = [p for p, call in zip(probabilities, calls(rationed), strict=True) if call]
    left = [p for p, call in zip(probabilities, calls(rationed), strict=True) if not call]
    assert len(kept) == min(budget, len(given_))
    assert not kept or not left or min(kept) >= max(left)
    assert [one.thread_id for one in rationed] == [one.thread_id for one in given_]


@pytest.mark.parametrize(
    ("stated", "complaint"),
    [
        ({"of": []}, "keys among"),
        ({"off": "reply"}, "a list of names"),
        ({"off": ["phone"]}, "one of call_now"),
        ({"off": list(ACTIONS)}, "something must be left"),
        ({"cost": {"reply": 1}}, "the same actions in both"),
        ({"cost": {"reply": -1}, "cost_of_missing": {"reply": 1}}, "two numbers from 0 up"),
        ({"cost": {"reply": 0}, "cost_of_missing": {"reply": 0}}, "not both 0"),
        ({"cost": {"reply": "much"}, "cost_of_missing": {"reply": 1}}, "a table of numbers"),
        ({"cost": {"reply": math.nan}, "cost_of_missing": {"reply": 1}}, "two numbers from 0 up"),
        ({"cost": {"reply": math.inf}, "cost_of_missing": {"reply": 1}}, "two numbers from 0 up"),
        ({"off": ["take_ownership"], "calls_per_day": 2}, "takes the place of a call"),
        ({"off": ["take_ownership"], "quiet": {"days": ["sun"]}}, "takes the place of a call"),
        ({"quiet": {"from": "20:00+02:00", "until": "08:00"}}, "one without an offset"),
        ({"quiet": {"zone": "Europe"}}, "Europe/London"),
        ({"calls_per_day": -1}, "a whole number"),
        ({"calls_per_day": True}, "a whole number"),
        ({"quiet": {"from": "20:00"}}, "or neither"),
        ({"quiet": {"from": "late", "until": "08:00"}}, "a time such as"),
        ({"quiet": {"days": ["someday"]}}, "one of mon"),
        ({"quiet": {"zone": "Atlantis/Deep"}}, "Europe/London"),
        ({"quiet": {"hours": 1}}, "keys among"),
        ([], "a table"),
        ({"of": []}, "got 'of'"),
        ({"off": ["phone"]}, "got 'phone'"),
        ({"quiet": {"hours": 1}}, "got 'hours'"),
        ({"quiet": {"days": ["sun", "Sat"]}}, "got 'Sat'"),
        ({"cost": {"reply": 1}}, "got 'reply'"),
        ({"off": ["x" * 99]}, rf"got '{'x' * 40}'\.$"),
        ({"cost": {"reply": 10**400}, "cost_of_missing": {"reply": 1}}, "that a computer can"),
    ],
)
def test_a_wrong_policy_is_refused(stated: Any, complaint: str) -> None:
    with pytest.raises(InvalidRecordError, match=complaint):
        Policy.from_dict(stated)


def test_plain_data_of_a_policy_comes_back() -> None:
    stated = {"off": ["retain", "close"], "quiet": {"from": "20:00", "until": "08:00"}}
    for policy in (Policy(), Policy.from_dict(stated), Policy.from_dict(tomllib.loads(TOML))):
        again = Policy.from_dict(json.loads(json.dumps(policy.to_dict())))
        assert again.to_dict() == policy.to_dict()
        assert again.quiet_at(NOON) == policy.quiet_at(NOON)


@pytest.mark.parametrize("content", ["off = [", "\x00", None])
def test_a_file_that_is_no_policy_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match="TOML or JSON") as caught:
        Policy.from_file(path)
    assert caught.value.source == str(path)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("policy.toml", "off = []\ncalls_per_day = few\n", r"TOMLDecodeError, line 2\)"),
        ("policy.json", '{"off":\n\n}', r"JSONDecodeError, line 3\)"),
        ("policy.json", '{"off": ["reply"], "off": []}', "TOML or JSON"),
        ("policy.json", "[" * 100_000, "RecursionError"),
        ("policy.toml", "off = " + "[" * 100_000, "RecursionError"),
    ],
)
def test_a_slip_in_a_policy_is_placed(tmp_path: Path, name: str, content: str, match: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=match):
        Policy.from_file(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("policy.toml", 'off = ["retain"]'), ("policy.JSON", '{"off": ["retain"]}')],
)
def test_a_policy_of_an_editor_that_marks_its_start(
    tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    path.write_text("\ufeff" + content, encoding="utf-8")
    assert Policy.from_file(path).off == {"retain"}


HELP = "This is the third time I write and the pump is dead again. Somebody must call me today!"


@pytest.fixture(scope="module")
def analyzer() -> customer_nlp.Analyzer:
    return customer_nlp.load()


def test_an_analysis_keeps_to_the_policy(analyzer: customer_nlp.Analyzer) -> None:
    plain = analyzer.analyze(HELP).recommendation
    assert plain.primary == "call_now"
    off = analyzer.analyze(HELP, policy=Policy(off=frozenset({"call_now"}))).recommendation
    assert "call_now" not in {one.action for one in off.actions}
    assert off.channel != "phone" or off.primary != "call_now"
    dear = Policy(cost={"call_now": 99.9}, cost_of_missing={"call_now": 0.1})
    angry = "The pump is dead again. Somebody must call me today, this is unacceptable!"
    assert analyzer.analyze(angry).recommendation.primary == "call_now"
    assert analyzer.analyze(angry, policy=dear).recommendation.primary != "call_now"
    # what the codebook demands outright (here: a third report) is not weighed against costs
    assert analyzer.analyze(HELP, policy=dear).recommendation.primary == "call_now"
    cheap = Policy(cost={"retain": 0.0}, cost_of_missing={"retain": 1.0})
    listed = {one.action for one in analyzer.analyze(HELP, policy=cheap).recommendation.actions}
    assert "retain" in listed


def test_quiet_hours_are_judged_by_the_time_of_asking(analyzer: customer_nlp.Analyzer) -> None:
    policy = Policy(quiet_from=time(20), quiet_until=time(8))
    late = analyzer.analyze(HELP, now=NOON.replace(hour=22), policy=policy).recommendation
    assert late.primary == "take_ownership"
    assert analyzer.analyze(HELP, now=NOON, policy=policy).recommendation.primary == "call_now"


def test_a_policy_that_is_none_is_refused(analyzer: customer_nlp.Analyzer) -> None:
    with pytest.raises(InvalidRecordError, match="must be a Policy"):
        analyzer.analyze(HELP, policy={"off": []})  # type: ignore[arg-type]


def test_the_shell_takes_a_policy_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "policy.toml", tmp_path / "out.jsonl"
    path.write_text('off = ["call_now"]\n', encoding="utf-8")
    table = tmp_path / "in.csv"
    table.write_text(f"text\n{HELP}\n", encoding="utf-8")
    words = ["score", str(table), "--out", str(out), "--policy", str(path)]
    assert main(words) == 0
    [record] = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert "call_now" not in {one["action"] for one in record["recommendation"]["actions"]}
    path.write_text("calls_per_day = 3\n", encoding="utf-8")
    assert main(words) == 2
    assert "Policy.ration" in capsys.readouterr().err

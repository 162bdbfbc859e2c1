"""The stories that the library must get right: what each customer mail shows, what to do next.

Every file of ``tests/stories`` is one thread with what is expected after some of its turns. A
story's first telling (``retold``) and its variants in other industries expect the same.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import customer_nlp
from customer_nlp.actions import reason
from customer_nlp.codebook import ACTIONS, CHANNELS, CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE
from customer_nlp.records import Analysis

STORIES = Path(__file__).parent / "stories"
NAMES = {
    "invoice",
    "warranty_call",
    "broken_device",
    "misplaced_pin",
    "refrigerator",
    "cancelled_order",
    "service_centre",
}


def _load(path: Path) -> dict[str, Any]:
    story: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return story


TOLD = {path.stem: _load(path) for path in sorted(STORIES.glob("*.json"))}
#: Share of all single expectations, and number of steps without a miss, that the model reaches.
SHARE_MET = 0.84
STEPS_MET = 20


@cache
def analyzer() -> customer_nlp.Analyzer:
    """Load the shipped model once, and only when a story is told."""
    return customer_nlp.load()


def problems(analysis: Analysis, step: dict[str, Any]) -> list[str]:
    """List every expectation that an analysis does not meet."""
    last = analysis.messages[-1]
    recommendation = analysis.recommendation
    listed = {advice.action for advice in recommendation.actions}
    found = []
    for name, (low, high) in step["signals"].items():
        signal = last.signal(name)
        grade = None if signal is None else signal.grade
        if grade is None or not low <= grade <= high:
            found.append(f"{name} is {grade}, not within {low}..{high}")
    found += [f"cue {cue} is missing" for cue in step["cues"] if cue not in last.cues]
    found += [f"cue {cue} is shown" for cue in step["absent_cues"] if cue in last.cues]
    found += [f"action {action} is missing" for action in step["actions"] if action not in listed]
    found += [f"action {action} is listed" for action in step["absent_actions"] if action in listed]
    found += [f"none of {group} is listed" for group in step["any_of"] if not listed & set(group)]
    for part in ("primary", "channel"):
        came = getattr(recommendation, part)
        if step[part] is not None and came != step[part]:
            found.append(f"{part} is {came}, not {step[part]}")
    found += [
        f"{name} is not avoided" for name in step["avoid"] if name not in recommendation.avoid
    ]
    return found


def shown(analysis: Analysis) -> str:
    """Say in a few lines what the analysis holds."""
    last, recommendation = analysis.messages[-1], analysis.recommendation
    grades = ", ".join(f"{s.name} {s.grade} (p={s.probability:.2f})" for s in last.signals)
    cues = ", ".join(f"{name} {p:.2f}" for name, p in last.cues.items())
    listed = ", ".join(f"{a.action} {a.probability:.2f}" for a in recommendation.actions)
    return (
        f"grades:  {grades}\ncues:    {cues}\nactions: {listed}\n"
        f"primary: {recommendation.primary}, channel: {recommendation.channel}, "
        f"avoid: {', '.join(recommendation.avoid)}, abstained: {recommendation.abstained}"
    )


def expectations(step: dict[str, Any]) -> int:
    """Count what a step expects."""
    lists = ("signals", "cues", "absent_cues", "actions", "absent_actions", "any_of", "avoid")
    return sum(len(step[key]) for key in lists) + sum(
        step[key] is not None for key in ("primary", "channel")
    )


def test_the_stories_are_told_as_well_as_before() -> None:
    """The goal is every expectation of every step; these floors are what the model has reached.

    They may only rise. The failure message lists what is missed and what was shown instead.
    """
    missed, lines, whole = 0, [], 0
    for name, story in TOLD.items():
        for step in story["expect"]:
            analysis = analyzer().analyze(story["messages"][: step["after"] + 1])
            found = problems(analysis, step)
            missed += len(found)
            whole += not found
            if found:
                lines.append(f"{name} after {step['after']}: {'; '.join(found)}\n{shown(analysis)}")
    total = sum(expectations(step) for story in TOLD.values() for step in story["expect"])
    report = "\n\n".join(lines)
    assert 1 - missed / total >= SHARE_MET, report
    assert whole >= STEPS_MET, report


@pytest.mark.parametrize("name", TOLD)
def test_reasons_name_only_what_was_found_in_our_replies(name: str) -> None:
    for step in TOLD[name]["expect"]:
        analysis = analyzer().analyze(TOLD[name]["messages"][: step["after"] + 1])
        *earlier, last = [m for m in analysis.messages if m.role == "agent"] or [None]
        told = {because for one in analysis.recommendation.actions for because in one.because}
        found = {reason(f"reply.{one.name}") for one in (last.findings if last else ())}
        before = {reason(f"replies.{one.name}") for m in earlier for one in m.findings}
        assert {one for one in told if one.startswith("our last reply ")} <= found
        assert {one for one in told if one.startswith("an earlier reply ")} <= before


def test_every_story_has_its_variants() -> None:
    told = Counter(story["story"] for story in TOLD.values())
    assert told.keys() == NAMES
    assert min(told.values()) >= 3
    assert all(f"{name}__retold" in TOLD for name in NAMES)


@pytest.mark.parametrize("name", TOLD)
def test_expectations_are_well_formed(name: str) -> None:
    story = TOLD[name]
    assert name == f"{story['story']}__{story['variant']}"
    for step in story["expect"]:
        assert story["messages"][step["after"]]["role"] == "customer"
        assert step["signals"].keys() <= set(CORE_SIGNALS)
        for low, high in step["signals"].values():
            assert 0 <= low <= high <= MAX_GRADE
        assert set(step["cues"]) | set(step["absent_cues"]) <= set(CUES)
        wanted = {*step["actions"], *step["absent_actions"]}.union(*step["any_of"])
        assert wanted <= set(ACTIONS)
        assert not set(step["actions"]) & set(step["absent_actions"])
        assert set(step["avoid"]) <= set(FINDINGS)
        assert step["primary"] is None or step["primary"] in step["actions"]
        assert step["channel"] is None or step["channel"] in CHANNELS


def test_variants_expect_what_the_first_telling_expects() -> None:
    for story in TOLD.values():
        first = TOLD[f"{story['story']}__retold"]
        assert [_bare(step) for step in story["expect"]] == [
            _bare(step) for step in first["expect"]
        ]


def _bare(step: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key != "after"}

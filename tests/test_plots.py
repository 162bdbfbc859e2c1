"""The pictures: what is drawn is what was given, and the title says what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score

from customer_nlp import Message, Thread, plots
from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Analysis as Record
from customer_nlp.records import Commitment, MessageAnalysis, Recommendation, Signal, ThreadState

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("Agg")

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_open_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    probability = rng.random(400).round(2)  # with ties
    return (rng.random(400) < probability).astype(int), probability


def words(ax: Any) -> list[str]:
    return [one.get_text() for one in ax.texts]


def test_reliability_draws_the_share_that_was_so():
    probability = [0.1] * 10 + [0.9] * 10
    labels = [1] + [0] * 9 + [1] * 8 + [0] * 2
    ax = plots.reliability(labels, probability, bins=5)
    _, observed = ax.lines[:2]
    np.testing.assert_allclose(observed.get_xydata(), [[0.1, 0.1], [0.9, 0.8]])
    assert words(ax) == ["10", "10"]
    assert "differ by 0.050" in ax.get_title()
    assert ax.get_xlabel() == "stated probability"


def test_precision_recall_marks_the_operating_point(scored):
    labels, probability = scored
    ax = plots.precision_recall(labels, probability, threshold=0.6)
    [[recall, precision]] = ax.lines[-1].get_xydata()
    assert precision == pytest.approx(precision_score(labels, probability >= 0.6))
    assert recall == pytest.approx(recall_score(labels, probability >= 0.6))
    assert f"{average_precision_score(labels, probability):.2f}" in ax.get_title()
    assert "from 0.60" in words(ax)[-1]


def test_grade_confusion_counts():
    ax = plots.grade_confusion([0, 0, 1, 3], [0, 1, 1, 0], signal="churn_risk")
    assert np.reshape(words(ax), (4, 4)).tolist() == [
        ["1", "1", "0", "0"], ["0", "1", "0", "0"], ["0", "0", "0", "0"], ["1", "0", "0", "0"],
    ]  # fmt: skip
    assert ax.get_title() == "Churn risk: 50% the same, 75% within one (n = 4)"
    assert [tick.get_text() for tick in ax.get_yticklabels()][3] == "3 severe"


def course(*, dated: bool = True) -> Record:
    grades = (0, 2, 1)
    messages = []
    for index, grade in enumerate(grades):
        signals = tuple(
            Signal(name, grade / 3, grade) for name in ("confusion", "frustration", "churn_risk")
        )
        at = START + timedelta(days=index) if dated else None
        messages.append(MessageAnalysis(f"c{index}", "customer", at, "en", signals))
        messages.append(MessageAnalysis(f"a{index}", "agent", at and at + timedelta(hours=2), "en"))
    promise = Commitment("a0", "agent", "by tomorrow", 0, 11, START + timedelta(days=1), "broken")
    state = ThreadState("customer", None, 3, turning_point="a0")
    advice = Recommendation("call_now", "phone", "now")
    return Record("t", "a2", "en-1", advice, tuple(messages), (promise,), state)


@pytest.mark.parametrize("dated", [True, False])
def test_trajectory_shows_grades_promises_and_the_turn(dated: bool):
    ax = plots.trajectory(course(dated=dated))
    drawn = {line.get_label(): line for line in ax.lines}
    assert list(drawn["frustration"].get_ydata()) == [0, 2, 1]
    assert len(drawn["our messages"].get_xdata()) == 3
    assert {"our promise: broken", "turning point"} <= set(words(ax))
    assert ax.get_xlabel() == ("time (UTC)" if dated else "turn")
    assert ax.get_title() == "Customer turns: 3, promises: 1; next: call now"


def test_a_real_thread_has_a_course(analyzer: Analyzer):
    thread = Thread("t", (
        Message("customer", "The kettle broke.", sent_at=START),
        Message("agent", "We will send one by Friday.", sent_at=START + timedelta(hours=1)),
        Message("customer", "It broke again. I am furious!", sent_at=START + timedelta(days=9)),
    ))  # fmt: skip
    analysis = analyzer.analyze(thread)
    drawn = {line.get_label(): line for line in plots.trajectory(analysis).lines}
    grades = [one.signal("frustration") for one in analysis.messages if one.signals]
    assert list(drawn["frustration"].get_ydata()) == [one.grade for one in grades if one]


def test_action_mix_stacks_each_week_to_the_whole():
    records = [
        {"recommendation": {"primary": action}, "messages": [{"sent_at": at and at.isoformat()}]}
        for action, at in (
            ("reply", START), ("call_now", START), ("reply", START + timedelta(days=6)),
            ("close", START + timedelta(days=7)), ("close", None), (None, START),
        )
    ]  # fmt: skip
    ax = plots.action_mix(records)
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in ax.containers}
    assert heights["reply"] == pytest.approx([200 / 3, 0])
    assert heights["close"] == pytest.approx([0, 100])
    assert np.sum(list(heights.values()), axis=0) == pytest.approx([100, 100])
    assert words(ax) == ["3", "1"]
    assert "4 threads, 2 left out" in ax.get_title()


def test_heat_map_shows_means_and_leaves_small_groups_out(analyzer: Analyzer):
    table = analyzer.signals(["The kettle is broken.", "I am furious!", "Where is my parcel?"] * 8)
    groups = ["kettle"] * 12 + ["lamp"] * 10 + ["rare"] * 2
    ax = plots.signal_heat_map(table, groups)
    rows = [tick.get_text() for tick in ax.get_yticklabels()]
    assert rows == ["kettle (12)", "lamp (10)"]
    columns = [tick.get_text() for tick in ax.get_xticklabels()]
    shown = np.reshape(words(ax), (2, len(columns)))
    mean = 100 * table["frustration"][:12].mean()
    assert shown[0, columns.index("frustration")] == f"{mean:.0f}"
    assert "1 with under 10 left out" in ax.get_title()


def test_names_with_a_dollar_are_no_formula_and_none_is_no_group(analyzer: Analyzer):
    table = analyzer.signals(["hello"] * 40)
    groups = ["$x^ plan $"] * 10 + [None] * 10 + [float("nan")] * 10 + ["lamp"] * 10
    ax = plots.signal_heat_map(table, groups)
    ax.figure.canvas.draw()  # a formula that is none stops here
    rows = [tick.get_text() for tick in ax.get_yticklabels()]
    assert rows == [r"\$x^ plan \$ (10)", "lamp (10)"]


def test_a_threshold_above_all_costs_what_acting_on_none_does(scored):
    labels, probability = scored
    costs = {"false_alarm": 1, "missed": 4}
    ax = plots.cost_curve(labels, probability, costs=costs, threshold=5)
    [[_, chosen]] = ax.lines[2].get_xydata()
    assert chosen == pytest.approx(4 * np.mean(labels))


def test_one_analysis_is_a_mix_of_one():
    assert "1 thread" in plots.action_mix(course()).get_title()


def test_nothing_is_drawn_by_agent(analyzer: Analyzer):
    table = analyzer.signals(["hello"] * 10)
    with pytest.raises(InvalidRecordError, match="Nothing is drawn by agent"):
        plots.signal_heat_map(table, ["Ann"] * 10, by="agent")


def test_cost_curve_is_cheapest_where_it_says(scored):
    labels, probability = scored
    ax = plots.cost_curve(labels, probability, costs={"false_alarm": 1, "missed": 4},
                          threshold=0.5, unit="€")  # fmt: skip

    def cost(threshold: float) -> float:
        flagged = probability >= threshold
        return float(np.mean(np.where(flagged, 1 - labels, 4 * labels)))

    by_hand = {at: cost(at) for at in [*np.unique(probability), 2.0]}
    [[at, least]] = ax.lines[1].get_xydata()
    assert least == pytest.approx(min(by_hand.values())) == pytest.approx(cost(at))
    [[_, chosen]] = ax.lines[2].get_xydata()
    assert chosen == pytest.approx(cost(0.5))
    assert f"none acted on €{cost(2.0):.2f}, all €{cost(0.0):.2f}" in ax.get_title()
    assert "(€)" in ax.get_ylabel()


def test_every_picture_draws_into_the_axes_given(scored, analyzer: Analyzer):
    labels, probability = scored
    _, panels = plt.subplots(2, 4)
    a, b, c, d, e, f, g, _ = panels.flat
    record = {"recommendation": {"primary": "reply"}, "messages": [{"sent_at": START.isoformat()}]}
    assert plots.reliability(labels, probability, ax=a) is a
    assert plots.precision_recall(labels, probability, ax=b) is b
    assert plots.grade_confusion([0], [0], ax=c) is c
    assert plots.trajectory(course(), ax=d) is d
    assert plots.action_mix([record], ax=e) is e
    assert plots.signal_heat_map(analyzer.signals(["x"]), ["k"], least=1, ax=f) is f
    assert plots.cost_curve(labels, probability, costs={"false_alarm": 1, "missed": 1}, ax=g) is g
    assert plt.get_fignums() == [1]


@pytest.mark.parametrize(
    ("draw", "match"),
    [
        (lambda: plots.reliability([2], [0.5]), "must be 1 or 0"),
        (lambda: plots.reliability([1], [1.5]), "between 0 and 1"),
        (lambda: plots.reliability([1], [float("nan")]), "between 0 and 1"),
        (lambda: plots.reliability([1, 0], [0.5]), "labels 2, probability 1"),
        (lambda: plots.reliability([], []), "at least one"),
        (lambda: plots.precision_recall([0], [0.5]), "at least one label of 1"),
        (lambda: plots.precision_recall([1], [0.5], threshold=0.9), "flags something"),
        (lambda: plots.grade_confusion([4], [0]), "from 0 to 3"),
        (lambda: plots.action_mix([]), "got 0 without"),
        (lambda: plots.cost_curve([1], [0.5], costs={"missed": 1}), "must name 'false_alarm'"),
        (lambda: plots.reliability([1], ["a"]), "probability must be one number a message"),
        (lambda: plots.reliability([[1]], [[0.5]]), "labels must be one number a message"),
        (lambda: plots.reliability([1], [0.5], bins=0), "whole number from 1 up; got 0"),
        (lambda: plots.reliability([1], [0.5], bins=2.5), r"whole number from 1 up; got 2\.5"),
        (lambda: plots.trajectory({"thread_id": "t"}), "Expected an Analysis, .* got dict"),
        (lambda: plots.action_mix([{}]), "one is neither"),
        (lambda: plots.action_mix([5]), "one is neither"),
    ],
)
def test_wrong_input_is_named(draw, match: str):
    with pytest.raises(InvalidRecordError, match=match):
        draw()

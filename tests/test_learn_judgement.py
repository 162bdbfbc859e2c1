"""Thresholds, coverage, drift and labels: numbers that are right, or a refusal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_nlp import learn
from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError, TooLittleDataError
from customer_nlp.training import load_corpus

COSTS = {"false_alarm": 4.0, "missed": 60.0}
THREADS = load_corpus().threads[:400]
MESSAGES = [
    (message.new_text, labels.grades["frustration"], "billing" in labels.cues, one.thread.id)
    for one in THREADS
    for message, labels in one.turns
    if labels.grades is not None
]
TEXTS = [row[0] for row in MESSAGES]
GRADES = np.array([row[1] for row in MESSAGES])
BILLING = np.array([row[2] for row in MESSAGES])
GROUPS = [row[3] for row in MESSAGES]


def calibrated(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that mean what they say."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-2, 2, n)))
    return p, (rng.random(n) < p).astype(int)


def test_costs_put_the_threshold_where_theory_does():
    p, y = calibrated(20_000)
    point = learn.tune(p, y, costs=COSTS, resamples=50)
    assert point.threshold.low <= 4 / 64 <= point.threshold.high
    assert point.cost.value < min(point.cost_of_none, point.cost_of_all)
    assert point.cost.low < point.cost.value < point.cost.high
    assert point.cost_of_none == pytest.approx(60 * y.mean())
    flagged = p >= point.threshold.value
    assert point.recall.value == pytest.approx(flagged[y > 0].mean())


def test_precision_is_reached_on_new_messages():
    p, y = calibrated(4000)
    point = learn.tune(p, y, min_precision=0.8, resamples=100)
    fresh_p, fresh_y = calibrated(40_000, seed=1)
    assert point.precision.value >= 0.8
    assert point.precision.low <= fresh_y[fresh_p >= point.threshold.value].mean()
    assert fresh_y[fresh_p >= point.threshold.value].mean() >= 0.77
    looser = learn.tune(p, y, min_precision=0.5, resamples=20)
    assert looser.recall.value > point.recall.value


def test_budget_flags_what_can_be_handled():
    p, y = calibrated(5000)
    point = learn.tune(p, y, budget_per_day=40, messages_per_day=800, resamples=100)
    assert point.per_day.value == pytest.approx(40, abs=0.2)
    assert point.per_day.low < 40 < point.per_day.high
    assert (p >= point.threshold.value).sum() == 250


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth = []
    for seed in range(60):
        p, y = calibrated(500, seed)
        precision = learn.tune(p, y, budget_per_day=1, messages_per_day=5, resamples=100).precision
        big_p, big_y = calibrated(20_000, seed=999)
        cut = np.quantile(big_p, 0.8)
        truth.append(precision.low <= big_y[big_p >= cut].mean() <= precision.high)
    assert np.mean(truth) >= 0.85


def test_threads_are_resampled_whole():
    p, y = calibrated(300)
    alone = learn.tune(p, y, costs=COSTS, resamples=200).recall
    copies = np.repeat(np.arange(300), 5)
    joint = learn.tune(p[copies], y[copies], costs=COSTS, groups=copies, resamples=200).recall
    blind = learn.tune(p[copies], y[copies], costs=COSTS, resamples=200).recall
    assert joint.high - joint.low == pytest.approx(alone.high - alone.low, rel=0.05)
    assert blind.high - blind.low < 0.7 * (joint.high - joint.low)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({}, InvalidRecordError, "one goal.*got none"),
        ({"costs": COSTS, "min_precision": 0.5}, InvalidRecordError, "got costs, min_precision"),
        ({"costs": {"missed": 1}}, InvalidRecordError, "must name false_alarm and missed"),
        ({"min_precision": 7}, InvalidRecordError, "at most 1; got 7"),
        ({"budget_per_day": 3}, InvalidRecordError, "needs messages_per_day"),
        ({"min_precision": 0.999}, TooLittleDataError, "No threshold has a precision of 0.999"),
    ],
)
def test_tune_refuses(given, error, match: str):
    p, y = calibrated(400)
    with pytest.raises(error, match=match):
        learn.tune(np.round(p, 1), y, **given)


@pytest.mark.parametrize("goal", [{"costs": COSTS}, {"min_precision": 0.5}])
def test_too_little_data_is_no_threshold(goal):
    p, y = calibrated(60)
    with pytest.raises(TooLittleDataError, match="positives in at least 20 groups; got"):
        learn.tune(p[:50], y[:50], **goal)
    with pytest.raises(TooLittleDataError, match="got 1"):
        learn.tune(np.tile(p, 9), np.tile(y, 9), groups=["one"] * 540, **goal)
    with pytest.raises(InvalidRecordError, match="labels of 1 or 0"):
        learn.tune([0.2, np.nan], [0, 1], **goal)


@pytest.mark.parametrize("promised", [0.8, 0.9, 0.95])
def test_coverage_holds_in_every_group(promised: float):
    """On average over draws; the groups differ in how good the probabilities are."""
    covered: dict[str, list[float]] = {"en": [], "de": []}
    for seed in range(40):
        p, y = calibrated(1200, seed)
        groups = np.where(np.arange(1200) % 2, "en", "de")
        p = np.where(groups == "de", np.sqrt(p), p)  # far from calibrated there
        half = slice(0, 600), slice(600, 1200)
        sets = learn.conformal(p[half[0]], y[half[0]], coverage=promised, groups=groups[half[0]])
        kept = sets.predict(p[half[1]], groups[half[1]])
        right = kept[np.arange(600), y[half[1]]]
        for name in covered:
            covered[name].append(right[groups[half[1]] == name].mean())
    for name, values in covered.items():
        assert abs(np.mean(values) - promised) <= 0.02, name


def test_coverage_on_our_own_messages(analyzer: Analyzer):
    p, y = analyzer.signals(TEXTS)["frustration"], (GRADES > 0).astype(int)
    team = np.where([one.endswith(("1", "3", "5", "7", "9")) for one in GROUPS], "a", "b")
    covered: dict[str, list[float]] = {"a": [], "b": []}
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(len(y))
        first, rest = order[: len(y) // 2], order[len(y) // 2 :]
        sets = learn.conformal(p[first], y[first], groups=team[first])
        right = sets.predict(p[rest], team[rest])[np.arange(len(rest)), y[rest]]
        for name in covered:
            covered[name].append(right[team[rest] == name].mean())
    assert all(abs(np.mean(values) - 0.9) <= 0.02 for values in covered.values())


def test_conformal_refuses():
    p, y = calibrated(8)
    with pytest.raises(TooLittleDataError, match="needs at least 9 labelled rows"):
        learn.conformal(p, y)
    with pytest.raises(InvalidRecordError, match="coverage must be between 0 and 1"):
        learn.conformal(p, y, coverage=1)
    p, y = calibrated(100)
    sets = learn.conformal(p, y, groups=["de"] * 100)
    with pytest.raises(InvalidRecordError, match="got en"):
        sets.predict(p, ["en"] * 100)
    three = np.random.default_rng(0).dirichlet(np.ones(3), 100)
    sets = learn.conformal(three, y)
    assert sets.predict(three).shape == (100, 3)
    with pytest.raises(InvalidRecordError, match="must have 3 columns; got 2"):
        sets.predict(p)


def test_resamples_raise_no_alarm():
    """200 pairs of batches drawn from the same mail: at most 1% may raise an alarm."""
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(200):
        first, second = rng.integers(0, len(TEXTS), (2, 100))
        report = learn.drift([TEXTS[i] for i in first], [TEXTS[i] for i in second],
                             reference_labels={"frustration": GRADES[first] > 0},
                             current_labels={"frustration": GRADES[second] > 0})  # fmt: skip
        alarms += report.alarm
    assert alarms <= 2


def test_a_real_shift_raises_an_alarm_and_is_named():
    others = np.flatnonzero(~BILLING)
    half = len(others) // 2
    now = [*others[half:], *np.flatnonzero(BILLING)]
    report = learn.drift(
        [TEXTS[i] for i in others[:half]], [TEXTS[i] for i in now],
        reference_groups=[GROUPS[i] for i in others[:half]],
        current_groups=[GROUPS[i] for i in now],
    )  # fmt: skip
    prior, text = report.parts
    assert prior.alarm
    assert prior.changed[0][0] == "billing"
    assert prior.changed[0][2] > prior.changed[0][1]
    assert text.alarm
    assert report.alarm
    assert "prior: CHANGED" in "\n".join(report.lines())


def test_wrong_probabilities_are_told_from_another_mix():
    rows = np.random.default_rng(0).permutation(len(TEXTS))
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    upside_down = {"frustration": GRADES[second] == 0}
    report = learn.drift([TEXTS[i] for i in first], [TEXTS[i] for i in second],
                         reference_labels={"frustration": GRADES[first] > 0},
                         current_labels=upside_down)  # fmt: skip
    assert [part.alarm for part in report.parts] == [False, False, True]
    assert report.parts[2].changed[0][0] == "frustration (slope)"


def test_drift_refuses():
    with pytest.raises(TooLittleDataError, match="at least 30 threads in each batch; got 5"):
        learn.drift(TEXTS[:100], TEXTS[:100], current_groups=list(range(5)) * 20)
    with pytest.raises(InvalidRecordError, match="called like signals; got mood"):
        learn.drift(TEXTS[:100], TEXTS[:100], current_labels={"mood": [0] * 100})
    with pytest.raises(InvalidRecordError, match="permutations; got 2000"):
        learn.drift(TEXTS[:100], TEXTS[:100], false_alarms=1e-5)


def test_agreement_of_known_tables():
    a = np.repeat([0, 0, 1, 1], [45, 15, 25, 15])
    b = np.repeat([0, 1, 0, 1], [45, 15, 25, 15])
    found = learn.agreement(a, b, weights="none")
    assert found.messages == 100
    assert found.same.value == pytest.approx(0.6)
    assert found.kappa.value == pytest.approx(0.1304, abs=1e-4)
    assert found.f1.value == pytest.approx(30 / 70)
    assert found.kappa.low < found.kappa.value < found.kappa.high
    perfect = learn.agreement([0, 1, 2, 3], [0, 1, 2, 3])
    assert perfect.kappa.value == 1
    gaps = learn.agreement([0, 1, np.nan, 3], [0, 1, 2, np.nan])
    assert gaps.messages == 2
    with pytest.raises(InvalidRecordError, match="weights must be one of"):
        learn.agreement([0, 1], [0, 1], weights="cubic")
    with pytest.raises(TooLittleDataError, match="got below 2"):
        learn.agreement([0], [1])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=30))
def test_agreement_is_that_of_scikit_learn(pairs):
    from sklearn.metrics import cohen_kappa_score

    a, b = np.array(pairs).T
    found = learn.agreement(a, b).kappa.value
    if len(set(a) | set(b)) > 1:
        other = cohen_kappa_score(a, b, weights="quadratic", labels=range(4))
        assert found == pytest.approx(other, nan_ok=True)


def test_turned_labels_are_found():
    pytest.importorskip("cleanlab")
    y = BILLING[:1200].astype(int)
    turned = np.random.default_rng(0).choice(1200, 120, replace=False)
    y[turned] = 1 - y[turned]
    named = learn.label_noise(TEXTS[:1200], y, name="billing", groups=GROUPS[:1200])
    hits = np.isin(named, turned).sum()
    assert hits / 120 >= 0.7
    assert hits / len(named) >= 0.6
    with pytest.raises(TooLittleDataError, match="too few groups for two"):
        learn.label_noise(TEXTS[:9], [1, *[0] * 8])


def test_a_learning_curve_rises_and_knows_the_shipped_signal():
    points = learn.learning_curve(TEXTS, GRADES >= 2, sizes=(25, 250), repeats=2, groups=GROUPS)
    assert [point.labels for point in points] == [25, 250]
    assert points[1].average_precision.value > points[0].average_precision.value
    assert points[0].stock is None
    [named] = learn.learning_curve(TEXTS, BILLING, name="billing", sizes=(50,), repeats=2)
    assert named.stock > BILLING.mean()
    with pytest.raises(InvalidRecordError, match="at least 6 labels; got 5"):
        learn.learning_curve(TEXTS, BILLING, sizes=(5, 50))
    with pytest.raises(TooLittleDataError, match="needs positives on both sides"):
        learn.learning_curve(TEXTS, np.zeros(len(TEXTS)))


def test_suggested_texts_are_doubtful_and_unlike_each_other():
    y = BILLING[:40].astype(int)
    classifier = learn.SignalClassifier(C=1.0).fit(TEXTS[:40], y)
    pool = [*TEXTS[40:200], *[TEXTS[40]] * 50]
    chosen = learn.suggest(pool, 10, classifier=classifier)
    assert len(set(chosen.tolist())) == 10
    assert len({pool[i] for i in chosen}) == 10
    p = classifier.predict_proba(pool)[:, 1]
    assert np.abs(p[chosen] - 0.5).mean() < np.abs(p - 0.5).mean()
    assert (learn.suggest(pool, 10, classifier=classifier) == chosen).all()
    assert sorted(learn.suggest(["a", "b", "a", "c"], 9).tolist()) == [0, 1, 3]
    assert len(learn.suggest([f"It is {i} past" for i in range(50)], 9)) == 9
    assert len(learn.suggest(pool, 7)) == 7
    with pytest.raises(InvalidRecordError, match="pool of texts"):
        learn.suggest([], 3)


P, Y = calibrated(400)


@pytest.mark.parametrize(
    ("judge", "match"),
    [
        (lambda: learn.tune(["a"] * 400, Y, costs=COSTS), "one number a message, .* got list"),
        (lambda: learn.tune(np.c_[P, P], Y, costs=COSTS), "one number a message, .* 2 dimensions"),
        (lambda: learn.tune(None, None, costs=COSTS), "one number a message, .* 0 dimensions"),
        (lambda: learn.tune(P, Y, costs=COSTS | {"missed": "60"}), "finite numbers; one is not"),
        (lambda: learn.tune(P, Y, costs=COSTS | {"missed": np.nan}), "finite numbers; one is not"),
        (lambda: learn.tune(P, Y, costs=[4, 60]), "name false_alarm and missed"),
        (lambda: learn.tune(P, Y, min_precision="0.5"), "above 0 and at most 1; got 0.5"),
        (lambda: learn.tune(P, Y, budget_per_day=5, messages_per_day=np.inf), "not beyond it"),
        (lambda: learn.tune(P, Y, costs=COSTS, resamples=0), "resamples must be at least 1"),
        (lambda: learn.conformal(P, Y * 2), "numbers of classes, 0 to 1; got others"),
        (lambda: learn.conformal(P, Y - 1), "numbers of classes, 0 to 1; got others"),
        (lambda: learn.conformal(P, np.where(Y, np.nan, 0)), "numbers of classes, 0 to 1"),
        (lambda: learn.conformal(np.where(Y, np.nan, P), Y), "one finite number a message"),
        (lambda: learn.conformal(P, Y).predict([np.nan]), "one finite number a message"),
        (lambda: learn.conformal(P, Y, coverage="0.9"), "between 0 and 1; got 0.9"),
        (lambda: learn.drift(TEXTS, TEXTS, false_alarms=0), "between 0 and 1; got 0"),
        (lambda: learn.drift(None, TEXTS), "Expected a list of str; got NoneType"),
        (lambda: learn.learning_curve(TEXTS[:2], ["yes", "no"]), "one number a message"),
        (lambda: learn.learning_curve(TEXTS[:2], [1, np.nan]), "The labels must be 1 or 0"),
        (lambda: learn.learning_curve([], []), "The labels must be 1 or 0"),
        (lambda: learn.agreement(["a", "b"], ["a", "c"]), "first must be one number a message"),
        (lambda: learn.agreement([-1, 0], [1, 0]), "whole numbers from 0 to 100"),
        (lambda: learn.agreement([0.5, 0], [1, 0]), "whole numbers from 0 to 100"),
        (lambda: learn.agreement([10**9, 0], [1, 0]), "whole numbers from 0 to 100"),
    ],
)
def test_what_is_no_number_is_refused_and_never_taken_for_another(judge, match: str):
    with pytest.raises(InvalidRecordError, match=match):
        judge()


def test_nothing_at_all_has_not_drifted():
    with pytest.raises(TooLittleDataError, match="at least 30 threads in each batch; got 0"):
        learn.drift([], TEXTS)

"""A contract for estimators over texts and threads: scikit-learn's own checks skip them."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.estimator_checks import check_estimator

from customer_nlp.analyzer import Analyzer
from customer_nlp.codebook import ACTIONS, CUES
from customer_nlp.errors import InvalidRecordError
from customer_nlp.learn import ActionClassifier, SignalClassifier, SignalVectorizer
from customer_nlp.learn._features import shipped
from customer_nlp.training import load_corpus

CALM = ["Where is the manual?", "Thanks, all good.", "Please send the March invoice.",
        "What time do you open?", "The blue one fits."]  # fmt: skip
CROSS = ["This is the third time I write!", "Nobody answers, I am furious.", "What a useless app.",
         "Still broken and still waiting.", "You people are a joke."]  # fmt: skip
TEXTS = [f"{text} {end}" for end in ("", "Regards", "Anna", "Bob here") for text in CALM + CROSS]
Y = np.array(([0] * 5 + [1] * 5) * 4)
GROUPS = np.repeat(np.arange(20), 2)
THREADS = [labelled.thread for labelled in load_corpus().threads[:40]]
GOLD = [next(labels.gold for labels in reversed(labelled.labels) if labels.gold)
        for labelled in load_corpus().threads[:40]]  # fmt: skip
PRIMARY = np.array(["call_now" in gold.actions for gold in GOLD]).astype(int)

ESTIMATORS = [
    SignalVectorizer(),
    SignalVectorizer(hidden=True, words=True),
    SignalClassifier("frustration", C=1.0),
    SignalClassifier(words=False, C=0.1),
    ActionClassifier(C=0.1),
]


def data(estimator: BaseEstimator) -> tuple[Sequence[Any], np.ndarray]:
    return (THREADS, PRIMARY) if isinstance(estimator, ActionClassifier) else (TEXTS, Y)


def said(estimator: BaseEstimator, rows: Sequence[Any]) -> np.ndarray:
    out = estimator.predict_proba(rows) if is_classifier(estimator) else estimator.transform(rows)
    return out.toarray() if hasattr(out, "toarray") else np.asarray(out)


@pytest.fixture(params=ESTIMATORS, ids=lambda one: repr(one)[:40])
def estimator(request: pytest.FixtureRequest) -> BaseEstimator:
    return clone(request.param)


def test_fit_returns_self_and_leaves_parameters_and_data_alone(estimator):
    rows, y = data(estimator)
    before, copies = estimator.get_params(), (list(rows), y.copy())
    assert estimator.fit(rows, y) is estimator
    assert estimator.get_params() == before
    assert list(rows) == copies[0]
    assert (y == copies[1]).all()


def test_clone_and_set_params(estimator):
    params = estimator.get_params()
    assert clone(estimator).get_params() == params
    name, value = next(iter(params.items()))
    assert estimator.set_params(**{name: value}) is estimator
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        estimator.set_params(nonsense=1)


def test_equal_fits_say_the_same_in_any_order_and_chunk(estimator):
    rows, y = data(estimator)
    first, second = clone(estimator).fit(rows, y), clone(estimator).fit(rows, y)
    whole = said(first, rows[:9])
    assert (said(second, rows[:9]) == whole).all()
    np.testing.assert_allclose(said(first, rows[8::-1]), whole[::-1], rtol=1e-6)
    np.testing.assert_allclose(said(first, rows[:1]), whole[:1], rtol=1e-6)


@pytest.mark.parametrize("way", ["pickle", "joblib"])
def test_a_fitted_one_survives_storage(estimator, way: str):
    rows, y = data(estimator)
    estimator.fit(rows, y)
    if way == "pickle":
        again = pickle.loads(pickle.dumps(estimator))
    else:
        buffer = io.BytesIO()
        joblib.dump(estimator, buffer)
        buffer.seek(0)
        again = joblib.load(buffer)
    assert (said(again, rows[:5]) == said(estimator, rows[:5])).all()


def test_refuses_what_is_no_list_of_rows(estimator):
    with pytest.raises(ValueError, match="one str"):
        estimator.fit("where is my parcel", [1])
    with pytest.raises(ValueError, match="0 samples"):
        estimator.fit([], [])


def test_unfitted_says_so(estimator):
    rows, _ = data(estimator)
    if isinstance(estimator, SignalVectorizer) and not estimator.words:
        assert len(estimator.transform(rows[:2])) == 2  # it has nothing to learn
        return
    with pytest.raises(NotFittedError, match="not fitted yet"):
        said(estimator, rows)


def test_scikit_learns_own_checks(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {one["check_name"] for one in results if one["status"] == "failed"}
    assert not failed


@pytest.mark.parametrize("fitted", [SignalClassifier(C=1.0), ActionClassifier(C=0.1)])
def test_classifiers_keep_scikit_learns_grammar(fitted):
    rows, y = data(fitted)
    fitted = clone(fitted).fit(rows, np.where(y > 0, "yes", "no"))
    assert fitted.classes_.tolist() == ["no", "yes"]
    p = fitted.predict_proba(rows)
    assert p.shape == (len(rows), 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert fitted.decision_function(rows).shape == (len(rows),)
    assert (fitted.predict(rows) == fitted.classes_[p.argmax(axis=1)]).all()
    assert fitted.score(rows, np.where(y > 0, "yes", "no")) > 0.8
    weight = np.where(y > 0, 1e-3, 1.0)
    again = clone(fitted).fit(rows, np.where(y > 0, "yes", "no"), sample_weight=weight)
    assert again.predict_proba(rows)[:, 1].mean() < p[:, 1].mean()
    with pytest.raises(InvalidRecordError, match="got NaN"):
        SignalClassifier().fit(["a", "b", "c", "d"], [0.0, 1.0, float("nan"), 1.0])
    with pytest.raises(ValueError, match="one class"):
        fitted.fit(rows, np.ones(len(rows)))
    with pytest.raises(ValueError, match="equally long"):
        fitted.fit(rows, y[:-1])


def test_several_labels_with_gaps():
    y = np.stack([Y, Y[::-1]], axis=1).astype(float)
    y[3, 1] = np.nan
    fitted = SignalClassifier(["frustration", "mine"]).fit(TEXTS, y, groups=GROUPS)
    assert fitted.classes_.tolist() == ["frustration", "mine"]
    assert fitted.predict_proba(TEXTS).shape == y.shape == fitted.held_out_.shape
    assert np.isnan(fitted.held_out_[3, 1])
    assert set(np.unique(fitted.predict(TEXTS))) <= {0, 1}
    with pytest.raises(InvalidRecordError, match="1 names and 2 columns"):
        SignalClassifier(["frustration"]).fit(TEXTS, y)
    with pytest.raises(InvalidRecordError, match="both answers"):
        SignalClassifier().fit(TEXTS, y * [1, 0])


def test_three_classes_sum_to_one():
    y = np.array(["calm", "cross", "late"])[Y + (np.arange(len(Y)) % 5 == 4) * Y]
    fitted = SignalClassifier(C=1.0).fit(TEXTS, y)
    np.testing.assert_allclose(fitted.predict_proba(TEXTS).sum(axis=1), 1)
    assert fitted.score(TEXTS, y) > 0.9


def test_actions_from_an_indicator():
    y = np.array([[name in gold.actions for name in ("call_now", "reply")] for gold in GOLD])
    fitted = ActionClassifier(("call_now", "reply"), C=0.1).fit(THREADS, y.astype(int))
    assert fitted.predict_proba(THREADS).shape == (40, 2)
    assert fitted.score(THREADS, y) > 0.7
    with pytest.raises(InvalidRecordError, match=f"{len(ACTIONS)} names and 2 columns"):
        ActionClassifier().fit(THREADS, y)


def test_a_thread_is_judged_after_its_last_customer_turn():
    fitted = ActionClassifier(("call_now",), C=0.1).fit(THREADS, PRIMARY[:, None])
    asked = [{"role": "customer", "text": "This is the third time I write!"}]
    answered = [*asked, {"role": "agent", "text": "We are sorry and will call you today."}]
    early, late = fitted.decision_function([asked, answered])
    assert early == late
    again = [*answered, {"role": "customer", "text": "Thank you, that settles it."}]
    assert fitted.decision_function([again])[0] != late
    only_ours = [{"role": "agent", "text": "Would you like to hear of our offer?"}]
    assert np.isfinite(fitted.decision_function([only_ours])).all()


def test_vectorizer_names_its_columns_and_follows_the_table(analyzer: Analyzer):
    pytest.importorskip("pandas")
    vectorizer = SignalVectorizer(hidden=True).set_output(transform="pandas")
    frame = vectorizer.fit_transform(TEXTS)
    assert list(frame.columns) == vectorizer.get_feature_names_out().tolist()
    assert list(frame.columns[9:26]) == list(CUES)
    assert (frame["confusion>=1"] == analyzer.signals(TEXTS)["confusion"]).all()
    polars = pytest.importorskip("polars")
    out = SignalVectorizer().set_output(transform="polars").fit_transform(TEXTS)
    assert isinstance(out, polars.DataFrame)


def test_words_are_sparse_and_named():
    vectorizer = SignalVectorizer(words=True).fit(TEXTS)
    names = vectorizer.get_feature_names_out()
    matrix = vectorizer.transform(["Nobody answers"])
    assert matrix.shape == (1, len(names))
    shown = names[matrix.nonzero()[1]]
    assert {"word:nobody", "word:answers", "pair:nobody answers"} <= set(shown)
    assert len(set(names)) == len(names)


def test_in_a_pipeline_and_a_grid():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    union = make_union(SignalVectorizer(), TfidfVectorizer())
    pipeline = make_pipeline(union, LogisticRegression()).fit(TEXTS, Y)
    assert pipeline.score(TEXTS, Y) > 0.9
    grid = GridSearchCV(SignalClassifier("frustration"), {"C": [0.1, 1.0]}, cv=GroupKFold(2))
    grid.fit(TEXTS, Y, groups=GROUPS)
    assert grid.best_params_["C"] in {0.1, 1.0}
    threads = GridSearchCV(ActionClassifier(), {"C": [0.01, 0.1]}, cv=2, error_score="raise")
    assert threads.fit(THREADS, PRIMARY).best_score_ > 0.5


def test_folds_never_cut_a_group():
    """Texts twice in a thread are no help: held-out scores are those of unseen threads."""
    rng = np.random.default_rng(0)
    words = shipped(None).tokens[200:1100]
    noise = [f"{words[a]} {words[b]}" for a, b in rng.integers(0, 900, (60, 2))]
    y = np.repeat(rng.integers(0, 2, 60), 2)
    texts = [text for text in noise for _ in (0, 1)]
    leaky = SignalClassifier(C=3.0).fit(texts, y)
    honest = SignalClassifier(C=3.0).fit(texts, y, groups=np.repeat(np.arange(60), 2))
    right = [((one.held_out_[:, 0] > 0.5) == y).mean() for one in (leaky, honest)]
    assert right[1] < 0.7
    assert right[0] > right[1]

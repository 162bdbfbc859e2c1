"""Replies judged before they are sent, in the light of what was said before."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.analyzer import Analyzer
from customer_nlp.artifacts import default_model_path, open_model
from customer_nlp.codebook import FINDINGS
from customer_nlp.errors import InvalidRecordError, ModelFormatError
from customer_nlp.records import Thread
from customer_nlp.training.corpus import load_corpus
from customer_nlp.training.review_model import FALSE_ALARMS, _thresholds

GIVEN = [
    {"role": "customer", "id": "q", "text": "Hello, order number FH-20931 arrived with a broken "
     "leg. I attach three photos of it. When will you send a new one?"},
]  # fmt: skip
ASKS = "Dear customer, please send us your order number and a photo of the damage."
HELPS = (
    "Hi Ruth, I'm sorry, that is our mistake. A new leg left today with FH-20931 and will be with "
    "you on Thursday before noon; I will ring you that evening to see that it fits. Ana"
)
drafts = st.text(max_size=200) | st.sampled_from([ASKS, HELPS, "Per our policy this is closed."])


def names(review) -> list[str]:
    return [finding.name for finding in review.findings]


def test_asking_again_cites_where_it_was_given(analyzer: Analyzer):
    review = analyzer.review(ASKS, GIVEN)
    finding = next(one for one in review.findings if one.name == "asks_again")
    assert ASKS[finding.start : finding.end] == ASKS
    [earlier] = finding.cites
    assert earlier.message_id == "q"
    assert "FH-20931" in earlier.text
    assert GIVEN[0]["text"][earlier.start : earlier.end] == earlier.text


def test_a_reply_that_helps_is_clean(analyzer: Analyzer):
    assert analyzer.review(HELPS, GIVEN).clean


def test_what_contradicts_cites_what_we_said(analyzer: Analyzer):
    thread = [
        {"role": "customer", "text": "Where is my parcel? You cancelled my first order too."},
        {"role": "agent", "id": "w", "text": "Your order has been dispatched with the courier."},
        {"role": "customer", "text": "It never came. What is going on, was it sent or not?"},
    ]
    review = analyzer.review("The order was cancelled because it is out of stock.", thread)
    finding = next(one for one in review.findings if one.name == "contradicts")
    assert [(one.message_id, one.text) for one in finding.cites] == [
        ("w", "Your order has been dispatched with the courier.")
    ]


def test_an_offer_is_early_while_a_problem_is_open(analyzer: Analyzer):
    offer = "Did you know that you can upgrade to Gold for only £9 a month? Shall I set it up?"
    broken = "The boiler is broken again, this is the third time and nobody comes."
    assert "premature_upsell" in names(analyzer.review(offer, broken))


@pytest.mark.parametrize(
    ("draft", "finding"),
    [
        ("As per section 4.2 of our terms and conditions, refunds are not possible.",
         "policy_talk"),
        ("Are you sure you are using it correctly? This is usually caused by the user.",
         "blames_customer"),
        ("Invoices are not handled by us. Please contact the accounts department.",
         "no_ownership"),
    ],
)  # fmt: skip
def test_findings_name_their_words_and_what_would_be_better(analyzer, draft, finding):
    found = {one.name: one for one in analyzer.review(draft, GIVEN).findings}
    assert finding in found
    one = found[finding]
    assert draft[one.start : one.end].strip()
    assert one.because.startswith("the reply ")
    assert one.better


def test_the_thread_says_the_same_of_its_replies(analyzer: Analyzer):
    thread = Thread.from_dict({"messages": [*GIVEN, {"role": "agent", "text": ASKS}]})
    inside = analyzer.analyze(thread).messages[-1].findings
    assert inside == analyzer.review(ASKS, thread.upto(1)).findings


@given(drafts, st.lists(drafts, max_size=3))
def test_any_draft_gives_legal_findings(analyzer: Analyzer, draft, said):
    thread = [{"role": ("customer", "agent")[i % 2], "text": text} for i, text in enumerate(said)]
    review = analyzer.review(draft, thread or None)
    assert names(review) == [name for name in FINDINGS if name in names(review)]
    for one in review.findings:
        assert 0 <= one.start < one.end <= len(draft)
        for cited in one.cites:
            text = said[int((cited.message_id or "m-1")[1:])]
            assert text[cited.start : cited.end] == cited.text


def test_long_hostile_drafts_end(analyzer: Analyzer):
    for draft in ("a" * 1_000_000, "please send your " * 60_000, "not " * 250_000, "1." * 500_000):
        analyzer.review(draft, [{"role": "customer", "text": draft}])


def test_a_draft_must_be_text(analyzer: Analyzer):
    with pytest.raises(InvalidRecordError, match="text must be a str"):
        analyzer.review(5)  # type: ignore[arg-type]


def test_a_folder_without_a_review_model_still_judges():
    folder = open_model(default_model_path())
    files = {name: data for name, data in folder.files.items() if not name.startswith("review.")}
    older = Analyzer(dataclasses.replace(folder, files=files))
    assert "policy_talk" in names(older.review("As per clause 9 of our terms this is refused."))


@pytest.mark.parametrize(
    ("entry", "value", "match"),
    [("verdicts", [], "other verdicts"), ("features", ["gone"], "does not know")],
)
def test_a_review_model_of_another_version_is_refused(entry: str, value: list[str], match: str):
    folder = open_model(default_model_path())
    settings = json.dumps({**folder.json("review.json"), entry: value}).encode()
    files = {**folder.files, "review.json": settings}
    with pytest.raises(ModelFormatError, match=match):
        Analyzer(dataclasses.replace(folder, files=files))


def test_share_of_false_alarms_on_held_back_replies(analyzer: Analyzer):
    """The dev split is known to the model: this holds the wiring, the card holds the figures."""
    threads = [one for one in load_corpus().threads if one.split == "dev"]
    clean = alarms = 0
    for labelled, analysis in zip(
        threads, analyzer.analyze_many(one.thread for one in threads), strict=True
    ):
        for labels, shown in zip(labelled.labels, analysis.messages, strict=True):
            if labels.findings == ():
                clean += 1
                alarms += bool(shown.findings)
    assert clean > 100
    assert alarms / clean <= 0.05


def test_thresholds_of_all_findings_share_one_allowance_of_false_alarms(capsys):
    rng = np.random.default_rng(3)
    wanted = rng.random((1200, len(FINDINGS))) < 0.12
    y = np.concatenate([wanted, wanted.any(axis=1, keepdims=True)], axis=1).astype(int)
    p = 1 / (1 + np.exp(3 - 3.5 * y + rng.normal(0, 1.5, y.shape)))
    *limits, gate = _thresholds(p, y)
    found = (p[:, :-1] >= limits) & (p[:, -1:] >= gate)
    clean = y[:, -1] == 0
    assert 0 < found[clean].any(axis=1).mean() <= FALSE_ALARMS
    right = (found & wanted).sum(axis=0)
    f1 = 2 * right / (found.sum(axis=0) + wanted.sum(axis=0))
    assert f1.mean() > 0.6
    assert "false alarms" in capsys.readouterr().err

"""Signals: a batch is its singles, evidence is what the score rests on."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.analyzer import Analyzer
from customer_nlp.codebook import CORE_SIGNALS, CUES, SIGNALS
from customer_nlp.errors import InvalidRecordError, ModelFormatError
from customer_nlp.signals._cut import MOST_CHARS, RowTable
from customer_nlp.signals._evidence import Question, clauses, find_evidence
from customer_nlp.signals._network import Network
from customer_nlp.signals._passage import Passage
from customer_nlp.signals._tokens import (
    BOUNDARY,
    SPECIALS,
    TOKEN,
    TokenIds,
    Vocabulary,
    fold,
    token_spans,
)

TEXTS = [
    "This is the third time I have written and nobody has answered.",
    "Where can I find the manual? Thanks!",
    "I don't understand why I was charged twice on the March invoice.",
    "If this isn't sorted by Friday I'm moving to another supplier.",
    "",
    "👍",
    "I can`t find the drivers` app",
    "WORST SERVICE EVER!!! @bank https://example.com/x 12,50 €",
]
any_text = st.text(max_size=120) | st.sampled_from(TEXTS)
#: Rich in what tokens are made of: joints, runs, letters beyond ASCII, what only looks like space.
awkward_text = st.text("ab'!?. _1\0-é²😀\t\u2028\x1c\x85’İß", max_size=60)


def test_table_has_the_shape_of_the_contract(analyzer: Analyzer):
    table = analyzer.signals(TEXTS)
    assert table.names == SIGNALS == CORE_SIGNALS + CUES
    assert table.probability.shape == (len(TEXTS), 20)
    assert table.probability.dtype == np.float32
    assert table.grade.shape == (len(TEXTS), 3)
    assert table.grade.dtype == np.int8
    assert table["waiting"].shape == (len(TEXTS),)
    assert ((table.probability >= 0) & (table.probability <= 1)).all()
    assert ((table.grade >= 0) & (table.grade <= 3)).all()
    assert len(table) == len(TEXTS)
    assert repr(table) == f"SignalTable(messages={len(TEXTS)})"


@given(st.lists(any_text | awkward_text, min_size=1))
def test_arrays_cut_texts_as_the_pattern_does(texts: list[str]):
    folded = fold("\0".join(texts))
    tokens = TOKEN.findall(folded)
    known = sorted(set(tokens[::2]))
    rows = {token: i + 1 for i, token in enumerate(known)}
    table = RowTable(known, range(1, len(known) + 1))
    found = table.rows(folded, lambda token: rows.get(token, -len(token)), None)
    assert found.tolist() == [rows.get(token, -len(token)) for token in tokens]


@given(st.lists(any_text | awkward_text, min_size=1))
def test_arrays_know_a_number_as_the_vocabulary_does(texts: list[str]):
    folded = fold(BOUNDARY.join(text.replace(BOUNDARY, " ") for text in texts))
    for own in ((), ("11",)):
        vocabulary = Vocabulary([*SPECIALS, "a", "b", "?", "."], own)
        found = vocabulary.table.rows(folded, vocabulary.__getitem__, vocabulary.number)
        assert found.tolist() == [vocabulary[token] for token in TOKEN.findall(folded)]


@pytest.mark.parametrize("text", ["I'm", "x" * 5000, "rock'n'roll " * 900, "😀" * 3000, "no " * 90])
def test_rows_of_a_text_do_not_depend_on_its_company(text: str):
    vocabulary = Vocabulary([*SPECIALS, "no", "i'm", "roll", "😀"])
    alone = TokenIds.of([text], vocabulary).ids
    beside = "a word, " * (MOST_CHARS // 20)
    batch = TokenIds.of([beside, text, beside], vocabulary)
    start = batch.starts[1]
    assert batch.ids[start : start + batch.lengths[1]].tolist() == alone[:-1].tolist()


def test_table_as_frame(analyzer: Analyzer):
    pytest.importorskip("pandas")
    frame = analyzer.signals(TEXTS).to_frame()
    assert list(frame.columns) == [*SIGNALS, *(f"{name}_grade" for name in CORE_SIGNALS)]
    assert len(frame) == len(TEXTS)


def test_no_texts_give_an_empty_table(analyzer: Analyzer):
    table = analyzer.signals([])
    assert table.probability.shape == (0, 20)
    assert table.grade.shape == (0, 3)


def test_unknown_signal_name(analyzer: Analyzer):
    with pytest.raises(KeyError, match="'anger' is no signal"):
        analyzer.signals(["hi"])["anger"]


def test_one_str_is_not_a_list_of_texts(analyzer: Analyzer):
    with pytest.raises(InvalidRecordError, match="Put it in a list"):
        analyzer.signals("where is my parcel")


def test_texts_must_be_str(analyzer: Analyzer):
    with pytest.raises(InvalidRecordError, match="number 1 is NoneType"):
        analyzer.signals(["hi", None])  # type: ignore[list-item]


@given(st.lists(any_text, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_a_batch_equals_its_singles_bit_for_bit(analyzer: Analyzer, texts, random):
    table = analyzer.signals(texts)
    order = list(range(len(texts)))
    random.shuffle(order)
    shuffled = analyzer.signals([texts[i] for i in order])
    assert (shuffled.probability == table.probability[order]).all()
    assert (shuffled.grade == table.grade[order]).all()
    single = analyzer.signals([texts[0]])
    assert (single.probability[0] == table.probability[0]).all()


def test_large_batches_are_cut_without_a_trace(analyzer: Analyzer):
    texts = [f"{text} {i % 7}" for i in range(1000) for text in TEXTS]
    table = analyzer.signals(texts)
    again = analyzer.signals(texts[4090:4110])
    assert (again.probability == table.probability[4090:4110]).all()


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_form_without_meaning_changes_little(analyzer: Analyzer, text: str):
    variants = [
        text + "  \n\n",
        text.replace("'", "’"),
        text.upper() if not text.isupper() else text.lower(),
        text.replace("@bank", "@shop"),
        text.replace("12,50", "99,80"),
    ]
    p = analyzer.signals([text, *variants]).probability[:, :3]
    assert np.abs(p[1:] - p[0]).max() <= 0.05


@given(any_text)
def test_tokens_with_ranges_are_the_tokens(text):
    tokens, spans = token_spans(text)
    plain = text.replace("\0", " ")
    if len(plain.lower()) == len(plain):
        assert tokens == TOKEN.findall(fold(plain))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


@given(any_text)
def test_evidence_is_in_the_text_and_its_removal_lowers_the_score(analyzer: Analyzer, text):
    names = ["frustration", "confusion", "churn_risk", "waiting"]
    scores = analyzer._signals.score([text])
    [found] = analyzer._signals.evidence([text], [scores], [names])
    assert list(found) == names
    before = analyzer.signals([text])
    for name, spans in found.items():
        for span in spans:
            assert span.text == text[span.start : span.end] != ""
            after = analyzer.signals([text[: span.start] + " " + text[span.end :]])
            assert after[name][0] <= before[name][0] + 1e-6


def test_words_of_a_huge_text_are_found_in_little_more_memory_than_its_windows(analyzer: Analyzer):
    network = analyzer._signals._network
    passage = Passage(network, np.resize(np.arange(1, 900), 30_000))
    hidden = np.ones(network.width, np.float32)
    held = passage._windows.nbytes
    tracemalloc.start()
    try:
        passage.relevance(hidden, [0, 1])
        passage.without([(0, 0), (7, 9), (20_000, 20_003), (29_998, 30_000)])
        assert tracemalloc.get_traced_memory()[1] < held
    finally:
        tracemalloc.stop()


def test_long_text_is_scored_whole(analyzer: Analyzer):
    calm = "The parcel came on Monday and it was the right one. " * 2000
    table = analyzer.signals([calm, calm + "This is a disgrace, I am furious and I want a refund."])
    assert table["frustration"][1] >= table["frustration"][0]


def test_clauses_tile_the_tokens():
    text = "I wrote twice, but nobody answered. Now the invoice is wrong and I am leaving!"
    tokens, _ = token_spans(text)
    ranges = clauses(tokens, frozenset())
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(tokens)
    assert all(a[1] == b[0] for a, b in pairwise(ranges))


def test_evidence_points_at_the_token_that_counts():
    vocabulary = Vocabulary([*SPECIALS, "bad", "good", "day"])
    embedding = np.zeros((vocabulary.rows, 2), np.float32)
    embedding[vocabulary["bad"]] = (1, 0)
    kernel = np.zeros((3, 2, 1), np.float32)
    kernel[1, 0, 0] = 1  # one window that sees "bad" in its middle
    network = Network(
        {
            "embedding": embedding,
            "kernel": kernel,
            "kernel_bias": np.zeros(1),
            "hidden": np.ones((2, 1)),
            "hidden_bias": np.zeros(1),
            "output": np.ones((1, 1)),
            "output_bias": np.zeros(1),
        }
    )
    tokens = ["good", "day", "good", ",", "such", "bad", "day", ",", "good", "day", "good"]
    ids = np.array([vocabulary[token] for token in tokens])
    hidden = network.hidden(TokenIds.of_sequences([ids]))[0]
    [[[(start, end)]]] = find_evidence(network, [Question(tokens, frozenset(), ids, hidden, [0])])
    assert "bad" in tokens[start:end]
    assert end - start <= 3


def test_network_refuses_arrays_that_do_not_fit():
    arrays = {name: np.zeros(1) for name in ("embedding", "kernel")}
    with pytest.raises(ModelFormatError, match="lacks an array"):
        Network(arrays)
    shapes = {
        "embedding": (9, 4),
        "kernel": (3, 4, 5),
        "kernel_bias": (5,),
        "hidden": (11, 6),
        "hidden_bias": (6,),
        "output": (6, 36),
        "output_bias": (36,),
    }
    with pytest.raises(ModelFormatError, match="do not fit together"):
        Network({name: np.zeros(shape) for name, shape in shapes.items()})


def test_unknown_words_share_one_row():
    vocabulary = Vocabulary([*SPECIALS, "so", "walking"])
    assert vocabulary["sooooo"] == vocabulary["so"]
    assert vocabulary["blorping"] == vocabulary["Oluchi".lower()] == vocabulary.rows - 1
    assert vocabulary["17"] == vocabulary["99"] == vocabulary["_num_"]
    assert vocabulary["3rd"] == vocabulary["_nth_"]
    assert max(vocabulary["anything"], vocabulary["?!?!"]) < vocabulary.rows

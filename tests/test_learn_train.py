"""From labelled messages to a model folder that is loaded like any other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import customer_nlp
from customer_nlp import learn
from customer_nlp.analyzer import Analyzer
from customer_nlp.artifacts import default_model_path, open_model
from customer_nlp.cli import main
from customer_nlp.codebook import SIGNALS
from customer_nlp.errors import (
    InvalidRecordError,
    ModelFormatError,
    SourceError,
    TooLittleDataError,
)
from customer_nlp.learn._features import shipped
from customer_nlp.training import load_corpus

#: One's own label on our own corpus: the customer writes about a date.
MESSAGES = [
    (message.new_text, labels, labelled.thread.id)
    for labelled in load_corpus().threads[:100]
    for message, labels in labelled.turns
    if labels.grades is not None
]
TEXTS = [text for text, _, _ in MESSAGES]
THREADS = [thread for _, _, thread in MESSAGES]
LATE = ["deadline" in labels.cues for _, labels, _ in MESSAGES]
CROSS = [labels.grades["frustration"] for _, labels, _ in MESSAGES]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "mine.csv"
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["thread_id", "body", "names_a_date", "frustration"])
        for text, thread, late, cross in zip(TEXTS, THREADS, LATE, CROSS, strict=True):
            writer.writerow([thread, text, "yes" if late else "no", cross])
    return path


@pytest.fixture(scope="module")
def mine(table: Path) -> tuple[learn.TrainReport, Analyzer]:
    report = learn.train(
        table, table.parent / "mine", text="body", labels=["names_a_date", "frustration"],
        group="thread_id",
    )  # fmt: skip
    return report, customer_nlp.load(report.path)


def test_own_signals_follow_the_shipped_ones(mine, analyzer: Analyzer):
    report, own = mine
    table, stock = own.signals(TEXTS), analyzer.signals(TEXTS)
    assert table.names == (*SIGNALS, "names_a_date")
    assert table.probability.shape == (len(TEXTS), 21)
    others = [i for i, name in enumerate(SIGNALS) if name != "frustration"]
    assert (table.probability[:, others] == stock.probability[:, others]).all()
    assert (table["frustration"] != stock["frustration"]).any()
    assert table["names_a_date"][LATE].mean() > 3 * table["names_a_date"].mean()
    assert [one.name for one in report.labels] == ["names_a_date", "frustration"]
    assert report.labels[0].stock is None
    assert report.labels[0].average_precision.value > 2 * np.mean(LATE)
    assert report.labels[1].average_precision.low > 0.5
    assert "shipped signal" in report.lines()[1]
    assert "names_a_date" in table.to_frame().columns


def test_a_record_shows_own_signals_and_grades_hold(mine):
    _, own = mine
    record = own.analyze("We need it before Friday the 14th, that is the last day.").to_dict()
    assert "names_a_date" in record["messages"][0]["cues"]
    assert own.model == f"mine-{open_model(default_model_path()).version}"
    table = own.signals(TEXTS)
    threshold = next(one.threshold for one in mine[0].labels if one.name == "frustration")
    assert ((table.grade[:, 1] > 0) == (table["frustration"] >= np.float32(threshold))).all()


@given(texts=st.lists(st.text(max_size=60) | st.sampled_from(TEXTS[:9]), min_size=1, max_size=9))
def test_a_batch_with_own_signals_equals_its_singles(mine, texts: list[str]):
    _, own = mine
    table = own.signals(texts)
    for row, text in enumerate(texts):
        assert (own.signals([text]).probability[0] == table.probability[row]).all()


def test_the_folder_says_what_the_classifier_says(mine):
    _, own = mine
    y = np.stack([LATE, np.array(CROSS) > 0], axis=1).astype(float)
    names = ["names_a_date", "frustration"]
    fitted = learn.SignalClassifier(names).fit(TEXTS, y, groups=THREADS)
    p = fitted.predict_proba(TEXTS)
    table = own.signals(TEXTS)
    # a folder's linear weights are summed in whole steps
    np.testing.assert_allclose(table["names_a_date"], p[:, 0], atol=5e-4)
    np.testing.assert_allclose(table["frustration"], p[:, 1], atol=5e-4)


def test_the_folder_is_data_and_the_same_every_time(mine, table: Path, tmp_path: Path):
    report, _ = mine
    given = {"text": "body", "labels": ["names_a_date", "frustration"], "group": "thread_id"}
    again = learn.train(table, tmp_path / "mine", **given)
    folder = open_model(report.path)
    assert open_model(again.path).manifest == folder.manifest
    assert {Path(name).suffix for name in folder.files} == {".json", ".safetensors", ".txt"}
    shipped = open_model(default_model_path())
    assert folder.manifest["base"] == f"{shipped.name}-{shipped.version}"
    words = folder.json("own.0.json")["tokens"]
    assert all(sum(word in text.lower() for text in TEXTS) >= 3 for word in words)


def test_columns_of_a_frame_and_gaps_will_do(tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    answers = [float(late) if i % 3 else None for i, late in enumerate(LATE)]
    frame = pandas.DataFrame({"text": TEXTS, "due": answers})
    report = learn.train(frame, tmp_path / "due", labels=["due"])
    assert report.labels[0].messages == sum(answer is not None for answer in answers)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_other_tables(tmp_path: Path, kind: str):
    path = tmp_path / f"mine.{kind}"
    rows = [{"text": text, "due": int(late)} for text, late in zip(TEXTS, LATE, strict=True)]
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert learn.train(path, tmp_path / "due", labels="due").labels[0].positives == sum(LATE)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"labels": ["Nice Label"]}, InvalidRecordError, "lower_snake"),
        ({"labels": []}, InvalidRecordError, "none or one twice"),
        ({"labels": ["absent"]}, SourceError, "lacks absent"),
        ({"labels": ["words"]}, InvalidRecordError, "row 0 holds something else"),
        ({"labels": ["rare"]}, TooLittleDataError, "yes in at least 5 groups; got 2"),
        ({"labels": ["due"], "group": "one"}, TooLittleDataError, "in at least 5 groups; got 1"),
    ],
)
def test_train_refuses_and_says_why(tmp_path: Path, change, error, match: str):
    columns = {
        "text": TEXTS,
        "due": LATE,
        "words": ["canary"] * len(TEXTS),
        "rare": [i < 2 for i in range(len(TEXTS))],
        "one": ["same"] * len(TEXTS),
    }
    with pytest.raises(error, match=match) as caught:
        learn.train(columns, tmp_path / "bad", **change)
    assert "canary" not in str(caught.value)
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ([{"text": "canary", "due": 1}], "a data frame; got list. Of rows, make a data frame"),
        (5, "a data frame; got int"),
        ({"text": [" ", ""], "due": [1, 0]}, "The column text must hold messages; all of its"),
    ],
)
def test_what_is_no_table_is_refused_without_its_words(tmp_path: Path, source, match: str):
    with pytest.raises(SourceError, match=match) as caught:
        learn.train(source, tmp_path / "bad", labels=["due"])
    assert "canary" not in str(caught.value)


def test_an_arrow_table_is_read_and_its_words_are_in_no_error(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"text": TEXTS, "due": LATE})
    assert learn.train(table, tmp_path / "due", labels=["due"]).labels[0].positives == sum(LATE)
    with pytest.raises(SourceError, match=r"it lacks rival\. It has: text, due\."):
        learn.train(table, tmp_path / "due", labels=["rival"])


@pytest.mark.parametrize("line", ["5", '"canary"', "[" * 100_000])
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, line: str):
    path = tmp_path / "mine.jsonl"
    path.write_text(f'{{"text": "a", "due": 1}}\n{line}\n', encoding="utf-8")
    with pytest.raises(SourceError, match="Expected a CSV, JSON Lines or Parquet file") as caught:
        learn.train(path, tmp_path / "bad", labels=["due"])
    assert "canary" not in str(caught.value)


def test_a_model_takes_the_place_of_no_other_files(tmp_path: Path, monkeypatch):
    mine = tmp_path / "own.csv"
    mine.write_text("text,due\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    columns = {"text": TEXTS, "due": LATE}
    for out in (".", ""):  # an empty name is the current folder
        with pytest.raises(SourceError, match="got a folder with other files in it"):
            learn.train(columns, out, labels=["due"])
    with pytest.raises(SourceError, match=r"got a file\. Choose another name"):
        learn.add_signal("due", examples=["by Friday please"], out=mine)
    assert [path.name for path in tmp_path.iterdir()] == ["own.csv"]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"name": None}, "lower_snake, such as mentions_rival; got None"),
        ({"examples": None}, "Expected a list of str; got NoneType"),
        ({"phrases": [1]}, "The texts must be str; number 0 is int"),
    ],
)
def test_what_cannot_make_a_signal_is_refused(tmp_path: Path, given, match: str):
    known = {"name": "due", "examples": ["by Friday please"], "out": tmp_path / "due"}
    with pytest.raises(InvalidRecordError, match=match):
        learn.add_signal(**(known | given))


RIVAL = ["Your competitor offers this for half the price.", "I am looking at other providers now.",
         "We have a quote from Acme and it looks better."]  # fmt: skip


def test_a_signal_from_a_few_examples_and_phrases(tmp_path: Path):
    folder = learn.add_signal(
        "mentions_rival", examples=RIVAL, phrases=["Zentral", "other suppliers"], out=tmp_path / "m"
    )
    own = customer_nlp.load(folder)
    p = own.signals(
        ["ZENTRAL answers faster.", "We asked other  suppliers, too.",
         "your competitors are much faster", "another company made us a cheaper offer",
         "Where is my parcel?", "Thanks so much!", "The invoice is wrong again."]
    )["mentions_rival"]  # fmt: skip
    assert (p[:2] >= 0.95).all()
    assert (p[4:] < 0.5).all()
    assert p[2:4].min() > p[4:].max()


def test_signals_are_added_one_after_the_other_and_replaced(tmp_path: Path):
    home = tmp_path / "m"
    learn.add_signal("mentions_rival", examples=RIVAL, phrases=["Zentral"], out=home)
    first = customer_nlp.load(home).signals(TEXTS[:50])
    examples = ["Is it allowed to bring my dog?", "My cat scratched the sofa."]
    learn.add_signal("about_pets", examples=examples, phrases=["form 7b"], model=home, out=home)
    second = customer_nlp.load(home).signals([*TEXTS[:50], "Form 9B is from Zentral."])
    assert second.names[-2:] == ("mentions_rival", "about_pets")
    assert (second["mentions_rival"][:50] == first["mentions_rival"]).all()
    assert (second.probability[50, -2:] >= 0.95).all()
    learn.add_signal("about_pets", examples=examples, model=home, out=home)
    third = customer_nlp.load(home).signals(["Form 9B is from Zentral."])
    assert third["mentions_rival"][0] >= 0.95
    assert third["about_pets"][0] < 0.95
    assert len(list(home.glob("own.*.json"))) == 2


def test_a_head_that_does_not_fit_is_refused(tmp_path: Path):
    home = learn.add_signal("mentions_rival", examples=RIVAL, out=tmp_path / "m")
    files = dict(open_model(home).files)
    for change, match in (
        ({"names": ["other", "more"]}, "do not fit together"),
        ({"tokens": ["extra"]}, "do not fit together"),
        ({"threshold": "x"}, "lacks a part"),
    ):
        settings = json.loads(files["own.0.json"]) | change
        spoiled = files | {"own.0.json": json.dumps(settings).encode()}
        folder = type(open_model(home))("m", "1", {}, spoiled)
        with pytest.raises(ModelFormatError, match=match):
            Analyzer(folder)


def test_the_base_is_opened_anew_when_its_folder_changes(tmp_path: Path):
    home = learn.add_signal("mentions_rival", examples=RIVAL, out=tmp_path / "m")
    assert shipped(home).whole.own_names == ("mentions_rival",)
    learn.add_signal("about_pets", examples=["My dog is ill."], out=home)
    assert shipped(home).whole.own_names == ("about_pets",)


def test_the_command_trains_and_prints_what_it_learned(table: Path, tmp_path: Path, capsys):
    out = tmp_path / "mine"
    asked = ["train", str(table), "--text", "body", "--labels", "names_a_date",
             "--group", "thread_id", "--out", str(out)]  # fmt: skip
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert f"names_a_date: {sum(LATE)} of {len(LATE)} yes; average precision 0." in shown
    assert f"written: {out}" in shown
    assert main(["explain", "We need it by Friday.", "--model", str(out)]) == 0
    assert "names_a_date (p " in capsys.readouterr().out
    assert main([*asked[:5], "absent", "--out", str(out)]) == 2
    assert "lacks absent" in capsys.readouterr().err


def test_label_checks_as_lines(table: Path):
    pytest.importorskip("cleanlab")
    lines = learn.check_labels(table, labels="names_a_date", text="body", group="thread_id",
                               curve=False)  # fmt: skip
    assert lines[0].startswith("names_a_date: labels to read again, the worst first, rows: ")

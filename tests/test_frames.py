"""Data frames: the same kind comes back, the same numbers as from a file, nothing changed."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_nlp import batch, frames
from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError, ParseError
from customer_nlp.readers import row_threads

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

TABLE = {
    "ticket_id": ["t1", "t2", "t1", "t2", "t1"],
    "body": [
        "Where is my refund? I am fed up with this.",
        "How do I reset it?",
        "We are sorry. Somebody will call you by noon tomorrow.",
        "I still do not understand which button you mean.",
        "Nobody called. If this goes on I will go elsewhere.",
    ],
    "who": ["user", "user", "agent", "user", "user"],
    "created": [datetime(2026, 3, day, 9, tzinfo=UTC) for day in (2, 2, 3, 4, 5)],
}
KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def _columns(frame) -> dict[str, list]:
    if isinstance(frame, pd.DataFrame):
        return {name: frame[name].astype(object).tolist() for name in frame.columns}
    return frame.to_pydict() if isinstance(frame, pa.Table) else frame.to_dict(as_series=False)


@kinds
def test_rows_keep_their_columns_and_get_the_numbers_of_signals(analyzer: Analyzer, kind):
    frame = kind(TABLE)
    scored = analyzer.score_frame(frame)
    assert type(scored) is type(frame)
    columns, expected = _columns(scored), analyzer.signals(TABLE["body"])
    assert list(columns) == [*TABLE, *frames.SIGNAL_COLUMNS]
    assert columns["body"] == TABLE["body"]
    assert np.array_equal(np.float32(columns["frustration"]), expected["frustration"])
    assert columns["confusion_grade"] == expected.grade[:, 0].tolist()
    assert list(_columns(frame)) == list(TABLE), "the input has changed"


@kinds
def test_a_row_without_text_gets_nothing(analyzer: Analyzer, kind):
    columns = _columns(analyzer.score_frame(kind({"body": [None, "call me now"]})))
    for name in ("churn_risk", "churn_risk_grade"):
        assert pd.isna(columns[name][0]), name
        assert not pd.isna(columns[name][1]), name
    assert np.float32(columns["billing"][1]) == analyzer.signals(["call me now"])["billing"][0]


@kinds
def test_threads_are_what_score_writes(analyzer: Analyzer, kind, tmp_path: Path):
    table, out = tmp_path / "t.csv", tmp_path / "o.csv"
    pd.DataFrame(TABLE).rename(columns={"who": "role"}).to_csv(table, index=False)
    batch.score([table], out, analyzer=analyzer)
    frame = kind(TABLE)
    scored = analyzer.score_frame(frame, thread="ticket_id", role="who")
    assert type(scored) is type(frame)
    columns = _columns(scored)
    assert tuple(columns) == frames.THREAD_COLUMNS
    with out.open(newline="", encoding="utf-8") as handle:
        written = list(csv.DictReader(handle))
    for name, values in columns.items():
        assert ["" if pd.isna(v) else str(v) for v in values] == [row[name] for row in written]


def test_public_holidays_count_in_frames_too(analyzer: Analyzer):
    pytest.importorskip("holidays")
    table = {
        "ticket_id": ["t", "t"],
        "who": ["customer", "agent"],
        "body": ["Where is my order?", "I'll call you within 1 working day."],
        "sent_at": [datetime(2026, 4, 2, hour, tzinfo=UTC) for hour in (9, 10)],
    }
    now, told = datetime(2026, 4, 7, 12, tzinfo=UTC), []  # the Tuesday after Easter
    for holidays in (None, "DE"):
        scored = analyzer.score_frame(
            pd.DataFrame(table), thread="ticket_id", role="who", now=now, holidays=holidays
        )
        [analysis] = analyzer.analyze_many(
            row_threads(dict(zip(("thread", "role", "text", "sent_at"), row, strict=True))
                        for row in zip(*table.values(), strict=True)),
            now=now, holidays=holidays,
        )  # fmt: skip
        told.append(scored.iloc[0].to_dict())
        assert told[-1]["because"] == frames.thread_row(analysis.to_dict())["because"]
    assert told[0] != told[1]  # a promise is broken, or still due


@kinds
def test_an_empty_frame_gives_the_same_columns(analyzer: Analyzer, kind):
    empty = kind(TABLE)[:0] if kind is not pa.table else kind(TABLE).slice(0, 0)
    assert tuple(_columns(analyzer.score_frame(empty)))[4:] == frames.SIGNAL_COLUMNS
    assert tuple(_columns(analyzer.score_frame(empty, thread="ticket_id"))) == (
        frames.THREAD_COLUMNS
    )


@settings(max_examples=20)
@given(st.lists(st.none() | st.text(max_size=30), max_size=12), st.integers(1, 5))
def test_no_chunking_changes_a_number(analyzer: Analyzer, texts: list[str | None], rows: int):
    frame = pa.table({"body": pa.array(texts, pa.string())})
    whole = analyzer.score_frame(frame)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "_ROWS_AT_ONCE", rows)
        assert analyzer.score_frame(frame).equals(whole)


def test_what_was_there_is_not_copied(analyzer: Analyzer):
    frame = pa.table(TABLE)
    scored = analyzer.score_frame(frame)
    of = [one["body"].chunk(0).buffers()[2].address for one in (frame, scored)]
    assert of[0] == of[1]


def test_anything_that_speaks_arrow_is_taken(analyzer: Analyzer):
    batch_of_rows = pa.RecordBatch.from_pydict(TABLE)
    reader = pa.RecordBatchReader.from_batches(batch_of_rows.schema, [batch_of_rows])
    expected = analyzer.score_frame(pa.table(TABLE))
    assert analyzer.score_frame(batch_of_rows).equals(expected)
    assert analyzer.score_frame(reader).equals(expected)


def test_names_in_the_way_are_told_and_a_prefix_helps(analyzer: Analyzer):
    frame = pl.DataFrame({"text": ["hello"], "billing": [1]})
    with pytest.raises(InvalidRecordError, match="names that are added: billing"):
        analyzer.score_frame(frame)
    assert "model_billing" in analyzer.score_frame(frame, prefix="model_").columns


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"text": "nowhere"}, "has 0 of the 4 columns"),
        ({"role": "who"}, "tell of threads"),
        ({"thread": "ticket_id", "mood": "who"}, "no field mood"),
        ({"text": "ticket_id", "thread": "gone"}, "thread must be the name of one column"),
    ],
)
def test_a_wrong_column_is_told(analyzer: Analyzer, options, complaint: str):
    with pytest.raises(InvalidRecordError, match=complaint):
        analyzer.score_frame(pd.DataFrame(TABLE), **options)


def test_a_frame_without_text_or_that_is_none(analyzer: Analyzer):
    with pytest.raises(InvalidRecordError, match="No column of the frame"):
        analyzer.score_frame(pd.DataFrame({"amount": [1]}))
    with pytest.raises(InvalidRecordError, match="row 1 holds int"):
        analyzer.score_frame(pd.DataFrame({"text": ["hello", 3]}, dtype=object))
    for none in (TABLE, pl.LazyFrame(TABLE)):
        with pytest.raises(InvalidRecordError, match="frame must be one of pandas or Polars"):
            analyzer.score_frame(none)


@pytest.mark.parametrize(
    "column",
    [pd.Series(["a"]), pl.Series(["a"]), pa.array(["a"]), pa.chunked_array([["a"]])],
    ids=["pandas", "polars", "array", "chunked"],
)
def test_a_column_is_no_frame(analyzer: Analyzer, column):
    with pytest.raises(InvalidRecordError, match="of a column a frame is to be made"):
        analyzer.score_frame(column)


def test_names_need_not_be_words(analyzer: Analyzer):
    frame = pd.DataFrame({0: ["hello there", "call me"], 1: ["a", "a"]})
    expected = analyzer.signals(["hello there", "call me"])["confusion"]
    assert analyzer.score_frame(frame, text=0)["confusion"].tolist() == expected.tolist()
    assert analyzer.score_frame(frame, text=0, thread=1)["thread_id"].tolist() == ["a"]
    levels = frame.set_axis(pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]), axis=1)
    with pytest.raises(InvalidRecordError, match="No column of the frame is known to hold text"):
        analyzer.score_frame(levels)


@pytest.mark.parametrize("arrow", [False, True])
def test_of_two_columns_of_a_name_none_is_guessed(analyzer: Analyzer, arrow: bool):
    frame = pd.DataFrame([["hello there", "call me", "t"]], columns=["text", "text", "case"])
    given = pa.Table.from_arrays([pa.array([v]) for v in frame.iloc[0]], list(frame.columns))
    with pytest.raises(InvalidRecordError, match=r"text must be the name of one .* has 2 of the 3"):
        analyzer.score_frame(given if arrow else frame)
    roles = frame.set_axis(["role", "role", "text"], axis=1).assign(case="t")
    with pytest.raises(InvalidRecordError, match=r"role must be the name of one .* has 2 of the 4"):
        analyzer.score_frame(roles, thread="case")
    assert len(analyzer.score_frame(roles)) == 1  # rows have no use for roles


def test_bad_rows_are_raised_or_handed_over(analyzer: Analyzer):
    frame = pd.DataFrame({"text": ["hello there", None, "call me"], "case": ["a", "a", None]})
    with pytest.raises(ParseError, match="record 1: no text"):
        analyzer.score_frame(frame, thread="case")
    errors: list[ParseError] = []
    scored = analyzer.score_frame(frame, thread="case", on_error=errors.append)
    assert [(error.index, error.reason) for error in errors] == [(1, "no text"), (2, "no thread")]
    assert scored["thread_id"].tolist() == ["a"]

"""Whole inboxes: counts add up, and the bytes are the same however it is run."""

from __future__ import annotations

import base64
import csv
import errno
import json
import os
from pathlib import Path

import pytest

from customer_nlp import batch, frames
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.records import Thread


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _score(inbox: Path, out: Path, **options) -> batch.Summary:
    return batch.score([inbox], out, own_domains=["firma.example"], **options)


def test_counts_add_up_and_rejects_are_written(inbox: Path, tmp_path: Path):
    out = tmp_path / "out.jsonl"
    summary = _score(inbox, out)
    assert (summary.read, summary.scored, summary.rejected, summary.threads) == (4, 3, 1, 2)
    records = _lines(out)
    assert sum(len(record["messages"]) for record in records) == summary.scored
    [reject] = _lines(tmp_path / "out.jsonl.rejects.jsonl")
    assert reject["reason"] == "duplicate of an earlier message"
    assert set(reject) == {"source", "index", "reason", "sha256"}
    assert summary.lines()[0] == "4 messages read = 3 scored + 1 rejected, in 2 threads"


def test_rejects_of_an_earlier_run_do_not_stay(inbox: Path, tmp_path: Path):
    out = tmp_path / "out.jsonl"
    _score(inbox, out)
    table = tmp_path / "good.csv"
    table.write_text("text\nhello there\n")
    batch.score([table], out)
    assert not (tmp_path / "out.jsonl.rejects.jsonl").exists()


def test_same_bytes_for_any_number_of_jobs_and_twice_in_a_row(inbox: Path, tmp_path: Path):
    outs = [tmp_path / f"{i}.jsonl" for i in range(3)]
    _score(inbox, outs[0])
    _score(inbox, outs[1])
    _score(inbox, outs[2], jobs=2)
    assert outs[0].read_bytes() == outs[1].read_bytes() == outs[2].read_bytes()


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_same_bytes_for_any_chunking(inbox: Path, tmp_path: Path, monkeypatch, suffix: str):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    outs = [tmp_path / f"{i}.{suffix}" for i in range(2)]
    _score(inbox, outs[0])
    monkeypatch.setattr(batch, "_CHUNK", 1)
    _score(inbox, outs[1])
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize("jobs", [1, 2])
def test_who_has_seen_enough_is_not_called_again(tmp_path: Path, jobs: int):
    source, seen = tmp_path / "in.csv", []
    source.write_text("id,thread,text\n" + "".join(f"{i},t{i},ok\n" for i in range(400)))

    def look(thread: Thread, record: dict) -> bool:
        seen.append((thread.id, record["thread_id"]))
        return len(seen) < 70

    summary = batch.score([source], tmp_path / "out.jsonl", jobs=jobs, on_record=look)
    assert seen == [(f"t{number}", f"t{number}") for number in range(70)]
    assert summary.records == summary.threads == len(_lines(tmp_path / "out.jsonl")) == 400


def test_several_sources_in_order(inbox: Path, tmp_path: Path):
    table = tmp_path / "chat.csv"
    table.write_text("text,thread\nwhere is my parcel,t1\n")
    out = tmp_path / "out.jsonl"
    batch.score([inbox, table], out, own_domains=["firma.example"])
    assert [record["thread_id"] for record in _lines(out)][-1] == "t1"


def test_every_turn_writes_one_record_a_customer_message(tmp_path: Path):
    table = tmp_path / "chat.csv"
    table.write_text(
        "text,role,thread\nwhere is it,customer,t\nsoon,agent,t\nstill nothing,customer,t\n"
    )
    out = tmp_path / "out.jsonl"
    summary = batch.score([table], out, every_turn=True)
    assert [record["after"] for record in _lines(out)] == ["m0", "m2"]
    assert (summary.threads, summary.scored, summary.records) == (1, 3, 2)


def test_csv_has_one_row_a_thread_and_runs_no_formula(tmp_path: Path):
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"text": "hello there", "thread": '=HYPERLINK("x")'}) + "\n")
    out = tmp_path / "out.csv"
    batch.score([source], out)
    with out.open(encoding="utf-8", newline="") as lines:
        [row] = csv.DictReader(lines)
    assert list(row) == list(frames.THREAD_COLUMNS)
    assert row["thread_id"] == '\'=HYPERLINK("x")'


def test_parquet_holds_the_record(inbox: Path, tmp_path: Path):
    pq = pytest.importorskip("pyarrow.parquet")
    _score(inbox, tmp_path / "out.parquet")
    _score(inbox, tmp_path / "out.jsonl")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [json.loads(row["record"]) for row in rows] == _lines(tmp_path / "out.jsonl")


def test_parquet_has_the_same_bytes_for_any_number_of_jobs(inbox: Path, tmp_path: Path):
    pytest.importorskip("pyarrow")
    _score(inbox, tmp_path / "1.parquet")
    _score(inbox, tmp_path / "2.parquet", jobs=2)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_parquet_is_a_source_too(inbox: Path, tmp_path: Path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rows = {"thread": ["a", "b"], "text": ["where is my parcel", "hello there"]}
    pq.write_table(pa.table(rows), tmp_path / "in.parquet")
    summary = batch.score([inbox, tmp_path / "in.parquet"], tmp_path / "out.jsonl")
    assert summary.threads == 4


@pytest.mark.parametrize(
    ("by", "values"), [("week", ["2026-W10", "unknown"]), ("primary", ["none", "reply"])]
)
def test_parquet_in_a_folder_by_value(tmp_path: Path, by: str, values: list[str]):
    dataset = pytest.importorskip("pyarrow.dataset")
    source = tmp_path / "in.jsonl"
    rows = [
        {"thread": "t1", "text": "What time do you open?", "sent_at": "2026-03-02T09:14:00Z"},
        {"thread": "t2", "text": ""},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.parquet"
    for _ in range(2):  # an earlier folder is replaced
        batch.score([source], out, partition_by=by)
        assert sorted(path.name for path in out.iterdir()) == [f"{by}={name}" for name in values]
    table = dataset.dataset(out, partitioning="hive").to_table()
    assert sorted(table["thread_id"].to_pylist()) == ["t1", "t2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.parquet"]


def test_a_folder_of_somebody_else_is_not_replaced(inbox: Path, tmp_path: Path):
    pytest.importorskip("pyarrow")
    (tmp_path / "out.parquet" / "photos").mkdir(parents=True)
    with pytest.raises(SourceError, match="got a folder"):
        _score(inbox, tmp_path / "out.parquet", partition_by="week")


def test_raw_rejects_on_request(tmp_path: Path):
    source, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_bytes("text\nfine\na,b\ncaf\u00e9,x\n".encode("latin-1"))
    batch.score([source], out, keep_raw=True)
    rejects = _lines(tmp_path / "out.jsonl.rejects.jsonl")
    assert [one.get("raw") for one in rejects] == ["a,b\n", None]
    assert base64.b64decode(rejects[1]["raw_base64"]) == b"caf\xe9,x\n"


def test_a_missing_source_leaves_nothing_behind(inbox: Path, tmp_path: Path):
    out = tmp_path / "fresh" / "out.jsonl"
    out.parent.mkdir()
    with pytest.raises(SourceError, match=r"no such|does not exist|not there|No such"):
        batch.score([inbox, tmp_path / "nowhere.mbox"], out)
    assert list(out.parent.iterdir()) == []


def test_a_failure_on_the_way_leaves_the_old_output(inbox: Path, tmp_path: Path):
    out = tmp_path / "fresh" / "out.jsonl"
    out.parent.mkdir()
    out.write_text("old\n")

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _score(inbox, out, on_record=stop)
    assert [path.name for path in out.parent.iterdir()] == ["out.jsonl"]
    assert out.read_text() == "old\n"


def test_output_that_cannot_be_written(inbox: Path, tmp_path: Path):
    with pytest.raises(SourceError, match="output cannot be written"):
        _score(inbox, tmp_path / "no" / "such" / "out.jsonl")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"out": "out.xlsx"}, "must end with one of"),
        ({"out": "out.jsonl", "jobs": 0}, "at least 1; got 0"),
        ({"out": "out.jsonl", "partition_by": "week"}, "can be divided by week or primary"),
    ],
)
def test_wrong_options(inbox: Path, tmp_path: Path, options, match):
    out = tmp_path / options.pop("out")
    with pytest.raises(InvalidRecordError, match=match):
        _score(inbox, out, **options)


@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
def test_a_source_is_not_written_over(tmp_path: Path, name: str):
    source = tmp_path / name
    source.write_text('{"text": "where is it"}\n' if name.endswith("l") else "text\nwhere is it\n")
    before = source.read_bytes()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidRecordError, match="another file than the sources"):
        batch.score([source], tmp_path / "folder" / ".." / name)
    assert source.read_bytes() == before


def test_rejects_are_not_written_over_a_source(tmp_path: Path):
    source = tmp_path / "o.csv.rejects.jsonl"
    source.write_text('{"text": "where is it"}\n')
    with pytest.raises(InvalidRecordError, match="another file than the sources"):
        batch.score([source], tmp_path / "o.csv")


def test_a_folder_is_no_output(inbox: Path, tmp_path: Path):
    (tmp_path / "out.jsonl").mkdir()
    with pytest.raises(SourceError, match="must be a file; got a folder"):
        _score(inbox, tmp_path / "out.jsonl")


def test_a_full_disk_is_said_and_leaves_nothing(inbox: Path, tmp_path: Path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(batch.os, "fsync", full)
    out = tmp_path / "fresh" / "out.jsonl"
    out.parent.mkdir()
    with pytest.raises(SourceError, match="cannot be written: No space left"):
        _score(inbox, out)
    assert list(out.parent.iterdir()) == []


def test_the_umask_is_kept(inbox: Path, tmp_path: Path):
    old = os.umask(0o077)
    try:
        _score(inbox, tmp_path / "out.jsonl")
    finally:
        os.umask(old)
    for name in ("out.jsonl", "out.jsonl.rejects.jsonl"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_names_that_are_no_utf8_can_be_written(tmp_path: Path):
    source = tmp_path / "caf\udce9.jsonl"
    rows = [{"id": "\ud800", "messages": [{"text": "hello there"}]}, {"text": 5}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("out.jsonl", "out.csv"):
        summary = batch.score([source], tmp_path / name)
        assert (summary.scored, summary.rejected) == (1, 1)
    assert _lines(tmp_path / "out.jsonl")[0]["thread_id"] == "\ufffd"
    assert _lines(tmp_path / "out.csv.rejects.jsonl")[0]["source"] == str(source)

"""Sources of any size: memory stays bounded, and it makes no difference to what is read."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.errors import ParseError, SourceError
from customer_nlp.readers import _spill, _tables, read
from customer_nlp.records import Thread


def _mbox(path: Path, count: int) -> Path:
    """Replies, lost headers, a bounce without an id, copies, two forms of one id, no dates."""
    chance = random.Random(7)
    mails = []
    for number in range(count):
        who, to = f"c{number % 9}@a.example", "help@firm.example"
        if number % 3 == 2:
            who, to = to, f"c{(number - 1) % 9}@a.example"
        lines = [f"Message-ID: <{number - number % 11 // 10}@x>", f"From: {who}", f"To: {to}"]
        if number % 5:
            lines.append(f"Date: Mon, 2 Mar 2026 09:{number % 60:02}:00 +0000")
        if number % 3 == 1:
            lines.append(f"In-Reply-To: <{chance.randrange(count)}@x>")
        if number % 13 == 12:
            lines = ["From: mailer-daemon@x.example", "To: help@firm.example",
                     f"X-Failed-Recipients: c{number % 9}@a.example"]  # fmt: skip
        again = "Undeliverable: " if number % 13 == 12 else "Re: " * (number % 2)
        lines.append(f"Subject: {again}Order number {number // 4}")
        head = "\n".join(lines)
        mails.append(f"From x@y Mon Mar  2 09:14:00 2026\n{head}\n\nHello {number}\n\n")
    path.write_text("".join([*mails, mails[0], mails[3]]))
    return path


def _all(path: Path, **options: object) -> tuple[list[dict], list[tuple[int, str, str | None]]]:
    errors: list[ParseError] = []
    threads = [thread.to_dict() for thread in read(path, on_error=errors.append, **options)]
    return threads, [(error.index, error.reason, error.sha256) for error in errors]


@pytest.mark.parametrize("own", [(), ("firm.example",)])
def test_a_mailbox_on_the_disk_reads_as_one_in_memory(tmp_path: Path, monkeypatch, own):
    path = _mbox(tmp_path / "box.mbox", 120)
    near = _all(path, own_domains=own)
    for most in (0, 1, 40):
        monkeypatch.setattr(_spill, "MOST_IN_MEMORY", most)
        assert _all(path, own_domains=own) == near
    assert len(near[0]) > 5
    assert [reason for _, reason, _ in near[1]] == ["duplicate of an earlier message"] * 2


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_table_on_the_disk_reads_as_one_in_memory(tmp_path: Path, monkeypatch, ending: str):
    path = tmp_path / f"in.{ending}"
    rows = [
        {"thread": f"t{n * 7 % 10}", "id": f"m{n // 3}", "text": f"hello {n % 50}",
         "sender": "ann@a.example", "subject": "Parcel"}
        for n in range(100)
    ]  # fmt: skip
    rows += rows[:3]
    if ending == "csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    else:
        lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    near = _all(path)
    monkeypatch.setattr(_spill, "MOST_IN_MEMORY", 2)
    assert _all(path) == near
    assert len(near[0]) == 10
    assert len(near[1]) == 3


def test_memory_does_not_grow_with_the_table(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(_spill, "MOST_IN_MEMORY", 100)

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.csv"
        rows = (f"t{n // 4},m{n},{'long words ' * 50}{n}\n" for n in range(count))
        path.write_text("thread,id,text\n" + "".join(rows))
        tracemalloc.start()
        assert sum(len(thread) for thread in read(path)) == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4000) < peak(1000) * 1.5


def test_a_temporary_file_that_cannot_be_used_is_said():
    spill = _spill.Spill()
    spill.table("n INTEGER PRIMARY KEY")
    spill.run("PRAGMA max_page_count = 1")
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 9000)"
    with pytest.raises(SourceError, match=r"temporary file cannot be used: .*SQLITE_TMPDIR"):
        spill.run(f"{numbers} INSERT INTO t1 SELECT n FROM c")


def _texts(path: Path) -> tuple[list[str], list[str]]:
    errors: list[ParseError] = []
    threads = list(read(path, on_error=errors.append))
    return [one.messages[0].text for one in threads], [error.reason for error in errors]


@pytest.mark.parametrize(
    "rows",
    [
        ['1,"lost', "2,b", "3,c"],  # to the end of the file
        ['1,"lost', '2,"b"', "3,c"],  # to the next quote, which then stands within a cell
        ['1,"lost', "2,b", '3,"c"', '4,"d\ne"'],
    ],
)
def test_a_quote_that_is_never_closed_loses_its_own_row_only(tmp_path: Path, rows: list[str]):
    path = tmp_path / "in.csv"
    path.write_text("\n".join(["id,text", "0,a", *rows]) + "\n")
    texts, reasons = _texts(path)
    assert texts == ["a", "b", "c", "d\ne"][: len(rows)]
    assert reasons == ["a quoted cell is opened and never closed"]


def test_a_quote_that_runs_past_the_limit(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(_tables, "_MOST_RECORD_CHARS", 50)
    path = tmp_path / "in.csv"
    path.write_text('id,text\n1,"lost\n' + "".join(f"{n},fine\n" for n in range(30)))
    texts, reasons = _texts(path)
    assert texts == ["fine"] * 30
    assert reasons == ["a quoted cell is opened and never closed"]


def test_quotes_and_lines_within_a_cell_stay_as_they_are(tmp_path: Path):
    path = tmp_path / "in.csv"
    path.write_text('id,text\n1,"one\n2,two\n3,""three"""\n2,"he said ""no""\nand went"!\n')
    assert _texts(path) == (['one\n2,two\n3,"three"', 'he said "no"\nand went!'], [])


@given(st.lists(st.sampled_from(["1,a", '2,"b', 'c"', '3,"d,""e"""', '"', "", 'x","y', ","])))
def test_rows_of_a_broken_table_are_read_or_rejected(tmp_path_factory, rows: list[str]):
    path = tmp_path_factory.mktemp("t") / "in.csv"
    path.write_text("\n".join(["id,text", *rows]) + "\n")
    texts, reasons = _texts(path)
    whole = "\n".join(rows)
    for row in ("1,a", '3,"d,""e"""'):
        # a whole row is never lost without a word; one may be words in a quoted cell
        assert len(texts) + len(reasons) >= (row in rows and '"' not in whole.replace(row, ""))
    assert len(texts) + len(reasons) <= len(rows)


def test_hostile_quotes_take_linear_time(tmp_path: Path):
    def seconds(line: str) -> float:
        path = tmp_path / "in.csv"
        path.write_text("id,text\n" + line * (200_000 // len(line)))
        start = time.perf_counter()
        _texts(path)
        return time.perf_counter() - start

    plain = seconds("1,hello there\n")
    for line in ('x","y\n', '1,"a\n', '"\n', ',"",""\n'):
        assert seconds(line) < 10 * plain + 1


def test_the_hash_is_of_the_bytes_as_they_stand(tmp_path: Path):
    import hashlib

    path = tmp_path / "in.csv"
    bad = "2,caf\u00e9,too,many\r\n".encode("latin-1")
    path.write_bytes(b"id,text\r\n1,fine\r\n" + bad)
    errors: list[ParseError] = []
    list(read(path, on_error=errors.append, keep_raw=True))
    assert errors[0].raw == bad
    assert errors[0].sha256 == hashlib.sha256(bad).hexdigest()
    assert "caf" not in f"{errors[0]} {errors[0]!r}"
    list(read(path, on_error=errors.append))
    assert errors[1].raw is None


class TestParquet:
    def test_a_table_of_messages(self, tmp_path: Path):
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "in.parquet"
        sent = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)
        table = pa.table(
            {
                "Ticket ID": ["a", "b", "a", None],
                "body": ["hello", "where is it", "again", None],
                "created_at": pa.array([sent] * 4, pa.timestamp("us", "UTC")),
                "author_type": ["customer", "user", None, "agent"],
            }
        )
        pq.write_table(table, path)
        errors: list[ParseError] = []
        threads = list(read(path, on_error=errors.append))
        assert [(one.id, len(one)) for one in threads] == [("a", 2), ("b", 1)]
        assert threads[0].messages[0].sent_at == sent
        assert [(error.index, error.reason) for error in errors] == [(3, "no text")]

    def test_a_table_of_threads(self, tmp_path: Path):
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "in.parquet"
        messages = [{"role": "customer", "text": "hello"}, {"role": "agent", "text": "yes"}]
        pq.write_table(pa.Table.from_pylist([{"id": "t", "messages": messages}] * 2), path)
        threads: list[Thread] = list(read(path))
        assert [(one.id, len(one)) for one in threads] == [("t", 2), ("t#2", 2)]

    def test_what_cannot_be_read(self, tmp_path: Path):
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "in.parquet"
        pq.write_table(pa.table({"colour": ["canary"]}), path)
        with pytest.raises(SourceError, match="needs a column of text"):
            read(path)
        path.write_bytes(path.read_bytes()[:50])
        with pytest.raises(SourceError, match="broken or cut off"):
            read(path)

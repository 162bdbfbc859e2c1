"""Records to the bytes of a file: JSON Lines, CSV, Parquet, and folders of Parquet."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from customer_nlp.errors import InvalidRecordError, MissingExtraError, SourceError
from customer_nlp.frames import THREAD_COLUMNS, THREAD_TYPES, thread_row

__all__ = ["PARTITIONS", "Sink", "csv_block", "json_line", "sink_for"]

#: What a folder of Parquet files may be divided by, and the value where there is none.
PARTITIONS: Final = {"week": "unknown", "primary": "none"}
_SUFFIXES: Final = (".jsonl", ".csv", ".parquet")
#: Rows that stand together in the file; part of what makes its bytes the same.
_GROUP_ROWS: Final = 4096

Record = dict[str, Any]


class Sink(NamedTuple):
    """How one kind of output is written.

    Parameters
    ----------
    head : bytes
        What stands before all records.
    encode : callable
        Records to bytes, in any process; those of more records may follow.
    join : callable, optional
        Makes the output of all these bytes, given the file that holds them and the target; returns
        what is to be renamed. Missing where that file is the output.
    """

    head: bytes
    encode: Callable[[Sequence[Record]], bytes]
    join: Callable[[Path, Path], Path] | None = None


def sink_for(target: Path, partition_by: str | None) -> Sink:
    """Choose by the ending of a name.

    Raises
    ------
    InvalidRecordError
        For another ending, or a division that this kind of output does not have.
    MissingExtraError
        Without the library that Parquet needs.
    SourceError
        For a folder in the place of the output that is not an earlier output of this kind.
    """
    if target.suffix not in _SUFFIXES:
        raise InvalidRecordError(
            f"The output must end with one of {', '.join(_SUFFIXES)}; got another ending.",
            field="out",
        )
    if partition_by is not None and (partition_by not in PARTITIONS or target.suffix != _PARQUET):
        raise InvalidRecordError(
            f"The output can be divided by {' or '.join(PARTITIONS)} where it ends with "
            f"{_PARQUET}; got another choice.",
            field="partition_by",
        )
    if target.is_dir() and not (partition_by and _is_ours(target)):
        raise SourceError(
            "The output must be a file; got a folder. Name a file in it.", source=str(target)
        )
    if target.suffix == _PARQUET:
        join = partial(_divided, by=partition_by) if partition_by else _joined
        _pyarrow()  # said now where it is missing
        return Sink(b"", _arrow_stream, join)
    return _CSV if target.suffix == ".csv" else _JSONL


_PARQUET: Final = ".parquet"


def json_line(record: Record) -> bytes:
    """Return a record as one line of JSON."""
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate (of a file name that is no UTF-8) becomes \udXXX: valid JSON, reversible.
    return line.encode("utf-8", "backslashreplace") + b"\n"


def csv_block(rows: Iterator[Sequence[object]]) -> bytes:
    """Return rows as CSV; no cell of them is one that a spreadsheet would run."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_safe_cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _safe_cell(value: object) -> object:
    """Keep a spreadsheet from running a cell: a leading = + - @ or control character is quoted."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return value


def _json_lines(records: Sequence[Record]) -> bytes:
    return b"".join(map(json_line, records))


def _csv_rows(records: Sequence[Record]) -> bytes:
    return csv_block(tuple(thread_row(record).values()) for record in records)


_JSONL: Final = Sink(b"", _json_lines)
_CSV: Final = Sink(csv_block(iter([THREAD_COLUMNS])), _csv_rows)


def _week(record: Record) -> str | None:
    """Return the ISO week of the message that a record is written after, such as 2026-W10."""
    dates = {one["id"]: one["sent_at"] for one in record["messages"]}
    sent_at = dates.get(record["after"])
    return f"{datetime.fromisoformat(sent_at):%G-W%V}" if sent_at else None


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    return pa


def _schema() -> Any:
    pa = _pyarrow()
    types = {
        name: {str: pa.string(), float: pa.float64(), int: pa.int64()}[kind]
        for name, kind in {**THREAD_TYPES, "week": str, "record": str}.items()
    }
    return pa.schema(types.items())


def _arrow_stream(records: Sequence[Record]) -> bytes:
    """Return records as an Arrow stream; it is Parquet at the end, in larger groups."""
    pa, schema = _pyarrow(), _schema()
    rows = [
        {
            name: _no_surrogates(value)
            for name, value in (
                *thread_row(record).items(),
                ("week", _week(record)),
                ("record", json_line(record)[:-1].decode()),
            )
        }
        for record in records
    ]
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if pa.Codec.is_available("zstd") else None)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))
    return bytes(sink.getvalue())


def _no_surrogates(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _tables(part: Path) -> Iterator[Any]:
    """Yield the streams as tables of `_GROUP_ROWS` rows; the division depends on the rows alone."""
    pa = _pyarrow()
    waiting = _schema().empty_table()
    size = part.stat().st_size
    with part.open("rb") as file:
        while file.tell() < size:
            with pa.ipc.open_stream(file) as reader:
                waiting = pa.concat_tables([waiting, reader.read_all()])
            while len(waiting) >= _GROUP_ROWS:
                yield waiting.slice(0, _GROUP_ROWS).combine_chunks()
                waiting = waiting.slice(_GROUP_ROWS)
    if len(waiting):
        yield waiting.combine_chunks()


def _joined(part: Path, target: Path) -> Path:
    """Write one Parquet file beside its place."""
    pa = _pyarrow()
    aside = target.with_name(f".{target.name}.joined")
    aside.unlink(missing_ok=True)
    try:
        with aside.open("xb") as handle:
            with pa.parquet.ParquetWriter(handle, _schema(), compression="zstd") as writer:
                for table in _tables(part):
                    writer.write_table(table, row_group_size=_GROUP_ROWS)
            handle.flush()
            os.fsync(handle.fileno())
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside


def _divided(part: Path, target: Path, by: str) -> Path:
    """Write a folder of Parquet files, ``by=value/part-0.parquet``, beside its place.

    Every value has its file, so a writer for each is open; a row group is written when it is full.
    """
    pa = _pyarrow()
    aside = target.with_name(f".{target.name}.joined")
    shutil.rmtree(aside, ignore_errors=True)
    schema = _schema().remove(_schema().get_field_index(by))
    writers: dict[str, _PartWriter] = {}
    aside.mkdir()
    try:
        for table in _tables(part):
            column = pa.compute.fill_null(table[by], PARTITIONS[by])
            rest = table.drop_columns([by])
            for value in sorted(column.unique().to_pylist()):
                if value not in writers:
                    writers[value] = _PartWriter(aside / f"{by}={value}", schema)
                writers[value].add(rest.filter(pa.compute.equal(column, value)))
        for writer in writers.values():
            writer.close()
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    _retire(target)
    return aside


class _PartWriter:
    """One value's file: opened for each row group, so that many values need few open files."""

    def __init__(self, folder: Path, schema: Any) -> None:
        folder.mkdir()
        self._folder, self._schema = folder, schema
        self._waiting = schema.empty_table()
        self._files = 0

    def add(self, rows: Any) -> None:
        self._waiting = _pyarrow().concat_tables([self._waiting, rows])
        if len(self._waiting) >= _GROUP_ROWS:
            self._write()

    def _write(self) -> None:
        path = self._folder / f"part-{self._files}.parquet"
        with path.open("xb") as handle:
            _pyarrow().parquet.write_table(
                self._waiting.combine_chunks(), handle, compression="zstd"
            )
            handle.flush()
            os.fsync(handle.fileno())
        self._files += 1
        self._waiting = self._schema.empty_table()

    def close(self) -> None:
        if len(self._waiting):
            self._write()


def _is_ours(folder: Path) -> bool:
    """Tell a folder that an earlier run wrote, which may be replaced, from any other."""
    return all(
        child.is_dir() and child.name.partition("=")[0] in PARTITIONS for child in folder.iterdir()
    )


def _retire(target: Path) -> None:
    """Take an earlier folder away; a folder, unlike a file, cannot be renamed over another."""
    if target.is_dir():
        old = target.with_name(f".{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        target.replace(old)
        shutil.rmtree(old)

"""CSV and JSON Lines: rows to threads."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.readers._headers import decode_text
from customer_nlp.readers._rejects import DUPLICATE, Rejects, sha256
from customer_nlp.readers._roles import OwnAddresses
from customer_nlp.readers._rows import (
    FIELDS,
    BadRowError,
    columns_of,
    field_name,
    label,
    to_message,
)
from customer_nlp.records import EVENT_KINDS, Event, Message, Thread

__all__ = ["by_time", "csv_threads", "has_text_column", "json_items", "json_threads"]

_DELIMITERS: Final = ",;\t|"
# A cell may hold a whole conversation; the csv module stops at 131,072 characters by default.
_MOST_CELL_CHARS: Final = 1 << 27


def by_time(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Bring messages into the order of their dates, if all of them have one."""
    turns = tuple(messages)
    dates = [message.sent_at for message in turns if message.sent_at]
    if len(dates) < len(turns):
        return turns
    return tuple(turns[at] for at in sorted(range(len(turns)), key=dates.__getitem__))


class _Table:
    """Messages by thread, in order of first appearance."""

    def __init__(self, rejects: Rejects, own: OwnAddresses) -> None:
        self.rejects = rejects
        self.own = own
        self._threads: dict[str, list[Message]] = {}
        self._hashes: dict[tuple[str, str], set[str]] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._taken: dict[str, int] = {}  # thread id -> how often it was wanted

    def add(
        self, index: int, record: Mapping[str, Any], raw: bytes, thread: str | None = None
    ) -> tuple[str | None, Message] | None:
        """Read one record; ``None`` when it was reported instead."""
        try:
            message, named = to_message(record, self.own)
        except BadRowError as error:
            self.rejects.report(index, str(error), raw)
            return None
        thread = thread if thread is not None else named
        if message.id and thread is not None:
            # A message of JSON has no raw bytes of its own within a thread: hash its fields.
            unique = self._unique(thread, message, sha256(raw))
            if unique is None:
                self.rejects.report(index, DUPLICATE, raw)
                return None
            message = unique
        return thread, message

    def _unique(self, thread: str, message: Message, digest: str) -> Message | None:
        key = (thread, message.id)
        seen = self._hashes.setdefault(key, set())
        if digest in seen:
            return None
        seen.add(digest)
        if len(seen) == 1:
            return message
        # The counter is kept, so that taken names are stepped over once and not at each copy.
        number = self._numbers.get(key, 1) + 1
        while (thread, (name := f"{message.id}#{number}")) in self._hashes:
            number += 1
        self._numbers[key] = number
        self._hashes[thread, name] = {digest}
        return message.replace(id=name)

    def keep(self, thread: str, message: Message) -> None:
        """Put a message with the others of its thread."""
        self._threads.setdefault(thread, []).append(message)

    def thread_id(self, wanted: str) -> str:
        """Return a thread id that no other thread of this source has."""
        name = wanted
        while name in self._taken:
            self._taken[wanted] += 1
            name = f"{wanted}#{self._taken[wanted]}"
        self._taken[name] = 1
        return name

    def build(self, identifier: str, messages: Iterable[Message], **known: str | None) -> Thread:
        """Make a thread; its messages go by date when all of them have one."""
        turns = by_time(messages)
        return Thread(
            id=self.thread_id(identifier),
            messages=turns,
            subject=known.get("subject") or next(filter(None, (m.subject for m in turns)), None),
            channel=known.get("channel") or next(filter(None, (m.channel for m in turns)), None),
            source=known.get("source") or self.rejects.source,
        )

    def alone(self, index: int, message: Message) -> Thread:
        """Make a thread of one message."""
        return self.build(message.id or f"row-{index}", (message,))

    def grouped(self) -> Iterator[Thread]:
        """Yield the threads that were kept."""
        for identifier, messages in self._threads.items():
            yield self.build(identifier, messages)


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file, line ends included.

    UTF-16 by its byte order mark; else each line is UTF-8 or, where it is not, cp1252, so that
    one bad line does not spoil the others.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            with path.open(encoding="utf-16", errors="replace", newline="") as wide:
                yield from wide
            return
        if head[:3] == b"\xef\xbb\xbf":
            file.seek(3)
        for line in file:
            text = decode_text(line)
            if "\r" in text[:-2]:  # line ends of old Macs, or pasted ones
                yield from _LONE_RETURN.split(text)
            else:
                yield text


_LONE_RETURN: Final = re.compile(r"(?<=\r)(?!\n)(?!\Z)")


class _Tap:
    """Passes lines to the csv reader and remembers those of the record under way."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.taken.append(line)
            yield line

    def record(self) -> str:
        """Return the raw text of the record just read, and start the next."""
        raw = "".join(self.taken)
        self.taken.clear()
        return raw


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def sniff(header: str) -> tuple[str, list[str]]:
    """Return the delimiter of a table and its column names, from the header line."""
    choices = [(_split(header, delimiter), delimiter) for delimiter in _DELIMITERS]
    best = max(choices, key=lambda choice: ("text" in columns_of(choice[0]), len(choice[0])))
    return best[1], best[0]


def has_text_column(header: str) -> bool:
    """Tell whether a line is a header with a column of text."""
    try:
        return "text" in columns_of(sniff(header)[1])
    except csv.Error:
        return False


_COLUMN_NAME: Final = re.compile(r"[^\W\d][\w.\-/]*(?: [\w.\-/]+)?")


def _shown(names: Iterable[str]) -> str:
    """List column names for an error; what looks like content is counted, not shown."""
    shown: list[str] = []
    hidden = 0
    for name in names:
        bare = name.strip()
        # A table without a header line has people's words here: three in a row are no column name.
        if len(bare) <= 40 and _COLUMN_NAME.fullmatch(bare) and len(shown) < 20:
            shown.append(repr(bare))
        else:
            hidden += 1
    more = f"{hidden} that look like content" if hidden else ""
    return ", ".join([*shown, *filter(None, [more])]) or "none"


def csv_threads(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    """Read a table with a header line.

    Raises
    ------
    SourceError
        At once, when there is no text column.
    """
    if csv.field_size_limit() < _MOST_CELL_CHARS:
        csv.field_size_limit(_MOST_CELL_CHARS)  # process-wide, there is no other; only ever raised
    lines = text_lines(path)
    header = next((line for line in lines if line.strip()), "")
    if match := re.fullmatch(r"sep=(.)\s*", header):  # Excel names its delimiter so
        header = next(lines, "")
        delimiter, names = match[1], _split(header, match[1])
    else:
        try:
            delimiter, names = sniff(header)
        except csv.Error:
            delimiter, names = ",", []
    columns = columns_of(names)
    if "text" not in columns:
        raise SourceError(
            f"A table needs a column of text, called one of {', '.join(FIELDS['text'])}; "
            f"got the columns {_shown(names)}. Rename the column that holds the messages.",
            source=rejects.source,
        )
    return _csv_rows(lines, delimiter, names, columns, _Table(rejects, own))


def _csv_rows(
    lines: Iterator[str],
    delimiter: str,
    names: list[str],
    columns: dict[str, str],
    table: _Table,
) -> Iterator[Thread]:
    where = {field: names.index(column) for field, column in columns.items()}
    markup = "html" in field_name(columns["text"])
    for index, (cells, raw) in enumerate(_csv_records(lines, delimiter)):
        problem = _row_problem(cells, raw, names, where["text"])
        if cells is None or problem:
            table.rejects.report(index, problem, _raw(raw))
            continue
        record: dict[str, Any] = {
            field: cells[at] for field, at in where.items() if at < len(cells)
        }
        record["markup"] = markup
        if (found := table.add(index, record, _raw(raw))) is None:
            continue
        thread, message = found
        if thread is None:
            yield table.alone(index, message)
        else:
            table.keep(thread, message)
    yield from table.grouped()


def _csv_records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[list[str] | None, str]]:
    """Yield the cells of each record, or ``None`` for one that is no row, with its raw text."""
    tap = _Tap(lines)
    reader = csv.reader(iter(tap), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None, tap.record()
            continue
        raw = tap.record()
        if raw.strip(" \t\r\n"):  # a blank line is no record
            yield cells, raw


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _row_problem(cells: list[str] | None, raw: str, names: list[str], text_at: int) -> str:
    if cells is None:
        return "not readable as a row of the table"
    if not any(cells):
        return "a row of empty cells"
    if raw.count('"') % 2 and raw.count("\n") > 1:
        return (
            "a quoted cell is opened and never closed; "
            f"it takes up the {raw.count(chr(10))} lines to the end of the file"
        )
    if len(cells) > len(names) and any(cells[len(names) :]):
        return f"{len(cells)} cells where the header has {len(names)}"
    return "too few cells: the text is missing" if len(cells) <= text_at else ""


_LISTS: Final = (
    "messages", "turns", "utterances", "comments", "dialogue", "dialog", "conversation_messages",
    "log", "parts",
)  # fmt: skip
_WRAPPERS: Final = ("threads", "conversations", "tickets", "data", "results", "items", "records")


def json_threads(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    """Read JSON Lines, or one JSON array, of messages or of threads.

    Raises
    ------
    SourceError
        At once, when a JSON array as a whole cannot be read.
    """
    return _json_rows(json_items(path, rejects.source), _Table(rejects, own))


def json_items(path: Path, source: str, *, unwrap: bool = True) -> Iterator[tuple[Any, bytes, str]]:
    """Return the items of JSON Lines or of one JSON document, in order.

    Parameters
    ----------
    path : Path
        The file.
    source : str
        Its name, for the error.
    unwrap : bool, default=True
        Whether an object around a list of records stands for that list.

    Returns
    -------
    iterator of (item, raw, problem)
        The raw bytes are those of the line, or of the item written anew; the problem says why
        there is no item, and is empty where there is one.

    Raises
    ------
    SourceError
        At once, when a document as a whole cannot be read.
    """
    if _is_one_document(path):
        items = _document(path, source, unwrap=unwrap)
        return ((item, _dump(item), "") for item in items)
    return _json_lines(path)


def _json_lines(path: Path) -> Iterator[tuple[Any, bytes, str]]:
    for line in text_lines(path):
        if line.strip("\ufeff \t\r\n"):
            try:
                yield _loads(line.lstrip("\ufeff")), _raw(line), ""
            except BadRowError as error:
                yield None, _raw(line), str(error)


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRowError(_json_problem(error)) from None


def _json_problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON at line {error.lineno}, column {error.colno}"
    return "not valid JSON: nested too deeply, or a number too long"


def _is_one_document(path: Path) -> bool:
    lines = (line for line in text_lines(path) if line.strip("\ufeff \t\r\n"))
    first = next(lines, "").lstrip("\ufeff \t")
    if first.startswith("["):
        return True
    try:
        item = _loads(first)
    except BadRowError:
        return not next(lines, "{").lstrip().startswith("{")
    # A whole export on one line is a document too.
    return isinstance(item, dict) and _wrapped(item) is not None and not next(lines, "")


def _document(path: Path, source: str, *, unwrap: bool) -> list[Any]:
    try:
        whole = _loads("".join(text_lines(path)).lstrip("\ufeff"))
    except BadRowError as error:
        raise SourceError(
            f"Expected a JSON array of messages or threads, or one JSON object a line; the file "
            f"is {error}. Write it again, or one object a line so that the good ones can be read.",
            source=source,
        ) from None
    if isinstance(whole, dict):
        whole = (_wrapped(whole) if unwrap else None) or [whole]
    return whole if isinstance(whole, list) else [whole]


def _wrapped(item: Mapping[str, Any]) -> list[Any] | None:
    """Return the list of records that an export wraps; ``None`` for what is a record itself."""
    if _turns(item) is not None or "text" in _fields(item):
        return None
    return next((item[name] for name in _WRAPPERS if isinstance(item.get(name), list)), None)


def _turns(item: Mapping[str, Any]) -> list[Any] | None:
    return next((item[name] for name in _LISTS if isinstance(item.get(name), list)), None)


def _json_rows(items: Iterable[tuple[Any, bytes, str]], table: _Table) -> Iterator[Thread]:
    index = 0
    for item, raw, problem in items:
        if problem or not isinstance(item, dict):
            reason = problem or f"expected an object; got {type(item).__name__}"
            table.rejects.report(index, reason, raw)
            index += 1
            continue
        turns = _turns(item)
        if turns is not None:
            if thread := _json_thread(index, item, turns, raw, table):
                yield thread
            index += max(len(turns), 1)
            continue
        if found := table.add(index, _fields(item), raw):
            identifier, message = found
            if identifier is None:
                yield table.alone(index, message)
            else:
                table.keep(identifier, message)
        index += 1
    yield from table.grouped()


def _dump(item: Any) -> bytes:
    return json.dumps(item, sort_keys=True).encode()


def _fields(item: Mapping[str, Any]) -> dict[str, Any]:
    columns = columns_of(key for key in item if isinstance(key, str))
    record = {field: item[column] for field, column in columns.items()}
    record["markup"] = "html" in field_name(columns.get("text", ""))
    return record


def _json_thread(
    start: int, item: Mapping[str, Any], turns: list[Any], raw: bytes, table: _Table
) -> Thread | None:
    """Build a thread from an object with a list of messages; bad messages are reported."""
    if not turns:
        table.rejects.report(start, "a thread without messages", raw)
        return None
    outer = _fields(item)
    identifier = label(outer.get("thread")) or label(outer.get("id")) or f"thread-{start}"
    key = f"{start}\0{identifier}"  # ids are compared within this thread only
    messages = []
    for offset, turn in enumerate(turns):
        if not isinstance(turn, dict):
            reason = f"expected a message as an object; got {type(turn).__name__}"
            table.rejects.report(start + offset, reason, _dump(turn))
        elif found := table.add(start + offset, _fields(turn), _dump(turn), key):
            messages.append(found[1])
    if not messages:
        return None
    known = {name: outer.get(name) for name in ("subject", "channel")} | {
        "source": item.get("source")
    }
    strings = {name: label(value) for name, value in known.items()}
    try:
        thread = table.build(identifier, messages, **strings)
        return thread.replace(events=tuple(_events(start, item.get("events"), table)))
    except InvalidRecordError as error:  # pragma: no cover - ids are made unique above
        table.rejects.report(start, str(error), raw)
        return None


def _events(start: int, listed: Any, table: _Table) -> Iterator[Event]:
    """Yield the events of a thread; what an export calls so beside our kinds is none."""
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("kind") in EVENT_KINDS:
            try:
                yield Event.from_dict(one)
            except InvalidRecordError as error:
                table.rejects.report(start, str(error), _dump(one))

"""CSV and JSON Lines: rows to threads."""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.readers._headers import decode_text
from customer_nlp.readers._rejects import DUPLICATE, OnError, Rejects, sha256
from customer_nlp.readers._roles import OwnAddresses
from customer_nlp.readers._rows import (
    FIELDS,
    BadRowError,
    columns_of,
    field_name,
    html_column,
    label,
    to_message,
)
from customer_nlp.readers._spill import Groups, Index, Spill, SpillList
from customer_nlp.records import EVENT_KINDS, Event, Message, Thread, Zone

__all__ = [
    "Table",
    "as_bytes",
    "by_time",
    "csv_threads",
    "has_text_column",
    "holds_text",
    "item_threads",
    "json_items",
    "json_threads",
    "row_threads",
]

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


class Table:
    """Messages by thread, in order of first appearance; beyond some thousands on the disk."""

    def __init__(self, rejects: Rejects, own: OwnAddresses) -> None:
        self.rejects = rejects
        self.own = own
        self._spill = Spill()
        self._ids = Index(self._spill)
        self._taken = Index(self._spill)  # thread id -> how often it was wanted
        self._threads = Index(self._spill)  # key of a thread -> its number
        self._keys = SpillList(self._spill, str, str)
        self._kept = SpillList(self._spill, _pack, _unpack)
        self._thread_of = array("q")  # of each message that is kept

    def add(
        self, index: int, record: Mapping[str, Any], raw: bytes, ids: Index | None = None
    ) -> tuple[str | None, Message] | None:
        """Read one record; ``None`` when it was reported instead.

        With `ids` the message is one of a thread that has an index of its own.
        """
        try:
            message, thread = to_message(record, self.own)
        except BadRowError as error:
            self.rejects.report(index, str(error), raw)
            return None
        if message.id and (ids is not None or thread is not None):
            # A message of JSON has no raw bytes of its own within a thread: hash its fields.
            digest = int(sha256(raw)[:15], 16)
            prefix = "" if ids is not None else f"{thread}\0"
            unique = _unique(self._ids if ids is None else ids, prefix, message, digest)
            if unique is None:
                self.rejects.report(index, DUPLICATE, raw)
                return None
            message = unique
        return thread, message

    def own_index(self) -> Index:
        """Return an index for the messages of one thread."""
        return Index(self._spill)

    def keep(self, thread: str, message: Message) -> None:
        """Put a message with the others of its thread."""
        number = self._threads.setdefault(thread, len(self._keys))
        if number == len(self._keys):
            self._keys.append(thread)
        self._thread_of.append(number)
        self._kept.append(message)

    def thread_id(self, wanted: str) -> str:
        """Return a thread id that no other thread of this source has."""
        name, times = wanted, self._taken.get(wanted) or 0
        while name in self._taken:
            times += 1
            name = f"{wanted}#{times}"
        if times:
            self._taken[wanted] = times
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
        done = 0
        for number, members in enumerate(Groups(self._thread_of, len(self._keys))):
            done += len(members)
            self.rejects.fraction = done / len(self._kept)
            yield self.build(self._keys[number], [self._kept[member] for member in members])


def _unique(ids: Index, prefix: str, message: Message, digest: int) -> Message | None:
    """Return a message under an id of its own; ``None`` for an exact copy of an earlier one."""
    key = f"{prefix}{message.id}"
    first = ids.get(key)
    if first is None:
        ids[key] = digest
        return message
    # Ids hold no NUL, so that these further keys meet no other.
    if first == digest or f"{key}\0{digest}" in ids:
        return None
    ids[f"{key}\0{digest}"] = 1
    # The counter is kept, so that taken names are stepped over once and not at each copy.
    number = (ids.get(f"{key}\0#") or 1) + 1
    while f"{prefix}{message.id}#{number}" in ids:
        number += 1
    ids[f"{key}\0#"] = number
    ids[f"{prefix}{message.id}#{number}"] = digest
    return message.replace(id=f"{message.id}#{number}")


def _pack(message: Message) -> str:
    exact = {"role_confidence": message.role_confidence, "zones": []}
    exact["zones"] = [(z.kind, z.start, z.end, z.confidence) for z in message.zones]
    return json.dumps(message.to_dict() | exact)


def _unpack(packed: str) -> Message:
    record = json.loads(packed)
    record["zones"] = [Zone(*zone) for zone in record["zones"]]
    return Message.from_dict(record)


_Line = tuple[str, bytes]


def text_lines(path: Path) -> Iterator[_Line]:
    """Yield the lines of a text file, line ends included, and the bytes of each.

    UTF-16 by its byte order mark; else each line is UTF-8 or, where it is not, cp1252, so that
    one bad line does not spoil the others.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            codec = "utf-16-le" if head[0] == 0xFF else "utf-16-be"
            with path.open(encoding="utf-16", errors="replace", newline="") as wide:
                yield from ((line, line.encode(codec, "replace")) for line in wide)
            return
        if head[:3] == b"\xef\xbb\xbf":
            file.seek(3)
        for line in file:
            if b"\r" in line[:-2]:  # line ends of old Macs, or pasted ones
                yield from ((decode_text(piece), piece) for piece in _LONE_RETURN.split(line))
            else:
                yield decode_text(line), line


_LONE_RETURN: Final = re.compile(rb"(?<=\r)(?!\n)(?!\Z)")


class _TooLongError(Exception):
    """A record of many lines has grown past the limit."""


class _Tap:
    """Passes lines to the csv reader and remembers those of the record under way."""

    def __init__(self, lines: Iterator[_Line]) -> None:
        self._lines = lines
        self._again: deque[_Line] = deque()
        self._taken: list[_Line] = []
        self._chars = 0
        self._credit = 0
        self.alone = 0  # lines to be read one by one
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        while True:
            if self._again:
                line = self._again.popleft()
            elif (fresh := next(self._lines, None)) is not None:
                line = fresh
                self._credit += _TIMES_READ * len(line[0])
            else:
                self.ended = True
                return
            self._taken.append(line)
            self._chars += len(line[0])
            if len(self._taken) > 1 and self._chars > _MOST_RECORD_CHARS:
                raise _TooLongError
            yield line[0]

    def record(self) -> list[_Line]:
        """Return the lines of the record just read, and start the next."""
        taken, self._taken, self._chars, self.ended = self._taken, [], 0, False
        return taken

    def give_back(self, lines: list[_Line]) -> None:
        """Let lines be read again; one by one when that has happened too often."""
        self._again.extendleft(reversed(lines))
        self._credit -= sum(len(text) for text, _ in lines)
        if self._credit < 0:
            self.alone = len(lines)


# A record of more lines than this many characters is taken for a quote that was never closed.
_MOST_RECORD_CHARS: Final = 1 << 23
# How often a line may be read, on average, before lines are taken one by one: linear time.
_TIMES_READ: Final = 8


class _Dialect(csv.excel):
    """How the cells of a table are told apart."""

    def __init__(self, delimiter: str, *, padded: bool = False) -> None:
        self.delimiter = delimiter
        self.skipinitialspace = padded  # behind "a, " a quote opens a cell all the same
        super().__init__()


def _split(line: str, dialect: _Dialect) -> list[str]:
    return next(csv.reader([line], dialect), [])


def _dialect(header: str, delimiter: str) -> _Dialect:
    """Return the dialect of a table; its cells are padded where all names of columns are."""
    others = _split(header, _Dialect(delimiter))[1:]
    return _Dialect(delimiter, padded=bool(others) and all(name[:1] == " " for name in others))


def sniff(header: str) -> tuple[_Dialect, list[str]]:
    """Return the dialect of a table and its column names, from the header line."""
    dialects = [_dialect(header, delimiter) for delimiter in _DELIMITERS]
    choices = [(_split(header, dialect), dialect) for dialect in dialects]
    best = max(choices, key=lambda choice: ("text" in columns_of(choice[0]), len(choice[0])))
    return best[1], best[0]


def has_text_column(header: str) -> bool:
    """Tell whether a line is a header with a column of text."""
    try:
        return "text" in columns_of(sniff(header)[1])
    except csv.Error:
        return False


def holds_text(names: Iterable[str]) -> bool:
    """Tell whether columns hold messages or lists of them."""
    known = list(names)
    return "text" in columns_of(known) or any(name in known for name in _LISTS)


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
    lines = _counted(text_lines(path), path, rejects)
    header = next((line for line, _ in lines if line.strip()), "")
    if match := re.fullmatch(r"sep=(.)\s*", header):  # Excel names its delimiter so
        header = next(lines, ("", b""))[0]
        dialect = _dialect(header, match[1])
        names = _split(header, dialect)
    else:
        try:
            dialect, names = sniff(header)
        except csv.Error:
            dialect, names = _Dialect(","), []
    columns = columns_of(names)
    if "text" not in columns:
        raise SourceError(
            f"A table needs a column of text, called one of {', '.join(FIELDS['text'])}; "
            f"got the columns {_shown(names)}. Rename the column that holds the messages.",
            source=rejects.source,
        )
    return _csv_rows(lines, dialect, names, columns, Table(rejects, own))


def _counted(lines: Iterator[_Line], path: Path, rejects: Rejects) -> Iterator[_Line]:
    """Pass lines on and keep count of how much of the file they are."""
    whole = path.stat().st_size
    done = 0
    for line in lines:
        done += len(line[1])
        rejects.fraction = min(done / whole, 1.0)
        yield line


def _csv_rows(
    lines: Iterator[_Line],
    dialect: _Dialect,
    names: list[str],
    columns: dict[str, str],
    table: Table,
) -> Iterator[Thread]:
    where = {field: names.index(column) for field, column in columns.items()}
    markup = "html" in field_name(columns["text"])
    rich = html_column(names)
    records = _csv_records(_Tap(lines), dialect, len(names))
    for index, (cells, raw, problem) in enumerate(records):
        problem = problem or _row_problem(cells, names, where["text"])
        if problem:
            table.rejects.report(index, problem, raw)
            continue
        record: dict[str, Any] = {
            field: cells[at] for field, at in where.items() if at < len(cells)
        }
        record["markup"] = markup
        if rich and not record["text"].strip():  # a mail that has nothing but HTML to say
            at = names.index(rich)
            record |= {"text": cells[at] if at < len(cells) else "", "markup": True}
        if (found := table.add(index, record, raw)) is None:
            continue
        thread, message = found
        if thread is None:
            yield table.alone(index, message)
        else:
            table.keep(thread, message)
    yield from table.grouped()


_UNREADABLE: Final = "not readable as a row of the table"
_NEVER_CLOSED: Final = "a quoted cell is opened and never closed"


def _csv_records(
    tap: _Tap, dialect: _Dialect, width: int
) -> Iterator[tuple[list[str], bytes, str]]:
    """Yield the cells of each record, its raw bytes, and what is wrong with it, if anything.

    Where a quote that is never closed has swallowed rows, only its own line is lost: the lines
    below it are read again.
    """
    reader = csv.reader(iter(tap), dialect)
    while True:
        problem, cells, ended = "", [], False
        try:
            if tap.alone:
                tap.alone -= 1
                cells = _split(next(iter(tap)), dialect)
            else:
                cells = next(reader)
                ended = tap.ended
        except StopIteration:
            return
        except csv.Error:
            problem = _UNREADABLE
        except _TooLongError:
            ended = True
        lines = tap.record()
        if len(lines) > 1 and (ended or _swallowed_rows(lines, cells, dialect, width)):
            tap.give_back(lines[1:])
            reader = csv.reader(iter(tap), dialect)
            yield [], lines[0][1], _NEVER_CLOSED
        elif any(text.strip(" \t\r\n") for text, _ in lines):  # a blank line is no record
            yield cells, b"".join(raw for _, raw in lines), problem


def _swallowed_rows(lines: list[_Line], cells: list[str], dialect: _Dialect, width: int) -> bool:
    """Tell whether a record of many lines holds rows that a lost quote made part of it.

    So it is when its quotes break the rules of CSV and a line of it is a whole row by itself.
    """
    if width < 2:
        return False
    try:
        next(csv.reader((text for text, _ in lines), dialect, strict=True), None)
    except csv.Error:
        broken = True
    else:
        broken = len(cells) > width
    return broken and any(
        text.count('"') % 2 == 0 and text.count(dialect.delimiter) >= width - 1
        and len(_split(text, dialect)) == width
        for text, _ in lines[1:]
    )  # fmt: skip


def _row_problem(cells: list[str], names: list[str], text_at: int) -> str:
    if not any(cells):
        return "a row of empty cells"
    if len(cells) > len(names) and any(cells[len(names) :]):
        return f"{len(cells)} cells where the header has {len(names)}"
    return "too few cells: the text is missing" if len(cells) <= text_at else ""


_LISTS: Final = (
    "messages", "turns", "utterances", "comments", "dialogue", "dialog", "conversation_messages",
    "log", "parts", "conversation", "transcript",
)  # fmt: skip
_WRAPPERS: Final = ("threads", "conversations", "tickets", "data", "results", "items", "records")


def json_threads(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    """Read JSON Lines, or one JSON array, of messages or of threads.

    Raises
    ------
    SourceError
        At once, when a JSON array as a whole cannot be read.
    """
    return item_threads(json_items(path, rejects), Table(rejects, own))


def json_items(
    path: Path, rejects: Rejects, *, unwrap: bool = True
) -> Iterator[tuple[Any, bytes, str]]:
    """Return the items of JSON Lines or of one JSON document, in order.

    Parameters
    ----------
    path : Path
        The file.
    rejects : Rejects
        Names the source in an error, and keeps count of how much has been read.
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
        items = _document(path, rejects.source, unwrap=unwrap)
        return ((item, as_bytes(item), "") for item in items)
    return _json_lines(_counted(text_lines(path), path, rejects))


def _json_lines(lines: Iterable[_Line]) -> Iterator[tuple[Any, bytes, str]]:
    for line, raw in lines:
        if line.strip("\ufeff \t\r\n"):
            try:
                yield _loads(line.lstrip("\ufeff")), raw, ""
            except BadRowError as error:
                yield None, raw, str(error)


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
    lines = (line for line, _ in text_lines(path) if line.strip("\ufeff \t\r\n"))
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
        whole = _loads("".join(line for line, _ in text_lines(path)).lstrip("\ufeff"))
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


def item_threads(items: Iterable[tuple[Any, bytes, str]], table: Table) -> Iterator[Thread]:
    """Read messages or threads of items as `json_items` gives them."""
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


def as_bytes(item: Any) -> bytes:
    """Write an item that has no bytes of its own, to be hashed."""
    return json.dumps(item, sort_keys=True, default=str).encode()


def _fields(item: Mapping[str, Any]) -> dict[str, Any]:
    # A field that is null here may stand under another of its names.
    filled = [key for key in item if isinstance(key, str) and item[key] is not None]
    columns = columns_of(filled)
    record = {field: item[column] for field, column in columns.items()}
    record["markup"] = "html" in field_name(columns.get("text", ""))
    if record.get("text") == "" and (rich := html_column(filled)):
        record |= {"text": item[rich], "markup": True}
    return record


def _json_thread(
    start: int, item: Mapping[str, Any], turns: list[Any], raw: bytes, table: Table
) -> Thread | None:
    """Build a thread from an object with a list of messages; bad messages are reported."""
    if not turns:
        table.rejects.report(start, "a thread without messages", raw)
        return None
    outer = _fields(item)
    identifier = label(outer.get("thread")) or label(outer.get("id")) or f"thread-{start}"
    ids = table.own_index()  # ids are compared within this thread only
    messages = []
    for offset, turn in enumerate(turns):
        if not isinstance(turn, dict):
            reason = f"expected a message as an object; got {type(turn).__name__}"
            table.rejects.report(start + offset, reason, as_bytes(turn))
        elif found := table.add(start + offset, _fields(turn), as_bytes(turn), ids):
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


def _events(start: int, listed: Any, table: Table) -> Iterator[Event]:
    """Yield the events of a thread; what an export calls so beside our kinds is none."""
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("kind") in EVENT_KINDS:
            try:
                yield Event.from_dict(one)
            except InvalidRecordError as error:
                table.rejects.report(start, str(error), as_bytes(one))


def row_threads(
    rows: Iterable[Mapping[str, Any]],
    *,
    own_domains: Iterable[str] = (),
    on_error: OnError = "raise",
) -> Iterator[Thread]:
    """Read messages that are in memory.

    Parameters
    ----------
    rows : iterable of mapping
        Field of `FIELDS` to value; one message each.
    own_domains, on_error
        As for `read`; the index of an error is the row.

    Yields
    ------
    Thread
        In order of first appearance. A row without a thread is an error: it has no name that
        would be the same however the rows are divided.
    """
    table = Table(Rejects("frame", on_error), OwnAddresses(own_domains))
    for index, row in enumerate(rows):
        raw = as_bytes(row)
        if (found := table.add(index, row, raw)) is None:
            continue
        thread, message = found
        if thread is None:
            table.rejects.report(index, "no thread", raw)
        else:
            table.keep(thread, message)
    yield from table.grouped()

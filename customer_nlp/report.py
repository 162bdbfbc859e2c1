"""One page for a head of support: what is on fire and why, and what to do about it.

Reads the records that ``customer-nlp score`` writes and makes a page that needs no network. It
judges threads and replies, never a person: nothing is counted by agent.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import heapq
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any, Final

from customer_nlp.actions import reason, verdict
from customer_nlp.codebook import CORE_SIGNALS, CUES, FINDINGS
from customer_nlp.errors import InvalidRecordError, MissingExtraError, ParseError, SourceError
from customer_nlp.markup import escape
from customer_nlp.records import Analysis

__all__ = ["SILENT_HOURS", "read_records", "render", "write"]

#: Silence after which a customer who showed a sign of leaving counts as gone quiet.
SILENT_HOURS: Final = 7 * 24
_LISTED: Final = 10
_REASONS: Final = 10
_WEEKS: Final = 12
_QUOTES: Final = 3
_QUOTE_CHARS: Final = 160
_SCHEMA: Final = "customer-nlp/analysis/"
_READ_BYTES: Final = 1 << 20
#: Rows of Parquet at once: more would leave the processor's cache and take three times as long.
_ROWS_AT_ONCE: Final = 256
_TIMINGS: Final[Mapping[Any, int]] = {"now": 2, "today": 1}

Record = Mapping[str, Any]
_Source = str | os.PathLike[str]
_Line = bytes | memoryview


def write(sources: _Source | Sequence[_Source], out: _Source, *, listed: int = _LISTED) -> int:
    """Write the report on analyses that ``score`` wrote.

    Parameters
    ----------
    sources : path, or sequence of path
        Files for `read_records`.
    out : path
        The page; written over if it is there.
    listed : int, default=10
        Threads listed under each number at most, most urgent first. Totals stay exact.

    Returns
    -------
    int
        Threads reported on.

    Raises
    ------
    SourceError, ParseError
        As `read_records`; or when `out` cannot be written.
    InvalidRecordError
        When `out` is one of the sources, or `listed` is below 1.
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else sources
    paths = [Path(one) for one in given]
    target = Path(out)
    if target.exists() and any(path.exists() and target.samefile(path) for path in paths):
        raise InvalidRecordError(
            "The output must be another file than the sources; got one of them. "
            "Choose another name.",
            field="out",
        )
    board = _gather((record for path in paths for record in read_records(path)), listed)
    try:
        target.write_text(_page(board), encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"The report cannot be written: {error.strerror or type(error).__name__}. "
            "Check that its folder exists and is yours, and that the disk is not full.",
            source=str(target),
        ) from error
    return board["threads"].total


def render(analyses: Iterable[Analysis | Record], *, listed: int = _LISTED) -> str:
    """Return the report as one self-contained page of HTML.

    Parameters
    ----------
    analyses : iterable of Analysis or of their records
        Of records that follow one another with the same thread id, as ``--every-turn`` gives them,
        the last counts. Unknown keys are ignored, missing ones are unknown.
    listed : int, default=10
        As for `write`.

    Returns
    -------
    str
        Of bounded size. Cost: linear in the records; memory does not grow with them.
    """
    return _page(
        _gather((one.to_dict() if isinstance(one, Analysis) else one for one in analyses), listed)
    )


def read_records(source: _Source) -> Iterator[Record]:
    """Read the analyses of a ``.jsonl`` or ``.parquet`` file that ``score`` wrote.

    Also those of a folder of Parquet files, as ``score --partition-by`` writes it, in the order of
    their names.

    Raises
    ------
    SourceError
        When there is no such file, or it is of another kind.
    ParseError
        For a line that is no analysis.
    MissingExtraError
        For Parquet without pyarrow.
    """
    path = Path(source)
    if parts := _parts(path):
        for part in parts:
            yield from read_records(part)
        return
    lines = _READERS.get(path.suffix)
    if lines is None or not path.is_file():
        raise SourceError(
            "Expected a .jsonl or .parquet file that `customer-nlp score` wrote; got "
            + ("a file of another kind. A .csv holds no reasons." if path.is_file() else "none."),
            source=str(path),
        )
    decoded = _decoder()
    for index, line in enumerate(lines(path)):
        try:
            record = decoded(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not str(record.get("schema")).startswith(_SCHEMA):
            raise ParseError(
                str(path), index,
                "no analysis as `customer-nlp score` writes it. Name the file that score wrote; "
                "if it was cut short, score again.",
            )  # fmt: skip
        yield record


def _parts(path: Path) -> list[Path]:
    """Return the files of a folder that `score --partition-by` wrote."""
    return sorted(path.glob("*=*/part-*.parquet")) if path.is_dir() else []


def _decoder() -> Callable[[_Line], Any]:
    """Return orjson's, which takes under half the time, or without it the standard library's."""
    try:
        from orjson import loads
    except ImportError:
        return lambda line: json.loads(bytes(line))

    def decoded(line: _Line) -> Any:
        try:
            return loads(line)
        except ValueError:  # half a surrogate pair and NaN are read by the standard library alone
            return json.loads(bytes(line))

    return decoded


def _json_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=_READ_BYTES) as handle:
        yield from (line for line in handle if not line.isspace())


def _parquet_lines(path: Path) -> Iterator[memoryview]:
    try:
        import pyarrow.parquet as pq
        from pyarrow import ArrowException
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=["record"]):
                yield from _cells(batch["record"].cast("large_binary"))
    except (ArrowException, KeyError) as error:
        raise SourceError(
            "Expected a Parquet file with a column 'record', as `customer-nlp score` writes it.",
            source=str(path),
        ) from error


def _cells(column: Any) -> Iterator[memoryview]:
    """Yield what a column of binaries holds, not copied; nothing for a null."""
    _, ends, data = column.buffers()
    places = memoryview(ends).cast("q")[column.offset : column.offset + len(column) + 1].tolist()
    held = memoryview(data if data is not None else b"")
    return (held[start:end] for start, end in pairwise(places))


_READERS: Final[Mapping[str, Callable[[Path], Iterator[_Line]]]] = {
    ".jsonl": _json_lines,
    ".parquet": _parquet_lines,
}


# Counting ------------------------------------------------------------------------------------


_Case = tuple[float, int, Record]


@dataclass(slots=True)
class _Number:
    """A total, how many of it are on fire, and its most urgent threads."""

    total: int = 0
    fire: int = 0
    #: A heap of (urgency, minus the position in the source, record).
    top: list[_Case] = field(default_factory=list)
    #: Urgency that a thread must exceed to be listed: most of a large source do not.
    least: float = -1.0

    def keep(self, case: _Case, listed: int) -> None:
        """List a thread, in place of the least urgent one where the list is full."""
        if len(self.top) < listed:
            heapq.heappush(self.top, case)
        else:
            heapq.heapreplace(self.top, case)
        if len(self.top) == listed:
            self.least = self.top[0][0]


_Board = defaultdict[str, _Number]


def _gather(records: Iterable[Record], listed: int) -> _Board:
    if listed < 1:
        raise InvalidRecordError(f"The listed must be at least 1; got {listed}.", field="listed")
    board: _Board = defaultdict(_Number)
    with _without_cycles():
        for index, record in enumerate(_last_of_each(records)):
            facts = _Facts(record)
            urgency, fire = facts.urgency, facts.fire
            case = (urgency, -index, record)
            for key in facts.numbers():
                number = board[key]
                number.total += 1
                number.fire += fire
                if urgency > number.least:
                    number.keep(case, listed)
    return board


@contextmanager
def _without_cycles() -> Iterator[None]:
    """Look for no garbage in cycles: records are trees, and looking takes a sixth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _last_of_each(records: Iterable[Record]) -> Iterator[Record]:
    last: Record | None = None
    for record in records:
        if last is not None and last.get("thread_id") != record.get("thread_id"):
            yield last
        last = record
    if last is not None:
        yield last


class _Facts:
    """What one record counts for."""

    __slots__ = ("advice", "customer", "fire", "grades", "record", "state", "top", "urgency")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.advice = record.get("recommendation") or {}
        self.state = record.get("state") or {}
        self.customer = [one for one in record.get("messages") or () if one.get("signals")]
        self.top = _primary(self.advice)
        last = self.customer[-1]["signals"] if self.customer else {}
        self.grades = [_grade(last, name) for name in CORE_SIGNALS]
        action = self.advice.get("primary")
        self.fire = action not in (None, "close") and (
            self.advice.get("timing") == "now" or max(self.grades[1:]) == 3
        )
        # fire before timing, timing before grades, grades before probability
        soon = 3 * self.fire + _TIMINGS.get(self.advice.get("timing"), 0)
        self.urgency = 100.0 * soon + 2 * sum(self.grades) + (self.top.get("probability") or 0.0)

    def numbers(self) -> Iterable[str]:
        """Return the name of every number that the thread counts in, once and in a fixed order."""
        action = self.advice.get("primary")
        found = ["threads", f"week-{_monday(_last_date(self.record))}",
                 f"action-{action or 'none: ' + str(self.advice.get('abstained'))}"]  # fmt: skip
        if self.fire:
            found.append("fire")
            found += [f"why-{because}" for because in self.top.get("because") or ()]
        if self.state.get("waiting_on") == "company" and action not in (None, "close"):
            found.append("waiting")
        for one in self.customer:
            found += [f"topic-{cue}" for cue in one.get("cues") or ()]
        return dict.fromkeys(found + self._ours() + self._leaving())

    def _ours(self) -> list[str]:
        found = [f"promise-{one.get('by')}-{one.get('state')}"
                 for one in self.record.get("commitments") or ()]  # fmt: skip
        for message in self.record.get("messages") or ():
            if names := message.get("findings"):
                found.append("findings")
                found += [f"finding-{name}" for name in names]
        return found + [name for name in ("conflicts", "unanswered") if self.record.get(name)]

    def _leaving(self) -> list[str]:
        seen = [one["signals"] for one in self.customer]
        if not any(_grade(one, "churn_risk") for one in seen):
            return []
        if "resolved" in (self.customer[-1].get("cues") or ()):
            return []
        found = ["leaving"]
        if (self.state.get("silent_hours") or 0) >= SILENT_HOURS:
            found.append("leaving-silent")
        if not any(_grade(one, "frustration") for one in seen):
            found.append("leaving-polite")
        return found


def _grade(signals: Record, name: str) -> int:
    found = signals.get(name)
    return (found.get("grade") or 0) if found else 0


def _primary(advice: Record) -> Record:
    wanted = advice.get("primary")
    return next((one for one in advice.get("actions") or () if one.get("action") == wanted), {})


def _last_date(record: Record) -> str:
    """Return the day of the customer's last message, or of any, or nothing."""
    last = ""
    for one in reversed(record.get("messages") or ()):
        if day := str(one.get("sent_at") or "")[:10]:
            if one.get("role") == "customer":
                return day
            last = last or day
    return last


_MONDAYS: Final[dict[str, str]] = {}


def _monday(day: str) -> str:
    """Return the Monday of a day's week; "undated" for what is no day."""
    if day not in _MONDAYS:
        try:
            found = date.fromisoformat(day)
            monday = str(found - timedelta(days=found.weekday()))
        except (ValueError, OverflowError):
            monday = "undated"
        if len(_MONDAYS) > 100_000:
            _MONDAYS.clear()
        _MONDAYS[day] = monday
    return _MONDAYS[day]


# The page ------------------------------------------------------------------------------------


def _page(board: _Board) -> str:
    template = files("customer_nlp").joinpath("report.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title="What our customers need now",
        style_hash=_hash(template, "style"),
        script_hash=_hash(template, "script"),
        about=_about(board),
        body=_tiles(board) + "".join(_sections(board)),
        notes=_notes(board),
    )


def _hash(template: str, tag: str) -> str:
    """Return what a content security policy calls an inline style or script by."""
    [content] = re.findall(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _about(board: _Board) -> str:
    weeks = [key.removeprefix("week-") for key in _dated_weeks(board)]
    said = [f"{board['threads'].total:,} threads"]
    if weeks:
        said.append(f"weeks of {_day(weeks[0])} to {_day(weeks[-1])}")
    return f"<p>{escape(', '.join(said))}.</p>"


def _notes(board: _Board) -> str:
    records = [record for _, _, record in board["threads"].top]
    models = sorted({str(one.get("model")) for one in records})
    listed = len(records)
    known = any((one.get("state") or {}).get("silent_hours") is not None for one in records)
    notes = [
        f"Every total counts all threads; up to {listed} of them are listed under it, the most "
        "urgent first.",
        "Threads and replies are judged, never the people who wrote them.",
        "Probabilities are calibrated estimates, not facts: read the thread before acting on it.",
        f"Model: {', '.join(models)}.",
    ]
    if not known:
        notes.append(
            "Scored without a time: promises are judged as of each thread's last message, and "
            "silence is unknown. `customer-nlp score --now TIME` tells both."
        )
    return "".join(f"<p>{escape(note)}</p>" for note in notes)


def _tiles(board: _Board) -> str:
    tiles = (
        ("fire", "on fire", "hot"),
        ("waiting", "wait for us", ""),
        ("promise-agent-broken", "with a broken promise of ours", "hot"),
        ("promise-agent-due", "with a promise of ours due", ""),
        ("leaving-silent", "gone quiet after a sign of leaving", ""),
        ("findings", "with a reply of ours to mend", ""),
    )
    links = (
        f'<a class="{style}" href="#{key}"><b>{board[key].total:,}</b>{label}</a>'
        for key, label, style in tiles
    )
    return f"<nav>{''.join(links)}</nav>"


def _sections(board: _Board) -> Iterator[str]:
    yield _heading("On fire, and why",
                   "The next step is urgent (within the hour), or the customer's last message is "
                   "at the highest grade of frustration or churn risk.")  # fmt: skip
    yield f"<h3>Why: the {_REASONS} most frequent reasons</h3>"
    yield _rows(board, "why-", lambda name: (name, ""), most_frequent=_REASONS)
    yield "<h3>Which</h3>" + _row(board, "fire", "on fire", is_open=True)
    yield _row(board, "waiting", "wait for us", "The customer wrote last and wants something.")
    yield _heading("By week", _KEY + "Week of the customer's last message.") + _weeks(board)
    yield _heading("By topic", _KEY + "A thread counts in each topic that its customer raised.")
    yield _rows(board, "topic-", _topic)
    yield _heading("By next action", _KEY + "Each thread counts once, under what to do first.")
    yield _rows(board, "action-", _action)
    yield _heading("Promises", "Threads with at least one such promise.")
    yield "<h3>Ours</h3>" + _promises(board, "agent")
    yield "<h3>The customer's</h3>" + _promises(board, "customer")
    yield _heading("Leaving without a word",
                   "Threads in which the customer showed a sign of leaving and nothing shows that "
                   "the matter is settled.")  # fmt: skip
    for key, label, hint in _LEAVING:
        is_open = key == "leaving-silent"
        yield _row(board, key, label, hint, quotes=_churn_quotes, is_open=is_open)
    yield _heading("What our replies do wrong", "Threads with at least one such reply.")
    yield _row(board, "findings", "any finding", of=board["threads"].total)
    yield _rows(board, "finding-", _finding)
    yield _row(board, "conflicts", "statements that do not fit", "Two of our own, in one thread.",
               quotes=_parts_of("conflicts", "first", "second"))  # fmt: skip
    yield _row(board, "unanswered", "questions passed over", "Our replies did not answer them.",
               quotes=_parts_of("unanswered", "question"))  # fmt: skip


_KEY: Final = (
    '<span class="key hot">on fire</span> &nbsp; <span class="key">all others</span> &nbsp; '
)
_LEAVING: Final = (
    (
        "leaving-silent",
        "gone quiet",
        "A sign of leaving, then no message by either side for a week or more.",
    ),
    ("leaving-polite", "polite to the end", "A sign of leaving without a word of annoyance."),
    ("leaving", "any sign of leaving", ""),
)
_PROMISE_STATES: Final = (
    ("broken", "not kept in time"),
    ("due", "about to fall due"),
    ("open", "still open"),
    ("renegotiated", "moved to another date"),
    ("told_in_advance", "will not be kept, and the other side was told in time"),
    ("kept", ""),
)


def _promises(board: _Board, by: str) -> str:
    most = max(board[f"promise-{by}-{state}"].total for state, _ in _PROMISE_STATES)
    return "".join(
        _row(board, f"promise-{by}-{state}", _words(state), hint, of=most,
             quotes=_promise_quotes(by, state), is_open=(by, state) == ("agent", "broken"))
        for state, hint in _PROMISE_STATES
        if board[f"promise-{by}-{state}"].total or (by == "agent" and state in ("broken", "due"))
    ) or '<p class="none">none</p>'  # fmt: skip


def _topic(cue: str) -> tuple[str, str]:
    return _words(cue), reason(f"now.{cue}") if cue in CUES else ""


def _action(name: str) -> tuple[str, str]:
    return _words(name), "No recommendation, for this reason." if name.startswith("none") else ""


def _finding(name: str) -> tuple[str, str]:
    if name not in FINDINGS:
        return _words(name), ""
    because, better = verdict(name)
    return _words(name), f"{because}. Better: {better}."


def _heading(title: str, about: str) -> str:
    """Return a section's head; `about` is our own HTML."""
    return f'<h2>{title}</h2><p class="about">{about}</p>'


def _rows(
    board: _Board,
    prefix: str,
    named: Callable[[str], tuple[str, str]],
    *,
    most_frequent: int | None = None,
) -> str:
    found = [key for key in board if key.startswith(prefix)]
    if not found:
        return '<p class="none">none</p>'
    found.sort(key=lambda key: (-board[key].total, key))
    most = board[found[0]].total
    return "".join(
        _row(board, key, *named(key.removeprefix(prefix)), of=most) for key in found[:most_frequent]
    )


#: Words of the thread, each with a note of ours.
_Quotes = Callable[[Record], Iterable[tuple[object, str]]]


def _row(
    board: _Board,
    key: str,
    label: str,
    hint: str = "",
    *,
    of: int | None = None,
    quotes: _Quotes | None = None,
    is_open: bool = False,
    style: str = "",
) -> str:
    """Return one number that opens its threads."""
    number = board[key]
    told = of and 0 < number.fire < number.total
    share = f"<small>{number.fire:,} on fire</small>" if told else ""
    hinted = f'<span class="hint">{escape(_sentence(hint))}</span>' if hint else ""
    cases = "".join(
        _case(record, quotes or _action_quotes) for _, _, record in sorted(number.top, reverse=True)
    )
    left = number.total - len(number.top)
    more = f'<p class="more">… and {left:,} more</p>' if left else ""
    identifier = escape("-".join(key.split()))
    opened = f"<ol>{cases}</ol>{more}" if cases else '<p class="none">none</p>'
    return (
        f'<details id="{identifier}" class="{style}"{" open" if is_open and cases else ""}>'
        f'<summary><span class="name">{escape(label)}</span>'
        f'<span class="middle">{_bar(number, of)}{hinted}</span>'
        f'<span class="number">{number.total:,}{share}</span></summary>'
        f"{opened}</details>"
    )


def _bar(number: _Number, of: int | None) -> str:
    if not of:
        return ""
    hot, whole = (round(100 * n / of, 2) for n in (number.fire, number.total))
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{whole}" height="8"/><rect class="hot" width="{hot}" height="8"/></svg>'
    )


def _case(record: Record, quotes: _Quotes) -> str:
    fire = _Facts(record).fire
    advice, state = record.get("recommendation") or {}, record.get("state") or {}
    action = advice.get("primary")
    todo = [_words(advice.get("channel")), _words(advice.get("timing"))] if action else []
    head = f"<b>{escape(_words(action or 'no recommendation'))}</b>"
    about = [
        f"<bdi>{escape(_short(record.get('subject') or record.get('thread_id') or ''))}</bdi>",
        escape(_day(_last_date(record))),
        "" if action == "close" else escape(_wait(state)),
    ]
    because = "; ".join(map(str, _primary(advice).get("because") or ()))
    words = "".join(
        f"<q><mark><bdi>{escape(_short(text))}</bdi></mark></q>{escape(note)} "
        for text, note in list(dict.fromkeys(quotes(record)))[:_QUOTES]
    )
    return (
        f"<li{' class=hot' if fire else ''}>{' · '.join([head, *map(escape, todo)])}<br>"
        f"<small>{' · '.join(one for one in about if one)}</small>"
        + (f"<p>{escape(_sentence(because))}.</p>" if because else "")
        + (f"<p>{words}</p>" if words else "")
        + "</li>"
    )


def _action_quotes(record: Record) -> Iterable[tuple[object, str]]:
    evidence = _primary(record.get("recommendation") or {}).get("evidence") or ()
    return ((one.get("text"), "") for one in evidence)


def _churn_quotes(record: Record) -> Iterable[tuple[object, str]]:
    for message in record.get("messages") or ():
        signal = (message.get("signals") or {}).get("churn_risk") or {}
        if signal.get("grade"):
            yield from ((one.get("text"), "") for one in signal.get("evidence") or ())


def _parts_of(key: str, *parts: str) -> _Quotes:
    def quotes(record: Record) -> Iterable[tuple[object, str]]:
        for one in record.get(key) or ():
            yield from ((one[part].get("text"), "") for part in parts if one.get(part))

    return quotes


def _promise_quotes(by: str, state: str) -> _Quotes:
    def quotes(record: Record) -> Iterable[tuple[object, str]]:
        for one in record.get("commitments") or ():
            if (one.get("by"), one.get("state")) == (by, state):
                yield one.get("text"), f"due {_moment(one['due'])}" if one.get("due") else ""

    return quotes


def _weeks(board: _Board) -> str:
    """Return a column a week, and under it the week's threads once they are asked for."""
    keys = _dated_weeks(board)
    shown = _calendar(keys)
    before = [key for key in keys if key not in shown]
    most = max((board[key].total for key in shown), default=1)
    columns = "".join(_column(board, key, most) for key in shown)
    rows = "".join(
        _row(board, key, f"week of {_day(key[5:])}", of=most, style="week") for key in shown
    )
    for key, parts in (("week-earlier", before), ("week-undated", ["week-undated"])):
        board_of = {key: _merged([board[part] for part in parts if part in board])}
        if board_of[key].total:
            rows += _row(defaultdict(_Number, board_of), key, key.removeprefix("week-"))
    return f'<div class="weeks">{columns}</div>{rows}'


def _calendar(keys: Sequence[str]) -> list[str]:
    """Return the last weeks up to the newest of `keys`, those without a thread too."""
    if not keys:
        return []
    newest = date.fromisoformat(keys[-1].removeprefix("week-"))
    weeks = min(_WEEKS, (newest - date.min).days // 7)
    spans = (f"week-{newest - timedelta(weeks=back)}" for back in reversed(range(weeks)))
    return [key for key in spans if key >= keys[0]]


def _dated_weeks(board: _Board) -> list[str]:
    return sorted(key for key in board if key.startswith("week-") and key != "week-undated")


def _merged(numbers: Sequence[_Number]) -> _Number:
    listed = max((len(one.top) for one in numbers), default=0)
    return _Number(
        sum(one.total for one in numbers),
        sum(one.fire for one in numbers),
        heapq.nlargest(listed, (case for one in numbers for case in one.top)),
    )


def _column(board: _Board, key: str, most: int) -> str:
    number = board[key]
    whole, hot = (round(100 * n / most, 2) for n in (number.total, number.fire))
    return (
        f'<a href="#{escape(key)}"><b>{number.total:,}</b>'
        '<svg viewBox="0 0 10 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="10" y="{100 - whole:.2f}" height="{whole}"/>'
        f'<rect class="hot" width="10" y="{100 - hot:.2f}" height="{hot}"/></svg>'
        f"{escape(_day(key[5:])[:-5])}</a>"
    )


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _short(text: object) -> str:
    whole = " ".join(str(text)[: 4 * _QUOTE_CHARS].split())
    return whole if len(whole) <= _QUOTE_CHARS else whole[:_QUOTE_CHARS] + "…"


def _day(day: str) -> str:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return day
    return f"{found.day} {found:%b %Y}"


def _moment(value: object) -> str:
    try:
        found = datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return str(value)
    return f"{found.day} {found:%b %Y %H:%M} UTC"


def _wait(state: Record) -> str:
    side = {"company": "waits for us", "customer": "waits for the customer"}.get(
        str(state.get("waiting_on")), ""
    )
    hours = state.get("silent_hours")
    if not side or not isinstance(hours, int | float):
        return side
    return f"{side}, {hours:.0f} h" if hours < 72 else f"{side}, {hours / 24:.0f} days"

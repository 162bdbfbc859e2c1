"""Sources to sinks: whole inboxes scored, nothing lost, the same bytes however it is run."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from customer_nlp.analyzer import Analyzer, load
from customer_nlp.codebook import CORE_SIGNALS
from customer_nlp.errors import InvalidRecordError, ParseError, SourceError
from customer_nlp.readers import read
from customer_nlp.records import Thread
from customer_nlp.timeline import LEAD_HOURS

__all__ = ["CSV_COLUMNS", "Summary", "score"]

#: Threads handed to a worker at once; results do not depend on it.
_CHUNK: Final = 64
SUFFIXES: Final = (".jsonl", ".csv", ".parquet")
CSV_COLUMNS: Final = (
    "thread_id", "after", "primary", "probability", "channel", "timing", "actions", "avoid",
    "abstained", "because", *CORE_SIGNALS, "cues", "waiting_on", "contacts", "messages",
)  # fmt: skip


@dataclass(slots=True)
class Summary:
    """What became of every record: ``read == scored + rejected``.

    Attributes
    ----------
    read, scored, rejected : int
        Messages; those of a rejected record count as one.
    threads : int
        Threads written about.
    primary : Counter
        Threads by their first action.
    abstained : Counter
        Threads without a recommendation, by reason.
    reasons : Counter
        Rejected records by reason.
    """

    scored: int = 0
    rejected: int = 0
    threads: int = 0
    primary: Counter[str] = field(default_factory=Counter)
    abstained: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """Records that came in."""
        return self.scored + self.rejected

    def lines(self) -> list[str]:
        """Return the summary as lines to print; no text of any message."""
        lines = [
            f"{self.read} messages read = {self.scored} scored + {self.rejected} rejected, "
            f"in {self.threads} threads"
        ]
        for title, counts in (
            ("first actions", self.primary),
            ("no recommendation", self.abstained),
            ("rejected", self.reasons),
        ):
            if counts:
                ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
                lines.append(f"{title}: " + ", ".join(f"{name} {n}" for name, n in ranked))
        return lines


def score(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    analyzer: Analyzer | None = None,
    model: str | None = None,
    format: str = "auto",  # noqa: A002 - the same public name as in `read`
    own_domains: Iterable[str] = (),
    jobs: int = 1,
    every_turn: bool = False,
    now: datetime | None = None,
    lead_hours: float = LEAD_HOURS,
    on_record: Callable[[Thread, dict[str, Any]], object] | None = None,
) -> Summary:
    """Score whole sources into one file.

    Parameters
    ----------
    sources : sequence of str or path
        What `readers.read` takes.
    out : str or path
        Ends with ``.jsonl``, ``.csv`` or ``.parquet``. Written aside and renamed when complete, so
        under its own name it is never half-written. Rejected records go to
        ``<out>.rejects.jsonl``, if there are any.
    analyzer : Analyzer, optional
        Used with one job; loaded when missing.
    model : str, optional
        Name or folder of the model, for `load`.
    format, own_domains
        As for `readers.read`.
    jobs : int, default=1
        Processes. The output is the same bytes for any number.
    every_turn, now, lead_hours
        As for `Analyzer.analyze_many`.
    on_record : callable, optional
        Called with each thread and each record written about it, in order.

    Returns
    -------
    Summary
        Counts. Cost: linear in the input.

    Raises
    ------
    SourceError
        When a source as a whole cannot be read, or `out` cannot be written; nothing is left under
        the name `out`.
    InvalidRecordError
        For an `out` of another kind or that is one of the sources, or `jobs` below 1.
    """
    target = Path(out)
    if target.suffix not in SUFFIXES:
        raise InvalidRecordError(
            f"The output must end with one of {', '.join(SUFFIXES)}; got another ending.",
            field="out",
        )
    if jobs < 1:
        raise InvalidRecordError(f"The jobs must be at least 1; got {jobs}.", field="jobs")
    _keep_apart(target, sources)
    summary = Summary()
    rejects: list[ParseError] = []
    domains = tuple(own_domains)
    # every source is opened before anything is written: a wrong name costs nothing
    streams = [
        read(source, format, own_domains=domains, on_error=rejects.append) for source in sources
    ]
    threads = (thread for stream in streams for thread in stream)
    options = {"now": now, "every_turn": every_turn, "lead_hours": lead_hours}
    with _sink(target) as write:
        for thread, records in _analyses(threads, analyzer, model, jobs, options):
            summary.threads += 1
            summary.scored += len(thread)
            for record in records:
                write(record)
                if on_record is not None:
                    on_record(thread, record)
            _count(summary, records[-1])
    _write_rejects(target, rejects, summary)
    return summary


def _keep_apart(target: Path, sources: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse to write over what is read: a table may end with .csv or .jsonl too."""
    if target.is_dir():
        raise SourceError(
            "The output must be a file; got a folder. Name a file in it.", source=str(target)
        )
    for path in (target, _rejects_path(target)):
        if path.exists() and any(_is_same(path, source) for source in sources):
            raise InvalidRecordError(
                "The output must be another file than the sources; got one of them. "
                "Choose another name.",
                field="out",
            )


def _is_same(path: Path, source: str | os.PathLike[str]) -> bool:
    try:
        return path.samefile(source)
    except (OSError, ValueError):  # no such source: `read` says so
        return False


def _rejects_path(target: Path) -> Path:
    return target.with_name(target.name + ".rejects.jsonl")


def _count(summary: Summary, record: dict[str, Any]) -> None:
    recommendation = record["recommendation"]
    if recommendation["abstained"]:
        summary.abstained[recommendation["abstained"]] += 1
    else:
        summary.primary[recommendation["primary"]] += 1


def _analyses(
    threads: Iterator[Thread],
    analyzer: Analyzer | None,
    model: str | None,
    jobs: int,
    options: dict[str, Any],
) -> Iterator[tuple[Thread, list[dict[str, Any]]]]:
    if jobs == 1:
        analyzer = analyzer or load(model)
        while chunk := list(islice(threads, _CHUNK)):
            yield from zip(chunk, _records(analyzer, chunk, options), strict=True)
        return
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch=2 * jobs)
    chunks = iter(lambda: list(islice(threads, _CHUNK)), [])
    for chunk, records in pool(delayed(_work)(model, chunk, options) for chunk in chunks):
        yield from zip(chunk, records, strict=True)


_LOADED: dict[str | None, Analyzer] = {}


def _work(
    model: str | None, chunk: list[Thread], options: dict[str, Any]
) -> tuple[list[Thread], list[list[dict[str, Any]]]]:
    """Score a chunk in a worker process, which loads the model once."""
    if model not in _LOADED:
        _LOADED[model] = load(model)
    return chunk, _records(_LOADED[model], chunk, options)


def _records(
    analyzer: Analyzer, chunk: list[Thread], options: dict[str, Any]
) -> list[list[dict[str, Any]]]:
    """Return the records of each thread: one, or one after each customer message."""
    if options["every_turn"]:
        return [
            [one.to_dict() for one in analyzer.analyze_many([thread], **options)]
            for thread in chunk
        ]
    return [[one.to_dict()] for one in analyzer.analyze_many(chunk, **options)]


@contextmanager
def _sink(target: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Write records aside and put the file in place when all of it is on the disk."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with _said_plainly(target):
        handle = part.open("xb")  # with the permissions that the user's umask leaves
    try:
        with handle:
            write, finish = _WRITERS[target.suffix](handle)

            def write_or_say(record: dict[str, Any]) -> None:
                with _said_plainly(target):
                    write(record)

            yield write_or_say
            with _said_plainly(target):
                finish()
                handle.flush()
                os.fsync(handle.fileno())
        with _said_plainly(target):
            part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _said_plainly(target: Path) -> Iterator[None]:
    """Turn a full disk or a folder of somebody else's into an error of ours."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"The output cannot be written: {error.strerror or type(error).__name__}. "
            "Check that its folder exists and is yours, and that the disk is not full.",
            source=str(target),
        ) from error


_Writer = tuple[Callable[[dict[str, Any]], None], Callable[[], None]]


def _jsonl(handle: IO[bytes]) -> _Writer:
    def write(record: dict[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        # A lone surrogate (of a file name that is no UTF-8) becomes \udXXX: valid JSON, reversible.
        handle.write(line.encode("utf-8", "backslashreplace") + b"\n")

    return write, lambda: None


def _csv(handle: IO[bytes]) -> _Writer:
    text = io.TextIOWrapper(
        handle, "utf-8", errors="backslashreplace", newline="", write_through=True
    )
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)

    def write(record: dict[str, Any]) -> None:
        writer.writerow([_safe_cell(value) for value in _flat(record).values()])

    def finish() -> None:
        text.flush()
        text.detach()

    return write, finish


def _parquet(handle: IO[bytes]) -> _Writer:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        from customer_nlp.errors import MissingExtraError

        raise MissingExtraError("pyarrow", "parquet") from error
    rows: list[dict[str, Any]] = []
    numbers = {"probability", *CORE_SIGNALS}
    counts = {"contacts", "messages"}
    schema = pa.schema(
        [
            (
                name,
                pa.float64() if name in numbers else pa.int64() if name in counts else pa.string(),
            )
            for name in (*CSV_COLUMNS, "record")
        ]
    )
    writer = pq.ParquetWriter(handle, schema, compression="zstd")

    def flush() -> None:
        writer.write_table(pa.Table.from_pylist(rows, schema))
        rows.clear()

    def write(record: dict[str, Any]) -> None:
        rows.append({**_flat(record), "record": json.dumps(record, ensure_ascii=False)})
        if len(rows) >= 4096:
            flush()

    def finish() -> None:
        flush()
        writer.close()

    return write, finish


_WRITERS: Final[dict[str, Callable[[IO[bytes]], _Writer]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """One row of a table: what a spreadsheet needs of a record."""
    advice = record["recommendation"]
    customer = [one for one in record["messages"] if one["signals"]]
    cues = sorted({cue for one in customer for cue in one["cues"]})
    top = next((one for one in advice["actions"] if one["action"] == advice["primary"]), None)
    row = {
        "thread_id": record["thread_id"],
        "after": record["after"],
        "primary": advice["primary"],
        "probability": top["probability"] if top else None,
        "channel": advice["channel"],
        "timing": advice["timing"],
        "actions": " ".join(one["action"] for one in advice["actions"]),
        "avoid": " ".join(advice["avoid"]),
        "abstained": advice["abstained"],
        "because": "; ".join(top["because"]) if top else None,
    }
    for name in CORE_SIGNALS:
        row[name] = customer[-1]["signals"][name]["probability"] if customer else None
    row["cues"] = " ".join(cues)
    row["waiting_on"] = record["state"]["waiting_on"]
    row["contacts"] = record["state"]["contacts"]
    row["messages"] = len(record["messages"])
    return row


def _safe_cell(value: object) -> object:
    """Keep a spreadsheet from running a cell: a leading = + - @ or control character is quoted."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return value


def _write_rejects(target: Path, rejects: Sequence[ParseError], summary: Summary) -> None:
    path = _rejects_path(target)
    summary.rejected = len(rejects)
    summary.reasons.update(error.reason for error in rejects)
    if not rejects:
        path.unlink(missing_ok=True)
        return
    with _sink(path) as write:
        for error in rejects:
            write(
                {
                    "source": error.source,
                    "index": error.index,
                    "reason": error.reason,
                    "sha256": error.sha256,
                }
            )

"""The shell: ``customer-nlp score``, ``explain``, ``train`` … The only place that prints."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from customer_nlp.errors import CustomerNlpError, InvalidRecordError, ParseError, SourceError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from customer_nlp.batch import AccountsSummary, OutreachSummary, Progress, Summary
    from customer_nlp.policy import Policy
    from customer_nlp.records import Thread

__all__ = ["help_text", "main"]

#: Rows of the table that `score` prints; the file holds all.
MAX_ROWS: Final = 40
#: Pieces of evidence that a row of it shows.
MAX_WORDS: Final = 3
_PLAIN_WIDTH: Final = 140
_PROGRESS_SECONDS: Final = 0.5
#: One word that ends like a file we read.
_FILE_NAME: Final = re.compile(
    r"\S+\.(?:mbox|eml|csv|tsv|jsonl?|ndjson|parquet|txt)", re.IGNORECASE
)
_STYLES: Final = {"confusion": "black on yellow", "frustration": "white on red",
                  "churn_risk": "white on magenta"}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the shell command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name; taken from the process when missing.

    Returns
    -------
    int
        0 when all went well, 2 for wrong input, 1 when interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a window of another charset shows "?"
            stream.reconfigure(errors="replace")
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.run is not _evaluate:
        _parser().error(f"unknown arguments: {' '.join(rest)}")
    options.rest = rest
    if "verbose" in options:
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", force=True)
        logging.getLogger("customer_nlp").setLevel(logging.DEBUG)
    try:
        return int(options.run(options))
    except CustomerNlpError as error:
        # a ParseError begins with its source
        where = None if isinstance(error, ParseError) else getattr(error, "source", None)
        # a file's name may hold what steers a terminal, just as a subject may
        print(_clean(f"customer-nlp: {f'{where}: ' if where else ''}{error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        onward = " The same command with --resume goes on from here." * (options.run is _score)
        print("customer-nlp: interrupted; nothing was written under the output's name."
              f"{onward}", file=sys.stderr)  # fmt: skip
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:  # a disk that fails while we read, or is full
        print(f"customer-nlp: {error.strerror or type(error).__name__}. Check the source, the "
              "output and the disk.", file=sys.stderr)  # fmt: skip
        return 2


class _Narrow(argparse.HelpFormatter):
    """Help for a window of 80 columns, whatever the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


def help_text() -> str:
    """Return what ``customer-nlp --help`` prints in a window of 80 columns."""
    parser = _parser()
    parser.formatter_class = _Narrow
    return parser.format_help()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="customer-nlp",
        description="Reads what customers write and says what to do next.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    score = commands.add_parser("score", help="score mailboxes, tables and exports into a file")
    _add_sources(score)
    score.add_argument("--out", required=True, metavar="FILE",
                       help="where to write: .jsonl, .csv or .parquet")  # fmt: skip
    score.add_argument("--jobs", type=int, default=1, metavar="N",
                       help="processes; the output is the same for any number")  # fmt: skip
    score.add_argument("--every-turn", action="store_true",
                       help="one record after each customer message")  # fmt: skip
    score.add_argument("--resume", action="store_true",
                       help="go on where the same command was killed")  # fmt: skip
    score.add_argument("--since-state", metavar="FILE",
                       help="score only what changed since the last run, kept here")  # fmt: skip
    score.add_argument("--partition-by", choices=("week", "primary"),
                       help="write a folder of Parquet files, one a value")  # fmt: skip
    score.add_argument("--keep-raw", action="store_true",
                       help="write rejected records too, not only their hash")  # fmt: skip
    score.add_argument("--progress", choices=("auto", "json", "none"), default="auto",
                       help="on standard error: a bar on a terminal, or JSON lines")  # fmt: skip
    score.add_argument("--redact", action="store_true",
                       help="mask addresses, numbers and names, then score")  # fmt: skip
    _add_reading(score)
    _add_policy(score)
    score.set_defaults(run=_score)

    explain = commands.add_parser("explain", help="show one message or thread with its evidence")
    explain.add_argument("source", metavar="TEXT-OR-FILE",
                         help="a message as text, a file, or - for standard input")  # fmt: skip
    explain.add_argument("--thread", metavar="ID", help="which thread of the file; else the first")
    _add_reading(explain)
    _add_policy(explain)
    explain.set_defaults(run=_explain)

    review = commands.add_parser("review", help="check a reply before it is sent")
    review.add_argument("draft", metavar="TEXT-OR-FILE",
                        help="the reply, its file, or - for standard input")  # fmt: skip
    review.add_argument("--thread", metavar="FILE", help="the thread that the reply answers")
    review.add_argument("--own-domain", action="append", default=[], metavar="DOMAIN",
                        help="a domain of ours; its mails are the agents'")  # fmt: skip
    review.add_argument("--format", default="auto", help="of the thread; detected when missing")
    review.add_argument("--json", action="store_true", help="print JSON")
    review.add_argument("--model", metavar="NAME-OR-FOLDER", help="instead of the shipped model")
    review.set_defaults(run=_review)

    train = commands.add_parser("train", help="learn signals of your own from labelled messages")
    train.add_argument("source", metavar="TABLE", help="CSV, JSON Lines or Parquet")
    train.add_argument("--labels", required=True, metavar="A,B",
                       help="columns of 1/0, yes/no or grades 0-3; empty is unknown")  # fmt: skip
    train.add_argument("--out", required=True, metavar="FOLDER", help="the model folder to write")
    train.add_argument("--text", default="text", metavar="COLUMN", help="column of the messages")
    train.add_argument("--group", metavar="COLUMN", help="thread or customer of each message")
    train.add_argument("--model", metavar="NAME-OR-FOLDER", help="instead of the shipped model")
    train.add_argument("--curve", action="store_true", help="also show what more labels bring")
    train.add_argument("--noise", action="store_true",
                       help="also list rows whose labels are likely wrong")  # fmt: skip
    train.set_defaults(run=_train)

    accounts = commands.add_parser("accounts", help="gather what is known of each customer")
    _add_sources(accounts)
    accounts.add_argument("--out", required=True, metavar="FILE",
                          help="where to write, for outreach: .jsonl")  # fmt: skip
    _add_reading(accounts)
    accounts.set_defaults(run=_accounts)

    outreach = commands.add_parser("outreach", help="decide on planned sales and survey contacts")
    outreach.add_argument("planned", metavar="PLANNED.csv",
                          help="columns account, kind, channel, at; about, text")  # fmt: skip
    outreach.add_argument("--accounts", required=True, metavar="FILE", help="accounts, JSON Lines")
    _add_holidays(outreach)
    outreach.add_argument("--out", required=True, metavar="FILE", help="where to write: CSV")
    outreach.set_defaults(run=_outreach)

    report = commands.add_parser("report", help="one page: what is on fire, why, and what to do")
    report.add_argument("analyses", nargs="+", metavar="ANALYSES",
                        help="what score wrote: .jsonl, .parquet or a folder of it")  # fmt: skip
    report.add_argument("-o", "--out", required=True, metavar="FILE", help="the page: .html")
    report.add_argument("--listed", type=int, metavar="N",
                        help="threads listed under each number; totals are exact")  # fmt: skip
    report.set_defaults(run=_report)

    evaluate = commands.add_parser(
        "evaluate", help="measure a model on the corpus, beside its peers", add_help=False
    )
    evaluate.set_defaults(run=_evaluate)

    serve = commands.add_parser("serve", help="score over HTTP, take in helpdesks' webhooks")
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="port to listen on")
    serve.add_argument("--processes", type=int, metavar="N", help="processes that answer")
    serve.add_argument("--database", metavar="URL", help="such as sqlite:///customer_nlp.db")
    task = serve.add_mutually_exclusive_group()
    task.add_argument("--add-key", metavar="TENANT", help="make an API key and print it once")
    task.add_argument("--revoke-key", metavar="ID", help="end a key and its sessions")
    task.add_argument("--keys", action="store_true", help="list the keys that hold")
    task.add_argument("--dead-letters", choices=("list", "replay"),
                      help="jobs that were given up: show them, or try them again")  # fmt: skip
    serve.add_argument("--scope", action="append", metavar="NAME",
                       help="what --add-key allows: score, read, feedback; else all")  # fmt: skip
    serve.add_argument("--job", action="append", type=int, default=[], metavar="N",
                       help="which dead letter to replay; else all")  # fmt: skip
    serve.set_defaults(run=_serve)

    models = commands.add_parser("models", help="list models and verify their files")
    models.add_argument("folders", nargs="*", metavar="FOLDER",
                        help="of models of your own; else those that ship")  # fmt: skip
    models.set_defaults(run=_models)

    data = commands.add_parser("data", help="the training data").add_subparsers(
        title="data commands", required=True, metavar="COMMAND"
    )
    fetch = data.add_parser("fetch", help="get the public texts that our labels refer to")
    fetch.add_argument("--to", default="data/raw", metavar="FOLDER", help="where to put them")
    fetch.set_defaults(run=_fetch)
    for command in (parser, *commands.choices.values()):
        command.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS,
                             help="say on standard error what is done; never any text")  # fmt: skip
    return parser


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--own-domain", action="append", default=[], metavar="DOMAIN",
                        help="a domain of ours; its mails are the agents'")  # fmt: skip
    parser.add_argument(
        "--format",
        default="auto",
        help="of the source, such as mbox or zendesk; detected when missing",
    )
    parser.add_argument("--model", metavar="NAME-OR-FOLDER", help="instead of the shipped model")
    parser.add_argument("--now", metavar="TIME",
                        help="ISO 8601; judge promises and silence by this time")  # fmt: skip
    parser.add_argument("--lead-hours", type=float, default=24.0, metavar="HOURS",
                        help="with --now: how early to update before a deadline")  # fmt: skip
    _add_holidays(parser)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="SOURCE",
                        help="mbox, Maildir, .eml or a folder of them, CSV, JSON Lines, "
                             "Parquet, a helpdesk's export, imaps://user@host/mailbox")  # fmt: skip


def _add_holidays(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--holidays", metavar="COUNTRY",
                        help="no working days, such as GB; needs the extra holidays")  # fmt: skip


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", metavar="FILE",
                        help="a company's own rules: a TOML or JSON file")  # fmt: skip


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    # in a pipe there is no window to fit: a fixed width gives the same text everywhere
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, width=_PLAIN_WIDTH)
    )


def _say(console: Console, line: str) -> None:
    """Print a line as it is: no markup, no ":emoji:" codes, and not cut at the window's width."""
    console.print(_clean(line), markup=False, emoji=False, soft_wrap=True)


def _policy(options: argparse.Namespace) -> Policy | None:
    from customer_nlp.policy import Policy

    return None if options.policy is None else Policy.from_file(options.policy)


def _now(options: argparse.Namespace) -> datetime | None:
    if options.now is None:
        return None
    try:
        moment = datetime.fromisoformat(options.now)
    except ValueError as error:
        raise InvalidRecordError(
            "The --now must be an ISO 8601 date and time, such as 2026-03-02T09:00:00Z.",
            field="now",
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _score(options: argparse.Namespace) -> int:
    from customer_nlp import batch

    rows: list[tuple[Thread, dict[str, Any]]] = []

    def keep(thread: Thread, record: dict[str, Any]) -> bool:
        rows.append((thread, record))
        return len(rows) < MAX_ROWS

    with _progress(options.progress) as on_progress:
        summary = batch.score(
            options.sources,
            options.out,
            model=options.model,
            format=options.format,
            own_domains=options.own_domain,
            jobs=options.jobs,
            every_turn=options.every_turn,
            now=_now(options),
            lead_hours=options.lead_hours,
            holidays=options.holidays,
            policy=_policy(options),
            resume=options.resume,
            keep_raw=options.keep_raw,
            partition_by=options.partition_by,
            since_state=options.since_state,
            redact=options.redact,
            on_record=keep,
            on_progress=on_progress,
        )
    console = _console()
    console.print(_table(rows))
    if summary.records > len(rows):
        _say(console, f"… and {summary.records - len(rows)} more records in the file")
    _print_summary(console, summary, options.out)
    return 0


@contextmanager
def _progress(kind: str) -> Iterator[Callable[[Progress], object] | None]:
    """Show a bar with rate and time left on a terminal, JSON if asked, else nothing."""
    if kind == "json":
        yield _JsonProgress()
    elif kind == "none" or not sys.stderr.isatty():
        yield None
    else:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[messages]} messages, {task.fields[rate]:.0f}/s"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        start = time.monotonic()
        with Bars(*columns, console=_console(stderr=True), transient=True) as bars:
            task = bars.add_task("score", total=1.0, messages=0, rate=0.0)

            def show(progress: Progress) -> None:
                rate = progress.messages / max(time.monotonic() - start, 1e-9)
                bars.update(
                    task, completed=progress.fraction, messages=progress.messages, rate=rate
                )

            yield show


class _JsonProgress:
    """One JSON object a line, twice a second at most, and one at the end."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        seconds = time.monotonic() - self._start
        if seconds < self._next and progress.fraction < 1:
            return
        self._next = seconds + _PROGRESS_SECONDS
        share = progress.fraction
        shown = {
            **progress._asdict(),
            "fraction": round(share, 4),
            "per_second": round(progress.messages / max(seconds, 1e-9), 1),
            "seconds_left": round(seconds / share * (1 - share), 1) if share else None,
        }
        print(json.dumps(shown), file=sys.stderr, flush=True)


def _print_summary(
    console: Console, summary: Summary | AccountsSummary | OutreachSummary, out: str
) -> None:
    for line in summary.lines():
        _say(console, line)
    _say(console, f"written: {out}")
    if summary.rejected:
        _say(console, f"rejected records: {out}.rejects.jsonl")


def _table(rows: Sequence[tuple[Thread, dict[str, Any]]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("thread", max_width=30, no_wrap=True)
    table.add_column("who", max_width=24, no_wrap=True)
    table.add_column("do next", no_wrap=True)
    table.add_column("p", justify="right")
    table.add_column("channel")
    table.add_column("words that led to it", ratio=1)
    for thread, record in rows:
        table.add_row(*_row(thread, record))
    return table


def _row(thread: Thread, record: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    advice = record["recommendation"]
    customer = next((m for m in thread.messages if m.role == "customer"), None)
    who = (customer.sender if customer else None) or "-"
    name = thread.subject or thread.id
    if advice["abstained"]:
        cells = [name, who, "-", "", "", f"({advice['abstained']})"]
    else:
        top = next(one for one in advice["actions"] if one["action"] == advice["primary"])
        found = dict.fromkeys(_printable(e["text"]) for e in top["evidence"])
        words = " … ".join(list(found)[:MAX_WORDS])
        cells = [name, who, advice["primary"], f"{top['probability']:.2f}", advice["channel"],
                 f"“{words}”" if words else "; ".join(top["because"])]  # fmt: skip
    return [Text(_printable(cell)) for cell in cells]


def _printable(text: str) -> str:
    """Return text without control characters: a subject must not steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _explain(options: argparse.Namespace) -> int:
    from customer_nlp.analyzer import as_thread, load
    from customer_nlp.readers import is_on_server

    if options.source == "-":
        thread = as_thread(_standard_input())
    elif _is_path(options.source) or is_on_server(options.source):
        thread = _found(options.source, options.thread, options.format, options.own_domain)
    else:
        thread = as_thread(_given(options.source))
    analysis = load(options.model).analyze(
        thread,
        now=_now(options),
        lead_hours=options.lead_hours,
        holidays=options.holidays,
        policy=_policy(options),
    )
    record = analysis.to_dict()
    _print_thread(_console(), thread, record)
    return 0


def _standard_input() -> str:
    raw = getattr(sys.stdin, "buffer", None)
    return _decoded(raw.read()) if raw else sys.stdin.read()


def _found(source: str, name: str | None, kind: str, own_domains: Sequence[str]) -> Thread:
    """Return the thread of a source that is called so, or the first."""
    from customer_nlp.analyzer import as_thread
    from customer_nlp.readers import read

    threads = read(source, kind, own_domains=own_domains, on_error="skip")
    found = next((thread for thread in threads if name in (None, thread.id)), None)
    if found is None:
        raise InvalidRecordError(
            "The source holds no message that can be read; score says why of each record."
            if name is None
            else "The source has no such thread. Leave --thread out for the first one.",
            field="thread",
        )
    return as_thread(found)


def _is_path(source: str) -> bool:
    try:
        # no words at all are an empty message, not the current folder
        if bool(source.strip()) and Path(source).exists():
            return True
    except (OSError, ValueError):
        return False
    if _FILE_NAME.fullmatch(source):  # a mistyped name must not be read as a customer's words
        raise SourceError(
            "Expected words or a file that is there; there is no such file. Check the name, or "
            "put a space behind words that look like one.",
            source=source,
        )
    return False


def _given(words: str) -> str:
    """Return words of the command line, where bytes that are no UTF-8 came as lone surrogates."""
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _print_thread(console: Console, thread: Thread, record: dict[str, Any]) -> None:
    from rich.text import Text

    for message, shown in zip(thread.messages, record["messages"], strict=True):
        when = f" {message.sent_at:%Y-%m-%d %H:%M}" if message.sent_at else ""
        note = "" if message.public else ", internal note"
        console.print(Text(f"[{message.role}{note}{when}]", style="bold"))
        console.print(_marked(message.text, shown["signals"]))
        found = [
            f"{name} {signal['grade']} (p {signal['probability']:.2f})"
            for name, signal in shown["signals"].items()
            if signal["grade"]
        ]
        found += [f"{cue} (p {p:.2f})" for cue, p in shown["cues"].items()]
        found += list(shown["findings"])
        if found:
            console.print(Text("  → " + ", ".join(found), style="italic"))
        console.print()
    advice = record["recommendation"]
    if advice["abstained"]:
        _say(console, f"no recommendation: {advice['abstained']}")
        return
    _say(console, f"do next: {advice['primary']} by {advice['channel']}, {advice['timing']}")
    for one in advice["actions"]:
        _say(console, f"  {one['action']} (p {one['probability']:.2f})")
        for reason in one["because"]:
            _say(console, f"    because {reason}")
        for evidence in one["evidence"]:
            _say(console, f"      “{_printable(evidence['text'])}”")
    if advice["avoid"]:
        _say(console, "avoid: " + ", ".join(advice["avoid"]))


def _marked(text: str, signals: dict[str, Any]) -> Any:
    """Mark evidence: by colour on a terminal, and by ⟦…⟧ so that it shows without colour too."""
    from rich.text import Text

    spans = sorted(
        (evidence["start"], evidence["end"], name)
        for name, signal in signals.items()
        for evidence in signal["evidence"]
    )
    marked, position = Text(), 0
    for start, end, name in spans:
        if start < position:
            continue
        marked.append(_clean(text[position:start]))
        marked.append(f"⟦{name}: {_clean(text[start:end])}⟧", style=_STYLES[name])
        position = end
    marked.append(_clean(text[position:]))
    return marked


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def _review(options: argparse.Namespace) -> int:
    from customer_nlp.analyzer import load

    draft = _draft(options.draft)
    thread = None
    if options.thread is not None:
        thread = _found(options.thread, None, options.format, options.own_domain)
    review = load(options.model).review(draft, thread)
    if options.json:
        print(json.dumps(review.to_dict(), ensure_ascii=False, indent=1))
        return 0
    console = _console()
    for finding in review.findings:
        _say(console, f"{finding.name}: {finding.because}")
        _say(console, f"  “{_printable(draft[finding.start : finding.end])}”")
        for cited in finding.cites:
            _say(console, f"  see {_printable(cited.message_id or '')}: “{_printable(cited.text)}”")
        _say(console, f"  better: {finding.better}")
    if review.clean:
        _say(console, "clean")
    return 0


def _train(options: argparse.Namespace) -> int:
    from customer_nlp import learn

    names = [name.strip() for name in options.labels.split(",")]
    where = {"text": options.text, "group": options.group, "model": options.model}
    report = learn.train(options.source, options.out, labels=names, **where)
    console = _console()
    for line in report.lines():
        _say(console, line)
    _say(console, f"written: {report.path}")
    if options.curve or options.noise:
        checks = learn.check_labels(options.source, labels=names, **where, noise=options.noise,
                                    curve=options.curve)  # fmt: skip
        for line in checks:
            _say(console, line)
    return 0


def _draft(source: str) -> str:
    if source == "-":
        return _standard_input()
    if not _is_path(source):
        return _given(source)
    if not Path(source).is_file():
        raise SourceError(
            "Expected a reply as text or the file that holds it; got a folder or a device. "
            "Name the file.",
            source=source,
        )
    return _decoded(Path(source).read_bytes())


def _accounts(options: argparse.Namespace) -> int:
    from customer_nlp.batch import accounts

    summary = accounts(
        options.sources,
        options.out,
        model=options.model,
        format=options.format,
        own_domains=options.own_domain,
        now=_now(options),
        lead_hours=options.lead_hours,
        holidays=options.holidays,
    )
    _print_summary(_console(), summary, options.out)
    return 0


def _outreach(options: argparse.Namespace) -> int:
    from customer_nlp.batch import outreach

    summary = outreach(options.planned, options.accounts, options.out, holidays=options.holidays)
    _print_summary(_console(), summary, options.out)
    return 0


def _report(options: argparse.Namespace) -> int:
    from customer_nlp import report

    listed = {} if options.listed is None else {"listed": options.listed}
    threads = report.write(options.analyses, options.out, **listed)
    console = _console()
    _say(console, f"{threads} threads")
    _say(console, f"written: {options.out}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from customer_nlp.training.evaluate import main as evaluate

    return evaluate(options.rest)


def _serve(options: argparse.Namespace) -> int:
    from customer_nlp.serve._settings import Settings

    _check_task(options)
    settings = Settings.from_environment()
    names = ("host", "port", "processes", "database")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    settings = dataclasses.replace(settings, **given)
    if _task(options):
        return _administer(options, settings.database)
    from customer_nlp.serve.app import run

    console = _console(stderr=True)
    _say(console, f"listening on http://{settings.host}:{settings.port} (Ctrl-C ends)")
    run(settings)
    return 0


def _task(options: argparse.Namespace) -> str | None:
    """Return what else than to serve is asked for; an empty name is asked for too."""
    for name in ("add_key", "revoke_key", "keys", "dead_letters"):
        if getattr(options, name) not in (None, False):
            return name
    return None


def _check_task(options: argparse.Namespace) -> None:
    """Refuse what would not be heeded: a key without its limits opens more than was meant."""
    task = _task(options)
    if options.scope and task != "add_key":
        raise InvalidRecordError(
            "The --scope limits the key of --add-key; got it alone. Give both.", field="scope"
        )
    if options.job and (task, options.dead_letters) != ("dead_letters", "replay"):
        raise InvalidRecordError(
            "The --job goes with --dead-letters replay; got it without. Give both.", field="job"
        )


def _administer(options: argparse.Namespace, database: str) -> int:
    from customer_nlp.serve._store import SCOPES, Store

    store, console = Store(database), _console()
    if options.add_key is not None:
        _say(console, store.add_key(options.add_key, options.scope or SCOPES))
    elif options.revoke_key is not None:
        known = store.revoke(options.revoke_key)
        _say(console, "revoked" if known else "no such key; --keys lists them")
        return 0 if known else 2
    elif options.keys:
        for key in store.given_keys():
            _say(console, f"{key.id}  {key.tenant}  {','.join(sorted(key.scopes))}")
    elif options.dead_letters == "replay":
        _say(console, f"back in the queue: {store.replay(options.job)}")
    else:
        for one in store.dead_letters():
            when = datetime.fromtimestamp(one["at"], UTC)
            where = f"{one['tenant']}  {one['kind']}  {one['platform']}"
            _say(console, f"{one['id']}  {when:%Y-%m-%d %H:%M}  {where}  "
                          f"tried {one['attempts']}: {one['reason']}")  # fmt: skip
    return 0


def _models(options: argparse.Namespace) -> int:
    from customer_nlp.artifacts import open_model, shipped_models

    console = _console()
    for path in options.folders or shipped_models():
        model = open_model(path)  # every file is read and its hash compared
        about = model.manifest
        size = sum(map(len, model.files.values())) / 1e6
        _say(console, f"{model.name} {model.version}: {path}")
        _say(console, f"  format {about['format']}, {size:.1f} MB in {len(model.files)} files, "
                      f"hashes verified; licence {about.get('licence', 'not stated')}")  # fmt: skip
        _say(console, f"  {about.get('about', '')}".rstrip())
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from customer_nlp.training.fetch import fetch

    report = fetch(options.to)
    print(report)
    return 0 if report.ok else 2


if __name__ == "__main__":
    sys.exit(main())

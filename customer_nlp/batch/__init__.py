"""Sources to sinks: whole inboxes scored, nothing lost, the same bytes however it is run.

`score`, `accounts` and `outreach` are the public face. Below: ``_inputs`` (what is read),
``_summary`` (what became of every record),
``_sinks`` (records to bytes), ``_spool`` (output under way, safe against a kill), ``_rejects``,
``_stamps`` (is a source still what it was) and ``_since`` (what changed since the last run).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from customer_nlp.analyzer import Analyzer, load
from customer_nlp.artifacts import MANIFEST
from customer_nlp.batch._accounts import AccountsSummary, accounts
from customer_nlp.batch._inputs import Input, open_inputs
from customer_nlp.batch._outreach import OutreachSummary, outreach
from customer_nlp.batch._rejects import RejectsFile, rejects_path
from customer_nlp.batch._since import Since
from customer_nlp.batch._sinks import PARTITIONS, Sink, sink_for
from customer_nlp.batch._spool import Spool
from customer_nlp.batch._summary import Progress, Summary
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.policy import Policy
from customer_nlp.records import Thread
from customer_nlp.redact import redact as redact_thread
from customer_nlp.timeline import LEAD_HOURS

__all__ = [
    "PARTITIONS",
    "AccountsSummary",
    "OutreachSummary",
    "Progress",
    "Summary",
    "accounts",
    "outreach",
    "score",
]

_LOG: Final = logging.getLogger(__name__)
#: Threads handed to a worker at once; results do not depend on it.
_CHUNK: Final = 64
#: Threads whose output is made safe at once, or a few more, to the end of a chunk.
_BLOCK: Final = 256

_Shown = list[tuple[Thread, dict[str, Any]]]


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
    holidays: str | None = None,
    policy: Policy | None = None,
    resume: bool = False,
    keep_raw: bool = False,
    redact: bool = False,
    partition_by: str | None = None,
    since_state: str | os.PathLike[str] | None = None,
    on_record: Callable[[Thread, dict[str, Any]], object] | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Summary:
    """Score whole sources into one file.

    Parameters
    ----------
    sources : sequence of str or path
        What `readers.read` takes, in any mix. Mails of a server are kept in the folder
        ``<since_state>.mails`` from run to run, so that only new ones are fetched; without
        `since_state` in ``<out>.mails`` until all went well, so that the same call goes on after
        a cut connection.
    out : str or path
        Ends with ``.jsonl``, ``.csv`` or ``.parquet``. Written aside and renamed when complete, so
        under its own name it is never half-written. Rejected records go to
        ``<out>.rejects.jsonl``, if there are any. While the run lasts, and after one that broke
        off, ``<out>.journal`` says how much of the output is safe.
    analyzer : Analyzer, optional
        Used with one job; loaded when missing.
    model : str, optional
        Name or folder of the model, for `load`.
    format, own_domains
        As for `readers.read`.
    jobs : int, default=1
        Processes. The output is the same bytes for any number.
    every_turn, now, lead_hours, holidays, policy
        As for `Analyzer.analyze_many`. The calls of a day are shared out over all threads, so a
        policy with ``calls_per_day`` is refused here: use `Policy.ration`.
    resume : bool, default=False
        Go on where a run with the same sources and options was killed; the output is the same
        bytes as without the kill. Where there is nothing to go on with, start anew.
    redact : bool, default=False
        Mask addresses, numbers and names in each thread before it is scored, as
        `customer_nlp.redact.redact` does; `on_record` gets the masked thread.
    keep_raw : bool, default=False
        Write the raw record too beside each rejected one, not only its hash.
    partition_by : {'week', 'primary'}, optional
        Of Parquet: write a folder with one file a value. ``week`` is the ISO week of the message
        that a record is written after.
    since_state : str or path, optional
        A file that remembers threads from run to run; only those that are new or changed since are
        written about. It is brought up to date when the output is in place: after a kill in
        between, the next run writes about the same threads again rather than losing them.
    on_record : callable, optional
        Called with each thread and each record written about it, in order, until it returns
        False; not for what an earlier run had done. With several jobs all that it is called with
        has to come from the other processes.
    on_progress : callable, optional
        Called now and then with `Progress`.

    Returns
    -------
    Summary
        Counts of the whole output. Cost: linear in the input. Memory: some chunks of threads, and
        what `readers.read` needs.

    Raises
    ------
    SourceError
        When a source as a whole cannot be read, was rewritten while it was read, or `out` cannot
        be written or gone on with; nothing is left under the name `out`.
    InvalidRecordError
        For an `out` of another kind or that is one of the sources, or `jobs` below 1.
    """
    target = Path(out)
    sink = sink_for(target, partition_by)
    if jobs < 1:
        raise InvalidRecordError(f"The jobs must be at least 1; got {jobs}.", field="jobs")
    if redact and keep_raw:
        raise InvalidRecordError(
            "The raw records hold what is to be masked; choose redact or keep_raw.", field="redact"
        )
    state = Path(since_state) if since_state is not None else None
    _LOG.info("reading %d sources, jobs %d", len(sources), jobs)
    domains = tuple(own_domains)
    if policy is not None and policy.calls_per_day is not None:
        raise InvalidRecordError(
            "A run writes thread by thread and cannot share out the day's calls. Leave "
            "calls_per_day out of the policy, or use Policy.ration on the analyses.",
            field="policy",
        )
    options = {
        "now": now, "every_turn": every_turn, "lead_hours": lead_hours, "holidays": holidays,
        "policy": policy,
    }  # fmt: skip
    with ExitStack() as stack:
        rejects = stack.enter_context(RejectsFile(target))
        inputs = open_inputs(
            stack, sources, [target, rejects_path(target), *([state] if state else [])],
            format=format, own_domains=domains, on_error=rejects.add, keep_raw=keep_raw,
            keep_mails=f"{state or target}.mails",
        )  # fmt: skip
        scorer = _Scorer(analyzer, model, jobs, _Work(sink.encode, redact, options))
        # plain data: the order of a set, and so its repr, differs from process to process
        stated = options | {"policy": policy and policy.to_dict()}
        identity = scorer.identity | {
            "the options": _digest(
                format, sorted(domains), sorted(stated.items()), partition_by, keep_raw, redact
            )
        }
        since = stack.enter_context(Since(state, identity)) if state else None
        for one in inputs:  # of two with the same name both count
            name = f"the source {one.name}"
            identity[name] = _digest(identity.get(name), one.key, one.stamp)
        if since:
            identity["the state"] = since.generation
        run = _Run(target, sink, inputs, scorer, rejects, since, on_record, on_progress)
        summary = run.through(Spool(target, identity, resume=resume))
        for one in inputs if state is None else ():
            one.threads.forget()
        return summary


def _digest(*values: object) -> str:
    said = json.dumps([str(value) for value in values])
    return hashlib.sha256(said.encode()).hexdigest()


class _Scored(NamedTuple):
    """What became of a chunk of threads: output, counts, and what `on_record` is called with."""

    output: bytes
    counts: Summary
    shown: _Shown


@dataclass(frozen=True, slots=True)
class _Work:
    """All that is done with threads between reading and writing, in whichever process."""

    encode: Callable[[Sequence[dict[str, Any]]], bytes]
    redact: bool
    options: dict[str, Any]

    def __call__(self, analyzer: Analyzer, chunk: list[Thread], *, show: bool) -> _Scored:
        if self.redact:
            chunk = list(map(redact_thread, chunk))
        counts, shown = Summary(), []
        for thread, records in zip(chunk, self._records(analyzer, chunk), strict=True):
            counts.count(len(thread), records)
            shown += [(thread, record) for record in records]
        output = self.encode([record for _, record in shown])
        return _Scored(output, counts, shown if show else [])

    def _records(self, analyzer: Analyzer, chunk: list[Thread]) -> list[list[dict[str, Any]]]:
        """Return the records of each thread: one, or one after each customer message."""
        if self.options["every_turn"]:
            return [
                [one.to_dict() for one in analyzer.analyze_many([thread], **self.options)]
                for thread in chunk
            ]
        return [[one.to_dict()] for one in analyzer.analyze_many(chunk, **self.options)]


class _Scorer:
    """Chunks of threads to output, in this process or in several."""

    def __init__(
        self, analyzer: Analyzer | None, model: str | None, jobs: int, work: _Work
    ) -> None:
        self._analyzer = analyzer or load(model)
        self._model, self._jobs, self._work = model, jobs, work

    @property
    def identity(self) -> dict[str, str]:
        """What the records depend on beside sources and options."""
        manifest = Path(self._model or "", MANIFEST)
        model = manifest.read_bytes() if self._model and manifest.is_file() else b""
        try:
            program = importlib.metadata.version("customer_nlp")
        except importlib.metadata.PackageNotFoundError:  # run from a checkout
            program = ""
        return {"the model": _digest(self._analyzer.model, model), "the program": program}

    def __call__(self, threads: Iterator[Thread], show: Callable[[], bool]) -> Iterator[_Scored]:
        chunks = iter(lambda: list(islice(threads, _CHUNK)), [])
        if self._jobs > 1:
            return self._in_parallel(chunks, show)
        return (self._work(self._analyzer, chunk, show=show()) for chunk in chunks)

    def _in_parallel(
        self, chunks: Iterator[list[Thread]], show: Callable[[], bool]
    ) -> Iterator[_Scored]:
        from joblib import cpu_count
        from joblib.externals.loky import BrokenProcessPool, get_reusable_executor

        # numerical libraries share the processors instead of each taking all of them
        each = str(max(1, cpu_count() // self._jobs))
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), each)
        pool = get_reusable_executor(
            max_workers=self._jobs, env=limits, initializer=_end_with, initargs=(os.getpid(),)
        )
        under_way: deque[Any] = deque()
        try:
            for chunk in chunks:
                future = pool.submit(_apart, self._model, self._work, chunk, show=show())
                under_way.append(future)
                if len(under_way) > 2 * self._jobs:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
            # what is left to do is done here, and needs the memory
            pool.shutdown(wait=True, kill_workers=True)
        except BrokenProcessPool as error:
            raise SourceError(
                "A worker process ended before its time, perhaps for want of memory. Run with "
                "fewer jobs; --resume goes on from here.",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, kill_workers=True)
            raise


def _end_with(parent: int) -> None:
    """Let a worker end when the run is killed; it might wait for work for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_WATCH_SECONDS: Final = 1.0
_LOADED: dict[str | None, Analyzer] = {}


def _apart(model: str | None, work: _Work, chunk: list[Thread], *, show: bool) -> _Scored:
    """Do the work in a worker process, which loads the model once."""
    if model not in _LOADED:
        _LOADED[model] = load(model)
    return work(_LOADED[model], chunk, show=show)


@dataclass(slots=True)
class _Run:
    """One way through all sources."""

    target: Path
    sink: Sink
    inputs: list[Input]
    scorer: _Scorer
    rejects: RejectsFile
    since: Since | None
    on_record: Callable[[Thread, dict[str, Any]], object] | None
    on_progress: Callable[[Progress], object] | None
    read: int = 0

    def through(self, spool: Spool) -> Summary:
        """Score what the spool does not hold yet, and put everything in place."""
        try:
            if self.sink.head and not spool.end:
                spool.append(self.sink.head, 0, {})
            summary = Summary.from_dict(spool.state)
            threads = self._threads()
            # Reading again costs a small part of scoring, and gives the same rejected records.
            for _ in islice(threads, spool.threads):
                pass
            self._score(threads, spool, summary)
            summary.rejected, summary.reasons = self.rejects.count, self.rejects.reasons
            summary.unchanged = self.since.unchanged if self.since else 0
            self.rejects.in_place()
            _LOG.info("%d messages scored, %d rejected", summary.scored, summary.rejected)
            spool.finish(self.sink.join)
        except BaseException:
            spool.abandon()
            raise
        if self.since:
            self.since.commit()
        return summary

    def _threads(self) -> Iterator[Thread]:
        for one in self.inputs:
            threads = iter(one)
            if self.since:
                threads = self.since.changed(one.key, one.stamp, threads)
            for thread in threads:
                self.read += 1
                yield thread

    def _score(self, threads: Iterator[Thread], spool: Spool, summary: Summary) -> None:
        block: list[bytes] = []
        for scored in self.scorer(threads, lambda: self.on_record is not None):
            self._show(scored.shown)
            summary.add(scored.counts)
            block.append(scored.output)
            if summary.threads - spool.threads >= _BLOCK:
                spool.append(b"".join(block), summary.threads, summary.to_dict())
                block.clear()
            if self.on_progress is not None:
                self.on_progress(self._progress(summary))
        if block:
            spool.append(b"".join(block), summary.threads, summary.to_dict())
        if self.on_progress is not None:
            self.on_progress(self._progress(summary)._replace(fraction=1.0))

    def _show(self, shown: _Shown) -> None:
        for thread, record in shown:
            if self.on_record is not None and self.on_record(thread, record) is False:
                self.on_record = None

    def _progress(self, summary: Summary) -> Progress:
        whole = sum(one.stamp.bytes for one in self.inputs) or 1
        done = sum(one.stamp.bytes * one.threads.fraction for one in self.inputs)
        # with several jobs reading runs ahead
        share = done / whole * summary.threads / max(self.read, 1)
        return Progress(summary.threads, summary.scored, self.rejects.count, min(share, 1.0))

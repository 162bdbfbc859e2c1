"""Works off the queue: deliveries become threads and analyses, analyses become writes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from customer_nlp.analyzer import Analyzer, as_thread
from customer_nlp.codebook import CORE_SIGNALS
from customer_nlp.errors import CustomerNlpError, InvalidRecordError
from customer_nlp.readers import from_helpdesk
from customer_nlp.records import Message, Thread
from customer_nlp.serve._settings import Settings
from customer_nlp.serve._store import Job, KeptThread, NewJob, Store
from customer_nlp.serve._writeback import TryLaterError, WriteBack

__all__ = ["Workers", "joined", "stake"]

_LOG: Final = logging.getLogger("customer_nlp.serve")
_TIMING_STAKE: Final = {"now": 4.0, "today": 2.0, "normal": 0.0}
_RESTING: Final = 0.3
#: The mood of the last few customer messages counts, not that of a year ago.
_RECENT: Final = 3
#: How often a job is read anew when others change its thread under it, before it is put off.
_READS: Final = 5
_CHANGING: Final = "the thread is being changed by others"
#: After a promise fell due its thread is looked at once more.
_GRACE: Final = timedelta(minutes=1)
_IDLE_SECONDS: Final = 0.5
_PURGE_SECONDS: Final = 3600.0


def _next_look(record: Mapping[str, Any], now: datetime, lead: timedelta) -> datetime | None:
    """Return when a thread is to be looked at again: before a promise of ours is due, and after."""
    times = [
        at
        for one in record["commitments"]
        if one["by"] == "agent" and one["state"] in ("open", "due") and one["due"]
        for due in [datetime.fromisoformat(one["due"])]
        for at in (due - lead, due + _GRACE)
        if at > now
    ]
    return min(times, default=None)


def joined(known: Thread | None, new: Thread) -> Thread:
    """Return a thread with new messages put in; what is said again of a message counts.

    In the order of their times where all have one, else in that of arrival.
    """
    if known is None:
        return new
    messages: dict[str, Message] = {message.id: message for message in known.messages}
    messages.update({message.id: message for message in new.messages})
    turns = list(messages.values())
    times = [turn.sent_at for turn in turns if turn.sent_at is not None]
    if len(times) == len(turns):
        turns = [turns[at] for at in sorted(range(len(turns)), key=times.__getitem__)]
    return known.replace(
        messages=tuple(turns),
        subject=known.subject or new.subject,
        channel=known.channel or new.channel,
    )


def stake(record: Mapping[str, Any]) -> float:
    """Return what is at stake in a thread, for ordering a queue and nothing else.

    Parameters
    ----------
    record : mapping
        Of ``Analysis.to_dict()``.

    Returns
    -------
    float
        Urgency (4 for now, 2 for today), the highest grades of frustration and of churn risk in
        the last three customer messages, a point for each promise of ours that was broken (two
        at most), and the probability of the first action; less than a third of it while the
        customer is to answer or the matter is settled, 0 where nothing is recommended.
    """
    advice = record["recommendation"]
    if advice["primary"] is None:
        return 0.0
    said = [one["signals"] for one in record["messages"] if one["signals"]][-_RECENT:]
    moods = (
        max((signals[name]["grade"] for signals in said), default=0)
        for name in CORE_SIGNALS if name != "confusion"
    )  # fmt: skip
    broken = sum(one["state"] == "broken" and one["by"] == "agent" for one in record["commitments"])
    sure = max((one["probability"] for one in advice["actions"]), default=0.0)
    total = _TIMING_STAKE[advice["timing"]] + sum(moods) + min(broken, 2) + sure
    rests = record["state"]["waiting_on"] == "customer" or advice["primary"] == "close"
    return float(total * (_RESTING if rests else 1.0))


class Workers:
    """Threads that take jobs until they are stopped.

    Parameters
    ----------
    store : Store
        With the queue.
    analyzer : Analyzer
        Shared by all threads.
    write_back : WriteBack
        What follows from an analysis.
    settings : Settings
        ``workers, lease_seconds, attempts, retention_days, shutdown_seconds, lead_hours`` and
        ``holidays``.
    count : callable, optional
        Told the outcome of each job: ``done, later, dead``.
    """

    def __init__(
        self,
        store: Store,
        analyzer: Analyzer,
        write_back: WriteBack,
        settings: Settings,
        *,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._analyzer = analyzer
        self._write_back = write_back
        self._settings = settings
        self._count = count
        self._wake = threading.Event()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to take jobs."""
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{n}", daemon=True)
            for n in range(self._settings.workers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the jobs in hand and take no more."""
        self._stopping = True
        self._wake.set()
        for thread in self._threads:
            thread.join(self._settings.shutdown_seconds)
        self._threads = []

    def wake(self) -> None:
        """Say that there is work."""
        self._wake.set()

    @property
    def alive(self) -> bool:
        """Whether all that were started still work."""
        return all(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        purged = 0.0
        while not self._stopping:
            try:
                if self._store.clock() - purged > _PURGE_SECONDS:
                    purged = self._store.clock()
                    self._store.purge(retention_days=self._settings.retention_days)
                worked = self.step()
            except Exception as error:  # noqa: BLE001 - the database may be away for a while
                _LOG.error("the queue cannot be reached: %s", type(error).__name__)
                worked = False
            if not worked:
                self._wake.wait(_IDLE_SECONDS)
                self._wake.clear()

    def step(self) -> bool:
        """Do one job; False when none is due."""
        settings = self._settings
        job = self._store.claim(lease_seconds=settings.lease_seconds, attempts=settings.attempts)
        if job is None:
            return False
        self._count(self._done(job))
        return True

    def _done(self, job: Job) -> str:
        try:
            self._do(job)
        except TryLaterError as error:
            self._store.put_off(job, str(error), seconds=error.seconds)
            return "later"
        except CustomerNlpError as error:  # wrong today, wrong tomorrow: a person has to look
            self._store.bury(job, str(error))
            return "dead"
        except Exception as error:  # noqa: BLE001 - one job must not end the others
            _LOG.error("job %d failed: %s", job.id, type(error).__name__)
            self._store.put_off(job, f"failed: {type(error).__name__}")
            return "later"
        return "done"

    def _do(self, job: Job) -> None:
        if job.kind in ("hook", "fetch"):
            self._read(job)
            return
        if job.kind == "look":
            self._look(job)
            return
        if job.kind == "send":
            self._write_back.send(job.tenant, job.key, job.payload, now=self._now())
        else:
            payload = json.loads(job.payload)
            # one that had to wait must not undo what came after it; notes stand side by side
            if payload["kind"] == "note" or not self._store.overtaken(job, payload["kind"]):
                self._write_back.write(job.tenant, job.platform, payload, again=job.attempts > 1)
        self._store.finish(job)

    def _read(self, job: Job) -> None:
        body = _parsed(job.payload)
        if job.kind == "fetch":
            body = self._write_back.fetch(job.tenant, job.platform, body)
        elif threads := self._write_back.to_fetch(job.tenant, job.platform, body):
            # a job each: one that has to wait holds up no other
            later = [NewJob("fetch", job.platform, f"{job.key}\n{thread}",
                            json.dumps(thread).encode()) for thread in threads]  # fmt: skip
            self._store.finish(job, follow=later)
            return
        found = None if body is None else from_helpdesk(body, job.platform)
        if found is None:  # no words: a tag, a status
            self._store.finish(job)
            return
        new = as_thread(found)
        new = joined(new, new)  # by time: a listing may begin with the newest
        identifier = f"{job.platform}/{new.id}"
        for _ in range(_READS):
            known = self._store.of(job.tenant).thread(identifier)
            thread = joined(known.thread if known else None, new)
            if known and thread == known.thread:
                self._store.finish(job)  # every message was scored before
                return
            version = known.version + 1 if known else 1
            kept, follow = self._analyzed(job, identifier, thread, version)
            if self._store.finish(job, kept=kept, follow=follow):
                return
        raise TryLaterError(_CHANGING)

    def _look(self, job: Job) -> None:
        """Analyze a thread anew, since a promise of ours in it is falling due, or has."""
        for _ in range(_READS):
            known = self._store.of(job.tenant).thread(job.thread)
            if known is None:  # it was deleted meanwhile
                self._store.finish(job)
                return
            kept, follow = self._analyzed(job, known.id, known.thread, known.version + 1)
            if self._store.finish(job, kept=kept, follow=follow):
                return
        raise TryLaterError(_CHANGING)

    def _analyzed(
        self, job: Job, identifier: str, thread: Thread, version: int
    ) -> tuple[KeptThread, list[NewJob]]:
        """Analyze a thread as of now; returns it with what follows from that."""
        settings, now = self._settings, self._now()
        record = self._analyzer.analyze(
            thread, now=now, lead_hours=settings.lead_hours, holidays=settings.holidays or None
        ).to_dict()
        follow = list(self._write_back.plan(job.tenant, job.platform, identifier, record))
        at = _next_look(record, now, timedelta(hours=settings.lead_hours))
        if at is not None:
            key = f"{identifier}\n{at.isoformat()}"
            look = NewJob("look", job.platform, key, b"", identifier, due_at=at.timestamp())
            follow.append(look)
        return KeptThread(identifier, thread, record, stake(record), version), follow

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._store.clock(), UTC)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRecordError("The body is no JSON that can be read.") from None

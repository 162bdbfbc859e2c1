"""Queue, threads, keys and feedback in one database: SQLite, or PostgreSQL for several machines.

A job is taken by moving its due time past the lease, so that a worker that is killed gives it back
by doing nothing. Whatever a job brings about is written in the transaction that ends it, and only
while the lease holds: done once, however often it was begun.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Final

from customer_nlp.errors import InvalidRecordError, MissingExtraError, SourceError
from customer_nlp.records import Thread
from customer_nlp.serve._settings import check_tenant

try:
    import sqlalchemy as sa
except ImportError as error:
    raise MissingExtraError("sqlalchemy", "serve") from error

__all__ = ["SCOPES", "ApiKey", "Arrival", "Job", "KeptThread", "NewJob", "Store", "TenantStore"]

#: What an API key may be good for: scoring, reading threads and feedback, giving feedback.
SCOPES: Final = ("score", "read", "feedback")
#: Waits between tries, in seconds: doubled from the first up to the last.
_BACKOFF_SECONDS: Final = (2.0, 3600.0)
_DELIVERY_DAYS: Final = 7
_DAY_SECONDS: Final = 86_400.0
_MOST_NAME_CHARS: Final = 200
_LAST_ID: Final = 2**63 - 1
_BACKENDS: Final = frozenset({"sqlite", "postgresql"})

_TABLES: Final = sa.MetaData()
_KEYS: Final = sa.Table(
    "api_keys", _TABLES,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("scopes", sa.String(64), nullable=False),
    sa.Column("parent", sa.String(16)),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double),
)  # fmt: skip
_DELIVERIES: Final = sa.Table(
    "deliveries", _TABLES,
    sa.Column("tenant", sa.String(32), primary_key=True),
    sa.Column("key", sa.String(300), primary_key=True),
    sa.Column("at", sa.Double, nullable=False, index=True),
)  # fmt: skip
_JOBS: Final = sa.Table(
    "jobs", _TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("platform", sa.String(32), nullable=False),
    sa.Column("key", sa.String(300), nullable=False),
    sa.Column("thread", sa.String(300), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),  # queued, done, dry, dead
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("lease", sa.String(32), nullable=False),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.UniqueConstraint("tenant", "kind", "key"),
    sa.Index("jobs_due", "state", "due_at"),
    sa.Index("jobs_thread", "tenant", "thread"),
)  # fmt: skip
_THREADS: Final = sa.Table(
    "threads", _TABLES,
    sa.Column("tenant", sa.String(32), primary_key=True),
    sa.Column("id", sa.String(300), primary_key=True),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("analysis", sa.Text, nullable=False),
    sa.Column("stake", sa.Double, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Index("threads_stake", "tenant", "stake"),
)  # fmt: skip
_FEEDBACK: Final = sa.Table(
    "feedback", _TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(32), nullable=False, index=True),
    sa.Column("thread", sa.String(300), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Who calls, and what for.

    Parameters
    ----------
    id : str
        Names the key without showing it.
    tenant : str
        Whose data it opens, and no other's.
    scopes : frozenset of str
        From `SCOPES`.
    expires_at : float or None
        Seconds since the epoch.
    """

    id: str
    tenant: str
    scopes: frozenset[str]
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, repr=False)
class NewJob:
    """Work to be done once.

    Parameters
    ----------
    kind : {'hook', 'fetch', 'look', 'write', 'send'}
        A delivery to read, a thread to fetch, one to look at again when a promise falls due,
        something to write to the helpdesk, a webhook of ours.
    platform : str
        From `readers.HELPDESKS`, or ``webhook``.
    key : str
        Two jobs of a tenant with the same kind and key are one.
    payload : bytes
        What is needed to do it.
    thread : str, default=''
        The thread it belongs to.
    dry : bool, default=False
        Kept for looking at, never done.
    due_at : float, optional
        Not before this time, in seconds since the epoch.
    """

    kind: str
    platform: str
    key: str
    payload: bytes
    thread: str = ""
    dry: bool = False
    due_at: float | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """A delivery whose signature holds.

    Parameters
    ----------
    tenant : str
        Whose it is.
    keys : tuple of str
        What it is known by; seen once, it is not taken in again.
    job : NewJob
        What it asks for.
    """

    tenant: str
    keys: tuple[str, ...]
    job: NewJob


@dataclass(frozen=True, slots=True, repr=False)
class Job:
    """A job in hand."""

    id: int
    tenant: str
    kind: str
    platform: str
    key: str
    thread: str
    payload: bytes
    attempts: int
    lease: str


@dataclass(frozen=True, slots=True, repr=False)
class KeptThread:
    """A thread with what was said of it.

    Parameters
    ----------
    id : str
        Platform and the platform's id, parted by a slash.
    thread : Thread
        All messages so far.
    analysis : dict
        Record of ``Analysis.to_dict()``.
    stake : float
        What the queue is ordered by.
    version : int
        How often it was analyzed.
    """

    id: str
    thread: Thread
    analysis: dict[str, Any]
    stake: float
    version: int


class Store:
    """The database.

    Parameters
    ----------
    url : str
        For SQLAlchemy, such as ``sqlite:///customer_nlp.db``.
    clock : callable, default=time.time
        Seconds since the epoch.

    Raises
    ------
    InvalidRecordError
        For an URL of no database.
    SourceError
        When it cannot be opened.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._engine = _engine(url)
        # SQLite has one writer; it would look again after up to 100 ms, a lock wakes at once.
        one_writer = self._engine.dialect.name == "sqlite"
        self._turn: Any = threading.Lock() if one_writer else nullcontext()
        try:
            _TABLES.create_all(self._engine)
        except sa.exc.DatabaseError as error:
            if not one_writer and not isinstance(error, sa.exc.OperationalError):
                raise  # a server that was reached; of SQLite, a file that is no database
            raise SourceError(
                "The database cannot be opened. Check that its folder or server is there, that it "
                "is a database, and that we may write to it; CUSTOMER_NLP_DATABASE says where it "
                "is."
            ) from None

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def of(self, tenant: str) -> TenantStore:
        """Return what belongs to one tenant, and nothing else."""
        return TenantStore(self, check_tenant(tenant))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection that takes no lock against writers."""
        with self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction that is kept unless an error leaves the block.

        Parameters
        ----------
        durable : bool, default=True
            Whether it must outlast a loss of power. SQLite then waits for the disk; what a worker
            writes needs not, as the job would be done again.
        """
        options = self._engine.connect().execution_options(durable=durable)
        with self._turn, options as connection, connection.begin():
            yield connection

    # -- keys -----------------------------------------------------------------------------------

    def add_key(
        self,
        tenant: str,
        scopes: Iterable[str] = SCOPES,
        *,
        seconds: float | None = None,
        parent: str | None = None,
    ) -> str:
        """Make an API key; only its hash is kept.

        Parameters
        ----------
        tenant : str
            Whom it opens.
        scopes : iterable of str
            From `SCOPES`.
        seconds : float, optional
            How long it holds.
        parent : str, optional
            Id of the key that it was made with and ends with.

        Returns
        -------
        str
            The key: shown once. It is 256 random bits, so a plain hash suffices (no salt, no
            stretching: there is nothing to guess).
        """
        wanted = set(scopes)
        if not wanted or wanted - set(SCOPES):
            raise InvalidRecordError(
                f"The scopes must be some of {', '.join(SCOPES)}.", field="scopes"
            )
        key = f"cnlp_{secrets.token_urlsafe(32)}"
        row = {
            "id": secrets.token_hex(8), "sha256": _sha256(key), "tenant": check_tenant(tenant),
            "scopes": " ".join(sorted(wanted)), "parent": parent, "at": self.clock(),
            "expires_at": None if seconds is None else self.clock() + seconds,
        }  # fmt: skip
        with self.writing() as connection:
            connection.execute(_KEYS.insert(), row)
        return key

    def key(self, word: str) -> ApiKey | None:
        """Return what a key opens; ``None`` for one that is unknown or over."""
        wanted = sa.select(_KEYS).where(_KEYS.c.sha256 == _sha256(word))
        with self.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None or (row.expires_at is not None and row.expires_at <= self.clock()):
            return None
        return ApiKey(row.id, row.tenant, frozenset(row.scopes.split()), row.expires_at)

    def given_keys(self) -> list[ApiKey]:
        """Return all keys that were given out, without sessions."""
        wanted = sa.select(_KEYS).where(_KEYS.c.parent.is_(None)).order_by(_KEYS.c.at)
        with self.reading() as connection:
            rows = connection.execute(wanted).all()
        return [
            ApiKey(row.id, row.tenant, frozenset(row.scopes.split()), row.expires_at)
            for row in rows
        ]

    def revoke(self, identifier: str) -> bool:
        """End a key and the sessions opened with it."""
        named = (_KEYS.c.id == identifier) | (_KEYS.c.parent == identifier)
        with self.writing() as connection:
            return connection.execute(_KEYS.delete().where(named)).rowcount > 0

    # -- queue ----------------------------------------------------------------------------------

    def take_in(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Put deliveries into the queue, all in one transaction: the disk is waited for once.

        Parameters
        ----------
        arrivals : sequence of Arrival
            Each stands or falls alone.

        Returns
        -------
        list of bool
            In the order given; False where one of the keys was taken in before.
        """
        taken = [False] * len(arrivals)
        # in the order of their keys: several instances must not wait for one another in a ring
        order = sorted(range(len(arrivals)), key=lambda i: (arrivals[i].tenant, arrivals[i].keys))
        with self.writing() as connection:
            for i in order:
                with suppress(sa.exc.IntegrityError), connection.begin_nested():
                    _take_in(connection, arrivals[i], self.clock())
                    taken[i] = True
        return taken

    def claim(self, *, lease_seconds: float, attempts: int) -> Job | None:
        """Take the job that has been due for longest; ``None`` without one.

        Parameters
        ----------
        lease_seconds : float
            After this time another worker may take it.
        attempts : int
            A job begun this often goes to the dead letters: it may be what kills the workers.
        """
        now = self.clock()
        due = (
            sa.select(_JOBS)
            .where(_JOBS.c.state == "queued", _JOBS.c.due_at <= now)
            .order_by(_JOBS.c.due_at, _JOBS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self.reading() as connection:  # an empty queue is asked often and locks nothing
            if connection.execute(_due(now)).first() is None:
                return None
        with self.writing(durable=False) as connection:
            while (row := connection.execute(due).first()) is not None:
                job = Job(row.id, row.tenant, row.kind, row.platform, row.key, row.thread,
                          bytes(row.payload), row.attempts + 1, secrets.token_hex(16))  # fmt: skip
                if row.attempts >= attempts:
                    reason = row.reason or "its worker was lost each time"
                    _change(connection, row.id, state="dead", lease="", reason=reason)
                    continue
                _change(connection, row.id, attempts=job.attempts, lease=job.lease,
                        due_at=now + lease_seconds)  # fmt: skip
                return job
        return None

    def finish(
        self,
        job: Job,
        *,
        kept: KeptThread | None = None,
        follow: Sequence[NewJob] = (),
    ) -> bool:
        """End a job with all that it brings about, or leave everything as it was.

        Parameters
        ----------
        job : Job
            As claimed.
        kept : KeptThread, optional
            The thread as it now stands; its ``version`` is one above that it was made from.
        follow : sequence of NewJob
            What is to be done next; those that are known already are left out.

        Returns
        -------
        bool
            False when somebody else changed the thread meanwhile: read it again.
        """
        try:
            with self.writing(durable=False) as connection:
                mine = (_JOBS.c.id == job.id, _JOBS.c.lease == job.lease)
                done: dict[str, Any] = {"state": "done", "lease": "", "reason": ""}
                if job.kind == "hook":  # the words are in the thread now, and nowhere else
                    done |= {"payload": b""}
                if not connection.execute(_JOBS.update().where(*mine).values(done)).rowcount:
                    return True  # the lease was lost: whoever has it does the work
                if kept is not None and not self._keep(connection, job.tenant, kept):
                    raise _StaleError
                for one in follow:
                    self._add(connection, job.tenant, one)
        except (_StaleError, sa.exc.IntegrityError):
            return False
        return True

    def overtaken(self, job: Job, kind: str) -> bool:
        """Whether something newer is written where a job would write a tag or a field.

        Parameters
        ----------
        job : Job
            As claimed.
        kind : str
            What it writes.
        """
        newer = sa.select(_JOBS.c.payload).where(
            _JOBS.c.tenant == job.tenant, _JOBS.c.thread == job.thread, _JOBS.c.kind == job.kind,
            _JOBS.c.platform == job.platform, _JOBS.c.id > job.id, _JOBS.c.state != "dry",
        )  # fmt: skip
        with self.reading() as connection:
            return any(json.loads(row.payload)["kind"] == kind for row in connection.execute(newer))

    def put_off(self, job: Job, reason: str, *, seconds: float | None = None) -> None:
        """Have a job tried again later.

        Parameters
        ----------
        job : Job
            As claimed.
        reason : str
            Why it failed, without any text of a message.
        seconds : float, optional
            When the other side said how long to wait; such a try does not count.
        """
        first, last = _BACKOFF_SECONDS
        wait = min(first * 2.0 ** (job.attempts - 1), last)
        wait *= 1 + secrets.randbelow(1000) / 4000  # not all at the same time
        with self.writing(durable=False) as connection:
            _change(connection, job.id, lease="", reason=reason[:300],
                    attempts=job.attempts if seconds is None else job.attempts - 1,
                    due_at=self.clock() + (wait if seconds is None else seconds),
                    held=job.lease)  # fmt: skip

    def bury(self, job: Job, reason: str) -> None:
        """Put a job that cannot succeed among the dead letters."""
        with self.writing(durable=False) as connection:
            _change(connection, job.id, state="dead", lease="", reason=reason[:300],
                    held=job.lease)  # fmt: skip

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return jobs that were given up: id, tenant, kind, platform, attempts, reason, at."""
        columns = (_JOBS.c.id, _JOBS.c.tenant, _JOBS.c.kind, _JOBS.c.platform, _JOBS.c.attempts,
                   _JOBS.c.reason, _JOBS.c.at)  # fmt: skip
        wanted = sa.select(*columns).where(_JOBS.c.state == "dead").order_by(_JOBS.c.id)
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]

    def replay(self, identifiers: Sequence[int] = ()) -> int:
        """Put dead letters back into the queue, all of them without ids; returns how many."""
        dead = [_JOBS.c.state == "dead"]
        if identifiers:
            # a number that no database holds is that of no job
            dead.append(_JOBS.c.id.in_([one for one in identifiers if 0 < one <= _LAST_ID]))
        again = {"state": "queued", "attempts": 0, "due_at": self.clock(), "reason": ""}
        with self.writing() as connection:
            return connection.execute(_JOBS.update().where(*dead).values(again)).rowcount

    def queue_sizes(self) -> dict[str, int]:
        """Return how many jobs are in each state; ``timed`` are looks at promises to come."""
        timed = (_JOBS.c.kind == "look") & (_JOBS.c.state == "queued")
        state = sa.case((timed, "timed"), else_=_JOBS.c.state).label("state")
        wanted = sa.select(state, sa.func.count()).group_by(state)
        with self.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def purge(self, *, retention_days: int) -> None:
        """Delete what is older than it may be kept, and sessions that are over."""
        now = self.clock()
        old = now - retention_days * _DAY_SECONDS
        with self.writing() as connection:
            for table, rule in (
                (_DELIVERIES, _DELIVERIES.c.at < now - _DELIVERY_DAYS * _DAY_SECONDS),
                (_JOBS, (_JOBS.c.at < old) & (_JOBS.c.state != "queued")),
                (_THREADS, _THREADS.c.at < old),
                (_FEEDBACK, _FEEDBACK.c.at < old),
                (_KEYS, _KEYS.c.expires_at <= now),
            ):
                connection.execute(table.delete().where(rule))

    def _add(self, connection: sa.Connection, tenant: str, job: NewJob) -> None:
        key = _name(job.key)
        same = (_JOBS.c.tenant == tenant, _JOBS.c.kind == job.kind, _JOBS.c.key == key)
        if connection.execute(sa.select(_JOBS.c.id).where(*same)).first() is None:
            row = _new(tenant, job, self.clock())
            connection.execute(_JOBS.insert(), row)

    def _keep(self, connection: sa.Connection, tenant: str, kept: KeptThread) -> bool:
        row = {
            "thread": json.dumps(kept.thread.to_dict()), "analysis": json.dumps(kept.analysis),
            "stake": kept.stake, "version": kept.version, "at": self.clock(),
        }  # fmt: skip
        if kept.version == 1:
            connection.execute(_THREADS.insert(), row | {"tenant": tenant, "id": _name(kept.id)})
            return True
        same = (
            _THREADS.c.tenant == tenant,
            _THREADS.c.id == _name(kept.id),
            _THREADS.c.version == kept.version - 1,
        )
        return connection.execute(_THREADS.update().where(*same).values(row)).rowcount > 0


class TenantStore:
    """What belongs to one tenant: each statement below names it."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self.tenant = tenant

    def take_in(self, keys: Sequence[str], job: NewJob) -> bool:
        """Put a delivery into the queue, unless one of its keys was taken in before."""
        return self._store.take_in([Arrival(self.tenant, tuple(keys), job)])[0]

    def thread(self, identifier: str) -> KeptThread | None:
        """Return one thread."""
        wanted = sa.select(_THREADS).where(
            _THREADS.c.tenant == self.tenant, _THREADS.c.id == _name(identifier)
        )
        with self._store.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _kept(row)

    def threads(self, *, limit: int = 50, offset: int = 0) -> list[KeptThread]:
        """Return threads, those with most at stake first."""
        wanted = (
            sa.select(_THREADS)
            .where(_THREADS.c.tenant == self.tenant)
            .order_by(_THREADS.c.stake.desc(), _THREADS.c.at.desc(), _THREADS.c.id)
            .limit(limit)
            .offset(offset)
        )
        with self._store.reading() as connection:
            return [_kept(row) for row in connection.execute(wanted)]

    def writes(self, identifier: str) -> list[dict[str, Any]]:
        """Return what was, will be or (dry) would be written back for a thread."""
        wanted = (
            sa.select(_JOBS.c.platform, _JOBS.c.state, _JOBS.c.payload, _JOBS.c.key)
            .where(
                _JOBS.c.tenant == self.tenant,
                _JOBS.c.thread == _name(identifier),
                _JOBS.c.kind == "write",
            )
            .order_by(_JOBS.c.id)
        )
        with self._store.reading() as connection:
            rows = connection.execute(wanted).all()
        return [
            {"platform": row.platform, "state": row.state}
            | (json.loads(row.payload) if row.payload else {})
            for row in rows
        ]

    def add_feedback(self, thread: str, record: dict[str, Any]) -> None:
        """Keep a judgement on a recommendation."""
        row = {
            "tenant": self.tenant, "thread": _name(thread), "record": json.dumps(record),
            "at": self._store.clock(),
        }  # fmt: skip
        with self._store.writing() as connection:
            connection.execute(_FEEDBACK.insert(), row)

    def feedback(self, thread: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield judgements, oldest first, each with the thread that it is on if that is kept."""
        wanted = (
            sa.select(_FEEDBACK.c.record, _FEEDBACK.c.at, _THREADS.c.thread)
            .join(
                _THREADS,
                (_THREADS.c.tenant == _FEEDBACK.c.tenant) & (_THREADS.c.id == _FEEDBACK.c.thread),
                isouter=True,
            )
            .where(_FEEDBACK.c.tenant == self.tenant)
            .order_by(_FEEDBACK.c.id)
        )
        if thread is not None:
            wanted = wanted.where(_FEEDBACK.c.thread == _name(thread))
        with self._store.reading() as connection:
            for row in connection.execute(wanted):
                record = json.loads(row.record)
                yield record | {
                    "at": row.at,
                    "thread": None if row.thread is None else json.loads(row.thread),
                }


class _StaleError(Exception):
    """The thread was changed by somebody else."""


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() not in _BACKENDS:
            raise _no_database()
        lite = address.get_backend_name() == "sqlite"
        engine = sa.create_engine(
            address,
            hide_parameters=True,  # an error must not show what was to be written
            pool_pre_ping=not lite,
            **({"connect_args": {"timeout": 30}} if lite else {}),
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "psycopg", "postgres") from error
    except sa.exc.ArgumentError:
        raise _no_database() from None
    if lite:
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _no_database() -> InvalidRecordError:
    return InvalidRecordError(
        "The database must be an URL such as sqlite:///customer_nlp.db or "
        "postgresql+psycopg://user@host/name.",
        field="database",
    )


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    for rule in ("journal_mode=WAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {rule}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # Taking the lock late could fail half-way; taking it at once waits for its turn.
    options = connection.get_execution_options()
    if options.get("reading"):
        connection.exec_driver_sql("BEGIN")
        return
    level = "FULL" if options.get("durable", True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous={level}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _due(now: float) -> sa.Select[Any]:
    return sa.select(_JOBS.c.id).where(_JOBS.c.state == "queued", _JOBS.c.due_at <= now).limit(1)


def _change(
    connection: sa.Connection, identifier: int, *, held: str | None = None, **values: Any
) -> None:
    rules = [_JOBS.c.id == identifier]
    if held is not None:
        rules.append(_JOBS.c.lease == held)
    connection.execute(_JOBS.update().where(*rules).values(values))


def _take_in(connection: sa.Connection, one: Arrival, now: float) -> None:
    rows = [{"tenant": one.tenant, "key": _name(key), "at": now} for key in one.keys]
    connection.execute(_DELIVERIES.insert(), rows)
    connection.execute(_JOBS.insert(), _new(one.tenant, one.job, now))


def _new(tenant: str, job: NewJob, now: float) -> dict[str, Any]:
    return {
        "tenant": tenant, "kind": job.kind, "platform": job.platform, "key": _name(job.key),
        "thread": _name(job.thread), "payload": job.payload,
        "state": "dry" if job.dry else "queued", "attempts": 0,
        "due_at": now if job.due_at is None else job.due_at, "lease": "", "reason": "", "at": now,
    }  # fmt: skip


def _kept(row: Any) -> KeptThread:
    thread = Thread.from_dict(json.loads(row.thread))
    return KeptThread(row.id, thread, json.loads(row.analysis), row.stake, row.version)


def _name(word: str) -> str:
    """Return a name that any database keeps: PostgreSQL knows no NUL, none a lone surrogate."""
    plain = word.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return plain if len(plain) <= _MOST_NAME_CHARS else f"sha256:{_sha256(plain)}"


def _sha256(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()

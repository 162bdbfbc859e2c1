"""What changed since the last run: threads are known by hash, in a small database of the user's."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from customer_nlp.batch._stamps import Stamp
from customer_nlp.errors import SourceError
from customer_nlp.records import Thread

__all__ = ["Since"]

_APPLICATION: Final = 0x434E4C50  # "CNLP": tells our files from any other database
_TABLES: Final = """
CREATE TABLE run (number INTEGER NOT NULL, identity TEXT NOT NULL);
CREATE TABLE sources (source TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE threads (source TEXT, thread TEXT, hash BLOB NOT NULL, run INTEGER NOT NULL,
    PRIMARY KEY (source, thread)) WITHOUT ROWID;
INSERT INTO run VALUES (0, '');
"""


class Since:
    """The threads of earlier runs, by source; holds hashes and ids, no text.

    Parameters
    ----------
    path : Path
        The database; made when missing.
    identity : mapping of str to str
        Model and options. When they differ from the last run's, all threads are new.

    Attributes
    ----------
    unchanged : int
        Threads passed over so far.

    Raises
    ------
    SourceError
        For a file that is no such database, is in use, or cannot be written.

    Notes
    -----
    One transaction a run: without `commit`, nothing has happened. A source that was not touched is
    not read at all; any other is read from the start (threads may gain a mail anywhere, and a file
    may have been rewritten), which costs a small part of scoring.
    """

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self.unchanged = 0
        self._path = path
        said = json.dumps(identity, sort_keys=True)
        with self._said_plainly():
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
            try:
                self._begin(said)
            except BaseException:
                self._database.close()
                raise

    def _begin(self, identity: str) -> None:
        run = self._database.execute
        run("BEGIN IMMEDIATE")
        [application] = run("PRAGMA application_id").fetchone()
        if not application and not run("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _TABLES.split(";"):
                run(statement)
            run(f"PRAGMA application_id = {_APPLICATION}")
        elif application != _APPLICATION:
            raise self._foreign()
        self._number, theirs = run("SELECT number, identity FROM run").fetchone()
        if theirs != identity:
            run("DELETE FROM threads")
            run("DELETE FROM sources")
        run("UPDATE run SET number = number + 1, identity = ?", (identity,))

    def _foreign(self) -> SourceError:
        return SourceError(
            "The state is a file that an earlier run wrote, or a new one; got another kind of "
            "file. Choose another name.",
            source=str(self._path),
        )

    @contextmanager
    def _said_plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # locked, read-only, full: SQLite's own words
            raise SourceError(
                f"The state cannot be used: {error}. Check that no other run uses it, that its "
                "folder is yours and that the disk is not full.",
                source=str(self._path),
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._foreign() from error

    @property
    def generation(self) -> str:
        """Changes with every run that is committed."""
        return str(self._number)

    def __enter__(self) -> Since:
        return self

    def __exit__(self, *exception: object) -> None:
        with closing(self._database):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def changed(self, source: str, stamp: Stamp, threads: Iterator[Thread]) -> Iterator[Thread]:
        """Yield the threads of a source that are new or not what they were."""
        source = source.encode("utf-8", "backslashreplace").decode()
        seen = json.dumps(stamp)
        with self._said_plainly():
            run = self._database.execute
            here = run("SELECT stamp FROM sources WHERE source = ?", (source,)).fetchone()
            if here and here[0] == seen:
                threads_of = run("SELECT count(*) FROM threads WHERE source = ?", (source,))
                self.unchanged += threads_of.fetchone()[0]
                return
        for thread in threads:
            if self._is_new(source, thread):
                yield thread
            else:
                self.unchanged += 1
        with self._said_plainly():
            gone = (source, self._number)
            run("DELETE FROM threads WHERE source = ? AND run <> ?", gone)
            run("INSERT OR REPLACE INTO sources VALUES (?, ?)", (source, seen))

    def _is_new(self, source: str, thread: Thread) -> bool:
        digest = hashlib.sha256(json.dumps(thread.to_dict()).encode()).digest()
        with self._said_plainly():
            run = self._database.execute
            key = (source, thread.id)
            known = run("SELECT hash FROM threads WHERE source = ? AND thread = ?", key).fetchone()
            run("INSERT OR REPLACE INTO threads VALUES (?, ?, ?, ?)", (*key, digest, self._number))
        return known is None or known[0] != digest

    def commit(self) -> None:
        """Remember this run; to be called when its output is in place."""
        with self._said_plainly():
            self._database.execute("COMMIT")

"""Mails of a server, kept aside on the disk: what was fetched once is not fetched again."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from customer_nlp.errors import SourceError

__all__ = ["KeptMails", "Snapshot"]

_APPLICATION: Final = 0x434E4C4D  # "CNLM": tells our files from any other database
_TABLES: Final = (
    "CREATE TABLE numbering (validity INTEGER NOT NULL)",
    "CREATE TABLE mails (uid INTEGER PRIMARY KEY, raw BLOB NOT NULL)",
    f"PRAGMA application_id = {_APPLICATION}",
)


class Snapshot(NamedTuple):
    """What a mailbox on a server looked like when it was fetched.

    Parameters
    ----------
    key : str
        Hash that tells the mailbox from any other.
    bytes : int
        Of all mails.
    digest : str
        Hash of which mails there are, and which of them the server gave out.
    """

    key: str
    bytes: int
    digest: str


class KeptMails:
    """The mails of one mailbox, by their UID; a `Box` once `expect` said which they are.

    Parameters
    ----------
    key : str
        Hash that tells the mailbox from any other.
    folder : Path or None
        Where its file is, readable for its owner alone; made when missing. ``None``: a temporary
        file without a name, which is gone with the process.
    validity : int
        UIDVALIDITY of the mailbox. Mails kept under another are dropped: their numbers mean
        nothing any more (RFC 3501, section 2.3.1.1).

    Raises
    ------
    SourceError
        For a file that is none of ours, is in use, or cannot be written.

    Notes
    -----
    Memory: 8 bytes a mail. What was added is safe when `add` returns. Dropped mails are
    overwritten on the disk.
    """

    def __init__(self, key: str, folder: Path | None, validity: int) -> None:
        self._key = key
        self._path = path = folder / f"{key}.sqlite3" if folder else None
        self._validity = validity
        self._uids: array[int] = array("q")
        with self._said_plainly():
            if path is not None:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
                os.close(os.open(path, flags, 0o600))
            self._database = sqlite3.connect(
                path or "", isolation_level=None, timeout=0, check_same_thread=False
            )
            try:
                self._begin()
            except BaseException:
                self.close()
                raise

    def _begin(self) -> None:
        run = self._database.execute
        # the lock is held until `close`: nobody changes the mails while they are read
        for pragma in ("locking_mode = EXCLUSIVE", "secure_delete = ON"):
            run(f"PRAGMA {pragma}")
        with self._safe():
            [application] = run("PRAGMA application_id").fetchone()
            if not application and not run("SELECT 1 FROM sqlite_master").fetchone():
                for statement in _TABLES:
                    run(statement)
            elif application != _APPLICATION:
                raise self._foreign()
            if run("SELECT validity FROM numbering").fetchone() != (self._validity,):
                for statement in ("DELETE FROM mails", "DELETE FROM numbering"):
                    run(statement)
                run("INSERT INTO numbering VALUES (?)", (self._validity,))

    @contextmanager
    def _safe(self) -> Iterator[None]:
        self._database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _said_plainly(self) -> Iterator[None]:
        where = str(self._path) if self._path else None
        try:
            yield
        except SourceError:
            raise
        except (OSError, sqlite3.OperationalError) as error:
            raise SourceError(
                f"The fetched mails cannot be kept: {getattr(error, 'strerror', None) or error}. "
                "Check that no other run uses them, that the folder is yours and that the disk "
                "is not full.",
                source=where,
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._foreign() from error

    def _foreign(self) -> SourceError:
        return SourceError(
            "The fetched mails are kept in a file that an earlier run wrote, or a new one; got "
            "another kind of file. Remove it to fetch them anew.",
            source=str(self._path),
        )

    def expect(self, uids: Iterable[int]) -> array[int]:
        """Say which mails the mailbox holds; drops all others and returns those to be fetched."""
        self._uids = array("q", uids)
        with self._said_plainly(), self._safe():
            run = self._database
            kept = {uid for (uid,) in run.execute("SELECT uid FROM mails")}
            gone = kept.difference(self._uids)
            run.executemany("DELETE FROM mails WHERE uid = ?", ((uid,) for uid in gone))
        return array("q", (uid for uid in self._uids if uid not in kept))

    def add(self, mails: Iterable[tuple[int, bytes]]) -> None:
        """Keep some mails, all or none of them."""
        with self._said_plainly(), self._safe():
            self._database.executemany("INSERT OR REPLACE INTO mails VALUES (?, ?)", mails)

    @property
    def snapshot(self) -> Snapshot:
        """What there is; to be asked for before `close`."""
        digest = hashlib.sha256(f"{self._validity}".encode() + self._uids.tobytes())
        size = 0
        with self._said_plainly():
            lengths = "SELECT uid, length(raw) FROM mails ORDER BY uid"
            for uid, length in self._database.execute(lengths):
                digest.update(f" {uid}".encode())
                size += length
        return Snapshot(self._key, size, digest.hexdigest())

    def __len__(self) -> int:
        return len(self._uids)

    def separator(self, index: int) -> str:  # noqa: ARG002 - mails of a server have none
        """Return nothing: there is no separator."""
        return ""

    def raw(self, index: int) -> bytes:
        """Return the bytes of one mail; raises OSError for one that the server did not give."""
        with self._said_plainly():
            found = self._database.execute(
                "SELECT raw FROM mails WHERE uid = ?", (self._uids[index],)
            ).fetchone()
        if found is None:
            raise OSError(errno.ENOENT, "the server did not give it out")
        return bytes(found[0])

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def forget(self) -> None:
        """Close and delete the file, and its folder where it was the last."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            with suppress(OSError):  # other mailboxes are kept there
                self._path.parent.rmdir()

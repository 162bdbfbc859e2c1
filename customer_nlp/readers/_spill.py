"""What outgrows memory: a list and an index whose later entries lie in a temporary file.

The file is SQLite's own: it has no name, so it is gone with the process, however that ends.
"""

from __future__ import annotations

import hashlib
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar, overload

from customer_nlp.errors import SourceError

__all__ = ["Groups", "Index", "Spill", "SpillList"]

#: Entries of each list and index that stay in memory.
MOST_IN_MEMORY: Final = 50_000
_CACHE_KB: Final = 32_000

Entry = TypeVar("Entry")


class Spill:
    """The temporary file of one source; made when the first list or index outgrows memory."""

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None
        self._tables = 0

    def table(self, columns: str) -> str:
        """Make a table and return its name."""
        if self._database is None:
            with _said_plainly():
                self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
                for pragma in ("journal_mode = OFF", "synchronous = OFF"):
                    self._database.execute(f"PRAGMA {pragma}")
                self._database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
                self._database.execute("BEGIN")
        self._tables += 1
        self.run(f"CREATE TABLE t{self._tables} ({columns}) WITHOUT ROWID")
        return f"t{self._tables}"

    def run(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Run one statement."""
        assert self._database is not None
        with _said_plainly():
            return self._database.execute(statement, values)


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SourceError(
            f"The temporary file cannot be used: {error}. Make room, or name another folder for it "
            "in the variable SQLITE_TMPDIR."
        ) from error


class SpillList(Sequence[Entry], Generic[Entry]):
    """A list of which the entries beyond `MOST_IN_MEMORY` are packed away.

    Parameters
    ----------
    spill : Spill
        Where they go.
    pack, unpack : callable
        Entry to str and back, without loss.
    """

    def __init__(
        self, spill: Spill, pack: Callable[[Entry], str], unpack: Callable[[str], Entry]
    ) -> None:
        self._spill, self._pack, self._unpack = spill, pack, unpack
        self._near: list[Entry] = []
        self._count = 0
        self._table = ""

    def __len__(self) -> int:
        return self._count

    def append(self, entry: Entry) -> None:
        """Add an entry at the end."""
        if self._count < MOST_IN_MEMORY:
            self._near.append(entry)
        else:
            self._table = self._table or self._spill.table("n INTEGER PRIMARY KEY, entry TEXT")
            self._put(self._count, entry)
        self._count += 1

    def _put(self, at: int, entry: Entry) -> None:
        statement = f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?)"  # noqa: S608 - our name
        self._spill.run(statement, at, self._pack(entry))

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...
    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(self._count))]
        if at < len(self._near):
            return self._near[at]
        if at >= self._count:
            raise IndexError(at)
        statement = f"SELECT entry FROM {self._table} WHERE n = ?"  # noqa: S608 - our name
        return self._unpack(self._spill.run(statement, at).fetchone()[0])

    def __setitem__(self, at: int, entry: Entry) -> None:
        if at < len(self._near):
            self._near[at] = entry
        else:
            self._put(at, entry)


class Index:
    """A dict of str to int of which the keys beyond `MOST_IN_MEMORY` lie on the disk, as hashes.

    Parameters
    ----------
    spill : Spill
        Where they go.
    """

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._near: dict[str, int] = {}
        self._table = ""

    def get(self, key: str) -> int | None:
        """Return the number of a key, or ``None``."""
        found = self._near.get(key)
        if found is not None or not self._table:
            return found
        statement = f"SELECT value FROM {self._table} WHERE key = ?"  # noqa: S608 - our name
        row = self._spill.run(statement, _hashed(key)).fetchone()
        return int(row[0]) if row else None

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: str, value: int) -> None:
        if len(self._near) < MOST_IN_MEMORY or key in self._near:
            self._near[key] = value
            return
        self._table = self._table or self._spill.table("key BLOB PRIMARY KEY, value INTEGER")
        statement = f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?)"  # noqa: S608 - our name
        self._spill.run(statement, _hashed(key), value)

    def setdefault(self, key: str, value: int) -> int:
        """Return the number of a key, which is `value` when it is new."""
        found = self.get(key)
        if found is None:
            self[key] = found = value
        return found


def _hashed(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Groups(Sequence["array[int]"]):
    """Numbers by group: groups by their first number, numbers in order. A few bytes a number.

    Parameters
    ----------
    labels : iterable of int
        Of each number from 0 on, any non-negative number that stands for its group.
    limit : int
        Above the highest label.
    """

    def __init__(self, labels: Iterable[int], limit: int) -> None:
        group_of = array("q", [-1]) * limit
        groups, sizes = array("q"), array("q")
        for label in labels:
            if group_of[label] < 0:
                group_of[label] = len(sizes)
                sizes.append(0)
            groups.append(group_of[label])
            sizes[group_of[label]] += 1
        self._ends = array("q", [0])
        for size in sizes:
            self._ends.append(self._ends[-1] + size)
        self._numbers = array("q", bytes(8 * len(groups)))
        filled = self._ends[:-1]
        for number, group in enumerate(groups):
            self._numbers[filled[group]] = number
            filled[group] += 1

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, at: int) -> array[int]: ...
    @overload
    def __getitem__(self, at: slice) -> list[array[int]]: ...
    def __getitem__(self, at: int | slice) -> array[int] | list[array[int]]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        if at >= len(self):
            raise IndexError(at)
        return self._numbers[self._ends[at] : self._ends[at + 1]]

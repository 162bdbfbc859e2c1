"""Whether a source is still what it was: its size, dates and ends, without reading all of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from customer_nlp.errors import SourceError

__all__ = ["Stamp", "check_unbroken", "stamp"]

_END_BYTES: Final = 1 << 16


class Stamp(NamedTuple):
    """What a source looks like from outside.

    Parameters
    ----------
    bytes : int
        Size of the file, or of all files of a folder.
    modified : int
        Of a file, in nanoseconds since 1970; 0 for a folder.
    inode : int
        Of a file; 0 for a folder.
    digest : str
        Hash of a file's first and last 64 kB, or of the names, sizes and dates in a folder.
    """

    bytes: int
    modified: int
    inode: int
    digest: str


def stamp(path: Path) -> Stamp:
    """Look at a source. Cost: constant for a file, one listing for a folder.

    Raises
    ------
    OSError
        Where it cannot be looked at.
    """
    if path.is_dir():
        return _folder_stamp(path)
    state = path.stat()
    return Stamp(state.st_size, state.st_mtime_ns, state.st_ino, _ends(path, state.st_size))


def _ends(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(min(size, _END_BYTES)))
        file.seek(max(size - _END_BYTES, 0))
        digest.update(file.read(min(size, _END_BYTES)))
    return digest.hexdigest()


def _folder_stamp(path: Path) -> Stamp:
    digest, total = hashlib.sha256(), 0
    for name in _files(path):
        state = name.stat()
        total += state.st_size
        entry = f"{name.relative_to(path)}\0{state.st_size}\0{state.st_mtime_ns}\n"
        digest.update(entry.encode("utf-8", "surrogateescape"))
    return Stamp(total, 0, 0, digest.hexdigest())


def _files(path: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(path):
        folders.sort()
        yield from filter(Path.is_file, (Path(parent, name) for name in sorted(names)))


def check_unbroken(path: Path, before: Stamp) -> None:
    """Make sure that a source did not go, shrink or change while it was read; it may grow.

    Of a file, the start and what was its end are looked at.

    Raises
    ------
    SourceError
        Saying what happened.
    """
    try:
        state = path.stat()
        ends = _ends(path, before.bytes) if before.inode else ""
    except OSError as error:
        raise SourceError(
            "The source vanished while it was read, so the output might lack part of it. Bring "
            "it back and run again.",
            source=str(path),
        ) from error
    # mails of a folder that went are among the rejected records
    if before.inode and (state.st_ino, ends) != (before.inode, before.digest):
        raise SourceError(
            "The source was rewritten while it was read, so the output might mix old and new. "
            "Run again when nothing writes to it.",
            source=str(path),
        )

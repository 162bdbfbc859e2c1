"""Output under way, safe against a kill at any moment.

Beside the target lie a part file, which only grows, and a journal. A block of output is written
to the part file and forced to the disk; only then does a line of the journal say so. What stands
behind the last whole line is cut off by the next run. A line holds a hash of itself and of all
lines before it, so a journal that was changed is not believed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from customer_nlp.errors import InvalidRecordError, SourceError

__all__ = ["Spool", "fresh", "in_place", "keep_apart", "said_plainly", "written"]

_CHECK_CHARS: Final = 16


@contextmanager
def said_plainly(target: Path) -> Iterator[None]:
    """Turn a full disk or a folder of somebody else's into an error of ours."""
    try:
        yield
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(
            f"The output cannot be written: {error.strerror or type(error).__name__}. "
            "Check that its folder exists and is yours, and that the disk is not full; what was "
            "done so far is kept for --resume.",
            source=str(target),
        ) from error


def fresh(path: Path) -> IO[bytes]:
    """Open a new file, with the permissions that the umask leaves; no link is followed."""
    path.unlink(missing_ok=True)
    return path.open("x+b")


def in_place(aside: Path, target: Path) -> None:
    """Give a finished file its name, for good."""
    aside.replace(target)
    with suppress(OSError):  # a folder cannot be opened everywhere
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def written(target: Path) -> Iterator[Callable[[bytes], None]]:
    """Write a file aside, in one go, and put it in place when all of it is on the disk."""
    aside = target.with_name(f".{target.name}.part")
    with said_plainly(target):
        handle = fresh(aside)
    try:
        with handle:

            def write(block: bytes) -> None:
                with said_plainly(target):
                    handle.write(block)

            yield write
            with said_plainly(target):
                handle.flush()
                os.fsync(handle.fileno())
                in_place(aside, target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


class Spool:
    """The part file and the journal of one output.

    Parameters
    ----------
    target : Path
        Where the output shall be.
    identity : mapping of str to str
        What has to be the same for a run to go on with another's output, by a name to show.
    resume : bool
        Go on where the journal ends; without a journal, or with one that says nothing yet,
        start anew.

    Attributes
    ----------
    threads : int
        Threads whose output is safe.
    state : dict
        What `append` was given with the last block.
    end : int
        How many bytes of the part file are safe.

    Raises
    ------
    SourceError
        Where nothing can be written, another run is writing, or the journal is not of this run
        or not whole.
    """

    def __init__(self, target: Path, identity: Mapping[str, str], *, resume: bool) -> None:
        self.target = target
        self.part = target.with_name(f".{target.name}.part")
        self.path = target.with_name(f"{target.name}.journal")
        self.threads = 0
        self.state: dict[str, Any] = {}
        self.end = 0
        self._chain = ""
        with said_plainly(target):
            self._journal = _locked(self.path, target)
        try:
            with said_plainly(target):
                if not (resume and self._go_on(identity)):
                    self._start(identity)
        except BaseException:
            self._journal.close()
            raise

    def _start(self, identity: Mapping[str, str]) -> None:
        self._journal.seek(0)
        self._journal.truncate()
        self._data = fresh(self.part)
        try:
            self._note({"identity": dict(identity)})
        except BaseException:
            self.abandon()
            raise

    def _go_on(self, identity: Mapping[str, str]) -> bool:
        entries = list(self._entries())
        # A part file that is gone was put in place just before the run was killed: do it again.
        if len(entries) < 2 or not self.part.exists():
            self._chain = ""
            return False
        _compare(entries[0]["identity"], identity, self.path)
        if self.part.is_symlink():
            raise self._broken()
        self._data = self.part.open("r+b")
        try:
            self._verify(entries[1:])
        except BaseException:
            self._data.close()
            raise
        self._data.truncate(self.end)
        self._data.seek(self.end)
        self.threads, self.state = entries[-1]["threads"], entries[-1]["state"]
        return True

    def _entries(self) -> Iterator[dict[str, Any]]:
        self._journal.seek(0)
        kept = 0
        for line in self._journal:
            if not line.endswith(b"\n"):  # cut off when the run was killed
                break
            check, _, body = line[:-1].partition(b" ")
            if check.decode("latin-1") != self._next_check(body):
                raise self._broken()
            kept += len(line)
            yield json.loads(body)
        self._journal.truncate(kept)
        self._journal.seek(kept)

    def _verify(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            block = self._data.read(entry["end"] - self.end)
            if hashlib.sha256(block).hexdigest() != entry["sha256"]:
                raise self._broken()
            self.end = entry["end"]

    def _broken(self) -> SourceError:
        return SourceError(
            "The journal and the output under way do not fit together or were changed, so the "
            "run cannot go on. Run without --resume to start anew.",
            source=str(self.path),
        )

    def _next_check(self, body: bytes) -> str:
        digest = hashlib.sha256(self._chain.encode() + body)
        self._chain = digest.hexdigest()
        return self._chain[:_CHECK_CHARS]

    def _note(self, entry: dict[str, Any]) -> None:
        body = json.dumps(entry, separators=(",", ":")).encode()
        self._journal.write(self._next_check(body).encode() + b" " + body + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())

    def append(self, block: bytes, threads: int, state: dict[str, Any]) -> None:
        """Write a block of output and make it safe.

        Parameters
        ----------
        block : bytes
            Output of the threads since the last block.
        threads : int
            How many threads are done now.
        state : dict
            Plain JSON types, for `state` of a run that goes on.
        """
        with said_plainly(self.target):
            self._data.write(block)
            self._data.flush()
            os.fsync(self._data.fileno())
            self.end = self._data.tell()
            digest = hashlib.sha256(block).hexdigest()
            self._note({"end": self.end, "threads": threads, "sha256": digest, "state": state})
        self.threads, self.state = threads, state

    def finish(self, join: Callable[[Path, Path], Path] | None) -> None:
        """Put the output in place; `join` makes it of the part file first, where that is not it."""
        with said_plainly(self.target):
            self._data.close()
            done = join(self.part, self.target) if join else self.part
            in_place(done, self.target)
            self.path.unlink(missing_ok=True)
            self.part.unlink(missing_ok=True)
            self._journal.close()

    def abandon(self) -> None:
        """Let go after a failure; keep what a run with ``resume`` can use."""
        if not self.threads:
            self.path.unlink(missing_ok=True)
            self.part.unlink(missing_ok=True)
        with suppress(OSError):  # a full disk is full for what is still in the buffer too
            self._data.close()
        with suppress(OSError):
            self._journal.close()


def _locked(path: Path, target: Path) -> IO[bytes]:
    """Open the journal for this run alone; the lock goes with the process, however it ends."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    journal = os.fdopen(os.open(path, flags, 0o666), "r+b")
    try:
        import fcntl
    except ImportError:  # no such lock on this system
        return journal
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        journal.close()
        raise SourceError(
            "Another run is writing this output. Wait for it, or choose another name.",
            source=str(target),
        ) from error
    return journal


def _compare(theirs: Mapping[str, str], ours: Mapping[str, str], path: Path) -> None:
    names = [name for name in (*theirs, *ours) if theirs.get(name) != ours.get(name)]
    if names:
        raise SourceError(
            f"The journal is of another run: {', '.join(dict.fromkeys(names))} changed since. Run "
            "without --resume to start anew.",
            source=str(path),
        )


def keep_apart(written: Sequence[Path], sources: Sequence[Path]) -> None:
    """Refuse to write over what is read: a table may end with .csv or .jsonl too."""
    for number, path in enumerate(written):
        others = [*sources, *written[number + 1 :]]
        if any(path == other or _is_same(path, other) for other in others):
            raise InvalidRecordError(
                "The output must be another file than the sources and the state; got one of them. "
                "Choose another name.",
                field="out",
            )


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # no such file: `read` says so of a source
        return False

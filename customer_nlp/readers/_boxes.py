"""Mailboxes: where the raw mails lie.

A box knows how many mails it holds and hands out the bytes of each, again and again.
"""

from __future__ import annotations

import errno
import os
import re
from array import array
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final, Protocol

__all__ = ["Box", "FileBox", "MboxBox", "eml_files", "maildir_files", "starts_as_mbox"]


class Box(Protocol):
    """What reading needs of a mailbox."""

    def __len__(self) -> int:
        """Return how many mails there are."""

    def raw(self, index: int) -> bytes:
        """Return the bytes of one mail; raises OSError where they cannot be read."""

    def separator(self, index: int) -> str:
        """Return the ``From`` line above it, or an empty string."""

    def close(self) -> None:
        """Let go of the files."""


_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]{0,64}From ")
# "From somebody Mon Mar  2 09:14:00 2026", with zones and the order of words as they come.
_DATED: Final = re.compile(
    rb"From .{0,300}?\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .{0,40}?\d:\d\d|\d{4}-\d\d-\d\d)"
)
_UNDATED: Final = re.compile(rb"From \S{1,300}[ \t]{0,20}\r?\n(?=[!-9;-~]{1,100}:)")
# Blank lines right above the first header: what saves mails leaves them there.
_BLANK_START: Final = re.compile(rb"[\r\n]{1,64}(?=[!-9;-~]{1,100}:[ \t])")
_QUOTED_FROM: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_LINE_CHARS: Final = 1000
_BLOCK_BYTES: Final = 1 << 20


def starts_as_mbox(head: bytes) -> bool:
    """Tell whether the first bytes of a file are those of an mbox."""
    match = _START.match(head)
    return bool(match) and _is_separator(head[match.end() - 5 :]) if match else False


def _is_separator(line: bytes) -> bool:
    """Tell a separator from a sentence that starts with "From ": a date, or a header below."""
    first = line.partition(b"\n")[0]
    return bool(_DATED.match(first) or _UNDATED.match(line))


class MboxBox:
    """An mbox file, split at its separators.

    Parameters
    ----------
    path : Path
        A file that is not empty.

    Notes
    -----
    A separator is a line that starts with "From ", holds a date or stands right above a header,
    and has a blank line above it (RFC 4155). "From " lines quoted as ">From " are unquoted once
    (mboxrd). Cost: one search over the file, then a read a mail. The file is not mapped into
    memory: cut short while it is mapped, it would end the process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None  # opened when the first mail is asked for
        self._starts = array("q")
        with path.open("rb") as file:
            self._find_separators(file)

    def _find_separators(self, file: BinaryIO) -> None:
        data, offset = file.read(_BLOCK_BYTES), 0
        first = _START.match(data, 0, 80)
        if first:
            self._starts.append(first.end() - 5)
        position = 0
        while data:
            at = data.find(b"\nFrom ", position)
            # what follows a separator, or half of one, may stand in the next block
            if at < 0 or at + 1 + _LINE_CHARS > len(data):
                if more := file.read(_BLOCK_BYTES):
                    cut = max((at if at >= 0 else len(data) - len(b"\nFrom")) - 2, 0)
                    offset, position = offset + cut, max(position - cut, 0)
                    data = data[cut:] + more
                    continue
                if at < 0:
                    break
            position = at + 5
            above = data[max(at - 2, 0) : at]
            if (
                (above.endswith(b"\n") or above == b"\n\r")
                and _is_separator(data[at + 1 : at + 1 + _LINE_CHARS])
                # Leading blank lines make the first separator match twice.
                and (not self._starts or offset + at + 1 > self._starts[-1])
            ):
                self._starts.append(offset + at + 1)
        self._end = offset + len(data)

    def __len__(self) -> int:
        return len(self._starts)

    def _read(self, index: int, most: int | None = None) -> bytes:
        """Return a mail with its separator, or the first bytes of it."""
        start = self._starts[index]
        last = index + 1 == len(self._starts)
        wanted = (self._end if last else self._starts[index + 1]) - start
        wanted = wanted if most is None else min(wanted, most)
        if self._file is None:
            self._file = FileIO(self._path)
        self._file.seek(start)
        raw = self._file.read(wanted)
        while len(raw) < wanted and (more := self._file.read(wanted - len(raw))):
            raw += more  # one read may give less than all of a large mail
        if len(raw) < wanted:
            raise OSError(errno.EIO, "the file was cut short while it was read")
        return raw

    def separator(self, index: int) -> str:
        """Return the ``From`` line above a mail."""
        line = self._read(index, _LINE_CHARS).partition(b"\n")[0]
        return line.decode("latin-1").strip()

    def raw(self, index: int) -> bytes:
        """Return the bytes of one mail, without the separator and the blank line below."""
        mail = self._read(index)
        start = mail.find(b"\n") + 1 or len(mail)
        end = len(mail)
        for blank in (b"\r\n\r\n", b"\n\n"):
            if mail.endswith(blank, start):
                end -= len(blank) // 2
                break
        raw = mail[start:end]
        return _QUOTED_FROM.sub(rb"\1", raw) if b">From " in raw else raw

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class FileBox:
    """Mails in files of their own.

    Parameters
    ----------
    paths : list of Path
        One a mail, in the order of reading.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def separator(self, index: int) -> str:  # noqa: ARG002 - files have none
        """Return nothing: there is no separator."""
        return ""

    def raw(self, index: int) -> bytes:
        """Return the bytes of one mail."""
        raw = self._paths[index].read_bytes().removeprefix(b"\xef\xbb\xbf")
        if b"\r" in raw[:_LINE_CHARS] and b"\n" not in raw:  # line ends of old Macs
            raw = raw.replace(b"\r", b"\n")
        if blank := _BLANK_START.match(raw):
            raw = raw[blank.end() :]
        # Mails cut out of an mbox may still have its separator.
        return raw[raw.find(b"\n") + 1 :] if starts_as_mbox(raw[:_LINE_CHARS]) else raw

    def close(self) -> None:
        """Do nothing: no file is kept open."""


def eml_files(folder: Path) -> list[Path]:
    """Return the ``.eml`` files below a folder, sorted by path; hidden folders are passed over."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.extend(
            Path(parent, name)
            for name in names
            if name.lower().endswith(".eml") and not name.startswith(".")
        )
    return sorted(path for path in found if path.is_file())


def maildir_files(folder: Path) -> list[Path]:
    """Return the mails in ``cur`` and ``new`` of a Maildir and of the Maildirs below it.

    Files in ``tmp`` are deliveries under way and are left alone.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        if here.name in {"cur", "new"} and (here.parent / "cur").is_dir():
            found.extend(here / name for name in names if not name.startswith("."))
        if here.name == "tmp":
            folders.clear()
    return sorted(path for path in found if path.is_file())

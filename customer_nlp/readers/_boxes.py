"""Mailboxes: where the raw mails lie.

A box knows how many mails it holds and hands out the bytes of each, again and again.
"""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path
from typing import Final, Protocol

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
_QUOTED_FROM: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_LINE_CHARS: Final = 1000


def starts_as_mbox(head: bytes) -> bool:
    """Tell whether the first bytes of a file are those of an mbox."""
    match = _START.match(head)
    return bool(match) and _is_separator(head[match.end() - 5 :]) if match else False


def _is_separator(line: bytes) -> bool:
    """Tell a separator from a sentence that starts with "From ": a date, or a header below."""
    first = line.partition(b"\n")[0]
    return bool(_DATED.match(first) or _UNDATED.match(line))


class MboxBox:
    """An mbox file, mapped into memory and split at its separators.

    Parameters
    ----------
    path : Path
        A file that is not empty.

    Notes
    -----
    A separator is a line that starts with "From ", holds a date or stands right above a header,
    and has a blank line above it (RFC 4155). "From " lines quoted as ">From " are unquoted once
    (mboxrd). Cost: one search over the file, then a slice a mail.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._starts = self._find_separators()

    def _find_separators(self) -> list[int]:
        first = _START.match(self._map, 0, 80)
        starts = [first.end() - 5] if first else []
        position = 0
        find, data = self._map.find, self._map
        while (at := find(b"\nFrom ", position)) >= 0:
            position = at + 5
            above = data[max(at - 2, 0) : at]
            if (above.endswith(b"\n") or above == b"\n\r") and _is_separator(
                data[at + 1 : at + 1 + _LINE_CHARS]
            ):
                starts.append(at + 1)
        # Leading blank lines make the first separator match twice.
        return sorted(set(starts))

    def __len__(self) -> int:
        return len(self._starts)

    def _line_end(self, index: int) -> int:
        end = self._map.find(b"\n", self._starts[index])
        return len(self._map) if end < 0 else end + 1

    def separator(self, index: int) -> str:
        """Return the ``From`` line above a mail."""
        start = self._starts[index]
        line = self._map[start : min(self._line_end(index), start + _LINE_CHARS)]
        return line.decode("latin-1").strip()

    def raw(self, index: int) -> bytes:
        """Return the bytes of one mail, without the separator and the blank line below."""
        last = index + 1 == len(self._starts)
        end = len(self._map) if last else self._starts[index + 1]
        raw = self._map[self._line_end(index) : end]
        for blank in (b"\r\n\r\n", b"\n\n"):
            if raw.endswith(blank):
                raw = raw[: len(raw) - len(blank) // 2]
                break
        return _QUOTED_FROM.sub(rb"\1", raw) if b">From " in raw else raw

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()


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

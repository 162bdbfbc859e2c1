"""Which format a path holds, and the way from there to threads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeGuard

from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.readers._boxes import (
    FileBox,
    MboxBox,
    eml_files,
    maildir_files,
    starts_as_mbox,
)
from customer_nlp.readers._helpdesk import HELPDESKS, helpdesk_of, helpdesk_reader
from customer_nlp.readers._inbox import mail_threads
from customer_nlp.readers._kept import KeptMails, Snapshot
from customer_nlp.readers._mail import is_binary
from customer_nlp.readers._parquet import parquet_threads
from customer_nlp.readers._rejects import OnError, Rejects
from customer_nlp.readers._roles import OwnAddresses
from customer_nlp.readers._tables import csv_threads, has_text_column, json_threads
from customer_nlp.records import Thread

__all__ = ["FORMATS", "Snapshot", "Threads", "is_on_server", "read"]

_Reader = Callable[[Path, Rejects, OwnAddresses], Iterator[Thread]]


class _Format(NamedTuple):
    """One row of the registry."""

    read: _Reader
    folder: bool | None  # whether it is a folder; None: either
    expected: str


def _mbox(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    if not starts_as_mbox(_head(path)):
        raise SourceError(
            "An mbox starts with a line 'From sender date'; this file does not. Leave the format "
            "out to have it detected, or export the mailbox again.",
            source=rejects.source,
        )
    return mail_threads(MboxBox(path), rejects, own)


def _maildir(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    if not (found := maildir_files(path)):
        raise SourceError(
            "A Maildir holds mails in its folders cur and new; there is none. "
            "Check the path, or pass a folder of .eml files.",
            source=rejects.source,
        )
    return mail_threads(FileBox(found), rejects, own)


def _eml(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    found = eml_files(path) if path.is_dir() else [path]
    if not found:
        raise _no_mail(rejects.source)
    return mail_threads(FileBox(found), rejects, own)


#: Format name to reader. A further format is one more row, and a line in `_detect_file`.
FORMATS: Final[dict[str, _Format]] = {
    "mbox": _Format(_mbox, folder=False, expected="an mbox file"),
    "maildir": _Format(_maildir, folder=True, expected="a Maildir folder"),
    "eml": _Format(_eml, folder=None, expected="an .eml file or a folder of them"),
    "csv": _Format(csv_threads, folder=False, expected="a CSV file"),
    "jsonl": _Format(json_threads, folder=False, expected="a JSON Lines or JSON file"),
    "parquet": _Format(parquet_threads, folder=False, expected="a Parquet file"),
} | {
    name: _Format(helpdesk_reader(name), folder=False, expected=f"a JSON export of {name}")
    for name in HELPDESKS
}

_HEAD_BYTES: Final = 65536


class Threads(Iterator[Thread]):
    """The threads of one source, read as they are asked for.

    Attributes
    ----------
    source : str
        Name of the source; of a mailbox on a server without its user.
    """

    def __init__(
        self, threads: Iterator[Thread], rejects: Rejects, kept: KeptMails | None = None
    ) -> None:
        self.source = rejects.source
        self._threads = threads
        self._rejects = rejects
        self._kept = kept

    def __next__(self) -> Thread:
        return next(self._threads)

    def close(self) -> None:
        """Let go of the files, where reading stops early."""
        if isinstance(self._threads, Generator):
            self._threads.close()
        if self._kept is not None:  # a generator that never began closes nothing
            self._kept.close()

    @property
    def snapshot(self) -> Snapshot | None:
        """What was fetched of a mailbox on a server; ``None`` for other sources."""
        return None if self._kept is None else self._kept.snapshot

    def forget(self) -> None:
        """Close, and delete what `read` kept of a mailbox on a server."""
        self.close()
        if self._kept is not None:
            self._kept.forget()

    @property
    def fraction(self) -> float:
        """How much of the source has been handed out, roughly: between 0 and 1."""
        return self._rejects.fraction


def read(
    source: str | os.PathLike[str],
    format: str = "auto",  # noqa: A002 - a public name
    *,
    own_domains: Iterable[str] = (),
    on_error: OnError = "raise",
    keep_raw: bool = False,
    keep_mails: str | os.PathLike[str] | None = None,
) -> Threads:
    """Read threads from a mailbox, a table or transcripts.

    Parameters
    ----------
    source : str or path
        An mbox, a Maildir, an ``.eml`` file or a folder of them, a CSV file with a header, JSON
        Lines (or one JSON array) with a message, a thread or a helpdesk's payload an item, or
        Parquet with a message or a thread a row. Or a mailbox on a server,
        ``imaps://user@host/mailbox``: see the notes.
    format : {'auto', 'mbox', 'maildir', 'eml', 'csv', 'jsonl', 'parquet'} or one of `HELPDESKS`
        ``auto``, the default, looks at the path and at the first bytes; a helpdesk's export is
        told where it is unmistakable. Its events without words are no records, and a message
        that was delivered several times is one.
    own_domains : iterable of str
        Domains (their sub-domains count) and addresses of the company. Mails from them are the
        agents'. Without any, the company is guessed and `Message.role_confidence` says how
        surely.
    on_error : {'raise', 'skip'} or callable, default='raise'
        What to do with a record that cannot be read; a callable takes the `ParseError`. Every
        record of the source becomes one message of one thread, or one such error. An exact
        copy of an earlier message is an error too; another message under the same id is kept
        under a new one.
    keep_raw : bool, default=False
        Put the raw record into `ParseError.raw`.
    keep_mails : str or path, optional
        A folder in which the mails of a server are kept, so that the next read fetches only new
        ones, or goes on where this one was cut. Without it they are gone when reading ends.

    Returns
    -------
    Threads
        An iterator of `Thread`, in order of first appearance.

    Raises
    ------
    SourceError
        At once, when the source as a whole cannot be read: missing, empty, of an unknown kind; a
        server that cannot be reached or trusted, that refuses, or that hangs up again and again.
    MissingExtraError
        For a mailbox on a server without imap-tools, and Parquet without pyarrow.
    ParseError
        While iterating, at the first bad record, unless `on_error` says otherwise.
    InvalidRecordError
        For an unknown format, domain or `on_error`.

    Notes
    -----
    Cost: linear, n log n for threading. Memory is bounded: of mailboxes it holds the headers and
    one thread at a time, of tables with a thread column the messages, and beyond 50,000 of either
    they go to a temporary file (SQLite; in ``SQLITE_TMPDIR``, else where the system keeps such
    files). The rows of a thread may stand anywhere in a table.

    A mailbox on a server is fetched as a whole before this returns, without a trace on the server
    (EXAMINE, BODY.PEEK). The password is in ``CUSTOMER_NLP_IMAP_PASSWORD``, or in the file that
    ``CUSTOMER_NLP_IMAP_PASSWORD_FILE`` names, never in the URL. Certificates are verified, by
    those in ``CUSTOMER_NLP_IMAP_CA_FILE`` where it is set. ``imap://`` means STARTTLS; only on
    this machine a server may do without. Mails that are gone from the server are not kept.
    """
    own = OwnAddresses(own_domains)
    if is_on_server(source):
        return _fetched(
            source, own, format=format, on_error=on_error, keep_raw=keep_raw, folder=keep_mails
        )
    path = _path(source)
    rejects = Rejects(str(path), on_error, keep_raw=keep_raw)
    if format != "auto" and format not in FORMATS:
        raise InvalidRecordError(
            f"The format must be auto or one of {', '.join(FORMATS)}; got another.", field="format"
        )
    try:
        _check(path)
        name = _detect(path) if format == "auto" else _given(path, format)
        return Threads(FORMATS[name].read(path, rejects, own), rejects)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(
            f"The source cannot be opened: {error.strerror or type(error).__name__}. "
            "Check its name and your permissions.",
            source=str(path),
        ) from error


_ON_SERVER: Final = re.compile("imaps?://", re.IGNORECASE)


def is_on_server(source: object) -> TypeGuard[str]:
    """Tell whether a source is the URL of a mailbox on a server."""
    return isinstance(source, str) and bool(_ON_SERVER.match(source))


def _fetched(
    url: str,
    own: OwnAddresses,
    *,
    format: str,  # noqa: A002 - as in `read`
    on_error: OnError,
    keep_raw: bool,
    folder: str | os.PathLike[str] | None,
) -> Threads:
    from customer_nlp.readers._imap import fetch, mailbox_of  # brings ssl, which files do not need

    mailbox = mailbox_of(url)
    rejects = Rejects(str(mailbox), on_error, keep_raw=keep_raw)
    if format != "auto":
        raise InvalidRecordError(
            "A mailbox on a server holds mails; leave the format out.", field="format"
        )
    kept = fetch(mailbox, None if folder is None else Path(folder))
    return Threads(mail_threads(kept, rejects, own), rejects, kept)


def _path(source: object) -> Path:
    name = os.fsdecode(source) if isinstance(source, str | bytes | os.PathLike) else None
    if not name:  # an empty name would mean the current folder
        came = type(source).__name__ if name is None else "an empty name"
        raise InvalidRecordError(
            f"The source must be the path of a file or a folder; got {came}.", field="source"
        )
    return Path(name)


def _check(path: Path) -> None:
    if not path.exists():
        raise SourceError("There is no such file or folder. Check the path.", source=str(path))
    if path.is_dir():
        return
    if not path.is_file():
        raise SourceError(
            "Expected a file or a folder; got a device, pipe or socket. Save it to a file first.",
            source=str(path),
        )
    if not path.stat().st_size:
        raise SourceError("The file is empty. Export it again.", source=str(path))


def _given(path: Path, name: str) -> str:
    chosen = FORMATS[name]
    if chosen.folder is not None and path.is_dir() != chosen.folder:
        came = "a folder" if path.is_dir() else "a file"
        raise SourceError(
            f"Expected {chosen.expected}; got {came}. Leave the format out to have it detected.",
            source=str(path),
        )
    if path.is_file() and name != "parquet":
        _refuse_binary(path, _head(path))
    return name


def _detect(path: Path) -> str:
    return _detect_folder(path) if path.is_dir() else _detect_file(path)


def _detect_folder(path: Path) -> str:
    if (path / "cur").is_dir() or (path / "new").is_dir():
        return "maildir"
    if eml_files(path):
        return "eml"
    if maildir_files(path):
        return "maildir"
    raise _no_mail(str(path))


def _no_mail(source: str) -> SourceError:
    return SourceError(
        "The folder holds no mail: expected .eml files, or a Maildir with cur and new. "
        "Pass mbox, CSV and JSON files one at a time.",
        source=source,
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


# First bytes -> what the file is and the way out.
_BINARY: Final = (
    (0, b"PK\x03\x04", "a zip archive or an Excel/Word file", "Unpack it, or save it as CSV."),
    (0, b"PK\x05\x06", "an empty zip archive", "Export it again."),
    (0, b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (0, b"BZh", "a bzip2 archive", "Unpack it first."),
    (0, b"\xfd7zXZ", "an xz archive", "Unpack it first."),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first."),
    (0, b"Rar!", "a RAR archive", "Unpack it first."),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", "Unpack it first."),
    (257, b"ustar", "a tar archive", "Unpack it first."),
    (0, b"PAR1", "a Parquet file", "Leave the format out, or name it parquet."),
    (0, b"SQLite format 3", "an SQLite database", "Export a table as CSV."),
    (0, b"!BDN", "an Outlook .pst file", "Convert it to mbox, for instance with readpst."),
    (
        0,
        b"\xd0\xcf\x11\xe0",
        "an Outlook .msg or an old Office file",
        "Save it as .eml or as CSV.",
    ),
    (0, b"%PDF", "a PDF", "Export the mails as .eml or mbox."),
    (0, b"\x89PNG", "a picture", "Pass a mailbox or a table."),
    (0, b"\xff\xd8\xff", "a picture", "Pass a mailbox or a table."),
)


def _refuse_binary(path: Path, head: bytes) -> None:
    for offset, magic, kind, way_out in _BINARY:
        if head[offset : offset + len(magic)] == magic:
            raise SourceError(
                f"Expected a mailbox or a table; got {kind}. {way_out}", source=str(path)
            )
    wide = head[:2] in {b"\xff\xfe", b"\xfe\xff"}
    # Below the headers of a mail anything may follow.
    if not wide and is_binary(head) and not (starts_as_mbox(head) or _starts_as_mail(head)):
        raise SourceError(
            "Expected a mailbox or a table; got binary data. Pass an mbox, a Maildir, .eml, CSV "
            "or JSON Lines.",
            source=str(path),
        )


# One of these among the first headers makes a mail.
_MAIL_HEADER: Final = re.compile(
    rb"^(?:from|to|date|subject|received|return-path|message-id|mime-version|delivered-to|cc"
    rb"|reply-to|content-type|sender|envelope-to|x-[a-z-]{1,60})[ \t]{0,9}:",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER_LINE: Final = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,9}:")


def _starts_as_mail(head: bytes) -> bool:
    block = re.split(rb"\n\r?\n", head, maxsplit=1)[0]
    return bool(_HEADER_LINE.match(head) and _MAIL_HEADER.search(block))


def _detect_file(path: Path) -> str:
    head = _head(path)
    if head.startswith(b"PAR1"):
        return "parquet"
    _refuse_binary(path, head)
    text = _text_of(head)
    first = text.partition("\n")[0].partition("\r")[0][:10_000]
    # A table may open with a column called "From Email".
    if starts_as_mbox(head) and not has_text_column(first):
        return "mbox"
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".tsv", ".eml"} and text.startswith(("{", "[")):
        return _helpdesk(path) or "jsonl"
    if suffix == ".eml" or (_starts_as_mail(head) and suffix not in {".csv", ".tsv"}):
        return "eml"
    if suffix in {".csv", ".tsv"} or has_text_column(first) or first.startswith("sep="):
        return "csv"
    raise SourceError(
        "The file is of no known kind: expected an mbox (first line 'From …'), a mail with "
        "headers, a table with a header line, or JSON Lines. Name the format if it is one.",
        source=str(path),
    )


_DETECT_CHARS: Final = 1 << 20


def _helpdesk(path: Path) -> str | None:
    """Return the helpdesk that a JSON file comes from, by its first item."""
    with path.open("rb") as file:
        text = _text_of(file.read(_DETECT_CHARS))
    try:
        item, _ = json.JSONDecoder().raw_decode(text.removeprefix("[").lstrip())
    except (ValueError, RecursionError):
        return None
    return helpdesk_of(item)


def _text_of(head: bytes) -> str:
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return head.decode("utf-16", "replace").lstrip("\ufeff \t\r\n")
    return head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")

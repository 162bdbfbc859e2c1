"""A mailbox on a server: fetched aside over IMAP4rev1 (RFC 3501), then read like any other.

The mailbox is opened with EXAMINE and read with BODY.PEEK, so nothing on the server changes. What
the server says is never passed on in an error: it may hold addresses.
"""

from __future__ import annotations

import hashlib
import imaplib
import ipaddress
import logging
import os
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from customer_nlp.environment import named_secrets
from customer_nlp.errors import (
    CustomerNlpError,
    InvalidRecordError,
    MissingExtraError,
    SourceError,
)
from customer_nlp.readers._kept import KeptMails

__all__ = ["Mailbox", "fetch", "mailbox_of"]

PASSWORD: Final = "CUSTOMER_NLP_IMAP_PASSWORD"  # noqa: S105 - the variable's name
CA_FILE: Final = "CUSTOMER_NLP_IMAP_CA_FILE"
#: Before each further try after a connection was cut; begins anew whenever mails came through.
PAUSES_SECONDS: Final = (1.0, 4.0, 15.0)
_TIMEOUT_SECONDS: Final = 60.0
#: Mails asked for at once: as many, or as many bytes. One larger mail is asked for alone.
_MOST_MAILS: Final = 200
_MOST_BYTES: Final = 8 << 20
#: Mails in a row that a server may refuse before it is believed to refuse all.
_MOST_REFUSED: Final = 20

_LOG: Final = logging.getLogger(__name__)
_PORTS: Final = {"imaps": 993, "imap": 143}
_HOST: Final = re.compile(r"[\w.:-]{1,253}")
_UID: Final = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE: Final = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b")
_CUT: Final = (OSError, imaplib.IMAP4.abort)


@dataclass(frozen=True, slots=True, repr=False)
class Mailbox:
    """Where a mailbox is.

    Parameters
    ----------
    scheme : {'imaps', 'imap'}
        Encrypted from the start, or from STARTTLS on.
    host : str
    port : int
    user : str
        In no message or ``repr``.
    folder : str
        Name of the mailbox, as the server spells it.
    """

    scheme: str
    host: str
    port: int
    user: str
    folder: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}/{self.folder}"

    def __repr__(self) -> str:
        return f"Mailbox({self})"

    @property
    def key(self) -> str:
        """A hash that tells it from any other mailbox."""
        said = "\0".join((self.host, str(self.port), self.user, self.folder))
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def mailbox_of(url: str) -> Mailbox:
    """Read ``imaps://user@host:port/mailbox``; the mailbox is INBOX where none is named.

    Raises
    ------
    InvalidRecordError
        For anything else, above all a URL with a password in it; repeats no part of it.
    """
    try:
        parts = urlsplit(url)
        secret, port = parts.password, parts.port
        user, folder = (
            unquote(part, errors="strict") for part in (parts.username or "", parts.path[1:])
        )
    except ValueError:  # its words may hold a piece of a password: one with a / ends up as a port
        raise _no_mailbox() from None
    if secret is not None:
        raise InvalidRecordError(
            "A password does not belong in a URL: lists of processes and logs show it. Change it, "
            f"set {PASSWORD} or {PASSWORD}_FILE, and write imaps://user@host/mailbox.",
            field="source",
        )
    host = parts.hostname or ""
    plain = user.isprintable() and folder.isprintable()  # a line end would begin a command
    if not (user and plain and _HOST.fullmatch(host)) or parts.query or parts.fragment:
        raise _no_mailbox()
    return Mailbox(parts.scheme, host, port or _PORTS[parts.scheme], user, folder or "INBOX")


def _no_mailbox() -> InvalidRecordError:
    return InvalidRecordError(
        "A mailbox on a server is named imaps://user@host/mailbox, perhaps with :port, and with "
        "%3A for :, %2F for /, %23 for # and %3F for ? in a user's name; got another form. The "
        f"password is taken from {PASSWORD} or {PASSWORD}_FILE.",
        field="source",
    )


def fetch(mailbox: Mailbox, folder: Path | None) -> KeptMails:
    """Bring a copy of a mailbox up to date.

    Parameters
    ----------
    mailbox : Mailbox
    folder : Path or None
        Where the mails are kept from run to run; ``None`` keeps them while they are read.

    Raises
    ------
    SourceError
        Where the server cannot be reached or trusted, refuses the password or the mailbox, or
        the connection is cut and cannot be made again. What was fetched by then is kept.
    InvalidRecordError
        Without a password.
    MissingExtraError
        Without imap-tools.

    Notes
    -----
    Cost: linear in what is fetched, which is what is not kept yet. Memory: some MB, and the
    largest mail.
    """
    session = _first(mailbox)
    try:
        kept = KeptMails(mailbox.key, folder, session.validity)
    except BaseException:
        session.close()
        raise
    try:
        _take_all(
            session, kept, " It is kept, and the same run goes on from there." if folder else ""
        )
    except BaseException:
        kept.close()
        raise
    return kept


def _first(mailbox: Mailbox) -> _Session:
    """Connect; what is wrong with the address is said at once, not after some pauses."""
    secrets = named_secrets(PASSWORD, os.environ)
    if not secrets:
        raise InvalidRecordError(
            f"There is no password for the mailbox. Set {PASSWORD} or {PASSWORD}_FILE.",
            field=PASSWORD,
        )
    try:
        return _Session(mailbox, secrets[0])
    except CustomerNlpError:
        raise
    except _CUT as error:
        raise SourceError(
            f"The server cannot be reached: {_name(error)}. Check host, port and network; imaps:// "
            "is for servers that encrypt from the start, imap:// for those with STARTTLS.",
            source=str(mailbox),
        ) from None


def _name(error: BaseException) -> str:
    """Return the system's words for an error, never the server's."""
    if isinstance(error, imaplib.IMAP4.abort):
        return "the server hung up, or speaks no IMAP"
    return getattr(error, "strerror", None) or type(error).__name__


def _take_all(session: _Session, kept: KeptMails, onward: str) -> None:
    """Fetch what is missing; where the connection is cut, connect again a few times."""
    pauses, before = iter(PAUSES_SECONDS), 0
    while True:
        try:
            session.take(kept)
            return
        except CustomerNlpError:
            raise
        except _CUT as error:
            reason = _name(error)
        if session.progress > before:
            pauses, before = iter(PAUSES_SECONDS), session.progress
        pause = next(pauses, None)
        if pause is None:
            raise SourceError(
                f"The connection was cut again and again ({reason}) when {session.fetched} mails "
                f"had been fetched.{onward} Run again when the server answers.",
                source=str(session.mailbox),
            )
        _LOG.info("the connection was cut; trying again in %g seconds", pause)
        time.sleep(pause)


class _Session:
    """Connections to one mailbox, one after the other.

    Attributes
    ----------
    validity : int
        UIDVALIDITY of the mailbox.
    fetched : int
        Mails so far.
    """

    def __init__(self, mailbox: Mailbox, password: str) -> None:
        self.mailbox = mailbox
        self.fetched = 0
        self._password = password
        self._box: Any = None
        self._alone: set[int] = set()  # to be asked for one at a time
        self._refused: set[int] = set()
        self._in_a_row = 0
        with self._understood():
            self.validity = self._open()

    def _open(self) -> int:
        self._box = _connected(self.mailbox)
        try:
            _log_in(self._box, self.mailbox, self._password)
            _examine(self._box, self.mailbox)
            return int(self._box.client.response("UIDVALIDITY")[1][0])
        except BaseException:
            self.close()
            raise

    @property
    def progress(self) -> int:
        """Mails that are done with: fetched, or refused by the server."""
        return self.fetched + len(self._refused)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (CustomerNlpError, *_CUT):
            raise
        # no UIDVALIDITY, words for numbers, a command refused
        except (imaplib.IMAP4.error, ValueError, TypeError):
            raise SourceError(
                "The server does not answer as IMAP4rev1 asks for. Check host and port; save the "
                "mailbox as an mbox, if it is another kind of server.",
                source=str(self.mailbox),
            ) from None

    def take(self, kept: KeptMails) -> None:
        """Fetch what is not kept yet, over a connection that is open or made anew."""
        try:
            with self._understood():
                if self._box is None and self._open() != self.validity:
                    raise SourceError(
                        "The mailbox was numbered anew while it was fetched. Run again.",
                        source=str(self.mailbox),
                    )
                self._take(kept)
                with suppress(*_CUT):
                    self._box.client.logout()
        finally:
            self.close()

    def _take(self, kept: KeptMails) -> None:
        _, found = self._box.client.uid("SEARCH", "ALL")
        listed = {int(uid) for line in found if line for uid in line.split()}
        if any(uid >> 32 for uid in listed):
            raise ValueError
        missing = [uid for uid in kept.expect(sorted(listed)) if uid not in self._refused]
        for start in range(0, len(missing), _MOST_MAILS):
            for group in self._groups(missing[start : start + _MOST_MAILS]):
                mails = self._mails(group)
                kept.add(mails.items())
                self.fetched += len(mails)
            _LOG.info("%d new mails fetched, %d to come", self.fetched,
                      len(missing[start + _MOST_MAILS :]))  # fmt: skip

    def _groups(self, uids: Sequence[int]) -> Iterator[list[int]]:
        """Yield the mails to be asked for at once; those of unknown size one at a time."""
        sizes = self._sizes([uid for uid in uids if uid not in self._alone])
        group: list[int] = []
        room = _MOST_BYTES
        for uid in uids:
            size = sizes.get(uid, _MOST_BYTES)
            if group and size > room:
                yield group
                group, room = [], _MOST_BYTES
            group.append(uid)
            room -= size
        yield group

    def _sizes(self, uids: Sequence[int]) -> dict[int, int]:
        answer = self._answer(uids, "(UID RFC822.SIZE)") if uids else []
        lines = [line for line in answer if isinstance(line, bytes)]
        found = ((_UID.search(line), _SIZE.search(line)) for line in lines)
        return {int(uid[1]): int(size[1]) for uid, size in found if uid and size}

    def _mails(self, uids: Sequence[int]) -> dict[int, bytes]:
        found = dict(_bodies(self._answer(uids, "(UID BODY.PEEK[])")))
        if found:
            self._in_a_row = 0
        elif len(uids) > 1:  # one that is broken or gone may have failed them all
            for uid in uids:
                found |= self._mails([uid])
        return {uid: found[uid] for uid in uids if uid in found}

    def _answer(self, uids: Sequence[int], parts: str) -> list[Any]:
        client = self._box.client
        try:
            status, answer = client.uid("FETCH", ",".join(map(str, uids)), parts)
        except imaplib.IMAP4.abort:
            if "BYE" in client.untagged_responses:  # Dovecot hangs up over a mail it cannot read
                self._suspect(uids)
            raise
        if status != "OK":
            self._suspect(uids)
        return answer if status == "OK" else []

    def _suspect(self, uids: Sequence[int]) -> None:
        """Note that the server refuses one of these; asked for alone, it is passed over."""
        self._alone.update(uids)
        if len(uids) > 1:
            return
        self._refused.update(uids)
        self._in_a_row += 1
        if self._in_a_row > _MOST_REFUSED:
            raise SourceError(
                "The server refuses one mail after the other. Run again later: perhaps it allows "
                "only so much at a time.",
                source=str(self.mailbox),
            )

    def close(self) -> None:
        """Hang up."""
        box, self._box = self._box, None
        if box is not None:
            _hang_up(box)


def _bodies(answer: Sequence[Any]) -> Iterator[tuple[int, bytes]]:
    """Yield UID and mail of each answer that holds one; its number may stand before or after."""
    for item, below in pairwise([*answer, b""]):
        if isinstance(item, tuple):
            after = below if isinstance(below, bytes) else b""
            if uid := _UID.search(item[0]) or _UID.search(after):
                yield int(uid[1]), item[1]
        elif item and b'BODY[] ""' in item and (uid := _UID.search(item)):
            yield int(uid[1]), b""


def _connected(mailbox: Mailbox) -> Any:
    """Connect, encrypted unless the server is this machine and has no encryption."""
    try:
        from imap_tools import MailBox, MailBoxUnencrypted
    except ImportError as error:
        raise MissingExtraError("imap-tools", "imap") from error
    context = _context()
    try:
        if mailbox.scheme == "imaps":
            return MailBox(
                mailbox.host, mailbox.port, timeout=_TIMEOUT_SECONDS, ssl_context=context
            )
        box = MailBoxUnencrypted(mailbox.host, mailbox.port, timeout=_TIMEOUT_SECONDS)
        try:
            if "STARTTLS" in box.client.capabilities:
                box.client.starttls(ssl_context=context)
            elif not _is_loopback(box.client.sock.getpeername()[0]):
                raise _unencrypted(mailbox)
        except BaseException:
            _hang_up(box)
            raise
        return box
    except ssl.SSLCertVerificationError as error:
        raise SourceError(
            f"The server's certificate cannot be trusted: {error.verify_message}. Check the host; "
            f"a certificate of one's own goes into a PEM file that {CA_FILE} names.",
            source=str(mailbox),
        ) from None


def _context() -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=os.environ.get(CA_FILE) or None)
    except OSError as error:
        raise SourceError(
            f"The file that {CA_FILE} names cannot be used: {_name(error)}. Expected certificates "
            "in PEM form.",
            source=CA_FILE,
        ) from None


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _unencrypted(mailbox: Mailbox) -> SourceError:
    return SourceError(
        "The server does not offer STARTTLS, so the password would be sent in the clear. Use "
        "imaps://, or a server on this machine.",
        source=str(mailbox),
    )


def _log_in(box: Any, mailbox: Mailbox, password: str) -> None:
    from imap_tools.errors import ImapToolsError

    # PLAIN takes any characters, LOGIN only ASCII
    log_in = box.login_utf8 if "AUTH=PLAIN" in box.client.capabilities else box.login
    try:
        log_in(mailbox.user, password, initial_folder=None)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, ImapToolsError, UnicodeError):
        raise SourceError(
            f"The server refuses the user or the password. Check both ({PASSWORD} or "
            f"{PASSWORD}_FILE); some servers ask for a password made for one program.",
            source=str(mailbox),
        ) from None


def _examine(box: Any, mailbox: Mailbox) -> None:
    """Open the mailbox so that nothing can be changed in it."""
    from imap_tools.errors import ImapToolsError

    try:
        box.folder.set(mailbox.folder, readonly=True)
    except ImapToolsError:
        raise SourceError(
            "The server has no such mailbox, or does not open it to this user. Names are spelt as "
            "the server does, such as INBOX, INBOX.Sent or Archive/2026.",
            source=str(mailbox),
        ) from None


def _hang_up(box: Any) -> None:
    with suppress(OSError, imaplib.IMAP4.error):  # cut already
        box.client.shutdown()

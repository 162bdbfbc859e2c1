"""One mail: bytes to an envelope, and an envelope with its bytes to a message.

The envelope holds what threading and roles need. Bodies are read in a second pass, thread by
thread, so that an inbox of any size needs memory for its headers only.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from customer_nlp import text as _text
from customer_nlp.readers._headers import (
    ContentType,
    addresses,
    content_type,
    decode_text,
    decode_words,
    message_ids,
    moment,
    split_head,
)
from customer_nlp.readers._mime import MAILS, Part, body_text, leaves, parse_part, payload
from customer_nlp.readers._rejects import sha256
from customer_nlp.records import Message

__all__ = ["Envelope", "NotMailError", "build_message", "is_binary", "read_envelope"]

_WANTED: Final = frozenset(
    {
        "auto-submitted", "cc", "content-transfer-encoding", "content-type", "date",
        "delivered-to", "from", "in-reply-to", "list-id", "list-unsubscribe", "message-id",
        "precedence", "received", "references", "reply-to", "return-path", "sender", "subject",
        "thread-index", "to", "x-auto-response-suppress", "x-autoreply", "x-auto-reply",
        "x-autorespond", "x-autoresponder", "x-failed-recipients", "x-gm-thrid",
        "x-original-to",
    }
)  # fmt: skip


class NotMailError(ValueError):
    """The bytes are no mail; the argument says why."""


class Envelope(NamedTuple):
    """The headers of one mail, as far as they matter.

    Parameters
    ----------
    place : int
        Position in the source.
    id : str
        Message-ID without brackets, or a hash of the raw bytes.
    references : tuple of str
        Ids of the mails before it, oldest first, its parent last.
    conversation : str
        Key that a mail server gave to the whole conversation; empty where there is none.
    sender, sender_name : str
        Bare address and display name; empty where there is none.
    to, cc, recipient_names : tuple of str
        Bare addresses, and the display names beside them.
    company_hints : tuple of str
        Addresses that name the receiving side: Delivered-To, X-Original-To.
    list_domain : str
        Domain of the mailing list that passed it on.
    automatic, via_list, bounce : bool
        Written by a machine; passed on by a list; notice of a failed delivery.
    body_start, type, encoding
        How to read the body.
    failed_to, failed_subject
        Of a bounce that names no id: whom the mail was for, and its subject.
    """

    place: int
    id: str
    references: tuple[str, ...]
    conversation: str
    sent_at: datetime | None
    sender: str
    sender_name: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    reply_to: str
    company_hints: tuple[str, ...]
    subject: str
    list_domain: str
    automatic: bool
    via_list: bool
    bounce: bool
    refers_to: str | None
    body_start: int
    type: ContentType
    encoding: str
    failed_to: tuple[str, ...] = ()
    failed_subject: str = ""
    recipient_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Envelope(place={self.place})"


def read_envelope(raw: bytes, place: int, separator: Callable[[], str] = str) -> Envelope:
    """Read the headers of one mail.

    Parameters
    ----------
    raw : bytes
        The mail.
    place : int
        Its position in the source.
    separator : callable, optional
        Gives the ``From`` line of an mbox; asked where no header holds a date.

    Raises
    ------
    NotMailError
        For bytes that cannot be a mail: none, or no header and much that is no text.

    Notes
    -----
    Cost: linear in the headers; a bounce also has its body read, for the id that it returns.
    """
    if not raw.strip():
        raise NotMailError("an empty record")
    headers, start, found = split_head(raw, _WANTED)
    if not found and is_binary(raw):
        raise NotMailError("no mail header, and bytes that are no text")
    get = headers.get
    name, sender = _author(headers)
    declared = content_type(get("content-type", ""))
    subject = _one_line(decode_words(get("subject", "")))
    bounce = _is_bounce(headers, declared, sender or name, subject)
    to, cc = _bare(get("to", "")), _bare(get("cc", ""))
    parents = _parents(headers, frozenset((sender, *to, *cc)))
    refers_to = parents[-1] if parents else None
    returned = _returned(headers, raw, start) if bounce else _Returned()
    if returned.id:
        refers_to, parents = returned.id, (returned.id,)
    return Envelope(
        place=place,
        id=_own_id(get("message-id", "")) or f"sha256:{sha256(raw)[:16]}",
        references=parents,
        conversation=_conversation(headers),
        sent_at=_sent_at(headers, separator),
        sender=sender,
        sender_name=name,
        to=to,
        cc=cc,
        reply_to=next(iter(_bare(get("reply-to", ""))), ""),
        company_hints=_bare(get("delivered-to", "")) + _bare(get("x-original-to", "")),
        subject=subject,
        list_domain=_list_domain(get("list-id", "")),
        # Reports are of machines (RFC 6522): read receipts, complaints, failed deliveries.
        automatic=bounce or declared.kind == "multipart/report" or _is_automatic(headers, subject),
        via_list="list-id" in headers
        or "list-unsubscribe" in headers
        or get("precedence", "").lower() in {"bulk", "list", "junk"},
        bounce=bounce,
        refers_to=refers_to,
        body_start=start,
        type=declared,
        encoding=get("content-transfer-encoding", ""),
        failed_to=returned.to,
        failed_subject=returned.subject or (subject.partition(":")[2] if bounce else ""),
        recipient_names=_names(get("to", "")) + _names(get("cc", "")),
    )


def is_binary(raw: bytes) -> bool:
    """Tell bytes that are no text in any common charset, by their first 4 kB."""
    head = raw[:4096]
    controls = sum(1 for byte in head if byte < 32 and byte not in b"\t\n\r\f\x1b")
    return controls * 40 > len(head)


_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]{1,80}")


def _one_line(value: str) -> str:
    return (value if value.isprintable() else _CONTROLS.sub(" ", value)).strip()


def _author(headers: Mapping[str, str]) -> tuple[str, str]:
    for header in ("from", "sender"):
        for name, address in addresses(headers.get(header, "")):
            if name or address:
                return _one_line(name), address
    return "", ""


def _bare(value: str) -> tuple[str, ...]:
    if not value:
        return ()
    return tuple(address or _one_line(name) for name, address in addresses(value))


def _names(value: str) -> tuple[str, ...]:
    named = addresses(value) if " " in value else ()
    return tuple(_one_line(name) for name, address in named if name and address)


def _own_id(value: str) -> str:
    if found := message_ids(value):
        return found[0]
    bare = value.strip("<> \t")
    return bare if len(bare) < 600 and " " not in bare else ""


def _parents(headers: Mapping[str, str], people: frozenset[str]) -> tuple[str, ...]:
    """Return the ids that come before this mail, its parent last."""
    references = message_ids(headers.get("references", ""))
    direct = message_ids(headers.get("in-reply-to", ""))
    # A parent that References leave out is the nearest of them all; the first, where a mail
    # answers several.
    missing = tuple(parent for parent in direct[::-1] if parent not in references)
    # "Message from Ann <ann@kunde.example>" is how old programs say whom they answer.
    return tuple(parent for parent in references + missing if parent.lower() not in people)


def _conversation(headers: Mapping[str, str]) -> str:
    if key := headers.get("x-gm-thrid"):
        return f"gm:{key[:40]}"
    index = "".join(headers.get("thread-index", "")[:64].split())
    if not index:
        return ""
    try:
        # [MS-OXOMSG] 2.2.1.3: the first 22 bytes are shared by all mails of a conversation.
        head = base64.b64decode(index[:32], validate=True)[:22]
    except (binascii.Error, ValueError):
        return ""
    return f"ti:{head.hex()}" if len(head) == 22 else ""


_CLOCK_SLACK: Final = timedelta(days=1)
_UNSET_YEAR: Final = 1970


def _sent_at(headers: Mapping[str, str], separator: Callable[[], str]) -> datetime | None:
    """Return the date of the mail; that of its arrival where it has none or a future one."""
    found = moment(headers["date"]) if "date" in headers else None
    if found is None and (line := separator()):
        found = moment(line.removeprefix("From ").strip().partition(" ")[2])
    arrived = moment(headers["received"].rpartition(";")[2]) if "received" in headers else None
    # Nobody's mail arrives before it was written: then the sender's clock is wrong. And a clock
    # that was never set is in the year 1970.
    if found is not None and found.year <= _UNSET_YEAR:
        found = None
    if found is None or (arrived is not None and found - arrived > _CLOCK_SLACK):
        found = arrived
    return found


def _list_domain(value: str) -> str:
    """Return the domain in ``Name <list.example.com>`` (RFC 2919)."""
    identifier = value.rpartition("<")[2].partition(">")[0].strip().lower()
    return identifier if "." in identifier and len(identifier) < 300 else ""


# How auto-replies open their subject. With the suppress header the phrase may stand anywhere.
_AWAY: Final = (
    "automatic reply", "auto reply", "auto-reply", "autoreply", "out of office", "out-of-office",
    "abwesenheitsnotiz", "abwesenheitsassistent", "automatische antwort", "abwesend",
    "réponse automatique", "absence du bureau", "respuesta automática", "fuera de la oficina",
    "risposta automatica", "fuori sede", "resposta automática", "ausência temporária",
    "automatisch antwoord", "afwezig", "autosvar", "automatisk svar", "automatiskt svar",
    "odpowiedź automatyczna", "automaattinen vastaus", "automatická odpověď",
    "automatická odpoveď", "automatikus válasz", "автоматический ответ", "автоматична відповідь",
    "otomatik yanıt", "αυτόματη απάντηση", "răspuns automat", "automatski odgovor",
    "samodejni odgovor", "automatsvar", "自動応答", "自動返信", "自动答复", "自动回复", "自動回覆",
    "자동 회신", "out of the office", "abwesenheit",
)  # fmt: skip
_ABSENT: Final = frozenset(
    {
        "out of the office", "abwesend", "abwesenheit", "absence du bureau", "fuera de la oficina",
        "fuori sede", "ausência temporária", "afwezig",
    }
)  # fmt: skip
_RESPONDER_HEADERS: Final = ("x-autoreply", "x-auto-reply", "x-autorespond", "x-autoresponder")


def _is_automatic(headers: Mapping[str, str], subject: str) -> bool:
    if headers.get("auto-submitted", "no").lower()[:2] not in {"no", ""}:
        return True
    if headers.get("precedence", "").lower() in {"auto_reply", "auto-reply"}:
        return True
    for name in _RESPONDER_HEADERS:
        if name in headers and headers[name].lower() != "no":
            return True
    lowered = subject.lower()[:200]
    if "x-auto-response-suppress" in headers:
        return any(phrase in lowered for phrase in _AWAY)
    opening, *answered = re.split("[:：\\]]", lowered.removeprefix("["), maxsplit=1)
    # A customer may call a mail "Absence", too; "Automatic reply" is what machines call theirs.
    return opening.strip() in _AWAY and (bool(answered) or opening.strip() not in _ABSENT)


_ROBOTS: Final = frozenset({"mailer-daemon", "mail-daemon", "mailerdaemon", "mdaemon"})
_DAEMONS: Final = _ROBOTS | {"postmaster", "bounce", "bounces"}  # where people may write too
_DAEMON_NAMES: Final = ("microsoftexchange", "mail delivery s")
_RETURNED: Final = (
    "undeliver", "delivery status notification", "delivery failure", "delivery has failed",
    "delivery failed", "mail delivery", "failure notice", "returned mail", "returned to sender",
    "could not be delivered", "delivery notification", "message not delivered",
    "delivery incomplete", "delivery delayed", "warning: message", "unzustellbar",
    "nicht zugestellt", "zustellung fehlgeschlagen", "non remis", "échec de la remise",
    "non distribu", "no se puede entregar", "no entregado", "mancata consegna",
    "impossibile recapitare", "não entregue", "falha na entrega", "onbestelbaar",
    "kan ikke leveres", "kunne ikke leveres", "kan inte levereras", "niedostarczon",
    "nie można dostarczyć", "nedoručiteľné", "nedoručitelné", "kézbesíthetetlen",
    "teslim edilemedi", "ei voi toimittaa", "ei voitu toimittaa", "недоставлен",
    "не удалось доставить", "无法投递", "未送达", "無法傳遞", "配信不能", "配信できません",
    "전송 실패", "배달되지 않음", "ikke levert", "ej levererat",
)  # fmt: skip


def _is_bounce(
    headers: Mapping[str, str], declared: ContentType, sender: str, subject: str
) -> bool:
    if declared.kind == "multipart/report" and declared.report in {"delivery-status", ""}:
        return True
    lowered = subject.lower()[:300]
    local = sender.lower().partition("@")[0]
    if local in _ROBOTS:
        return True
    if local in _DAEMONS or local.startswith(_DAEMON_NAMES):
        return "x-failed-recipients" in headers or any(phrase in lowered for phrase in _RETURNED)
    # Notices have no return address (RFC 5321 section 4.5.5); neither have auto-replies.
    return headers.get("return-path") == "<>" and lowered.startswith(_RETURNED)


_RETURNED_CHARS: Final = 1 << 18
_ID_LINE: Final = re.compile(
    r"^[> \t]{0,8}message-id:\s{0,8}<([^<>\s]{1,600})>", re.IGNORECASE | re.MULTILINE
)


_FAILED_TO: Final = re.compile(
    r"^(?:final|original)-recipient:[^;\n]{0,40};\s{0,9}<?([^\s<>;,]{1,320})",
    re.IGNORECASE | re.MULTILINE,
)


class _Returned(NamedTuple):
    """What a bounce says of the mail that came back."""

    id: str | None = None
    to: tuple[str, ...] = ()
    subject: str = ""


def _returned(headers: dict[str, str], raw: bytes, start: int) -> _Returned:
    """Read what came back from the returned part, else from the notice."""
    notice, subject = None, ""
    failed = list(_bare(headers.get("x-failed-recipients", "")))
    for leaf in leaves(parse_part(headers, raw, start, len(raw))):
        if leaf.type.kind in MAILS or leaf.type.kind == "text/rfc822-headers":
            returned, _, _ = split_head(payload(leaf), frozenset({"message-id", "subject"}))
            if identifier := _own_id(returned.get("message-id", "")):
                return _Returned(identifier)
            subject = decode_words(returned.get("subject", ""))
        elif leaf.type.kind == "message/delivery-status":
            status = decode_text(payload(leaf)[:_RETURNED_CHARS])
            failed += [address.lower() for address in _FAILED_TO.findall(status)]
        elif notice is None and leaf.type.kind == "text/plain" and not leaf.attached:
            text = decode_text(payload(leaf)[:_RETURNED_CHARS], leaf.type.charset)
            match = _ID_LINE.search(text)
            notice = match[1] if match else None
    return _Returned(notice, tuple(dict.fromkeys(failed)), subject)


def build_message(
    envelope: Envelope,
    raw: bytes,
    *,
    id: str,  # noqa: A002 - the record calls it so
    role: str,
    confidence: float,
    automatic: bool,
) -> Message:
    """Read the body of a mail and put the record together. Cost: linear in its bytes."""
    start, encoding = envelope.body_start, envelope.encoding.lower()
    text, cut = body_text(Part(envelope.type, encoding, False, {}, raw, start, len(raw)))  # noqa: FBT003
    return Message(
        role=role,
        text=text,
        id=id,
        sent_at=envelope.sent_at,
        sender=envelope.sender or envelope.sender_name or None,
        sender_name=envelope.sender_name or None,
        recipient_names=envelope.recipient_names,
        to=envelope.to,
        cc=envelope.cc,
        subject=envelope.subject or None,
        channel="email",
        automatic=automatic,
        zones=_text.segment(text, subject=envelope.subject),
        role_confidence=confidence,
        refers_to=envelope.refers_to,
        truncated=cut,
    )

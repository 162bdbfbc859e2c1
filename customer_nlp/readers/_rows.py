"""One row or JSON object to one message: column names, roles, dates.

The names that exports use are data, in tables at the top.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from customer_nlp import text as _text
from customer_nlp.errors import InvalidRecordError
from customer_nlp.readers._headers import addresses, moment, plain_clock
from customer_nlp.readers._mime import clean
from customer_nlp.readers._roles import OwnAddresses, looks_like_desk
from customer_nlp.records import Message, Zone, utc

__all__ = [
    "FIELDS",
    "BadRowError",
    "columns_of",
    "field_name",
    "flag",
    "html_column",
    "label",
    "to_message",
]

#: What a column may be called (lower case, "_" between words), best first.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "text": (
        "text", "body", "message", "content", "utterance", "comment", "plain_body", "body_text",
        "text_body", "message_text", "message_body", "plain_text", "stripped_text", "tweet",
        "transcript", "review", "feedback", "description", "msg", "body_html", "html_body", "html",
    ),
    "role": (
        "role", "author_type", "from_role", "speaker", "author_role", "sender_type", "sender_role",
        "speaker_role", "user_type", "participant_role", "party", "side", "direction",
        "message_type",
    ),
    "thread": (
        "thread", "thread_id", "ticket_id", "conversation_id", "ticket", "conversation", "case_id",
        "case", "case_number", "ticket_number", "dialogue_id", "dialog_id", "chat_id",
        "session_id", "call_id", "issue_id", "interaction_id",
    ),
    "id": ("id", "message_id", "msg_id", "comment_id", "tweet_id", "event_id", "uuid"),
    "sent_at": (
        "sent_at", "date", "created_at", "timestamp", "datetime", "sent", "time", "created",
        "sent_datetime", "created_datetime", "received_at", "date_time",
    ),
    "sender": (
        "sender", "from", "from_email", "from_address", "sender_email", "author", "author_email",
        "email", "sender_name", "author_name", "from_name", "customer_email", "author_id", "name",
    ),
    "sender_name": ("sender_name", "author_name", "from_name", "customer_name", "agent_name"),
    "recipient_names": ("recipient_names",),
    "to": ("to", "to_email", "to_emails", "to_address", "recipient", "recipients"),
    "cc": ("cc", "cc_email", "cc_emails", "cc_addresses"),
    "subject": ("subject", "title", "topic"),
    "channel": ("channel", "via", "medium"),
    "refers_to": ("refers_to", "in_reply_to", "in_response_to_tweet_id", "reply_to_id"),
    "automatic": ("automatic", "is_automatic", "is_auto"),
    "public": ("public", "is_public"),
    "private": ("private", "internal", "is_private", "is_internal"),
    "truncated": ("truncated",),
    "utc_offset_minutes": ("utc_offset_minutes",),
    "by_customer": ("inbound", "incoming", "is_inbound", "is_customer", "from_customer"),
    "by_agent": ("outbound", "outgoing", "is_outbound", "is_agent", "from_agent", "is_staff"),
    "zones": ("zones",),
    "role_confidence": ("role_confidence",),
}  # fmt: skip

_ROLE_WORDS: Final = {
    word: role
    for role, words in {
        "customer": (
            "customer", "client", "user", "end_user", "enduser", "requester", "visitor", "contact",
            "consumer", "caller", "buyer", "shopper", "guest", "member", "subscriber", "patient",
            "inbound", "incoming", "in", "received", "lead", "human", "kunde", "kundin", "cliente",
            "cust", "c",
        ),
        "agent": (
            "agent", "support", "staff", "admin", "operator", "representative", "rep", "employee",
            "assistant", "advisor", "adviser", "company", "brand", "service", "helpdesk",
            "teammate", "csr", "outbound", "outgoing", "out", "sent", "seller", "merchant",
            "business", "us", "mitarbeiter", "a", "support_agent", "customer_service",
            "service_agent", "sales", "technician", "team", "care", "contact_center",
            "call_center",
        ),
        "bot": (
            "bot", "chatbot", "virtual_agent", "virtual_assistant", "agent_bot", "ai", "ai_agent",
        ),
        "system": (
            "system", "automation", "auto", "event", "notification", "trigger", "machine",
            "bounce", "activity", "log", "template", "auto_reply", "autoreply", "autoresponder",
        ),
    }.items()
    for word in words
}  # fmt: skip
_NUMBERED: Final = re.compile(r"_?#?\d{1,6}$")
_ACCEPTED_ROLES: Final = "customer, agent, system (or such as user, client, support, staff, bot)"

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TRUE: Final = frozenset({"true", "1", "yes", "y", "t", "ja", "x"})
_FALSE: Final = frozenset({"false", "0", "no", "n", "f", "nein", ""})
_CLOCK: Final = r"(?:,? +(\d{1,2}):(\d\d)(?::(\d\d))?)?\s{0,9}"
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)" + _CLOCK)
_YEAR_FIRST: Final = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _CLOCK)
_DASHED: Final = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4}|\d\d)\b")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_MAIL_CHANNELS: Final = frozenset({"email", "e-mail", "mail"})
_MARKUP: Final = re.compile(r"\s{0,99}<(?:!doctype|html|body|div|p|span|table|br)\b", re.IGNORECASE)

ROLE_UNKNOWN_CONFIDENCE: Final = 0.6


class BadRowError(ValueError):
    """The row gives no message; the argument says why, without any of its text."""


def field_name(column: str) -> str:
    """Bring a column name to the form used in `FIELDS`."""
    words = _CAMEL.sub("_", column.strip().lstrip("\ufeff").strip()[:80])
    return re.sub(r"[\s.\-/]{1,80}", "_", words).casefold()


def columns_of(names: Iterable[str]) -> dict[str, str]:
    """Match column names to fields.

    Returns
    -------
    dict of str to str
        Field to the column that holds it; each column at most once, the best name first.
    """
    by_name: dict[str, str] = {}
    for name in names:
        by_name.setdefault(field_name(name), name)
    found = {}
    for field, aliases in FIELDS.items():
        column = next((by_name[alias] for alias in aliases if alias in by_name), None)
        if column is not None:
            found[field] = column
    return found


def html_column(names: Iterable[str]) -> str | None:
    """Return the column of HTML that stands in where the text is empty."""
    return next((name for name in names if field_name(name) in _HTML_COLUMNS), None)


_HTML_COLUMNS: Final = frozenset({"body_html", "html_body", "html"})


def to_message(record: Mapping[str, Any], own: OwnAddresses) -> tuple[Message, str | None]:
    """Build a message from fields.

    Parameters
    ----------
    record : mapping
        Field of `FIELDS` to value, as the source gives it.
    own : OwnAddresses
        The company's, for rows without a role.

    Returns
    -------
    message : Message
        Its id may be empty.
    thread : str or None
        Key of its thread.

    Raises
    ------
    BadRowError
        When there is no text, or a field breaks an invariant.
    """
    text = _words(record.get("text"), markup=bool(record.get("markup")))
    sender = _person(record.get("sender"))
    role, confidence, automatic = _role(record, sender, own)
    channel = label(record.get("channel"))
    to, cc = _people(record.get("to")), _people(record.get("cc"))
    subject = label(record.get("subject"))
    mail = channel is None and bool(subject or to or cc)
    try:
        zones = _zones(record.get("zones"))
        if not zones and (mail or (channel or "").lower() in _MAIL_CHANNELS):
            zones = _text.segment(text, subject=subject)
        message = Message(
            role=role,
            text=text,
            id=label(record.get("id")) or "",
            sent_at=when(record.get("sent_at")),
            sender=sender,
            sender_name=label(record.get("sender_name"))
            or next(_display_names(record.get("sender")), None)
            or None,
            recipient_names=tuple(filter(None, _recipient_names(record))),
            to=to,
            cc=cc,
            subject=subject,
            channel=channel,
            automatic=automatic or flag(record.get("automatic")) is True,
            zones=zones,
            role_confidence=confidence,
            refers_to=label(record.get("refers_to")),
            public=flag(record.get("public")) is not False
            and flag(record.get("private")) is not True,
            truncated=flag(record.get("truncated")) is True,
            utc_offset_minutes=_offset(record.get("utc_offset_minutes")),
        )
    except InvalidRecordError as error:
        raise BadRowError(str(error)) from None
    return message, label(record.get("thread"))


def _words(value: object, *, markup: bool) -> str:
    if isinstance(value, list):  # content in parts, as chat services give it
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        value = "\n".join(part for part in parts if isinstance(part, str))
    # NaN is how tables write a gap.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise BadRowError("no text")
    if not isinstance(value, str):
        raise BadRowError(f"the text must be a string; got {type(value).__name__}")
    text = clean(_SURROGATES.sub("\ufffd", value))
    if markup or (_MARKUP.match(text) and text.rstrip().endswith(">")):
        return _text.html_to_text(text)
    return text


def label(value: object) -> str | None:
    """Return a value as a word without NUL and lone surrogates; ``None`` where it is none."""
    if isinstance(value, dict):
        value = value.get("id") or value.get("channel") or value.get("name")
    if value is None or isinstance(value, bool | list | dict):
        return None
    if isinstance(value, float):  # a column of numbers with gaps: 4711 has become 4711.0
        if math.isnan(value):
            return None
        value = int(value) if value.is_integer() else value
    return _SURROGATES.sub("\ufffd", str(value)).replace("\0", "").strip() or None


def _person(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("email") or value.get("address") or value.get("name") or value.get("id")
    given = label(value)
    if given is None or "@" not in given:
        return given
    found = addresses(given)
    return (found[0][1] or found[0][0]) if found else given


def _display_names(value: object) -> Iterator[str]:
    """Yield the names beside addresses: of an object, or of ``Ann Lee <ann@kunde.example>``."""
    for entry in value if isinstance(value, list | tuple) else [value]:
        given = label(entry.get("name")) if isinstance(entry, dict) else label(entry)
        if isinstance(entry, dict):
            yield given or ""
        elif given and "@" in given and " " in given:
            yield from (name for name, _ in addresses(given))


def _recipient_names(record: Mapping[str, Any]) -> Iterable[str]:
    given = record.get("recipient_names")
    if isinstance(given, list | tuple):
        return map(str, given)
    return (*_display_names(record.get("to")), *_display_names(record.get("cc")))


def _people(value: object) -> tuple[str, ...]:
    entries = value if isinstance(value, list | tuple) else [value]
    people: list[str] = []
    for entry in entries:
        if isinstance(entry, str):
            people.extend(address or name for name, address in addresses(entry))
        elif person := _person(entry):
            people.append(person)
    return tuple(person for person in people if person)


def _role(
    record: Mapping[str, Any], sender: str | None, own: OwnAddresses
) -> tuple[str, float, bool]:
    """Return the role, how sure it is, and whether the word for it means a machine."""
    given = _role_given(record)
    if given:
        role = _role_named(given)
        if role is not None:
            automatic = role in {"bot", "system"}
            return ("agent" if role == "bot" else role), _confidence(record), automatic
        if "@" not in given:
            raise BadRowError(f"an unknown role; expected {_ACCEPTED_ROLES}")
        sender = sender or _person(given)
    word = _ROLE_WORDS.get(field_name(sender or ""))
    if word in {"customer", "agent", "system"}:
        return word, 1.0, word == "system"
    if own and sender and "@" in sender:
        return ("agent" if sender.lower() in own else "customer"), 1.0, False
    # A further column of names may name the other side: only what stands beside the address counts.
    name = next(_display_names(record.get("sender")), "") or sender or ""
    desk = bool(sender) and looks_like_desk(sender or "", name)
    return ("agent" if desk else "customer"), ROLE_UNKNOWN_CONFIDENCE, False


def _role_named(given: str) -> str | None:
    """Return the role that words mean: those known as a whole, else by the last of them."""
    words = _NUMBERED.sub("", field_name(given))  # transcripts number their speakers
    if role := _ROLE_WORDS.get(words):
        return role
    _, _, head = words.rpartition("_")  # of "live agent" and "technical support" it is the noun
    return _ROLE_WORDS.get(head) if len(head) > 2 else None


def _role_given(record: Mapping[str, Any]) -> str | None:
    """Return the word for the role, from a column of words or one of yes and no."""
    given = record.get("role")
    if isinstance(given, dict):
        given = given.get("role") or given.get("type") or given.get("name")
    if given is not None and not isinstance(given, str | int | float):
        raise BadRowError(f"the role must be a word; got {type(given).__name__}")
    if word := label(given):
        return word
    if word := _role_within(record.get("sender")):
        return word
    if (by_customer := flag(record.get("by_customer"))) is not None:
        return "customer" if by_customer else "agent"
    if (by_agent := flag(record.get("by_agent"))) is not None:
        return "agent" if by_agent else "customer"
    return None


def _role_within(sender: object) -> str | None:
    """Return the word for the role where the sender is an object that has one we know."""
    if not isinstance(sender, dict):
        return None
    words = (label(sender.get(name)) for name in ("role", "type"))
    return next((word for word in words if word and _role_named(word)), None)


def _confidence(record: Mapping[str, Any]) -> float:
    stored = record.get("role_confidence")
    return float(stored) if isinstance(stored, int | float) and 0 <= stored <= 1 else 1.0


def _offset(value: object) -> int | None:
    """Read minutes from UTC; ``None`` where there are none that a zone can have."""
    word = str(value).strip()[:8].removesuffix(".0")
    digits = word.removeprefix("-")
    known = digits.isascii() and digits.isdecimal() and int(digits) < 24 * 60
    return int(word) if known else None


def flag(value: object) -> bool | None:
    """Read yes or no as exports write it; ``None`` where it is neither."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if value is not None else "?"
    if word in _TRUE:
        return True
    return False if word in _FALSE - {""} else None


def _zones(value: object) -> tuple[Zone, ...]:
    if not isinstance(value, list):
        return ()
    zones = []
    for item in value:
        if not isinstance(item, dict):
            raise BadRowError("zones that are no list of {kind, start, end}")
        kind, start, end = item.get("kind"), item.get("start"), item.get("end")
        confidence = item.get("confidence", 1.0)
        numbers = isinstance(start, int) and isinstance(end, int)
        if not (isinstance(kind, str) and numbers and isinstance(confidence, int | float)):
            raise BadRowError("zones that are no list of {kind, start, end}")
        zones.append(Zone(kind, int(start or 0), int(end or 0), float(confidence)))
    return tuple(zones)


def when(value: object) -> datetime | None:
    """Read a date as exports write it; ``None`` where it cannot be told.

    ISO 8601, RFC 5322, ``31.12.2025 17:05``, ``2025/12/31 5:05 PM``, seconds (or milli-, micro-,
    nanoseconds) since 1970. Dates such as 03/04/2026 mean two days and are not guessed. Without a
    zone: UTC.
    """
    if isinstance(value, bool) or value is None:
        return None
    word = str(value).strip()[:80]
    try:
        number = float(word)
    except ValueError:
        return _calendar(word)
    if not 1e8 <= number < 1e20:  # "20260302" or a counter is no moment
        return _calendar(word) if len(word) == 8 else None
    # Seconds, or thousandths, millionths, billionths of them: whatever lies in our days.
    power = 0 if number < 1e11 else 3 if number < 1e14 else 6 if number < 1e17 else 9
    return datetime.fromtimestamp(number / 10**power, UTC)


def _calendar(word: str) -> datetime | None:
    try:
        word = plain_clock(word)
    except ValueError:
        return None
    if match := _DAY_FIRST.fullmatch(word):
        day, month, year, *clock = match.groups()
        return _date_of(year, month, day, *clock)
    if match := _YEAR_FIRST.fullmatch(word):
        year, _, month, day, *clock = match.groups()
        return _date_of(year, month, day, *clock)
    return moment(_DASHED.sub(r"\1 \2 \3", word).replace(" at ", " "))


def _date_of(year: str, *parts: str | None) -> datetime | None:
    century = 2000 if len(year) == 2 else 0
    month, day, hour, minute, second = (int(part or 0) for part in parts)
    try:
        return utc(
            "date", datetime(int(year) + century, month, day, hour, minute, second, tzinfo=UTC)
        )
    except ValueError:
        return None

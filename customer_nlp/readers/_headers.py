"""Mail headers: bytes to values.

Written for speed and for hostile input: each function is linear in its input, and none raises
on bytes that are no mail. The standard library's decoders do the same work more slowly and,
on nested comments or long runs of ``=?``, not in linear time.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.message import Message as _Mime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, NamedTuple

from customer_nlp.records import utc

__all__ = [
    "ContentType",
    "addresses",
    "content_type",
    "decode_text",
    "decode_words",
    "message_ids",
    "moment",
    "plain_clock",
    "split_head",
]

# Labels that Python knows as codecs but that no mail means, or that cost more than linear time.
_NO_TEXT: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
)
# What senders write -> what they mean: a superset, as browsers do.
_SUPERSETS: Final = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
}
_LABELS: Final = {
    "utf8mb4": "utf-8",
    "utf-8-mac": "utf-8",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "x-euc-kr": "cp949",
    "x-gbk": "gb18030",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "unicode-1-1-utf-7": "utf-7",
    "ansi": "cp1252",
    "x-ansi": "cp1252",
    "cp-1252": "cp1252",
}
# Labels that western programs put on any text: bytes that are UTF-8 too are UTF-8.
_LATIN: Final = frozenset(
    {
        "cp1252", "cp1250", "cp1254", "cp1257", "mac-roman", "iso8859-2", "iso8859-3", "iso8859-4",
        "iso8859-9", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16",
    }
)  # fmt: skip
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@lru_cache(maxsize=512)
def _codec(label: str) -> str | None:
    """Return the Python codec that a charset label means, or ``None`` for an unknown one."""
    name = label.strip().strip("\"'").lower()[:60]
    name = _LABELS.get(name, name)
    try:
        found = codecs.lookup(name).name
        if found in _NO_TEXT:
            return None
        b"a".decode(found, "ignore")  # refuses codecs such as hex that give no text
    except (LookupError, ValueError):
        return None
    return _SUPERSETS.get(found, found)


def decode_text(raw: bytes, label: str = "") -> str:
    """Decode bytes, whatever the label says; never raises.

    Parameters
    ----------
    raw : bytes
        Undecoded text.
    label : str, default=''
        The charset that the mail claims.

    Returns
    -------
    str
        Without lone surrogates. Cost: linear.

    Notes
    -----
    A latin single-byte label fits any bytes, so text that is valid UTF-8 beyond ASCII is
    taken for UTF-8. A broken UTF-8 text stays UTF-8 when most of it is, else it is read as
    cp1252.
    """
    if raw.isascii() and (not label or _codec(label) in {None, "utf-8", "cp1252"}):
        return raw.decode("ascii")
    codec = _codec(label) if label else "utf-8"
    candidates = [codec, "utf-8"]
    if codec in {None, "utf-8", "cp1252"}:
        candidates = ["utf-8"]
    elif codec in _LATIN:
        candidates = ["utf-8", codec]
    for candidate in candidates:
        try:
            text = raw.decode(candidate or "utf-8")
        except (UnicodeError, ValueError):
            continue
        return text if candidate == "utf-8" else _SURROGATES.sub("\ufffd", text)
    return _with_replacement(raw, codec)


def _with_replacement(raw: bytes, codec: str | None) -> str:
    if codec not in {None, "utf-8", "cp1252"}:
        try:
            text = raw.decode(codec or "utf-8", "replace")
        except (UnicodeError, ValueError):  # some multi-byte codecs refuse even so
            text = ""
        if text:
            return _SURROGATES.sub("\ufffd", text)
    if codec != "cp1252":
        text = raw.decode("utf-8", "replace")
        beyond = sum(1 for char in text if char > "\x7f")
        if text.count("\ufffd") * 2 < beyond:
            return text
    return raw.decode("cp1252", "replace")


# One encoded word; bounded, so that a run of "=?" costs linear time. Some senders leave the
# question mark of "Where is it?" as it is.
_WORD: Final = re.compile(r"=\?([^?\s]{1,70})\?([bBqQ])\?([^?\r\n]{0,2000}\??)\?=")
_HEX: Final = re.compile(rb"=([0-9A-Fa-f]{2})")


def _word_bytes(encoding: str, payload: str) -> bytes | None:
    raw = payload.encode("utf-8", "replace")
    if encoding in "qQ":
        return _HEX.sub(lambda match: bytes([int(match[1], 16)]), raw.replace(b"_", b" "))
    try:
        # Nothing decoded means that it was no base64: the word then stays as it is.
        return base64.b64decode(raw + b"=" * (-len(raw) % 4)) or None
    except (binascii.Error, ValueError):
        return None


def decode_words(value: str) -> str:
    """Decode the encoded words of a header value (RFC 2047); never raises.

    Adjacent words of one charset are joined before decoding, since senders cut characters in
    two. A word that cannot be decoded stays as it is. Cost: linear.
    """
    if "=?" not in value:
        return value
    pieces: list[str] = []
    pending: list[bytes] = []
    label = ""
    position = 0
    for match in _WORD.finditer(value):
        charset = match[1].partition("*")[0].lower()  # RFC 2231 adds a language after "*"
        raw = _word_bytes(match[2], match[3])
        between = value[position : match.start()]
        if raw is None:
            continue
        if pending and (between.strip() or charset != label):
            pieces.append(decode_text(b"".join(pending), label))
            pending = []
            if between.strip():
                pieces.append(between)
        elif not pending:
            pieces.append(between)
        pending.append(raw)
        label = charset
        position = match.end()
    if pending:
        pieces.append(decode_text(b"".join(pending), label))
    pieces.append(value[position:])
    return "".join(pieces)


_NAME: Final = re.compile(r"[!-9;-~]{1,200}[ \t]{0,20}:")
_REPEATABLE: Final = frozenset({"to", "cc"})
_BREAK: Final = re.compile(rb"\r?\n")
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")


def split_head(
    raw: bytes, wanted: frozenset[str], start: int = 0, end: int | None = None
) -> tuple[dict[str, str], int, int]:
    """Split a mail into its wanted headers and the offset of its body.

    Parameters
    ----------
    raw : bytes
        Holds the mail, or one MIME part.
    wanted : frozenset of str
        Lower-case header names to keep; the first of several wins (To and Cc are joined).
    start, end : int
        Where in `raw` it stands.

    Returns
    -------
    headers : dict of str to str
        Unfolded, still encoded.
    body : int
        Where in `raw` the body starts; `start` when there is no header.
    found : int
        How many header lines there are, wanted or not.

    Notes
    -----
    Cost: linear. A line that is no header amid the others is passed over (mailers forget to
    fold), where the standard library would call everything below it body.
    """
    end = len(raw) if end is None else end
    if blank := _BREAK.match(raw, start, end):
        return {}, blank.end(), 0
    gap = _BLANK_LINE.search(raw, start, end)
    text = _decode_head(raw[start : gap.start() if gap else end])
    if not _NAME.match(text):
        return {}, start, 0
    headers: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    found = 0
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    # Unfolding (RFC 5322 section 2.2.3): a line that starts with white space goes on.
    for line in text.replace("\n ", " ").replace("\n\t", " ").split("\n"):
        name, colon, value = line.partition(":")
        key = name.rstrip().lower()
        if not colon or " " in key:
            continue
        found += 1
        if key not in wanted:
            continue
        if key in _REPEATABLE:
            many.setdefault(key, []).append(value.strip())
        elif key not in headers:
            headers[key] = value.strip()
    headers.update((key, ", ".join(values)) for key, values in many.items())
    return headers, gap.end() if gap else end, found


def _decode_head(raw: bytes) -> str:
    """Decode headers; line by line where they are not UTF-8, since servers add lines of theirs."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(map(decode_text, raw.split(b"\n")))


class ContentType(NamedTuple):
    """What a Content-Type header says."""

    kind: str = "text/plain"
    charset: str = ""
    boundary: bytes = b""
    filename: bool = False
    flowed: bool = False
    delsp: bool = False
    report: str = ""


_MAX_PARAMETERS_CHARS: Final = 4000  # the standard library's parameter parser is quadratic


def content_type(value: str) -> ContentType:
    """Read a Content-Type header value; a broken one means plain text.

    Cost: bounded, cached. Parameters: RFC 2045, with RFC 2231 forms.
    """
    return _content_type(value[:_MAX_PARAMETERS_CHARS])


@lru_cache(maxsize=1024)
def _content_type(value: str) -> ContentType:
    part = _Mime()
    try:
        part["content-type"] = value.replace("\r", " ").replace("\n", " ")
        kind = part.get_content_type()
        raw = part.get_params(failobj=[], unquote=True) or []
    except Exception:  # noqa: BLE001 - hostile parameters break email.message in many ways
        return ContentType(value.partition(";")[0].strip().lower() or "text/plain")
    parameters = {name.lower(): _parameter(given) for name, given in reversed(raw[1:])}
    return ContentType(
        kind=kind,
        charset=parameters.get("charset", ""),
        boundary=parameters.get("boundary", "").rstrip().encode("utf-8", "replace"),
        filename=bool(parameters.get("name")),
        flowed=parameters.get("format", "").lower() == "flowed",
        delsp=parameters.get("delsp", "").lower() == "yes",
        report=parameters.get("report-type", "").lower(),
    )


def _parameter(given: object) -> str:
    if isinstance(given, tuple):  # RFC 2231: charset, language, value
        given = given[2]
    return str(given).strip()


# The ">" may be missing, and a fold may have cut an id in two.
_ID: Final = re.compile(r"<([^<>]{1,600})(?=[<>]|\Z)")
_ID_GAP: Final = re.compile(r"[\s,;<>]+")


def message_ids(value: str) -> tuple[str, ...]:
    """Return the ids in a Message-ID, In-Reply-To or References value, without brackets.

    Where no brackets are, each word with an ``@`` is one. Cost: linear.
    """
    if not value:
        return ()
    value = decode_words(value)
    found = ["".join(inner.split()) for inner in _ID.findall(value)]
    if not any(found):
        found = [word for word in _ID_GAP.split(value) if "@" in word and len(word) < 600]
    return tuple(filter(None, found))


# The bare form that most headers have. Everything else goes through the scanner below.
_PLAIN: Final = re.compile(r"[^\s<>,;:()\"@\[\]]{1,100}@[^\s<>,;:()\"@]{1,250}")
_NAMED: Final = re.compile(
    r"(\"?)([^\"\\,;:<>()@]{0,100})\1\s{0,3}<([^\s<>,;:()\"@\[\]]{1,100}@[^\s<>,;:()\"@]{1,250})>"
)
_RUN: Final = re.compile(r'[^"\\,;:<>()]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ANGLE_END: Final = re.compile(r"[<>,;]")
_COMMENT_MARK: Final = re.compile(r"[()\\]")


def _comment_end(value: str, position: int) -> int:
    """Return the offset behind the comment that opens at `position`."""
    depth = 0
    while mark := _COMMENT_MARK.search(value, position):
        position = mark.end()
        if mark[0] == "\\":
            position += 1
            continue
        depth += 1 if mark[0] == "(" else -1
        if not depth:
            return position
    return len(value)


def _split_addresses(value: str) -> Iterator[tuple[str, str]]:
    """Yield (name, address) for each mailbox of a header (RFC 5322, leniently), in one pass."""
    name: list[str] = []
    address = ""
    position = 0
    while position < len(value):
        mark = value[position]
        if run := _RUN.match(value, position):
            name.append(run[0].strip())
            position = run.end()
        elif mark == '"' and (quoted := _QUOTED.match(value, position)):
            name.append(_ESCAPE.sub(r"\1", quoted[1]))
            position = quoted.end()
        elif mark == "<":
            end = _ANGLE_END.search(value, position + 1)
            stop = end.start() if end else len(value)
            address = value[position + 1 : stop]
            # Where the ">" was forgotten, the next mark keeps its meaning.
            position = stop + 1 if end and end[0] == ">" else stop
        elif mark == "(":
            position = _comment_end(value, position)
        else:
            position += 2 if mark == "\\" else 1
            if mark == ":":  # "Team: a@x, b@x;" names a group
                name = []
            elif mark in ",;" and (name or address):
                yield " ".join(name), address
                name, address = [], ""
    if name or address:
        yield " ".join(name), address


def addresses(value: str) -> tuple[tuple[str, str], ...]:
    """Return the (display name, bare lower-case address) pairs of a header value.

    The address is empty where the header only names somebody. Cost: linear.
    """
    if not value:
        return ()
    if "," not in value and _PLAIN.fullmatch(value):
        return (("", value.lower()),)
    if match := _NAMED.fullmatch(value):
        return ((decode_words(match[2]).strip(" \t'\""), match[3].lower()),)
    pairs = []
    for name, address in _split_addresses(value):
        if not address and "=?" in name:  # the whole of "Ann <ann@kunde.example>" is encoded
            name = decode_words(name)
            if match := _NAMED.fullmatch(name):
                name, address = match[2], match[3]
        if not address and (match := _PLAIN.search(name)):
            name, address = name.replace(match[0], "").strip(), match[0]
        bare = "".join(address.split()).lower()
        bare = bare.removeprefix("mailto:")
        pairs.append((decode_words(name).strip(" \t'\""), bare if "@" in bare else ""))
    return tuple(pairs)


_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_RFC_DATE: Final = re.compile(
    r"(?:[A-Za-z]{3},? )? ?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d{1,2}):(\d\d)(?::(\d\d))?"
    r" ([+-])(\d\d)(\d\d)\b"
)


@lru_cache(maxsize=256)
def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


def moment(value: str) -> datetime | None:
    """Read a mail date (RFC 5322, or ISO 8601 as some senders write); ``None`` when broken.

    In the writer's zone; a date without one is read as UTC. Cost: bounded.
    """
    value = value[:120].strip()
    match = _RFC_DATE.match(value)
    try:
        if match and (month := _MONTHS.get(match[2].lower())):
            day, _, year, hour, minute, second, sign, *zone = match.groups()
            minutes = int(zone[0]) * 60 + int(zone[1])
            found = datetime(
                int(year), month, int(day), int(hour), int(minute), min(int(second or 0), 59),
                tzinfo=_zone(minutes if sign == "+" else -minutes),
            )  # fmt: skip
        else:
            found = _any_moment(value)
        utc("date", found)  # no mail was sent in the year 9999
        return found
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None


_HALF_DAY: Final = re.compile(
    r"\b(\d{1,2})(:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?([ap])\.?m\b\.?", re.IGNORECASE
)
# "GMT+01:00" and "+01:00" are what the standard library takes for GMT.
_ZONE: Final = re.compile(r"(?<=:\d\d) ?(?:GMT|UTC)?([+-]\d\d):?(\d\d)(?![\d:])")


def plain_clock(value: str) -> str:
    """Write the hour of "9:14 PM" as 21:14; the standard library passes over the PM.

    Raises
    ------
    ValueError
        For an hour that half a day does not have.
    """
    half = _HALF_DAY.search(value)
    if half is None:
        return value
    hour = int(half[1])
    if not 1 <= hour <= 12:
        raise ValueError("no hour of half a day")
    hour = hour % 12 + (12 if half[3] in "pP" else 0)
    return f"{value[: half.start()]}{hour:02}{half[2]}{value[half.end() :]}"


def _any_moment(value: str) -> datetime:
    value = plain_clock(value)
    try:
        found = datetime.fromisoformat(value.removesuffix(" UTC"))
    except ValueError:
        found = parsedate_to_datetime(_ZONE.sub(r" \1\2", value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)

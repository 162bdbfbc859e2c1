"""The body of a mail: MIME parts to one text.

The tree is walked over offsets of the raw bytes, and only the parts that are read are decoded.
`email.parser` is not used here: it decodes line by line, holds every attachment in memory and
recurses without bound, so that a 50 MB attachment costs a second and a nested bomb a
RecursionError. The tests compare the two on well-formed mails.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from customer_nlp import text as _text
from customer_nlp.readers._headers import (
    ContentType,
    addresses,
    content_type,
    decode_text,
    decode_words,
    split_head,
)

__all__ = ["MAILS", "Part", "body_text", "clean", "leaves", "parse_part", "payload"]

MAX_DEPTH: Final = 16
MAX_PARTS: Final = 10_000
_PART_HEADERS: Final = frozenset(
    {"content-type", "content-transfer-encoding", "content-disposition"}
)
_FORWARD_HEADERS: Final = _PART_HEADERS | {"from", "date", "subject", "to", "cc"}
# Text by its name only: machines read these.
_NOT_READ: Final = frozenset(
    f"text/{name}"
    for name in (
        "calendar", "vcard", "x-vcard", "directory", "css", "csv", "xml", "rtf", "richtext",
        "enriched", "x-amp-html", "rfc822-headers", "javascript", "x-patch", "x-diff",
        "tab-separated-values",
    )
)  # fmt: skip
MAILS: Final = frozenset({"message/rfc822", "message/global"})


class Part(NamedTuple):
    """One node of the tree: what its headers say, and where in `raw` its body stands."""

    type: ContentType
    encoding: str
    attached: bool
    headers: dict[str, str]
    raw: bytes
    start: int
    end: int

    @property
    def body(self) -> bytes:
        """The body, still encoded; a copy."""
        return self.raw[self.start : self.end]


class _Budget:
    """How many parts may still be opened; one for the whole mail, so that bombs stay small."""

    def __init__(self) -> None:
        self.left = MAX_PARTS

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


def parse_part(
    headers: dict[str, str], raw: bytes, start: int, end: int, *, default: str = "text/plain"
) -> Part:
    """Build a part from its headers (see `split_head`) and the place of its body."""
    declared = headers.get("content-type", "")
    disposition = headers.get("content-disposition", "")[:400].lower()
    kind = content_type(declared) if declared else ContentType(default)
    return Part(
        type=kind._replace(filename=True) if "filename" in disposition else kind,
        encoding=headers.get("content-transfer-encoding", "").lower(),
        attached=disposition.startswith("attachment"),
        headers=headers,
        raw=raw,
        start=start,
        end=end,
    )


def _open(raw: bytes, start: int, end: int, default: str = "text/plain") -> Part:
    headers, body, _ = split_head(raw, _FORWARD_HEADERS, start, end)
    return parse_part(headers, raw, body, end, default=default)


def _children(part: Part, budget: _Budget) -> list[Part] | None:
    """Split a multipart body; ``None`` when its boundary never comes. Cost: linear."""
    boundary = part.type.boundary
    if not boundary:
        return None
    default = "message/rfc822" if part.type.kind == "multipart/digest" else "text/plain"
    children: list[Part] = []
    start = -1
    for at, after, closing in _delimiters(part, b"--" + boundary):
        if start >= 0 and budget.spend():
            children.append(_open(part.raw, start, _before_break(part.raw, start, at), default))
        start = after
        if closing:
            return children
    if start < 0:
        return None
    if budget.spend():  # cut off before the closing delimiter
        children.append(_open(part.raw, start, part.end, default))
    return children


def _delimiters(part: Part, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield (start of the line, start of the next, whether it closes) for delimiter lines."""
    raw, position = part.raw, part.start
    while (at := raw.find(delimiter, position, part.end)) >= 0:
        position = at + len(delimiter)
        if at > part.start and raw[at - 1] != _NEWLINE:
            continue
        # Padding may follow; anything else makes it another, longer boundary.
        if rest := _DELIMITER_END.match(raw, position, part.end):
            position = rest.end()
            yield at, position, rest[1] == b"--"


_NEWLINE: Final = 0x0A
_DELIMITER_END: Final = re.compile(rb"(--)?[ \t\r]{0,80}(?:\n|\Z)")


def _before_break(raw: bytes, start: int, end: int) -> int:
    """Step back over the line break that belongs to the delimiter (RFC 2046 section 5.1.1)."""
    if end > start and raw[end - 1] == _NEWLINE:
        end -= 1
        if end > start and raw[end - 1 : end] == b"\r":
            end -= 1
    return end


_FIRST_LINE: Final = re.compile(rb"\s{0,200}([^\r\n]{1,1000})")
_NO_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]")


def _is_prose(part: Part) -> bool:
    """Tell text that is called base64: every tenth character of its first line is none of it."""
    match = _FIRST_LINE.match(part.raw, part.start, part.end)
    line = match[1].strip() if match else b""
    return len(_NO_BASE64.findall(line)) * 10 > len(line)


def payload(part: Part) -> bytes:
    """Undo the transfer encoding; broken base64 gives what can be read of it."""
    if part.encoding.startswith("quoted-printable"):
        return binascii.a2b_qp(part.body)
    if not part.encoding.startswith("base64") or _is_prose(part):
        return part.body
    try:
        return binascii.a2b_base64(part.body)
    except binascii.Error:
        pass
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", part.body)
    if len(letters) % 4 == 1:  # six bits make no byte
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def clean(text: str) -> str:
    r"""Normalise line ends to \n and drop NUL characters."""
    if "\r" in text:
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "") if "\0" in text else text


_HTML_START: Final = re.compile(
    r"\s{0,200}(?:<!doctype\s{1,10}html|<html|<head|<body)", re.IGNORECASE
)


# Where HTML says it itself (https://html.spec.whatwg.org, "prescan a byte stream").
_META_CHARSET: Final = re.compile(
    rb"<meta\s[^<>]{0,200}\bcharset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE | re.ASCII
)
_META_BYTES: Final = 1024

# RFC 9580 section 7, the cleartext signature framework: what is signed, and its escaped dashes.
_ARMOR: Final = re.compile(
    r"^-----BEGIN PGP SIGNED MESSAGE-----[ \t]{0,80}\n"
    r"(?:\w{1,20}: [^\n]{0,200}\n){0,9}[ \t]{0,80}\n",
    re.MULTILINE,
)
_ARMOR_SIGNATURE: Final = "\n-----BEGIN PGP SIGNATURE-----"
_ARMOR_END: Final = "\n-----END PGP SIGNATURE-----"
_ESCAPED_DASH: Final = re.compile(r"^- ", re.MULTILINE)


def _without_armor(text: str) -> str:
    """Return what a mail program shows of a text that is signed in place. Cost: linear."""
    start = _ARMOR.search(text) if "-----BEGIN PGP" in text else None
    stop = text.find(_ARMOR_SIGNATURE, start.end() - 1) if start else -1
    if start is None or stop < 0:
        return text
    signed = _ESCAPED_DASH.sub("", text[start.end() : stop + 1])
    end = text.find(_ARMOR_END, stop)
    rest = text[end + len(_ARMOR_END) :].lstrip("\n") if end >= 0 else ""
    return text[: start.start()] + signed + rest


def _leaf_text(part: Part) -> str:
    """Decode one text part and bring it to plain text."""
    raw, charset = payload(part), part.type.charset
    if not charset and (named := _META_CHARSET.search(raw, 0, _META_BYTES)):
        charset = named[1].decode("ascii")
    text = clean(decode_text(raw, charset)).removeprefix("\ufeff")
    if part.type.kind == "text/html" or _HTML_START.match(text):
        return _text.html_to_text(text)
    text = _without_armor(text)
    return unflow(text, delsp=part.type.delsp) if part.type.flowed else text


def unflow(text: str, *, delsp: bool) -> str:
    """Join the soft-broken lines of format=flowed text (RFC 3676). Cost: linear."""
    lines: list[str] = []
    paragraph: list[str] = []
    depth = 0
    for line in text.split("\n"):
        content = line.lstrip(">")
        marks = len(line) - len(content)
        content = content.removeprefix(" ")  # space-stuffing
        signature = content == "-- "
        if paragraph and (marks != depth or signature):  # improperly flowed: end it here
            lines.append(_quoted(depth, paragraph))
            paragraph = []
        depth = marks
        soft = content.endswith(" ") and not signature
        paragraph.append(content[:-1] if soft and delsp else content)
        if not soft:
            lines.append(_quoted(depth, paragraph))
            paragraph = []
    if paragraph:
        lines.append(_quoted(depth, paragraph))
    return "\n".join(lines)


def _quoted(depth: int, paragraph: list[str]) -> str:
    content = "".join(paragraph)
    if not depth:
        return content
    return ">" * depth + (" " + content if content else "")


# What mailers put into the plain part when they have nothing but HTML to say.
_STUB_CHARS: Final = 400
_STUB: Final = re.compile(
    r"\bhtml\b|\bin (?:your|a|the) (?:web )?browser\b|view (?:this|it) (?:e-?mail|message)? ?online"
    r"|multi-?part message in mime|im browser (?:an|öffnen)|dans (?:votre|un) navigateur"
    r"|en (?:su|tu|el) navegador|nel (?:tuo )?browser",
    re.IGNORECASE,
)


def _is_stub(plain: str, html: str) -> bool:
    words = plain.strip()
    return not words or (
        len(words) <= _STUB_CHARS and bool(_STUB.search(words)) and len(html.strip()) > len(words)
    )


def body_text(part: Part) -> tuple[str, bool]:
    """Return the readable text of a mail and whether any of it was left out.

    Parameters
    ----------
    part : Part
        The mail as a whole.

    Returns
    -------
    text : str
        Text parts joined by a blank line; of alternatives the plain one, unless it is empty or
        a stub; attached mails in full below a forward header.
    cut : bool
        True when the mail has more parts or levels than are read.

    Notes
    -----
    Cost: linear in the bytes, times at most `MAX_DEPTH`. Attachments are never decoded.
    """
    budget = _Budget()
    walk = _Walk(budget)
    text = walk.text(part, MAX_DEPTH)
    return text, walk.cut or budget.left < 0


class _Walk:
    """One descent through a mail. Recursion is bounded by the depth that is handed down."""

    def __init__(self, budget: _Budget) -> None:
        self.budget = budget
        self.cut = False

    def text(self, part: Part, depth: int) -> str:
        kind = part.type.kind
        if kind.startswith("multipart/"):
            return self._multipart(part, depth)
        if kind in MAILS:
            return self._forwarded(part, depth)
        if not kind.startswith("text/") or part.attached or kind in _NOT_READ:
            return ""
        return _leaf_text(part)

    def _multipart(self, part: Part, depth: int) -> str:
        if depth <= 0:
            self.cut = True
            return ""
        children = _children(part, self.budget)
        if children is None:  # no boundary: the sender meant text
            return clean(decode_text(part.body, part.type.charset))
        kind = part.type.kind
        if kind == "multipart/alternative":
            return self._best(children, depth)
        if kind == "multipart/related":
            return next(filter(None, (self.text(child, depth - 1) for child in children)), "")
        if kind == "multipart/report":  # the notice; what came back is no word of the sender
            children = children[:1]
        return self._joined(children, depth)

    def _joined(self, children: list[Part], depth: int) -> str:
        pieces: list[str] = []
        for child in children:
            if child.type.filename and child.type.kind.startswith("text/") and pieces:
                continue  # a text file shown inline
            if piece := self.text(child, depth - 1):
                pieces.append(piece)
        if len(pieces) <= 1:
            return "".join(pieces)
        joined = [piece.rstrip("\n") for piece in pieces[:-1]]
        return "\n\n".join([*filter(None, joined), pieces[-1]])

    def _best(self, children: list[Part], depth: int) -> str:
        plain, rich = "", ""
        for child in children:
            if not plain.strip() and child.type.kind == "text/plain":
                plain = self.text(child, depth - 1)
        # HTML costs more than plain text: it is read only where it may be needed.
        if len(plain.strip()) > _STUB_CHARS or (plain.strip() and not _STUB.search(plain)):
            return plain
        for child in children:
            if child.type.kind != "text/plain" and (found := self.text(child, depth - 1)).strip():
                rich = found
                if child.type.kind == "text/html":
                    break
        return rich if rich.strip() and _is_stub(plain, rich) else plain

    def _forwarded(self, part: Part, depth: int) -> str:
        if depth <= 0:
            self.cut = True
            return ""
        raw, start, end = part.raw, part.start, part.end
        if part.encoding.startswith(("base64", "quoted-printable")):  # forbidden, but seen
            raw = payload(part)
            start, end = 0, len(raw)
        inner = _open(raw, start, end)
        lines = ["---------- Forwarded message ---------"]
        for name, value in _forward_header(inner.headers):
            lines.append(f"{name}: {value}")
        return clean("\n".join(lines)) + "\n\n" + self.text(inner, depth - 1)


def _forward_header(headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    show: Callable[[str], str]
    for name in ("From", "Date", "Subject", "To", "Cc"):
        if value := headers.get(name.lower()):
            show = decode_words if name in {"Date", "Subject"} else _shown_addresses
            yield name, show(value)


def _shown_addresses(value: str) -> str:
    return ", ".join(
        f"{name} <{address}>" if name and address else name or address
        for name, address in addresses(value)
    )


def leaves(part: Part) -> Iterator[Part]:
    """Yield the parts that are no multipart, in order, within the same bounds."""
    budget = _Budget()
    stack = [(part, MAX_DEPTH)]
    while stack:
        node, depth = stack.pop()
        children = None
        if node.type.kind.startswith("multipart/") and depth > 0:
            children = _children(node, budget)
        if children is None:
            yield node
        else:
            stack.extend((child, depth - 1) for child in reversed(children))

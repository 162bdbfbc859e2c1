"""Where the author's own rows turn from text into signature and disclaimer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from customer_nlp.text._markers import (
    BANNER,
    CLOSING,
    CLOSING_MAX_WORDS,
    CONNECTORS,
    DISCLAIMER_STRONG,
    DISCLAIMER_WEAK,
    GREETING_WORDS,
    NAME_PARTICLES,
    NOT_A_NAME,
    POSTSCRIPT,
    REPLY_ABOVE,
    SENT_FIRST_WORDS,
    SENT_PREFIXES,
    SENT_SUFFIXES,
    word_set,
)

__all__ = ["is_reply_above", "own_zones", "signature_name"]

Piece = tuple[int, str, float]  # first row, kind, confidence

_MAX_CLOSING_CHARS: Final = 64
_ROWS_KNOWN: Final = 2048  # closings and names come back from mail to mail: short rows
_MAX_NAME_ROWS: Final = 4  # of a signature: closing, a blank or a rule, the name
_WINDOW: Final = 60  # rows from the end in which a signature may begin
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[&\d@]")
_RULE_CHARS: Final = "-_=*~#—–\u2500\u2501 \t"
_FORMAL: Final = (
    "veuillez agréer",
    "veuillez recevoir",
    "je vous prie d'agréer",
    "je vous prie de recevoir",
    "je vous prie de croire",
    "nous vous prions d'agréer",
    "recevez madame",
    "recevez monsieur",
)
#: Last words of closing formulas that are not in the table: "Rainy greetings", "Kind wishes".
_CLOSING_ENDS: Final = word_set(
    "regards wishes greetings grüsse grüssen gruss salutations saludos cumprimentos saluti "
    "groet groeten groetjes hilsen hilsner hälsning hälsningar pozdrowienia terveisin"
)
_CLOSING_TAILS: Final = tuple(_CLOSING_ENDS)
_FIRST_WORDS: Final = frozenset(
    phrase.split()[0] for phrases in (CLOSING, _FORMAL) for phrase in phrases
)
#: First and last letters of what may open a signature: the gate that most rows fail.
_OPENINGS: Final = frozenset(
    word[:3] for words in (_FIRST_WORDS, SENT_FIRST_WORDS) for word in words
)
_TAILS: Final = frozenset(word[-3:] for word in _CLOSING_ENDS)
_EDGE: Final = " \t\u00a0,.;:!-–—~/*_|()\"'\ufeff\u200b"
_SELF: Final = word_set("i i'm i've i'd i'll me my mine ich mich mir mein meine je moi mon yo")
_TEAM_WORDS: Final = word_set(
    "team desk support crew office department dept service services accounts orders reception "
    "equipe équipe equipo kundenservice kundendienst klantenservice kundeservice kundtjänst "
    "help helpdesk hotline crew "
    "kundetjeneste dienst servicio serviço servizio zespół"
)
_CONTACT: Final = re.compile(
    r"@|www\.|https?:|\||(?:\d[\s().-]{0,2}){6}"
    r"|(?<!\w)(?:tel|phone|mobile|mob|cell|fax|ext|direct|telefon|tlf|handy|mobil|tél|móvil)(?!\w)",
    re.IGNORECASE,
)
_WISHES: Final = word_set(
    "have speak talk einen schönen schönes bonne belle buen bom buona fijne god hav ha trevlig "
    "fortsat miłego hyvää hezký pěkný until"
)
_KISSES: Final = ("x", "xx", "xxx")
_PHONE_END: Final = re.compile(r"(?<=[^\W\d_]),?\s{1,3}\+?[\d][\d\s()/.-]{5,18}$")
_IN_NAMES: Final = {ord(mark): None for mark in "-'’."}
_CAMEL: Final = re.compile(r"[a-z]{3}[A-Z]")  # "TypeError" is no name, "MacKay" is one
_BANNER_STEMS: Final = (
    "extern",
    "outside",
    "außerhalb",
    "ausserhalb",
    "often get",
    "häufig",
    "extérieur",
    "dehors",
    "esterno",
    "zewnętrzn",
    "spoza",
    "buiten",
    "ekstern",
    "externo",
)


class _Start(NamedTuple):
    """Position, within the window, at which the signature begins."""

    position: int
    confidence: float


def signature_name(text: str) -> str:
    """Return the row of a signature that names a person or a team; empty where none does."""
    rows = filter(None, (row.strip() for row in text.split("\n")))
    for row in islice(rows, _MAX_NAME_ROWS):
        closing, name = _closing(row)
        if name or (closing is None and _is_name(row)):
            return name or row
    return ""


def own_zones(rows: list[str], begin: int, end: int, *, first: bool, last: bool) -> list[Piece]:
    """Cut the author's rows ``begin:end`` into text, signature and disclaimer.

    Parameters
    ----------
    rows : list of str
        All stripped lines of the mail.
    begin, end : int
        The author's own rows.
    first, last : bool
        Whether they open the mail; whether nothing of the author's follows.

    Returns
    -------
    list of (int, str, float)
        First row, kind and confidence of each piece, in order.
    """
    filled = [row for row in range(begin, end) if rows[row]]
    if not filled:
        return []
    pieces: list[Piece] = []
    if first:
        skipped = _banner_rows(rows, filled)
        if skipped:
            pieces.append((filled[0], "disclaimer", 0.8))
            filled = filled[skipped:]
    window = filled[-_WINDOW:]
    alone = len(window) == len(filled)
    footer = _footer_start(rows, window, alone=alone and not pieces)
    body = window[:footer]
    start = _signature_start(rows, body, footed=footer < len(window), alone=alone, last=last)
    if start is None:
        if body or not alone:
            pieces.append((filled[0], "new", 1.0))
        pieces.extend(_footer(rows, window[footer:]))
        return pieces
    if start.position > 0 or not alone:
        pieces.append((filled[0], "new", 1.0))
    pieces.extend(_below(rows, body[start.position :], start.confidence))
    pieces.extend(_footer(rows, window[footer:]))
    return pieces


# --- Signature ----------------------------------------------------------------------------------


def _signature_start(
    rows: list[str], body: list[int], *, footed: bool, alone: bool, last: bool
) -> _Start | None:
    for position, row in enumerate(body):
        line = rows[row]
        size = len(line)
        if size > 120:
            continue
        if size <= 3 and line in ("--", "__", "—", "---", "–"):
            found = _delimited(rows, body, position)
        else:
            head = line[:3].casefold()
            if (
                head not in _OPENINGS
                and head.isalpha()
                and not (size <= 40 and line.rstrip(",.!")[-3:].casefold() in _TAILS)
                and not line.endswith(SENT_SUFFIXES)
            ):
                continue
            found = _formula(rows, body, position, alone=alone, footed=footed)
        if found is not None:
            return found
    if not last or not body:
        return None
    return _named_end(rows, body, alone=alone)


def _formula(
    rows: list[str], body: list[int], position: int, *, alone: bool, footed: bool
) -> _Start | None:
    """Judge a row that begins or ends like a closing formula or a device line."""
    line = rows[body[position]]
    first = _first(line)
    found = None
    if first in _FIRST_WORDS or (
        len(line) <= _MAX_CLOSING_CHARS and line.casefold().rstrip(",.!").endswith(_CLOSING_TAILS)
    ):
        found = _closed(rows, body, position, alone=alone, footed=footed)
    if found is None and (first in SENT_FIRST_WORDS or line.endswith(SENT_SUFFIXES)):
        found = _device(rows, body, position)
    return found


def _delimited(rows: list[str], body: list[int], position: int) -> _Start | None:
    """Judge a row of two dashes: all below is signature unless it reads like text."""
    below = body[position + 1 :]
    if not below:
        return None
    if rows[body[position]] == "---" and not _is_name(rows[below[0]]):
        return None  # a rule between two parts of the text
    prose = sum(_is_prose(rows[row]) for row in below)
    if len(below) > 25 or prose > 2 or (prose and any(_is_own(rows[row]) for row in below)):
        return None
    return _with_name_above(rows, body, position, 1.0 if rows[body[position]] == "--" else 0.8)


def _device(rows: list[str], body: list[int], position: int) -> _Start | None:
    """Judge "Sent from my phone"."""
    line = rows[body[position]]
    if not _is_device_line(line):
        return None
    below = body[position + 1 :]
    if len(below) > 12 or any(_is_prose(rows[row]) and _is_own(rows[row]) for row in below):
        return None
    return _with_name_above(rows, body, position, 1.0 if len(line) <= 60 else 0.8)


def _is_device_line(line: str) -> bool:
    if len(line) > 120:
        return False
    low = line.casefold().strip(_EDGE)
    if low.startswith(SENT_PREFIXES):
        words = low.split()
        return len(words) <= 9 or (
            len(words) <= 14 and not any(word in _SELF for word in words[4:])
        )
    return low.endswith(SENT_SUFFIXES) and len(line) <= 60 and low.startswith(SENT_PREFIXES)


def _with_name_above(rows: list[str], body: list[int], position: int, confidence: float) -> _Start:
    """Take a bare name right above a delimiter or device line into the signature."""
    if position == 0:
        return _Start(0, confidence)
    closing = _closed_above(rows, body, position)
    if closing is not None:
        return closing
    found = _named_end(rows, body[:position], alone=True)
    return _Start(position, confidence) if found is None else found


def _closed_above(rows: list[str], body: list[int], position: int) -> _Start | None:
    """Take "Thanks," right above the delimiter into the signature."""
    line = rows[body[position - 1]]
    if line[-1] == "," and _closing(line)[0] == "weak" and position > 1:
        return _Start(position - 1, 0.8)
    return None


def _closed(
    rows: list[str], body: list[int], position: int, *, alone: bool, footed: bool
) -> _Start | None:
    """Judge a row that begins like a closing formula."""
    line = rows[body[position]]
    strength, name = _closing(line)
    named = bool(name)
    if strength is None:
        return None
    nothing_above = position == 0 and alone
    below = body[position + 1 :]
    if len(below) > 30:
        return None
    if strength == "weak":
        if line[-1] in "!." and line.split(None, 1)[0].casefold() in _WISHES:
            return None  # "Have a nice day!" is said to the reader
        if nothing_above and (line[-1] != "," or named):
            return None
        confidence = _judge_weak(rows, below, line, named=named)
    else:
        confidence = _judge_strong(rows, below, line, named=named, footed=footed)
    if confidence <= 0 or not _tail_is_signature(rows, body, position, strength):
        return None
    return _Start(_first_of_closings(rows, body, position), confidence)


def _judge_weak(rows: list[str], below: list[int], line: str, *, named: bool) -> float:
    if named:
        return 0.7 if line[-1] not in "!.?" else 0.0
    if not below:
        return 0.0
    following = rows[below[0]]
    strength, _ = _closing(following)
    if strength == "strong":
        return 0.9 if line[-1] not in "!.?" else 0.0
    if _is_name(following):
        return 0.95 if line[-1] not in "!.?" else 0.85
    bare = following.strip(_EDGE)
    if len(bare) <= 15 and bare.isalpha() and bare.casefold() not in NOT_A_NAME:
        return 0.8
    return 0.8 if line[-1] == "," and len(following) <= 40 and _is_contact(following) else 0.0


def _judge_strong(
    rows: list[str], below: list[int], line: str, *, named: bool, footed: bool
) -> float:
    if named:
        return 0.9
    single = " " not in line
    if not below:
        return 0.9 if not single or line[-1] == "," or len(line) > 6 or footed else 0.7
    following = rows[below[0]]
    if _is_name(following) or following in ("--", "-- "):
        return 1.0
    if line[-1] == "?" or _is_prose(following):
        return 0.0
    return 0.9 if len(following.split()) <= 6 and len(following) <= 60 else 0.6


def _tail_is_signature(rows: list[str], body: list[int], position: int, strength: str) -> bool:
    """Tell whether what follows a closing formula is no further text of the author's."""
    prose = 0
    for offset, row in enumerate(body[position + 1 :]):
        line = rows[row]
        if line[:4].casefold().startswith(POSTSCRIPT):
            return True
        if _is_prose(line):
            if offset == 0:
                return _score(line) >= 2
            prose += 1
            if strength == "weak" and prose > 3 and not _score(line):
                return False
    return prose <= 6


def _first_of_closings(rows: list[str], body: list[int], position: int) -> int:
    """Go up over further closing formulas: "Many thanks," above "Kind regards,"."""
    while position > 1:
        line = rows[body[position - 1]]
        if len(line) > 60 or line[-1] in "!.?" or _closing(line)[0] is None:
            break
        position -= 1
    return position


def _closing(line: str) -> tuple[str | None, str]:
    """Return ('strong' | 'weak' | None, the name that follows on the same row)."""
    return (_formal_closing(line), "") if len(line) > _MAX_CLOSING_CHARS else _short_closing(line)


@lru_cache(_ROWS_KNOWN)
def _short_closing(line: str) -> tuple[str | None, str]:
    tokens = list(_TOKEN.finditer(line))
    words = [token.group().casefold().replace("’", "'") for token in tokens]
    position = 0
    strength: str | None = None
    while position < len(words):
        size = min(CLOSING_MAX_WORDS, len(words) - position)
        while size and " ".join(words[position : position + size]) not in CLOSING:
            size -= 1
        if size:
            strong = CLOSING[" ".join(words[position : position + size])]
            strength = "strong" if strong or strength == "strong" else "weak"
            position += size
        elif strength is not None and words[position] in CONNECTORS:
            position += 1
        else:
            break
    if strength is None:
        if len(words) <= 4 and words and words[-1] in _CLOSING_ENDS and line[0].isupper():
            return "strong", ""
        return _formal_closing(line), ""
    if position == len(words):
        return strength, ""
    rest = line[tokens[position].start() :]
    if _is_name(rest, strict=True):
        return strength, rest
    return None, ""


def _formal_closing(line: str) -> str | None:
    """Tell the French "Veuillez agréer, Madame, Monsieur, … salutations distinguées"."""
    head = line[:80].casefold().replace("’", "'").replace(",", "")
    return "strong" if head.startswith(_FORMAL) else None


# --- Names and contact rows ---------------------------------------------------------------------


def _named_end(rows: list[str], body: list[int], *, alone: bool) -> _Start | None:
    """Find a bare name, perhaps with a contact block, at the end of the text."""
    end = len(body)
    begin = _paragraph_start(body, end)
    for _ in range(3):
        if begin == 0 and alone:
            break
        if begin > 0 and _is_name(rows[body[begin]]) and rows[body[begin - 1]][-1] not in ":,":
            return _judge_block(rows, body, begin, end)
        if end == len(body):
            found = _attached_name(rows, body, begin)
            if found is not None:
                return found
        if begin == 0 or not all(_is_contact_row(rows[row]) for row in body[begin:end]):
            return None
        end, begin = begin, _paragraph_start(body, begin)
    return _attached_name(rows, body, begin) if end == len(body) else None


def _paragraph_start(body: list[int], end: int) -> int:
    begin = end - 1
    while begin > 0 and body[begin] - body[begin - 1] == 1:
        begin -= 1
    return begin


def _judge_block(rows: list[str], body: list[int], begin: int, end: int) -> _Start | None:
    block = [rows[row] for row in body[begin:end]]
    if len(block) == 1 and end == len(body):
        return _Start(begin, 0.65)
    if len(block) > 9 or any(_is_prose(line) for line in block):
        return None
    if any(_CONTACT.search(line[:200]) for line in block) or end < len(body):
        return _Start(begin, 0.8)
    if len(block) <= 3 and all(len(line) <= 45 and line[-1] not in ".!?:" for line in block):
        return _Start(begin, 0.65)
    return None


def _attached_name(rows: list[str], body: list[int], begin: int) -> _Start | None:
    """Judge a last row that is a name, right below a sentence without a blank row."""
    last = len(body) - 1
    if last <= begin or not _is_name(rows[body[last]], strict=True):
        return None
    above = rows[body[last - 1]]
    if above[-1].isalnum() or above[-1] in ",:;-–":
        most_words = 6 if begin == last - 1 else 4  # "Greetings from a cold kitchen,"
        generic = above[-1] == "," and len(above.split()) <= most_words and last - 1 > 0
        if not generic or _first(above) in GREETING_WORDS:
            return None
        return _Start(last - 1, 0.7)
    return _Start(last, 0.6)


def _first(line: str) -> str:
    return line.split(None, 1)[0].strip(_EDGE).casefold()


def _is_name(line: str, *, strict: bool = False) -> bool:
    """Tell whether a short row looks like a person, a team or initials."""
    return len(line) <= 70 and line[-1] not in "?:" and _names(line, strict)


@lru_cache(_ROWS_KNOWN)
def _names(line: str, strict: bool) -> bool:  # noqa: FBT001 - positions make the shorter key
    if not strict and not line[0].isalnum() and line[:1] not in "-–—~/*(":
        return False
    head = line.strip(_EDGE)
    if head[-1:].isdigit() and not strict:
        head = _PHONE_END.sub("", head)
    for mark in (",", " | ", " - ", " – ", " (", " / ", "\t"):
        cut = head.find(mark)
        if cut > 0:
            if mark != " (" and " " not in head[:cut].strip():
                tail = head[cut + len(mark) :].split()
                if strict or not 1 <= len(tail) <= 4:
                    return False
                if tail[-1] not in _TEAM_WORDS and not _are_name_words(tail, ended=False):
                    return False
            head = head[:cut]
            break
    words = head.split()
    while words and not any(character.isalpha() for character in words[-1]):
        words.pop()  # an emoji
    if len(words) > 1 and not strict:
        if words[-1] in _KISSES:
            words.pop()
            if len(words) == 1 and words[0].isalpha():
                return words[0].casefold() not in NOT_A_NAME
        elif words[0] in _KISSES:
            del words[0]
    if not 1 <= len(words) <= 6 or line[-1] == "!":
        return False
    if words[0].casefold().strip(".,") in GREETING_WORDS:
        return False
    if len(words) > 1 and words[-1].casefold() in _TEAM_WORDS:
        return _is_team(words) and line[-1] != "."
    return _are_name_words(words, ended=line[-1] == ".")


def _is_team(words: Sequence[str]) -> bool:
    """Tell "Front desk" and "The Example Support Team" from "Need help"."""
    if words[0].casefold() in NOT_A_NAME and (words[0] != "The" or len(words) < 3):
        return False
    return words[0][0].isupper() and (words[-1][0].isupper() or words[-1] in ("desk", "team"))


def _are_name_words(words: Sequence[str], *, ended: bool) -> bool:
    capital = False
    for position, word in enumerate(words):
        bare = word.strip(".,*_\"'“”()")
        if not bare:
            return False
        low = bare.casefold()
        if low in NOT_A_NAME and not (len(bare) == 1 and word[-1] == "."):
            if low != "the" or position or len(words) < 3:
                return False
        elif bare[0].islower():
            if position and word[-1] == "." and len(word) <= 5:
                continue  # "Med. dent."
            if low not in NAME_PARTICLES or (position == 0 and len(words) == 1):
                return False
        elif bare != "&":
            if not bare.translate(_IN_NAMES).isalpha() or _CAMEL.search(bare):
                return False
            capital = True
    if ended and len(words) <= 3:
        last = words[-1].rstrip(".,")
        return capital and (len(last) <= 3 or len(words) > 1)
    return capital and not ended


def _is_contact(line: str) -> bool:
    return _CONTACT.search(line[:200]) is not None


def _is_contact_row(line: str) -> bool:
    """Tell whether a row without a name can be part of a contact block."""
    return len(line) <= 90 and not _is_prose(line) and (_is_contact(line) or line[-1] not in ".!?:")


def _is_prose(line: str) -> bool:
    words = line.count(" ") + 1
    if words >= 11:
        return not (_CONTACT.search(line[:200]) and line[-1] not in ".!?")
    return words >= 5 and line[-1] in ".!?…" and not _is_device_line(line)


def _is_own(line: str) -> bool:
    """Tell whether a sentence speaks in the first person or asks."""
    low = line[:500].casefold()
    return "?" in low or not _SELF.isdisjoint(low.replace("’", "'").split())


# --- Disclaimers --------------------------------------------------------------------------------


def _keyed() -> dict[str, list[tuple[str, int]]]:
    """Index the disclaimer phrases by the first letters of their longest word."""
    index: dict[str, list[tuple[str, int]]] = {}
    for weight, phrases in ((2, DISCLAIMER_STRONG), (1, DISCLAIMER_WEAK)):
        for phrase in phrases:
            longest = max(_LETTERS.findall(phrase) or [phrase], key=len)
            index.setdefault(longest[:_KEY_CHARS], []).append((phrase, weight))
    return index


_KEY_CHARS: Final = 5
_LETTERS: Final = re.compile(r"[^\W\d_]+|©")
_DISCLAIMERS: Final = _keyed()


def _score(text: str) -> int:
    """Weigh the disclaimer phrases in a paragraph: 2 for a telling one, 1 for a hint."""
    low = text[:2000].casefold().replace("’", "'")
    score = 0
    keys = _DISCLAIMERS.keys() & {word[:_KEY_CHARS] for word in _LETTERS.findall(low)}
    if keys:
        low = " ".join(low.split())
        for key in keys:
            score += sum(weight for phrase, weight in _DISCLAIMERS[key] if phrase in low)
    return score


def is_reply_above(line: str) -> bool:
    """Tell the line of a helpdesk above which an answer is to be written, ruled on both sides."""
    ruled = len(line) <= 120 and not line[0].isalnum() and line[-1] in "-–—_=*#~+<>])"
    low = line.casefold() if ruled else ""
    return any(map(low.__contains__, REPLY_ABOVE))


def _banner_rows(rows: list[str], filled: list[int]) -> int:
    """Return how many rows on top are the banner of a gateway."""
    head = rows[filled[0]]
    if is_reply_above(head):
        return 1
    low = head[:300].casefold()
    second = rows[filled[1]][:300].casefold() if len(filled) > 1 else ""
    if not any(map(f"{low}\n{second}".__contains__, _BANNER_STEMS)):
        return 0
    size = 1
    while size < len(filled) and filled[size] - filled[size - 1] == 1 and size < 6:
        size += 1
    if size == len(filled) and size > 1:
        size = 1
    text = " ".join(rows[row] for row in filled[:size]).casefold()
    if size == len(filled) or "?" in text or not any(phrase in text for phrase in BANNER):
        return 0
    return size if _SELF.isdisjoint(text.split()) else 0


def _paragraphs_up(rows: list[str], window: list[int]) -> Iterator[tuple[int, int]]:
    """Yield ``(begin, end)`` positions of paragraphs, the last first; a rule opens one too."""
    end = len(window)
    for begin in range(end - 1, -1, -1):
        row = window[begin]
        if not begin or row - window[begin - 1] > 1 or not rows[row].strip(_RULE_CHARS):
            yield begin, end
            end = begin


def _footer_start(rows: list[str], window: list[int], *, alone: bool) -> int:
    """Return the position from which on the window is footers, its size for none."""
    size = len(window)
    start = size
    for begin, end in islice(_paragraphs_up(rows, window), 8):
        lines = [rows[row] for row in window[begin:end]]
        if sum(map(len, lines)) < 15:
            if start == size:
                break
            continue
        text = " ".join(lines)
        if _is_device_line(text):
            continue
        needed = 4 if _is_own(text) or (begin == 0 and alone) else 2
        if start < size and not (max(map(len, lines)) <= 45 and any(map(_is_contact, lines))):
            needed = 1  # above a footer a hint is enough, but for a block of short contact rows
        if not _reads_like_footer(text) or _score(text) < needed:
            break
        start = begin
    return start


def _reads_like_footer(text: str) -> bool:
    """Tell whether a paragraph is too long to be a row of a signature, and greets nobody."""
    return len(text) >= 25 and text.split(None, 1)[0].strip(_EDGE).casefold() not in GREETING_WORDS


def _footer(rows: list[str], footer: list[int]) -> list[Piece]:
    pieces: list[Piece] = []
    for row in footer:
        kind = "signature" if _is_device_line(rows[row]) else "disclaimer"
        if not pieces or pieces[-1][1] != kind:
            pieces.append((row, kind, 0.9))
    return pieces


def _below(rows: list[str], block: list[int], confidence: float) -> list[Piece]:
    """Label the rows from the signature's first on: signature, disclaimer or postscript."""
    pieces: list[Piece] = [(block[0], "signature", confidence)]
    for number, (begin, end) in enumerate([*_paragraphs_up(rows, block)][::-1]):
        lines = [rows[row] for row in block[begin:end]]
        before = pieces[-1][1]
        if number == 0:
            pieces.extend(_glued(rows, block[begin:end]))
            continue
        if lines[0][:5].casefold().startswith(POSTSCRIPT):
            kind, sure = "new", 0.9
        elif _is_device_line(lines[0]):
            kind, sure = "signature", 1.0
        elif before == "new":
            continue
        else:
            kind, sure = _paragraph_kind(lines, before)
        if kind != before:
            pieces.append((block[begin], kind, sure))
    return pieces


def _paragraph_kind(lines: Sequence[str], before: str) -> tuple[str, float]:
    text = " ".join(lines)
    if len(text) >= 20 and any(len(line) >= 20 for line in lines):
        score = _score(text)
        ruled = not lines[0].strip(_RULE_CHARS)
        if score >= 2 or (score and (ruled or before == "disclaimer" or _is_prose(text))):
            return "disclaimer", 0.9
        if any(_is_prose(line) and _is_own(line) for line in lines):
            return "new", 0.6
    return before, 0.8


def _glued(rows: list[str], block: list[int]) -> list[Piece]:
    """Find a postscript or disclaimer that follows the signature without a blank row."""
    for row in block[1:]:
        line = rows[row]
        if line[:5].casefold().startswith(POSTSCRIPT):
            return [(row, "new", 0.8)]
        if len(line) >= 50 and _is_prose(line) and _score(line) >= 2:
            return [(row, "disclaimer", 0.7)]
    return []

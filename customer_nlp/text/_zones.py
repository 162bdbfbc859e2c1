"""Labelled ranges over an untouched mail body: new text, quote, signature, disclaimer, forward.

One pass over the lines finds what was quoted or forwarded; the lines of the author's own are
then cut into text, signature and disclaimer from their ends. Every look ahead or back is
bounded, so the cost grows linearly with the text (about 1 µs a line).
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final, NamedTuple

from customer_nlp.records import Zone
from customer_nlp.text._attribution import attribution_start, is_flattened_attribution
from customer_nlp.text._markers import (
    FORWARD_CUES,
    FORWARD_MARKERS,
    FORWARD_SUBJECTS,
    FORWARD_VERBS,
    HEADER_KEYS,
    ORIGINAL_MARKERS,
    QUOTING_WORDS,
)
from customer_nlp.text._signatures import is_reply_above, own_zones

__all__ = ["segment"]

_RULE_CHARS: Final = "-_=*~#—–\u2500\u2501 \t"
_KEY_TRIM: Final = " \t\u00a0*_>|\ufeff\u200b\u200e"
_MAX_SHORT_ROW: Final = 160  # a longer row is no marker and no signature
_MAX_HEADER_ROWS: Final = 24
_WORD: Final = re.compile(r"[^\W_]+")
#: "---- Forwarded by NAME on DATE ----" (Lotus Notes) in its languages.
_FORWARDED_BY: Final = (
    "forwarded by ",
    "weitergeleitet von ",
    "transféré par ",
    "reenviado por ",
    "encaminhado por ",
    "inoltrato da ",
    "doorgestuurd door ",
    "videresendt af ",
    "videresendt av ",
    "vidarebefordrat av ",
    "przekazane przez ",
)


class _Mark(NamedTuple):
    """From this row on the text is of this kind (until the next mark)."""

    row: int
    kind: str
    confidence: float
    block: bool = False  # an unprefixed header block or marker: quote or forward, open as yet


def segment(text: str, *, subject: str | None = None) -> tuple[Zone, ...]:
    """Cut a mail body into labelled ranges.

    Parameters
    ----------
    text : str
        A decoded body, of any size; it is not changed.
    subject : str or None, default=None
        Where known: an "FW:" tells that the mail below was forwarded, not answered.

    Returns
    -------
    tuple of Zone
        In order, tiling the text exactly: no gap, no overlap. Zones start at line starts,
        blank lines belong to the zone before them, and no two neighbours are of one kind.
        Empty for an empty text. A confidence below 1 says that the kind is a guess.

    Notes
    -----
    Knows the quote headers of the common mail programs in English, German, French, Spanish,
    Portuguese, Italian, Dutch, Danish, Norwegian, Swedish, Polish, Finnish and Czech, some of
    Russian, Chinese, Japanese and Korean. Cost: linear; some tens of microseconds a mail.
    """
    if not text:
        return ()
    if len(text) > _MAX_SHORT_ROW and text[0] not in ">-" and "\n" not in text:
        return (Zone("new", 0, len(text)),)  # a tweet, a chat turn
    lines = text.split("\n")
    rows = [line.strip() for line in lines]
    marks = _divide(rows, forwarded=_FORWARDED.match(subject or "") is not None)
    if len(marks) <= 1:
        kind, confidence = (marks[0].kind, marks[0].confidence) if marks else ("new", 1.0)
        return (Zone(kind, 0, len(text), confidence),)
    sizes = [0, *accumulate(map(len, lines))]  # without line breaks: as many as rows
    ends = [*[sizes[mark.row] + mark.row for mark in marks[1:]], len(text)]
    starts = [0, *ends]
    return tuple(
        [Zone(mark.kind, starts[i], ends[i], mark.confidence) for i, mark in enumerate(marks)]
    )


_FORWARDED: Final = re.compile(
    rf"\s{{0,9}}(?:{'|'.join(FORWARD_SUBJECTS)})\s?(?:[\[(]\d{{1,3}}[\])])?\s?[:：]", re.IGNORECASE
)


def _divide(rows: list[str], *, forwarded: bool) -> list[_Mark]:
    """Return marks of alternating kinds, the first of them for the first row that holds text."""
    outer = _quoted(rows)
    found: list[_Mark] = []
    for position, mark in enumerate(outer):
        last = position + 1 == len(outer)
        if mark.kind == "new":
            end = len(rows) if last else outer[position + 1].row
            pieces = own_zones(
                rows,
                mark.row,
                end,
                first=position == 0,
                last=last or (outer[position + 1].block or position == 0),
            )
            for row, kind, confidence in pieces:
                sure = min(confidence, mark.confidence) if kind == "new" else confidence
                _add(found, _Mark(row, kind, sure))
        elif mark.block and forwarded:
            _add(found, mark._replace(kind="forward", confidence=0.8))
        else:
            _add(found, _reply_or_forward(rows, mark, found) if mark.block else mark)
    return found


def _add(found: list[_Mark], mark: _Mark) -> None:
    """Add a mark, or make it one with the last if that is of its kind."""
    if not found or found[-1].kind != mark.kind:
        found.append(mark)
    elif mark.confidence < found[-1].confidence:
        found[-1] = found[-1]._replace(confidence=mark.confidence)


# --- What was quoted or forwarded ---------------------------------------------------------------


def _quoted(rows: list[str]) -> list[_Mark]:
    marks: list[_Mark] = []
    count = len(rows)
    headed = False  # an attribution has been seen
    own = False  # inside the author's own rows
    row = -1
    floor = 0  # rows above this one belong to a quote
    while (row := row + 1) < count:
        line = rows[row]
        if not line:
            continue
        head = line[0]
        if head == ">":
            end = _prefixed_end(rows, row)
            confidence = 1.0 if headed else _prefix_confidence(rows, row, end)
            if confidence > 0:
                marks.append(_Mark(row, "quote", confidence))
                own, floor = False, end
            elif not own:
                marks.append(_Mark(row, "new", 0.6))
                own = True
            else:
                marks[-1] = marks[-1]._replace(confidence=0.6)
            row = end - 1
            continue
        if (
            line[-1] in ":：*>_-"
            or head in "-_*=—–<["
            or line.find(":", 0, 24) > 0
            or not (line.isascii() or line[:24].isascii())
            or (head == "#" and line[-1] == "#")
            or (":  " in line and "@" in line[:_MAX_SHORT_ROW])
        ):
            found = _quote_start(rows, row, floor)
            if found is not None:
                mark, prefixed = found
                if marks and mark.row <= marks[-1].row:
                    marks.pop()
                marks.append(mark)
                if not prefixed:
                    return marks
                headed, own = True, False
                row = prefixed - 1
                floor = prefixed
                continue
        if not own:
            marks.append(_Mark(row, "new", 1.0))
            own = True
    return marks


def _quote_start(rows: list[str], row: int, floor: int) -> tuple[_Mark, int] | None:
    """Return the mark of a quote or forward that this row begins or ends the header of.

    The second item is the row of the first ``>`` line, or 0 when the rest of the mail is quoted.
    """
    line = rows[row]
    kind = _marker(line)
    if kind == "forward":
        return _Mark(row, "forward", 1.0), 0
    if is_reply_above(line) and _next(rows, 0) not in (-1, row):
        return _Mark(row, "quote", 1.0), 0
    if kind == "quote":
        following = _next(rows, row + 1)
        prefixed = following if _is_prefixed(rows, following) else 0
        return _Mark(row, "quote", 1.0 if not prefixed else 0.95, not prefixed), prefixed
    role = _header_role(line)
    if role in ("from", "sent", "date", "subject"):
        block = _header_block(rows, row, floor)
        if block is not None:
            return block
    if line[-1] in ":：*>_-" or line[:4] in ("----", "--- "):
        following = _next(rows, row + 1)
        prefixed = _is_prefixed(rows, following)
        found = attribution_start(rows, row, floor, prefixed=prefixed)
        if found is not None:
            start, confidence = found
            return _Mark(start, "quote", confidence), following if prefixed else 0
    if is_flattened_attribution(line):
        return _Mark(row, "quote", 0.9), 0
    return None


def _next(rows: list[str], row: int) -> int:
    """Return the next row that holds text, looking at most four rows ahead, or -1."""
    for candidate in range(row, min(row + 4, len(rows))):
        if rows[candidate]:
            return candidate
    return -1


def _is_prefixed(rows: list[str], row: int) -> bool:
    return row >= 0 and rows[row][0] == ">"


def _marker(line: str) -> str | None:
    """Tell "-----Original Message-----" (quote) and "Begin forwarded message:" (forward)."""
    if len(line) > 160:
        return None
    core = line.strip("-_*=<>[]#~—–: \t\u00a0：").casefold()
    if core in FORWARD_MARKERS:
        return "forward" if len(line) > len(core) else None
    dashed = line[0] in "-_*=—–<[" and line[1:2] in ("-", "_", "*", "=", "—", "–", " ")
    if dashed and core in ORIGINAL_MARKERS:
        return "quote"
    if dashed and core.startswith(_FORWARDED_BY):
        return "forward"
    return None


def _header_role(line: str) -> str | None:
    cut = line.find(":", 1, 30)
    if cut < 0:
        cut = line.find("：", 1, 30)
        if cut < 0:
            return None
    return HEADER_KEYS.get(line[:cut].strip(_KEY_TRIM).casefold())


def _header_block(rows: list[str], row: int, floor: int) -> tuple[_Mark, int] | None:
    """Return the mark of the header block that starts at this row, if it is one."""
    roles, address, end = _block_roles(rows, row)
    if "from" not in roles:
        return None
    start, marked = _block_opening(rows, row, floor)
    top = start < 3 and not any(rows[:start])
    kinds = len(roles - {"other"})
    dated = "sent" in roles or "date" in roles
    if kinds >= 3 and ("subject" in roles or "sent" in roles or address or marked):
        confidence = 1.0 if dated or marked else 0.8
    elif kinds >= 2 and marked:
        confidence = 0.8
    elif kinds >= 2 and (address or "subject" in roles) and (dated or not top):
        confidence = 0.7
    else:
        return None
    following = _next(rows, end)
    prefixed = following if _is_prefixed(rows, following) else 0
    if marked == "forward":
        return _Mark(start, "forward", 1.0), 0
    if "postmaster@" in rows[row].casefold() or "mailer-daemon@" in rows[row].casefold():
        return _Mark(start, "forward", 0.7), 0  # nobody answers these: it is shown
    if not dated and kinds == 2 and not prefixed:
        # Clients always say when; a hand-made header without a date shows somebody else's mail.
        return _Mark(start, "forward", 0.6), 0
    return _Mark(start, "quote", confidence, not prefixed), prefixed


def _block_roles(rows: list[str], row: int) -> tuple[set[str], bool, int]:
    roles: set[str] = set()
    address = False
    end = row
    stray = strays = 0
    blank = False
    for current in range(row, min(row + _MAX_HEADER_ROWS, len(rows))):
        line = rows[current]
        if not line:
            blank = True
            continue
        role = _header_role(line)
        if role is None:
            # A long list of addresses goes on in the next row; a text below a blank row does not.
            stray += 1
            strays += 1
            if blank or stray > 2 or strays > 5:
                break
        else:
            stray = 0
            roles.add(role)
            end = current + 1
            if current == row:
                roles.update(_inline_roles(line))
        address = address or "@" in line
        blank = False
    return roles, address, end


def _inline_roles(line: str) -> set[str]:
    """Return the roles of keys that stand in the middle of a row, as in flattened headers."""
    return {
        role
        for word in line[:600].split()[1:]
        if word[-1] == ":" and (role := HEADER_KEYS.get(word[:-1].strip("*").casefold()))
    }


def _block_opening(rows: list[str], row: int, floor: int) -> tuple[int, str | None]:
    """Look for a rule or marker right above a header block; return its row and what it says."""
    for above in range(row - 1, max(floor, row - 4) - 1, -1):
        line = rows[above]
        if not line:
            continue
        core = line.strip(_RULE_CHARS + ":：<>[]\u00a0").casefold()
        if not core:
            return (above, "rule") if len(line) >= 3 else (row, None)
        if core in FORWARD_MARKERS:
            return above, "forward"
        return (above, "original") if core in ORIGINAL_MARKERS else (row, None)
    return row, None


def _reply_or_forward(rows: list[str], mark: _Mark, above: list[_Mark]) -> _Mark:
    """Decide whether an unprefixed header block quotes the mail answered or forwards another.

    The block looks the same in both; what tells them apart is how much the author writes above
    it and whether it is announced.
    """
    words: list[str] = []
    for position, piece in enumerate(above):
        if piece.kind != "new":
            continue
        end = above[position + 1].row if position + 1 < len(above) else mark.row
        for row in range(piece.row, end):
            words.extend(_WORD.findall(rows[row].casefold()))
            if len(words) > 80:
                return mark
    if not words:
        return mark._replace(kind="forward", confidence=0.6)
    said = f" {' '.join(words)} "
    if len(words) <= 60 and any(map(said.__contains__, _CUES)):
        return mark._replace(kind="forward", confidence=0.7)
    said = said.replace("look forward", "").replace("looking forward", "")
    if any(map(said.__contains__, FORWARD_VERBS)):
        return mark._replace(kind="forward", confidence=0.7)
    return mark


_CUES: Final = tuple(f" {' '.join(_WORD.findall(cue))} " for cue in FORWARD_CUES)


# --- Rows that start with ">" -------------------------------------------------------------------


def _prefixed_end(rows: list[str], row: int) -> int:
    """Return the row after a run of ``>`` rows; blank rows between them are part of it."""
    count = len(rows)
    end = row + 1
    while end < count:
        line = rows[end]
        if not line:
            following = _next(rows, end)
            if not _is_prefixed(rows, following):
                return end
            end = following
        elif line[0] == ">" or _is_overhang(rows, end):
            end += 1
        else:
            return end
    return end


def _is_overhang(rows: list[str], row: int) -> bool:
    """Tell whether a row is the tail of a long ``>`` row that a mailer broke."""
    return (
        len(rows[row - 1]) >= 60
        and len(rows[row]) <= 40
        and not rows[row][0].isupper()
        and row + 1 < len(rows)
        and _is_prefixed(rows, row + 1 if rows[row + 1] else -1)
    )


def _prefix_confidence(rows: list[str], row: int, end: int) -> float:
    """Return how sure it is that ``>`` rows without an attribution quote a mail; 0 for no.

    People also write ``>`` before code, poems, menu paths and quantities.
    """
    run = [line for line in rows[row : min(end, row + 200)] if line]
    for line in run[:4]:
        bare = line.lstrip("> \t")
        if _header_role(bare) in ("from", "sent") or (bare[-1:] == ":" and len(bare.split()) > 3):
            return 0.95
    if run[0][:4] == ">>> " and all(line[1:2] in ("", ">") for line in run):
        return 0.0  # the prompt of an interpreter
    if len(run) == 1:
        rest = run[0][1:].lstrip()
        if rest[:1].isdigit() or rest[:1] in "=<" or " > " in rest:
            return 0.0
    above = next((rows[r] for r in range(row - 1, max(-1, row - 4), -1) if rows[r]), "")
    if above[-1:] in (":", "："):
        words = _WORD.findall(above[-300:].casefold())
        return 0.7 if any(word in QUOTING_WORDS for word in words) else 0.0
    return 0.85

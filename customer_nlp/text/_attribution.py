"""Attribution lines, "On … wrote:", of mail clients in their languages, wrapped or not."""

from __future__ import annotations

import re
from typing import Final

from customer_nlp.text._markers import (
    FIRST_PERSON,
    OPENERS,
    VERBS_FINAL,
    VERBS_INNER,
    WEEKDAYS,
)

__all__ = ["attribution_start", "is_flattened_attribution"]

_MAX_ROWS: Final = 4
_MAX_CHARS: Final = 420
_TIME: Final = re.compile(r"\d{1,2}[:.hH]\d{2}(?!\d)")
_DATE: Final = re.compile(r"\d{1,4}[./-]\s?\d{1,2}[./-]\s?\d{1,4}|(?:19|20)\d\d|\d{4}年")
_INNER: Final = re.compile(
    r"(?<!\w)(?:" + "|".join(re.escape(verb) for verb in VERBS_INNER) + r")(?!\w)"
)
#: Final verbs by their last two letters, the longest first.
_FINAL: Final = {
    end: [verb for verb in VERBS_FINAL if verb[-2:] == end]
    for end in {verb[-2:] for verb in VERBS_FINAL}
}
_TRIM: Final = " \t\u00a0\u202f:：*_-—\ufeff\u200b\u200e\u200f>"
_QUOTING: Final = (
    "quoting ",
    "zitat von ",
    "citando ",
    "citation de ",
    "en réponse à ",
    "citaat van ",
    "cytowanie ",
    "cytat ",
)
_NAME_ENDS: Final = ">)\"'”“»]’"


def attribution_start(
    rows: list[str], row: int, floor: int, *, prefixed: bool
) -> tuple[int, float] | None:
    """Return where the attribution that ends at this row begins, and how sure that is.

    Parameters
    ----------
    rows : list of str
        Stripped lines.
    row : int
        The row that ends with a colon (or dashes).
    floor : int
        First row that may belong to it.
    prefixed : bool
        Whether ``>`` rows follow, which is evidence in itself.

    Returns
    -------
    tuple of (int, float) or None
        Nothing where the row is prose.

    Notes
    -----
    Clients wrap the line at 70-odd characters, so up to four rows are joined. Of the
    candidates, one that opens with "On", "Am", "Le" … wins over one that opens with a weekday,
    that over one that opens with a digit, that over one that opens with a name.
    """
    joined = ""
    best: tuple[int, int, float] | None = None  # rank, start, confidence
    for start in range(row, max(floor, row - _MAX_ROWS + 1) - 1, -1):
        line = rows[start]
        if not line or line[0] == ">" or len(joined) + len(line) > _MAX_CHARS:
            break
        if joined and line[-1] in ".!?" and len(line.split()[-1]) > 6:
            break  # the sentence above is no part of it
        joined = f"{line} {joined}" if joined else line
        rank, confidence = _judge(joined, prefixed=prefixed, wrapped=start < row)
        if confidence > 0 and (best is None or rank < best[0]):
            best = (rank, start, confidence)
            if rank == 0:
                break
    return None if best is None else (best[1], best[2])


def is_flattened_attribution(line: str) -> bool:
    """Tell whether the quoted text follows the attribution in its row, as mobile Yahoo does."""
    cut = line.find(":  ", 0, _MAX_CHARS)
    if cut < 0 or "@" not in line[:cut]:
        return False
    rank, confidence = _judge(line[: cut + 1], prefixed=False, wrapped=False)
    return rank < 3 and confidence == 1.0


def _judge(line: str, *, prefixed: bool, wrapped: bool) -> tuple[int, float]:
    """Return the rank of the opening (0 best) and the confidence, 0 for "not an attribution"."""
    low = line.casefold().replace("\u00a0", " ").replace("\u202f", " ").strip(_TRIM)
    words = low.split()
    if not words:
        return 9, 0.0
    rank = _opening(words, wrapped=wrapped)
    confidence = _evidence(line, low, words, rank, prefixed=prefixed)
    return rank, confidence


def _opening(words: list[str], *, wrapped: bool) -> int:
    first = words[0].strip(".,([\"'")
    if first in OPENERS:
        # A wrapped one shows its date at once; "Den er i stykker" above another does not.
        near = words[1:5]
        if not wrapped or any(word[:1].isdigit() or word.strip(".,") in WEEKDAYS for word in near):
            return 0
        return 5
    if first in WEEKDAYS:
        return 1
    return 2 if first[:1].isdigit() else 3


def _evidence(line: str, low: str, words: list[str], rank: int, *, prefixed: bool) -> float:
    address = "@" in line
    timed = _TIME.search(low) is not None
    dated = timed or _DATE.search(low) is not None
    if rank == 3 and (line[0].islower() or line.count("<") < line.count(">") - 1):
        return 0.0
    if low.startswith(_QUOTING):
        return 0.9 if prefixed or address else 0.0
    if not _has_verb(line, low, prefixed=prefixed):
        # "2025-03-03 14:02 GMT+01:00 NAME <ADDRESS>:" and the Russian or Japanese Gmail
        closed = line.rstrip(" :：*\u00a0")[-1:] in (">", ")")
        return 0.9 if address and dated and closed and rank < 3 else 0.0
    if rank >= 3:
        if address:
            return 0.95 if dated or prefixed else 0.8
        if dated and (timed or prefixed):
            return 0.85
        return 0.85 if prefixed and len(words) <= 7 else 0.0
    if address or timed:
        return 1.0 if dated else 0.9
    if prefixed:
        return 0.9
    # A date alone, and unprefixed text below: prose unless it carries a full date.
    return 0.7 if dated and len(words) >= 5 and any(w.strip(".,") in WEEKDAYS for w in words) else 0


def _has_verb(line: str, low: str, *, prefixed: bool) -> bool:
    """Tell whether somebody "wrote" here, and whether that somebody is named."""
    for verb in _FINAL.get(low[-2:], ()):
        if low.endswith(verb) and not low[-len(verb) - 1 : -len(verb)].isalnum():
            before = line.rstrip(_TRIM)[: -len(verb)].rstrip(" ,\t\u00a0")
            return prefixed or _named(before.rpartition(" ")[2], last=True)
    found = _INNER.search(low)
    if found is None:
        return False
    tail = line[line.casefold().find(found.group()) + len(found.group()) :].split()
    if not tail:
        return False
    return prefixed or "@" in line or _named(tail[0], last=False)


def _named(word: str, *, last: bool) -> bool:
    """Tell whether a word next to the verb looks like (part of) a name, address or time."""
    bare = word.strip("*_.,;")
    if not bare or bare.casefold() in FIRST_PERSON:
        return False
    if last and bare[-1] in _NAME_ENDS and len(bare) > 2:  # not the "m'" of "m'a écrit"
        return True
    return "@" in bare or not bare[0].islower() or bare[0] in "\"'“<("

"""Folded text to token rows by array operations: what `TOKEN` and a dictionary say, faster.

Characters become classes, runs of one class become tokens, and a token is known by the hash of its
characters: differences of one running sum, whatever its length (Karp & Rabin 1987). Only words that
the table lacks are looked up one by one, so the rows are those of the slow way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_CHARS", "RowTable"]

Ids = npt.NDArray[np.intp]
_Hashes = npt.NDArray[np.uint64]

#: Longer texts are cut by the regular expression: the arrays would leave the processor's cache.
MOST_CHARS: Final = 1 << 15
#: Longer words are looked up by themselves, so that nobody can make one collide with a known one.
_MOST_LETTERS: Final = 32
_SPACE, _WORD, _SHOUT, _DOTS, _QUOTE, _SYMBOL = range(6)
#: Odd, so that it has an inverse among the 64-bit numbers; and what spreads hashes over slots.
_BASE: Final = 0x9E3779B97F4A7C15
_SPREAD: Final = 0xD6E8FEB86659FD93
_SLOT_BITS: Final = 17


def _class_of(character: str) -> int:
    if character in "!?":
        return _SHOUT
    if character.isalnum() or character == "_":
        return _WORD
    if character.isspace():
        return _SPACE
    return {".": _DOTS, "'": _QUOTE}.get(character, _SYMBOL)


#: Class of each byte; what is not ASCII is told by its own code.
_CLASSES: Final = bytes(_class_of(chr(code)) for code in range(128)).ljust(256, b"\0")


def _powers(base: int) -> _Hashes:
    powers = np.full(MOST_CHARS, base, np.uint64)
    powers[0] = 1
    return np.cumprod(powers)


_POWERS: Final = _powers(_BASE)
_INVERSES: Final = _powers(pow(_BASE, -1, 1 << 64))


class RowTable:
    """Rows of known words by the hash of their characters.

    Parameters
    ----------
    words : iterable of str
        With their rows in order of `rows`.
    rows : iterable of int
        As many.
    """

    def __init__(self, words: Iterable[str], rows: Iterable[int]) -> None:
        self._keys = np.zeros(1 << _SLOT_BITS, np.uint64)
        self._rows = np.full(1 << _SLOT_BITS, -1, np.int32)
        pairs = [(word, row) for word, row in zip(words, rows, strict=True) if word]
        hashes = _hashes_of([word for word, _ in pairs if len(word) <= _MOST_LETTERS])
        kept = np.array([row for word, row in pairs if len(word) <= _MOST_LETTERS], np.int32)
        slots = _slots(hashes)
        # of words that fall into one slot the first one has it; the others are looked up
        slots, first = np.unique(slots, return_index=True)
        self._keys[slots], self._rows[slots] = hashes[first], kept[first]

    def rows(self, text: str, other: Callable[[str], int], number: int | None) -> Ids:
        """Return the row of every token of a folded text of at most `MOST_CHARS` characters.

        Parameters
        ----------
        text : str
            As `fold` returns it.
        other : callable
            Gives the row of a token that the table does not hold.
        number : int, optional
            What it gives for all tokens that begin and end with a digit; none of the table's does.
        """
        codes = _codes(text)
        starts, ends = _bounds(_classes(text, codes))
        hashes = _hashes(codes, starts, ends)
        slots = _slots(hashes)
        rows = self._rows.take(slots).astype(np.intp)
        missed = (self._keys.take(slots) != hashes) | (rows < 0) | (ends - starts > _MOST_LETTERS)
        others = missed.nonzero()[0]
        if number is not None:
            figures = _is_digit(codes, starts[others]) & _is_digit(codes, ends[others] - 1)
            rows[others[figures]] = number
            others = others[~figures]
        ranges = zip(starts[others].tolist(), ends[others].tolist(), strict=True)
        rows[others] = [other(text[start:end]) for start, end in ranges]
        return rows


def _is_digit(codes: npt.NDArray[Any], places: Ids) -> npt.NDArray[np.bool_]:
    code = codes[places]
    return (code >= ord("0")) & (code <= ord("9"))


def _codes(text: str) -> npt.NDArray[Any]:
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _classes(text: str, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    as_bytes = text.encode("ascii", "replace").translate(_CLASSES)
    classes = np.frombuffer(as_bytes, np.uint8).copy()
    if codes.dtype == np.uint8:
        return classes
    beyond = np.flatnonzero(codes > 127)
    found, where = np.unique(codes[beyond], return_inverse=True)
    of_found = np.array([_class_of(chr(code)) for code in found.tolist()], np.uint8)
    classes[beyond] = of_found[where]
    return classes


def _bounds(classes: npt.NDArray[np.uint8]) -> tuple[Ids, Ids]:
    """Return where the tokens start and end; changes `classes`."""
    quotes = np.flatnonzero(classes == _QUOTE)
    classes[quotes] = _SYMBOL
    if len(quotes):
        classes[_joining(classes, quotes)] = _WORD
    edges = np.empty(len(classes) + 1, bool)
    edges[0] = edges[-1] = True
    np.not_equal(classes[1:], classes[:-1], out=edges[1:-1])
    symbols = classes == _SYMBOL
    edges[:-1] |= symbols
    kept = classes != _SPACE
    starts = np.flatnonzero(edges[:-1] & kept)
    ends = np.flatnonzero((edges[1:] | symbols) & kept) + 1
    return starts, ends


def _joining(classes: npt.NDArray[np.uint8], quotes: Ids) -> Ids:
    """Return the apostrophes that stand within a word: "don't"; of "a'b'c" only the first."""
    inner: Ids = quotes[(quotes > 0) & (quotes < len(classes) - 1)]
    inner = inner[(classes[inner - 1] == _WORD) & (classes[inner + 1] == _WORD)]
    if len(inner) < 2:
        return inner
    # the next character that is of no word is the next apostrophe itself
    outside = (classes != _WORD).nonzero()[0]
    following = outside.take(outside.searchsorted(inner[:-1], side="right"))
    chained = (following == inner[1:]).nonzero()[0] + 1
    joins = np.ones(len(inner), bool)
    for i in chained.tolist():
        joins[i] = not joins[i - 1]
    joining: Ids = inner[joins]
    return joining


def _hashes(codes: npt.NDArray[Any], starts: Ids, ends: Ids) -> _Hashes:
    """Return one number a token: the sum of its characters by powers of a base, from its start."""
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=sums[1:])
    hashes: _Hashes = (sums.take(ends) - sums.take(starts)) * _INVERSES.take(starts)
    return hashes


def _hashes_of(words: list[str]) -> _Hashes:
    hashes = []
    few = MOST_CHARS // _MOST_LETTERS
    for first in range(0, len(words), few):
        some = words[first : first + few]
        ends = np.cumsum([len(word) for word in some])
        starts = np.concatenate([[0], ends[:-1]])
        hashes.append(_hashes(_codes("".join(some)), starts, ends))
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def _slots(hashes: _Hashes) -> Ids:
    spread = (hashes ^ (hashes >> np.uint64(29))) * np.uint64(_SPREAD)
    return (spread >> np.uint64(64 - _SLOT_BITS)).astype(np.intp)

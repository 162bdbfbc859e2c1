"""Which language a message is in: function words and letters, no model."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from typing import Final

from customer_nlp.text._language_tables import LETTERS, SCRIPTS, WORDS
from customer_nlp.text._rules import Rule

__all__ = ["language"]

_MAX_CHARS: Final = 400  # enough to tell; keeps long mails as cheap as short ones
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ASCII_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)*")  # the same of such a text, in less time
#: Addresses, handles, tags and markup say nothing about the language.
_NOISE: Final = re.compile(r"https?://\S+|www\.\S+|\S*[@#<>{}\\/=]\S*")
_FOREIGN: Final = Rule("[\u0370-\u1fff\u3040-\ud7af]")  # its ranges take long to compile
#: English is the default of customer mail and shares few words: others need more than a hit.
_MIN_WEIGHT: Final = 0.9
_MIN_FOREIGN: Final = 1.5
_LETTER_WEIGHT: Final = 0.6
_MAX_LETTERS: Final = 3


@cache  # made when it is first asked, not while a model loads
def _vote_table() -> dict[str, tuple[tuple[str, float], ...]]:
    holders: dict[str, list[str]] = defaultdict(list)
    for code, words in WORDS.items():
        for word in dict.fromkeys(words.split()):
            holders[word].append(code)
    table = {}
    for word, codes in holders.items():
        length = 0.6 if len(word) == 1 else 0.85 if len(word) == 2 else 1.0
        weight = length / len(codes) ** 0.5
        table[word] = tuple((code, weight) for code in codes)
    return table


_LETTER_VOTES: Final = {letter: codes.split() for letter, codes in LETTERS.items()}


def language(text: str) -> tuple[str | None, float]:
    """Guess the language of a message.

    Parameters
    ----------
    text : str
        Any text; its first 400 characters are looked at.

    Returns
    -------
    tuple of (str or None, float)
        ISO 639-1 code and a score between 0 and 1 (not a probability). ``(None, 0.0)`` when it
        cannot be told: too short, names or numbers only, or no word that is known.

    Notes
    -----
    Knows ``cs da de en es fi fr it nl no pl pt sv`` by frequent words and letters and
    ``ar el he hi ja ko ru th uk zh`` by their script. About 10-20 µs a tweet.
    """
    sample = text[:_MAX_CHARS]
    if not sample.isascii() and _FOREIGN.search(sample):
        found = _by_script(sample)
        if found is not None:
            return found
    low = sample.casefold().replace("’", "'")
    if "@" in low or "/" in low or "#" in low or "<" in low or "=" in low or "{" in low:
        low = _NOISE.sub(" ", low)
    words = (_ASCII_WORD if low.isascii() else _WORD).findall(low)
    totals: dict[str, float] = defaultdict(float)
    known = 0
    for votes in filter(None, map(_vote_table().get, words)):
        known += 1
        for code, weight in votes:
            totals[code] += weight
    if not low.isascii():
        _add_letters(low, totals)
    if not totals:
        return None, 0.0
    return _decide(totals, words, known)


def _decide(totals: dict[str, float], words: list[str], known: int) -> tuple[str | None, float]:
    best = max(totals, key=lambda code: (totals[code], code == "en", code))
    weight = totals.pop(best)
    second = max(totals.values(), default=0.0)
    margin = (weight - second) / weight
    size = max(len(words), 1)
    if best == "en":
        if weight < _MIN_WEIGHT and margin < 0.3:
            return None, 0.0
    elif not _is_foreign(weight, totals.get("en", 0.0), words, known):
        return ("en", 0.3) if totals.get("en", 0.0) >= 0.8 * weight else (None, 0.0)
    evidence = weight / (weight + 1.5)
    score = 1.6 * evidence * (0.4 + 0.6 * margin) * (0.6 + 0.4 * known / size)
    return best, round(min(1.0, score), 3)


def _is_foreign(weight: float, english: float, words: list[str], known: int) -> bool:
    """Tell whether the evidence against English is more than a name or two."""
    if weight >= _MIN_FOREIGN:
        return weight >= 0.12 * len(words) and english < 0.96 * weight
    # "Danke!", "Merci beaucoup": one long word that no other language has
    return (
        weight >= 1.0
        and english == 0.0
        and known * 2 >= len(words)
        and any(len(word) >= 5 and len(_vote_table().get(word, ())) == 1 for word in words)
    )


def _add_letters(low: str, totals: dict[str, float]) -> None:
    for letter in set(low).intersection(_LETTER_VOTES):
        codes = _LETTER_VOTES[letter]
        weight = _LETTER_WEIGHT * min(low.count(letter), _MAX_LETTERS) / len(codes)
        for code in codes:
            totals[code] = totals.get(code, 0.0) + weight


def _by_script(sample: str) -> tuple[str, float] | None:
    """Return the language of the script in which most letters are, unless that is Latin."""
    counts: dict[str, int] = defaultdict(int)
    letters = 0
    for character in sample[:240]:
        if not character.isalpha():
            continue
        letters += 1
        point = ord(character)
        if point < 0x370:
            continue
        for first, last, code in SCRIPTS:
            if first <= point <= last:
                counts[code] += 1
                break
    if not counts:
        return None
    if counts.get("ja", 0) and counts.get("zh", 0):
        counts["ja"] += counts.pop("zh")  # kanji among kana
    best = max(counts, key=lambda code: (counts[code], code))
    count = counts[best]
    share = count / letters
    if share < 0.4 or count < 2:
        return None
    if best == "ru" and not set("іїєґІЇЄҐ").isdisjoint(sample):
        best = "uk"
    return best, round(min(1.0, share * count / (count + 1.5) * 1.15), 3)

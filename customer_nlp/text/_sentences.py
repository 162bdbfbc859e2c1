"""Sentence ranges over an untouched text."""

from __future__ import annotations

import re
from typing import Final

from customer_nlp.text._markers import word_set

__all__ = ["sentences"]

#: Everything at which a sentence may end: line breaks, end marks with what closes behind them.
#: They all begin with one set of characters, which the search can run ahead to. A run of marks
#: that ends nothing is matched too (its group is set): it would else be read from each of them.
_BORDER: Final = re.compile(
    r"[\n.!?…。！？｡](?:(?<=\n)\s*|(?<=[。！？｡])[。！？｡]*[」』”）]{0,3}"
    r"|(?<=[.!?…])[.!?…]*+(?:[\"'”’»)\]*_]{0,3}(?=[\s\U0001F300-\U0001FAFF]|$)|()))"
)
_ITEM: Final = re.compile(r"(?:[-*•·–—▪◦]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]")
_LAST_WORD: Final = re.compile(r"[^\s(\[\"'“„«]{1,24}$")
_SHORT_LINE_CHARS: Final = 48
_ABBREVIATIONS: Final = word_set(
    # English
    "mr mrs ms dr prof sr jr st rev hon gen col capt lt sgt vs etc e.g i.e eg ie cf approx "
    "inc ltd co corp dept est fig no nos vol pp p ref tel ext attn a.k.a incl excl resp "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri "
    "sat sun min max hr hrs sec qty acct a.m p.m am pm u.s u.k u.s.a ave blvd rd gov bldg "
    # German
    "bzw ca evtl ggf inkl exkl nr str tel z.b z.t u.a d.h usw vgl zzgl abs art bspw hr fr "
    "dipl ing mind sog allg s.o s.u v.a i.d.r ggfs mwst std okt dez mär "
    # French, Spanish, Portuguese, Italian
    "m mme mlle mm ex env p.ex réf tél av bd janv févr avr juil déc sra sres srta ud uds "
    "vd núm pág ej dra exmo exma av sig dott ing spett egr gent pag "
    # Dutch, Nordic languages, Polish
    "dhr mevr bijv m.b.t i.v.m d.w.z evt incl blz bl.a f.eks t.ex m.m osv kl ang resp ca "
    "np tzn tzw ul pkt godz itd itp m.in dot wg zob"
)


def sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Find the sentences of a text or of a part of it.

    Parameters
    ----------
    text : str
        Any text: mail, chat, tweet.
    start, end : int
        Half-open part to look at; the whole text by default.

    Returns
    -------
    list of (int, int)
        Half-open ranges of code points in `text`, in order, without overlap, trimmed of white
        space, never empty. Together they hold every character but white space.

    Notes
    -----
    Linear. Blank lines and list items always end a sentence; a line break does when the
    line is short or ended; abbreviations, initials, decimals, ordinals and URLs do not.
    """
    limit = len(text) if end is None else min(end, len(text))
    begin = max(0, start)
    found: list[tuple[int, int]] = []
    for border in _BORDER.finditer(text, begin, limit):
        position, stop = border.span()
        if stop <= begin or border.lastindex:
            continue
        if text[position] == "\n":
            if _line_ends(text, begin, position, stop, limit):
                begin = _take(text, begin, position, found, stop)
        elif _mark_ends(text, begin, position, stop, limit):
            begin = _take(text, begin, stop, found, stop)
    _take(text, begin, limit, found, limit)
    return found


def _take(text: str, begin: int, end: int, found: list[tuple[int, int]], resume: int) -> int:
    """Add the trimmed range, if anything is left of it, and return where to go on."""
    body = text[begin:end]
    left = len(body) - len(body.lstrip())
    if left < len(body):
        found.append((begin + left, begin + len(body.rstrip())))
    return resume


def _line_ends(text: str, begin: int, position: int, stop: int, limit: int) -> bool:
    """Tell whether the line break at `position`, with white space up to `stop`, ends a sentence."""
    if stop >= limit or text.find("\n", position + 1, stop) >= 0:
        return True
    first = text[stop]
    if first.isalpha() and text[stop + 1 : stop + 2] not in (")", "."):
        pass  # no item
    elif first == ">" or _ITEM.match(text, stop, limit):
        return True
    line_start = max(text.rfind("\n", begin, position) + 1, begin)
    if position - line_start < _SHORT_LINE_CHARS:
        return not first.islower()
    return text[position - 1] in ":;" and not first.islower()


def _mark_ends(text: str, begin: int, position: int, stop: int, limit: int) -> bool:
    """Tell whether the end mark between `position` and `stop` ends a sentence."""
    if stop >= limit:
        return True
    mark = text[position]
    if mark in "!?。！？｡":
        return True
    follows = text[stop : min(stop + 24, limit)].lstrip(" \t\u00a0")
    if not follows or follows[0] in "\r\n":
        return mark != "." or not _is_abbreviation(text, begin, position, follows="")
    first = follows[0]
    if mark == "…" or text[position : position + 2] == "..":
        return not first.islower() and first not in ",;:"
    if stop - position > 1:
        return not first.islower()
    return first not in ",;:" and not _is_abbreviation(text, begin, position, follows=first)


def _is_abbreviation(text: str, begin: int, position: int, *, follows: str) -> bool:
    found = _LAST_WORD.search(text, max(begin, position - 24), position)
    if found is None:
        # A lone period, or a word too long to be short for anything.
        return False
    word = found.group()
    if len(word) == 1 and word.isalpha():
        return word.isupper() and word != "I" and follows != ""
    if word.isdigit():
        # "am 3. März", "the 2. of them", "1. Call me": an ordinal or the number of an item.
        item = found.start() == begin or text[max(begin, found.start() - 1)] == "\n"
        return len(word) <= 2 and (item or follows.islower() or _is_ordinal(text, position))
    low = word.casefold()
    if low in _ABBREVIATIONS:
        return follows != "" and (low not in _OFTEN_LAST or follows.islower() or follows.isdigit())
    return False


#: Abbreviations that often end a sentence, and short words that are also words.
_OFTEN_LAST: Final = word_set(
    "etc usw osv itd itp inc ltd co am pm a.m p.m no min max sec sat sun est art mar m.m ex "
    "sig ing str abs p m av ut co fr hr st u.s u.k u.s.a ang fig col gen dec evt mind"
)
_MONTHS: Final = tuple(
    word_set(
        "jan feb mär mar apr mai maj maio mag jun jul aug sep okt oct out ott nov dez dec des déc "
        "dic led úno bře dub kvě čer sty lut kwi cze lip sie wrz paź lis gru tammi helmi maalis "
        "quartal stock klasse etage"
    )
)


def _is_ordinal(text: str, position: int) -> bool:
    return text[position + 1 : position + 12].lstrip(" \u00a0").casefold().startswith(_MONTHS)

"""Patterns that are compiled when they are first needed, and asked only where they can match.

Most rules find nothing in most texts. Each therefore has `keys`: beginnings of words (and marks)
of which any match holds at least one, derived from the pattern itself. `word_keys` gives those of
a text in one pass; where the two have nothing in common, the rule need not be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from customer_nlp.text._markers import word_set

try:  # the parser of the standard library; without it every rule is asked of every text
    from re import _parser  # type: ignore[attr-defined]
except ImportError:  # pragma: no cover
    _parser = None

__all__ = ["DIGIT_KEY", "Rule", "RuleTable", "caseless", "word_keys"]

_METHODS: Final = frozenset({"finditer", "findall", "fullmatch", "match", "search", "sub"})
#: Letters of a word that a key holds; a shorter key is a whole word.
_KEY_CHARS: Final = 4
DIGIT_KEY: Final = "0"
_PIECE: Final = re.compile(r"[^\W\d_]+|[^\w\s]")
_DIGIT: Final = re.compile(r"\d")
#: Letters that match i and s where case is ignored, though lower-casing leaves them as they are.
_CASELESS: Final = str.maketrans("İıſ", "iis")


def word_keys(text: str) -> frozenset[str]:
    """Return the keys of a text: its words cut to four letters, its marks, ``0`` for digits.

    They hold those of every part of the text that is not cut within a word. Cost: linear.
    """
    lower = text.lower() if text.isascii() else text.translate(_CASELESS).lower()
    keys = {piece[:_KEY_CHARS] for piece in _PIECE.findall(lower)}
    if _DIGIT.search(lower):
        keys.add(DIGIT_KEY)
    return frozenset(keys)


class Rule:
    """A regular expression that is compiled when it is first asked.

    Parameters
    ----------
    *patterns : str
        Alternatives.
    flags : int, default=0
        Of the module ``re``.

    Notes
    -----
    Hundreds of patterns took a sixth of the time to load a model. Asking costs what it does of a
    compiled pattern, whose methods are taken over.
    """

    search: Callable[..., re.Match[str] | None]
    match: Callable[..., re.Match[str] | None]
    finditer: Callable[..., Iterator[re.Match[str]]]

    def __init__(self, *patterns: str, flags: int = 0) -> None:
        one = patterns[0] if len(patterns) == 1 else "|".join(f"(?:{each})" for each in patterns)
        self.pattern = one
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(f"a {type(self).__name__} has no {name!r}")
        compiled = re.compile(self.pattern, self._flags)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return self.__dict__[name]

    @cached_property
    def keys(self) -> frozenset[str] | None:
        """Keys of which every match holds one at least; ``None`` where none are known."""
        if _parser is None:
            return None
        best = _needed(tuple(_parser.parse(self.pattern, self._flags)), begins=False)
        return None if best is None else frozenset(best)

    def may(self, keys: frozenset[str]) -> bool:
        """Whether the rule can match in a text with these keys."""
        return self.keys is None or not self.keys.isdisjoint(keys)

    def found(self, text: str, keys: frozenset[str]) -> bool:
        """Whether the rule matches in a text; `keys` are those of the text."""
        return self.may(keys) and self.search(text) is not None


def caseless(*patterns: str) -> Rule:
    """Return a rule for which upper and lower case are the same."""
    return Rule(*patterns, flags=re.IGNORECASE)


class RuleTable:
    """Rules that are asked together.

    Parameters
    ----------
    rules : mapping of str to Rule
        In the order of the answers.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.rules = tuple(rules.values())

    @cached_property
    def _index(self) -> tuple[int, dict[str, int]]:
        """Bits of the rules that are always asked, and those of each key."""
        always, of_key = 0, dict[str, int]()
        for place, rule in enumerate(self.rules):
            if rule.keys is None:
                always |= 1 << place
            for key in rule.keys or ():
                of_key[key] = of_key.get(key, 0) | 1 << place
        return always, of_key

    def matching(self, text: str, keys: frozenset[str]) -> list[int]:
        """Return the places of the rules that match in a text; `keys` are those of the text."""
        asked, of_key = self._index
        for key in keys:
            asked |= of_key.get(key, 0)
        found = []
        while asked:
            place = (asked & -asked).bit_length() - 1
            asked &= asked - 1
            if self.rules[place].search(text):
                found.append(place)
        return found


# How keys are derived. A pattern is a sequence of nodes; every one that is not optional takes part
# in each match, so any of them may give the keys: the rarest are taken.

_Nodes = tuple[Any, ...]
_MOST_KEYS: Final = 160
#: Keys that most texts hold.
_COMMON: Final = word_set(
    "a an and are as at be by for from have i if in is it me my no not of on or our so that the "
    "this to was we will with you your ' ’ , . - ! ? 0"
)


def _cost(keys: set[str] | None) -> float:
    if keys is None:
        return float("inf")
    return sum(1.0 if key in _COMMON else 0.02 for key in keys)


def _needed(nodes: _Nodes, *, begins: bool, then: _Nodes = ()) -> set[str] | None:
    """Return keys of which every match of a sequence holds one.

    `begins` says that nothing but the beginning of a word can stand where the sequence starts;
    the nodes `then` follow it.
    """
    found: list[set[str] | None] = []
    for place, node in enumerate(nodes):
        rest = (*nodes[place + 1 :], *then)
        if begins:
            found.append(_first_words((node, *rest)))
        found.append(_inside(node, rest, begins=begins))
        begins = _ends_outside(node, begins=begins)
    return min(found, key=_cost, default=None)


def _inside(node: Any, then: _Nodes, *, begins: bool) -> set[str] | None:
    """Return keys that one node needs, where those that follow it may end its last word."""
    kind, value = str(node[0]), node[1]
    if kind == "SUBPATTERN":
        return _needed(tuple(value[3]), begins=begins, then=then)
    if kind in _REPEATS:
        return _needed(tuple(value[2]), begins=begins) if value[0] else None
    if kind == "BRANCH":
        return _united([_needed(tuple(one), begins=begins, then=then) for one in value[1]])
    characters = _characters(node)
    if not characters or not all(map(_is_mark_or_digit, characters)):
        return None
    return {DIGIT_KEY if c.isdecimal() else c for c in characters}


def _is_mark_or_digit(character: str) -> bool:
    return character.isdecimal() or not (
        _is_letter(character) or character.isspace() or character == "_"
    )


def _first_words(nodes: _Nodes) -> set[str] | None:
    """Return the keys of the first word of each match of a sequence, at the start of a word."""
    try:
        return set(_grown("", nodes, [_MOST_KEYS]))
    except _UnknownError:
        return None


class _UnknownError(Exception):
    """The words cannot be listed."""


def _grown(prefix: str, nodes: _Nodes, left: list[int]) -> Iterator[str]:
    """Go on with a word through the nodes that follow it."""
    left[0] -= 1
    if len(prefix) == _KEY_CHARS:
        yield prefix
        return
    if not nodes or left[0] < 0:
        raise _UnknownError
    (kind, value), rest = nodes[0], nodes[1:]
    kind = str(kind)
    if kind == "SUBPATTERN":
        yield from _grown(prefix, (*value[3], *rest), left)
    elif kind == "BRANCH":
        for one in value[1]:
            yield from _grown(prefix, (*one, *rest), left)
    elif kind in _REPEATS:
        least, most, body = value
        if not least:
            yield from _grown(prefix, rest, left)
        again = () if most == 1 else ((kind, (max(least - 1, 0), most, body)),)
        yield from _grown(prefix, (*body, *again, *rest), left)
    elif kind in {"ASSERT", "ASSERT_NOT"}:
        yield from _grown(prefix, rest, left)
    elif kind == "AT":
        if prefix and str(value) in _WORD_ENDS:
            yield prefix
        else:
            yield from _grown(prefix, rest, left)
    else:
        yield from _with_characters(prefix, nodes, left)


def _with_characters(prefix: str, nodes: _Nodes, left: list[int]) -> Iterator[str]:
    characters = _characters(nodes[0])
    if prefix and _is_outside(nodes[0]):
        yield prefix
        return
    if characters is None or "_" in characters:
        raise _UnknownError
    for c in sorted(characters):
        if c.isdecimal():
            yield DIGIT_KEY
        elif _is_letter(c):
            yield from _grown(prefix + c, nodes[1:], left)
        elif prefix or not c.isspace():
            yield prefix or c
        else:
            yield from _grown("", nodes[1:], left)


def _united(parts: Sequence[set[str] | None]) -> set[str] | None:
    united: set[str] = set()
    for part in parts:
        if part is None:
            return None
        united |= part
    return united


_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_WORD_ENDS: Final = frozenset({"AT_BOUNDARY", "AT_END", "AT_END_STRING"})
_STARTS: Final = frozenset({"AT_BOUNDARY", "AT_BEGINNING", "AT_BEGINNING_STRING"})
_MOST_CHARACTERS: Final = 12


def _is_letter(character: str) -> bool:
    return character.isalnum() and not character.isdecimal()


def _characters(node: Any) -> set[str] | None:
    """Return the characters that a node can match, in lower case; ``None`` where it is open."""
    kind, value = str(node[0]), node[1]
    if kind == "LITERAL":
        return {chr(value).lower()}
    if kind == "CATEGORY":
        return {"CATEGORY_SPACE": {" "}, "CATEGORY_DIGIT": {DIGIT_KEY}}.get(str(value))
    if kind == "RANGE":
        first, last = value
        many = last - first >= _MOST_CHARACTERS
        return None if many else {chr(one).lower() for one in range(first, last + 1)}
    return _united([_characters(one) for one in value]) if kind == "IN" else None


def _is_outside(node: Any) -> bool:
    """Whether a node can match nothing but what stands outside words."""
    if str(node[0]) == "IN":
        return all(map(_is_outside, node[1]))
    if str(node[0]) == "CATEGORY":
        return str(node[1]) in {"CATEGORY_SPACE", "CATEGORY_DIGIT", "CATEGORY_NOT_WORD"}
    characters = _characters(node)
    return characters is not None and not any(map(_is_letter, characters))


def _ends_outside(node: Any, *, begins: bool) -> bool:
    """Whether a word that starts behind a node starts there; `begins` says so of the node."""
    kind, value = str(node[0]), node[1]
    if kind == "AT":
        return str(value) in _STARTS or (begins and str(value) in _WORD_ENDS)
    if kind in {"ASSERT", "ASSERT_NOT"}:
        return begins
    if kind == "SUBPATTERN":
        return _sequence_ends_outside(value[3], begins=begins)
    if kind == "BRANCH":
        return all(_sequence_ends_outside(one, begins=begins) for one in value[1])
    if kind in _REPEATS:
        outside = _sequence_ends_outside(value[2], begins=begins)
        return outside and (begins or value[0] > 0)
    return _is_outside(node)


def _sequence_ends_outside(nodes: Any, *, begins: bool) -> bool:
    for node in nodes:
        begins = _ends_outside(node, begins=begins)
    return begins

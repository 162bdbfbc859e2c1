"""Patterns that are compiled when they are first asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["Rule"]

_METHODS: Final = frozenset({"finditer", "findall", "fullmatch", "match", "search", "sub"})


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

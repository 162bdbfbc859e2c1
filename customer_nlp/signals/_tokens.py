"""Texts to token ids, many at once: one regular expression, or arrays, over joined texts.

Case, numbers, addresses and typographic quotes are folded here, which is what makes scores
insensitive to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from customer_nlp.signals._cut import MOST_CHARS, RowTable

__all__ = [
    "BOUNDARY",
    "CHUNK_TOKENS",
    "SPECIALS",
    "TOKEN",
    "UNKNOWN_ROWS",
    "Stack",
    "TokenIds",
    "Vocabulary",
    "fold",
    "token_spans",
]

Ids = npt.NDArray[np.intp]

#: Ends and starts of a message; takes part in the windows, so that position shows.
BOUNDARY: Final = "\0"
_URL_TOKEN: Final = "_url_"  # noqa: S105 - a token of text
SPECIALS: Final = (BOUNDARY, _URL_TOKEN, "@", "_num_", "_nth_")
#: Unknown words, people's names among them, share one row: what somebody is called says nothing.
UNKNOWN_ROWS: Final = 1

#: A word or number with an inner apostrophe, a run of ! and ?, dots, one symbol.
TOKEN: Final = re.compile(r"\w+(?:'\w+)?|[!?]+|\.\.+|[^\w\s]")
#: Folded before tokens are cut, so that the pattern for tokens stays cheap.
_URL: Final = re.compile(r"https?://[^\s\0]+")
_MENTION: Final = re.compile(r"@\w+")
#: Replaced one after the other: a search for a character costs less than a table for all.
_TYPOGRAPHIC: Final = (
    ("’", "'"), ("‘", "'"), ("´", "'"),
    ("“", '"'), ("”", '"'), ("„", '"'),
)  # fmt: skip
_ORDINAL_ENDINGS: Final = ("st", "nd", "rd", "th")
#: Tokens in a stack: what the windows of so many need stays in the processor's cache.
CHUNK_TOKENS: Final = 1024
#: At most this many unknown words are remembered; numbers never are.
_REMEMBERED: Final = 50_000
#: Characters of texts that are cut together by arrays, and below which that does not pay.
_GROUP_CHARS: Final = 24_000
_FEW_CHARS: Final = 1_500


def fold(text: str) -> str:
    """Return `text` in lower case, with plain quotes, addresses and mentions as one token each."""
    return _addressed(_plain(text.lower()))


def _addressed(lower: str) -> str:
    if "://" in lower:
        lower = _URL.sub(_URL_TOKEN, lower)
    return _MENTION.sub("@", lower) if "@" in lower else lower


def token_spans(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the tokens of `fold` with the ranges of `text` that they stand for."""
    folded = _plain(text)
    lower = folded.lower()
    if len(lower) != len(folded):  # a few letters grow when lowered; such a one stays as it is
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in folded)
    lower = lower.replace(BOUNDARY, " ")
    ranges: dict[int, int] = {}
    if "://" in lower:
        ranges |= dict(match.span() for match in _URL.finditer(lower))
        lower = _URL.sub(lambda match: _URL_TOKEN.ljust(len(match[0])), lower)
    if "@" in lower:
        ranges |= dict(match.span() for match in _MENTION.finditer(lower))
        lower = _MENTION.sub(lambda match: "@".ljust(len(match[0])), lower)
    spans = [match.span() for match in TOKEN.finditer(lower)]
    tokens = [lower[start:end] for start, end in spans]
    return tokens, [(start, ranges.get(start, end)) for start, end in spans] if ranges else spans


def _plain(text: str) -> str:
    text = text.replace("`", "'")  # ASCII itself: must not depend on what else is in the batch
    if not text.isascii():
        for typographic, plain in _TYPOGRAPHIC:
            text = text.replace(typographic, plain)
    return text


class Vocabulary(dict[str, int]):
    """Token to row number; what is not listed falls back by rule.

    Parameters
    ----------
    tokens : iterable of str
        In row order; starts with `SPECIALS`. One row for all other words follows the last one.
    own : iterable of str
        Words of the user's own; their rows follow that row, so that those before do not move.
    """

    def __init__(self, tokens: Iterable[str], own: Iterable[str] = ()) -> None:
        super().__init__((token, row) for row, token in enumerate(tokens))
        self._listed = len(self)
        for token in own:
            self.setdefault(token, len(self) + UNKNOWN_ROWS)
        self.rows = len(self) + UNKNOWN_ROWS
        self._known = tuple(self)
        self._number = self["_num_"]
        #: Row of all numbers but ordinals, unless one of them is listed.
        self.number = None if any(token[:1].isdigit() for token in self._known) else self._number
        self._ordinal = self["_nth_"]

    @cached_property
    def table(self) -> RowTable:
        """The listed words for look-up by arrays. Cost: milliseconds, once."""
        return RowTable(self._known, map(self.__getitem__, self._known))

    @property
    def shipped_rows(self) -> int:
        """Number of rows without the user's own words."""
        return self._listed + UNKNOWN_ROWS

    def __missing__(self, token: str) -> int:
        if token[0].isdigit():
            return self._ordinal if token.endswith(_ORDINAL_ENDINGS) else self._number
        row = self._fallback(token)
        if len(self) < self._listed + _REMEMBERED and len(token) <= 40:
            self[token] = row
        return row

    def _fallback(self, token: str) -> int:
        if token[0] in "!?":
            folded = "?!" if "?" in token and "!" in token else token[0] * min(len(token), 3)
            return self.get(folded, self._listed)
        # "soooo" -> "soo" -> "so": lengthened words keep their meaning
        for kept in (2, 1):
            shorter = re.sub(r"(.)\1{2,}", lambda match: match.group(1) * kept, token)  # noqa: B023
            if shorter != token and (row := self.get(shorter)) is not None:
                return row
        if token.endswith("'s") and (row := self.get(token[:-2])) is not None:
            return row
        return self._listed


class Stack(NamedTuple):
    """Messages of one length beside one another, or a piece of one long message.

    Sums and maxima down such a stack go over whole rows of numbers, which is several times as fast
    as going message by message; and how a message is summed depends on its own length alone.
    """

    #: Which messages, shape (m,).
    messages: Ids
    #: Their tokens, shape (n + 2, m): one before and one behind them, too.
    ids: Ids
    #: Whether the messages start here, with a boundary that nothing stands before.
    opens: bool

    @property
    def before(self) -> Ids:
        """What stands before each token, shape (n, m); meaningless before an opening boundary."""
        return self.ids[:-2]

    @property
    def here(self) -> Ids:
        """The tokens, shape (n, m)."""
        return self.ids[1:-1]

    @property
    def after(self) -> Ids:
        """What stands behind each token, shape (n, m)."""
        return self.ids[2:]


class TokenIds:
    """Token rows of a batch, flat, every message led by a boundary row and one at the end.

    Attributes
    ----------
    ids : ndarray of shape (n_tokens + n_messages + 1,)
        Rows of the vocabulary.
    starts : ndarray of shape (n_messages,)
        Where each message's boundary row stands.
    lengths : ndarray of shape (n_messages,)
        Rows of each message, its boundary among them.
    """

    __slots__ = ("_stacked", "ids", "lengths", "starts")

    def __init__(self, ids: Ids, starts: Ids) -> None:
        self.ids = ids
        self.starts = starts
        self.lengths = np.empty_like(starts)
        self.lengths[:-1] = starts[1:] - starts[:-1]
        self.lengths[-1:] = len(ids) - 1 - starts[-1:]
        self._stacked: list[Stack] | None = None

    @property
    def stacks(self) -> list[Stack]:
        """All messages in stacks that are small enough to stay in the processor's cache."""
        if self._stacked is None:
            self._stacked = list(_stacks(self))
        return self._stacked

    @classmethod
    def of(cls, texts: Sequence[str], vocabulary: Vocabulary) -> TokenIds:
        """Tokenise a batch. Cost: linear in its characters."""
        rows = [_rows(folded, vocabulary) for folded in _folded(texts)]
        ids = np.concatenate([*rows, np.zeros(1, np.intp)])
        return cls(ids, (ids == 0).nonzero()[0][:-1])

    @classmethod
    def of_sequences(cls, sequences: Sequence[Ids]) -> TokenIds:
        """Join token rows that are known already (without boundaries)."""
        boundary = np.zeros(1, np.intp)
        parts = [part for sequence in sequences for part in (boundary, sequence)]
        lengths = np.fromiter((len(sequence) + 1 for sequence in sequences), np.intp)
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.intp)
        return cls(np.concatenate([*parts, boundary]).astype(np.intp), starts)


def _stacks(tokens: TokenIds) -> Iterator[Stack]:
    """Yield all messages in stacks that are small enough to stay in the cache."""
    starts, lengths = tokens.starts, tokens.lengths
    if len(starts) == 1 and len(tokens.ids) <= CHUNK_TOKENS:  # as below, but for the ado
        around = np.concatenate([tokens.ids[-1:], tokens.ids])
        yield Stack(np.zeros(1, np.intp), around[:, None], opens=True)
        return
    order = np.argsort(lengths, kind="stable")
    ranked = lengths[order]
    first = 0
    while first < len(order):
        length = int(ranked[first])
        last = int(ranked.searchsorted(length, side="right"))
        last = min(last, first + max(1, CHUNK_TOKENS // length))
        messages = order[first:last]
        openings = starts[messages]
        for start in range(0, length, CHUNK_TOKENS):
            end = min(start + CHUNK_TOKENS, length)
            places = np.arange(start - 1, end + 1)[:, None] + openings
            yield Stack(messages, tokens.ids.take(places, mode="wrap"), start == 0)
        first = last


def _folded(texts: Sequence[str]) -> Iterator[str]:
    """Fold texts, some at a time, each led by a boundary and none within."""
    group: list[str] = []
    chars = 0
    for text in texts:
        if group and chars + len(text) > _GROUP_CHARS:
            yield _together(group)
            group, chars = [], 0
        group.append(text)
        chars += len(text) + 1
    if group:
        yield _together(group)


def _together(texts: Sequence[str]) -> str:
    joined = BOUNDARY.join(texts)
    if joined.count(BOUNDARY) != len(texts) - 1:
        texts = [text.replace(BOUNDARY, " ") for text in texts]
        joined = BOUNDARY.join(texts)
    # beyond ASCII lower-casing is slow, and few texts hold anything of it
    lower = joined.lower() if joined.isascii() else BOUNDARY.join([t.lower() for t in texts])
    return _addressed(_plain(f"{BOUNDARY}{lower}"))


def _rows(folded: str, vocabulary: Vocabulary) -> Ids:
    if _FEW_CHARS <= len(folded) <= MOST_CHARS:
        return vocabulary.table.rows(folded, vocabulary.__getitem__, vocabulary.number)
    tokens = TOKEN.findall(folded)
    return np.fromiter(map(vocabulary.__getitem__, tokens), np.intp, len(tokens))

"""One text as the network sees it, token by token: what counts, and what is left without a part.

Where a range is left out, only the windows at the seam are new: the maximum of the others is that
of a beginning and an end of the text, and their sum is a product with ones and zeros. So many
ranges of a text are left out for less than the cost of scoring it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp.signals._network import LENGTH_OFFSET, Network

__all__ = ["Passage"]

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.intp]

#: Up to so many rows, the maxima of all beginnings are found faster than those that are asked for.
_FEW_ROWS: Final = 512


class Passage:
    """The windows and linear weights of one text; row 0 is its opening boundary.

    Parameters
    ----------
    network : Network
        Whose they are.
    ids : ndarray of shape (n,)
        Rows of the text's tokens, without boundaries.
    """

    def __init__(self, network: Network, ids: Ids) -> None:
        self._network = network
        # what stands before row i, then row i itself, and behind it; boundaries close the text
        self._ids = np.zeros(len(ids) + 4, np.intp)
        self._ids[0], self._ids[2:-2] = network.rows, ids
        before, here, after = self._ids[:-3], self._ids[1:-2], self._ids[2:-1]
        self._windows = network.windows(before, here, after)
        self._pairs = self._words = np.zeros((len(here), network.outputs), np.float32)
        if network.linear_part is not None:
            self._words = network.linear_part.words(here)
            self._pairs = network.linear_part.pairs(here, after)

    def relevance(self, hidden: Floats, columns: Sequence[int]) -> Floats:
        """Say how much each token adds to some logits, to first order.

        Parameters
        ----------
        hidden : ndarray of shape (k,)
            Hidden vector of the text.
        columns : sequence of int
            Which logits.

        Returns
        -------
        ndarray of shape (n, len(columns))
            A token's share is half of the window around it and a quarter of each neighbour; a pair
            of the linear part is shared by its two words.
        """
        rows, width = self._windows.shape
        gradient = self._network.gradient(hidden, columns)
        most = self._windows.max(axis=0)
        spread = np.zeros((rows + 1, len(columns)), np.float32)
        np.matmul(self._windows, gradient[width:] / rows, out=spread[:-1])
        # the whole of a maximum goes to the window that has it, the first of equals
        top = (self._windows == most).argmax(axis=0)
        np.add.at(spread, top, most[:, None] * gradient[:width])
        pairs = self._pairs[:, columns] / 2
        linear = self._words[1:, columns] + pairs[:-1] + pairs[1:]
        linear /= np.sqrt(rows - 1 + LENGTH_OFFSET)
        relevance = 0.5 * spread[1:-1] + 0.25 * (spread[:-2] + spread[2:]) + linear
        return np.asarray(relevance, np.float32)

    def without(self, ranges: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
        """Return the features of the text without each of some ranges of tokens.

        Parameters
        ----------
        ranges : sequence of (start, end)
            Half-open; an empty one leaves the text as it is.

        Returns
        -------
        pooled : ndarray of shape (len(ranges), 2h)
            As `Network` pools the windows.
        linear : ndarray of shape (len(ranges), o)
            As `LinearPart.logits` sums the weights.
        """
        starts, ends = np.array(ranges, np.intp).T
        # of every range the rows before the seam, at its left and right side, and behind it
        seam = self._ids[np.array([starts, starts + 1, ends + 2, ends + 3])]
        return self._pooled(starts, ends, seam), self._linear(starts, ends, seam)

    def _pooled(self, starts: Ids, ends: Ids, seam: Ids) -> Floats:
        rows = len(self._windows)
        new = self._network.windows(seam[:2], seam[1:3], seam[2:])
        new[1, ends == rows - 1] = 0  # the boundary that closes the text has no window
        behind = np.minimum(ends + 2, rows)
        most = new.max(axis=0)
        np.maximum(most, _most_before(self._windows, starts), out=most)
        np.maximum(most, _most_before(self._windows[::-1], rows - behind), out=most)
        total = self._kept(starts, behind) @ self._windows + new[0] + new[1]
        return np.concatenate(
            [most, total / (rows - (ends - starts))[:, None]], axis=1, dtype=np.float32
        )

    def _linear(self, starts: Ids, ends: Ids, seam: Ids) -> Floats:
        total = self._kept(starts, ends + 1) @ (self._words + self._pairs) + self._words[starts]
        if self._network.linear_part is not None:
            total += self._network.linear_part.pairs(seam[1], seam[2])
        tokens = len(self._words) - 1 - (ends - starts)
        return np.asarray(total / np.sqrt(tokens + LENGTH_OFFSET)[:, None], np.float32)

    def _kept(self, starts: Ids, ends: Ids) -> Floats:
        """Return ones for the rows outside of each range, else zeros."""
        rows = np.arange(len(self._windows))
        return ((rows < starts[:, None]) | (rows >= ends[:, None])).astype(np.float32)


def _most_before(rows: Floats, ends: Ids) -> Floats:
    """Return the maxima of the rows before each of some rows; zeros before the first."""
    if len(rows) <= _FEW_ROWS:
        most = np.maximum.accumulate(rows, axis=0).take(ends - 1, axis=0, mode="clip")
        most[ends == 0] = 0
        return np.asarray(most, np.float32)
    # of a long text, only the maxima at the asked places are kept
    steps, at = np.unique(ends, return_inverse=True)
    most = np.zeros((len(steps), rows.shape[1]), np.float32)
    start = 0
    for step, end in enumerate(steps.tolist()):
        rows[start:end].max(axis=0, initial=0, out=most[step])
        start = end
    return np.asarray(np.maximum.accumulate(most, axis=0)[at], np.float32)

"""The message model at run time: a small window network beside weights of words and word pairs.

A convolution over a window of three embeddings is a sum of three table look-ups once each
embedding has been multiplied with each of the three kernels (done at load). So a message costs
three gathers a token and no matrix product larger than the pooled vector. The shape is the one of
Kim (2014, "Convolutional Neural Networks for Sentence Classification"), with mean pooling added.

Beside it stands a linear model over words and pairs of neighbours (Wang & Manning 2012, "Baselines
and Bigrams"), which is better on what customers say in few set ways; the sum of both is the logit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import ModelFormatError
from customer_nlp.signals._tokens import TokenIds

__all__ = ["LENGTH_OFFSET", "LinearPart", "Network", "dense"]

Floats = npt.NDArray[np.float32]

#: Added to the number of tokens before its root divides the linear part.
LENGTH_OFFSET: Final = 3
#: Tokens processed at once: what the windows need stays in the processor's cache.
_CHUNK_TOKENS: Final = 2048
#: Rows of every matrix product. A fixed shape makes a row's result independent of its
#: neighbours, so a batch equals its singles bit for bit.
_BLOCK_ROWS: Final = 32


class Network:
    """Token rows → pooled features → one logit an output.

    Parameters
    ----------
    arrays : mapping
        ``embedding`` (rows, d), ``kernel`` (3, d, h), ``kernel_bias`` (h,), ``hidden`` (2h, k),
        ``hidden_bias`` (k,), ``output`` (k, o), ``output_bias`` (o,). When the linear part is
        there: ``word`` (rows, o), ``pair_key`` (p,) sorted, ``pair`` (p, o), ``slope`` (o,) by
        which the network's logits count, and ``offset`` (o,).

    Raises
    ------
    ModelFormatError
        When an array is missing or the shapes do not fit together.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._check(arrays)
        embedding = arrays["embedding"].astype(np.float32)
        if "embedding_scale" in arrays:
            embedding *= arrays["embedding_scale"].astype(np.float32)[:, None]
        kernel = arrays["kernel"].astype(np.float32)
        self._before, self._here, self._after = (embedding @ part for part in kernel)
        self._before = np.vstack([self._before, np.zeros((1, kernel.shape[2]), np.float32)])
        self._here += arrays["kernel_bias"].astype(np.float32)
        self._hidden = arrays["hidden"].astype(np.float32)
        self._hidden_bias = arrays["hidden_bias"].astype(np.float32)
        self._output = arrays["output"].astype(np.float32)
        self._output_bias = arrays["output_bias"].astype(np.float32)
        if "word" in arrays:
            self._set_linear(arrays)

    _linear: LinearPart | None = None

    def _set_linear(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        slope = arrays["slope"].astype(np.float32)
        self._output = self._output * slope
        self._output_bias = self._output_bias * slope + arrays["offset"].astype(np.float32)
        self._linear = LinearPart(arrays["word"], arrays["pair_key"], arrays["pair"])

    @staticmethod
    def _check(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        try:
            rows, dim = arrays["embedding"].shape
            _, width = kernel = arrays["kernel"].shape[1:]
            hidden, out = arrays["hidden"].shape, arrays["output"].shape
            fits = (
                arrays["kernel"].shape[0] == 3
                and kernel[0] == dim
                and hidden[0] == 2 * width
                and out[0] == hidden[1]
                and arrays["kernel_bias"].shape == (width,)
                and arrays["hidden_bias"].shape == (hidden[1],)
                and arrays["output_bias"].shape == (out[1],)
                and rows > 0
                and Network._linear_fits(arrays, rows, out[1])
            )
        except (KeyError, ValueError) as error:
            raise ModelFormatError("The message model lacks an array that it needs.") from error
        if not fits:
            raise ModelFormatError("The arrays of the message model do not fit together.")

    @staticmethod
    def _linear_fits(arrays: Mapping[str, npt.NDArray[Any]], rows: int, outputs: int) -> bool:
        if "word" not in arrays:
            return True
        keys = arrays["pair_key"]
        return (
            arrays["word"].shape == (rows, outputs)
            and arrays["pair"].shape == (len(keys), outputs)
            and arrays["slope"].shape == arrays["offset"].shape == (outputs,)
            and bool((np.diff(keys) > 0).all())
        )

    @property
    def rows(self) -> int:
        """Number of rows of the embedding."""
        return int(self._here.shape[0])

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return int(self._output.shape[1])

    @property
    def width(self) -> int:
        """Length of a hidden vector."""
        return int(self._output.shape[0])

    def hidden(self, tokens: TokenIds) -> Floats:
        """Return the hidden vector of every message, shape (n, k). Cost: linear in the tokens."""
        return dense(self._pool(tokens), self._hidden, self._hidden_bias, rectify=True)

    def logits(self, tokens: TokenIds) -> Floats:
        """Return the logits of every message, shape (n, o)."""
        return self.logits_from_hidden(tokens, self.hidden(tokens))

    def logits_from_hidden(self, tokens: TokenIds, hidden: Floats) -> Floats:
        """Return the logits of messages whose hidden vectors are known, shape (n, o)."""
        logits = dense(hidden, self._output, self._output_bias, rectify=False)
        if self._linear is not None:
            logits += self._linear.logits(tokens)
        return logits

    def relevance(
        self, ids: npt.NDArray[np.intp], hidden: Floats, columns: Sequence[int]
    ) -> Floats:
        """Say how much each token of one text adds to some logits, to first order.

        Parameters
        ----------
        ids : ndarray of shape (n,)
            Rows of the text's tokens, without boundaries.
        hidden : ndarray of shape (k,)
            Its hidden vector.
        columns : sequence of int
            Which logits.

        Returns
        -------
        ndarray of shape (n, len(columns))
            A token's share is half of the window around it and a quarter of each neighbour.
        """
        width = self._here.shape[1]
        padded = np.zeros(len(ids) + 2, np.intp)
        padded[1:-1] = ids
        before = np.concatenate(([self.rows], padded[:-2]))
        windows = self._here.take(padded[:-1], axis=0)
        windows += self._after.take(padded[1:], axis=0)
        windows += self._before.take(before, axis=0)
        np.maximum(windows, 0, out=windows)
        active = self._hidden[:, hidden > 0]
        gradient = active @ self._output[hidden > 0][:, list(columns)]
        top = windows.argmax(axis=0)
        passed = (windows @ gradient[width:]) / len(windows)
        share = windows[top, np.arange(width)][:, None] * gradient[:width]
        np.add.at(passed, top, share)
        spread = np.zeros((len(ids) + 2, len(columns)), np.float32)
        spread[:-1] = passed
        relevance = 0.5 * spread[1:-1] + 0.25 * (spread[:-2] + spread[2:])
        if self._linear is not None:
            relevance += self._linear.relevance(padded, columns)
        return np.asarray(relevance, np.float32)

    def _pool(self, tokens: TokenIds) -> Floats:
        ids, starts = tokens.ids, tokens.starts
        width = self._here.shape[1]
        pooled = np.empty((len(starts), 2 * width), np.float32)
        for first, last, _, end in _chunks(tokens):
            self._pool_chunk(ids, starts[first:last], end, pooled[first:last])
        pooled[:, width:] /= tokens.lengths.astype(np.float32)[:, None]
        return pooled

    def _pool_chunk(
        self, ids: npt.NDArray[np.intp], starts: npt.NDArray[np.intp], end: int, out: Floats
    ) -> None:
        start = int(starts[0])
        width = self._here.shape[1]
        offsets = starts - start
        before = np.empty(end - start, np.intp)
        before[1:] = ids[start : end - 1]
        before[offsets] = self.rows  # the zero row: nothing stands before an opening boundary
        window = self._here.take(ids[start:end], axis=0, mode="clip")
        window += self._after.take(ids[start + 1 : end + 1], axis=0, mode="clip")
        window += self._before.take(before, axis=0, mode="clip")
        np.maximum(window, 0, out=window)
        np.maximum.reduceat(window, offsets, axis=0, out=out[:, :width])
        np.add.reduceat(window, offsets, axis=0, out=out[:, width:])


class LinearPart:
    """Weights of words and of pairs of neighbours, summed and scaled by the root of the length.

    Parameters
    ----------
    word : ndarray of shape (rows, o)
        Row 0 is the boundary, which has no weight.
    pair_key : ndarray of shape (p,)
        ``first * rows + second``, sorted.
    pair : ndarray of shape (p, o)
        Their weights.
    """

    def __init__(
        self,
        word: npt.NDArray[Any],
        pair_key: npt.NDArray[Any],
        pair: npt.NDArray[Any],
    ) -> None:
        self._word = word.astype(np.float32)
        self._word[0] = 0
        # a last key larger than any pair, and a last row of zeros for pairs that are not listed
        self._pair_key = np.append(pair_key.astype(np.int64), np.iinfo(np.int64).max)
        self._pair = np.vstack([pair.astype(np.float32), np.zeros_like(self._word[:1])])

    def logits(self, tokens: TokenIds) -> Floats:
        """Return the sums of every message, shape (n, o). Cost: linear in the tokens."""
        ids, starts = tokens.ids, tokens.starts
        counts = tokens.lengths - 1
        sums = np.empty((len(starts), self._word.shape[1]), np.float32)
        for first, last, start, end in _chunks(tokens):
            parts = self._word.take(ids[start:end], axis=0)
            parts += self._pair.take(self._pair_rows(ids[start : end + 1]), axis=0)
            np.add.reduceat(parts, starts[first:last] - start, axis=0, out=sums[first:last])
        sums *= (1 / np.sqrt(counts + LENGTH_OFFSET)).astype(np.float32)[:, None]
        return sums

    def relevance(self, padded: npt.NDArray[np.intp], columns: Sequence[int]) -> Floats:
        """Return what each token of one text adds; `padded` has a boundary at either end."""
        # a pair is shared by its two words
        pairs = self._pair[self._pair_rows(padded)][:, list(columns)] / 2
        linear = self._word[padded[1:-1]][:, list(columns)] + pairs[:-1] + pairs[1:]
        return np.asarray(linear / np.sqrt(len(padded) - 2 + LENGTH_OFFSET), np.float32)

    def _pair_rows(self, ids: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        keys = ids[:-1].astype(np.int64) * len(self._word) + ids[1:]
        found = np.searchsorted(self._pair_key, keys)
        found[self._pair_key[found] != keys] = len(self._pair) - 1
        return found


def _chunks(tokens: TokenIds) -> Iterator[tuple[int, int, int, int]]:
    """Yield message ranges and token ranges that are small enough to stay in the cache."""
    starts, total = tokens.starts, len(tokens.ids) - 1
    if total <= _CHUNK_TOKENS:
        yield 0, len(starts), 0, total
        return
    ends = starts + tokens.lengths
    first = 0
    while first < len(starts):
        last = int(np.searchsorted(ends, starts[first] + _CHUNK_TOKENS, side="right"))
        last = min(max(last, first + 1), len(starts))
        yield first, last, int(starts[first]), int(ends[last - 1])
        first = last


def dense(x: Floats, weights: Floats, bias: Floats, *, rectify: bool) -> Floats:
    """Return ``x @ weights + bias``, each row independent of its neighbours bit for bit."""
    n = len(x)
    blocks = -(-n // _BLOCK_ROWS)
    padded = np.zeros((blocks * _BLOCK_ROWS, x.shape[1]), np.float32)
    padded[:n] = x
    y = np.matmul(padded.reshape(blocks, _BLOCK_ROWS, -1), weights)
    y = y.reshape(blocks * _BLOCK_ROWS, -1)[:n]
    y += bias
    if rectify:
        np.maximum(y, 0, out=y)
    return np.asarray(y, np.float32)

"""The message model at run time: windows of three tokens, pooled, then two small layers.

A convolution over a window of three embeddings is a sum of three table look-ups once each
embedding has been multiplied with each of the three kernels (done at load). So a message costs
three gathers a token and no matrix product larger than the pooled vector. The shape is the one of
Kim (2014, "Convolutional Neural Networks for Sentence Classification"), with mean pooling added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import ModelFormatError
from customer_nlp.signals._tokens import TokenIds

__all__ = ["Network"]

Floats = npt.NDArray[np.float32]

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
        ``hidden_bias`` (k,), ``output`` (k, o), ``output_bias`` (o,).

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
            )
        except (KeyError, ValueError) as error:
            raise ModelFormatError("The message model lacks an array that it needs.") from error
        if not fits:
            raise ModelFormatError("The arrays of the message model do not fit together.")

    @property
    def rows(self) -> int:
        """Number of rows of the embedding."""
        return int(self._here.shape[0])

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return int(self._output.shape[1])

    def hidden(self, tokens: TokenIds) -> Floats:
        """Return the hidden vector of every message, shape (n, k). Cost: linear in the tokens."""
        return self._dense(self._pool(tokens), self._hidden, self._hidden_bias, rectify=True)

    def logits(self, tokens: TokenIds) -> Floats:
        """Return the logits of every message, shape (n, o)."""
        return self.logits_from_hidden(self.hidden(tokens))

    def logits_from_hidden(self, hidden: Floats) -> Floats:
        """Return the logits for hidden vectors, shape (n, o)."""
        return self._dense(hidden, self._output, self._output_bias, rectify=False)

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
        return np.asarray(0.5 * spread[1:-1] + 0.25 * (spread[:-2] + spread[2:]), np.float32)

    def _pool(self, tokens: TokenIds) -> Floats:
        ids, starts = tokens.ids, tokens.starts
        ends = np.append(starts[1:], len(ids) - 1)
        width = self._here.shape[1]
        pooled = np.empty((len(starts), 2 * width), np.float32)
        first = 0
        while first < len(starts):
            last = int(np.searchsorted(ends, starts[first] + _CHUNK_TOKENS, side="right"))
            last = min(max(last, first + 1), len(starts))
            self._pool_chunk(ids, starts[first:last], int(ends[last - 1]), pooled[first:last])
            first = last
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
        counts = np.diff(np.append(offsets, end - start)).astype(np.float32)
        np.maximum.reduceat(window, offsets, axis=0, out=out[:, :width])
        np.add.reduceat(window, offsets, axis=0, out=out[:, width:])
        out[:, width:] /= counts[:, None]

    @staticmethod
    def _dense(x: Floats, weights: Floats, bias: Floats, *, rectify: bool) -> Floats:
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

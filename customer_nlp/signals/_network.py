"""The message model at run time: a small window network beside weights of words and word pairs.

A convolution over a window of three embeddings is a sum of three table look-ups once each
embedding has been multiplied with each of the three kernels (done at load). So a message costs
three gathers a token and no matrix product larger than the pooled vector. The shape is the one of
Kim (2014, "Convolutional Neural Networks for Sentence Classification"), with mean pooling added.

Beside it stands a linear model over words and pairs of neighbours (Wang & Manning 2012, "Baselines
and Bigrams"), which is better on what customers say in few set ways; the sum of both is the logit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import ModelFormatError
from customer_nlp.signals._tokens import CHUNK_TOKENS, Stack, TokenIds

__all__ = ["LENGTH_OFFSET", "LinearPart", "Network", "dense"]

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.intp]
_Steps = npt.NDArray[np.int16]

#: Steps that the largest sum of rows takes; a little below what two bytes hold, for rounding.
_STEPS: Final = 32_000
#: Added to the number of tokens before its root divides the linear part.
LENGTH_OFFSET: Final = 3
#: Slots of the table of pairs (as powers of two) and what spreads keys over them.
_SLOT_BITS: Final = 18
_SPREAD: Final = np.uint64(0xD6E8FEB86659FD93)
_SHIFT: Final = np.uint64(64 - _SLOT_BITS)
#: Rows of every matrix product. A fixed shape makes a row's result independent of its
#: neighbours, so a batch equals its singles bit for bit.
_BLOCK_ROWS: Final = 4


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
        before, here, after = (embedding @ part for part in kernel)
        here += arrays["kernel_bias"].astype(np.float32)
        before = np.vstack([before, np.zeros((1, kernel.shape[2]), np.float32)])
        (self._before, self._here, self._after), self._step = _in_steps(before, here, after)
        self._nothing = np.zeros((CHUNK_TOKENS, kernel.shape[2]), np.int16)
        self._hidden = arrays["hidden"].astype(np.float32)
        self._hidden_bias = arrays["hidden_bias"].astype(np.float32)
        self._output = arrays["output"].astype(np.float32)
        self._output_bias = arrays["output_bias"].astype(np.float32)
        if "word" in arrays:
            self._set_linear(arrays)

    #: Missing in models of words alone.
    linear_part: LinearPart | None = None

    def _set_linear(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        slope = arrays["slope"].astype(np.float32)
        self._output = self._output * slope
        self._output_bias = self._output_bias * slope + arrays["offset"].astype(np.float32)
        self.linear_part = LinearPart(arrays["word"], arrays["pair_key"], arrays["pair"])

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
        if self.linear_part is not None:
            logits += self.linear_part.logits(tokens)
        return logits

    def logits_from_parts(self, pooled: Floats, linear: Floats) -> Floats:
        """Return the logits of texts whose pooled features and linear sums are known."""
        hidden = dense(pooled, self._hidden, self._hidden_bias, rectify=True)
        return dense(hidden, self._output, self._output_bias, rectify=False) + linear

    def gradient(self, hidden: Floats, columns: Sequence[int]) -> Floats:
        """Return how logits of a text grow with its pooled features, shape (2h, len(columns))."""
        return np.asarray(self._hidden @ (self._output[:, columns] * (hidden > 0)[:, None]))

    def windows(self, before: Ids, here: Ids, after: Ids) -> Floats:
        """Return what the windows around tokens show; `rows` is before an opening boundary."""
        width = self._here.shape[1]
        shown = np.empty((here.size, width), np.float32)
        ids = [one.reshape(-1) for one in (before, here, after)]
        for start in range(0, here.size, CHUNK_TOKENS):  # a second copy of a chunk only
            chunk = slice(start, start + CHUNK_TOKENS)
            steps = self._after.take(ids[2][chunk], axis=0, mode="clip")
            steps += self._before.take(ids[0][chunk], axis=0, mode="clip")
            np.multiply(self._rectified(steps, ids[1][chunk]), self._step, out=shown[chunk])
        return shown.reshape(*here.shape, width)

    def _rectified(self, steps: _Steps, here: Ids) -> _Steps:
        """Add the tokens themselves to what stands around them; nothing is left below zero."""
        steps += self._here.take(here, axis=0, mode="clip")
        # against an array, not a number: for that there is no fast loop
        nothing = self._nothing[: here.size].reshape(steps.shape)
        return np.maximum(steps, nothing, out=steps)

    def _pool(self, tokens: TokenIds) -> Floats:
        width = self._here.shape[1]
        pooled = np.empty((len(tokens.starts), 2 * width), np.float32)
        for stack in tokens.stacks:
            most, total = self._of_stack(stack)
            if not stack.opens:
                most = np.maximum(most, pooled[stack.messages, :width])
                total = total + pooled[stack.messages, width:]
            pooled[stack.messages, :width] = most
            pooled[stack.messages, width:] = total
        pooled[:, :width] *= self._step
        pooled[:, width:] *= self._step / tokens.lengths.astype(np.float32)[:, None]
        return pooled

    def _of_stack(self, stack: Stack) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return maxima and sums of the windows of each message, in steps."""
        steps = self._after.take(stack.after, axis=0, mode="clip")
        skipped = int(stack.opens)  # nothing stands before an opening boundary
        steps[skipped:] += self._before.take(stack.before[skipped:], axis=0, mode="clip")
        steps = self._rectified(steps, stack.here)
        return steps.max(axis=0), steps.sum(axis=0, dtype=np.int32)


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
        word, pair = word.astype(np.float32), pair.astype(np.float32)
        word[0] = 0
        # a last row of zeros for pairs that are not listed, and a last key larger than any pair
        pair = np.vstack([pair, np.zeros_like(word[:1])])
        self._pair_key = np.append(pair_key.astype(np.int64), np.iinfo(np.int64).max)
        (self._word, self._pair), self._step = _in_steps(word, pair)
        self._none = len(pair_key)
        # of pairs that fall into one slot the last one has it; the others are searched for
        self._slots = np.full(1 << _SLOT_BITS, self._none, np.int32)
        self._slots[_slots(self._pair_key[:-1])] = np.arange(self._none, dtype=np.int32)

    def logits(self, tokens: TokenIds) -> Floats:
        """Return the sums of every message, shape (n, o). Cost: linear in the tokens."""
        sums = np.zeros((len(tokens.starts), self._word.shape[1]), np.float32)
        for stack in tokens.stacks:
            steps = self._pairs(stack.here, stack.after)
            steps += self._word.take(stack.here, axis=0)
            sums[stack.messages] += steps.sum(axis=0, dtype=np.int32)
        tokens_of = (tokens.lengths - 1 + LENGTH_OFFSET).astype(np.float32)
        sums *= self._step / np.sqrt(tokens_of)[:, None]
        return sums

    def words(self, ids: Ids) -> Floats:
        """Return the weights of words by their rows."""
        return np.asarray(self._word.take(ids, axis=0) * self._step)

    def pairs(self, first: Ids, second: Ids) -> Floats:
        """Return the weights of pairs, by the rows of their words."""
        return np.asarray(self._pairs(first, second) * self._step)

    def _pairs(self, first: Ids, second: Ids) -> _Steps:
        keys = first.astype(np.int64, copy=False) * len(self._word)
        keys += second
        found = self._slots.take(_slots(keys), mode="clip")
        missed = self._pair_key.take(found, mode="clip") != keys
        missed &= found != self._none  # an empty slot: no such pair
        if missed.any():
            others = keys[missed]
            at = self._pair_key.searchsorted(others)
            found[missed] = np.where(self._pair_key.take(at) == others, at, self._none)
        return self._pair.take(found, axis=0)


def _in_steps(*tables: Floats) -> tuple[list[_Steps], Floats]:
    """Return tables as whole numbers of a step for each column, and the steps.

    Whole numbers of two bytes are read and added in half the time, and their sums do not depend on
    the order. The rows of all tables together stay below what such a number holds; a step is about
    a thirty-thousandth of the largest sum, less than the file's half precision leaves open.
    """
    most = np.sum([np.abs(table).max(axis=0) for table in tables], axis=0)
    step = np.where(most > 0, most, 1).astype(np.float32) / np.float32(_STEPS)
    return [np.rint(table / step).astype(np.int16) for table in tables], step


def _slots(keys: npt.NDArray[np.int64]) -> Ids:
    spread = keys.view(np.uint64) * _SPREAD
    spread >>= _SHIFT
    return spread.view(np.int64)


def dense(x: Floats, weights: Floats, bias: Floats, *, rectify: bool) -> Floats:
    """Return ``x @ weights + bias``, each row independent of its neighbours bit for bit."""
    n = len(x)
    blocks = -(-n // _BLOCK_ROWS)
    if n % _BLOCK_ROWS:
        padded = np.zeros((blocks * _BLOCK_ROWS, x.shape[1]), np.float32)
        padded[:n] = x
        x = padded
    y = np.matmul(x.reshape(blocks, _BLOCK_ROWS, -1), weights).reshape(len(x), -1)[:n]
    y += bias
    if rectify:
        np.maximum(y, 0, out=y)
    return np.asarray(y, np.float32)

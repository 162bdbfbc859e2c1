"""The student: the shipped network, fitted to what the teacher says (and no label of its own kin).

Every labelled message is learnt through the logits of the teacher that has not seen it, and
every unlabelled one through the mean of all teachers, so the student's output on the labelled
messages is as honest as on new ones; calibration and the action model build on that.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import MissingExtraError
from customer_nlp.signals._tokens import SPECIALS, TOKEN, TokenIds, Vocabulary, fold
from customer_nlp.training.examples import TAUGHT
from customer_nlp.training.minilm import mean_vectors

__all__ = ["Settings", "build_vocabulary", "fit_student", "starting_vectors"]

Floats = npt.NDArray[np.float32]

VOCABULARY_SIZE: Final = 20000
DIMENSIONS: Final = 64
#: Of the vectors that words start from; the student learns which 64 directions of them count.
STARTING_DIMENSIONS: Final = 256
#: Pull of a word's own part towards nothing, so that rare words stay what they mean in general.
OWN_PENALTY: Final = 3e-4
WINDOWS: Final = 96
HIDDEN: Final = 64
_MAX_TOKENS: Final = 300
#: A token with a capital inside sentences in at least this share of its uses is a name.
NAME_SHARE: Final = 0.6
#: Written with a capital without being names of anybody.
CALENDAR: Final = frozenset(
    {
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
        "january", "february", "march", "april", "may", "june", "july", "august", "september",
        "october", "november", "december", "christmas", "easter", "english", "i",
    }
)  # fmt: skip
_NAMES_OF_SPECIALS: Final = {"_url_": "url", "@": "user", "_num_": "number", "_nth_": "third"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the student is fitted.

    Parameters
    ----------
    epochs, batch : int
        Passes over the texts; texts a step.
    learning_rate : float
        Of all layers; embeddings learn at half of it.
    word_dropout, dropout : float
        Share of tokens and of features left out while learning.
    seed : int
        Of everything random: the same inputs give the same bytes on the same machine.
    """

    epochs: int = 16
    batch: int = 128
    learning_rate: float = 2e-3
    word_dropout: float = 0.05
    dropout: float = 0.08
    seed: int = 1


def build_vocabulary(texts: Iterable[str], *, size: int = VOCABULARY_SIZE) -> list[str]:
    """Return the most frequent tokens, seen at least three times, after the special ones.

    Proper names are left out, so that no name of a person, firm or product moves a score: tokens
    that stand with a capital inside sentences far more often than without one.
    """
    counts: Counter[str] = Counter()
    named: Counter[str] = Counter()
    plain: Counter[str] = Counter()
    for text in texts:
        counts.update(TOKEN.findall(fold(text)))
        before = "."
        for token in TOKEN.findall(text):
            if token[:1].islower():
                plain[token] += 1
            elif token.istitle() and before[0] not in ".!?:-*>\"'(":
                named[token.lower()] += 1
            before = token
    names = {
        token
        for token, n in named.items()
        if n >= NAME_SHARE * (n + plain[token]) and token not in CALENDAR
    }
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = [
        token
        for token, count in ranked
        if count >= 3
        and token not in SPECIALS
        and token not in names
        and not token[0].isdigit()
        and len(token) <= 30
    ]
    return [*SPECIALS, *words[:size]]


def starting_vectors(tokens: Sequence[str], dimensions: int = STARTING_DIMENSIONS) -> Floats:
    """Return a vector a token: what MiniLM makes of the word alone, by principal components.

    References
    ----------
    Tulkens & van Dongen (2024), "Model2Vec".
    """
    shown = [_NAMES_OF_SPECIALS.get(t, ".") if t in SPECIALS else t for t in tokens]
    matrix = mean_vectors(shown, batch=512)
    matrix -= matrix.mean(axis=0)
    _, _, directions = np.linalg.svd(matrix, full_matrices=False)
    reduced = matrix @ directions[:dimensions].T
    return np.asarray(0.5 * reduced / reduced.std(), np.float32)


def fit_student(
    tokens: Sequence[str],
    texts: Sequence[str],
    wanted: Floats,
    weights: Floats,
    *,
    vectors: Floats,
    settings: Settings | None = None,
    say: Callable[[str], object] = str,
) -> dict[str, Floats]:
    """Fit the network and return its arrays, as `signals._network.Network` takes them.

    Parameters
    ----------
    tokens : sequence of str
        The vocabulary.
    texts : sequence of str
        What to learn from.
    wanted : ndarray of shape (n, 50)
        Probabilities of `examples.TAUGHT`; NaN where nothing is known.
    weights : ndarray of shape (n,)
        Weight of each text.
    vectors : ndarray of shape (len(tokens), d)
        What each word means in general; kept as it is. A word's embedding is a learned view of
        that (the same one for all words, so that rare words learn with frequent ones) and a part
        of its own, which is penalised.
    settings : Settings, optional
        How.
    say : callable
        Takes a line of progress.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "train") from error
    settings = settings or Settings()
    torch.manual_seed(settings.seed)
    torch.set_num_threads(1)  # small steps: a second fit in another process uses a core better
    vocabulary = Vocabulary(tokens)
    rows = vocabulary.rows
    sequences = [TokenIds.of([text], vocabulary).ids[1:-1][:_MAX_TOKENS] for text in texts]
    net = _network(torch, wanted.shape[1], np.pad(vectors, ((0, rows + 1 - len(vectors)), (0, 0))))
    labels, shares = torch.tensor(wanted), torch.tensor(weights, dtype=torch.float32)
    column_weight = torch.ones(len(TAUGHT))
    column_weight[[0, 1, 3, 4, 6, 7]] = 2.0
    column_weight[26:] = 0.5
    batches = _Batches(sequences, settings, rows)
    steps = settings.epochs * (len(sequences) // settings.batch + 1)
    optimizer, schedule = _optimizer(torch, net, settings, steps)
    for epoch in range(settings.epochs):
        started, total = time.monotonic(), 0.0
        for some in batches.shuffled():
            ids, lengths = batches.padded(torch, some)
            known = ~torch.isnan(labels[some])
            loss: Any = torch.nn.functional.binary_cross_entropy_with_logits(
                _forward(torch, net, ids, lengths, settings.dropout),
                torch.nan_to_num(labels[some]),
                reduction="none",
            )
            loss = (loss * known * column_weight * shares[some][:, None]).sum() / 10
            loss = (loss + OWN_PENALTY * net["own"](ids).square().sum()) / len(some)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(some)
        say(f"epoch {epoch}: loss {total / len(texts):.4f}, {time.monotonic() - started:.0f} s")
    return _arrays(net, rows)


def _optimizer(torch: Any, net: dict[str, Any], settings: Settings, steps: int) -> tuple[Any, Any]:
    layers = [part for name, part in net.items() if name not in ("general", "own")]
    shared = [parameter for part in layers for parameter in part.parameters()]
    optimizer = torch.optim.Adam(
        [
            {"params": net["own"].parameters(), "lr": settings.learning_rate / 2},
            {"params": shared, "lr": settings.learning_rate},
        ]
    )
    return optimizer, torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min(1, (n + 1) / 200) * (0.02 + 0.98 * max(0.0, 1 - n / steps))
    )


class _Batches:
    """Token rows in batches of like length."""

    def __init__(
        self, sequences: Sequence[npt.NDArray[np.intp]], settings: Settings, rows: int
    ) -> None:
        self._sequences = sequences
        self._settings = settings
        self._padding = rows
        self._random = random.Random(settings.seed)
        self._numbers = np.random.default_rng(settings.seed)

    def shuffled(self) -> list[list[int]]:
        """Return one epoch's batches."""
        size = self._settings.batch
        order = list(range(len(self._sequences)))
        self._random.shuffle(order)
        order = [
            row
            for start in range(0, len(order), size * 30)
            for row in sorted(
                order[start : start + size * 30], key=lambda i: len(self._sequences[i])
            )
        ]
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        self._random.shuffle(batches)
        return batches

    def padded(self, torch: Any, rows: Sequence[int]) -> tuple[Any, Any]:
        """Return ids (padding, boundary, tokens, boundary, padding…) and pooled lengths."""
        kept = []
        for row in rows:
            sequence = self._sequences[row]
            keep = self._numbers.random(len(sequence)) > self._settings.word_dropout
            kept.append(sequence[keep])
        ids = np.full((len(kept), max(map(len, kept)) + 3), self._padding, np.int64)
        for row, sequence in enumerate(kept):
            ids[row, 1] = ids[row, 2 + len(sequence)] = 0
            ids[row, 2 : 2 + len(sequence)] = sequence
        lengths = np.array([len(sequence) + 1 for sequence in kept], np.float32)
        return torch.from_numpy(ids), torch.from_numpy(lengths)


def _network(torch: Any, outputs: int, vectors: Floats) -> dict[str, Any]:
    """Build the layers; the last row of either embedding is padding, the one before unknown."""
    rows, general = len(vectors), torch.nn.Embedding.from_pretrained(torch.tensor(vectors))
    project = torch.nn.Linear(vectors.shape[1], DIMENSIONS, bias=False)
    torch.nn.init.eye_(project.weight)
    return {
        "general": general,
        "project": project,
        "own": torch.nn.Embedding(rows, DIMENSIONS, _weight=torch.zeros(rows, DIMENSIONS)),
        "kernel": torch.nn.Linear(DIMENSIONS, 3 * WINDOWS, bias=False),
        "bias": torch.nn.Embedding(1, WINDOWS, _weight=torch.zeros(1, WINDOWS)),
        "hidden": torch.nn.Linear(2 * WINDOWS, HIDDEN),
        "output": torch.nn.Linear(HIDDEN, outputs),
    }


def _embedded(net: dict[str, Any], ids: Any) -> Any:
    return net["project"](net["general"](ids)) + net["own"](ids)


def _forward(torch: Any, net: dict[str, Any], ids: Any, lengths: Any, dropout: float) -> Any:
    drop = torch.nn.functional.dropout
    # one product with all three kernels, then shifted sums: several times faster than a
    # convolution layer at this size
    before, here, after = net["kernel"](_embedded(net, ids)).chunk(3, dim=2)
    windows = before[:, :-2] + here[:, 1:-1] + after[:, 2:] + net["bias"].weight[0]
    inside = (torch.arange(windows.shape[1])[None] < lengths[:, None]).unsqueeze(2)
    windows = torch.relu(windows) * inside
    top, mean = windows.amax(1), windows.sum(1) / lengths[:, None]
    pooled = drop(torch.cat([top, mean], 1), dropout)
    return net["output"](drop(torch.relu(net["hidden"](pooled)), dropout))


def _arrays(net: dict[str, Any], rows: int) -> dict[str, Floats]:
    def plain(parameter: Any) -> Floats:
        return np.asarray(parameter.detach().numpy(), np.float32)

    embedding = net["project"](net["general"].weight) + net["own"].weight
    kernel = plain(net["kernel"].weight).reshape(3, WINDOWS, DIMENSIONS)
    return {
        "embedding": plain(embedding)[:rows],
        "kernel": np.ascontiguousarray(kernel.transpose(0, 2, 1)),
        "kernel_bias": plain(net["bias"].weight)[0],
        "hidden": np.ascontiguousarray(plain(net["hidden"].weight).T),
        "hidden_bias": plain(net["hidden"].bias),
        "output": np.ascontiguousarray(plain(net["output"].weight).T),
        "output_bias": plain(net["output"].bias),
    }

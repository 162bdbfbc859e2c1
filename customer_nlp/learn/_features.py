"""Texts to the features of a head, and the fit of one label on them.

Blocks: log-odds of the shipped outputs, the hidden vector, the sum of the words' embeddings, and
words and pairs themselves. Scaling a block
sets how readily it is used, since the penalty is the same for all. The log-odds of a shipped
signal of the same name are left almost free: with few labels a head stays close to that signal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.artifacts import ModelFolder, model_path, open_model
from customer_nlp.calibration import fit_platt, sigmoid
from customer_nlp.codebook import CORE_SIGNALS
from customer_nlp.errors import InvalidRecordError
from customer_nlp.signals import OUTPUTS, Scores, SignalModel
from customer_nlp.signals._own import HEAD_FILE, log_odds
from customer_nlp.signals._tokens import TOKEN, Vocabulary, fold
from customer_nlp.training.linear import LinearFeatures

__all__ = ["STRENGTHS", "Features", "FittedLabel", "Shipped", "as_texts", "fit_label", "shipped"]

Floats = npt.NDArray[np.float64]

#: Shipped outputs that are about customers' messages: nine grades, then the cues.
N_SHOWN: Final = 26
#: Scales of the dense blocks, and of the shipped signal of the same name. Chosen on eleven public
#: labels at 25-400 examples (benchmarks/learning_curve.py).
DENSE_SCALE: Final = 0.3
MEANING_SCALE: Final = 0.15
START_SCALE: Final = 3.0
#: Messages of each answer that each word is taken to stand in before any is read.
_UNSEEN: Final = 0.5
_LEAST_SPREAD: Final = 0.3
#: Values of scikit-learn's C that ``C="auto"`` chooses from, and without enough labels to choose.
STRENGTHS: Final = (0.03, 0.1, 0.3, 1.0, 3.0)
_FALLBACK_STRENGTH: Final = 0.1
#: Rows on which the strength is chosen at most; more change nothing but the time.
_ROWS_FOR_CHOICE: Final = 4000
#: A word enters a model folder as text only when so many messages hold it: names do not.
WORD_IN_MESSAGES: Final = 3
_MOST_OWN_WORDS: Final = 20_000


class Shipped:
    """The base model without heads.

    Parameters
    ----------
    folder : ModelFolder
        Any model folder; `whole` is the model with its heads.
    """

    def __init__(self, folder: ModelFolder) -> None:
        kept = {name: data for name, data in folder.files.items() if not HEAD_FILE.fullmatch(name)}
        self.whole_folder = folder
        self.folder = ModelFolder(folder.name, folder.version, folder.manifest, kept)
        self.tokens = folder.lines("vocabulary.txt")
        self.model = SignalModel(self.folder)
        self.whole = SignalModel(folder) if len(kept) < len(folder.files) else self.model
        arrays = self.folder.arrays("message.safetensors")
        self.embedding = arrays["embedding"].astype(np.float64)
        if "embedding_scale" in arrays:
            self.embedding *= arrays["embedding_scale"].astype(np.float64)[:, None]
        self.hidden_width = self.model.score([""]).hidden.shape[1]

    def dense_of(self, texts: Sequence[str]) -> Floats:
        """Return `dense` of texts."""
        return self.dense(self.model.score(texts))

    def dense(self, scores: Scores) -> Floats:
        """Return log-odds of what is shown and the hidden vector, shape (n, 26 + k)."""
        shown = np.concatenate([scores.graded, scores.cues], axis=1)
        return np.concatenate([log_odds(shown), scores.hidden], axis=1).astype(np.float64)


def shipped(model: str | Path | None) -> Shipped:
    """Open the base model, once for each state of its folder."""
    path = model_path(model)
    return _opened(path, (path / "manifest.json").stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _opened(path: Path, _changed: int) -> Shipped:
    return Shipped(open_model(path))


def as_texts(texts: Any) -> list[str]:
    """Return texts as a list: of a list, an array, a column of a data frame."""
    if isinstance(texts, str):
        raise InvalidRecordError(
            "Expected a list of str; got one str. Put it in a list.", field="texts"
        )
    if len(getattr(texts, "shape", (0,))) != 1:
        raise InvalidRecordError(
            "Expected one column of texts; got a table. Name the column.", field="texts"
        )
    if not isinstance(texts, Iterable):
        raise InvalidRecordError(
            f"Expected a list of str; got {type(texts).__name__}. Put texts in a list.",
            field="texts",
        )
    plain = [str(text) if isinstance(text, str) else text for text in texts]
    for number, text in enumerate(plain):
        if not isinstance(text, str):
            raise InvalidRecordError(
                f"The texts must be str; number {number} is {type(text).__name__}.", field="texts"
            )
    return plain


class Features:
    """Texts to sparse rows, fitted on some texts.

    Parameters
    ----------
    base : Shipped
        What gives the dense blocks.
    texts : sequence of str
        Means, spreads, the words of one's own and their document frequencies come from these.
    words : bool, default=True
        Use words and pairs.
    own_words : iterable of str, optional
        Tokens to list in any case, those of phrases.
    meaning_scale : float, optional
        How readily words are taken for others of like meaning.
    """

    def __init__(
        self,
        base: Shipped,
        texts: Sequence[str],
        *,
        words: bool = True,
        own_words: Iterable[str] = (),
        meaning_scale: float = MEANING_SCALE,
    ) -> None:
        dense = base.dense_of(texts)
        self.mean = dense.mean(axis=0)
        spread = dense.std(axis=0) + _LEAST_SPREAD
        spread[N_SHOWN:] = dense[:, N_SHOWN:].std(axis=0).mean() + 1e-6
        self.scale = spread / DENSE_SCALE
        known = Vocabulary(base.tokens)
        found = _own_words(texts, known) if words else []
        unknown = known.shipped_rows - 1  # numbers and the like have rows of their kind
        wanted = dict.fromkeys([*own_words, *found])
        self.own_words = tuple(word for word in wanted if known[word] == unknown)
        self.linear = LinearFeatures(Vocabulary(base.tokens, self.own_words), texts)
        self.words = words
        meaning = self._meaning(base, self.linear.matrix(texts))
        self.meaning_mean = meaning.mean(axis=0)
        self.meaning_scale = (meaning.std(axis=0).mean() + 1e-6) / meaning_scale

    @property
    def first_word(self) -> int | None:
        """Column of `matrix` from which on words and pairs stand, where there are any."""
        return len(self.mean) + len(self.meaning_mean) if self.words else None

    def matrix(self, base: Shipped, texts: Sequence[str]) -> Any:
        """Return the sparse matrix of texts, shape (n, n_features)."""
        from scipy.sparse import csr_matrix, hstack

        dense = csr_matrix((base.dense_of(texts) - self.mean) / self.scale)
        if not self.words:
            return dense
        words = self.linear.matrix(texts)
        meaning = (self._meaning(base, words) - self.meaning_mean) / self.meaning_scale
        return hstack([dense, csr_matrix(meaning), words]).tocsr()

    def _meaning(self, base: Shipped, words: Any) -> Floats:
        """Return the sum of the words' embeddings; words of one's own are like unknown ones."""
        rows = base.embedding[self._embedding_rows(base)]
        return np.asarray(words[:, : len(rows)] @ rows)

    def _embedding_rows(self, base: Shipped) -> npt.NDArray[np.intp]:
        listed = len(base.embedding)
        return np.minimum(np.arange(listed + len(self.own_words)), listed - 1)

    def word_names(self, base: Shipped) -> list[str]:
        """Return names of the columns of words and pairs."""
        tokens = ["<boundary>", *base.tokens[1:], "<unknown>", *self.own_words]
        pairs = (divmod(key, len(tokens)) for key in self.linear.keys.tolist())
        return [f"word:{one}" for one in tokens] + [
            f"pair:{tokens[first]} {tokens[second]}" for first, second in pairs
        ]

    def head_arrays(
        self, base: Shipped, weights: Floats, bias: Floats
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of a head for weights of shape (n_features, m), with words."""
        n, k = len(self.mean), len(self.meaning_mean)
        dense = weights[:n] / self.scale[:, None]
        meaning = weights[n : n + k] / self.meaning_scale
        bias = bias - self.meaning_mean @ meaning
        linear = weights[n + k :]
        rows = len(self.linear.idf) - len(self.linear.keys)
        # a sum of embeddings is a sum over words, so it goes into the words' weights
        linear[:rows] += base.embedding[self._embedding_rows(base)] @ meaning
        linear *= self.linear.idf[:, None]
        arrays = {
            "from_scores": dense[:N_SHOWN],
            "hidden": dense[N_SHOWN:],
            "bias": bias - self.mean @ dense,
            "word": linear[:rows],
            "pair": linear[rows:],
        }
        kept = {key: array.astype(np.float32) for key, array in arrays.items()}
        return kept | {"pair_key": self.linear.keys}


def _own_words(texts: Sequence[str], known: Vocabulary) -> list[str]:
    seen: Counter[str] = Counter()
    unknown = known.shipped_rows - 1
    for text in texts:
        seen.update({w for w in TOKEN.findall(fold(text)) if w.isalpha() and known[w] == unknown})
    return [w for w, n in seen.most_common(_MOST_OWN_WORDS) if n >= WORD_IN_MESSAGES]


def start_column(name: str | None) -> int | None:
    """Return the column of the shipped output that a label starts from, where there is one."""
    output = f"{name}>=1" if name in CORE_SIGNALS else name
    return OUTPUTS.index(output) if output in OUTPUTS[:N_SHOWN] else None


@dataclass(frozen=True, slots=True, repr=False)
class FittedLabel:
    """One label's weights, calibrated on held-out folds.

    Parameters
    ----------
    weights : ndarray of shape (n_features,)
        And `bias`: log-odds are ``x @ weights + bias``.
    bias : float
        See there.
    strength : float
        The C that was used.
    held_out : ndarray of shape (n,)
        Probabilities of the training rows by models that have not seen their group; NaN where
        there is no label, or too few for folds.
    """

    weights: Floats
    bias: float
    strength: float
    held_out: Floats


def fit_label(
    x: Any,
    y: Floats,
    sample_weight: Floats,
    folds: npt.NDArray[np.intp] | None,
    *,
    strength: float | None,
    start: int | None,
    first_word: int | None = None,
) -> FittedLabel:
    """Fit a regularised logistic regression for one label.

    Parameters
    ----------
    x : sparse matrix of shape (n, n_features)
        Rows of `Features.matrix`.
    y : ndarray of shape (n,)
        1, 0, or NaN for unknown.
    sample_weight : ndarray of shape (n,)
        Weight of each row.
    folds : ndarray of shape (n,), optional
        Fold of each row; without, nothing is chosen or calibrated.
    strength : float, optional
        C; chosen by held-out log loss when missing.
    start : int, optional
        Column that the label starts from.
    first_word : int, optional
        Column from which on a feature is a word or a pair: those that part the answers in the
        training rows are used more readily.
    """
    from scipy.sparse import diags

    known = ~np.isnan(y)
    if start is not None:
        free = np.ones(x.shape[1])
        free[start] = START_SCALE / DENSE_SCALE
        x = x @ diags(free)
    rows, wanted, weight = x[known], y[known].astype(int), sample_weight[known]
    held_out = np.full(len(y), np.nan)
    if folds is None:
        strength = strength or _FALLBACK_STRENGTH
        slope, offset = 1.0, 0.0
    else:
        strength = strength or _chosen(rows, wanted, weight, folds[known], first_word)
        logits = _held_out(rows, wanted, weight, folds[known], strength, first_word)
        slope, offset = fit_platt(logits, wanted, weight)
        held_out[known] = sigmoid(slope * logits + offset)
    weights, bias = _logistic(rows, wanted, weight, strength, first_word)
    if start is not None:
        weights = weights * free
    return FittedLabel(slope * weights, slope * bias + offset, float(strength), held_out)


def _chosen(
    x: Any,
    y: npt.NDArray[np.intp],
    weight: Floats,
    folds: npt.NDArray[np.intp],
    first_word: int | None,
) -> float:
    some = np.arange(len(y))
    if len(y) > _ROWS_FOR_CHOICE:
        some = np.sort(np.random.default_rng(0).choice(some, _ROWS_FOR_CHOICE, replace=False))
    x, y, weight, folds = x[some], y[some], weight[some], folds[some]
    signs = 1 - 2 * y

    def loss(strength: float) -> float:
        logits = np.clip(_held_out(x, y, weight, folds, strength, first_word), -10, 10)
        return float((weight * np.logaddexp(0, signs * logits)).sum())

    return min(STRENGTHS, key=loss)


def _held_out(
    x: Any,
    y: npt.NDArray[np.intp],
    weight: Floats,
    folds: npt.NDArray[np.intp],
    strength: float,
    first_word: int | None,
) -> Floats:
    logits = np.zeros(len(y))
    for fold_number in np.unique(folds):
        ours = folds == fold_number
        weights, bias = _logistic(x[~ours], y[~ours], weight[~ours], strength, first_word)
        logits[ours] = x[ours] @ weights + bias
    return logits


def _logistic(
    x: Any,
    y: npt.NDArray[np.intp],
    weight: Floats,
    strength: float,
    first_word: int | None,
) -> tuple[Floats, float]:
    from scipy.sparse import diags
    from sklearn.linear_model import LogisticRegression

    positive = float((weight * y).sum() / weight.sum())
    if positive in {0.0, 1.0}:  # a fold without one of the answers: what is known is the share
        p = (positive * len(y) + 1) / (len(y) + 2)
        return np.zeros(x.shape[1]), float(np.log(p / (1 - p)))
    telling = np.ones(x.shape[1])
    if first_word is not None:
        telling[first_word:] = _telling(x[:, first_word:], y, weight)
    fitted = LogisticRegression(
        C=strength, solver="liblinear", max_iter=300, random_state=0, intercept_scaling=5.0
    ).fit(x @ diags(telling), y, sample_weight=weight)
    return telling * fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0])


def _telling(words: Any, y: npt.NDArray[np.intp], weight: Floats) -> Floats:
    """Return how far each word parts the answers, as a scale with mean square one.

    The log-odds ratio of naive Bayes: Wang and Manning, "Baselines and Bigrams" (2012).
    """
    shown = words.astype(bool).astype(np.float64)
    weight = weight * (len(y) / weight.sum())
    answers = np.stack([weight * (y == answer) for answer in (1, 0)], axis=1)
    counts = shown.T @ answers
    shares = (counts + _UNSEEN) / (answers.sum(axis=0) + 2 * _UNSEEN)
    ratio = np.abs(np.log(shares[:, 0]) - np.log(shares[:, 1]))
    seen = counts.any(axis=1)
    return ratio / np.sqrt(np.mean(ratio[seen] ** 2)) if ratio[seen].any() else np.ones(len(ratio))


def folds_of(
    y: Floats, groups: npt.NDArray[np.intp], wanted: int, seed: int
) -> npt.NDArray[np.intp] | None:
    """Return the fold of each row, groups uncut and answers spread; ``None`` with too few.

    Parameters
    ----------
    y : ndarray of shape (n,)
        1, 0 or NaN.
    groups : ndarray of shape (n,)
        Group of each row.
    wanted : int
        Folds; fewer when fewer groups hold the rarer answer.
    seed : int
        Of the shuffle.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    answers = [len(np.unique(groups[y == answer])) for answer in (0, 1)]
    count = min(wanted, *answers)
    if count < 2:
        return None
    strata = np.where(np.isnan(y), 2, y).astype(int)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = np.zeros(len(y), np.intp)
    enough = np.bincount(strata)[2:] if strata.max() == 2 else np.array([], int)
    if enough.size and enough[0] < count:  # too few unknown rows to be a class of their own
        strata[strata == 2] = 0
    for number, (_, ours) in enumerate(splitter.split(np.zeros(len(y)), strata, groups)):
        folds[ours] = number
    return folds

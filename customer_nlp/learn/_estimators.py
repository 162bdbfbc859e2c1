"""scikit-learn's grammar over the shipped model: texts or threads in, features or labels out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from customer_nlp import review
from customer_nlp.actions import FEATURES, Recommender, ThreadFeatures, observe
from customer_nlp.analyzer import as_thread
from customer_nlp.calibration import sigmoid
from customer_nlp.codebook import ACTIONS
from customer_nlp.errors import InvalidRecordError
from customer_nlp.learn._features import (
    DENSE_SCALE,
    N_SHOWN,
    Features,
    FittedLabel,
    Shipped,
    as_texts,
    fit_label,
    folds_of,
    shipped,
    start_column,
)
from customer_nlp.learn._intervals import group_numbers, same_length
from customer_nlp.signals import OUTPUTS, score_messages
from customer_nlp.signals._own import log_odds

__all__ = ["ActionClassifier", "SignalClassifier", "SignalVectorizer"]

Floats = npt.NDArray[np.float64]

#: Below this spread a feature of threads counts as constant.
_LEAST_SPREAD: Final = 0.05


class _OverTexts:
    """Says to scikit-learn that rows are no numbers."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


class SignalVectorizer(_OverTexts, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts to what the model says of them.

    Parameters
    ----------
    model : str or Path, optional
        A shipped model (``"en"``, the default) or a model folder.
    hidden : bool, default=False
        Add the hidden vector.
    words : bool, default=False
        Add words and pairs of neighbours by inverse document frequency; the result is then sparse.

    Notes
    -----
    Columns are P(grade >= 1..3) of each core signal, P(cue), signals of one's own in the folder,
    then those asked for. Without `words` nothing is learned and `fit` is not needed.
    """

    def __init__(
        self, *, model: str | Path | None = None, hidden: bool = False, words: bool = False
    ) -> None:
        self.model = model
        self.hidden = hidden
        self.words = words

    def fit(self, X: Any, y: Any = None) -> SignalVectorizer:  # noqa: N803, ARG002
        """Learn the words of texts, where asked for; return self."""
        texts = as_texts(X)
        if not texts:
            raise InvalidRecordError("Expected at least one text; got 0 samples.", field="texts")
        base = shipped(self.model)
        base.model.score(texts)  # refuses what is no str
        if self.words:
            self.features_ = Features(base, texts)
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        """Return features, shape (n, n_features): float32, dense, or sparse with `words`.

        Parameters
        ----------
        X : sequence of str
            Texts.
        """
        if self.words:
            check_is_fitted(self)
        texts = as_texts(X)
        base = shipped(self.model)
        scores = base.whole.score(texts)
        parts = [scores.graded, scores.cues, scores.own] + [scores.hidden] * bool(self.hidden)
        dense = np.concatenate(parts, axis=1)
        if not self.words:
            return dense
        from scipy.sparse import csr_matrix, hstack

        return hstack([csr_matrix(dense), self.features_.linear.matrix(texts)], "csr", np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return the name of each column, ``confusion>=1`` … ``resolved``, ``hidden0``, words."""
        base = shipped(self.model)
        names = [*OUTPUTS[:N_SHOWN], *base.whole.own_names]
        if self.hidden:
            names += [f"hidden{i}" for i in range(base.hidden_width)]
        if self.words:
            check_is_fitted(self)
            names += self.features_.word_names(base)
        return np.array(names, object)

    def __sklearn_is_fitted__(self) -> bool:
        return not self.words or hasattr(self, "features_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = bool(self.words)
        return tags


class _LabelFitter(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """One logistic regression a label over rows that a subclass makes."""

    C: float | str
    cv: int
    random_state: int

    def _fit_columns(self, x: Any, y: Any, sample_weight: Any, groups: Any) -> None:
        wanted = self._columns(y)
        n = len(wanted)
        rows = np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)
        same_length(X=np.empty(x.shape[0]), y=wanted, sample_weight=rows)
        numbers = group_numbers(groups, n)
        self.columns_: list[FittedLabel] = []
        for column, name in zip(wanted.T, self._column_names(), strict=True):
            folds = folds_of(column, numbers, self.cv, self.random_state)
            strength = None if self.C == "auto" else float(self.C)
            start = self._start(str(name))
            fitted = fit_label(
                x, column, rows, folds,
                strength=strength, start=start, first_word=self._first_word(),
            )  # fmt: skip
            self.columns_.append(fitted)

    def _column_names(self) -> Sequence[Any]:
        """Return the name of each fitted column: of two classes the second is fitted."""
        two = not self.multilabel_ and len(self.classes_) == 2
        return list(self.classes_[1:] if two else self.classes_)

    @abstractmethod
    def _start(self, name: str) -> int | None:
        """Return the feature that a label starts from, or none."""

    def _first_word(self) -> int | None:
        """Return the feature from which on words stand, where there are any."""
        return None

    def _columns(self, y: Any) -> Floats:
        """Return one column of 1, 0 or NaN a label; set `classes_`."""
        wanted = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        self.multilabel_ = wanted.ndim == 2
        if self.multilabel_:
            wanted = wanted.astype(np.float64)
            if not np.isin(wanted[~np.isnan(wanted)], (0, 1)).all():
                raise InvalidRecordError(
                    "Several labels must be columns of 1, 0 or NaN; got other values.", field="y"
                )
            self.classes_ = self._label_names(wanted.shape[1])
            for column, name in zip(wanted.T, self.classes_, strict=True):
                if len(np.unique(column[~np.isnan(column)])) < 2:
                    raise InvalidRecordError(
                        f"The label {name} must have both answers; it has one.", field="y"
                    )
            return wanted
        if wanted.dtype.kind == "f" and np.isnan(wanted).any():
            raise InvalidRecordError(
                "One label must be known for every row; got NaN. Leave those rows out, or give the "
                "label as a column of a table.",
                field="y",
            )
        check_classification_targets(wanted)
        self.classes_ = np.unique(wanted)
        if len(self.classes_) < 2:
            raise InvalidRecordError(
                "Expected at least two classes in y; got one class.", field="y"
            )
        ours = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        return np.asarray(wanted[:, None] == ours[None, :], np.float64)

    @abstractmethod
    def _label_names(self, count: int) -> npt.NDArray[Any]:
        """Return the names of the columns of a `y` of several labels."""

    @abstractmethod
    def _rows(self, X: Any) -> Any:  # noqa: N803
        """Return the features of what `predict` is asked about."""

    @property
    def coef_(self) -> Floats:
        """Weights of each label, shape (m, n_features)."""
        return np.stack([column.weights for column in self.columns_])

    @property
    def intercept_(self) -> Floats:
        """Bias of each label, shape (m,)."""
        return np.array([column.bias for column in self.columns_])

    @property
    def held_out_(self) -> Floats:
        """P(label) of the training rows by models that have not seen their group, shape (n, m).

        NaN where a label was unknown, or had too few examples for folds.
        """
        return np.stack([column.held_out for column in self.columns_], axis=1)

    def decision_function(self, X: Any) -> Floats:  # noqa: N803
        """Return log-odds, shape (n,) for two classes, else (n, n_classes)."""
        check_is_fitted(self)
        logits = np.asarray(self._rows(X) @ self.coef_.T + self.intercept_)
        two = not self.multilabel_ and len(self.classes_) == 2
        return np.asarray(logits[:, 0] if two else logits)

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        """Return probabilities, shape (n, n_classes); rows of single labels sum to one."""
        logits = self.decision_function(X)
        p = sigmoid(logits).astype(np.float64)
        if logits.ndim == 1:
            return np.stack([1 - p, p], axis=1)
        return p if self.multilabel_ else p / p.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """Return the likeliest class of each row; for several labels 1 from P = 0.5, else 0."""
        p = self.predict_proba(X)
        if self.multilabel_:
            return (p >= 0.5).astype(np.int64)
        return np.asarray(self.classes_[np.argmax(p, axis=1)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class SignalClassifier(_OverTexts, _LabelFitter):
    """Labels of one's own on texts, on top of the shipped model.

    Parameters
    ----------
    labels : str or sequence of str, optional
        Names of the labels, in the order of the columns of `y`. One called like a shipped signal
        or cue starts from it.
    C : float or 'auto', default='auto'
        Inverse strength of the penalty; 'auto' chooses by held-out log loss.
    words : bool, default=True
        Use words and pairs of neighbours beside what the model says.
    model : str or Path, optional
        The model to start from; signals of one's own in it are not used.
    cv : int, default=5
        Folds that the strength is chosen and probabilities are calibrated on.
    random_state : int, default=0
        Of the folds.

    Attributes
    ----------
    classes_ : ndarray
        The classes; for several labels their names, or numbers where `labels` is missing.
    held_out_ : ndarray of shape (n, m)
        Cross-fitted probabilities of the training texts.

    Notes
    -----
    Logistic regression over log-odds of the shipped outputs, the hidden vector, words and pairs,
    calibrated by Platt's method on held-out folds. Words and pairs are scaled by their naive Bayes
    log-odds ratio (Wang and Manning, 2012). Seeded and deterministic. Cost: linear in the texts,
    times the folds and strengths tried.
    """

    def __init__(
        self,
        labels: str | Sequence[str] | None = None,
        *,
        C: float | str = "auto",  # noqa: N803
        words: bool = True,
        model: str | Path | None = None,
        cv: int = 5,
        random_state: int = 0,
    ) -> None:
        self.labels = labels
        self.C = C
        self.words = words
        self.model = model
        self.cv = cv
        self.random_state = random_state

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> SignalClassifier:
        """Fit; return self.

        Parameters
        ----------
        X : sequence of str
            Texts.
        y : array-like of shape (n,) or (n, m)
            Classes, or a column of 1, 0 or NaN (unknown) a label.
        sample_weight : array-like of shape (n,), optional
            Weight of each text.
        groups : array-like of shape (n,), optional
            What a text belongs to, such as its thread: held-out folds never cut one.

        Raises
        ------
        InvalidRecordError
            When a text is no str, lengths differ, or a label has one answer only.
        """
        texts = as_texts(X)
        if not texts:
            raise InvalidRecordError("Expected at least one text; got 0 samples.", field="texts")
        same_length(X=texts, y=y if hasattr(y, "__len__") else np.asarray(y))
        base = shipped(self.model)
        self.features_ = Features(base, texts, words=self.words)
        x = self.features_.matrix(base, texts)
        self._fit_columns(x, y, sample_weight, groups)
        return self

    def _column_names(self) -> Sequence[Any]:
        if isinstance(self.labels, str) and not self.multilabel_ and len(self.classes_) == 2:
            return [self.labels]
        return super()._column_names()

    def _start(self, name: str) -> int | None:
        return start_column(name)

    def _first_word(self) -> int | None:
        return self.features_.first_word

    def _label_names(self, count: int) -> npt.NDArray[Any]:
        if self.labels is None:
            return np.arange(count)
        names = [self.labels] if isinstance(self.labels, str) else list(self.labels)
        if len(names) != count:
            raise InvalidRecordError(
                f"The labels must name the columns of y: got {len(names)} names and {count} "
                "columns.",
                field="labels",
            )
        return np.array(names, object)

    def _rows(self, X: Any) -> Any:  # noqa: N803
        return self.features_.matrix(shipped(self.model), as_texts(X))


class ActionClassifier(_OverTexts, _LabelFitter):
    """Actions of one's own gold on threads, on top of the shipped recommender.

    Parameters
    ----------
    actions : sequence of str, default=codebook.ACTIONS
        Names of the columns of a `y` of shape (n, m). A shipped action starts from what the
        shipped recommender says of it.
    C : float or 'auto', default='auto'
        Inverse strength of the penalty.
    model : str or Path, optional
        The model to start from.
    cv : int, default=5
        Folds that the strength is chosen and probabilities are calibrated on.
    random_state : int, default=0
        Of the folds.

    Attributes
    ----------
    classes_ : ndarray
        The actions; for a `y` of names those that occur.

    Notes
    -----
    A thread is judged after its last customer turn, as `Analyzer.analyze` does. The rules of the
    codebook that bind actions are not applied here.
    """

    def __init__(
        self,
        actions: Sequence[str] = ACTIONS,
        *,
        C: float | str = "auto",  # noqa: N803
        model: str | Path | None = None,
        cv: int = 5,
        random_state: int = 0,
    ) -> None:
        self.actions = actions
        self.C = C
        self.model = model
        self.cv = cv
        self.random_state = random_state

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> ActionClassifier:
        """Fit; return self.

        Parameters
        ----------
        X : sequence of Thread, str, or list of Message or dict
            Whatever `Analyzer.analyze` takes.
        y : array-like of shape (n,) or (n, m)
            Name of the primary action, or a column of 1, 0 or NaN an action.
        sample_weight : array-like of shape (n,), optional
            Weight of each thread.
        groups : array-like of shape (n,), optional
            What a thread belongs to, such as its customer: held-out folds never cut one.
        """
        dense = _thread_features(shipped(self.model), X)
        self.mean_, self.scale_ = dense.mean(axis=0), dense.std(axis=0) + _LEAST_SPREAD
        self._fit_columns(self._scaled(dense), y, sample_weight, groups)
        return self

    def _scaled(self, dense: Floats) -> Any:
        from scipy.sparse import csr_matrix

        return csr_matrix((dense - self.mean_) / self.scale_ * DENSE_SCALE)

    def _label_names(self, count: int) -> npt.NDArray[Any]:
        if len(self.actions) != count:
            raise InvalidRecordError(
                f"The actions must name the columns of y: got {len(self.actions)} names and "
                f"{count} columns.",
                field="actions",
            )
        return np.array(list(self.actions), object)

    def _start(self, name: str) -> int | None:
        return len(FEATURES) + ACTIONS.index(name) if name in ACTIONS else None

    def _rows(self, X: Any) -> Any:  # noqa: N803
        return self._scaled(_thread_features(shipped(self.model), X))


def _thread_features(base: Shipped, threads: Any) -> Floats:
    """Return features after the last customer turn and the shipped log-odds of each action."""
    if isinstance(threads, str) or not len(threads):
        raise InvalidRecordError(
            "Expected a list of threads; got one str or 0 samples.", field="threads"
        )
    recommender, reviewer = Recommender(base.folder), review.Reviewer.of(base.folder)
    rows = []
    for one in threads:
        thread = as_thread(one)
        features = ThreadFeatures(channel=thread.channel)
        scored = score_messages(base.model, thread.messages)
        asked = (one.message.role == "customer" and one.scores is not None for one in scored)
        scored = scored[: max((n for n, yes in enumerate(asked, 1) if yes), default=0)]
        seen = [] if reviewer is None else review.observe(base.model, scored)
        verdicts = {one.index: reviewer.judge(one).row for one in seen if reviewer}
        for place, message in enumerate(scored):
            features.timeline.add(message.message)
            observe(features, message, verdicts.get(place))
        vector = features.vector()
        leaning = recommender.leaning.told(vector)
        said = recommender.advise(leaning, offer_made=True).probability
        p = np.array([said[name] for name in ACTIONS], np.float32)
        rows.append(np.concatenate([vector, log_odds(p)]))
    return np.stack(rows).astype(np.float64)

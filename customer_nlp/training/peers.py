"""What a user would pick instead, trained on the same messages: rows in, scores out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.codebook import CORE_SIGNALS, MAX_GRADE
from customer_nlp.errors import MissingExtraError
from customer_nlp.signals._tokens import fold
from customer_nlp.training.examples import Example, targets
from customer_nlp.training.minilm import mean_vectors
from customer_nlp.training.teacher import load_soft_labels

__all__ = ["PEERS", "Peer"]

Floats = npt.NDArray[np.float32]
#: Columns of the targets that say whether a core signal is there at all.
_FIRST_GRADES: Final = tuple(range(0, len(CORE_SIGNALS) * MAX_GRADE, MAX_GRADE))
_TEXTCAT_EPOCHS: Final = 6
#: Takes train rows, test rows and a column of the targets; ``None`` when not installed, NaN for a
#: message that it has not judged.
Peer = Callable[[Sequence[Example], Sequence[Example], int], Floats | None]


def vader(train: Sequence[Example], test: Sequence[Example], column: int) -> Floats | None:
    """Negated compound polarity of VADER (Hutto & Gilbert 2014): it has nothing to train."""
    del train, column
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        return None
    analyzer = SentimentIntensityAnalyzer()
    return np.array([-analyzer.polarity_scores(row.text)["compound"] for row in test], np.float32)


def tfidf(train: Sequence[Example], test: Sequence[Example], column: int) -> Floats | None:
    """TF-IDF of words 1-2 and characters 2-5, logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    union = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, preprocessor=fold),
        TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2, preprocessor=fold
        ),
    )
    x = union.fit_transform([row.text for row in train])
    return _logistic(x, targets(train)[:, column], union.transform([row.text for row in test]))


def minilm(train: Sequence[Example], test: Sequence[Example], column: int) -> Floats | None:
    """Sentence embeddings of all-MiniLM-L6-v2, logistic regression."""
    x = _embedded(tuple(row.text for row in train))
    z = _embedded(tuple(row.text for row in test))
    if x is None or z is None:
        return None
    return _logistic(x, targets(train)[:, column], z)


def _tuned(*encoders: str) -> Peer:
    """Ask encoders fine-tuned on the same messages: the teachers' own cached judgements."""

    def asked(train: Sequence[Example], test: Sequence[Example], column: int) -> Floats | None:
        del train
        try:
            known = load_soft_labels(encoders=encoders).held_out
        except FileNotFoundError:
            return None
        return np.array([known[r.key][column] if r.key in known else np.nan for r in test])

    return asked


def textcat(train: Sequence[Example], test: Sequence[Example], column: int) -> Floats | None:
    """Train the text categoriser of spaCy, as it comes, on all core signals at once."""
    wanted = targets(train)[:, _FIRST_GRADES] > 0
    asked = tuple(row.text for row in test)
    scores = _textcat(tuple(row.text for row in train), wanted.tobytes(), asked)
    return None if scores is None else scores[:, _FIRST_GRADES.index(column)]


@lru_cache(maxsize=1)
def _textcat(texts: tuple[str, ...], wanted: bytes, asked: tuple[str, ...]) -> Floats | None:
    try:
        import spacy
        import thinc.api
        from spacy.training import Example as Pair
    except ImportError:
        return None
    labels = np.frombuffer(wanted, np.bool_).reshape(len(texts), -1)
    names = [str(column) for column in _FIRST_GRADES]
    thinc.api.fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat_multilabel")
    pairs = [
        Pair.from_dict(nlp.make_doc(text), {"cats": dict(zip(names, map(float, row), strict=True))})
        for text, row in zip(texts, labels.tolist(), strict=True)
    ]
    nlp.initialize(lambda: pairs)
    rng = np.random.default_rng(0)
    for _ in range(_TEXTCAT_EPOCHS):
        order = rng.permutation(len(pairs))
        for start in range(0, len(pairs), 128):
            nlp.update([pairs[i] for i in order[start : start + 128]], drop=0.2)
    said = [doc.cats for doc in nlp.pipe(asked)]
    return np.array([[cats[name] for name in names] for cats in said], np.float32)


def _logistic(x: Any, y: Floats, z: Any) -> Floats:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=8, class_weight="balanced", max_iter=1000).fit(x, y.astype(int))
    return np.asarray(fitted.decision_function(z), np.float32)


@lru_cache(maxsize=4)
def _embedded(texts: tuple[str, ...]) -> Floats | None:
    try:
        vectors = mean_vectors(texts, batch=64, max_tokens=160)
    except MissingExtraError:
        return None
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


PEERS: Final[Mapping[str, Peer]] = {
    "VADER": vader,
    "TF-IDF + logistic regression": tfidf,
    "MiniLM embeddings + logistic regression": minilm,
    "spaCy textcat": textcat,
    "fine-tuned MiniLM": _tuned("minilm"),
    "the teachers, fine-tuned MiniLM and MPNet": _tuned("minilm", "mpnet"),
}

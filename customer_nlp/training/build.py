"""``make model``: from the corpus and the teacher's soft labels to a model folder."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.actions import FEATURES, Leaning, ThreadFeatures, observe
from customer_nlp.artifacts import FORMAT, ModelFolder, dump_arrays, open_model, write_model
from customer_nlp.calibration import best_threshold, fit_platt, sigmoid
from customer_nlp.codebook import ACTIONS, CHANNELS, TIMINGS
from customer_nlp.signals import OUTPUTS, Scores, SignalModel, score_messages
from customer_nlp.signals._network import Network
from customer_nlp.signals._tokens import TokenIds, Vocabulary
from customer_nlp.training.corpus import Corpus, Gold, LabelledThread, load_corpus
from customer_nlp.training.examples import (
    FOLDS,
    N_CUSTOMER,
    Example,
    customer_target,
    examples,
    fold_of,
    lessons,
)
from customer_nlp.training.linear import LinearFeatures, fit_column
from customer_nlp.training.review_model import fit_review
from customer_nlp.training.student import build_vocabulary, fit_student, starting_vectors
from customer_nlp.training.teacher import EVERY_FOLD, SoftLabels, load_soft_labels

__all__ = ["HEADS", "build", "refit"]

Floats = npt.NDArray[np.float32]

NAME: Final = "en"
VERSION: Final = "1.4.5"
#: Unlabelled texts that the linear part sees.
POOL_TEXTS: Final = 20000
#: How much a labelled text counts beside an unlabelled one.
LABELLED_WEIGHT: Final = 3.0
#: Strength of the penalty on the action model's weights (scikit-learn's C).
ACTION_C: Final = 0.01
#: Where fitted networks are kept, so that `refit` need not fit them again.
CACHE: Final = Path(__file__).resolve().parents[2] / "data" / "cache"
#: Models that stand on the message model and can be fitted anew without it.
HEADS: Final = ("actions", "review")


def build(out: Path, corpus: Corpus, soft: SoftLabels) -> None:
    """Fit everything and write the model folder. Cost: a quarter of an hour on two cores."""
    rows = examples(corpus)
    message = _message(corpus, rows, soft, anew=True)
    whole = SignalModel(ModelFolder(NAME, VERSION, {}, message.files(None)))
    heads = _head_files(message, corpus, HEADS, whole, message.leaning)
    files = message.files(None) | heads
    about = _about(corpus, rows) | {"metrics": {"held_out_f1": message.held_out_f1}}
    write_model(out, name=NAME, version=VERSION, files=files, about=about)


def refit(out: Path, corpus: Corpus, soft: SoftLabels, heads: Iterable[str]) -> None:
    """Fit some of `HEADS` of a folder anew; its message model stays as it is.

    Notes
    -----
    Every thread is scored by networks and weights that have not seen it; `build` left those
    networks in its cache, and on another machine they are fitted again. What stands for the
    wording is always of the folder's own network: no other has the same hidden vectors.
    """
    folder = open_model(out)
    message = _message(corpus, examples(corpus), soft, anew=False)
    leaning = Leaning.of(folder.arrays("actions.safetensors"))
    fitted = _head_files(message, corpus, heads, SignalModel(folder), leaning)
    files = {**folder.files, **fitted}
    about = {**folder.manifest, "data_sha256": _hashes(corpus)}
    write_model(out, name=folder.name, version=VERSION, files=files, about=about)


def _message(corpus: Corpus, rows: Sequence[Example], soft: SoftLabels, *, anew: bool) -> _Message:
    pool, pool_folds = soft.texts(corpus, rows)
    students = _students(rows, pool, pool_folds, soft, anew=anew)
    known = [row for row in rows if row.split != "test"]
    return _Message(students, _Linear(students.tokens, known, pool, soft), known)


class _HeldOut(SignalModel):
    """A message model that has not seen a fold, with the hidden vectors of the shipped one.

    Those stand for the wording among the features of the heads; each network has its own.
    """

    def __init__(self, files: dict[str, bytes], whole: SignalModel) -> None:
        super().__init__(ModelFolder(NAME, VERSION, {}, files))
        self._whole = whole

    def score(self, texts: Sequence[str]) -> Scores:
        """Score texts by what has not seen them."""
        return replace(super().score(texts), hidden=self._whole.score(texts).hidden)


def _head_files(
    message: _Message, corpus: Corpus, heads: Iterable[str], whole: SignalModel, leaning: Leaning
) -> dict[str, bytes]:
    by_fold = {fold: _HeldOut(message.files(fold), whole) for fold in range(FOLDS)}
    files: dict[str, bytes] = {}
    threads = [*corpus.threads, *corpus.posts]
    review = fit_review(by_fold, threads)  # the action model goes by what it says, too
    for head in heads:
        arrays, settings = review.arrays, review.settings
        if head == "actions":
            arrays, settings = fit_actions(by_fold, threads, leaning, review.held_out)
        files |= {f"{head}.safetensors": dump_arrays(arrays), f"{head}.json": _json(settings)}
    return files


def _say(line: str) -> None:
    sys.stderr.write(f"model: {line}\n")
    sys.stderr.flush()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _Students:
    """The network fitted to all texts (``None``), and without each fold and what is made of it."""

    tokens: list[str]
    arrays: dict[int | None, dict[str, Floats]]


def _students(
    rows: Sequence[Example],
    pool: Sequence[str],
    pool_folds: npt.NDArray[np.intp],
    soft: SoftLabels,
    *,
    anew: bool,
) -> _Students:
    """Fit the window networks to the teacher alone: no label of a message reaches them directly.

    Not `anew`, networks of the last build are taken where they were fitted to the same texts.
    """
    from joblib import Memory, Parallel, delayed

    known = [
        row
        for row in rows
        if row.split != "test" and row.key in soft.held_out and row.key not in soft.test
    ]
    texts = [*(row.text for row in known), *pool]
    folds = np.array([*(fold_of(row.group) for row in known), *pool_folds])
    logits = np.concatenate([np.stack([soft.held_out[row.key] for row in known]), soft.pool])
    weights = np.ones(len(texts), np.float32)
    weights[: len(known)] = LABELLED_WEIGHT
    # a changed word keeps no capital of a name, so variants say nothing of what is one
    public = [text for text, fold in zip(pool, pool_folds, strict=True) if fold == EVERY_FOLD]
    tokens = build_vocabulary([*(row.text for row in rows if row.split != "test"), *public])
    _say(f"{len(known)} labelled and {len(pool)} unlabelled texts, {len(tokens)} tokens")
    wanted, vectors = sigmoid(logits), starting_vectors(tokens)
    fit = Memory(CACHE, verbose=0).cache(fit_student, ignore=["say"])
    if anew:
        fit.clear(warn=False)  # it would not notice a change in what `fit_student` calls
    parts: list[int | None] = [None, *range(FOLDS)]
    kept = [np.flatnonzero((folds != part) | (part is None)) for part in parts]
    fitted = Parallel(n_jobs=2)(
        delayed(fit)(
            tokens, [texts[i] for i in some], wanted[some], weights[some], vectors=vectors, say=_say
        )
        for some in kept
    )
    return _Students(tokens, dict(zip(parts, map(_parted, fitted), strict=True)))


def _parted(arrays: dict[str, Floats]) -> dict[str, Floats]:
    """Keep what the last layer says of actions apart from the outputs of the message model."""
    parted, first = dict(arrays), len(OUTPUTS)
    for name in ("output", "output_bias"):
        parted[name] = arrays[name][..., :first]
        parted[name.replace("output", "leaning")] = arrays[name][..., first:]
    return parted


class _Linear:
    """The linear part, fitted on all known rows and, for held-out scores, without each fold."""

    def __init__(
        self,
        tokens: Sequence[str],
        known: Sequence[Example],
        pool: Sequence[str],
        soft: SoftLabels,
    ) -> None:
        from joblib import Parallel, delayed

        self.tokens = tokens
        self.features = LinearFeatures(Vocabulary(tokens), [row.text for row in known])
        self.folds = np.array([fold_of(row.group) for row in known])
        x = self.features.matrix([row.text for row in known])
        chosen = np.random.default_rng(0).choice(
            len(pool), min(POOL_TEXTS, len(pool)), replace=False
        )
        z = self.features.matrix([pool[i] for i in chosen])
        p, wanted = sigmoid(soft.pool[chosen]), lessons(known)[:, : len(OUTPUTS)]
        jobs = [(fold, column) for fold in (None, *range(FOLDS)) for column in range(len(OUTPUTS))]
        fitted = Parallel(n_jobs=2)(
            delayed(fit_column)(
                x if fold is None else x[self.folds != fold],
                wanted[:, column] if fold is None else wanted[self.folds != fold, column],
                z,
                p[:, column],
            )
            for fold, column in jobs
        )
        by_job = dict(zip(jobs, fitted, strict=True))
        self.weights = {
            fold: np.stack([by_job[fold, column][0] for column in range(len(OUTPUTS))], axis=1)
            for fold in (None, *range(FOLDS))
        }
        self.biases = {
            fold: np.array([by_job[fold, column][1] for column in range(len(OUTPUTS))], np.float32)
            for fold in (None, *range(FOLDS))
        }
        self.held_out = np.zeros(wanted.shape, np.float32)
        for fold in range(FOLDS):
            ours = self.folds == fold
            self.held_out[ours] = x[ours] @ self.weights[fold] + self.biases[fold]
        _say(f"linear part: {x.shape[1]} words and pairs")


class _Message:
    """Networks and linear parts joined: one slope each, an offset and a threshold an output."""

    def __init__(self, students: _Students, linear: _Linear, known: Sequence[Example]) -> None:
        self._students, self._linear = students, linear
        whole = students.arrays[None]
        self.leaning = Leaning(whole["leaning"], whole["leaning_bias"])
        network = self._held_out(known)
        wanted = lessons(known)[:, : len(OUTPUTS)]
        self._slopes, self._thresholds = [], []
        #: Of every output on messages that neither part had seen, at its threshold.
        self.held_out_f1: dict[str, float] = {}
        for column, name in enumerate(OUTPUTS):
            applies = ~np.isnan(wanted[:, column])
            x = np.stack([network[applies, column], linear.held_out[applies, column]], axis=1)
            y = wanted[applies, column].astype(int)
            slopes = _joined(x, y)
            p = sigmoid(x @ slopes[:2] + slopes[2])
            threshold, f1 = best_threshold(p, y)
            self.held_out_f1[name] = round(f1, 3)
            _say(f"{name}: {y.sum()} of {len(y)}, held-out F1 {f1:.3f}, slopes {slopes.round(2)}")
            self._slopes.append(slopes)
            self._thresholds.append(round(min(max(threshold, 0.08), 0.9), 4))

    def _held_out(self, known: Sequence[Example]) -> Floats:
        """Return the logits of every row by the network that has not seen it."""
        vocabulary, folds = Vocabulary(self._students.tokens), self._linear.folds
        logits = np.zeros((len(known), len(OUTPUTS)), np.float32)
        for fold in range(FOLDS):
            ours = np.flatnonzero(folds == fold).tolist()
            tokens = TokenIds.of([known[i].text for i in ours], vocabulary)
            logits[ours] = Network(_packed(self._students.arrays[fold])).logits(tokens)
        return logits

    def files(self, fold: int | None) -> dict[str, bytes]:
        """Return the files of the message model: that of all rows, or one that lacks a fold."""
        slopes = np.stack(self._slopes).astype(np.float32)
        weights = self._linear.weights[fold] * slopes[:, 1]
        arrays = _packed(self._students.arrays[fold]) | self._linear.features.arrays(weights)
        arrays["slope"] = slopes[:, 0]
        arrays["offset"] = slopes[:, 1] * self._linear.biases[fold] + slopes[:, 2]
        settings = {"outputs": list(OUTPUTS), "threshold": self._thresholds}
        return {
            "vocabulary.txt": "\n".join(self._linear.tokens).encode(),
            "message.safetensors": dump_arrays(arrays),
            "message.json": _json(settings),
        }


def _joined(x: Floats, y: npt.NDArray[np.integer]) -> Floats:
    """Fit the slopes of both parts and the offset; a part that would count against is left out."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1.0).fit(x, y)
    slopes = np.array([*fitted.coef_[0], fitted.intercept_[0]], np.float32)
    for column in (0, 1):
        if slopes[column] < 0:
            slope, offset = fit_platt(x[:, 1 - column], y)
            slopes[:] = 0
            slopes[1 - column], slopes[2] = slope, offset
    return slopes


def _packed(arrays: dict[str, Floats]) -> dict[str, npt.NDArray[Any]]:
    """Return the network's own arrays, the embedding in half precision: it is most of the file."""
    return {
        name: array.astype(np.float16) if name == "embedding" else array
        for name, array in arrays.items()
        if not name.startswith("leaning")
    }


@dataclass(frozen=True, slots=True)
class _Turns:
    """Every customer turn with a gold; `answered` says whether we had written before it."""

    x: Floats
    golds: list[Gold]
    signals: Floats
    folds: npt.NDArray[np.intp]
    answered: npt.NDArray[np.bool_]


#: Thread id and place of a reply of ours to what a model that lacks it says of it.
Verdicts = Mapping[tuple[str, int], Floats]


def customer_turns(
    models: Mapping[int, SignalModel],
    threads: Sequence[LabelledThread],
    leaning: Leaning,
    verdicts: Verdicts,
) -> _Turns:
    """Return the features after every customer turn that has a gold, with its labels.

    Each thread is scored by the model whose linear part has not seen its fold.
    """
    vectors, golds, signals, folds, answered = [], [], [], [], []
    for labelled in threads:
        fold = fold_of(labelled.group)
        features = ThreadFeatures(channel=labelled.thread.channel)
        scored = score_messages(models[fold], labelled.thread.messages)
        for place, (one, (_, labels)) in enumerate(zip(scored, labelled.turns, strict=True)):
            features.timeline.add(one.message)
            observe(features, one, verdicts.get((labelled.thread.id, place)))
            if labels.gold is not None and labels.grades is not None:
                vectors.append(leaning.told(features.vector()))
                golds.append(labels.gold)
                signals.append(customer_target(labels.grades, labels.cues)[:N_CUSTOMER])
                folds.append(fold)
                answered.append(features.answered)
    return _Turns(np.stack(vectors), golds, np.stack(signals), np.array(folds), np.array(answered))


def fit_actions(
    models: Mapping[int, SignalModel],
    threads: Sequence[LabelledThread],
    leaning: Leaning,
    verdicts: Verdicts,
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Fit the action model on the threads outside test; thresholds on held-out folds."""
    known = [one for one in threads if one.split != "test"]
    turns = customer_turns(models, known, leaning, verdicts)
    mean, scale = turns.x.mean(axis=0), np.maximum(turns.x.std(axis=0), 0.05)
    z = (turns.x - mean) / scale
    wanted = np.array([[name in gold.actions for name in ACTIONS] for gold in turns.golds])
    arrays: dict[str, npt.NDArray[Any]] = {"mean": mean, "scale": scale}
    arrays |= {"leaning": leaning.weights, "leaning_bias": leaning.bias}
    fitted = [_fit_head(z, wanted[:, i], turns.folds, name) for i, name in enumerate(ACTIONS)]
    arrays["action_weights"] = np.stack([one[0] for one in fitted], axis=1).astype(np.float32)
    arrays["action_bias"] = np.array([one[1] for one in fitted], np.float32)
    for head, names, labels in (
        ("primary", ACTIONS, [gold.primary for gold in turns.golds]),
        ("channel", CHANNELS, [gold.channel for gold in turns.golds]),
        ("timing", TIMINGS, [gold.timing for gold in turns.golds]),
    ):
        arrays[f"{head}_weights"], arrays[f"{head}_bias"] = _multinomial(z, labels, names)
    settings: dict[str, Any] = {"features": list(FEATURES)}
    settings["threshold"] = [one[2] for one in fitted]
    later, settings["signal_threshold"] = _fit_context(turns, z)
    return arrays | later, settings


def _fit_context(turns: _Turns, z: Floats) -> tuple[dict[str, npt.NDArray[Any]], list[float]]:
    """Fit what each signal is in the light of earlier turns, on turns after a reply of ours."""
    ours = turns.answered
    alone = np.clip(turns.x[ours, :N_CUSTOMER], 1e-4, 1 - 1e-4)
    own = np.log(alone / (1 - alone))
    fitted = [
        _fit_head(
            np.column_stack([z[ours], own[:, i]]),
            turns.signals[ours, i] > 0,
            turns.folds[ours],
            f"{OUTPUTS[i]} in context",
        )
        for i in range(N_CUSTOMER)
    ]
    weights = np.stack([one[0] for one in fitted], axis=1).astype(np.float32)
    arrays = {
        "signal_weights": weights[:-1],
        "signal_slope": weights[-1],
        "signal_bias": np.array([one[1] for one in fitted], np.float32),
    }
    return arrays, [one[2] for one in fitted]


def _fit_head(
    z: Floats, wanted: npt.NDArray[np.bool_], folds: npt.NDArray[np.intp], name: str
) -> tuple[Floats, float, float]:
    """Fit one yes/no output: weights and bias calibrated, and threshold, on held-out folds."""
    y = wanted.astype(int)
    held_out = np.zeros(len(y), np.float32)
    for fold in sorted(set(folds.tolist())):
        w, b = _logistic(z[folds != fold], y[folds != fold])
        held_out[folds == fold] = z[folds == fold] @ w + b
    slope, offset = fit_platt(held_out, y)
    threshold, f1 = best_threshold(sigmoid(slope * held_out + offset), y)
    _say(f"{name}: {y.sum()} of {len(y)}, held-out F1 {f1:.3f}")
    weights, bias = _logistic(z, y)
    return slope * weights, slope * bias + offset, round(threshold, 4)


def _logistic(x: Floats, y: npt.NDArray[np.integer]) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=ACTION_C, max_iter=2000).fit(x, y)
    return fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0])


def _multinomial(x: Floats, labels: Sequence[str], names: Sequence[str]) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=ACTION_C, max_iter=2000).fit(x, np.array(labels))
    weights = np.zeros((x.shape[1], len(names)), np.float32)
    bias = np.full(len(names), -30.0, np.float32)
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        coefficients = np.vstack([-coefficients, coefficients]) / 2
        intercepts = np.array([-intercepts[0], intercepts[0]]) / 2
    for row, name in enumerate(fitted.classes_):
        weights[:, names.index(name)] = coefficients[row]
        bias[names.index(name)] = intercepts[row]
    return weights, bias


def _about(corpus: Corpus, rows: Sequence[Example]) -> dict[str, Any]:
    import sklearn

    return {
        "about": "English customer messages and threads; see README.md in this folder",
        "format_written": FORMAT,
        "language": "en",
        "examples": len(rows),
        "data_sha256": _hashes(corpus),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "licence": "Apache-2.0",
    }


def _hashes(corpus: Corpus) -> dict[str, str]:
    return {
        path.relative_to(corpus.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(corpus.root.rglob("*"))
        if path.suffix in {".csv", ".jsonl", ".npz"} and "raw" not in path.parts
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "models" / NAME
    parser.add_argument("--out", type=Path, default=default)
    for head in HEADS:
        parser.add_argument(
            f"--{head}-only",
            action="append_const",
            dest="heads",
            const=head,
            help=f"keep the message model of the folder and fit its {head} model anew",
        )
    options = parser.parse_args(arguments)
    corpus, soft = load_corpus(), load_soft_labels()
    if options.heads:
        refit(options.out, corpus, soft, options.heads)
    else:
        build(options.out, corpus, soft)
    return 0


if __name__ == "__main__":
    sys.exit(main())

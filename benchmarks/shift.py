"""What labels bring in a domain that the model has never seen; writes a table of docs/training.md.

``stock FOLDER`` fits the message model without five public sources: their labelled messages, their
unlabelled ones and all variants of them. What teachers fitted on everything say of the *other*
sources stays, so the model is, if anything, better than one that never met these domains.
``table FOLDER`` then learns the codebook's labels in each left-out source from 25 to 400 labels, on
top of that model. Needs the public texts (``customer-nlp data fetch``); ``stock`` the extra
``train``. Cost: a quarter of an hour each on two free cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from joblib import Parallel, delayed
from learning_curve import SIZES, goemotions, nlupp, write
from sklearn.metrics import average_precision_score

from customer_nlp import learn
from customer_nlp.artifacts import open_model, write_model
from customer_nlp.codebook import CORE_SIGNALS
from customer_nlp.learn._features import shipped, start_column
from customer_nlp.training import build, load_corpus, pool, teacher, variants
from customer_nlp.training.corpus import Corpus
from customer_nlp.training.examples import Example, examples

SOURCES = ("goemotions", "banking77", "nlupp", "hint3", "multidogo")
#: Fewer positives than these, in all of a source, are no measure.
LEAST_POSITIVES = 60
DRAWS = 10
MOST_HELD = 1000
#: Labels of upstream of like meaning, where upstream defines them in its own way.
UPSTREAM = {
    "goemotions/confusion, as upstream means it": (lambda: goemotions(6), "confusion"),
    "goemotions/annoyance": (lambda: goemotions(2, 3, 9, 10), "frustration"),
    "goemotions/gratitude, as upstream means it": (lambda: goemotions(15), "gratitude"),
    "nlupp/does not work": (lambda: nlupp("wrong_notworking_notshowing"), "product_fault"),
}


def fit_stock(out: Path) -> None:
    """Fit and write the message model that has never seen `SOURCES`."""
    corpus, soft = load_corpus(), teacher.load_soft_labels()
    rows = examples(corpus)
    texts, public = soft.texts(corpus, rows)
    origins = np.array(_origins(corpus, rows, soft))
    kept = np.flatnonzero(~np.isin(origins, SOURCES))
    ours = [row for row in rows if row.source not in SOURCES]
    unlabelled = [texts[i] for i in kept]
    soft.pool = soft.pool[kept]
    tokens, arrays = build._network(ours, unlabelled, int((kept < public).sum()), soft)
    message = build._message(ours, unlabelled, soft, tokens, arrays)
    stock = open_model(Path(build.__file__).resolve().parents[2] / "models" / build.NAME)
    files = {**stock.files, **message.files(None)}
    write_model(out, name="shifted", version=build.VERSION, files=files, about={"language": "en"})


def _origins(corpus: Corpus, rows: list[Example], soft: teacher.SoftLabels) -> list[str]:
    """Return the source of each text that the teachers judged, in their order."""
    grown = [[row for row in rows if row.key in one.keys] for one in reversed(soft.judged)]
    labelled = {pool._normal(row.text) for row in grown[0]}
    found = []
    for source, size in pool.SIZES.items():
        fresh = {pool._normal(text) for text in pool._texts(source, corpus)} - labelled
        found += [source] * min(size, sum(len(key) > 2 for key in fresh))
    before: set[str] = set()
    for known in grown:
        for row in known:
            asked = row.split != "test" and row.source != "agent" and row.text.strip()
            if asked and row.key not in before:
                found += [row.source] * variants.COPIES.get(row.source, variants._OTHERS)
        before = {row.key for row in known}
    return found


def tasks() -> Iterator[tuple[str, str, list[str], np.ndarray]]:
    """Yield a title, the signal, texts and answers."""
    messages = load_corpus().messages
    for source in SOURCES:
        ours = messages[messages.source == source]
        cues = sorted({cue for of_one in ours.cues for cue in of_one})
        for name in (*CORE_SIGNALS, *cues):
            y = ours[name] > 0 if name in CORE_SIGNALS else ours.cues.map(lambda c, n=name: n in c)
            if y.sum() >= LEAST_POSITIVES:
                yield f"{source}/{name}", name, ours.text.tolist(), y.to_numpy(int)
    for title, (rows, name) in UPSTREAM.items():
        some = np.random.default_rng(0).permutation(len(found := rows()))[:3000]
        yield title, name, [found[i][0] for i in some], np.array([found[i][1] for i in some], int)


def gains(
    model: Path, name: str, texts: list[str], y: np.ndarray, draw: int
) -> tuple[float, list[float]]:
    """Return the average precision of the stock signal, and what labels add to it by their number.

    Half of the texts are held out anew in each draw; labels are drawn at random from the others,
    at least three of them, and a tenth, positive.
    """
    rng = np.random.default_rng(draw)
    order = rng.permutation(len(y))
    mine, held = np.split(order, [len(order) // 2])
    held = held[:MOST_HELD]
    held_texts, found = [texts[i] for i in held], []
    dense = shipped(model).dense_of(held_texts)
    stock = float(average_precision_score(y[held], dense[:, start_column(name)]))
    for size in SIZES:
        if size > len(mine):
            found.append(float("nan"))
            continue
        least = min(max(round(size * y[mine].mean()), 3, size // 10), int(y[mine].sum()))
        yes = mine[y[mine] == 1][:least]
        ours = np.concatenate([yes, mine[y[mine] == 0][: size - len(yes)]])
        fitted = learn.SignalClassifier(name, model=model).fit([texts[i] for i in ours], y[ours])
        score = fitted.decision_function(held_texts)
        found.append(float(average_precision_score(y[held], score)) - stock)
    return stock, found


def lines(model: Path) -> Iterator[str]:
    """Yield the table."""
    yield "| domain/label | stock | " + " | ".join(f"{n} labels" for n in SIZES) + " |"
    yield "|---|---|" + "---|" * len(SIZES)
    found = list(tasks())
    jobs = ((model, *one[1:], draw) for one in found for draw in range(DRAWS))
    measured = iter(Parallel(n_jobs=2)(delayed(gains)(*job) for job in jobs))
    means, stocks = [], []
    for title, *_ in found:
        of_one = list(islice(measured, DRAWS))
        stocks.append(float(np.mean([stock for stock, _ in of_one])))
        gained = np.array([gain for _, gain in of_one])
        means.append(gained.mean(axis=0))
        yield f"| {title} | {stocks[-1]:.2f} | " + " | ".join(map(_cell, gained.T)) + " |"
    for words, least, most in (("all", 0, 1), ("stock below .75", 0, 0.75)):
        some = [mean for mean, stock in zip(means, stocks, strict=True) if least <= stock < most]
        cells = " | ".join(f"{value:+.3f}" for value in np.nanmean(some, axis=0))
        yield f"| **mean of {words} ({len(some)})** | | {cells} |"


def _cell(gained: np.ndarray) -> str:
    """Show the mean and the interval of it over draws."""
    if np.isnan(gained).any():
        return "–"
    half = 1.96 * gained.std(ddof=1) / np.sqrt(len(gained))
    return f"{gained.mean():+.2f} ± {half:.2f}"


def main() -> int:
    """Fit, or measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=("stock", "table"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.part == "stock":
        fit_stock(options.folder)
    else:
        write("shift", lines(options.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())

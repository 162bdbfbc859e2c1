"""What labels of one's own bring, on public labels; writes the figures of docs/training.md.

Parts: ``curve``, ``active``, ``noise``; all without an argument. Needs the public texts
(``customer-nlp data fetch``) and the extra ``learn``.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from sklearn.metrics import average_precision_score

from customer_nlp import learn, load
from customer_nlp.codebook import SIGNALS
from customer_nlp.training import load_corpus

PAGE = Path(__file__).resolve().parents[1] / "docs" / "training.md"
RAW = load_corpus().raw
SIZES = (25, 50, 100, 400)
DRAWS = 5
#: Labels of which the slower parts are measured.
RUNS = 4
FEW = ("wants to cancel (NLU++)", "asks for action (e-mail intent)", "gratitude (GoEmotions)",
       "does not work (NLU++)", "complaint (X-CI)", "severe complaint (X-CI)")  # fmt: skip
MOST_TEXTS = 6000
Rows = list[tuple[str, bool]]


def goemotions(*wanted: int) -> Rows:
    rows = [line.split("\t") for line in lines("goemotions/train.tsv")]
    return [(text, bool({*map(int, found.split(","))} & {*wanted})) for text, found, _ in rows]


def complaints(answer: Callable[[dict[str, str]], bool]) -> Rows:
    with (RAW / "complaints_xci/X-CI Dataset.csv").open(encoding="utf-8") as rows:
        return [(row["tweet"], answer(row)) for row in csv.DictReader(rows)]


def nlupp(intent: str) -> Rows:
    records = [
        record
        for path in sorted((RAW / "nlupp").glob("*/fold*.json"))
        for record in json.loads(path.read_text(encoding="utf-8"))
    ]
    return [(record["text"], intent in record.get("intents", ())) for record in records]


def email_intent() -> Rows:
    names = ("Ask0729-fixed.txt", "testSet-qualifiedBatch-fixed.txt")
    rows = [line.split("\t", 1) for name in names for line in lines(f"email_intent/{name}")]
    return [(row[1], row[0] == "Yes") for row in rows if len(row) == 2]


def lines(name: str) -> list[str]:
    return (RAW / name).read_text(encoding="utf-8", errors="replace").rstrip("\n").split("\n")


#: Label, its rows, the shipped signal of like meaning.
TASKS: list[tuple[str, Callable[[], Rows], str | None]] = [
    ("curiosity (GoEmotions)", lambda: goemotions(7), None),
    ("remorse or sadness (GoEmotions)", lambda: goemotions(24, 25), None),
    ("wants to cancel (NLU++)", lambda: nlupp("cancel_close_leave_freeze"), None),
    ("asks why (NLU++)", lambda: nlupp("why"), None),
    ("asks for action (e-mail intent)", email_intent, None),
    ("confusion (GoEmotions)", lambda: goemotions(6), "confusion"),
    ("annoyance (GoEmotions)", lambda: goemotions(2, 3, 9, 10), "frustration"),
    ("gratitude (GoEmotions)", lambda: goemotions(15), "gratitude"),
    ("does not work (NLU++)", lambda: nlupp("wrong_notworking_notshowing"), "product_fault"),
    ("complaint (X-CI)", lambda: complaints(lambda row: row["label"] == "1"), "frustration"),
    (
        "severe complaint (X-CI)",
        lambda: complaints(lambda row: int(row["Severity"] or 0) >= 3),
        "frustration",
    ),
]


class Task:
    """One label: a pool to draw from, and texts to measure on."""

    def __init__(self, rows: Rows, name: str | None) -> None:
        order = np.random.default_rng(0).permutation(len(rows))[:MOST_TEXTS]
        self.texts = [rows[i][0] for i in order]
        self.y = np.array([rows[i][1] for i in order], int)
        self.name = name
        self.half = len(order) // 2
        self.held = self.texts[self.half :]
        self.table = load().signals(self.texts).probability

    def draw(self, count: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        y = self.y[: self.half]
        yes = min(max(round(count * y.mean()), 3, count // 10), int(y.sum()))
        return np.concatenate(
            [
                rng.choice(np.flatnonzero(y), yes, replace=False),
                rng.choice(np.flatnonzero(y == 0), count - yes, replace=False),
            ]
        )

    def fit(self, rows: Iterable[int]) -> learn.SignalClassifier:
        ours = list(rows)
        return learn.SignalClassifier(self.name).fit([self.texts[i] for i in ours], self.y[ours])

    def measured(self, scores: np.ndarray) -> float:
        return float(average_precision_score(self.y[self.half :], scores))

    def shipped(self, rows: np.ndarray) -> float:
        column = SIGNALS.index(self.name) if self.name else max(
            range(len(SIGNALS)),
            key=lambda c: average_precision_score(self.y[rows], self.table[rows, c]),
        )  # fmt: skip
        return self.measured(self.table[self.half :, column])


def curve_lines(tasks: dict[str, Task]) -> Iterator[str]:
    """Yield by how much average precision grows over the shipped signal."""
    yield "| label | over | " + " | ".join(f"{n} labels" for n in SIZES) + " |"
    yield "|---|" + "---|" * (len(SIZES) + 1)
    gains: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for label, task in tasks.items():
        gain = np.array([[gained(task, size, draw) for size in SIZES] for draw in range(DRAWS)])
        gains[task.name is None].append(gain.mean(axis=0))
        yield curve_row(label, f"`{task.name}`" if task.name else "the best one", gain.mean(axis=0))
        print(label, gain.mean(axis=0).round(3), flush=True)
    for new, words in ((True, "mean of labels that the model does not have"),
                       (False, "mean of labels that it has, in another domain")):  # fmt: skip
        yield curve_row(f"**{words}**", "", np.mean(gains[new], axis=0))
    yield curve_row("**mean of all**", "", np.mean(gains[True] + gains[False], axis=0))


def curve_row(label: str, over: str, gain: np.ndarray) -> str:
    return f"| {label} | {over} | " + " | ".join(f"{value:+.2f}" for value in gain) + " |"


def gained(task: Task, size: int, draw: int) -> float:
    rows = task.draw(size, draw)
    return task.measured(task.fit(rows).decision_function(task.held)) - task.shipped(rows)


def active_lines(tasks: dict[str, Task]) -> Iterator[str]:
    yield "| label | 200 random | 200 suggested | suggested labels that equal 200 random |"
    yield "|---|---|---|---|"
    for label in FEW:
        task = tasks[label]
        curves = {way: np.mean([rounds(task, way, seed) for seed in range(RUNS)], axis=0)
                  for way in ("random", "suggested")}  # fmt: skip
        reached = np.flatnonzero(curves["suggested"] >= curves["random"][-1])
        count = str(25 * (int(reached[0]) + 1)) if len(reached) else "more than 200"
        ends = [f"{curves[way][-1]:.2f}" for way in ("random", "suggested")]
        yield f"| {label} | {ends[0]} | {ends[1]} | {count} |"
        print(label, count, flush=True)


def rounds(task: Task, way: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pool = rng.permutation(task.half)[:1500]
    got: list[int] = []
    found, classifier = [], None
    while len(got) < 200:
        rest = np.setdiff1d(pool, got)
        if way == "random":
            chosen = rng.permutation(rest)[:25]
        else:
            texts = [task.texts[i] for i in rest]
            chosen = rest[learn.suggest(texts, 25, classifier=classifier, seed=seed)]
        got += chosen.tolist()
        if task.y[got].any():
            classifier = task.fit(got)
            found.append(task.measured(classifier.decision_function(task.held)))
        else:
            found.append(float(task.y[task.half :].mean()))
    return np.array(found)


def noise_lines(tasks: dict[str, Task]) -> Iterator[str]:
    yield "| label | turned ones found | right among those named |"
    yield "|---|---|---|"
    for label in FEW:
        task = tasks[label]
        rng = np.random.default_rng(0)
        texts, y = task.texts[:2000], task.y[:2000].copy()
        turned = rng.choice(len(y), len(y) // 10, replace=False)
        y[turned] = 1 - y[turned]
        named = learn.label_noise(texts, y, name=task.name)
        hits = np.isin(named, turned).sum()
        yield f"| {label} | {hits / len(turned):.2f} | {hits / max(len(named), 1):.2f} |"
        print(label, hits / len(turned), hits / max(len(named), 1), flush=True)


PARTS = {"curve": curve_lines, "active": active_lines, "noise": noise_lines}


def write(part: str, shown: Iterable[str]) -> None:
    """Put one part's figures between its marks."""
    block = "\n".join(shown)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(
            rf"(<!-- {part}: begin -->\n).*?(<!-- {part}: end -->)",
            lambda match: f"{match[1]}{block}\n{match[2]}",
            text,
            flags=re.DOTALL,
        ),
        encoding="utf-8",
    )


def main() -> None:
    warnings.simplefilter("error")
    asked = sys.argv[1:] or list(PARTS)
    tasks = {label: Task(rows(), name) for label, rows, name in TASKS}
    for part in asked:
        write(part, PARTS[part](tasks))


if __name__ == "__main__":
    main()

"""How good the model is, beside what a user would pick instead; writes the model card's tables.

Every figure is from a split that nothing was chosen on. Intervals are 95% bootstrap intervals
over groups (threads, conversations), so that turns of one thread do not count as independent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.analyzer import Analyzer, load
from customer_nlp.calibration import expected_calibration_error
from customer_nlp.codebook import ACTIONS, CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE
from customer_nlp.records import Analysis, Commitment
from customer_nlp.timeline import commitments
from customer_nlp.training.corpus import Corpus, LabelledThread, load_corpus
from customer_nlp.training.examples import Example, examples, targets
from customer_nlp.training.names import name_gaps
from customer_nlp.training.peers import PEERS

__all__ = ["card", "main"]

Floats = npt.NDArray[np.float32]

RESAMPLES: Final = 500
PREVALENCES: Final = (0.01, 0.05, 0.15)
#: Share of the messages that a peer must have judged to be compared.
LEAST_JUDGED: Final = 0.85
#: A labelled thread and what is said of all of it.
_Whole = tuple[LabelledThread, Analysis]
LENGTHS: Final = ((0, 80), (80, 200), (200, 10**9))
BEGIN: Final = "<!-- figures: begin (made by `customer-nlp evaluate --card`) -->"
END: Final = "<!-- figures: end -->"
_CUE_START: Final = len(CORE_SIGNALS) * MAX_GRADE


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the average precision; NaN without positives."""
    from sklearn.metrics import average_precision_score

    y = np.asarray(labels)
    return float(average_precision_score(y, scores)) if y.any() else float("nan")


def f1(labels: npt.NDArray[Any], chosen: npt.NDArray[Any]) -> float:
    """Return F1 of a yes/no choice; 0 when nothing is chosen and nothing is there."""
    hits = float((labels.astype(bool) & chosen.astype(bool)).sum())
    total = float(labels.sum() + chosen.sum())
    return 2 * hits / total if total else 0.0


def at_prevalence(labels: npt.NDArray[Any], scores: Floats, share: float) -> float:
    """Return average precision as it would be if `share` of all messages were positive."""
    from sklearn.metrics import average_precision_score

    y = labels.astype(int)
    positive = float(y.mean())
    if positive in {0.0, 1.0}:
        return float("nan")
    weights = np.where(y > 0, share / positive, (1 - share) / (1 - positive))
    return float(average_precision_score(y, scores, sample_weight=weights))


def interval(measure: Callable[[npt.NDArray[np.intp]], float], groups: Sequence[str]) -> Figure:
    """Return a measure over all rows with its bootstrap interval over groups."""
    names = sorted(set(groups))
    rows_of: dict[str, list[int]] = {name: [] for name in names}
    for row, name in enumerate(groups):
        rows_of[name].append(row)
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(names), len(names))
        rows = np.array([row for i in drawn for row in rows_of[names[i]]], np.intp)
        values.append(measure(rows))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Figure(measure(np.arange(len(groups))), float(low), float(high))


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---" for _ in head) + "|"
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"


def message_lines(analyzer: Analyzer, rows: Sequence[Example]) -> Iterator[str]:
    """Yield the tables on single messages."""
    wanted = targets(rows)
    table = analyzer.signals([row.text for row in rows])
    groups = [row.group for row in rows]
    lines = []
    for column, name in enumerate(CORE_SIGNALS):
        y, p = wanted[:, column * MAX_GRADE], table[name]
        grade = table.grade[:, column] > 0
        lines.append(
            [
                f"`{name}`",
                int(y.sum()),
                interval(lambda r, y=y, p=p: average_precision(y[r], p[r]), groups),  # type: ignore[misc]
                interval(lambda r, y=y, g=grade: f1(y[r], g[r]), groups),  # type: ignore[misc]
                f"{expected_calibration_error(p, y.astype(int)):.3f}",
                *(f"{at_prevalence(y, p, share):.2f}" for share in PREVALENCES),
            ]
        )
    yield f"Single messages, {len(rows)} of the test split:"
    yield ""
    yield from _table(
        ["signal", "positives", "average precision", "F1 at the threshold", "calibration error",
         *(f"AP at {share:.0%}" for share in PREVALENCES)],
        lines,
    )  # fmt: skip
    yield ""
    yield from _slices(rows, wanted, table.probability)
    yield ""
    cues = wanted[:, _CUE_START : _CUE_START + len(CUES)]
    thresholds = np.array([analyzer.cue_threshold(cue) for cue in CUES])
    chosen = table.probability[:, len(CORE_SIGNALS) :] >= thresholds
    scores = ", ".join(f"`{cue}` {f1(cues[:, i], chosen[:, i]):.2f}" for i, cue in enumerate(CUES))
    yield f"Cues, F1: micro {f1(cues, chosen):.2f}; {scores}."


def _slices(rows: Sequence[Example], wanted: Floats, p: Floats) -> Iterator[str]:
    lines = []
    slices: list[tuple[str, npt.NDArray[np.bool_]]] = [
        (source, np.array([row.source == source for row in rows]))
        for source in sorted({row.source for row in rows})
    ]
    for low, high in LENGTHS:
        name = f"{low}–{high} characters" if high < 10**9 else f"over {low} characters"
        slices.append((name, np.array([low <= len(row.text) < high for row in rows])))
    for name, inside in slices:
        cells: list[object] = [name, int(inside.sum())]
        for column in range(len(CORE_SIGNALS)):
            y = wanted[inside, column * MAX_GRADE]
            value = average_precision(y, p[inside, column])
            cells.append(f"{value:.2f} ({int(y.sum())})" if y.sum() >= 3 else f"– ({int(y.sum())})")
        lines.append(cells)
    yield "Average precision by source and length (positives in brackets):"
    yield ""
    yield from _table(["slice", "messages", *(f"`{n}`" for n in CORE_SIGNALS)], lines)


def thread_lines(analyzer: Analyzer, threads: Sequence[LabelledThread]) -> Iterator[str]:
    """Yield the tables on threads: actions after every customer turn, findings, evidence."""
    gold, said, groups = [], [], []
    for labelled in threads:
        after = {
            one.after: one for one in analyzer.analyze_many([labelled.thread], every_turn=True)
        }
        for message, labels in labelled.turns:
            if labels.gold is not None and message.id in after:
                gold.append(labels.gold)
                said.append(after[message.id])
                groups.append(labelled.group)
    analyses = analyzer.analyze_many(labelled.thread for labelled in threads)
    whole = list(zip(threads, analyses, strict=True))
    y = np.array([[name in one.actions for name in ACTIONS] for one in gold])
    p = np.array([[name in _names(one) for name in ACTIONS] for one in said])

    def share(right: Sequence[bool]) -> Figure:
        values = np.array(right)
        return interval(lambda r: float(values[r].mean()), groups)

    pairs = list(zip(gold, said, strict=True))
    yield f"Threads, {len(gold)} customer turns of {len(threads)} threads of the test split:"
    yield ""
    yield from _table(
        ["measure", "value"],
        [
            ["actions, micro-F1", interval(lambda r: f1(y[r], p[r]), groups)],
            ["`primary` right", share([g.primary == a.recommendation.primary for g, a in pairs])],
            ["`call_now` F1", interval(lambda r: f1(y[r, 0], p[r, 0]), groups)],
            ["channel right", share([g.channel == a.recommendation.channel for g, a in pairs])],
            ["timing right", share([g.timing == a.recommendation.timing for g, a in pairs])],
            ["evidence overlaps the reader's, of true positives", _evidence(whole)],
        ],
    )
    yield ""
    scores = ", ".join(f"`{n}` {f1(y[:, i], p[:, i]):.2f}" for i, n in enumerate(ACTIONS))
    yield f"Actions, F1: {scores}."
    yield ""
    yield from _findings(whole)
    yield ""
    yield _commitment_line(threads)


@dataclass(frozen=True, slots=True)
class CommitmentFigures:
    """How well commitments are found, over some threads.

    Parameters
    ----------
    precision, recall : float
        A commitment is right when it overlaps the words that the reader marked.
    due, state : float
        Of the reader's that were found: due at the same minute by the writer's clock; standing as
        the reader says at the end of the thread (``due`` counts as ``open``).
    wanted : int
        How many the reader marked.
    """

    precision: float
    recall: float
    due: float
    state: float
    wanted: int


def commitment_figures(threads: Sequence[LabelledThread]) -> CommitmentFigures:
    """Compare the commitments of threads with the reader's."""
    given = right = wanted = 0
    due: list[bool] = []
    state: list[bool] = []
    for labelled in threads:
        stated = commitments(labelled.thread.messages)
        given += len(stated)
        for message, labels in labelled.turns:
            ours = [one for one in stated if one.message_id == message.id]
            wanted += len(labels.promises)
            right += sum(any(_overlap(one, gold) for gold in labels.promises) for one in ours)
            zone = timezone(timedelta(minutes=message.utc_offset_minutes or 0))
            for gold in labels.promises:
                same = [one for one in ours if _overlap(one, gold)]
                if same:
                    best = max(same, key=lambda one: _same_due(one, gold, zone))
                    due.append(_same_due(best, gold, zone))
                    state.append(best.state.replace("due", "open") == gold.state)
    found = len(due)
    return CommitmentFigures(
        right / max(given, 1),
        found / max(wanted, 1),
        sum(due) / max(found, 1),
        sum(state) / max(found, 1),
        wanted,
    )


def _overlap(one: Commitment, other: Commitment) -> bool:
    return one.start < other.end and other.start < one.end


def _same_due(one: Commitment, gold: Commitment, zone: timezone) -> bool:
    if one.due is None or gold.due is None:
        return one.due is gold.due
    # by the clock on the wall: the reader may have thought of summer time, a date does not say
    return one.due.astimezone(zone).replace(tzinfo=None) == gold.due.replace(tzinfo=None)


def _commitment_line(threads: Sequence[LabelledThread]) -> str:
    one = commitment_figures(threads)
    return (
        f"Commitments, {one.wanted} of the reader: precision {one.precision:.2f}, recall "
        f"{one.recall:.2f}; of those found, due date exact {one.due:.2f}, state right "
        f"{one.state:.2f}."
    )


def _names(analysis: Analysis) -> set[str]:
    return {one.action for one in analysis.recommendation.actions}


def _evidence(whole: Sequence[_Whole]) -> str:
    hits = total = 0
    for labelled, analysis in whole:
        for shown, (_, labels) in zip(analysis.messages, labelled.turns, strict=True):
            for name in CORE_SIGNALS if labels.grades else ():
                signal = shown.signal(name)
                if signal is None or not signal.grade or not labels.evidence.get(name):
                    continue
                total += 1
                hits += any(
                    e.start < end and start < e.end
                    for e in signal.evidence
                    for start, end in labels.evidence[name]
                )
    return f"{hits / max(total, 1):.2f} (of {total})"


def _findings(whole: Sequence[_Whole]) -> Iterator[str]:
    wanted, found = [], []
    for labelled, analysis in whole:
        for shown, (_, labels) in zip(analysis.messages, labelled.turns, strict=True):
            if labels.findings is not None:
                wanted.append([name in labels.findings for name in FINDINGS])
                names = {finding.name for finding in shown.findings}
                found.append([name in names for name in FINDINGS])
    y, p = np.array(wanted), np.array(found)
    each = [f1(y[:, i], p[:, i]) for i in range(len(FINDINGS))]
    clean = ~y.any(axis=1)
    alarms = float(p[clean].any(axis=1).mean()) if clean.any() else 0.0
    scores = ", ".join(f"`{n}` {v:.2f}" for n, v in zip(FINDINGS, each, strict=True))
    yield (
        f"Findings on {len(y)} replies, F1: macro {np.mean(each):.2f}; {scores}; "
        f"false alarms on clean replies {alarms:.0%}."
    )


def name_line(analyzer: Analyzer) -> str:
    """Say how far a changed first name moves the core signals."""
    gaps = name_gaps(analyzer)
    said = ", ".join(
        f"`{name}` {mean:.3f} (at most {worst:.3f})"
        for name, mean, worst in zip(CORE_SIGNALS, gaps.mean(axis=0), gaps.max(axis=0), strict=True)
    )
    return (
        f"The same sentence under another first name, mean change over {len(gaps)} pairs: {said}."
    )


def _where_judged(y: Floats, p: Floats, groups: Sequence[str]) -> str:
    """Return average precision on the messages that have a score, and on how many if not all."""
    kept = np.flatnonzero(~np.isnan(p))
    if len(kept) < LEAST_JUDGED * len(y):
        return "–"
    found = interval(
        lambda r: average_precision(y[kept][r], p[kept][r]), [groups[i] for i in kept.tolist()]
    )
    return str(found) if len(kept) == len(y) else f"{found} on {len(kept)}"


def peer_lines(analyzer: Analyzer, rows: Sequence[Example], split: str) -> Iterator[str]:
    """Yield the comparison: every peer is trained on the same rows and asked about the same."""
    train = [row for row in rows if row.split not in {split, "test"}]
    test = [row for row in rows if row.split == split]
    wanted, groups = targets(test), [row.group for row in test]
    table = analyzer.signals([row.text for row in test])
    lines = []
    for name, peer in {"**customer_nlp** (default)": None, **PEERS}.items():
        cells: list[object] = [name]
        for column, signal in enumerate(CORE_SIGNALS):
            y = wanted[:, column * MAX_GRADE]
            p = table[signal] if peer is None else peer(train, test, column * MAX_GRADE)
            cells.append("–" if p is None else _where_judged(y, p, groups))
        lines.append(cells)
    yield "Average precision beside peers, all trained on the same messages:"
    yield ""
    yield from _table(["", *(f"`{name}`" for name in CORE_SIGNALS)], lines)


def card(corpus: Corpus, analyzer: Analyzer, *, split: str, peers: bool) -> str:
    """Return all tables as Markdown."""
    rows = [row for row in examples(corpus) if row.source != "agent"]
    chosen = [row for row in rows if row.split == split]
    lines = [f"Model `{analyzer.model}`.", "", *message_lines(analyzer, chosen)]
    lines += ["", *thread_lines(analyzer, [one for one in corpus.threads if one.split == split])]
    lines += ["", name_line(analyzer)]
    if peers:
        lines += ["", *peer_lines(analyzer, rows, split)]
    return "\n".join(lines)


def write_card(path: Path, figures: str) -> None:
    """Put the figures between their markers in a model card."""
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    path.write_text(f"{head}{BEGIN}\n\n{figures}\n\n{END}{tail}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate a model and print the tables, or write them into its card."""
    parser = argparse.ArgumentParser(prog="customer-nlp evaluate", description=__doc__)
    parser.add_argument("--model", help="name or folder; the shipped one when missing")
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--peers", action="store_true", help="also train and ask the peers")
    parser.add_argument("--card", type=Path, metavar="FILE", help="write into this model card")
    options = parser.parse_args(arguments)
    figures = card(load_corpus(), load(options.model), split=options.split, peers=options.peers)
    if options.card is None:
        sys.stdout.write(figures + "\n")
    else:
        write_card(options.card, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The tables of `data/README.md`: label counts, agreement between two readings, own words.

Everything is counted from `data/labels` and `data/corpus`; no public text is needed.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from customer_nlp.codebook import ACTIONS, CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE

__all__ = ["card", "counts", "f1", "weighted_kappa"]

_SPLITS: Final = ("train", "dev", "test")

#: The signals' own words: what a keyword list would look for.
OWN_WORDS: Final = {
    "confusion": re.compile(
        r"\b(?:confus\w*|(?:do not|don'?t|can'?t|cannot) understand|puzzl\w*|unclear|baffl\w*"
        r"|makes? no sense)\b",
        re.IGNORECASE,
    ),
    "frustration": re.compile(
        r"\b(?:frustrat\w*|annoy\w*|disappoint\w*|angry|anger|upset|unacceptable|ridiculous"
        r"|fed up|terrible|worst)\b",
        re.IGNORECASE,
    ),
    "churn_risk": re.compile(
        r"\b(?:cancel\w*|leav(?:e|ing)|switch\w*|terminat\w*|competitors?|never again)\b",
        re.IGNORECASE,
    ),
}


@dataclass(slots=True)
class _Labelled:
    """One customer message, without its text."""

    source: str
    split: str
    grades: dict[str, int]
    cues: list[str]


@dataclass(slots=True)
class _Written:
    threads: list[dict[str, Any]] = field(default_factory=list)

    def messages(self, role: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for thread in self.threads:
            for message in thread["messages"]:
                if message["role"] == role:
                    yield thread, message


def weighted_kappa(first: Sequence[int], second: Sequence[int]) -> float:
    """Return Cohen's kappa with quadratic weights (Cohen 1968) for grades 0-3.

    Parameters
    ----------
    first, second : sequence of int
        Grades of the same items by two readers.

    Returns
    -------
    float
        1 for full agreement, 0 for chance; NaN when neither reader ever varied.
    """
    size = MAX_GRADE + 1
    observed = np.zeros((size, size))
    np.add.at(observed, (np.asarray(first, dtype=int), np.asarray(second, dtype=int)), 1.0)
    weights = np.subtract.outer(np.arange(size), np.arange(size)) ** 2
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / max(observed.sum(), 1.0)
    chance = float((weights * expected).sum())
    return 1.0 - float((weights * observed).sum()) / chance if chance else float("nan")


def f1(first: Iterable[Iterable[str]], second: Iterable[Iterable[str]]) -> float:
    """Return the F1 between two readers' sets of labels, pooled over items.

    Parameters
    ----------
    first, second : iterable of iterable of str
        One set of names an item. The measure is the same from either side.

    Returns
    -------
    float
        NaN when neither reader gave any label.
    """
    common = total = 0
    for left, right in zip(map(frozenset, first), map(frozenset, second), strict=True):
        common += len(left & right)
        total += len(left) + len(right)
    return 2 * common / total if total else float("nan")


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---" + "|--:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _read_json_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _labelled(root: Path, written: _Written) -> list[_Labelled]:
    rows = [
        _Labelled(
            path.stem,
            row["split"],
            {name: int(row[name]) for name in CORE_SIGNALS},
            row["cues"].split(),
        )
        for path in sorted((root / "labels").glob("*.csv"))
        if path.stem != "second_reading"
        for row in _read_csv(path)
    ]
    return rows + [
        _Labelled("written", thread["split"], message["grades"], message["cues"])
        for thread, message in written.messages("customer")
    ]


def _source_table(rows: list[_Labelled]) -> str:
    def line(name: str, part: list[_Labelled]) -> list[object]:
        splits = Counter(row.split for row in part)
        positive = [sum(row.grades[signal] > 0 for row in part) for signal in CORE_SIGNALS]
        return [name, len(part), *(splits[split] for split in _SPLITS), *positive]

    names = sorted({row.source for row in rows})
    return _table(
        ["source", "messages", *_SPLITS, *(f"{signal} ≥ 1" for signal in CORE_SIGNALS)],
        [
            *(line(name, [row for row in rows if row.source == name]) for name in names),
            line("all", rows),
        ],
    )


def _grade_table(rows: list[_Labelled]) -> str:
    return _table(
        ["signal", *(f"grade {grade}" for grade in range(MAX_GRADE + 1))],
        [
            [signal, *(sum(row.grades[signal] == g for row in rows) for g in range(MAX_GRADE + 1))]
            for signal in CORE_SIGNALS
        ],
    )


def _by_split(names: Sequence[str], found: Iterable[tuple[str, Iterable[str]]]) -> list[list[Any]]:
    tally: Counter[tuple[str, str]] = Counter()
    for split, labels in found:
        tally.update((name, split) for name in labels)
    return [
        [name, sum(tally[name, split] for split in _SPLITS), *(tally[name, s] for s in _SPLITS)]
        for name in names
    ]


def _label_tables(rows: list[_Labelled], written: _Written) -> Iterator[tuple[str, str]]:
    yield (
        "Cues (real and written messages)",
        _table(["cue", "all", *_SPLITS], _by_split(CUES, ((r.split, r.cues) for r in rows))),
    )
    gold = [(thread["split"], message["gold"]) for thread, message in written.messages("customer")]
    yield (
        "Actions (after customer turns)",
        _table(
            ["action", "all", *_SPLITS, "primary"],
            [
                [*row, sum(label["primary"] == row[0] for _, label in gold)]
                for row in _by_split(ACTIONS, ((split, label["actions"]) for split, label in gold))
            ],
        ),
    )
    replies = [(t["split"], m["findings"] or ["clean"]) for t, m in written.messages("agent")]
    yield (
        "Findings (agents' messages)",
        _table(["finding", "all", *_SPLITS], _by_split((*FINDINGS, "clean"), replies)),
    )


def _thread_table(written: _Written) -> str:
    threads = written.threads
    formats = Counter(thread["format"] for thread in threads)
    promises = [p for t in threads for m in t["messages"] for p in m["promises"]]
    tags = Counter(tag for thread in threads for tag in thread["tags"])
    rows = [
        ["threads", len(threads)],
        *([f"of these {name}", formats[name]] for name in ("email", "chat", "call")),
        ["industries", len({thread["industry"] for thread in threads})],
        *(
            [f"{role} messages", sum(1 for _ in written.messages(role))]
            for role in ("customer", "agent", "system")
        ),
        ["promises", len(promises)],
        *(
            [f"of these {state.replace('_', ' ')}", count]
            for state, count in sorted(Counter(p["state"] for p in promises).items())
        ),
        *([f"hard material: {tag.replace('_', ' ')}", tags[tag]] for tag in sorted(tags)),
    ]
    return _table(["written threads", "count"], rows)


def own_words_share(written: _Written) -> dict[str, tuple[int, float]]:
    """Count positive written messages and the share that avoids the signal's own words."""
    shares = {}
    for signal in CORE_SIGNALS:
        texts = [m["new_text"] for _, m in written.messages("customer") if m["grades"][signal]]
        shown = sum(not OWN_WORDS[signal].search(text) for text in texts)
        shares[signal] = (len(texts), shown / len(texts) if texts else float("nan"))
    return shares


def _pairs(rows: Iterable[dict[str, Any]], *keys: str) -> list[tuple[Any, Any]]:
    by_item: defaultdict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    for row in rows:
        by_item[tuple(row[key] for key in keys)][row["reader"]] = row
    return [(readings["first"], readings["second"]) for readings in by_item.values()]


def _value(number: float) -> str:
    return "–" if math.isnan(number) else f"{number:.3f}"


def _agreement(root: Path) -> str:
    real = _pairs(_read_csv(root / "labels" / "second_reading.csv"), "source", "id")
    turns = _pairs(_read_json_lines(root / "corpus" / "second_reading.jsonl"), "id")
    graded = [(a, b) for a, b in turns if a["grades"] and b["grades"]]
    judged = [(a["gold"], b["gold"]) for a, b in turns if a["gold"] and b["gold"]]
    replies = [(a, b) for a, b in turns if a["findings"] is not None and b["findings"] is not None]
    rows: list[list[object]] = []
    for signal in CORE_SIGNALS:
        cells = [
            _value(weighted_kappa(*(_column(pairs, number) for number in (0, 1))))
            for pairs in (
                [(int(a[signal]), int(b[signal])) for a, b in real],
                [(a["grades"][signal], b["grades"][signal]) for a, b in graded],
            )
        ]
        rows.append([f"{signal}: weighted kappa", *cells])
    rows.append(
        [
            "cues: F1",
            _value(f1([a["cues"].split() for a, _ in real], [b["cues"].split() for _, b in real])),
            _value(f1([a["cues"] for a, _ in graded], [b["cues"] for _, b in graded])),
        ]
    )
    rows.append(
        [
            "actions: F1",
            "–",
            _value(f1([a["actions"] for a, _ in judged], [b["actions"] for _, b in judged])),
        ]
    )
    rows += [
        [f"{name}: same", "–", _value(_same(judged, name))]
        for name in ("primary", "channel", "timing")
    ]
    rows.append(
        [
            "findings: F1",
            "–",
            _value(f1([a["findings"] for a, _ in replies], [b["findings"] for _, b in replies])),
        ]
    )
    again = _read_json_lines(root / "corpus" / "replies_second.jsonl")
    rows.append(
        [
            f"findings: F1, {len(again)} replies read again later",
            "–",
            _value(f1([one["first"] for one in again], [one["second"] for one in again])),
        ]
    )
    stated = _read_json_lines(root / "corpus" / "promises_second.jsonl")
    same = sum(one["first"] == one["second"] for one in stated) / len(stated)
    rows.append([f"state of a promise: same, all {len(stated)}", "–", _value(same)])
    counted = (len(real), f"{len(graded)} customer, {len(replies)} agent")
    return _table(
        ["between two readings", "real messages", "written turns"],
        [["items read twice", *counted], *rows],
    )


def _column(pairs: Sequence[tuple[int, int]], number: int) -> list[int]:
    return [pair[number] for pair in pairs]


def _same(judged: Sequence[tuple[dict[str, str], dict[str, str]]], name: str) -> float:
    if not judged:
        return float("nan")
    return sum(a[name] == b[name] for a, b in judged) / len(judged)


def _load(root: Path) -> tuple[_Written, list[_Labelled]]:
    written = _Written(_read_json_lines(root / "corpus" / "threads.jsonl"))
    return written, _labelled(root, written)


def counts(root: Path) -> str:
    """Return the label counts a source and split, as text.

    Parameters
    ----------
    root : Path
        The folder ``data``.

    Returns
    -------
    str
        Markdown tables.
    """
    written, rows = _load(root)
    sections: list[tuple[str, Callable[[], str]]] = [
        ("Messages", lambda: _source_table(rows)),
        ("Grades", lambda: _grade_table(rows)),
        ("Threads", lambda: _thread_table(written)),
    ]
    parts = [f"**{title}**\n\n{table()}" for title, table in sections]
    parts += [f"**{title}**\n\n{table}" for title, table in _label_tables(rows, written)]
    return "\n".join(parts)


def card(root: Path) -> str:
    """Return the tables of the data card.

    Parameters
    ----------
    root : Path
        The folder ``data``.

    Returns
    -------
    str
        Markdown: counts, agreement between two readings, share of positive messages that show
        a signal without its own words. Cost: one pass over the labels.
    """
    written, _ = _load(root)
    shares = _table(
        ["written messages with", "count", "without the signal's own words"],
        [
            [f"{signal} ≥ 1", count, f"{share:.0%}" if count else "–"]
            for signal, (count, share) in own_words_share(written).items()
        ],
    )
    return (
        f"{counts(root)}\n**Agreement**\n\n{_agreement(root)}\n**Outreach**\n\n{_outreach(root)}\n"
        f"**Show, don't tell**\n\n{shares}\n"
    )


def _outreach(root: Path) -> str:
    """Count outreach cases by decision, and how many of those read twice were decided alike."""
    first, second = (
        {case["id"]: case for case in _read_json_lines(root / "corpus" / name)}
        for name in ("outreach.jsonl", "outreach_second.jsonl")
    )
    decisions = Counter(case["decision"] for case in first.values())
    same = sum(first[name]["decision"] == case["decision"] for name, case in second.items())
    rows: list[list[object]] = [[name, n] for name, n in sorted(decisions.items())]
    rows.append(["read twice", len(second)])
    rows.append(["of these decided alike", same])
    return _table(["outreach cases", "count"], rows)

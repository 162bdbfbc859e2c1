"""The labelled corpus: real messages by upstream id, threads of our own writing, outreach cases.

``load_corpus()`` joins the labels of `data/labels` with the public texts that
``customer-nlp data fetch`` brings, and reads the threads of `data/corpus`, which need neither.
``python -m customer_nlp.training.corpus`` prints label counts and samples, with ``--card`` the
tables of `data/README.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from customer_nlp.codebook import CORE_SIGNALS
from customer_nlp.errors import MissingExtraError, SourceError
from customer_nlp.records import Commitment, Message, Thread, Zone
from customer_nlp.training._upstream import SOURCES, read_upstream

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Corpus", "Gold", "LabelledThread", "TurnLabels", "load_corpus"]

Ranges = tuple[tuple[int, int], ...]

_REPOSITORY_DATA: Final = Path(__file__).resolve().parents[2] / "data"
_MESSAGE_COLUMNS: Final = (
    "source",
    "id",
    "role",
    "text",
    "context",
    *CORE_SIGNALS,
    "cues",
    "evidence",
    "chosen",
    "split",
    "group",
    "thread",
)
_AGENT_COLUMNS: Final = ("id", "text", "context", "findings", "split", "group", "thread")


@dataclass(frozen=True, slots=True)
class Gold:
    """What to do next, given all turns so far.

    Parameters
    ----------
    actions : tuple of str
        From `codebook.ACTIONS`, in its order.
    primary, channel, timing : str
        The first thing to do, by which way, how soon.
    """

    actions: tuple[str, ...]
    primary: str
    channel: str
    timing: str


@dataclass(frozen=True, slots=True)
class TurnLabels:
    """The labels of one message of a thread.

    Parameters
    ----------
    grades : mapping of str to int, optional
        Core signal to grade, on customer messages.
    cues : tuple of str
        On customer messages.
    evidence : mapping of str to tuple of (start, end)
        Core signal to ranges of `Message.text`, inside its new zones.
    findings : tuple of str, optional
        On agent messages; empty when the reply is clean.
    gold : Gold, optional
        After customer messages.
    promises : tuple of Commitment
        Undertakings in this message, with their state at the end of the thread.
    """

    grades: Mapping[str, int] | None
    cues: tuple[str, ...]
    evidence: Mapping[str, Ranges]
    findings: tuple[str, ...] | None
    gold: Gold | None
    promises: tuple[Commitment, ...]


@dataclass(frozen=True, slots=True, repr=False)
class LabelledThread:
    """A written thread with its labels.

    Parameters
    ----------
    thread : Thread
        The turns, as a reader would give them.
    labels : tuple of TurnLabels
        One a message, in the same order.
    industry, format : str
        What the company does; ``email``, ``chat`` or ``call``.
    split, group : str
        Train, dev or test; the near-duplicate group that decides it.
    tags : tuple of str
        Kinds of hard material.
    hard : str
        What makes it hard, in one line.
    facts : tuple of (str, str)
        What is known of the account: kind and value.
    intercept : str, optional
        Id of the first message after which a decisive step is right.
    """

    thread: Thread
    labels: tuple[TurnLabels, ...]
    industry: str
    format: str
    split: str
    group: str
    tags: tuple[str, ...]
    hard: str
    facts: tuple[tuple[str, str], ...]
    intercept: str | None

    @property
    def turns(self) -> Iterator[tuple[Message, TurnLabels]]:
        """Each message with its labels."""
        return zip(self.thread.messages, self.labels, strict=True)

    def __repr__(self) -> str:
        return f"LabelledThread(id={self.thread.id!r}, messages={len(self.labels)})"


class Corpus:
    """Labels and texts, each part read when first asked for.

    Parameters
    ----------
    root : Path
        The folder ``data`` of the repository.
    raw : Path
        The public texts, one folder a source.
    """

    def __init__(self, root: Path, raw: Path) -> None:
        self.root = root
        self.raw = raw

    @cached_property
    def threads(self) -> list[LabelledThread]:
        """The written threads. Needs neither the public texts nor pandas."""
        return [_thread(record) for record in _json_lines(self.root / "corpus" / "threads.jsonl")]

    @cached_property
    def posts(self) -> list[LabelledThread]:
        """Short public posts and chats of our own writing, mostly a single message each."""
        return [_thread(record) for record in _json_lines(self.root / "corpus" / "posts.jsonl")]

    @cached_property
    def outreach(self) -> list[dict[str, Any]]:
        """The outreach cases, as plain records."""
        return list(_json_lines(self.root / "corpus" / "outreach.jsonl"))

    @cached_property
    def messages(self) -> pd.DataFrame:
        """All labelled customer messages, one a row.

        Columns: ``source`` (``written`` and ``post`` for ours), ``id``, ``role``, ``text``,
        ``context`` (tuple of (role, text), oldest first), one column a core signal (0-3), ``cues``
        (tuple),
        ``evidence`` (core signal to ranges of ``text``), ``chosen`` (random, enriched or written),
        ``split``, ``group``, ``thread`` (its id, missing for real messages). The text of a written
        message is its new text, and its context all earlier turns.
        """
        rows = [row for source in SOURCES for row in _real_rows(self.root, self.raw, source)]
        rows += _written_rows(self.threads, "written")
        rows += _written_rows(self.posts, "post")
        return _frame(rows, _MESSAGE_COLUMNS)

    @cached_property
    def agent_messages(self) -> pd.DataFrame:
        """The agents' messages of our own writing: text, context, findings, split, thread."""
        return _frame(list(_agent_rows([*self.threads, *self.posts])), _AGENT_COLUMNS)


def load_corpus(
    root: str | os.PathLike[str] | None = None, raw: str | os.PathLike[str] | None = None
) -> Corpus:
    """Open the corpus.

    Parameters
    ----------
    root : path, optional
        The folder ``data``; by default the one of this checkout.
    raw : path, optional
        Where the public texts are; by default ``raw`` in `root`, or, when that is missing, the
        folder that the environment variable ``CUSTOMER_NLP_DATA_MIRROR`` names.

    Returns
    -------
    Corpus
        Its parts are read on first use.

    Raises
    ------
    SourceError
        When `root` holds no corpus.

    Notes
    -----
    Labels CC-BY-4.0 (see data/README.md); upstream texts under their own licences.
    """
    folder = _REPOSITORY_DATA if root is None else Path(root)
    if not (folder / "corpus").is_dir():
        raise SourceError(
            f"Expected the folder of the corpus, with 'corpus' and 'labels' in it; {folder} has "
            "none. Name the folder `data` of a checkout: load_corpus('path/to/data').",
            source=str(folder),
        )
    return Corpus(folder, _raw_folder(folder) if raw is None else Path(raw))


def _raw_folder(root: Path) -> Path:
    mirror = os.environ.get("CUSTOMER_NLP_DATA_MIRROR")
    fetched = root / "raw"
    return Path(mirror) if mirror and not fetched.is_dir() else fetched


def _frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "frame") from error
    return pd.DataFrame(rows, columns=list(columns))


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _thread(record: Mapping[str, Any]) -> LabelledThread:
    messages = tuple(_message(message, record["format"]) for message in record["messages"])
    return LabelledThread(
        thread=Thread(
            id=record["id"],
            messages=messages,
            subject=messages[0].subject,
            channel=record["format"],
            source="written",
        ),
        labels=tuple(_labels(message) for message in record["messages"]),
        industry=record["industry"],
        format=record["format"],
        split=record["split"],
        group=record["group"],
        tags=tuple(record["tags"]),
        hard=record["hard"],
        facts=tuple((fact["kind"], fact["value"]) for fact in record["facts"]),
        intercept=record["intercept"],
    )


def _message(record: Mapping[str, Any], channel: str) -> Message:
    return Message(
        role=record["role"],
        text=record["body"],
        id=record["id"],
        sent_at=datetime.fromisoformat(record["date"]),
        sender=_sender(record["from"]),
        to=tuple(record["to"]),
        cc=tuple(record["cc"]),
        subject=record["subject"],
        channel=channel,
        automatic=record["role"] == "system",
        zones=tuple(Zone(zone["kind"], zone["start"], zone["end"]) for zone in record["zones"]),
    )


def _sender(field: str) -> str | None:
    """Take the bare address as the readers do; a chat has a name only."""
    _, bracket, address = field.rpartition("<")
    bare = address.rstrip("> ") if bracket else field
    return (bare.lower() if "@" in bare else field) or None


def _labels(record: Mapping[str, Any]) -> TurnLabels:
    gold = record["gold"]
    return TurnLabels(
        grades=record["grades"],
        cues=tuple(record["cues"] or ()),
        evidence={
            name: tuple((start, end) for start, end in ranges)
            for name, ranges in (record["evidence"] or {}).items()
        },
        findings=None if record["findings"] is None else tuple(record["findings"]),
        gold=None if gold is None else Gold(**gold | {"actions": tuple(gold["actions"])}),
        promises=tuple(_promise(promise, record["id"]) for promise in record["promises"]),
    )


def _promise(record: Mapping[str, Any], message_id: str) -> Commitment:
    due = record["due"]
    return Commitment(
        message_id=message_id,
        by=record["by"],
        text=record["text"],
        start=record["start"],
        end=record["end"],
        due=None if due is None else datetime.fromisoformat(due),
        state=record["state"],
    )


def _real_rows(root: Path, raw: Path, source: str) -> Iterator[dict[str, Any]]:
    upstream = read_upstream(source, raw)
    with (root / "labels" / f"{source}.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            message = upstream[row["id"]]
            yield {
                "source": source,
                "id": row["id"],
                "role": "customer",
                "text": message.text,
                "context": tuple(("customer", turn) for turn in message.context),
                **{name: int(row[name]) for name in CORE_SIGNALS},
                "cues": tuple(row["cues"].split()),
                "evidence": {name: _ranges(row[f"evidence_{name}"]) for name in CORE_SIGNALS},
                "chosen": row["chosen"],
                "split": row["split"],
                "group": row["group"],
                "thread": None,
            }


def _ranges(field: str) -> Ranges:
    pairs = (part.split(":") for part in field.split())
    return tuple((int(start), int(end)) for start, end in pairs)


def _written_rows(threads: list[LabelledThread], source: str) -> Iterator[dict[str, Any]]:
    for labelled in threads:
        context: tuple[tuple[str, str], ...] = ()
        for message, labels in labelled.turns:
            if labels.grades is not None:
                yield {
                    "source": source,
                    "id": message.id,
                    "role": message.role,
                    "text": message.new_text,
                    "context": context,
                    **labels.grades,
                    "cues": labels.cues,
                    "evidence": {
                        name: _within_new_text(message, ranges)
                        for name, ranges in labels.evidence.items()
                    },
                    "chosen": "written",
                    "split": labelled.split,
                    "group": labelled.group,
                    "thread": labelled.thread.id,
                }
            context = (*context, (message.role, message.new_text))


def _within_new_text(message: Message, ranges: Ranges) -> Ranges:
    """Move ranges of the body to the text that its new zones make when joined."""
    moved = []
    for start, end in ranges:
        position = 0
        for zone in message.zones_of("new"):
            if zone.start <= start and end <= zone.end:
                offset = position - zone.start
                moved.append((start + offset, end + offset))
            position += zone.end - zone.start
    return tuple(moved)


def _agent_rows(threads: list[LabelledThread]) -> Iterator[dict[str, Any]]:
    for labelled in threads:
        context: tuple[tuple[str, str], ...] = ()
        for message, labels in labelled.turns:
            if labels.findings is not None:
                yield {
                    "id": message.id,
                    "text": message.new_text,
                    "context": context,
                    "findings": labels.findings,
                    "split": labelled.split,
                    "group": labelled.group,
                    "thread": labelled.thread.id,
                }
            context = (*context, (message.role, message.new_text))


def _samples(corpus: Corpus, count: int) -> Iterator[str]:
    """Show the first customer turn of threads spread evenly over the corpus."""
    step = max(1, len(corpus.threads) // count)
    for labelled in corpus.threads[::step][:count]:
        message, labels = next(turn for turn in labelled.turns if turn[1].grades is not None)
        grades = ", ".join(f"{name} {grade}" for name, grade in (labels.grades or {}).items())
        primary = labels.gold.primary if labels.gold else "-"
        yield f"--- {message.id} ({labelled.industry}; {labelled.hard})"
        yield message.new_text.strip()
        yield f"=> {grades}; cues: {', '.join(labels.cues) or 'none'}; next: {primary}\n"


def main(arguments: list[str] | None = None) -> int:
    """Print the corpus's label counts and samples, or the tables of its card.

    Parameters
    ----------
    arguments : list of str, optional
        Command line; by default the process's own.

    Returns
    -------
    int
        Exit status.
    """
    from customer_nlp.training._card import card, counts

    parser = argparse.ArgumentParser(prog="python -m customer_nlp.training.corpus")
    parser.add_argument("--root", help="the folder data of a checkout")
    parser.add_argument("--card", action="store_true", help="print the tables of data/README.md")
    parser.add_argument("--samples", type=int, default=3, help="written messages to show")
    options = parser.parse_args(arguments)
    try:
        corpus = load_corpus(options.root)
    except SourceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.card:
        sys.stdout.write(card(corpus.root))
        return 0
    sys.stdout.write(counts(corpus.root) + "\n")
    if options.samples > 0:
        sys.stdout.writelines(line + "\n" for line in _samples(corpus, options.samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())

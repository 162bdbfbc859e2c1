"""Read the upstream files of `data/sources.json`: ids and texts exactly as the labels know them.

An id is the upstream one where there is one, else the row's place in its file. Labels hold
character ranges, so a change of reading here would silently move them: `tests/test_corpus.py`
compares the sha256 over all labelled texts with the one stored beside the labels.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from customer_nlp.errors import SourceError

__all__ = ["SOURCES", "UpstreamMessage", "read_upstream"]

#: Earlier turns of the same customer that are given as context.
_CONTEXT_TURNS: Final = 3
_MULTIDOGO_COLUMNS: Final = 4


class UpstreamMessage(NamedTuple):
    """One customer message of a public set.

    Parameters
    ----------
    id : str
        Unique within its source.
    text : str
        As upstream has it.
    context : tuple of str
        Up to three earlier turns of the same customer, oldest first.
    """

    id: str
    text: str
    context: tuple[str, ...] = ()


def _rows(path: Path) -> Iterator[dict[str, str]]:
    # Universal newlines on purpose: a line break inside a field is one character.
    with path.open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in lines]


def _complaints_xci(folder: Path) -> Iterator[UpstreamMessage]:
    for row in _rows(folder / "X-CI Dataset.csv"):
        yield UpstreamMessage(row["id"], row["tweet"])


def _banking77(folder: Path) -> Iterator[UpstreamMessage]:
    for split in ("train", "test"):
        for number, row in enumerate(_rows(folder / f"{split}.csv")):
            yield UpstreamMessage(f"{split}:{number}", row["text"])


def _nlupp(folder: Path) -> Iterator[UpstreamMessage]:
    for path in sorted(folder.glob("*/fold*.json")):
        fold = f"{path.parent.name}/{path.stem}"
        for number, row in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            yield UpstreamMessage(f"{fold}:{number}", row["text"])


def _hint3(folder: Path) -> Iterator[UpstreamMessage]:
    for path in sorted(folder.glob("*.csv")):
        for number, row in enumerate(_rows(path)):
            yield UpstreamMessage(f"{path.stem}:{number}", row["sentence"])


def _dstc11_natcs(folder: Path) -> Iterator[UpstreamMessage]:
    for stem in ("development", "test-banking", "test-finance"):
        for number, line in enumerate(_lines(folder / f"{stem}.jsonl")):
            yield UpstreamMessage(f"{stem}:{number}", json.loads(line)["utterance"])


def _multidogo(folder: Path) -> Iterator[UpstreamMessage]:
    turns: dict[str, list[tuple[int, str]]] = {}
    for path in sorted(folder.glob("*/turn_*.tsv")):
        for line in _lines(path)[1:]:
            fields = line.split("\t")
            # About a thousand lines upstream are malformed: no turn number, too few columns.
            if len(fields) >= _MULTIDOGO_COLUMNS and fields[1].isdigit():
                turns.setdefault(fields[0], []).append((int(fields[1]), fields[3]))
    for conversation, spoken in turns.items():
        spoken.sort()
        for index, (number, text) in enumerate(spoken):
            earlier = spoken[max(0, index - _CONTEXT_TURNS) : index]
            yield UpstreamMessage(
                f"{conversation}#{number}", text, tuple(turn for _, turn in earlier)
            )


def _goemotions(folder: Path) -> Iterator[UpstreamMessage]:
    for split in ("train", "dev", "test"):
        for line in _lines(folder / f"{split}.tsv"):
            text, _, identifier = line.split("\t")
            yield UpstreamMessage(identifier, text)


_READERS: Final[dict[str, Callable[[Path], Iterator[UpstreamMessage]]]] = {
    "complaints_xci": _complaints_xci,
    "banking77": _banking77,
    "nlupp": _nlupp,
    "hint3": _hint3,
    "dstc11_natcs": _dstc11_natcs,
    "multidogo": _multidogo,
    "goemotions": _goemotions,
}

#: Sources whose messages carry labels of ours.
SOURCES: Final = tuple(_READERS)


def read_upstream(source: str, raw: Path) -> dict[str, UpstreamMessage]:
    """Read all messages of one public set.

    Parameters
    ----------
    source : str
        One of `SOURCES`.
    raw : Path
        Folder that holds one folder a source, as ``customer-nlp data fetch`` lays it out.

    Returns
    -------
    dict of str to UpstreamMessage
        By id, in upstream's order; where upstream repeats an id, the first message counts.

    Raises
    ------
    SourceError
        When the files are not there; names the command that brings them.
    """
    folder = raw / source
    messages: dict[str, UpstreamMessage] = {}
    try:
        for message in _READERS[source](folder):
            messages.setdefault(message.id, message)
    except FileNotFoundError:
        messages.clear()
    if not messages:
        raise SourceError(
            f"The texts of {source} should be in {folder}; they are not, or not all. "
            "Run `customer-nlp data fetch` once (set CUSTOMER_NLP_DATA_MIRROR to a folder laid "
            "out as data/raw to do so without a network), or name the folder that has them.",
            source=str(folder),
        )
    return messages

"""Unlabelled public messages for distillation."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from customer_nlp.training._upstream import SOURCES, read_upstream
from customer_nlp.training.corpus import Corpus
from customer_nlp.training.examples import Example

__all__ = ["unlabelled"]

#: How many of each source; the pool leans towards people who write to a company.
SIZES: Final = {
    "complaints_xci": 4000,
    "banking77": 10000,
    "nlupp": 4000,
    "hint3": 4000,
    "dstc11_natcs": 3000,
    "multidogo": 18000,
    "goemotions": 22000,
    "clinc150": 4000,
    "bitext_8k": 2000,
}
_SEED: Final = 7


def unlabelled(corpus: Corpus, rows: Sequence[Example]) -> list[str]:
    """Return the pool, the same list every time.

    Parameters
    ----------
    corpus : Corpus
        Gives the public texts; reserved ones are never among them.
    rows : sequence of Example
        The labelled messages; their texts are left out of the pool.
    """
    rng = random.Random(_SEED)
    labelled = {_normal(row.text) for row in rows}
    pool: list[str] = []
    for source, size in SIZES.items():
        fresh = {_normal(text): text for text in _texts(source, corpus)}
        texts = [text for key, text in fresh.items() if len(key) > 2 and key not in labelled]
        pool += rng.sample(texts, min(size, len(texts)))
    return pool


def _texts(source: str, corpus: Corpus) -> Iterator[str]:
    """Yield the texts of one source, without reserved ones or texts equal to those."""
    if source == "clinc150":
        path = corpus.raw / source / "data_full.json"
        for rows in json.loads(path.read_text(encoding="utf-8")).values():
            yield from (text for text, _ in rows)
    elif source == "bitext_8k":
        for path in sorted((corpus.raw / source).glob("*.csv")):
            yield from _utterances(path)
    elif source in SOURCES:
        reserved = _reserved(source, corpus.root)
        messages = read_upstream(source, corpus.raw).values()
        kept_out = {_normal(m.text) for m in messages if m.id.split("#")[0] in reserved}
        for message in messages:
            held = message.id.split("#")[0] in reserved
            # a chat turn such as "yes please" is nobody's own: equal ones are kept out elsewhere
            if not held and (source == "multidogo" or _normal(message.text) not in kept_out):
                yield message.text


def _utterances(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield row.get("utterance") or row.get("instruction") or ""


def _reserved(source: str, root: Path) -> frozenset[str]:
    listed = json.loads((root / "reserved.json").read_text(encoding="utf-8"))
    names = {"complaints_xci": "complaints_xci.id", "multidogo": "multidogo.conversationId"}
    return frozenset(str(one) for one in listed.get(names.get(source, ""), ()))


def _normal(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()

"""The plainest ways in which people say that they are lost, annoyed or leaving.

``plain_words.jsonl`` was written and judged by somebody who had seen neither the corpus nor the
model; nothing is fitted or chosen on it. A key is left out where a reader could go either way.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

import customer_nlp
from customer_nlp.codebook import CORE_SIGNALS
from customer_nlp.signals import SignalTable

MESSAGES = [
    json.loads(line)
    for line in (Path(__file__).parent / "plain_words.jsonl").read_text("utf-8").splitlines()
]
#: Share of those who show a signal that is noticed, and of those noticed who show it. These floors
#: are what the shipped model reaches; where one falls, the changelog says so.
RECALL = {"confusion": 0.85, "frustration": 0.86, "churn_risk": 0.73}
PRECISION = {"confusion": 0.97, "frustration": 0.80, "churn_risk": 0.85}


@cache
def table() -> SignalTable:
    """Score the messages once."""
    return customer_nlp.load().signals([message["text"] for message in MESSAGES])


@pytest.mark.parametrize("name", CORE_SIGNALS)
def test_plain_words_are_understood(name: str) -> None:
    grades = table().grade[:, CORE_SIGNALS.index(name)]
    rows = zip(MESSAGES, (grades > 0).tolist(), strict=True)
    judged = [(one[name], noticed, one["text"]) for one, noticed in rows if name in one]
    hits = sum(bool(shown and noticed) for shown, noticed, _ in judged)
    missed = [text for shown, noticed, text in judged if shown and not noticed]
    invented = [text for shown, noticed, text in judged if noticed and not shown]
    assert hits / (hits + len(missed)) >= RECALL[name], missed
    assert hits / (hits + len(invented)) >= PRECISION[name], invented

"""Mails as files: a bug is two of them, `case.eml` and `case.expected.json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import customer_nlp

CASES = sorted(Path(__file__).with_name("messages").glob("*.eml"))
#: Share of fixtures whose zones must be exact to the character.
EXACT = 0.95


def _zones(path: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    [thread] = customer_nlp.read(path)
    [message] = thread.messages
    found = [(zone.kind, message.text[zone.start : zone.end]) for zone in message.zones]
    wanted = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))["zones"]
    return found, [(zone["kind"], zone["text"]) for zone in wanted]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_zones_tile_the_text_that_was_expected(path: Path):
    found, wanted = _zones(path)
    assert "".join(text for _, text in found) == "".join(text for _, text in wanted)


def test_zones_are_exact():
    results = {path.stem: _zones(path) for path in CASES}
    wrong = [name for name, (found, wanted) in results.items() if found != wanted]
    assert len(CASES) >= 120
    assert 1 - len(wrong) / len(CASES) >= EXACT, wrong

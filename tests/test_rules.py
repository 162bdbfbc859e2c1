"""Rules: keys spare work and never a match."""

from __future__ import annotations

import json
import re
import string
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_nlp import accounts, review, timeline
from customer_nlp.review import _phrases
from customer_nlp.text import Rule, RuleTable, word_keys

THREADS = Path(__file__).parents[1] / "data" / "corpus" / "threads.jsonl"


def _rules(value: object) -> Iterator[Rule]:
    if isinstance(value, Rule):
        yield value
    elif isinstance(value, dict | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _rules(one)


MODULES = [
    import_module(one.name)
    for package in (accounts, review, timeline)
    for one in iter_modules(package.__path__, f"{package.__name__}.")
]
RULES = list(dict.fromkeys(rule for m in MODULES for v in vars(m).values() for rule in _rules(v)))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    threads = (json.loads(line) for line in THREADS.read_text("utf-8").splitlines()[:80])
    return [message["body"].lower() for thread in threads for message in thread["messages"]]


def test_most_rules_are_spared_and_none_that_matches(texts: list[str]):
    spared = 0
    for text in texts:
        keys = word_keys(text)
        for rule in RULES:
            spared += not rule.may(keys)
            assert rule.may(keys) or rule.search(text) is None
    assert spared > len(texts) * len(RULES) / 2


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_rule_matches_has_one_of_its_keys(data: st.DataObject):
    rule = data.draw(st.sampled_from(RULES))
    text = data.draw(st.from_regex(re.compile(rule.pattern, re.IGNORECASE)))
    assert rule.search(text) is None or rule.may(word_keys(text))


@given(st.text(alphabet="callrefund _9.'’İſ\n"), st.data())
def test_keys_hold_those_of_every_part_cut_between_words(text: str, data: st.DataObject):
    ends = [0, *(m.end() for m in re.finditer(r"[^\W\d_]+|.", text, re.DOTALL))]
    start, end = sorted(data.draw(st.tuples(*2 * [st.sampled_from(ends)])))
    assert word_keys(text[start:end]) <= word_keys(text)


def test_keys_ignore_case_as_patterns_do():
    letters = re.compile(f"[{string.ascii_letters}]", re.IGNORECASE)
    for point in range(sys.maxunicode + 1):
        if letters.match(chr(point)):
            [key] = word_keys(chr(point))
            assert re.match(key, chr(point), re.IGNORECASE)
            assert key in string.ascii_lowercase


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        (r"\brefund\w*", {"refu"}),
        (r"\b(?:call|ring)\s(?:me|us)\b", {"call", "ring"}),
        (r"\bcop(?:y|ies)\b", {"copy", "copi"}),
        (r"\be-?mail\b", {"e", "emai"}),
        (r"\bI(?:['’]ll|\swill)\sask\b", {"ask"}),
        (r"\d+\s?%", {"%"}),
        (r"\b(?:soon|\d\sdays?)\b", {"soon", "day", "days"}),
        (r"(?:soon|\d\sdays?)\b", None),  # nothing says that "soon" begins a word
        (r"\w+ed\b", None),
        (r"refund", None),  # may stand within a word
        (r"\b(?:refund)?", None),
    ],
)
def test_keys_are_read_off_the_pattern(pattern: str, keys: set[str] | None):
    assert Rule(pattern, flags=re.IGNORECASE).keys == keys


def test_a_table_asks_all_its_rules_at_once(texts: list[str]):
    table = RuleTable(_phrases.RULES)
    for text in texts[:100]:
        bare = [i for i, rule in enumerate(table.rules) if rule.search(text)]
        assert table.matching(text, word_keys(text)) == bare

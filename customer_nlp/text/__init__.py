"""Text on the way in: html to text once, then labelled ranges over untouched text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from customer_nlp.text._language import language
from customer_nlp.text._markers import FORWARD_SUBJECTS, word_set
from customer_nlp.text._rules import DIGIT_KEY, Rule, RuleTable, caseless, word_keys
from customer_nlp.text._sentences import sentences
from customer_nlp.text._signatures import signature_name
from customer_nlp.text._zones import segment

if TYPE_CHECKING:
    from customer_nlp.text._html import html_to_text

__all__ = [
    "DIGIT_KEY",
    "FORWARD_SUBJECTS",
    "Rule",
    "RuleTable",
    "caseless",
    "html_to_text",
    "language",
    "segment",
    "sentences",
    "signature_name",
    "word_keys",
    "word_set",
]


def __getattr__(name: str) -> Any:
    if name == "html_to_text":  # the parser behind it is for readers: loading a model needs none
        from customer_nlp.text._html import html_to_text

        globals()[name] = html_to_text
        return html_to_text
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

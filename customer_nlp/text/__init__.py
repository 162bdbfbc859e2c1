"""Text on the way in: html to text once, then labelled ranges over untouched text."""

from __future__ import annotations

from customer_nlp.text._zones import segment

__all__ = ["segment"]

"""Corpus, fit, calibration, evaluation. The only floor that imports scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from customer_nlp.training.corpus import Corpus, load_corpus

__all__ = ["Corpus", "load_corpus"]


def __getattr__(name: str) -> Any:
    # Not at import: `python -m customer_nlp.training.corpus` would find itself loaded already.
    if name in __all__:
        from customer_nlp.training import corpus

        return getattr(corpus, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

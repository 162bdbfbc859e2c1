"""Your own data: scikit-learn estimators, signals of your own, thresholds, drift.

Names are imported when first used; scikit-learn is imported by those that need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from customer_nlp.learn._drift import DriftReport, drift
    from customer_nlp.learn._estimators import ActionClassifier, SignalClassifier, SignalVectorizer
    from customer_nlp.learn._intervals import Interval
    from customer_nlp.learn._labelling import (
        Agreement,
        CurvePoint,
        agreement,
        label_noise,
        learning_curve,
        suggest,
    )
    from customer_nlp.learn._thresholds import ConformalSets, OperatingPoint, conformal, tune
    from customer_nlp.learn._train import (
        LabelReport,
        TrainReport,
        add_signal,
        check_labels,
        train,
    )

__all__ = [
    "ActionClassifier",
    "Agreement",
    "ConformalSets",
    "CurvePoint",
    "DriftReport",
    "Interval",
    "LabelReport",
    "OperatingPoint",
    "SignalClassifier",
    "SignalVectorizer",
    "TrainReport",
    "add_signal",
    "agreement",
    "check_labels",
    "conformal",
    "drift",
    "label_noise",
    "learning_curve",
    "suggest",
    "train",
    "tune",
]

_HOMES = {
    "_drift": ("DriftReport", "drift"),
    "_estimators": ("ActionClassifier", "SignalClassifier", "SignalVectorizer"),
    "_intervals": ("Interval",),
    "_labelling": (
        "Agreement",
        "CurvePoint",
        "agreement",
        "label_noise",
        "learning_curve",
        "suggest",
    ),
    "_thresholds": ("ConformalSets", "OperatingPoint", "conformal", "tune"),
    "_train": ("LabelReport", "TrainReport", "add_signal", "check_labels", "train"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

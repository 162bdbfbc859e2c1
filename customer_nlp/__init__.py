"""customer_nlp: reads what customers write and says what to do next.

``load()`` gives an `Analyzer`; ``read()`` turns a mailbox, table or export into threads. Names are
imported when first used, so that ``import customer_nlp`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from customer_nlp.accounts import Account
    from customer_nlp.analyzer import Analyzer, load
    from customer_nlp.errors import CustomerNlpError, ParseError
    from customer_nlp.policy import Policy
    from customer_nlp.readers import read
    from customer_nlp.records import (
        Analysis,
        Commitment,
        Evidence,
        Finding,
        Message,
        Recommendation,
        Signal,
        Thread,
    )
    from customer_nlp.signals import SignalTable

__all__ = [
    "Account",
    "Analysis",
    "Analyzer",
    "Commitment",
    "CustomerNlpError",
    "Evidence",
    "Finding",
    "Message",
    "ParseError",
    "Policy",
    "Recommendation",
    "Signal",
    "SignalTable",
    "Thread",
    "load",
    "read",
]

_HOMES = {
    "Account": "customer_nlp.accounts",
    "Analyzer": "customer_nlp.analyzer",
    "load": "customer_nlp.analyzer",
    "CustomerNlpError": "customer_nlp.errors",
    "ParseError": "customer_nlp.errors",
    "Policy": "customer_nlp.policy",
    "read": "customer_nlp.readers",
    "SignalTable": "customer_nlp.signals",
} | dict.fromkeys(
    (
        "Analysis",
        "Commitment",
        "Evidence",
        "Finding",
        "Message",
        "Recommendation",
        "Signal",
        "Thread",
    ),
    "customer_nlp.records",
)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

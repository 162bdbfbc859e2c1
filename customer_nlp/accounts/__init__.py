"""Facts about a customer, with source and expiry, and whether we may make a planned contact."""

from customer_nlp.accounts._facts import FACTS, Fact, told
from customer_nlp.accounts._outreach import REASONS, OutreachCheck, check
from customer_nlp.accounts._records import (
    Account,
    Contact,
    Matter,
    Standing,
    customer_of,
    gather,
)

__all__ = [
    "FACTS",
    "REASONS",
    "Account",
    "Contact",
    "Fact",
    "Matter",
    "OutreachCheck",
    "Standing",
    "check",
    "customer_of",
    "gather",
    "told",
]

"""The closed vocabularies: what a signal, cue, action, channel, timing or finding may be called.

One place for the names and for the rules that bind them (codebook version 1.2).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

__all__ = [
    "ACTIONS",
    "CHANNELS",
    "CODEBOOK_VERSION",
    "CORE_SIGNALS",
    "CUES",
    "FINDINGS",
    "MAX_GRADE",
    "ROLES",
    "SIGNALS",
    "TIMINGS",
    "action_problems",
]

CODEBOOK_VERSION: Final = "1.2"

#: Graded 0-3 on customer messages.
CORE_SIGNALS: Final = ("confusion", "frustration", "churn_risk")
MAX_GRADE: Final = 3

#: Yes/no on customer messages.
CUES: Final = (
    "repeat_contact",
    "waiting",
    "dead_channel",
    "call_request",
    "escalation_request",
    "billing",
    "product_fault",
    "order_or_delivery",
    "contradiction",
    "repeated_effort",
    "stale_outreach",
    "upsell_pushback",
    "deadline",
    "loyalty",
    "price_sensitivity",
    "gratitude",
    "resolved",
)

#: Column order of a signal table.
SIGNALS: Final = CORE_SIGNALS + CUES

#: What to do next, thread level.
ACTIONS: Final = (
    "call_now",
    "explain_invoice",
    "walk_through",
    "hold_upsell",
    "take_ownership",
    "update_proactively",
    "make_good",
    "reconcile_answers",
    "escalate_to_manager",
    "retain",
    "restore_channel",
    "correct_record",
    "reply",
    "close",
)

CHANNELS: Final = ("phone", "same", "in_person", "none")
TIMINGS: Final = ("now", "today", "normal")

#: What can be wrong with a message of ours. ``clean`` is the absence of all of them.
FINDINGS: Final = (
    "policy_talk",
    "blames_customer",
    "asks_again",
    "premature_upsell",
    "dismissive",
    "no_ownership",
    "no_next_step",
    "contradicts",
    "canned",
    "wrong_answer",
)

ROLES: Final = ("customer", "agent", "system")

_ORDINARY: Final = frozenset({"reply", "close"})
_EXCLUDED_BY_ORDINARY: Final = frozenset({"call_now", "escalate_to_manager"})


def action_problems(
    actions: Collection[str], primary: str, channel: str, *, offer_made: bool = True
) -> tuple[str, ...]:
    """List every rule of the codebook that a set of actions breaks.

    Parameters
    ----------
    actions : collection of str
        Names from `ACTIONS`.
    primary : str
        The first thing to do.
    channel : str
        One of `CHANNELS`.
    offer_made : bool, default=True
        Whether an offer was made or planned; without one ``hold_upsell`` is never primary.

    Returns
    -------
    tuple of str
        Empty when the recommendation is legal. Cost: constant.
    """
    problems = []
    chosen = frozenset(actions)
    if unknown := chosen - frozenset(ACTIONS):
        problems.append(f"unknown actions: {', '.join(sorted(unknown))}")
    if primary not in chosen:
        problems.append("primary is not among the actions")
    if chosen & _ORDINARY and chosen & _EXCLUDED_BY_ORDINARY:
        problems.append("reply and close exclude call_now and escalate_to_manager")
    if "call_now" in chosen and (primary != "call_now" or channel != "phone"):
        problems.append("call_now is primary whenever listed, and its channel is phone")
    if primary == "close" and channel != "none":
        problems.append("close means channel none")
    if primary == "hold_upsell" and not offer_made:
        problems.append("hold_upsell is primary only where an offer was made or planned")
    return tuple(problems)

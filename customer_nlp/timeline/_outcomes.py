"""Outcomes: whether what followed a promise shows that it was kept or broken.

What both sides wrote around the due time is weighed by ``outcomes.json``, which
`customer_nlp.training.outcomes` learns from the reader's marks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

from customer_nlp.records import Message
from customer_nlp.text import Rule, caseless, word_keys

__all__ = [
    "ARRIVED",
    "CAME",
    "DENIED",
    "DOUBT",
    "FAILED",
    "OUTCOMES",
    "OWNED_UP",
    "Outcomes",
    "Said",
    "Slot",
    "denied",
    "shipped_outcomes",
    "signs_of",
]

OUTCOMES: Final = Path(__file__).with_name("outcomes.json")
#: The last word before the due time and the first one behind, of the side that promised ("our")
#: and of the other.
Slot = Literal["our before", "our after", "their before", "their after"]
_SLOTS: Final[tuple[Slot, ...]] = get_args(Slot)


_TRULY: Final = (
    r"(?<!never\s)(?<!not\s)(?<!n['’]t\s)(?<!nobody\s)(?<!no\sone\s)(?<!no-one\s)(?<!nothing\s)"
    r"(?<!none\s)"
)
_DONE: Final = (
    r"(?:c[ao]me|arrived?|turn(?:ed)?\sup|show(?:n|ed)?(?:\sup)?|appear(?:ed)?|call(?:ed)?|r[aiu]ng"
    r"|phoned?|writ(?:e|ten)|wrote|e?-?mailed|texted|heard?|receiv(?:e|ed)|got(?:ten)?|happen(?:ed)?"
    r"|been\s(?:here|in\stouch|back|delivered|refunded|credited|paid|sent|fixed|done)|shipped"
    r"|deliver(?:ed)?|repl(?:y|ied)|answer(?:ed)?|credited|refunded|reached)"
)
#: Plain words that it did not come, which the written threads mostly avoid: a rule of its own.
DENIED: Final = caseless(
    r"\b(?:nobody|no-?\s?one|nothing|never|none)\s(?:has\s|had\s|have\s|ever\s|yet\s|at\sall\s"
    rf"|else\s|from\s\w+\s)?{_DONE}\b",
    rf"(?:\bnot|n['’]t)\s(?:yet\s|even\s|ever\s)?{_DONE}\b",
    r"\bstill\s(?:no\b|nothing\b|waiting\b)",
    r"^\W*(?:no|not\sa|not\sone)\s(?:\w+\s)?(?:calls?|van|driver|word|e?-?mail|parcel|technician"
    r"|engineer|refund|money|reply|answer|text)\b",
)  # fmt: skip
#: What they count for "broken", in log-odds.
_DENIED_ODDS: Final = 4.0
#: A customer's words after the due time: it did not come …
FAILED: Final = caseless(
    r"\b(?:no|not\sa|not\sone|zero)\s(?:\w+\s)?(?:calls?|van|driver|report|text|texts|word|sign"
    r"|che(?:ck|que)|mail|e-?mail|show|one|news|man|card|answer|reply|parcel|box|piano|engineer"
    r"|technician|letter|money|refund|credit|delivery|message|visit|update|tracking|invoice"
    r"|payment|link|bag)\b",
    r"\b(?:nothing|nobody|no-?one|neither|nowhere|never|silence|none)\b",
    r"\bstill\s(?:no|not|waiting|nothing|in|on|at|the|here|showing|has|have|there|down|closed"
    r"|missing|getting)\b|\bsame\sas\sbefore\b",
    r"\bnot\s(?:arrived|come|here|received|heard|there|happened|been|a\s(?:word|sausage|peep|soul|trace|whisper)"
    r"|in\b)",
    r"\b(?:has|have|did|was|is|does|are|do|were)n['’]t\b",
    r"\bwhere\s(?:is|are|was)\b|\bwhich\s(?:morning|afternoon|day|friday)\b",
    r"\b(?:supposed|meant|was|were)\sto\sbe\b|\b(?:you|he|she|they)\s(?:said|promised|told|wrote"
    r"|swore)\b|\bwas\stold\b",
    r"\b(?:came\sand\swent|come\sand\sgone|has\sgone|went\sby|waited|waiting|missed|overdue|late"
    r"|days?\slater|weeks?\slater|passed|again|twice|third|fourth)\b",
    r"\b(?:instead\sof|so\smuch\sfor|liar?s?|ombudsman|trading\sstandards|money\sback|elsewhere"
    r"|hopeless|cancel)\b",
    r"[\"“][^\"”\n]{4,80}[\"”]",
    r"(?:^|it['’]?s\s|it\sis\s|now\s)(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day(?:['’]s)?\s(?:was|came|went|been|the\s\d|has)",
    r"(?:^|it['’]?s\s|it\sis\s|now\s)(?:the\s\d|quarter|half|ten\s|\d{1,2}[.:]\d\d|\d{1,2}\s(?:pm"
    r"|o['’]clock))",
    r"\b(?:still|another|only|gone|same|empty|wrong|asking|sat|asked|been\sand|ago|by\snow|without"
    r"|whichever|somebody|somewhere|hours?\slater)\b",
    r"\b(?:close|deleting|(?<!the\s)(?<!my\s)refund|return\sof|arrange|final|collect\sthe|elsewhere|joke|fools"
    r"|useless|lying|no\smore|done\swith)\b",
    r"\?",
)  # fmt: skip
#: … or it did.
CAME: Final = caseless(
    r"\b(?:thanks?|thank|ta|cheers|obliged|grateful|appreciat\w+|bless|legend|star|wicked"
    r"|brilliant|lovely|great|perfect|super|excellent|beautiful\w*|gorgeous|grand|marvell?ous"
    r"|delighted|happy|pleased)\b",
    rf"{_TRULY}\b(?:came(?!\sand\swent)|ha(?:s|ve)\scome|arrived|received|landed|delivered|fitted|got\s(?:it|them|the|your)|turned\sup"
    r"|showed\sup|went\sin|collected|installed|credited|refunded|you\srang|you\scalled|signed\sfor"
    r"|tested|even|every|both|money['’]s)\b",
    r"(?:\b(?:is|are|all)|['’]s|['’]re)\s(?:in|here|on|there|back|up|live|done|fixed|sorted|well"
    r"|fine|good|right|square|working|running|clean)\b",
    r"\b(?:works|working|running|sorted|fixed|solved|done|as\spromised|on\stime|to\sthe\sminute"
    r"|early|wire['’]s|all\sgood|spotless|confirmed)\b",
)
DOUBT: Final = caseless(r"\b(?:no|not|nothing|never|nobody|still|wrong|instead|only)\b|n['’]t\b|\?")
#: Words of arrival, which count before the due time as well.
ARRIVED: Final = caseless(
    rf"{_TRULY}\b(?:came(?!\sand\swent)|ha(?:s|ve)\scome|arrived|received|landed|delivered|fitted|turned\sup|went\sin"
    r"|installed|collected"
    r"|reached|came\sthrough)\b",
    r"(?:\b(?:is|are|all)|['’]s|['’]re)\s(?:in|here|live|done|fixed|sorted|working|running)\b",
    r"\b(?:works|sorted|fixed|running|confirmed|got\s(?:it|them)|as\spromised|here\s(?:it|she|he"
    r"|they)\s(?:is|are))\b",
)
#: Our side says that it did not keep its word.
OWNED_UP: Final = caseless(
    r"\b(?:should\shave|did\snot|didn['’]t|missed|failed|never|our\s(?:error|fault|mistake"
    r"|failing)|slipped|no\sexcuse|was\s(?:not|wrong|lost|mine)|nobody|apolog\w+|inconvenience"
    r"|sorry|forgot(?:ten)?|overlooked|let\syou\sdown)\b",
)
_MAX_SEQUEL_CHARS: Final = 2000
_VERDICT_CHARS: Final = 400
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+|[?!\"“]")
#: A word says less than a rule does.
_WORD_VALUE: Final = 0.5
_RULES: Final = {
    "our": {"owned up": OWNED_UP},
    "their": {"failed": FAILED, "came": CAME, "doubt": DOUBT, "arrived": ARRIVED},
}


class Said:
    """A message as what follows earlier promises; every rule is asked once.

    Parameters
    ----------
    message : Message
        By a person.
    named : datetime or None
        The last time that it names.
    """

    __slots__ = ("_found", "_keys", "_odds", "named", "role", "sent_at", "text")

    def __init__(self, message: Message, named: datetime | None) -> None:
        self.role = message.role
        self.sent_at = message.sent_at
        self.named = named
        # what a message says of a promise stands at its start
        self.text = message.new_text[:_MAX_SEQUEL_CHARS]
        self._keys: frozenset[str] | None = None
        self._odds: dict[Slot, float] = {}
        self._found: dict[tuple[Rule, int], int] = {}

    def _may(self, rule: Rule) -> bool:
        if self._keys is None:
            self._keys = word_keys(self.text)
        return rule.may(self._keys)

    def has(self, rule: Rule) -> bool:
        """Whether a rule finds anything."""
        key = (rule, 0)
        if key not in self._found:
            self._found[key] = self._may(rule) and rule.search(self.text) is not None
        return bool(self._found[key])

    def count(self, rule: Rule, chars: int = _MAX_SEQUEL_CHARS) -> int:
        """Count the different words that a rule finds at the start."""
        key = (rule, chars)
        if key not in self._found:
            matches = rule.finditer(self.text[:chars]) if self._may(rule) else ()
            self._found[key] = len({match[0].lower() for match in matches})
        return self._found[key]

    def signs(self, slot: Slot) -> dict[str, float]:
        """Name what its start shows of a promise. Cost: linear in the start."""
        side = slot.split()[0]
        counts = {name: self.count(rule, _VERDICT_CHARS) for name, rule in _RULES[side].items()}
        found = {f"{slot} {name}": min(count, 4) / 2 for name, count in counts.items()}
        found |= {f"{slot} {name} {min(count, 2)}": 1.0 for name, count in counts.items()}
        if side == "their":  # our own words say how we write, not what became of a promise
            start = self.text[:_VERDICT_CHARS].lower().replace("’", "'")
            words = {"#" if one[0].isdigit() else one for one in _WORD.findall(start)}
            found |= {f"{who} {one}": _WORD_VALUE for one in words for who in (slot, side)}
            if counts["failed"] != counts["came"]:
                found[f"{slot} more {max('failed', 'came', key=counts.__getitem__)}"] = 1.0
        return found

    def odds(self, slot: Slot, weights: Mapping[str, float]) -> float:
        """Return what it counts in a slot; weighed once."""
        if slot not in self._odds:
            # exact, so that the order of a set does not count
            self._odds[slot] = math.fsum(
                weights.get(name, 0.0) * at for name, at in self.signs(slot).items()
            )
        return self._odds[slot]


def signs_of(sequel: Mapping[Slot, Said]) -> dict[str, float]:
    """Name all that followed a promise shows."""
    found = dict.fromkeys(_of_order(sequel), 1.0)
    for slot, said in sequel.items():
        for name, value in said.signs(slot).items():  # a word may stand in both slots of a side
            found[name] = found.get(name, 0.0) + value
    return found


def denied(sequel: Mapping[Slot, Said]) -> float:
    """Return what plain words behind the due time count for "broken", in log-odds."""
    after = sequel.get("their after")
    return _DENIED_ODDS if after is not None and after.count(DENIED, _VERDICT_CHARS) else 0.0


def _of_order(sequel: Mapping[Slot, Said]) -> Iterator[str]:
    """Name who did not speak, and who spoke first behind the due time."""
    for slot in _SLOTS:
        if slot not in sequel:
            yield f"{slot} none"
    behind = [slot for slot in sequel if slot.endswith("after")]
    if len(behind) == 2:
        yield f"first {behind[0]}"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a sign counts for a broken promise, in log-odds.

    Parameters
    ----------
    signs : mapping of str to float
        By name; others count nothing.
    bias : float
        What counts without any sign.
    """

    signs: Mapping[str, float]
    bias: float

    def odds(self, sequel: Mapping[Slot, Said]) -> float:
        """Return the log-odds that a promise, due by now, is broken."""
        odds = self.bias + sum(self.signs.get(name, 0.0) for name in _of_order(sequel))
        return (
            odds
            + denied(sequel)
            + sum(said.odds(slot, self.signs) for slot, said in sequel.items())
        )


@cache
def shipped_outcomes() -> Outcomes:
    """Return the weights of ``outcomes.json``. Cost: the file is read once."""
    read = json.loads(OUTCOMES.read_text("utf-8"))
    return Outcomes(read["signs"], read["bias"])

"""A company's own rules on what may be recommended: costs, actions off, quiet hours, calls a day.

A policy is a small TOML or JSON file that a manager can edit; the model never changes.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from customer_nlp.codebook import ACTIONS
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.records import ActionAdvice, Analysis, Recommendation

__all__ = ["Policy"]

#: What is recommended where a call is right but may not be made now: promise it.
INSTEAD: Final = "take_ownership"
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_KEYS: Final = frozenset({"off", "cost", "cost_of_missing", "calls_per_day", "quiet"})
_QUIET_KEYS: Final = frozenset({"from", "until", "days", "zone"})
_QUIET_NOW: Final = "a call is right, but these are quiet hours: promise it for the morning"
_NO_CALL_LEFT: Final = "a call is right, but the day's calls go to graver threads: promise it"


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be recommended, and from which probability on.

    Parameters
    ----------
    off : frozenset of str
        Actions that are never recommended.
    cost, cost_of_missing : mapping of str to float
        What an action costs when it was not needed, and what it costs to leave it out when it was,
        in any one unit. An action with both is recommended from the probability
        ``cost / (cost + cost_of_missing)`` on; others from the model's own threshold on. What a
        rule of the codebook demands, as after a broken promise, is not weighed against costs.
    calls_per_day : int, optional
        How many calls there are hands for; `ration` gives them to the most probable.
    quiet_from, quiet_until : time, optional
        No call between them (over midnight when the second is earlier), by the clock of `zone`.
    quiet_days : frozenset of str
        Days without calls at all: ``mon`` … ``sun``.
    zone : tzinfo, default=UTC
        Whose clock.

    Raises
    ------
    InvalidRecordError
        For an action that is none, a cost or budget below 0, half a pair, an unknown day.

    References
    ----------
    Elkan (2001), "The Foundations of Cost-Sensitive Learning", for the threshold.
    """

    off: frozenset[str] = frozenset()
    cost: Mapping[str, float] = field(default_factory=dict)
    cost_of_missing: Mapping[str, float] = field(default_factory=dict)
    calls_per_day: int | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    quiet_days: frozenset[str] = frozenset()
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        for name in (*self.off, *self.cost, *self.cost_of_missing):
            if name not in ACTIONS:
                raise _wrong("an action", f"one of {', '.join(ACTIONS)}", name)
        if self.off >= set(ACTIONS):
            raise _wrong("off", "fewer actions: something must be left to recommend")
        spared = self.quiet_from or self.quiet_days or self.calls_per_day is not None
        if spared and INSTEAD in self.off:
            raise _wrong("off", f"no {INSTEAD}: it takes the place of a call that may not be made")
        if self.cost.keys() != self.cost_of_missing.keys():
            alone = sorted(self.cost.keys() ^ self.cost_of_missing.keys())
            raise _wrong("one of cost and cost_of_missing", "the same actions in both", alone[0])
        for name in self.cost:
            low = min(self.cost[name], self.cost_of_missing[name])
            if not (low >= 0 and 0 < self._at_stake(name) < math.inf):
                raise _wrong("a pair of costs", "two numbers from 0 up, not both 0")
        if self.calls_per_day is not None and self.calls_per_day < 0:
            raise _wrong("calls_per_day", "a whole number from 0 up")
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise _wrong("quiet", "both 'from' and 'until', or neither")
        if any(one and one.tzinfo for one in (self.quiet_from, self.quiet_until)):
            raise _wrong("a quiet hour", "one without an offset; 'zone' says whose clock")
        if strange := sorted(self.quiet_days - set(_DAYS)):
            raise _wrong("a quiet day", f"one of {', '.join(_DAYS)}", strange[0])

    def _at_stake(self, name: str) -> float:
        return self.cost[name] + self.cost_of_missing[name]

    @classmethod
    def from_file(cls, path: str | Path) -> Policy:
        """Read a policy from a ``.toml`` or ``.json`` file.

        Raises
        ------
        SourceError
            When there is no such file, or it is no TOML or JSON.
        InvalidRecordError
            For a key or a value that a policy does not have.
        """
        source = Path(path)
        try:
            # some editors begin a file with a mark that neither format knows
            stated = _parsed(source.read_text(encoding="utf-8-sig"), source.suffix.lower())
        except (OSError, ValueError, RecursionError) as error:
            raise SourceError(
                "A policy is a TOML or JSON file; this cannot be read "
                f"({type(error).__name__}{_where(error)}).",
                source=str(source),
            ) from error
        return cls.from_dict(stated)

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Policy:
        """Make a policy of plain values, as they stand in a file.

        Parameters
        ----------
        stated : mapping
            ``off`` (list), ``cost`` and ``cost_of_missing`` (tables by action),
            ``calls_per_day``, ``quiet`` (table of ``from``, ``until``, ``days``, ``zone``).

        Raises
        ------
        InvalidRecordError
            For a key or a value that a policy does not have.
        """
        _require_keys("a policy", stated, _KEYS)
        quiet = stated.get("quiet", {})
        _require_keys("quiet", quiet, _QUIET_KEYS)
        return cls(
            off=frozenset(_names(stated.get("off", ()), "off")),
            cost=_amounts(stated.get("cost", {})),
            cost_of_missing=_amounts(stated.get("cost_of_missing", {})),
            calls_per_day=_count(stated.get("calls_per_day")),
            quiet_from=_clock(quiet.get("from")),
            quiet_until=_clock(quiet.get("until")),
            quiet_days=frozenset(_names(quiet.get("days", ()), "days")),
            zone=_zone(quiet.get("zone", "UTC")),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, in a fixed order; ``from_dict`` reads them back."""
        until = {"from": self.quiet_from, "until": self.quiet_until}
        hours = {name: one.isoformat() for name, one in until.items() if one is not None}
        return {
            "off": sorted(self.off),
            "cost": dict(sorted(self.cost.items())),
            "cost_of_missing": dict(sorted(self.cost_of_missing.items())),
            "calls_per_day": self.calls_per_day,
            "quiet": {**hours, "days": sorted(self.quiet_days), "zone": str(self.zone)},
        }

    def threshold(self, action: str, otherwise: float) -> float:
        """Return the probability from which an action is recommended; above 1 when it is off."""
        if action in self.off:
            return 2.0
        if action in self.cost:
            return self.cost[action] / self._at_stake(action)
        return otherwise

    def quiet_at(self, at: datetime | None) -> bool:
        """Whether nobody may be called at a time; unknown times are not quiet."""
        if at is None:
            return False
        local = at.astimezone(self.zone)
        if _DAYS[local.weekday()] in self.quiet_days:
            return True
        if self.quiet_from is None or self.quiet_until is None:
            return False
        clock = local.time()
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= clock < self.quiet_until
        return clock >= self.quiet_from or clock < self.quiet_until

    def hushed(self, analysis: Analysis, at: datetime | None) -> Analysis:
        """Return the analysis with the call promised instead of made, where `at` is quiet."""
        return _without_call(analysis, _QUIET_NOW) if self.quiet_at(at) else analysis

    def ration(self, analyses: Iterable[Analysis]) -> list[Analysis]:
        """Give each day's calls to the threads that need them most.

        Parameters
        ----------
        analyses : iterable of Analysis
            Of any number of days; a thread counts for the day of its last message, by the clock
            of `zone`.

        Returns
        -------
        list of Analysis
            In the order given. Beyond `calls_per_day`, the least probable calls are promised
            instead of made. Cost: n log k.
        """
        given = list(analyses)
        if self.calls_per_day is None:
            return given
        calls: dict[object, list[tuple[float, int]]] = defaultdict(list)
        for index, analysis in enumerate(given):
            probability = _call_probability(analysis)
            if probability is not None:
                # of equal ones the first come is served
                calls[self._day(analysis)].append((probability, -index))
        for day in calls.values():
            kept = {index for _, index in heapq.nlargest(self.calls_per_day, day)}
            for _, index in day:
                if index not in kept:
                    given[-index] = _without_call(given[-index], _NO_CALL_LEFT)
        return given

    def _day(self, analysis: Analysis) -> object:
        dates = [message.sent_at for message in analysis.messages if message.sent_at is not None]
        return max(dates).astimezone(self.zone).date() if dates else None


def _call_probability(analysis: Analysis) -> float | None:
    return next(
        (a.probability for a in analysis.recommendation.actions if a.action == "call_now"), None
    )


def _without_call(analysis: Analysis, why: str) -> Analysis:
    """Promise the call: `take_ownership` takes its place, its probability and its evidence."""
    old = analysis.recommendation
    call = next((advice for advice in old.actions if advice.action == "call_now"), None)
    if call is None:
        return analysis
    promise = ActionAdvice(INSTEAD, call.probability, (why, *call.because), call.evidence)
    rest = tuple(one for one in old.actions if one.action not in {"call_now", INSTEAD})
    new = Recommendation(INSTEAD, "same", old.timing, (promise, *rest), old.avoid)
    return dataclasses.replace(analysis, recommendation=new)


def _parsed(text: str, suffix: str) -> Any:
    import tomllib

    if suffix != ".json":
        return tomllib.loads(text)
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice, as TOML does: the first would silently not count."""
    if len(table := dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return table


def _where(error: Exception) -> str:
    """Say the line of a slip: of JSON from the error, of TOML from the end of its words."""
    line = getattr(error, "lineno", None)
    found = re.search(r"\(at line (\d+)", str(error)) if line is None else None
    line = found[1] if found else line
    return "" if line is None else f", line {line}"


def _require_keys(what: str, given: Any, keys: frozenset[str]) -> None:
    expected = f"a table with keys among {', '.join(sorted(keys))}"
    if not isinstance(given, Mapping):
        raise _wrong(what, expected)
    if strange := sorted(map(str, given.keys() - keys)):
        raise _wrong(what, expected, strange[0])


def _wrong(what: str, expected: str, got: str | None = None) -> InvalidRecordError:
    """Return the error; of what came only a name is told, and no more of it than fits a line."""
    came = "" if got is None else f"; got {str(got)[:40]!r}"
    return InvalidRecordError(
        f"In the policy, {what} does not fit: expected {expected}{came}.", field="policy"
    )


def _names(value: Any, key: str) -> Sequence[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise _wrong(key, "a list of names")
    return list(value)


def _amounts(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or not all(_is_number(one) for one in value.values()):
        raise _wrong("a cost", "a table of numbers by action")
    try:
        return {str(name): float(amount) for name, amount in value.items()}
    except OverflowError as error:  # a whole number of hundreds of digits
        raise _wrong("a cost", "numbers that a computer can weigh") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise _wrong("calls_per_day", "a whole number from 0 up")
    return value


def _clock(value: Any) -> time | None:
    if value is None or isinstance(value, time):
        return value
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _wrong("a quiet hour", "a time such as '20:00'") from error


def _zone(value: Any) -> tzinfo:
    try:
        return ZoneInfo(value)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError) as error:  # a folder of zones
        raise _wrong("a zone", "a name such as 'Europe/London'") from error

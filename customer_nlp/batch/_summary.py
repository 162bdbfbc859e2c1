"""What became of every record, and how far a run has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

__all__ = ["Progress", "Summary"]

_COUNTERS: Final = ("primary", "abstained", "reasons")
_NUMBERS: Final = ("scored", "rejected", "threads", "records", "unchanged")


@dataclass(slots=True)
class Summary:
    """What became of every record: ``read == scored + rejected``.

    Attributes
    ----------
    read, scored, rejected : int
        Messages; those of a rejected record count as one.
    threads : int
        Threads written about.
    records : int
        What was written about them: one a thread, or one a customer message.
    unchanged : int
        Threads passed over since an earlier run wrote about them as they are; in no other count.
    primary : Counter
        Threads by their first action.
    abstained : Counter
        Threads without a recommendation, by reason.
    reasons : Counter
        Rejected records by reason.
    """

    scored: int = 0
    rejected: int = 0
    threads: int = 0
    records: int = 0
    unchanged: int = 0
    primary: Counter[str] = field(default_factory=Counter)
    abstained: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """Records that came in."""
        return self.scored + self.rejected

    def count(self, messages: int, records: Sequence[dict[str, Any]]) -> None:
        """Add a thread of so many messages and what is written about it; the last word counts."""
        advice = records[-1]["recommendation"]
        self.threads += 1
        self.records += len(records)
        self.scored += messages
        if advice["abstained"]:
            self.abstained[advice["abstained"]] += 1
        else:
            self.primary[advice["primary"]] += 1

    def add(self, other: Summary) -> None:
        """Add the counts of other threads."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` reads them back."""
        counts: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        return counts | {name: dict(sorted(getattr(self, name).items())) for name in _COUNTERS}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Summary:
        """Read back what `to_dict` gave; what is missing is none."""
        counters = {name: Counter(record.get(name, {})) for name in _COUNTERS}
        known: dict[str, Any] = {name: int(record.get(name, 0)) for name in _NUMBERS} | counters
        return cls(**known)

    def lines(self) -> list[str]:
        """Return the summary as lines to print; no text of any message."""
        lines = [
            f"{self.read} messages read = {self.scored} scored + {self.rejected} rejected, "
            f"in {self.threads} threads"
        ]
        if self.unchanged:
            lines.append(f"unchanged since the last run: {self.unchanged} threads")
        for title, counts in (
            ("first actions", self.primary),
            ("no recommendation", self.abstained),
            ("rejected", self.reasons),
        ):
            if counts:
                ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
                lines.append(f"{title}: " + ", ".join(f"{name} {n}" for name, n in ranked))
        return lines


class Progress(NamedTuple):
    """How far a run has come.

    Parameters
    ----------
    threads, messages, rejected : int
        As in `Summary`, so far.
    fraction : float
        Of the bytes of all sources, between 0 and 1.
    """

    threads: int
    messages: int
    rejected: int
    fraction: float

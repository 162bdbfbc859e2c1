"""Tables of planned contacts decided on, one row each; nothing lost."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from customer_nlp.accounts import Account, Contact, check
from customer_nlp.batch._rejects import RejectsFile, rejects_path
from customer_nlp.batch._sinks import csv_block
from customer_nlp.batch._spool import keep_apart, written
from customer_nlp.errors import InvalidRecordError, ParseError, SourceError
from customer_nlp.timeline import public_holidays

__all__ = ["OutreachSummary", "outreach"]


@dataclass(slots=True)
class OutreachSummary:
    """What became of every planned contact: ``read`` is the sum of the decisions and rejects.

    Attributes
    ----------
    decisions : Counter
        Contacts by decision: ``go``, ``hold``, ``correct_record``.
    held : Counter
        How often each reason spoke against one.
    rejected : int
        Rows without a known account or a readable date.
    reasons : Counter
        Rejected rows by reason.
    """

    decisions: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """Rows that came in."""
        return self.decisions.total() + self.rejected

    def lines(self) -> list[str]:
        """Return the summary as lines to print; no words of any row."""
        parts = [f"{self.decisions[name]} {name}" for name in ("go", "hold", "correct_record")]
        lines = [f"{self.read} planned = {' + '.join(parts)} + {self.rejected} rejected"]
        for title, counts in (("against", self.held), ("rejected", self.reasons)):
            if counts:
                ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
                lines.append(f"{title}: " + ", ".join(f"{name} {n}" for name, n in ranked))
        return lines


def outreach(
    planned: str | os.PathLike[str],
    accounts: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    holidays: str | None = None,
) -> OutreachSummary:
    """Decide on a table of planned contacts.

    Parameters
    ----------
    planned : path
        CSV in UTF-8 with the columns ``account, kind, channel, at`` and, where known, ``about,
        about_at, text``; others are kept.
    accounts : path
        JSON Lines: one `Account.to_dict` a line, as `accounts` writes them; of lines with the same
        id all count.
    out : path
        CSV: the columns of `planned`, then ``decision, reasons, because``. Rows that cannot be
        decided stand in ``<out>.rejects.jsonl``.
    holidays : str, optional
        Country on whose public holidays nobody is called, such as ``"GB"``.

    Returns
    -------
    OutreachSummary
        Memory: the accounts.

    Raises
    ------
    SourceError
        When a file cannot be read or written.
    InvalidRecordError
        For an account that is none, a table without the columns that are needed, or an unknown
        country.
    MissingExtraError
        When `holidays` is given without the library of that name.
    """
    target, source = Path(out), os.fspath(planned)
    keep_apart([target, rejects_path(target)], [Path(planned), Path(accounts)])
    closed = public_holidays(holidays)
    known = _accounts(Path(accounts))
    summary = OutreachSummary()
    with _said_unreadable(source), Path(planned).open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        columns = list(rows.fieldnames or ())
        _require_columns(columns)
        with RejectsFile(target) as rejects, written(target) as write:
            write(csv_block(iter([[*columns, *_DECIDED]])))
            for index, row in enumerate(rows):
                try:
                    decided = _decided(row, known, closed, summary)
                except InvalidRecordError as error:
                    digest = hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).hexdigest()
                    rejects.add(ParseError(source, index, str(error), sha256=digest))
                else:
                    write(csv_block(iter([[*(row[name] for name in columns), *decided]])))
            rejects.in_place()
            summary.rejected, summary.reasons = rejects.count, rejects.reasons
    return summary


_NEEDED: Final = ("account", "kind", "channel", "at")
_OPTIONAL: Final = ("about", "about_at", "text")
_DECIDED: Final = ("decision", "reasons", "because")


def _require_columns(columns: Sequence[str]) -> None:
    """Refuse a first line that lacks a column, or names one twice: which counts is a guess."""
    if missing := [name for name in _NEEDED if name not in columns]:
        raise InvalidRecordError(
            "The planned contacts need the columns account, kind, channel and at; the table lacks "
            f"{', '.join(missing)}. Name them in the first line, in small letters, with commas.",
            field="planned",
        )
    if twice := [name for name in (*_NEEDED, *_OPTIONAL) if columns.count(name) > 1]:
        raise InvalidRecordError(
            f"Each column of the planned contacts must have a name of its own; {twice[0]} stands "
            "twice. Rename one.",
            field="planned",
        )


def _decided(
    row: dict[str, Any],
    known: dict[str, Account],
    closed: Container[date],
    summary: OutreachSummary,
) -> tuple[str, str, str]:
    account = known.get((row["account"] or "").strip().lower())
    if account is None:
        raise InvalidRecordError("No such account is known.", field="account")
    planned = Contact.from_dict({k: v for k, v in row.items() if k and v})
    result = check(planned, account, closed=closed)
    summary.decisions[result.decision] += 1
    if result.decision != "go":
        summary.held.update(result.reasons)
    return result.decision, " ".join(result.reasons), "; ".join(result.because)


def _accounts(path: Path) -> dict[str, Account]:
    known: dict[str, Account] = {}
    with _said_unreadable(str(path)), path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                account = Account.from_dict(json.loads(line))
            except (ValueError, AttributeError, TypeError, RecursionError) as error:
                raise InvalidRecordError(
                    f"Line {number} of the accounts is no account as JSON, with an id. Name the "
                    "file that `customer-nlp accounts` wrote.",
                    field="accounts",
                ) from error
            name = account.id.strip().lower()
            known[name] = known[name].merge(account) if name in known else account
    return known


@contextmanager
def _said_unreadable(source: str) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SourceError(
            f"The file cannot be read: {reason}. Check its name, and that it is text in UTF-8.",
            source=source,
        ) from error

"""Tables of planned contacts decided on, one row each; nothing lost."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from customer_nlp.accounts import Account, Contact, check
from customer_nlp.batch._rejects import RejectsFile, rejects_path
from customer_nlp.batch._sinks import csv_block
from customer_nlp.batch._spool import fresh, in_place, keep_apart, said_plainly
from customer_nlp.errors import InvalidRecordError, ParseError, SourceError

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
) -> OutreachSummary:
    """Decide on a table of planned contacts.

    Parameters
    ----------
    planned : path
        CSV in UTF-8 with the columns ``account, kind, channel, at`` and, where known, ``about,
        about_at, text``; others are kept.
    accounts : path
        JSON Lines: one `Account.to_dict` a line.
    out : path
        CSV: the columns of `planned`, then ``decision, reasons, because``. Rows that cannot be
        decided stand in ``<out>.rejects.jsonl``.

    Returns
    -------
    OutreachSummary
        Memory: the accounts.

    Raises
    ------
    SourceError
        When a file cannot be read or written.
    InvalidRecordError
        For an account that is none, or a table without the columns that are needed.
    """
    target, source = Path(out), os.fspath(planned)
    keep_apart([target, rejects_path(target)], [Path(planned), Path(accounts)])
    known = _accounts(Path(accounts))
    summary = OutreachSummary()
    aside = target.with_name(f".{target.name}.part")
    with _said_unreadable(source), Path(planned).open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        columns = list(rows.fieldnames or ())
        if not {"account", "kind", "channel", "at"} <= set(columns):
            raise InvalidRecordError(
                "The planned contacts need the columns account, kind, channel and at; "
                "one is missing. Name them in the first line.",
                field="planned",
            )
        with RejectsFile(target) as rejects, _written(aside, target) as write:
            write([*columns, *_DECIDED])
            for index, row in enumerate(rows):
                try:
                    decided = _decided(row, known, summary)
                except InvalidRecordError as error:
                    digest = hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).hexdigest()
                    rejects.add(ParseError(source, index, str(error), sha256=digest))
                else:
                    write([*(row[name] for name in columns), *decided])
            rejects.in_place()
            summary.rejected, summary.reasons = rejects.count, rejects.reasons
    return summary


@contextmanager
def _written(aside: Path, target: Path) -> Iterator[Callable[[Sequence[object]], None]]:
    """Write rows aside and put the file in place when all of it is on the disk."""
    aside.unlink(missing_ok=True)
    with said_plainly(target):
        handle = fresh(aside)
    try:
        with handle:

            def write(row: Sequence[object]) -> None:
                with said_plainly(target):
                    handle.write(csv_block(iter([row])))

            yield write
            with said_plainly(target):
                handle.flush()
                os.fsync(handle.fileno())
                in_place(aside, target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


_DECIDED: Final = ("decision", "reasons", "because")


def _decided(
    row: dict[str, Any], known: dict[str, Account], summary: OutreachSummary
) -> tuple[str, str, str]:
    account = known.get((row["account"] or "").strip().lower())
    if account is None:
        raise InvalidRecordError("No such account is known.", field="account")
    result = check(Contact.from_dict({k: v for k, v in row.items() if k and v}), account)
    summary.decisions[result.decision] += 1
    if result.decision != "go":
        summary.held.update(result.reasons)
    return result.decision, " ".join(result.reasons), "; ".join(result.because)


def _accounts(path: Path) -> dict[str, Account]:
    known: dict[str, Account] = {}
    with _said_unreadable(str(path)), path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                account = Account.from_dict(json.loads(line))
            except (ValueError, AttributeError, TypeError) as error:
                raise InvalidRecordError(
                    f"Line {number} of the accounts is no account as JSON, with an id.",
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

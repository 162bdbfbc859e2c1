"""Accounts gathered from whole sources, one a line."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, tee
from pathlib import Path

from customer_nlp.accounts import customer_of, gather
from customer_nlp.analyzer import Analyzer, as_thread, load
from customer_nlp.batch._inputs import open_inputs
from customer_nlp.batch._rejects import RejectsFile, rejects_path
from customer_nlp.batch._sinks import json_line
from customer_nlp.batch._spool import written
from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Thread
from customer_nlp.timeline import LEAD_HOURS

__all__ = ["AccountsSummary", "accounts"]


@dataclass(slots=True)
class AccountsSummary:
    """What became of every record: ``read == messages + rejected``.

    Attributes
    ----------
    accounts : int
        Customers written about.
    threads, messages : int
        What was read whole.
    unnamed : int
        Of the threads, those that name no customer and so belong to no account.
    rejected : int
        Records that could not be read.
    reasons : Counter
        Rejected records by reason.
    """

    accounts: int = 0
    threads: int = 0
    messages: int = 0
    unnamed: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """Records that came in."""
        return self.messages + self.rejected

    def lines(self) -> list[str]:
        """Return the summary as lines to print; no text of any message."""
        lines = [
            f"{self.read} messages read = {self.messages} in {self.threads} threads + "
            f"{self.rejected} rejected",
            f"{self.accounts} accounts; {self.unnamed} threads name no customer",
        ]
        if self.reasons:
            ranked = sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))
            lines.append("rejected: " + ", ".join(f"{name} {n}" for name, n in ranked))
        return lines


def accounts(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    analyzer: Analyzer | None = None,
    model: str | None = None,
    format: str = "auto",  # noqa: A002 - the same public name as in `read`
    own_domains: Iterable[str] = (),
    now: datetime | None = None,
    lead_hours: float = LEAD_HOURS,
    holidays: str | None = None,
) -> AccountsSummary:
    """Gather what the threads of whole sources tell of each customer, for `outreach`.

    Parameters
    ----------
    sources : sequence of str or path
        What `readers.read` takes, in any mix and order.
    out : str or path
        Ends with ``.jsonl``: one `Account.to_dict` a line, by id. Of the customer's words it holds
        those of facts, and the start of the last in each thread. Written aside and renamed when
        complete. Rejected records go to ``<out>.rejects.jsonl``, if there are any.
    analyzer : Analyzer, optional
        Loaded when missing.
    model : str, optional
        Name or folder of the model, for `load`.
    format, own_domains
        As for `readers.read`.
    now, lead_hours, holidays
        As for `Analyzer.analyze`; they count for whether a matter is still open.

    Returns
    -------
    AccountsSummary
        Cost: linear in the input. Memory: the accounts, and what `readers.read` needs.

    Raises
    ------
    SourceError
        When a source as a whole cannot be read or was rewritten while it was read, or `out` cannot
        be written; nothing is left under the name `out`.
    InvalidRecordError
        For an `out` of another kind or that is one of the sources.
    """
    target, summary = Path(out), AccountsSummary()
    if target.suffix.lower() != ".jsonl":
        raise InvalidRecordError(
            "The output must end with .jsonl, as it holds one account a line; got another ending.",
            field="out",
        )
    with ExitStack() as stack:
        rejects = stack.enter_context(RejectsFile(target))
        inputs = open_inputs(
            stack, sources, [target, rejects_path(target)], format=format,
            own_domains=tuple(own_domains), on_error=rejects.add, keep_mails=f"{target}.mails",
        )  # fmt: skip
        write = stack.enter_context(written(target))
        threads, again = tee(map(as_thread, _counted(chain.from_iterable(inputs), summary)))
        analyses = (analyzer or load(model)).analyze_many(
            again, now=now, lead_hours=lead_hours, holidays=holidays
        )
        found = gather(zip(threads, analyses, strict=True))
        for name in sorted(found):
            write(json_line(found[name].to_dict()))
        rejects.in_place()
    for one in inputs:
        one.threads.forget()
    summary.accounts = len(found)
    summary.rejected, summary.reasons = rejects.count, rejects.reasons
    return summary


def _counted(threads: Iterable[Thread], summary: AccountsSummary) -> Iterator[Thread]:
    for thread in threads:
        summary.threads += 1
        summary.messages += len(thread)
        summary.unnamed += not customer_of(thread)
        yield thread

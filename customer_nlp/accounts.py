"""Facts about a customer, with source and expiry, and whether we may make a planned contact."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Thread

__all__ = ["FACTS", "REASONS", "Account", "Contact", "Fact", "Matter", "OutreachCheck", "check"]

#: What may be known of an account.
FACTS: Final = (
    "customer_since", "no_longer_owns", "do_not_call", "do_not_contact", "prefers",
    "contact_left", "contract_end", "opted_out_survey", "bought", "repaired",
)  # fmt: skip
#: Why a planned contact goes, waits or needs our data mended first.
REASONS: Final[Mapping[str, str]] = {
    "no_longer_owns": "they no longer own what the contact is about",
    "wrong_person": "the person we would contact has left",
    "do_not_contact": "they asked not to be contacted this way",
    "open_problem": "a problem of theirs is still open",
    "recent_churn_sign": "they showed signs of leaving not long ago",
    "recent_frustration": "they were annoyed not long ago",
    "stale_reason": "the reason for the contact is out of date",
    "too_often": "they were contacted often in the last weeks",
    "outside_window": "it is outside the hours for calls",
    "nothing_against_it": "nothing speaks against it",
}
_CORRECTS: Final = frozenset({"no_longer_owns", "wrong_person"})

RECENT_DAYS: Final = 60
STALE_DAYS: Final = 183
OFTEN_DAYS: Final = 30
OFTEN_CONTACTS: Final = 3
CALL_HOURS: Final = (8, 20)

#: Words by which customers tell a fact; the fact lasts until it is contradicted or expires.
_TOLD: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "no_longer_owns",
        re.compile(
            r"\b(?:no longer (?:own|have|use)|don'?t (?:own|have) \w+ any ?more|"
            r"(?:sold|donated|gave away|scrapped|got rid of) (?:it|the|my|our|that))\b",
            re.IGNORECASE,
        ),
    ),
    (
        "do_not_call",
        re.compile(
            r"\b(?:(?:do not|don'?t|please stop|stop) (?:call|ring|phon)(?:e|ing)?\b|"
            r"no (?:more )?(?:phone )?calls\b|(?:in writing|by e-?mail) only\b)",
            re.IGNORECASE,
        ),
    ),
    (
        "do_not_contact",
        re.compile(
            r"\b(?:unsubscribe me|take me off your (?:\w+ )?list|"
            r"(?:do not|don'?t|stop) (?:contact|e-?mail|mail|writ)(?:ing|e)? (?:me|us))\b",
            re.IGNORECASE,
        ),
    ),
    (
        "contact_left",
        re.compile(
            r"\b(?:no longer (?:works?|with the company)|has left (?:us|the (?:company|firm)))\b",
            re.IGNORECASE,
        ),
    ),
    (
        "customer_since",
        re.compile(
            r"\b(?:customers?|with you|client) (?:since|for) (?:\w+ ){0,2}"
            r"(?:(?:19|20)\d\d|\w+ years)\b",
            re.IGNORECASE,
        ),
    ),
)


@dataclass(frozen=True, slots=True, repr=False, order=True)
class Fact:
    """One thing known of an account.

    Parameters
    ----------
    kind : str
        From `FACTS`.
    value : str
        What of it: the product, the person, the date.
    at : datetime, optional
        When it was told.
    source : str, optional
        Where it was told: thread and message.
    expires : datetime, optional
        From when on it no longer holds.
    """

    kind: str
    value: str
    at: datetime | None = None
    source: str | None = None
    expires: datetime | None = None

    def __post_init__(self) -> None:
        if self.kind not in FACTS:
            raise InvalidRecordError(
                f"A fact must be one of {', '.join(FACTS)}; got another.", field="kind"
            )

    def holds(self, now: datetime) -> bool:
        """Whether the fact holds at a time."""
        return self.expires is None or now < self.expires

    def __repr__(self) -> str:
        return f"Fact(kind={self.kind!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Matter:
    """A thread as the account remembers it.

    Parameters
    ----------
    at : datetime
        When the customer last wrote.
    open : bool
        Whether anything is still to be done.
    frustration, churn_risk : int, default=0
        Grade at its end.
    id : str, default=''
        Of the thread.
    """

    at: datetime
    open: bool
    frustration: int = 0
    churn_risk: int = 0
    id: str = ""

    def __repr__(self) -> str:
        return f"Matter(open={self.open}, frustration={self.frustration})"


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact by us.

    Parameters
    ----------
    kind : str
        ``sales``, ``renewal``, ``survey``, ``follow_up``, ``check_in`` or ``service``.
    channel : str
        ``phone``, ``email``, ``sms`` or ``visit``.
    at : datetime
        When.
    about : str, default=''
        The product, contract or repair that it is about.
    about_at : datetime, optional
        When that was.
    """

    kind: str
    channel: str
    at: datetime
    about: str = ""
    about_at: datetime | None = None

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Contact:
        """Build a contact from plain data; unknown keys are ignored."""
        at = _moment(record.get("at"))
        if at is None:
            raise InvalidRecordError("A contact needs 'at', a date and time.", field="at")
        return cls(
            str(record.get("kind", "sales")),
            str(record.get("channel", "phone")),
            at,
            str(record.get("about", "")),
            _moment(record.get("about_at")),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """What is known of one customer.

    Parameters
    ----------
    id : str
        Of the account.
    facts : frozenset of Fact
        In no order: merging is the same whichever comes first.
    matters : tuple of Matter
        Threads, oldest first.
    contacts : tuple of Contact
        Contacts by us, oldest first.
    timezone : str, optional
        IANA name of where they live, such as ``Europe/Berlin``; hours for calls are judged there.
    """

    id: str = "account"
    facts: frozenset[Fact] = frozenset()
    matters: tuple[Matter, ...] = ()
    contacts: tuple[Contact, ...] = ()
    timezone: str | None = None

    def local(self, moment: datetime) -> datetime:
        """Return a moment on the customer's clock, UTC where that is unknown."""
        if self.timezone is None:
            return moment.astimezone(UTC)
        try:
            return moment.astimezone(ZoneInfo(self.timezone))
        except (KeyError, ValueError, OSError) as error:
            raise InvalidRecordError(
                "The timezone of an account must be an IANA name, such as Europe/Berlin.",
                field="timezone",
            ) from error

    def merge(self, other: Account) -> Account:
        """Return both accounts' knowledge as one; the order does not matter."""
        matters = {(one.at, one.id): one for one in sorted(self.matters + other.matters, key=_key)}
        contacts = sorted(set(self.contacts + other.contacts), key=lambda one: (one.at, one.kind))
        return Account(
            min(self.id, other.id),
            self.facts | other.facts,
            tuple(matters[key] for key in sorted(matters)),
            tuple(contacts),
            min(filter(None, (self.timezone, other.timezone)), default=None),
        )

    def learn(self, thread: Thread) -> Account:
        """Return the account with the facts that the customer tells in a thread."""
        told = frozenset(
            Fact(kind, match[0], message.sent_at, f"{thread.id}/{message.id}")
            for message in thread.messages
            if message.role == "customer" and not message.automatic
            for kind, pattern in _TOLD
            if (match := pattern.search(message.new_text)) is not None
        )
        return dataclasses.replace(self, facts=self.facts | told)

    def forget(self) -> Account:
        """Return the account with everything about the customer removed."""
        return Account(self.id)

    def known(self, kind: str, now: datetime) -> list[Fact]:
        """Return the facts of a kind that hold at a time, in a fixed order."""
        return sorted(
            (fact for fact in self.facts if fact.kind == kind and fact.holds(now)),
            key=lambda fact: (fact.value, fact.source or ""),
        )

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Account:
        """Build an account from plain data; ``to_dict`` gives it back.

        Raises
        ------
        InvalidRecordError
            For a fact of an unknown kind or a date that is none.
        """
        facts = frozenset(
            Fact(
                str(one.get("kind")),
                str(one.get("value", "")),
                _moment(one.get("at")),
                one.get("source"),
                _moment(one.get("expires")),
            )
            for one in record.get("facts", ())
        )
        if record.get("customer_since"):
            facts |= {Fact("customer_since", str(record["customer_since"]))}
        matters = []
        for one in record.get("threads", ()):
            at = _moment(one.get("at"))
            if at is None:
                raise InvalidRecordError("A thread of an account needs 'at'.", field="at")
            matters.append(
                Matter(
                    at,
                    bool(one.get("open")),
                    int(one.get("frustration", 0)),
                    int(one.get("churn_risk", 0)),
                    str(one.get("id", "")),
                )
            )
        contacts = tuple(Contact.from_dict(one) for one in record.get("contacts", ()))
        timezone = record.get("timezone")
        return cls(
            str(record.get("id", "account")),
            facts,
            tuple(matters),
            contacts,
            None if timezone is None else str(timezone),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "id": self.id,
            "timezone": self.timezone,
            "facts": [
                {
                    "kind": one.kind,
                    "value": one.value,
                    "at": _iso(one.at),
                    "source": one.source,
                    "expires": _iso(one.expires),
                }
                for one in sorted(self.facts, key=lambda f: (f.kind, f.value, f.source or ""))
            ],
            "threads": [
                {
                    "id": one.id,
                    "at": _iso(one.at),
                    "open": one.open,
                    "frustration": one.frustration,
                    "churn_risk": one.churn_risk,
                }
                for one in self.matters
            ],
            "contacts": [
                {
                    "kind": one.kind,
                    "channel": one.channel,
                    "at": _iso(one.at),
                    "about": one.about,
                    "about_at": _iso(one.about_at),
                }
                for one in self.contacts
            ],
        }

    def __repr__(self) -> str:
        return f"Account(facts={len(self.facts)}, matters={len(self.matters)})"


def _key(matter: Matter) -> tuple[datetime, str, bool, int, int]:
    return (matter.at, matter.id, matter.open, matter.frustration, matter.churn_risk)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _moment(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidRecordError(
                "A date of an account must be ISO 8601, such as 2026-03-02T09:00:00Z.", field="at"
            ) from error
    if not isinstance(value, datetime):
        raise InvalidRecordError(
            f"A date of an account must be a datetime or ISO 8601; got {type(value).__name__}.",
            field="at",
        )
    return value if value.tzinfo else value.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OutreachCheck:
    """Whether a planned contact should be made.

    Parameters
    ----------
    decision : {'go', 'hold', 'correct_record'}
        What to do with it.
    reasons : tuple of str
        From `REASONS`.
    because : tuple of str
        The same in plain words.
    """

    decision: str
    reasons: tuple[str, ...]
    because: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "decision": self.decision,
            "reasons": list(self.reasons),
            "because": list(self.because),
        }


def check(planned: Contact, account: Account) -> OutreachCheck:
    """Say whether a planned sales, renewal, survey or follow-up contact should be made now.

    Parameters
    ----------
    planned : Contact
        What, how and when.
    account : Account
        What is known.

    Returns
    -------
    OutreachCheck
        ``correct_record`` when what we believe of them is untrue, ``hold`` when now is the wrong
        time or way, else ``go``. Cost: linear in the account.
    """
    reasons = tuple(name for name in REASONS if name in set(_against(planned, account)))
    if not reasons:
        reasons = ("nothing_against_it",)
        decision = "go"
    else:
        decision = "correct_record" if _CORRECTS & set(reasons) else "hold"
    return OutreachCheck(decision, reasons, tuple(REASONS[name] for name in reasons))


def _against(planned: Contact, account: Account) -> Iterable[str]:
    now = planned.at
    if any(_same_thing(fact.value, planned.about) for fact in account.known("no_longer_owns", now)):
        yield "no_longer_owns"
    if account.known("contact_left", now):
        yield "wrong_person"
    refused = account.known("do_not_contact", now)
    refused += account.known("do_not_call", now) if planned.channel == "phone" else []
    refused += account.known("opted_out_survey", now) if planned.kind == "survey" else []
    if refused:
        yield "do_not_contact"
    past = [one for one in account.matters if one.at <= now]
    if any(one.open for one in past):
        yield "open_problem"
    recent = [one for one in past if now - one.at <= timedelta(days=RECENT_DAYS)]
    if any(one.churn_risk >= 1 for one in recent):
        yield "recent_churn_sign"
    if any(one.frustration >= 2 for one in recent):
        yield "recent_frustration"
    if _stale(planned, account):
        yield "stale_reason"
    lately = [c for c in account.contacts if timedelta() <= now - c.at <= timedelta(OFTEN_DAYS)]
    if len(lately) > OFTEN_CONTACTS:
        yield "too_often"
    local = account.local(now)
    weekend = local.weekday() >= 5
    if planned.channel == "phone" and (weekend or not CALL_HOURS[0] <= local.hour < CALL_HOURS[1]):
        yield "outside_window"


def _stale(planned: Contact, account: Account) -> bool:
    if planned.kind not in {"follow_up", "survey"}:
        return False
    since = planned.about_at
    if since is None:
        done = [
            fact.at
            for kind in ("repaired", "bought")
            for fact in account.facts
            if fact.kind == kind and fact.at is not None and _same_thing(fact.value, planned.about)
        ]
        since = max(done, default=None)
    return since is not None and planned.at - since > timedelta(days=STALE_DAYS)


def _same_thing(one: str, other: str) -> bool:
    """Whether two descriptions share a word that names a thing."""
    words = [set(re.findall(r"[a-z0-9]{3,}", text.lower())) - _EMPTY_WORDS for text in (one, other)]
    return bool(words[0] & words[1]) or not words[0]


_EMPTY_WORDS: Final = frozenset(
    {
        "the", "and", "for", "our", "your", "their", "with", "any", "more", "longer", "own", "have",
        "has", "had", "this", "that", "from", "about", "new", "old", "sold", "gave", "away",
        "donated", "got", "rid", "service", "contract", "plan", "customer", "repair", "warranty",
    }
)  # fmt: skip

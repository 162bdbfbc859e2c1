"""What is known of one customer over all threads: merged, forgotten, rolled up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from customer_nlp.accounts._facts import Fact, told
from customer_nlp.codebook import MAX_GRADE
from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Analysis, Thread, utc

__all__ = ["Account", "Contact", "Matter", "Standing", "customer_of", "gather"]

#: After this time what a customer showed counts half.
HALF_LIFE_DAYS: Final = 60.0
MAX_ABOUT_CHARS: Final = 300
KINDS: Final = ("sales", "renewal", "survey", "follow_up", "check_in", "service")
MEDIA: Final = ("phone", "email", "sms", "visit")


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
    about : str, default=''
        What it was about: a summary, or the customer's last words.
    """

    at: datetime
    open: bool
    frustration: int = 0
    churn_risk: int = 0
    id: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", utc("at", self.at))
        for name, grade in (("frustration", self.frustration), ("churn_risk", self.churn_risk)):
            if grade not in range(MAX_GRADE + 1):
                raise InvalidRecordError(
                    f"The {name} must be a grade from 0 to {MAX_GRADE}; got another.", field=name
                )

    @property
    def severity(self) -> float:
        """How bad it was: 0 for a content customer to 1 for one who is leaving in anger."""
        worst = max(self.frustration, self.churn_risk) / MAX_GRADE
        return min(1.0, worst + (0.2 if self.open else 0.0))

    def __repr__(self) -> str:
        return f"Matter(open={self.open}, frustration={self.frustration})"


@dataclass(frozen=True, slots=True, repr=False)
class Contact:
    """A contact by us.

    Parameters
    ----------
    kind : {'sales', 'renewal', 'survey', 'follow_up', 'check_in', 'service'}
        What for.
    channel : {'phone', 'email', 'sms', 'visit'}
        By which way.
    at : datetime
        When; aware, kept as UTC.
    about : str, default=''
        The product, contract or repair that it is about.
    about_at : datetime, optional
        When that was; where it is missing, a month named in `about` or `text` is taken.
    text : str, default=''
        What we would say.

    Raises
    ------
    InvalidRecordError
        For another kind or channel: a ban on calls must not be passed by for a misspelt "phone".
    """

    kind: str
    channel: str
    at: datetime
    about: str = ""
    about_at: datetime | None = None
    text: str = ""

    def __post_init__(self) -> None:
        for name, value, known in (("kind", self.kind, KINDS), ("channel", self.channel, MEDIA)):
            if value not in known:
                raise InvalidRecordError(
                    f"The {name} of a contact must be one of {', '.join(known)}; got another.",
                    field=name,
                )
        object.__setattr__(self, "at", utc("at", self.at))
        if self.about_at is not None:
            object.__setattr__(self, "about_at", utc("about_at", self.about_at))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Contact:
        """Build a contact from plain data; unknown keys are ignored."""
        at = _moment(record, "at", of="contact")
        if at is None:
            raise InvalidRecordError("A contact needs 'at', a date and time.", field="at")
        return cls(
            str(record.get("kind") or "sales").strip().lower(),
            str(record.get("channel") or "phone").strip().lower(),
            at,
            str(record.get("about") or ""),
            _moment(record, "about_at", of="contact"),
            str(record.get("text") or ""),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "kind": self.kind,
            "channel": self.channel,
            "at": _iso(self.at),
            "about": self.about,
            "about_at": _iso(self.about_at),
            "text": self.text,
        }

    def __repr__(self) -> str:
        return f"Contact(kind={self.kind!r}, channel={self.channel!r})"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands at a time, over all its threads.

    Parameters
    ----------
    risk : float
        0 to 1, a score: how much of what the customer suffered still counts, by age.
    open_matters : tuple of Matter
        Still to be done, oldest first.
    last_good, last_bad : Matter or None
        The last thread that ended well, and the last with annoyance or a sign of leaving.
    because : tuple of str
        Plain reasons, one for each of these that is there.
    """

    risk: float
    open_matters: tuple[Matter, ...]
    last_good: Matter | None
    last_bad: Matter | None
    because: tuple[str, ...]


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
    owns : frozenset of str
        What they have from us.
    """

    id: str = "account"
    facts: frozenset[Fact] = frozenset()
    matters: tuple[Matter, ...] = ()
    contacts: tuple[Contact, ...] = ()
    timezone: str | None = None
    owns: frozenset[str] = frozenset()

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
        """Return both accounts' knowledge as one; neither order nor repetition matters."""
        matters: dict[tuple[datetime, str], Matter] = {}
        for one in sorted(self.matters + other.matters, key=_key):
            matters[one.at, one.id] = one
        contacts = set(self.contacts + other.contacts)
        return Account(
            min(self.id, other.id),
            self.facts | other.facts,
            tuple(matters[key] for key in sorted(matters)),
            tuple(sorted(contacts, key=lambda one: sorted(one.to_dict().items(), key=str))),
            min(filter(None, (self.timezone, other.timezone)), default=None),
            self.owns | other.owns,
        )

    def learn(self, thread: Thread, analysis: Analysis | None = None) -> Account:
        """Return the account with what a thread tells.

        Parameters
        ----------
        thread : Thread
            The customer's own words give facts (see `told`).
        analysis : Analysis, optional
            Of the thread; gives a `Matter` where the last customer message has a date.
        """
        matter = None if analysis is None else _matter(thread, analysis)
        new = Account(self.id, told(thread), () if matter is None else (matter,))
        return self.merge(new)

    def standing(self, now: datetime, *, half_life_days: float = HALF_LIFE_DAYS) -> Standing:
        """Roll the threads up to how the account stands.

        Parameters
        ----------
        now : datetime
            Aware; later threads are left out.
        half_life_days : float, default=60
            After this time a closed matter counts half; open ones do not fade.
        """
        if half_life_days <= 0:
            raise InvalidRecordError(
                f"The half_life_days must be above 0; got {half_life_days!r}.",
                field="half_life_days",
            )
        now = utc("now", now)
        past = [one for one in self.matters if one.at <= now]
        calm = 1.0
        for one in past:
            age = 0.0 if one.open else (now - one.at).total_seconds() / 86400
            calm *= 1 - one.severity * 0.5 ** (age / half_life_days)
        left = tuple(one for one in past if one.open)
        bad = [one for one in past if one.frustration >= 2 or one.churn_risk >= 1]
        good = [one for one in past if not one.open and not one.frustration and not one.churn_risk]
        last_good, last_bad = (max(group, key=_key, default=None) for group in (good, bad))
        because = tuple(_because(left, last_good, last_bad))
        return Standing(round(1 - calm, 4), left, last_good, last_bad, because)

    def forget(self) -> Account:
        """Return the account with nothing left but its id: no fact, thread, contact or place."""
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
            For a fact of an unknown kind, a date that is none, or data of another shape.
        """
        facts = frozenset(
            Fact(
                str(one.get("kind")),
                str(one.get("value") or ""),
                _moment(one, "at", of="fact"),
                one.get("source"),
                _moment(one, "expires", of="fact"),
                one.get("start"),
                one.get("end"),
            )
            for one in _mappings(record, "facts")
        )
        if record.get("customer_since"):
            facts |= {Fact("customer_since", str(record["customer_since"]))}
        matters = []
        for one in _mappings(record, "threads"):
            at = _moment(one, "at", of="thread")
            if at is None:
                raise InvalidRecordError("A thread of an account needs 'at'.", field="at")
            matters.append(
                Matter(
                    at,
                    str(one.get("open") or "").strip().lower() not in {"", "false"},
                    one.get("frustration") or 0,
                    one.get("churn_risk") or 0,
                    str(one.get("id") or ""),
                    str(one.get("about") or _about(one)),
                )
            )
        contacts = tuple(Contact.from_dict(one) for one in _mappings(record, "contacts"))
        timezone = record.get("timezone")
        return cls(
            str(record.get("id") or "account"),
            facts,
            tuple(matters),
            contacts,
            None if timezone is None else str(timezone),
            frozenset(map(str, _listed(record, "owns"))),
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
                    "start": one.start,
                    "end": one.end,
                }
                for one in sorted(self.facts, key=_in_order)
            ],
            "threads": [
                {
                    "id": one.id,
                    "at": _iso(one.at),
                    "open": one.open,
                    "frustration": one.frustration,
                    "churn_risk": one.churn_risk,
                    "about": one.about,
                }
                for one in self.matters
            ],
            "contacts": [one.to_dict() for one in self.contacts],
            "owns": sorted(self.owns),
        }

    def __repr__(self) -> str:
        return f"Account(facts={len(self.facts)}, matters={len(self.matters)})"


def customer_of(thread: Thread) -> str:
    """Return whose account a thread belongs to.

    Parameters
    ----------
    thread : Thread
        Any.

    Returns
    -------
    str
        The address or name of the customer's first message with one, in lower case; else ``""``.
    """
    senders = (one.sender for one in thread.messages if one.role == "customer" and one.sender)
    return next(senders, "").strip().lower()


def gather(pairs: Iterable[tuple[Thread, Analysis | None]]) -> dict[str, Account]:
    """Gather accounts from threads, one a customer.

    Parameters
    ----------
    pairs : iterable of (Thread, Analysis or None)
        Threads in any order, with what the analyzer said of them where that is known.

    Returns
    -------
    dict of str to Account
        By `customer_of`; threads of nobody known are left out. Cost: linear in the text, also for
        a customer of many threads. Memory: the accounts.
    """
    found: defaultdict[str, tuple[set[Fact], list[Matter]]] = defaultdict(lambda: (set(), []))
    for thread, analysis in pairs:
        if who := customer_of(thread):
            facts, matters = found[who]
            facts |= told(thread)
            matter = None if analysis is None else _matter(thread, analysis)
            matters += () if matter is None else (matter,)
    return {
        who: Account(who, frozenset(facts), tuple(matters)).merge(Account(who))
        for who, (facts, matters) in found.items()
    }


def _matter(thread: Thread, analysis: Analysis) -> Matter | None:
    """Return the thread as its last customer message left it."""
    texts = {one.id: one for one in thread.messages}
    said = [one for one in analysis.messages if one.role == "customer" and one.signals]
    if not said or said[-1].sent_at is None:
        return None
    last = said[-1]
    grades = {one.name: one.grade for one in last.signals}
    settled = analysis.recommendation.primary == "close" or "resolved" in last.cues
    return Matter(
        said[-1].sent_at,
        not settled,
        grades["frustration"],
        grades["churn_risk"],
        thread.id,
        " ".join(texts[last.id].new_text.split())[:MAX_ABOUT_CHARS],
    )


def _because(left: tuple[Matter, ...], good: Matter | None, bad: Matter | None) -> Iterator[str]:
    if left:
        word = "matter is" if len(left) == 1 else "matters are"
        yield f"{len(left)} {word} open, the oldest since {left[0].at:%Y-%m-%d}"
    if bad is not None:
        what = "annoyed" if bad.frustration >= 2 else "showing signs of leaving"
        yield f"last {what} on {bad.at:%Y-%m-%d}"
    if good is not None:
        yield f"last content on {good.at:%Y-%m-%d}"


def _listed(record: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = record.get(name)
    if value is not None and not isinstance(value, list | tuple):
        raise InvalidRecordError(
            f"The {name} of an account must be a list; got {type(value).__name__}.", field=name
        )
    return value or ()


def _mappings(record: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = _listed(record, name)
    if not all(isinstance(one, Mapping) for one in found):
        raise InvalidRecordError(
            f"The {name} of an account must be mappings; got something else.", field=name
        )
    return found


def _about(record: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (record.get("summary"), record.get("last_customer_text"))))


def _key(matter: Matter) -> tuple[datetime, str, bool, int, int, str]:
    return (
        matter.at, matter.id, matter.open, matter.frustration, matter.churn_risk, matter.about
    )  # fmt: skip


def _in_order(fact: Fact) -> tuple[str, ...]:
    """Return a key by which facts stand in one order, whatever that of the set."""
    rest = (fact.source, _iso(fact.at), _iso(fact.expires), fact.start, fact.end)
    return (fact.kind, fact.value, *("" if one is None else str(one) for one in rest))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _moment(record: Mapping[str, Any], name: str, *, of: str) -> datetime | None:
    """Return a moment of a record; errors say which it is, and nothing of what it holds."""
    value = record.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidRecordError(
                f"The {name} of a {of} must be ISO 8601, such as 2026-03-02T09:00:00Z; got other "
                "words.",
                field=name,
            ) from None  # the cause would repeat them
    if not isinstance(value, datetime):
        raise InvalidRecordError(
            f"The {name} of a {of} must be a datetime or ISO 8601; got {type(value).__name__}.",
            field=name,
        )
    return value if value.tzinfo else value.replace(tzinfo=UTC)

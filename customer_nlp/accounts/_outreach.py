"""Whether a planned sales, renewal, survey or follow-up contact should be made now."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from customer_nlp.accounts._facts import Fact
from customer_nlp.accounts._records import Account, Contact, Matter

__all__ = ["REASONS", "OutreachCheck", "check"]

#: Why a planned contact goes, waits or needs our data mended first.
REASONS: Final[Mapping[str, str]] = {
    "no_longer_owns": "they no longer own what the contact is about",
    "wrong_person": "the person we would contact has left",
    "do_not_contact": "they asked not to be contacted this way",
    "prefers_writing": "they prefer to be written to",
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
#: Hours are looked for at the start of a wish.
MAX_WISH_CHARS: Final = 200


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


def check(planned: Contact, account: Account, *, closed: Container[date] = ()) -> OutreachCheck:
    """Say whether a planned sales, renewal, survey or follow-up contact should be made now.

    Parameters
    ----------
    planned : Contact
        What, how and when.
    account : Account
        What is known.
    closed : container of date, optional
        Public holidays, on which nobody is called who did not name hours of their own.

    Returns
    -------
    OutreachCheck
        ``correct_record`` when what we believe of them is untrue, ``hold`` when now is the wrong
        time or way, else ``go``. Cost: linear in the account.
    """
    found = set(_against(planned, account, closed))
    reasons = tuple(name for name in REASONS if name in found) or ("nothing_against_it",)
    decision = "hold" if found else "go"
    if _CORRECTS & found or (found == {"stale_reason"} and _settled_already(planned, account)):
        decision = "correct_record"
    return OutreachCheck(decision, reasons, tuple(REASONS[name] for name in reasons))


def _against(planned: Contact, account: Account, closed: Container[date]) -> Iterator[str]:
    now = planned.at
    about = _subject(planned, account)
    if any(_same_thing(fact.value, about) for fact in account.known("no_longer_owns", now)):
        yield "no_longer_owns"
    if any(_addressed(fact, planned) for fact in account.known("contact_left", now)):
        yield "wrong_person"
    if _refused(planned, account):
        yield "do_not_contact"
    if planned.channel == "phone" and _prefers_writing(account, now):
        yield "prefers_writing"
    past = [one for one in account.matters if one.at <= now]
    if any(one.open and not _asked_for(one, planned) for one in past):
        yield "open_problem"
    recent = [one for one in past if now - one.at <= timedelta(days=RECENT_DAYS)]
    if any(one.churn_risk >= 1 for one in recent):
        yield "recent_churn_sign"
    if any(one.frustration >= 2 for one in recent):
        yield "recent_frustration"
    if _stale(planned, account) or _settled_already(planned, account):
        yield "stale_reason"
    lately = [c for c in account.contacts if timedelta() <= now - c.at <= timedelta(OFTEN_DAYS)]
    if len(lately) > OFTEN_CONTACTS:
        yield "too_often"
    if planned.channel == "phone" and _outside_window(planned, account, closed):
        yield "outside_window"


def _subject(planned: Contact, account: Account) -> str:
    """Return what a contact is about, with what they have of ours that it names."""
    owned = [one for one in sorted(account.owns) if len(_words(one) & _words(planned.about)) >= 2]
    return " ".join((planned.about, planned.text, *owned))


def _addressed(fact: Fact, planned: Contact) -> bool:
    """Whether the person who left may be the one whom we would address."""
    named = _NAME.findall(f"{planned.text} {planned.about}")
    known = set(_NAME.findall(fact.value)) - _TITLES
    if known.intersection(named):
        return True
    greeted = _GREETED.match(planned.text)
    if greeted is not None and _PERSON.fullmatch(fact.value):
        return False  # somebody else is
    return _FORMER.search(fact.value) is None


def _refused(planned: Contact, account: Account) -> bool:
    now, local = planned.at, account.local(planned.at)
    refused = account.known("do_not_contact", now)
    if planned.kind == "survey":
        refused += account.known("opted_out_survey", now)
    if planned.channel == "phone":
        lifted = [
            fact.at
            for fact in account.known("prefers", now)
            if fact.at is not None and _CALLS.search(fact.value)
        ]
        for fact in account.known("do_not_call", now):
            window = _window(fact.value)
            later = fact.at is not None and any(at > fact.at for at in lifted)
            if not later and (window is None or window.holds(local)):
                refused.append(fact)
    return bool(refused)


def _prefers_writing(account: Account, now: datetime) -> bool:
    """Whether the last wish that names a channel is to be written to."""
    wishes = [fact for fact in account.known("prefers", now)
              if _WRITES.search(fact.value) or _CALLS.search(fact.value)]  # fmt: skip
    long_ago = datetime.min.replace(tzinfo=UTC)
    last = max(wishes, key=lambda fact: (fact.at or long_ago, fact.value), default=None)
    return last is not None and _CALLS.search(last.value) is None


def _asked_for(matter: Matter, planned: Contact) -> bool:
    """Whether an open matter is the calm customer's own question for what we would offer."""
    calm = not matter.frustration and not matter.churn_risk
    offer = planned.kind in {"sales", "renewal"}
    return (
        calm
        and offer
        and _ASKS.search(matter.about) is not None
        and _IN_VAIN.search(matter.about) is None
        and bool(_words(matter.about) & _words(f"{planned.about} {planned.text}"))
    )


def _outside_window(planned: Contact, account: Account, closed: Container[date]) -> bool:
    local = account.local(planned.at)
    wishes = [
        window
        for fact in account.known("prefers", planned.at)
        if _CALLS.search(fact.value) and (window := _window(fact.value)) is not None
    ]
    if wishes:
        return not any(window.holds(local) for window in wishes)
    working = local.weekday() < 5 and local.date() not in closed
    return not (working and CALL_HOURS[0] <= local.hour < CALL_HOURS[1])


@dataclass(frozen=True, slots=True)
class _Window:
    """Days of the week and hours of the day that somebody named."""

    days: frozenset[int]
    start: float
    end: float

    def holds(self, local: datetime) -> bool:
        hour = local.hour + local.minute / 60
        return local.weekday() in self.days and self.start <= hour < self.end


def _window(value: str) -> _Window | None:
    """Read a window of time from words such as "after 14:00" or "only on Fridays"."""
    text = value[:MAX_WISH_CHARS].lower()
    days = frozenset(i for i, day in enumerate(_DAYS) if re.search(rf"\b{day}", text))
    found = list(_CLOCK.finditer(text))
    exact = [match for match in found if match["hour"]]
    clocks = [_clock(match, text) for match in exact or found]
    start, end = 0.0, 24.0
    if len(clocks) >= 2:
        start, end = clocks[0], clocks[1]
        if end <= start and end + 12 > start:
            end += 12
    elif clocks and re.search(r"\b(?:after|from|past)\b", text):
        start = clocks[0]
    elif clocks and re.search(r"\b(?:before|until|till|by)\b", text):
        end = clocks[0]
    elif "morning" in text:
        end = 12.0
    elif "afternoon" in text or "evening" in text:
        start = 12.0 if "afternoon" in text else 17.0
    elif not days:
        return None
    return _Window(days or frozenset(range(7)), start, end)


def _clock(match: re.Match[str], text: str) -> float:
    hour = _HOURS[match["word"]] if match["word"] else int(match["hour"])
    late = match["half"] == "pm" or text[match.end() :].lstrip().startswith("pm")
    named_late = re.search(r"evening|afternoon|pm\b", text) is not None
    if hour < 12 and (late or (named_late and match["half"] != "am")):
        hour += 12
    return hour + int(match["minute"] or 0) / 60


def _stale(planned: Contact, account: Account) -> bool:
    if planned.kind not in {"follow_up", "survey"}:
        return False
    since = planned.about_at or _named_month(planned) or _named_year(planned)
    if since is None:
        done = [
            fact.at
            for kind in ("repaired", "bought")
            for fact in account.facts
            if fact.kind == kind and fact.at is not None and _same_thing(fact.value, planned.about)
        ]
        since = max(done, default=None)
    return since is not None and planned.at - since > timedelta(days=STALE_DAYS)


def _named_month(planned: Contact) -> datetime | None:
    """Return the end of the month that a contact names as that of its occasion."""
    match = _MONTH.search(planned.about.lower())
    if match is None:
        return None
    month = _MONTHS.index(match["month"][:3]) + 1
    year = int(match["year"]) if match["year"] else planned.at.year
    if not match["year"] and month > planned.at.month:
        year -= 1
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=planned.at.tzinfo)
    return following - timedelta(days=1)


def _named_year(planned: Contact) -> datetime | None:
    """Return the end of the year of its occasion: "in 2024", "two years ago"."""
    match = _YEAR.search(f"{planned.about}. {planned.text}".lower())
    if match is None:
        return None
    if match["year"]:
        return datetime(int(match["year"]), 12, 31, tzinfo=planned.at.tzinfo)
    ago = match["ago"]
    years = int(ago) if ago.isdecimal() else _HOURS.get(ago, 1)
    return planned.at - timedelta(days=365 * years)


def _settled_already(planned: Contact, account: Account) -> bool:
    """Whether they bought or renewed already what we would offer."""
    if planned.kind not in {"sales", "renewal"}:
        return False
    wanted = _words(planned.about)
    for fact in account.facts:
        if fact.kind == "bought" and fact.at is not None:
            age = planned.at - fact.at
            bought = _words(fact.value)
            shared = len(bought & wanted) / max(
                len(bought if planned.kind == "sales" else wanted), 1
            )
            if timedelta() <= age <= timedelta(days=SETTLED_DAYS) and shared >= _MOST:
                return True
    return planned.kind == "renewal" and any(
        not one.open
        and timedelta() <= planned.at - one.at <= timedelta(days=SETTLED_DAYS)
        and _RENEWED.search(one.about)
        for one in account.matters
    )


def _words(text: str) -> set[str]:
    found = {word for word in re.findall(r"[^\W_]{3,40}", text.lower()) if not word.isdecimal()}
    return {word.removesuffix("s") for word in found - _EMPTY_WORDS}


def _same_thing(one: str, other: str) -> bool:
    """Whether two descriptions share a word that names a thing."""
    words = _words(one)
    return not words or bool(words & _words(other))


#: Within this time a purchase answers an offer of the same, when it shares most of its words.
SETTLED_DAYS: Final = 90
_MOST: Final = 0.65
_NAME: Final = re.compile(r"\b[A-ZÀ-Þ][\w'’]+")
#: A value that is a name and nothing else, and the name of somebody who is greeted.
_PERSON: Final = re.compile(r"(?:[A-ZÀ-Þ][\w'’.-]+\s?){1,4}")
_GREETED: Final = re.compile(r"\W{0,4}(?i:dear|hi|hello|good\s\w+)\s(?:\w+\.?\s)?[A-ZÀ-Þ]")
_FORMER: Final = re.compile(r"\b(?:earlier|former|previous|used to)\b", re.IGNORECASE)
_IN_VAIN: Final = re.compile(
    r"\b(?:again|still|remind\w*|waiting|no (?:answer|reply)|unanswered|chas\w+|"
    r"(?:second|third|fourth|fifth|two|three|four|five) (?:\w+ )?(?:times?|notes?|mails?))\b",
    re.IGNORECASE,
)
_TITLES: Final = frozenset(
    {"Mr", "Mrs", "Ms", "Dr", "Miss", "Herr", "Frau", "Professor", "Captain"}
)
_WRITES: Final = re.compile(
    r"\b(?:e-?mails?|mails?|text(?:s|ed)?|sms|letters?|writ\w+|post|chat|deaf|hard\sof\shearing)\b",
    re.IGNORECASE,
)
_CALLS: Final = re.compile(
    r"\b(?:call|phone|telephone|ring|rung|evening|morning|afternoon)", re.IGNORECASE
)
_ASKS: Final = re.compile(
    r"\b(?:asks?|asked|wants?|prices?|quote|cost|how much|offer|send me|would like|interested)\b",
    re.IGNORECASE,
)
_RENEWED: Final = re.compile(r"\b(?:signed|renewed|extended|paid)\b", re.IGNORECASE)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_MONTH: Final = re.compile(
    r"\b(?P<month>january|february|march|april|may|june|july|august|september|october|november|"
    r"december)\b(?:\s(?P<year>(?:19|20)\d\d))?"
)
_HOURS: Final = {
    name: n
    for n, name in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
         "noon"), 1)
} | {"lunch": 13, "school": 15}  # fmt: skip
_CLOCK: Final = re.compile(
    rf"\b(?:(?P<hour>[01]?\d|2[0-4])(?:[:.](?P<minute>[0-5]\d))?(?!\d)\s?(?P<half>am|pm)?|"
    rf"(?P<word>{'|'.join(_HOURS)}))\b"
)
_YEAR: Final = re.compile(
    rf"\b(?:(?:in|of|from)\s(?P<year>20\d\d)\b|(?P<ago>a|an|\d{{1,2}}|{'|'.join(_HOURS)})\syears?\sago\b)"
)
_EMPTY_WORDS: Final = frozenset({
    "the", "and", "for", "our", "your", "their", "with", "any", "more", "longer", "own", "have",
    "has", "had", "this", "that", "from", "about", "new", "old", "sold", "gave", "away", "donated",
    "got", "rid", "service", "contract", "plan", "customer", "repair", "warranty", "you", "was",
    "were", "what", "how", "his", "her", "its", "order", "renewal", "years", "year", "before",
})  # fmt: skip

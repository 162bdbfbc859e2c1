"""Times named in English text, resolved against the moment at which the text was written.

A small grammar over word tables. Of the libraries kept for this, dateparser and parsedatetime
read 3 and 1 of 10 deadlines from service mail as meant ("by the end of the week", "Monday 16th
between 8 and 12", "within 3 working days"), at 0.1-8 ms each, and give no span inside a clause.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from customer_nlp.errors import InvalidRecordError, MissingExtraError
from customer_nlp.text import Rule

__all__ = ["Moment", "Words", "business_days", "find_moments", "public_holidays"]

END_OF_DAY: Final = time(17)
_LAST_MINUTE: Final = time(23, 59)
_PARTS: Final = {
    "morning": time(12), "lunch": time(12), "lunchtime": time(12), "noon": time(12),
    "midday": time(12), "afternoon": time(17), "close": time(17), "cob": time(17),
    "eod": time(17), "evening": time(20), "night": time(20), "midnight": time(23, 59),
}  # fmt: skip
_EXACT_PARTS: Final = frozenset({"noon", "midday", "midnight", "lunch", "lunchtime"})
_WEEKDAYS: Final = {
    name: number
    for number, names in enumerate(
        ("monday mon", "tuesday tue tues", "wednesday wed weds", "thursday thu thur thurs",
         "friday fri", "saturday sat", "sunday sun")
    )
    for name in names.split()
}  # fmt: skip
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
         "august aug", "september sep sept", "october oct", "november nov", "december dec"), 1
    )
    for name in names.split()
}  # fmt: skip
#: These are also ordinary words: they count with a capital only.
_PROPER: Final = frozenset({
    "sat", "sun", "wed", "mon", "may", "march", "mar", "jan"
})  # fmt: skip
_NUMBERS: Final = {
    name: number
    for number, name in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ]
    )
} | {"fourteen": 14, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_QUANTITIES: Final = _NUMBERS | {"a": 1, "an": 1, "couple": 2, "few": 3, "next": 1, "the": 1}
_UNITS: Final = {
    "second": "second", "seconds": "second", "minute": "minute", "minutes": "minute",
    "min": "minute", "mins": "minute", "hour": "hour", "hours": "hour", "hr": "hour",
    "hrs": "hour", "day": "day", "days": "day", "week": "week", "weeks": "week",
    "fortnight": "fortnight", "month": "month", "months": "month",
}  # fmt: skip
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})
_CLOCK_WORDS: Final = frozenset({
    "at", "by", "before", "until", "till", "from", "around", "about", "after", "past",
    "between", "for", "latest", "sharp"
})  # fmt: skip
_CLOCK_LEADS: Final = _CLOCK_WORDS | {",", "in", "the", "on"}
_TO: Final = frozenset({
    "to", "and", "-", "–", "—", "until", "till"
})  # fmt: skip
_CALLING: Final = frozenset({"calling", "ringing", "phoning"})
_BEFORE_COUNT: Final = frozenset({
    "the", "about", "around", "roughly", "less", "than", "a", "next", "coming", "following"
})  # fmt: skip
_WORKING: Final = frozenset({"working", "business", "work"})
_TODAY: Final = frozenset({"today", "tonight", "today's", "tonight's"})
_TOMORROW: Final = frozenset({"tomorrow", "tomorrow's", "tmrw", "tomorow", "tommorow"})

#: What no time expression goes without: a message without any of it is done at once.
_TRIGGER: Final = Rule(
    r"\d|\b(?:(?:mon|tues?|wed(?:s|nes)?|thu(?:rs?)?|fri|satur|sun)(?:day)?|to(?:day|night|m+or+ow)"
    r"|this|next|now|within|noon|midday|midnight|hours?|minutes?|week(?:end|s)?|months?|fortnight"
    r"|morning|afternoon|evening"
    r"|lunch(?:time)?|close|cob|eod|eow|jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec"
    r"|(?:janu|febru)ary|march|april|august|(?:septem|octo|novem|decem)ber|past|quarter|days?"
    r"|(?:at|by|before|until) (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|half))\b",
    flags=re.IGNORECASE,
)
_WORD: Final = re.compile(
    r"\d{4}-\d\d-\d\d|\d{1,9}(?:[.,:/]\d{1,9}){0,3}|[^\W\d_]+(?:['’][^\W\d_]+)?|\n|[^\w\s]"
)


class Words:
    """The words of a range of text: lower case, with their places.

    Parameters
    ----------
    text : str
        Any text.
    start, end : int
        Half-open range to read.
    """

    __slots__ = ("ends", "lower", "starts", "text")

    def __init__(self, text: str, start: int = 0, end: int | None = None) -> None:
        self.text = text
        lower = text.lower().replace("’", "'")
        alike = len(lower) == len(text)  # a few letters grow when lowered
        words = _WORD.finditer(lower if alike else text, start, len(text) if end is None else end)
        spans = [one.span() for one in words]
        self.starts = [first for first, _ in spans]
        self.ends = [last for _, last in spans]
        if alike:
            self.lower = [lower[first:last] for first, last in spans]
        else:
            self.lower = [text[first:last].lower().replace("’", "'") for first, last in spans]

    def __len__(self) -> int:
        return len(self.lower)

    def at(self, index: int) -> str:
        """Return the lower-case word at an index, or ``''`` outside."""
        return self.lower[index] if 0 <= index < len(self.lower) else ""

    def capital(self, index: int) -> bool:
        """Whether the word at an index starts with a capital."""
        return self.text[self.starts[index]].isupper()

    def joined(self, index: int) -> bool:
        """Whether nothing stands between the word at an index and the one before."""
        return 0 < index < len(self.lower) and self.ends[index - 1] == self.starts[index]


@dataclass(frozen=True, slots=True)
class Moment:
    """A time named in a text.

    Parameters
    ----------
    first, last : int
        Half-open range of words.
    due : datetime or None
        When it is, in the zone of the anchor; ``None`` where it cannot be told.
    has_day : bool
        Whether a day is named; else it was taken from before or is the day of writing.
    has_clock : bool
        Whether a time of day is named.
    near : bool
        Whether it falls on the day of writing.
    """

    first: int
    last: int
    due: datetime | None
    has_day: bool
    has_clock: bool
    near: bool = False


class _Clock(NamedTuple):
    last: int
    at: time
    certain: bool
    zone: tzinfo | None = None


class _Day(NamedTuple):
    last: int
    on: date
    until: time | None = None


def may_hold_time(text: str, keys: frozenset[str] | None = None) -> bool:
    """Whether a text can name a time at all. Cost: one linear search.

    `keys` are the `word_keys` of the text, or of more than it, where they are known.
    """
    return (keys is None or _TRIGGER.may(keys)) and _TRIGGER.search(text) is not None


def public_holidays(country: str | None) -> Container[date]:
    """Return the public holidays of a country; without one, none.

    Parameters
    ----------
    country : str or None
        ISO 3166 code as the library ``holidays`` takes it, such as ``"GB"``.

    Raises
    ------
    MissingExtraError
        When ``holidays`` is not installed.
    InvalidRecordError
        For a country that it does not know.

    Notes
    -----
    A year is looked up when it is first asked about, and remembered; threads may share them.
    """
    if country is None:
        return ()
    try:
        import holidays  # noqa: F401 - whether it is there, before what is remembered
    except ImportError as error:
        raise MissingExtraError("holidays", "holidays") from error
    try:
        _holidays_of(country, _ANY_YEAR)
    except (NotImplementedError, TypeError) as error:
        raise InvalidRecordError(
            "The holidays must be a country code that the library holidays knows, "
            "such as 'GB'; got another.",
            field="holidays",
        ) from error
    return _Holidays(country)


@dataclass(frozen=True, slots=True)
class _Holidays:
    country: str

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and day in _holidays_of(self.country, day.year)


#: To find out whether a country is known.
_ANY_YEAR: Final = 2026


@lru_cache(maxsize=1024)
def _holidays_of(country: str, year: int) -> frozenset[date]:
    """Return a whole year; the library's own calendar fills up while other threads read it."""
    import holidays

    return frozenset(holidays.country_holidays(country, years=year))


def business_days(start: date, count: int, closed: Container[date] = ()) -> date:
    """Return the day that lies `count` working days after `start`.

    Parameters
    ----------
    start : date
        The day on which counting starts; it does not count itself.
    count : int
        At most 400 are counted.
    closed : container of date
        Public holidays.
    """
    day = start
    for _ in range(min(count, 400)):
        day += timedelta(days=1)
        while day.weekday() >= 5 or day in closed:
            day += timedelta(days=1)
    return day


def find_moments(words: Words, anchor: datetime, closed: Container[date] = ()) -> list[Moment]:
    """Find the times that a text names.

    Parameters
    ----------
    words : Words
        The words of a range of text.
    anchor : datetime
        When it was written, in the writer's zone.
    closed : container of date
        Public holidays, which are no working days.

    Returns
    -------
    list of Moment
        In order, without overlap. A day without a time of day ends at 17:00 (or 23:59 when it is
        later than that already), a morning at 12:00, an afternoon at 17:00, an evening at 20:00,
        "between 8 and 12" at 12:00. A time of day without a day belongs to the day named before
        it in the same sentence, else to the day of writing.

    Notes
    -----
    Linear: at every word a bounded number of words is looked at.
    """
    reader = _Reader(words, anchor, closed)
    found: list[Moment] = []
    lower, total = words.lower, len(words)
    index, day = 0, None
    while index < total:
        word = lower[index]
        if word in _ENDS:
            if not words.joined(index + 1):
                day = None
            index += 1
            continue
        moment = None
        if word in _STARTERS or word[0].isdigit():
            # "the", "in", "on": nearly always something else, which the next words show
            ahead = lower[index + 1 : index + 5] if word in _LEADS else ()
            if not ahead or any(one in _CORE or one[0].isdigit() for one in ahead):
                moment = reader.read(index, day)
        if moment is None:
            index += 1
            continue
        if moment.has_day and moment.due is not None:
            day = moment.due.date()
        found.append(moment)
        index = moment.last
    return found


class _Reader:
    def __init__(self, words: Words, anchor: datetime, closed: Container[date]) -> None:
        self.words = words
        self.anchor = anchor
        self.closed = closed
        self.today = anchor.date()
        self.named: date | None = None

    def read(self, index: int, known: date | None) -> Moment | None:
        """Read one time that starts at a word; `known` is the day named before."""
        self.named = known
        span = self._span(index) or self._known_day(index, known)
        if span is not None:
            return span
        day = self._day(index)
        if day is not None:
            return self._with_clock(index, day)
        clock = self._clock(index, needs_lead=True)
        if clock is None:
            return None
        day = self._day_after(clock.last)
        if day is not None:
            last = max(day.last, clock.last)
            at = self._settled(clock, day)
            return self._moment(index, last, day.on, at, has_day=True, zone=clock.zone)
        on = known or self.today
        at = self._later_today(clock) if known is None else clock.at
        return self._moment(index, clock.last, on, at, has_day=False, zone=clock.zone)

    def _known_day(self, index: int, known: date | None) -> Moment | None:
        """Read "that evening", "the same day" of the day named before."""
        words = self.words
        if known is None or words.at(index) not in {"that", "same"}:
            return None
        part = words.at(index + 1)
        if part != "day" and part not in _PARTS:
            return None
        at = END_OF_DAY if part == "day" else _PARTS[part]
        return self._moment(index, index + 2, known, at, has_day=True)

    def _moment(
        self,
        first: int,
        last: int,
        on: date,
        at: time,
        *,
        has_day: bool,
        clock: bool = True,
        zone: tzinfo | None = None,
    ) -> Moment:
        own = self.anchor.tzinfo
        due = datetime.combine(on, at, zone or own).astimezone(own)
        return Moment(first, last, due, has_day, clock, near=due.date() == self.today)

    def _with_clock(self, index: int, day: _Day) -> Moment:
        skip = day.last
        while (
            self.words.at(skip) in {",", "the", "(", "-", "–", ":", "it", "is"}
            and skip < day.last + 2
        ):
            skip += 1
        clock = self._clock(skip, needs_lead=False)
        if clock is None:
            at = day.until or END_OF_DAY
            if day.on == self.today and day.until is None and self.anchor.time() >= at:
                at = _LAST_MINUTE
            return self._moment(index, day.last, day.on, at, has_day=True, clock=False)
        at = self._settled(clock, day)
        return self._moment(index, clock.last, day.on, at, has_day=True, zone=clock.zone)

    def _settled(self, clock: _Clock, day: _Day) -> time:
        """Decide between morning and evening by the part of the day that goes with it."""
        if clock.certain:
            return clock.at
        if day.until is not None and day.until.hour >= 17 and clock.at.hour < 12:
            return clock.at.replace(hour=clock.at.hour + 12)
        return self._later_today(clock) if day.on == self.today else clock.at

    def _later_today(self, clock: _Clock) -> time:
        if not clock.certain and clock.at.hour < 12 and clock.at <= self.anchor.time():
            return clock.at.replace(hour=clock.at.hour + 12)
        return clock.at

    def _day_after(self, index: int) -> _Day | None:
        skip = index
        while self.words.at(skip) in {",", "on", "by", "the", "of"} and skip < index + 2:
            skip += 1
        return self._day(skip) or self._day(index)

    # spans: "within two hours", "in ten minutes", "in 3 working days", "by the end of the week"

    def _span(self, index: int) -> Moment | None:
        words = self.words
        word = words.at(index)
        if word in {"within", "inside", "in", "after", "allow", "takes", "up"}:
            return self._duration(index, index + (2 if words.at(index + 1) == "to" else 1))
        if word[0].isdigit() or word in _NUMBERS or word in {"a", "an"}:
            return self._from_now(index)
        if word in {"end", "close", "cob", "eod", "eow"}:
            return self._end_of(index)
        if word == "now" and not set(words.lower[max(0, index - 4) : index]).isdisjoint(_CALLING):
            due = self.anchor + timedelta(minutes=10)
            return Moment(index, index + 1, due, has_day=False, has_clock=True, near=True)
        if word in {"this", "right"} and words.at(index + 1) in {
            "minute",
            "second",
            "moment",
            "now",
        }:
            due = self.anchor + timedelta(minutes=10)
            return Moment(index, index + 2, due, has_day=False, has_clock=True, near=True)
        return None

    def _from_now(self, index: int) -> Moment | None:
        """Read "two days from now", "48 hours from today", "give us 3 to 5 working days"."""
        measured = self._measure(index)
        if measured is None:
            return None
        last, due = measured
        words = self.words
        if words.at(last) == "from" and words.at(last + 1) in {"now", "today", "this"}:
            return Moment(index, last + 2, due, has_day=True, has_clock=False)
        if words.at(index - 1) in {"me", "us"} and words.at(index - 2) == "give":
            return Moment(index, last, due, has_day=True, has_clock=False)
        return None

    def _duration(self, first: int, index: int) -> Moment | None:
        words = self.words
        while words.at(index) in _BEFORE_COUNT and (
            index < first + 3 and words.at(index + 1) not in _UNITS
        ):
            index += 1
        measured = self._measure(index)
        if measured is None:
            return None
        last, due = measured
        if words.at(first) in {"after", "takes"}:
            return None
        # "in 30 days of receipt" counts from something else than now
        if words.at(last) in {"of", "after", "from", "before"} and words.at(last + 1) not in {
            "now", "today", "this", "call",
        }:  # fmt: skip
            return None
        near = due.date() == self.today
        return Moment(first, last, due, has_day=True, has_clock=False, near=near)

    def _measure(self, index: int) -> tuple[int, datetime] | None:
        words = self.words
        word = words.at(index)
        if word == "half" and words.at(index + 1) in {"an", "a"} and words.at(index + 2) == "hour":
            return index + 3, self.anchor + timedelta(minutes=30)
        count = int(word) if word.isdecimal() and len(word) < 4 else _QUANTITIES.get(word)
        if count is None and "-" in word and word.split("-")[-1].isdecimal():
            count = int(word.split("-")[-1][:3])
        if count is None:
            return None
        index += 1
        if words.at(index) in _TO | {"or"}:
            more = words.at(index + 1)
            top = int(more) if more.isdecimal() and len(more) < 4 else _NUMBERS.get(more)
            if top is not None:
                count, index = top, index + 2
        if words.at(index) in {"of", "full", "short", "more"}:
            index += 1
        working = words.at(index) in _WORKING
        index += working
        unit = _UNITS.get(words.at(index).removesuffix("'"))
        if unit is None:
            return None
        return index + 1, self._later(count, unit, working=working)

    def _later(self, count: int, unit: str, *, working: bool) -> datetime:
        if unit in {"second", "minute", "hour"}:
            return self.anchor + timedelta(**{f"{unit}s": count})
        if unit == "day" and working:
            day = business_days(self.today, count, self.closed)
        else:
            scale = {"day": 1, "week": 7, "fortnight": 14, "month": 30}[unit]
            day = self.today + timedelta(days=count * scale)
        return datetime.combine(day, END_OF_DAY, self.anchor.tzinfo)

    def _end_of(self, index: int) -> Moment | None:
        words = self.words
        word = words.at(index)
        if word == "eow":
            return self._moment(index, index + 1, self._week_end(0), END_OF_DAY, has_day=True)
        if word in {"cob", "eod"} or (
            word == "close" and words.at(index + 1) == "of" and words.at(index + 2) in
            {"business", "play", "day"}
        ):  # fmt: skip
            last = index + (1 if word != "close" else 3)
            day = self._day_after(last)
            on, last = (day.on, day.last) if day else (self.today, last)
            return self._moment(index, last, on, END_OF_DAY, has_day=day is not None)
        if word != "end" or words.at(index + 1) != "of":
            return None
        skip = index + 2 + (words.at(index + 2) in {"the", "this", "next", "my"})
        later = int(words.at(index + 2) == "next")
        unit = words.at(skip)
        if unit in _MONTHS:
            return self._moment(
                index, skip + 1, self._month_end(_MONTHS[unit]), END_OF_DAY, has_day=True
            )
        ends = {
            "day": self.today,
            "business": self.today,
            "week": self._week_end(later),
            "month": self._month_end(self.today.month + later),
            "year": date(self.today.year + later, 12, 31),
        }
        if unit in {"today", "tomorrow"}:
            return self._moment(
                index,
                skip + 1,
                self.today + timedelta(days=unit != "today"),
                END_OF_DAY,
                has_day=True,
            )
        named = self._day_after(skip + 1) if unit in {"day", "business"} else None
        if named is not None:
            return self._moment(index, named.last, named.on, END_OF_DAY, has_day=True)
        if unit not in ends:
            return None
        return self._moment(index, skip + 1, ends[unit], END_OF_DAY, has_day=True)

    def _week_end(self, weeks: int) -> date:
        friday = self.today + timedelta(days=4 - self.today.weekday() + 7 * weeks)
        # on a weekend "this week" is the one that is to come
        return friday if friday >= self.today else friday + timedelta(days=7)

    def _month_end(self, month: int) -> date:
        year = self.today.year + (month - 1) // 12
        month = (month - 1) % 12 + 1
        if month < self.today.month and year == self.today.year:
            year += 1
        following = date(year + month // 12, month % 12 + 1, 1)
        return following - timedelta(days=1)

    # days

    def _day(self, index: int) -> _Day | None:
        words = self.words
        word = words.at(index)
        if not word:
            return None
        if word in _TODAY or word in _TOMORROW:
            return self._near(index)
        if word in {"this", "next"}:
            return self._this_or_next(index)
        if word == "first" and words.at(index + 1) == "thing":
            day = self._day(index + 2 + (words.at(index + 2) in {"on", "in"}))
            return day and day._replace(until=day.until or _PARTS["morning"])
        if word == "the" and words.lower[index + 1 : index + 4] == ["day", "after", "tomorrow"]:
            return _Day(index + 4, self.today + timedelta(days=2))
        stem = word.removesuffix("'s")
        if stem in _WEEKDAYS and (stem not in _PROPER or words.capital(index)):
            return self._weekday(index, _WEEKDAYS[stem], shift=0)
        if word == "before" and words.lower[index + 1 : index + 3] == ["the", "weekend"]:
            return _Day(index + 3, self._week_end(0))
        if word in {"the", "on", "by"} or word[0].isdigit() or word in _MONTHS:
            return self._date(index)
        return None

    def _near(self, index: int) -> _Day:
        word = self.words.at(index)
        on = self.today + timedelta(days=word in _TOMORROW)
        until = time(20) if word.startswith("tonight") else None
        if word in _TODAY and not word.startswith("tonight") and self.anchor.time() >= END_OF_DAY:
            until = _LAST_MINUTE
        last = index + 1
        # "tomorrow, Thursday 11 April": the name says the same once more
        skip = last + (self.words.at(last) in {",", "(", "-"})
        named = self.words.at(skip)
        if named in _WEEKDAYS or (skip > last and named == "the"):
            again = self._day(skip)
            if again is not None and again.on == on:
                last = again.last
        if word.startswith("tonight") and self.anchor.time() >= time(20):
            until = _LAST_MINUTE
        return _Day(last, on, until)

    def _this_or_next(self, index: int) -> _Day | None:
        words = self.words
        later = words.at(index) == "next"
        word = words.at(index + 1).removesuffix("'s")
        if word in _WEEKDAYS:
            return self._weekday(
                index + 1, _WEEKDAYS[word], shift=1 if later else 0, this=not later
            )
        if word in {"morning", "afternoon", "evening"} and not later:
            return _Day(index + 2, self.today, _PARTS[word])
        if word == "week":
            return _Day(index + 2, self._week_end(int(later)))
        if word == "month":
            return _Day(index + 2, self._month_end(self.today.month + later))
        if word == "weekend":
            ahead = 6 - self.today.weekday() + 7 * later
            return _Day(index + 2, self.today + timedelta(days=ahead))
        return None

    def _weekday(self, index: int, number: int, *, shift: int, this: bool = False) -> _Day:
        words = self.words
        dated = self._after_name(index + 1, number)
        if dated is not None:
            return dated
        ahead = (number - self.today.weekday()) % 7
        if ahead == 0 and not this:
            ahead = 7 if shift == 0 else 0
        last = index + 1
        if shift:
            # "next Friday" is the one of the coming week
            ahead = 7 - self.today.weekday() + number
        elif words.at(last) == "week" or (words.at(last), words.at(last + 1)) == ("next", "week"):
            ahead = ahead + 7 if words.at(last) == "week" else 7 - self.today.weekday() + number
            last += 1 if words.at(last) == "week" else 2
        return _Day(last, self.today + timedelta(days=ahead))

    def _after_name(self, index: int, number: int) -> _Day | None:
        """Read the date behind a weekday: "Monday the 16th", "Thursday 13 June", "Friday, 5/6"."""
        skip = index
        while self.words.at(skip) in {",", "the", "("} and skip < index + 2:
            skip += 1
        found = None if self.words.at(skip) == "by" else self._date(skip, bare=True)
        if found is None:
            return None
        if found.on.weekday() == number:
            return found
        # A name and a number that do not fit: "Monday 3" may be a time of day
        return found if found.last - skip > 1 else None

    def _date(self, index: int, *, bare: bool = False) -> _Day | None:
        words = self.words
        lead = words.at(index) in {"the", "on", "by"}
        if lead:
            index += 1
            if words.at(index) == "the":
                index += 1
        word = words.at(index)
        if not word:
            return None
        if word in _MONTHS:
            return self._month_first(index)
        if not word[0].isdigit():
            return None
        if not word.isdecimal():
            return self._figures(index)
        number, last = int(word[:9]), index + 1
        ordinal = words.at(last) in _ORDINALS and words.joined(last)
        last += ordinal
        if not 1 <= number <= 31:
            return None
        month_at = last + (words.at(last) == "of")
        month = words.at(month_at)
        if month in _MONTHS and (month not in _PROPER or words.capital(month_at)):
            return self._dated(number, _MONTHS[month], month_at + 1)
        if ordinal or (bare and not self._is_clock(index)):
            return self._day_of_month(number, last)
        return None

    def _is_clock(self, index: int) -> bool:
        nearby = self.words.at(index + 1)
        return nearby in {"am", "pm", "to", "-", "–", "o'clock", "sharp", "and", ":", "a", "p"}

    def _month_first(self, index: int) -> _Day | None:
        words = self.words
        month, day = words.at(index), words.at(index + 1)
        if month in _PROPER and not words.capital(index):
            return None
        if words.at(index + 1) in {".", "the"}:
            index += 1
            day = words.at(index + 1)
        if not day.isdecimal() or not 1 <= int(day[:9]) <= 31:
            return None
        last = index + 2
        last += words.at(last) in _ORDINALS and words.joined(last)
        return self._dated(int(day), _MONTHS[month], last)

    def _dated(self, day: int, month: int, last: int) -> _Day | None:
        words = self.words
        skip = last + (words.at(last) in {",", "."})
        year = words.at(skip)
        if year.isdecimal() and len(year) == 4 and 2000 <= int(year) <= 2100:
            on = _date_or_none(int(year), month, day)
            return _Day(skip + 1, on) if on else None
        on = _date_or_none(self.today.year, month, day)
        if on is None:
            return None
        if (on - self.today).days < -183:
            on = _date_or_none(self.today.year + 1, month, day) or on
        return _Day(last, on)

    def _day_of_month(self, number: int, last: int) -> _Day | None:
        year, month = self.today.year, self.today.month
        named = self.named and _date_or_none(self.named.year, self.named.month, number)
        if named and named >= self.today:
            return _Day(last, named)
        for _ in range(3):
            on = _date_or_none(year, month, number)
            if on is not None and on >= self.today:
                return _Day(last, on)
            year, month = year + month // 12, month % 12 + 1
        return None

    def _figures(self, index: int) -> _Day | None:
        """Read 2026-03-12, 12/03/2026, 12.03.2026, 25/3: only where one reading is possible."""
        word = self.words.at(index)
        mark = next((one for one in "-/." if one in word), "")
        parts = word.split(mark) if mark else []
        if not 2 <= len(parts) <= 3 or not all(part.isdecimal() for part in parts):
            return None
        if len(parts) == 3 and len(parts[0]) == 4:
            on = _date_or_none(int(parts[0]), int(parts[1][:4]), int(parts[2][:4]))
            return _Day(index + 1, on) if on else None
        if len(parts) == 2 and mark != "/":
            return None
        first, second = int(parts[0]), int(parts[1])
        if mark != "." and first <= 12 and second <= 12 and first != second:
            return None
        day, month = (second, first) if second > 12 else (first, second)
        if len(parts) == 2:
            return self._dated(day, month, index + 1)
        year = int(parts[2][:4]) + (2000 if len(parts[2]) == 2 else 0)
        on = _date_or_none(year, month, day)
        return _Day(index + 1, on) if on else None

    # times of day

    def _clock(self, index: int, *, needs_lead: bool) -> _Clock | None:
        """Read a time of day with the zone behind it: "9am ET", "3 pm (London time)"."""
        clock = self._bare_clock(index, needs_lead=needs_lead)
        if clock is None or clock.zone is not None:
            return clock
        words, place = self.words, clock.last
        place += words.at(place) == "("
        last = place + 1
        name = words.text[words.starts[place] : words.ends[place]] if words.at(place) else ""
        zone = _ZONES.get(name) or _zone_of_place(name)
        if zone is None and name[:1].isupper() and "time" in words.lower[place + 1 : place + 3]:
            last = words.lower.index("time", place + 1) + 1
            zone = _zone_of_place("_".join(words.lower[place : last - 1]))
        if zone is None:
            return clock
        return clock._replace(last=last + (words.at(last) == ")"), zone=zone)

    def _bare_clock(self, index: int, *, needs_lead: bool) -> _Clock | None:
        words = self.words
        first = index
        while words.at(index) in _CLOCK_LEADS and index < first + 3:
            index += 1
        lead = index > first and words.at(index - 1) in _CLOCK_WORDS
        word = words.at(index)
        of_day = word in _PARTS and words.at(index + 1) == "of"
        if word in _PARTS and (not needs_lead or word in _EXACT_PARTS or of_day):
            return self._part(index)
        if word in {"half", "quarter", "five", "ten", "twenty"} or word.isdecimal():
            spoken = self._spoken(index)
            if spoken is not None:
                return spoken
        one = self._hour(index)
        if one is None:
            return None
        last, at, marked = one
        if words.at(last) in _TO:
            ranged = self._range_end(last + 1, at, marked=marked)
            if ranged is not None:
                # "between 8 and 12" needs no more to be a time
                strong = lead or marked or not needs_lead or ranged.certain
                return self._part_behind(ranged) if strong else None
            if words.at(last + 1)[:1].isdigit():
                return None
        if not (marked or ((lead or not needs_lead) and _plausible(words, last))):
            return None
        return self._part_behind(_Clock(last, _working(at, marked=marked), marked))

    def _part(self, index: int) -> _Clock | None:
        words = self.words
        word = words.at(index)
        if word == "close" and words.at(index + 1) == "of":
            return _Clock(index + 3, END_OF_DAY, certain=True)
        inner = None
        if word not in _EXACT_PARTS:
            inner = self._clock(index + 1, needs_lead=True)
        if inner is not None and inner.last - index <= 7:
            at = inner.at
            if not inner.certain and word != "morning" and at.hour < 12:
                at = at.replace(hour=at.hour + 12)
            return _Clock(inner.last, at, certain=True)
        return _Clock(index + 1, _PARTS[word], certain=True)

    def _part_behind(self, clock: _Clock) -> _Clock:
        """Take "at 2 in the afternoon", "six in the evening", "seven tonight" into account."""
        words = self.words
        last = clock.last
        skip = last
        while words.at(skip) in {"in", "the", "this"} and skip < last + 2:
            skip += 1
        word = words.at(skip)
        if word in {"morning", "afternoon", "evening", "night"}:
            at = clock.at
            if word == "morning" and at.hour >= 12 and not clock.certain:
                at = at.replace(hour=at.hour - 12)
            elif word != "morning" and at.hour < 12:
                at = at.replace(hour=at.hour + 12)
            return _Clock(skip + 1, at, certain=True)
        return clock

    def _hour(self, index: int) -> tuple[int, time, bool] | None:
        """Read one time of day; the last value says whether it cannot be anything else."""
        words = self.words
        word = words.at(index)
        if word in _NUMBERS:
            hour, minute, marked = _NUMBERS[word], 0, False
            if not 1 <= hour <= 12:
                return None
            if words.at(index + 1) in {"thirty", "fifteen"}:
                return index + 2, time(hour, 30 if words.at(index + 1) == "thirty" else 15), False
        elif word and word[0].isdigit():
            read = _hour_and_minute(word)
            if read is None:
                return None
            hour, minute, marked = read
        else:
            return None
        last = index + 1
        follow = words.at(last)
        if follow == "h" and words.joined(last):
            last += 1
            minutes = words.at(last)
            if words.joined(last) and minutes.isdecimal() and len(minutes) == 2:
                minute, last = int(minutes), last + 1
            return (last, time(hour, minute), True) if minute < 60 else None
        if follow in {"am", "pm"} or (
            follow in {"a", "p"} and words.at(last + 1) == "." and words.at(last + 2) == "m"
        ):
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if follow[0] == "p" else 0)
            return self._behind_half(last, follow), time(hour, minute), True
        if follow in {"o'clock", "sharp", "oclock"}:
            return last + 1, time(hour, minute), False
        if follow == "%" or (index and words.at(index - 1) in {"£", "$", "€", "#"}):
            return None
        return last, time(hour, minute), marked and hour > 12

    def _behind_half(self, index: int, follow: str) -> int:
        """Return the place behind "pm" or "p.m."; its last dot may end the sentence too."""
        if len(follow) == 2:
            return index + 1
        return index + 3 + (self.words.at(index + 3) == "." and self.words.joined(index + 3))

    def _range_end(self, index: int, begin: time, *, marked: bool) -> _Clock | None:
        words = self.words
        if words.at(index) in {"noon", "midday"}:
            return _Clock(index + 1, time(12), certain=True)
        end = self._hour(index)
        if end is None or not _plausible(words, end[0]):
            return None
        last, at, certain = end
        if certain or (marked and begin.hour >= 12):
            return _Clock(last, at, certain=certain)
        at = _working(at, marked=False)
        begin = _working(begin, marked=marked)
        if at <= begin and at.hour < 12:
            at = at.replace(hour=at.hour + 12)
        return _Clock(last, at, certain=at.hour > 12)

    def _spoken(self, index: int) -> _Clock | None:
        """Read "half past two", "quarter to nine", "ten past"."""
        words = self.words
        minutes = {"half": 30, "quarter": 15}.get(words.at(index)) or _number(words.at(index))
        sign = {"past": 1, "to": -1}.get(words.at(index + 1))
        if minutes is None or sign is None or minutes > 30:
            return None
        hour = _number(words.at(index + 2))
        if hour is None or not 1 <= hour <= 12:
            if sign < 0:
                return None
            later = self.anchor + timedelta(hours=self.anchor.minute >= minutes)
            return _Clock(index + 2, time(later.hour, minutes), certain=True)
        if sign < 0 and words.at(index) != "quarter":
            return None
        total = hour * 60 + sign * minutes
        at = _working(time(total // 60 % 24, total % 60), marked=False)
        return self._part_behind(_Clock(index + 3, at, certain=False))


_STARTING: Final = frozenset({
    "within", "inside", "in", "after", "allow", "takes", "up", "half", "a", "an", "end", "first",
    "close", "cob",
    "eod", "eow", "this", "right", "next", "the", "on", "by", "at", "before", "until", "till",
    "from", "around", "about", "between", "noon", "midday", "midnight", "latest",
})  # fmt: skip
_STARTERS: Final = (
    _STARTING
    | _TODAY
    | _TOMORROW
    | frozenset(_WEEKDAYS)
    | frozenset(f"{name}'s" for name in _WEEKDAYS)
    | frozenset(_MONTHS)
    | frozenset(_NUMBERS)
)


#: Zones as they are written behind a time of day; those that mean several are left out.
_ZONES: Final[Mapping[str, tzinfo]] = {
    name: timezone(timedelta(hours=hours))
    for name, hours in {
        "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "EST": -5,
        "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "SGT": 8,
        "AEST": 10, "AEDT": 11,
    }.items()
} | {"UTC": UTC, "GMT": UTC, "Z": UTC}  # fmt: skip
_PLACES: Final = {
    "ET": "America/New_York", "PT": "America/Los_Angeles", "uk": "Europe/London",
    "eastern": "America/New_York", "central": "America/Chicago",
    "mountain": "America/Denver", "pacific": "America/Los_Angeles",
}  # fmt: skip


@lru_cache(maxsize=1)
def _places() -> dict[str, str]:
    """Return the zone of each place after which one is named, such as ``new_york``."""
    return {name.rpartition("/")[2].lower(): name for name in sorted(available_timezones())}


def _zone_of_place(place: str) -> tzinfo | None:
    name = _PLACES.get(place)
    if name is None and place.islower():
        name = _places().get(place)
    return None if name is None else ZoneInfo(name)


_ENDS: Final = frozenset(".!?\n")
_LEADS: Final = frozenset({
    "within", "inside", "in", "first", "after", "allow", "takes", "up", "a", "an", "the", "on",
    "by", "at", "before", "until", "till", "from", "around", "about", "between", "this", "right",
    "next", "that", "same",
})  # fmt: skip
_CORE: Final = (
    (_STARTERS - _LEADS)
    | frozenset(_UNITS)
    | frozenset(_PARTS)
    | frozenset({"quarter", "minute", "second", "moment", "weekend", "week", "month", "year"})
)


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() and len(word) < 3 else _NUMBERS.get(word)


def _hour_and_minute(word: str) -> tuple[int, int, bool] | None:
    """Split 9, 14:30, 9.30; the last value says whether minutes are written."""
    mark = ":" if ":" in word else "." if "." in word else ""
    hour, _, minute = word.partition(mark) if mark else (word, "", "")
    if not hour.isdecimal() or len(hour) > 2 or int(hour) > 23:
        return None
    if not mark:
        return int(hour), 0, False
    if not minute.isdecimal() or len(minute) != 2 or int(minute) > 59:
        return None
    return int(hour), int(minute), True


def _working(at: time, *, marked: bool) -> time:
    """Take an hour without "am" or "pm" for the one in which people work."""
    return at.replace(hour=at.hour + 12) if not marked and 1 <= at.hour <= 6 else at


def _plausible(words: Words, last: int) -> bool:
    """Whether a bare number can be a time of day by what follows it."""
    follow = words.at(last)
    plain = not follow or not follow[0].isalpha() or follow in _AFTER_CLOCK
    return plain or follow.upper() in _ZONES


_AFTER_WORDS: Final = frozenset({
    "with", "and", "on", "at", "to", "or", "as", "if", "so", "for", "in", "by", "of", "till",
    "until", "we", "i", "he", "she", "they", "you", "it", "but", "when", "then", "tomorrow",
    "today", "tonight", "this", "is", "from", "your", "sharp", "am", "pm", "o'clock", "local",
    "about", "before", "after", "anyway", "either", "again", "please", "while", "my", "our", "the",
    "latest", "onwards", "prompt", "exactly", "once",
})  # fmt: skip
_AFTER_CLOCK: Final = _AFTER_WORDS  # fmt: skip | frozenset(_WEEKDAYS)


def _date_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None

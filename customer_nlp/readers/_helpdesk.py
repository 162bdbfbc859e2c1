"""Payloads of helpdesks to threads: one engine over the rows of ``_helpdesk_tables``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from customer_nlp.errors import InvalidRecordError
from customer_nlp.readers._helpdesk_tables import PLATFORMS, Platform, Rule, Shape, Turns
from customer_nlp.readers._rejects import Rejects, sha256
from customer_nlp.readers._roles import OwnAddresses
from customer_nlp.readers._rows import FIELDS, BadRowError, columns_of, flag, label, to_message
from customer_nlp.readers._tables import by_time, json_items
from customer_nlp.records import Message, Thread

__all__ = ["HELPDESKS", "from_helpdesk", "helpdesk_of", "helpdesk_reader"]

#: The platforms whose payloads are read.
HELPDESKS: Final = tuple(PLATFORMS)
#: How sure a role is that was told by "is not the requester" alone.
NOT_REQUESTER_CONFIDENCE: Final = 0.8

# More are a mailing; and people of the ticket are looked up for each of its messages.
_MOST_PEOPLE: Final = 50

_MISSING: Final = object()
_NOTHING: Final[tuple[Any, ...]] = (_MISSING, None, "", [])
_NOBODY: Final = OwnAddresses(())


def from_helpdesk(
    payload: object, platform: str, *, template: Mapping[str, str] | None = None
) -> Thread | None:
    """Read what a helpdesk sent or exported.

    Parameters
    ----------
    payload : dict or list
        A webhook's body or a record of the platform's API, parsed from JSON.
    platform : str
        One of `HELPDESKS`.
    template : mapping of str to str, optional
        For bodies of your own making (trigger and automation templates): field to path, as in
        ``{"thread": "ticket.id", "text": "comment.body", "role": "comment.from", "public":
        "comment.public"}``. Fields are those of `Message`, with ``thread`` and ``private``;
        dots part keys. Without it such a body is read by the names of its keys, as a table is.

    Returns
    -------
    Thread or None
        The conversation with those of its messages that the payload carries: all of an export,
        one of an event. ``None`` for an event without words (a tag, a status, typing). Ids of
        threads and messages are the platform's; a message that comes without one is named after
        its words, so that it has the same id in every delivery. Internal notes and drafts are
        kept with ``public=False``, status lines as messages of the system.

    Raises
    ------
    InvalidRecordError
        For an unknown platform, and naming the field that is missing, never its content.

    Notes
    -----
    Cost: linear in the payload, which is not changed.
    """
    row = _row(platform)
    found = (
        _by_template(payload, row, platform, template)
        if template is not None
        else _read(payload, row, platform)
    )
    if found is None:
        return None
    if found.problems:
        raise found.problems[0]
    return found.thread(platform)


def _row(platform: str) -> Platform:
    if platform not in PLATFORMS:
        raise InvalidRecordError(
            f"The platform must be one of {', '.join(HELPDESKS)}; got another.", field="platform"
        )
    return PLATFORMS[platform]


class _Conversation(NamedTuple):
    """What one payload, or several of one thread, say."""

    id: str
    subject: str | None
    channel: str | None
    messages: dict[str, Message]
    problems: list[InvalidRecordError]

    def thread(self, source: str) -> Thread | None:
        """Return the thread; ``None`` without messages."""
        turns = self.messages.values()
        if not turns:
            return None
        return Thread(
            id=self.id,
            messages=by_time(_without_repeated_opening(list(turns))),
            subject=self.subject or next(filter(None, (turn.subject for turn in turns)), None),
            channel=self.channel or next(filter(None, (turn.channel for turn in turns)), None),
            source=source,
        )


def _without_repeated_opening(turns: list[Message]) -> list[Message]:
    """Drop the ticket's description where the first comment says it again, or nothing at all."""
    others = {" ".join(turn.text.split()) for turn in turns if turn.id != "description"} | {""}
    kept = [
        turn for turn in turns
        if turn.id != "description" or " ".join(turn.text.split()) not in others
    ]  # fmt: skip
    return kept or turns


# -- paths --------------------------------------------------------------------------------------


class _Step(NamedTuple):
    name: str
    key: str
    value: str


class _Path(NamedTuple):
    from_payload: bool
    steps: tuple[_Step, ...]
    of_person: tuple[_Step, ...]


_STEP: Final = re.compile(r"([^.\[]+)(?:\[(\w+)=([^\]]*)\])?")


@lru_cache(maxsize=2048)
def _parsed(path: str) -> tuple[_Path, ...]:
    found = []
    for alternative in path.split("|"):
        main, _, of_person = alternative.partition(">")
        found.append(
            _Path(
                main.startswith("/"),
                tuple(_Step(*parts) for parts in _STEP.findall(main.lstrip("/"))),
                tuple(_Step(*parts) for parts in _STEP.findall(of_person)),
            )
        )
    return tuple(found)


def _walk(value: Any, steps: Iterable[_Step]) -> Any:
    for name, key, wanted in steps:
        if isinstance(value, dict):
            value = value.get(name, _MISSING)
        elif isinstance(value, list) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else _MISSING
        elif isinstance(value, list):
            value = [item[name] for item in value if isinstance(item, dict) and name in item]
            value = value or _MISSING
        else:
            return _MISSING
        if key and isinstance(value, list):
            kept = (item for item in value if isinstance(item, dict))
            value = [item for item in kept if _key(item.get(key)) == wanted.lower()]
    return value


def _key(value: Any) -> str:
    """Return a value as the rules write it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)[:80].strip().lower() if isinstance(value, str | int | float) else ""


class _Scope(NamedTuple):
    """Where paths are looked up."""

    payload: Any
    turn: Any
    place: str
    people: Mapping[str, Any]

    def find(self, path: str) -> Any:
        """Return the first alternative that says something, or else one that is there."""
        found: Any = _MISSING
        for from_payload, steps, of_person in _parsed(path):
            value = _walk(self.payload if from_payload else self.turn, steps)
            if of_person and value is not _MISSING:
                value = self._persons(value, of_person)
            if value not in _NOTHING:
                return value
            found = value if found is _MISSING else found
        return found

    def label(self, path: str) -> str | None:
        """Return what is there as a word; ``None`` without a path, or where nothing is."""
        value = self.find(path) if path else None
        return None if value is _MISSING else label(_first(value))

    def _persons(self, value: Any, steps: tuple[_Step, ...]) -> Any:
        if isinstance(value, list):
            known = (self._persons(item, steps) for item in value[:_MOST_PEOPLE])
            return [item for item in known if item not in _NOTHING]
        return _walk(self.people.get(label(value) or ""), steps)

    def decide(self, rules: Iterable[Rule]) -> str:
        """Return the word of the first rule that knows its value, or an empty one."""
        for path, words, _ in rules:
            value = self.find(path)
            if value is not _MISSING:
                key = _key(value)
                word = words.get(key, words.get(key[:2], words.get("*", "")))
                if word:
                    return word
        return ""

    def missing(self, path: str, platform: str) -> InvalidRecordError:
        """Return the error that names a place, by all of its alternatives."""
        places = [
            part[1:] if part.startswith("/") else f"{self.place}.{part}".strip(".")
            for part in path.split("|")
        ]
        return InvalidRecordError(
            f"A payload of {platform} needs {' or '.join(map(repr, places))}; it is missing. "
            "Send the whole record, or pass a template for a body of your own.",
            field=places[0],
        )


def _meets(payload: Any, condition: str) -> bool:
    path, compares, wanted = condition.partition("=")
    value = _Scope(payload, payload, "", {}).find(path.removesuffix("^"))
    if not compares:
        return value is not _MISSING and value is not None
    key = _key(value)
    return key.startswith(wanted) if path.endswith("^") else key == wanted


def _shape_of(payload: Any, row: Platform) -> Shape | None:
    return next(
        (shape for shape in row.shapes if all(_meets(payload, one) for one in shape.has)), None
    )


def _unknown(payload: Any, row: Platform, platform: str) -> InvalidRecordError:
    """Name what the nearest shape lacks."""
    if not isinstance(payload, dict | list):
        return InvalidRecordError(
            f"A payload of {platform} must be a JSON object; got {type(payload).__name__}.",
            field="payload",
        )
    nearest = max(row.shapes, key=lambda shape: sum(_meets(payload, one) for one in shape.has))
    lacking = next(one for one in nearest.has if not _meets(payload, one))
    path = re.split(r"\^?=", lacking)[0]
    return _Scope(payload, payload, "", {}).missing(path, platform)


# -- messages -----------------------------------------------------------------------------------


def _read(payload: Any, row: Platform, platform: str) -> _Conversation | None:
    shape = _shape_of(payload, row)
    if shape is None:
        if isinstance(payload, dict) and _is_template(payload):
            return _by_template(payload, row, platform, None)
        raise _unknown(payload, row, platform)
    if not shape.turns:
        return None
    payload = shape.prepare(payload) if shape.prepare else payload
    whole = _Scope(payload, payload, "", _people(payload, shape))
    if (identifier := whole.label(shape.thread)) is None:
        raise whole.missing(shape.thread, platform)
    channel = _channel(whole.label(shape.channel), row)
    found = _Conversation(identifier, whole.label(shape.subject), channel, {}, [])
    for turns in shape.turns:
        for scope in _scopes(whole, turns, found.problems, platform):
            try:
                message = _message(scope, turns, row, channel, platform)
            except InvalidRecordError as error:
                found.problems.append(error)
            else:
                found.messages[message.id] = message
    return found


def _names(payload: Mapping[Any, Any]) -> Iterator[str]:
    return (key for key in payload if isinstance(key, str))


def _people(payload: Any, shape: Shape) -> dict[str, Any]:
    people = _walk(payload, _parsed(shape.people)[0].steps) if shape.people else []
    people = people if isinstance(people, list) else []
    return {label(person["id"]) or "": person
            for person in people if isinstance(person, dict) and "id" in person}  # fmt: skip


def _scopes(
    whole: _Scope, turns: Turns, problems: list[InvalidRecordError], platform: str
) -> Iterator[_Scope]:
    """Yield where each message is, or note that their list is not there."""
    path = next(
        (one for one in turns.at.split("|") if whole.find(one) not in (_MISSING, None)), None
    )
    at = _MISSING if path is None else whole.find(path)
    if isinstance(at, dict):
        yield whole._replace(turn=at, place=path or "")
    elif isinstance(at, list):
        for number, turn in enumerate(at):
            place = f"{path}.{number}"
            if isinstance(turn, dict):
                yield whole._replace(turn=turn, place=place)
            else:
                problems.append(whole.missing(place, platform))
    elif not turns.optional:
        problems.append(whole.missing(turns.at, platform))


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _message(
    scope: _Scope, turns: Turns, row: Platform, channel: str | None, platform: str
) -> Message:
    words = _words(scope, turns)
    empty = words is None or words["text"] == ""
    role, confidence = _role(scope, turns, platform, empty=empty)
    if words is None and role != "system":
        raise scope.missing("|".join(filter(None, (turns.text, turns.html))), platform)
    record: dict[str, Any] = {
        name: value for name, path in turns.fields.items()
        if (value := scope.find(path)) is not _MISSING
    }  # fmt: skip
    if turns.visible:
        if not (seen := scope.decide(turns.visible)):
            raise scope.missing("|".join(rule.path for rule in turns.visible), platform)
        record["public"] = seen == "public"
    record |= words or {"text": ""}
    if turns.truncated and scope.decide([turns.truncated]):
        record["truncated"] = True
    record |= {"role": role, "role_confidence": confidence, "sender": _first(record.get("sender"))}
    record["channel"] = _channel(record.get("channel"), row) or channel
    record["id"] = turns.constant_id or scope.label(turns.id)
    return _built(record, scope.place, platform)


def _built(record: Mapping[str, Any], place: str, platform: str) -> Message:
    try:
        message, _ = to_message(record, _NOBODY)
    except BadRowError as error:
        where = f" at {place!r}" if place else ""
        raise InvalidRecordError(
            f"A payload of {platform}{where} gives no message: {error}.", field=place or "payload"
        ) from None
    if message.id:
        return message
    words = f"{message.role}\0{message.text}".encode("utf-8", "surrogatepass")
    return message.replace(id=f"words-{sha256(words)[:16]}")


def _words(scope: _Scope, turns: Turns) -> dict[str, Any] | None:
    """Return text and how to take it; ``None`` where there is no place for it."""
    there = False
    for path, marks in (
        (turns.text, {"markup": bool(turns.markup and scope.decide([turns.markup]))}),
        (turns.html, {"markup": True}),
        (turns.preview, {"truncated": True}),
    ):
        value = scope.find(path) if path else _MISSING
        if value not in _NOTHING:
            return {"text": value} | marks
        there = there or value is not _MISSING
    return {"text": ""} if there else None


def _role(scope: _Scope, turns: Turns, platform: str, *, empty: bool) -> tuple[str, float]:
    if word := scope.decide(rule for rule in turns.role if empty or not rule.if_empty):
        return word, 1.0
    if turns.same:
        author, requester = (_key(scope.find(path)) for path in turns.same)
        if author and requester and "null" not in (author, requester):
            same = author == requester
            return ("customer", 1.0) if same else ("agent", NOT_REQUESTER_CONFIDENCE)
    paths = [rule.path for rule in turns.role] + list(turns.same or ())
    raise scope.missing("|".join(dict.fromkeys(paths)), platform)


def _channel(value: Any, row: Platform) -> str | None:
    given = label(value)
    return row.channels.get(given.lower(), given.lower()) if given else None


# -- bodies of the admin's own making -----------------------------------------------------------

_NEEDED: Final = (
    ("thread",), ("text",), ("role", "by_customer", "by_agent"), ("public", "private"),
)  # fmt: skip


def _is_template(payload: Mapping[Any, Any]) -> bool:
    """Tell a body with flat keys that lacks at most one of what a message needs."""
    columns = columns_of(_names(payload)).keys()
    return sum(not columns.isdisjoint(fields) for fields in _NEEDED) >= len(_NEEDED) - 1


def _columns(
    scope: _Scope, template: Mapping[str, str] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields that are there, and the key or path of each."""
    if template is None:
        # A key called "id" in a template may well be the ticket's.
        names = columns_of(_names(scope.payload)).items()
        columns = {name: key for name, key in names if key != "id"}
        return {name: scope.payload[key] for name, key in columns.items()}, columns
    if unknown := [name for name in template if name not in FIELDS]:
        raise InvalidRecordError(
            f"A template maps fields out of {', '.join(FIELDS)}; got {len(unknown)} others.",
            field="template",
        )
    found = {name: scope.find(path) for name, path in template.items()}
    return {name: value for name, value in found.items() if value is not _MISSING}, dict(template)


def _by_template(
    payload: Any, row: Platform, platform: str, template: Mapping[str, str] | None
) -> _Conversation:
    scope = _Scope(payload, payload, "", {})
    record, columns = _columns(scope, template)
    for needed in _NEEDED:
        if all(record.get(name) in _NOTHING for name in needed):
            raise scope.missing("|".join(columns.get(name, name) for name in needed), platform)
    # Without a clear word it might be an internal note.
    if all(flag(record.get(name)) is None for name in ("public", "private")):
        raise scope.missing(columns.get("public") or columns["private"], platform)
    record["channel"] = _channel(record.get("channel"), row)
    message = _built(record, "", platform)
    thread = label(record["thread"])
    if thread is None:
        raise scope.missing(columns["thread"], platform)
    known = (message.subject, message.channel, {message.id: message})
    return _Conversation(thread, *known, [])


# -- exports ------------------------------------------------------------------------------------


def helpdesk_reader(platform: str) -> Callable[[Path, Rejects, OwnAddresses], Iterator[Thread]]:
    """Return the reader of a platform's exports: JSON Lines, an array, or its envelope.

    Deliveries of one thread are put together; the last delivery of a message counts. Memory
    holds all messages.
    """

    def read(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:  # noqa: ARG001
        items = json_items(path, rejects, unwrap=False)
        return _threads(items, rejects, platform)

    return read


def _threads(
    items: Iterable[tuple[Any, bytes, str]], rejects: Rejects, platform: str
) -> Iterator[Thread]:
    row = _row(platform)
    threads: dict[str, _Conversation] = {}
    index = 0
    for item, raw, problem in items:
        if problem:
            rejects.report(index, problem, raw)
            index += 1
            continue
        for payload in _payloads(item, row):
            try:
                found = _read(payload, row, platform)
            except InvalidRecordError as error:
                rejects.report(index, _reason(error), raw)
                found = None
            for offset, bad in enumerate(found.problems if found else ()):
                rejects.report(index + offset, _reason(bad), raw)
            index += max(len(found.messages) + len(found.problems), 1) if found else 1
            if found:
                _merge(threads, found)
    made = (found.thread(rejects.source) for found in threads.values())
    yield from (thread for thread in made if thread)


def _reason(error: InvalidRecordError) -> str:
    """Say why without list positions, so that equal reasons are counted together."""
    return re.sub(r"\.\d+", "", str(error).partition(". ")[0])


def _merge(threads: dict[str, _Conversation], found: _Conversation) -> None:
    known = threads.setdefault(found.id, found)
    if known is not found:
        known.messages.update(found.messages)
        threads[found.id] = known._replace(
            subject=known.subject or found.subject, channel=known.channel or found.channel
        )


def _payloads(item: Any, row: Platform) -> Iterator[Any]:
    """Unwrap an export's envelope; people listed beside the payloads go with each."""
    if isinstance(item, dict) and _shape_of(item, row) is None:
        for path in row.envelopes:
            inner = _walk(item, _parsed(path)[0].steps)
            if isinstance(inner, list):
                beside = {"users": item["users"]} if "users" in item else {}
                yield from (beside | one if isinstance(one, dict) else one for one in inner)
                return
    yield item


def helpdesk_of(item: object) -> str | None:
    """Return the platform that an item of an export unmistakably comes from, or ``None``."""
    for platform, row in PLATFORMS.items():
        payload = next(_payloads(item, row), None)
        shape = _shape_of(payload, row)
        telling = shape.telling if shape else None
        if telling is not None and all(_meets(payload, one) for one in telling):
            return platform
    return None

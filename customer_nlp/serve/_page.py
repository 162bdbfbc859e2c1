"""What the page for agents shows: records turned into what the templates lay out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final
from urllib.parse import quote

from customer_nlp.codebook import ACTIONS, CORE_SIGNALS
from customer_nlp.errors import MissingExtraError
from customer_nlp.records import Message
from customer_nlp.serve._store import KeptThread

try:
    import jinja2
except ImportError as error:
    raise MissingExtraError("jinja2", "serve") from error

__all__ = ["render", "segments", "thread_path"]

_WIDTH, _HEIGHT, _MARGIN = 600, 120, 12
_LEAST_SHOWN_GRADE: Final = 1
_MOST_QUEUE_REASONS: Final = 2
#: Further actions are folded away.
_MOST_ACTIONS: Final = 3
_HOURS_IN_DAYS: Final = 48

_ENVIRONMENT: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("customer_nlp.serve"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_ENVIRONMENT.filters["plain"] = lambda name: str(name).replace("_", " ")


def _hours(hours: float) -> str:
    return f"{hours:.0f} h" if hours < _HOURS_IN_DAYS else f"{hours / 24:.0f} days"


_ENVIRONMENT.filters["hours"] = _hours


def thread_path(identifier: str) -> str:
    """Return where a thread is shown."""
    return f"/threads/{quote(identifier, safe='')}"


def render(template: str, **shown: Any) -> str:
    """Return a page; whatever comes from outside is escaped.

    Parameters
    ----------
    template : {'login', 'queue', 'thread', 'missing'}
        Which one.
    **shown
        ``queue`` takes ``threads`` (of `KeptThread`), ``thread`` takes ``kept, feedback, writes``.
    """
    if template == "queue":
        shown["threads"] = [_row(kept) for kept in shown["threads"]]
    elif template == "thread":
        shown |= _thread(shown["kept"])
    return _ENVIRONMENT.get_template(f"{template}.html").render(shown)


def _row(kept: KeptThread) -> dict[str, Any]:
    record = kept.analysis
    advice = record["recommendation"]
    first = next((one for one in advice["actions"] if one["action"] == advice["primary"]), None)
    latest = next((one for one in reversed(record["messages"]) if one["signals"]), None)
    return {
        "path": thread_path(kept.id), "id": kept.id, "subject": kept.thread.subject,
        "advice": advice, "because": (first or {"because": []})["because"][:_MOST_QUEUE_REASONS],
        "moods": _moods(latest), "state": record["state"],
        "broken": sum(one["state"] == "broken" for one in record["commitments"]),
    }  # fmt: skip


def _moods(message: Mapping[str, Any] | None) -> list[tuple[str, int]]:
    if message is None:
        return []
    grades = ((name, signal["grade"]) for name, signal in message["signals"].items())
    return [(name, grade) for name, grade in grades if grade >= _LEAST_SHOWN_GRADE]


def _thread(kept: KeptThread) -> dict[str, Any]:
    record = kept.analysis
    advice = record["recommendation"]
    said = {one["id"]: one for one in record["messages"]}
    spans = _spans(record)
    return {
        "record": record, "advice": advice, "names": ACTIONS, "shown": _MOST_ACTIONS,
        "actions": sorted(advice["actions"], key=lambda one: one["action"] != advice["primary"]),
        "path": thread_path(kept.id), "core": CORE_SIGNALS,
        "messages": [
            {
                "message": message,
                "parts": segments(message.text, [*_zone_spans(message),
                                                 *spans.get(message.id, ())]),
                "moods": _moods(said.get(message.id)),
                "cues": sorted(said.get(message.id, {}).get("cues", ())),
                "findings": said.get(message.id, {}).get("findings", {}),
                "turning": message.id == record["state"]["turning_point"],
            }
            for message in kept.thread.messages
        ],
        "trajectory": _trajectory(record["messages"]),
    }  # fmt: skip


_Span = tuple[int, int, str]


def _spans(record: Mapping[str, Any]) -> dict[str, list[_Span]]:
    """Return what to mark, by message: signals, findings, promises, and words behind actions."""
    found: dict[str, list[_Span]] = {one["id"]: [] for one in record["messages"]}
    for one in record["messages"]:
        for name, signal in one["signals"].items():
            if signal["grade"]:
                found[one["id"]] += _places(signal["evidence"], name)
        found[one["id"]] += _places(one["findings"].values(), "finding")
    for promise in record["commitments"]:
        found.setdefault(promise["message_id"], []).extend(_places([promise], "promise"))
    for action in record["recommendation"]["actions"]:
        for evidence in action["evidence"]:
            found.setdefault(evidence["message_id"], []).extend(_places([evidence], "reason"))
    return found


def _places(ranges: Iterable[Mapping[str, Any]], name: str) -> Iterator[_Span]:
    return ((one["start"], one["end"], name) for one in ranges)


def _zone_spans(message: Message) -> Iterator[_Span]:
    return ((zone.start, zone.end, "old") for zone in message.zones if zone.kind != "new")


def segments(text: str, spans: Sequence[_Span]) -> list[tuple[str, tuple[str, ...]]]:
    """Cut a text where marks begin and end.

    Parameters
    ----------
    text : str
        Of a message.
    spans : sequence of (start, end, name)
        Ranges in its code points; they may overlap, and what lies outside the text is left out.

    Returns
    -------
    list of (str, tuple of str)
        Pieces that make up the text, each with the names that lie over it. Cost: n log n in the
        spans, linear in the text.
    """
    edges: dict[int, list[tuple[int, str]]] = {0: [], len(text): []}
    for start, end, name in spans:
        if 0 <= start < end <= len(text):
            edges.setdefault(start, []).append((1, name))
            edges.setdefault(end, []).append((-1, name))
    parts, over = [], dict.fromkeys((name for _, _, name in spans), 0)
    places = sorted(edges)
    for at, until in pairwise(places):
        for step, name in edges[at]:
            over[name] += step
        parts.append((text[at:until], tuple(name for name, count in over.items() if count)))
    return parts


def _trajectory(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return lines over the customer's messages, for drawing and as a table."""
    said = [one for one in messages if one["signals"]]
    if len(said) < 2:
        return None
    step = (_WIDTH - 2 * _MARGIN) / (len(said) - 1)
    lines = {
        name: [
            (round(_MARGIN + step * at, 1),
             round(_HEIGHT - _MARGIN
                   - (_HEIGHT - 2 * _MARGIN) * one["signals"][name]["probability"], 1))
            for at, one in enumerate(said)
        ]
        for name in CORE_SIGNALS
    }  # fmt: skip
    table = [
        (one["sent_at"], [one["signals"][name]["probability"] for name in CORE_SIGNALS])
        for one in said
    ]
    return {"width": _WIDTH, "height": _HEIGHT, "margin": _MARGIN, "lines": lines, "table": table}

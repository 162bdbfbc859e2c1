"""Records as HTML: for notebooks (``_repr_html_``) and for the report. Everything is escaped.

Takes plain records, as ``to_dict`` gives them, so that it stands below the classes that show
themselves with it. Styles are inline and half transparent, and text keeps the page's own colour:
legible on a light and on a dark page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

__all__ = ["analysis_html", "escape", "marked", "review_html", "table_html", "thread_html"]

#: Shown of one message, of one thread and of one table; the rest is counted.
MAX_CHARS: Final = 4000
MAX_MESSAGES: Final = 50
MAX_ROWS: Final = 20

Span = tuple[int, int, str]

# Okabe and Ito's colours, which people with any colour vision tell apart.
_MARKS: Final[Mapping[str, str]] = {
    "confusion": "rgba(240,228,66,.45)",
    "frustration": "rgba(213,94,0,.38)",
    "churn_risk": "rgba(204,121,167,.5)",
}
_OTHER_MARK: Final = "rgba(86,180,233,.35)"
_FADED: Final = "opacity:.55"
_BOX: Final = "border-left:3px solid rgba(128,128,128,.5);margin:.4em 0;padding:.1em .7em"
_CELL: Final = "text-align:right;padding:.1em .5em"
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def escape(value: object) -> str:
    """Return a value as text that is safe in HTML, in content and in a quoted attribute.

    Control characters and halves of surrogate pairs, which no page may hold, become U+FFFD.
    """
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(value)))


def marked(text: str, spans: Iterable[Span], *, faded: Iterable[tuple[int, int]] = ()) -> str:
    """Return escaped text with ``<mark>`` around ranges.

    Parameters
    ----------
    text : str
        Whole.
    spans : iterable of (start, end, name)
        Half-open, in code points; may overlap and reach beyond the text. The names are the
        mark's title.
    faded : iterable of (start, end)
        What is not the writer's own new words.

    Returns
    -------
    str
        Of at most `MAX_CHARS` characters of the text. Cost: linear in the text, and in the ranges
        times how many overlap.
    """
    shown = text[:MAX_CHARS]
    styled = [(*one, _style(one[2])) for one in spans] + [(*one, "", _FADED) for one in faded]
    clipped = sorted((max(0, a), min(b, len(shown)), name, style) for a, b, name, style in styled)
    cuts = sorted({0, len(shown), *(at for a, b, *_ in clipped if a < b for at in (a, b))})
    parts, live, waiting = [], list[tuple[int, int, str, str]](), iter(clipped)
    following = next(waiting, None)
    for start, end in pairwise(cuts):
        while following is not None and following[0] <= start:
            live.append(following)
            following = next(waiting, None)
        live = [one for one in live if one[1] > start]
        parts.append(_segment(shown[start:end], live))
    rest = len(text) - len(shown)
    return "".join(parts) + (f"<i style='{_FADED}'> … {rest:,} more characters</i>" if rest else "")


def _segment(text: str, live: Sequence[tuple[int, int, str, str]]) -> str:
    names = list(dict.fromkeys(name for _, _, name, _ in live if name))
    content = escape(text)
    if names:
        style = next(style for _, _, name, style in live if name)
        return f'<mark title="{escape(", ".join(names))}" style="{style}">{content}</mark>'
    return f'<span style="{_FADED}">{content}</span>' if live else content


def _style(name: str) -> str:
    return f"background:{_MARKS.get(name, _OTHER_MARK)};color:inherit"


def thread_html(record: Mapping[str, Any]) -> str:
    """Show a thread (`Thread.to_dict`): its turns, with what is not newly written faded."""
    messages = record["messages"]
    head = f"<b>{escape(record['subject'] or record['id'])}</b> · {len(messages)} messages"
    parts = [head + (f" · {escape(record['channel'])}" if record["channel"] else "")]
    for message in messages[:MAX_MESSAGES]:
        old = [(z["start"], z["end"]) for z in message["zones"] if z["kind"] != "new"]
        notes = [name for name in ("automatic", "truncated") if message[name]]
        notes += [] if message["public"] else ["internal note"]
        parts.append(
            f"{_head(message, notes)}"
            f'<div style="white-space:pre-wrap;{_BOX}">'
            f"<bdi>{marked(message['text'], (), faded=old)}</bdi></div>"
        )
    return _whole(parts, len(messages) - MAX_MESSAGES, "messages")


def analysis_html(record: Mapping[str, Any]) -> str:
    """Show an analysis (`Analysis.to_dict`): what to do and why, then message by message."""
    advice = record["recommendation"]
    if advice["abstained"]:
        parts = [f"<b>no recommendation</b>: {_words(advice['abstained'])}"]
    else:
        parts = [
            f"<b>{_words(advice['primary'])}</b> · channel {_words(advice['channel'])} · "
            f"timing {_words(advice['timing'])}",
            "<ul>" + "".join(_action(one) for one in advice["actions"]) + "</ul>",
        ]
    if advice["avoid"]:
        parts.append("avoid: " + ", ".join(map(_words, advice["avoid"])))
    messages = record["messages"]
    parts += [_message(message) for message in messages[:MAX_MESSAGES]]
    for one in record["commitments"][:MAX_MESSAGES]:
        due = f", due {_when(one['due'])}" if one["due"] else ""
        parts.append(
            f"promise by the {_words(one['by'])}{due}, <b>{_words(one['state'])}</b>: "
            f"{_quote(one['text'], one['state'])}"
        )
    for one in record["conflicts"][:MAX_MESSAGES]:
        pair = " and ".join(_quote(one[side]["text"], "conflict") for side in ("first", "second"))
        parts.append(f"<b>does not fit</b>: {pair}")
    for one in record["unanswered"][:MAX_MESSAGES]:
        parts.append(f"<b>passed over</b>: {_quote(one['question']['text'], 'unanswered')}")
    return _whole(parts, len(messages) - MAX_MESSAGES, "messages")


def _action(one: Mapping[str, Any]) -> str:
    quotes = " ".join(_quote(each["text"], one["action"]) for each in one["evidence"])
    because = escape("; ".join(one["because"]))
    return (
        f"<li><b>{_words(one['action'])}</b> {one['probability']:.2f}: {because}<br>{quotes}</li>"
    )


def _message(message: Mapping[str, Any]) -> str:
    lines = [
        f"{_words(name)} {signal['grade']} (p {signal['probability']:.2f}) "
        + " ".join(_quote(each["text"], name) for each in signal["evidence"])
        for name, signal in message["signals"].items()
        if signal["grade"]
    ]
    cues = ", ".join(f"{_words(name)} {p:.2f}" for name, p in message["cues"].items())
    lines += [cues] if cues else []
    lines += [_finding(one) for one in message["findings"].values()]
    body = f'<div style="{_BOX}">{"<br>".join(lines)}</div>' if lines else ""
    return _head(message, ["automatic"] if message["automatic"] else []) + body


def review_html(record: Mapping[str, Any], draft: str) -> str:
    """Show a review (`Review.to_dict`) on the draft that it judges."""
    findings = record["findings"]
    spans = [(one["start"], one["end"], one["name"]) for one in findings]
    parts = [f"<b>{len(findings)} findings</b>" if findings else "<b>clean</b>"]
    if draft:
        parts.append(
            f'<div style="white-space:pre-wrap;{_BOX}"><bdi>{marked(draft, spans)}</bdi></div>'
        )
    return _whole(parts + [_finding(one) for one in findings])


def _finding(one: Mapping[str, Any]) -> str:
    cited = " ".join(_quote(each["text"], one["name"]) for each in one["cites"])
    better = f" <i>Better: {escape(one['better'])}.</i>" if one["better"] else ""
    return f"<b>{_words(one['name'])}</b>: {escape(one['because'])}.{better} {cited}"


def table_html(
    names: Sequence[str], rows: Sequence[Sequence[float]], grades: Sequence[Sequence[int]], n: int
) -> str:
    """Show probabilities as a shaded table, with the grades of the first columns.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    rows, grades : sequence of sequence
        Of the first messages: a probability a column; a grade for each of the first columns.
    n : int
        Messages in all.
    """
    head = "".join(f'<th style="{_CELL}">{_words(name)}</th>' for name in names)
    lines = [f'<tr><th style="{_CELL}"></th>{head}</tr>']
    for index, (row, graded) in enumerate(zip(rows, grades, strict=True)):
        cells = "".join(
            f'<td style="{_CELL};background:rgba(230,159,0,{0.8 * p:.2f})">{p:.2f}'
            + (f" <b>{graded[column]}</b>" if column < len(graded) else "")
            + "</td>"
            for column, p in enumerate(row)
        )
        lines.append(f'<tr><th style="{_CELL}">{index}</th>{cells}</tr>')
    note = "probability, and in bold the grade 0-3 of the core signals"
    table = f'<table style="border-collapse:collapse">{"".join(lines)}</table>'
    return _whole([f"{n:,} messages: {note}", table], n - len(rows), "messages")


def _whole(parts: Iterable[str], left: int = 0, of: str = "") -> str:
    more = f"<div>… and {left:,} more {of}</div>" if left > 0 else ""
    body = "".join(f"<div>{part}</div>" for part in parts)
    return f'<div style="overflow-x:auto;line-height:1.5">{body}{more}</div>'


def _head(message: Mapping[str, Any], notes: Iterable[str]) -> str:
    when = [_when(message["sent_at"])] if message["sent_at"] else []
    return f"<b>{_words(message['role'])}</b> " + " · ".join([*when, *notes])


def _quote(text: str, name: str) -> str:
    return f"<q><bdi>{marked(text, [(0, len(text), name)])}</bdi></q>"


def _words(name: str) -> str:
    return escape(name.replace("_", " "))


def _when(moment: str) -> str:
    return escape(moment[:16].replace("T", " "))

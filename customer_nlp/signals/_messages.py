"""Messages to scores: which words count, and when none do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from customer_nlp.records import Evidence, Message
from customer_nlp.text import language

if TYPE_CHECKING:
    from customer_nlp.signals import Scores, SignalModel

__all__ = ["SUPPORTED_LANGUAGES", "ScoredMessage", "score_messages"]

SUPPORTED_LANGUAGES: Final = ("en",)
#: A guess of the language is acted on from this score.
_LANGUAGE_SURE: Final = 0.6
#: Below this share of known words a text is far from anything that the model has seen.
_KNOWN_ENOUGH: Final = 0.35


@dataclass(frozen=True, slots=True, repr=False)
class ScoredMessage:
    """One message with what the model says of it.

    Parameters
    ----------
    message : Message
        As it came.
    text : str
        The words that were scored.
    offsets : tuple of (int, int)
        Piece by piece: where it starts in `text`, and where in the message.
    scores : Scores or None
        ``None`` where nothing is said.
    grades : tuple of int
        Grades of the core signals.
    language : str or None
        ISO 639-1 code, where it is sure.
    abstained : str or None
        Why nothing is said.
    """

    message: Message
    text: str
    offsets: tuple[tuple[int, int], ...]
    scores: Scores | None
    grades: tuple[int, int, int]
    language: str | None
    abstained: str | None

    def relocated(self, spans: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """Turn ranges of `text` into ranges of the message's text."""
        return tuple(spans) if self.offsets == _WHOLE else _relocate(spans, self.offsets)


_WHOLE: Final = ((0, 0),)


def score_messages(model: SignalModel, messages: Sequence[Message]) -> list[ScoredMessage]:
    """Score messages in one pass; results do not depend on what else is in the batch."""
    texts = [_scored_text(message) for message in messages]
    scores = model.score([text for text, _ in texts])
    grades = model.grades(scores).tolist()
    return [
        _scored(message, text, offsets, scores.row(i), grades[i])
        for i, (message, (text, offsets)) in enumerate(zip(messages, texts, strict=True))
    ]


def _scored(
    message: Message,
    text: str,
    offsets: tuple[tuple[int, int], ...],
    scores: Scores,
    grades: Sequence[int],
) -> ScoredMessage:
    code, sureness = language(text)
    sure = code if sureness >= _LANGUAGE_SURE else None
    reason = _abstention(message, text, sure, float(scores.known[0]))
    if reason is not None:
        return ScoredMessage(message, text, offsets, None, (0, 0, 0), sure, reason)
    kept = (int(grades[0]), int(grades[1]), int(grades[2]))
    return ScoredMessage(message, text, offsets, scores, kept, sure, None)


def _abstention(message: Message, text: str, code: str | None, known: float) -> str | None:
    if message.automatic or message.role == "system" or not message.public:
        return "automatic"
    if not any(c.isalpha() for c in text):
        return "too_short"
    if code is not None and code not in SUPPORTED_LANGUAGES:
        return "language"
    return "out_of_domain" if known < _KNOWN_ENOUGH else None


def _scored_text(message: Message) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the words to score and, piece by piece, where they stand in the message.

    New text is scored; a mail that holds nothing else than a forward is scored by that.
    """
    zones = list(message.zones)
    if not zones or (len(zones) == 1 and zones[0].kind == "new"):
        return message.text, _WHOLE
    for kinds in (("new",), ("forward",)):
        pieces = [(zone.start, zone.end) for zone in zones if zone.kind in kinds]
        text = "".join(message.text[start:end] for start, end in pieces)
        if text.strip():
            position, offsets = 0, []
            for start, end in pieces:
                offsets.append((position, start))
                position += end - start
            return text, tuple(offsets)
    return "", _WHOLE


def _relocate(
    spans: Sequence[Evidence], offsets: Sequence[tuple[int, int]]
) -> tuple[Evidence, ...]:
    """Move ranges of the scored text to ranges of the message; one over a seam is cut there."""
    moved = []
    for span in spans:
        piece = max(i for i, (position, _) in enumerate(offsets) if position <= span.start)
        position, start = offsets[piece]
        limit = offsets[piece + 1][0] if piece + 1 < len(offsets) else span.end
        end = min(span.end, limit)
        text = span.text[: end - span.start]
        first = start + span.start - position
        moved.append(Evidence(first, first + len(text), text, span.message_id))
    return tuple(moved)

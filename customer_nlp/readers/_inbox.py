"""A mailbox to threads, in two passes: headers first, then bodies thread by thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial

from customer_nlp.readers._boxes import Box
from customer_nlp.readers._mail import Envelope, NotMailError, build_message, read_envelope
from customer_nlp.readers._rejects import DUPLICATE, Rejects, sha256
from customer_nlp.readers._roles import OwnAddresses, Sides, sides_of
from customer_nlp.readers._spill import Index, Spill, SpillList
from customer_nlp.readers._threading import (
    by_headers,
    by_subject,
    in_order,
    is_lost,
    pack,
    plain_subject,
    tie_bounces,
    unpack,
)
from customer_nlp.records import Message, Thread

__all__ = ["mail_threads"]


def mail_threads(box: Box, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    """Yield the threads of a mailbox, by first mail; closes it at the end."""
    with closing(box):
        spill = Spill()
        conversations = by_headers(_envelopes(box, rejects, spill), spill)
        sides = sides_of(conversations, own)
        read = 0
        for conversation in by_subject(conversations, sides.is_ours, sides.author, spill):
            identifier, mails = in_order(conversation)
            messages = _messages(box, mails, sides.of_conversation(mails), rejects)
            read += len(mails)
            rejects.fraction = read / len(conversations.envelopes)
            if messages:
                yield Thread(
                    id=identifier,
                    messages=messages,
                    subject=next((mail.subject for mail in mails if mail.subject), None),
                    channel="email",
                    source=rejects.source,
                )


def _envelopes(box: Box, rejects: Rejects, spill: Spill) -> SpillList[Envelope]:
    envelopes = SpillList(spill, pack, unpack)
    known = _Ids(box, envelopes, spill)
    lost = []
    for index in range(len(box)):
        try:
            raw = box.raw(index)
        except OSError as error:
            rejects.report(index, f"cannot be opened: {error.strerror}", b"")
            continue
        try:
            envelope = read_envelope(raw, index, partial(box.separator, index))
        except NotMailError as error:
            rejects.report(index, str(error), raw)
            continue
        unique = known.unique(envelope, raw)
        if unique is None:
            rejects.report(index, DUPLICATE, raw)
        else:
            if is_lost(unique):
                lost.append(len(envelopes))
            envelopes.append(unique)
    tie_bounces(envelopes, lost)
    return envelopes


class _Ids:
    """Keeps ids apart. Hashes are made only for ids that occur again."""

    def __init__(self, box: Box, envelopes: SpillList[Envelope], spill: Spill) -> None:
        self._box = box
        self._envelopes = envelopes
        self._first = Index(spill)  # id -> place of the envelope that has it
        self._hashes: dict[str, set[str]] = {}
        self._numbers: dict[str, int] = {}

    def unique(self, envelope: Envelope, raw: bytes) -> Envelope | None:
        """Return the envelope under an id of its own; ``None`` for an exact copy."""
        here = len(self._envelopes)
        at = self._first.setdefault(envelope.id, here)
        if at == here:
            return envelope
        first = self._envelopes[at]
        seen = self._hashes.get(envelope.id)
        if seen is None:
            try:
                seen = {sha256(self._box.raw(first.place))}
            except OSError:  # gone since; it is reported when its body is read
                seen = set()
            self._hashes[envelope.id] = seen
        digest = sha256(raw)
        if digest in seen:
            return None
        seen.add(digest)
        # The counter is kept, so that taken names are stepped over once and not at each copy.
        number = self._numbers.get(envelope.id, 1) + 1
        while (name := f"{envelope.id}#{number}") in self._first:
            number += 1
        self._numbers[envelope.id] = number
        renamed = envelope._replace(id=name, conversation=_shared(envelope, first))
        self._first[name] = here
        return renamed


def _shared(envelope: Envelope, first: Envelope) -> str:
    """Keep two forms of one mail together (a list's and the sender's), by their subject."""
    if envelope.conversation or plain_subject(envelope.subject) != plain_subject(first.subject):
        return envelope.conversation
    return f"id:{first.id}"


def _messages(
    box: Box, mails: list[Envelope], sides: Sides, rejects: Rejects
) -> tuple[Message, ...]:
    messages = []
    for mail in mails:
        try:
            raw = box.raw(mail.place)
        except OSError as error:
            rejects.report(mail.place, f"cannot be opened: {error.strerror}", b"")
            continue
        role, confidence = sides.role(mail)
        messages.append(
            build_message(
                mail._replace(sender=sides.author(mail)),
                raw,
                id=mail.id,
                role=role,
                confidence=confidence,
                automatic=sides.automatic(mail),
            )
        )
    return tuple(messages)

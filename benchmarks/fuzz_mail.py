"""Fuzzing of mail parsing, zones and masking with atheris.

``python benchmarks/fuzz_mail.py CORPUS_FOLDER -max_total_time=1800``; arguments are libFuzzer's.
Start from the mails of ``tests/messages``. A crash is any error that is not one of ours, zones that
do not tile, or a mask of another length.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["customer_nlp"]):
    from customer_nlp import redact, text
    from customer_nlp.readers._inbox import mail_threads
    from customer_nlp.readers._rejects import Rejects
    from customer_nlp.readers._roles import OwnAddresses

MOST_BYTES = 65536
SEPARATOR = b"\nFrom "


class Memory:
    """A mailbox without files: opening some would take most of the time."""

    def __init__(self, mails: list[bytes]) -> None:
        self._mails = mails

    def __len__(self) -> int:
        return len(self._mails)

    def raw(self, index: int) -> bytes:
        """Return one mail."""
        return self._mails[index]

    def separator(self, index: int) -> str:
        """Return the line above one mail."""
        return f"From a@kunde.example Mon Mar  2 09:14:{index % 60:02} 2026"

    def close(self) -> None:
        """Do nothing."""


def one_input(data: bytes) -> None:
    """Read the bytes as mails, cut them into zones, mask them."""
    # the header lets the fuzzer get past what no mail can start with
    mails = [b"From: a@kunde.example\n" + mail for mail in data.split(SEPARATOR)]
    read = 0
    for thread in mail_threads(Memory(mails), Rejects("fuzz", "skip"), OwnAddresses(())):
        read += len(thread)
        masked = redact.redact(thread)
        for message, other in zip(thread.messages, masked.messages, strict=True):
            assert len(message.text) == len(other.text)
    assert read <= len(mails)
    words = data.decode("utf-8", "replace")
    zones = text.segment(words)
    assert "".join(words[zone.start : zone.end] for zone in zones) == words
    text.html_to_text(words)
    assert sum(end - start for start, end in text.sentences(words)) <= len(words)


def main() -> None:
    """Fuzz until told to stop."""
    atheris.Setup([*sys.argv, f"-max_len={MOST_BYTES}", "-timeout=20"], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

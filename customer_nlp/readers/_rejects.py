"""Records that cannot be read: raised, passed over or handed to the caller."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

from customer_nlp.errors import InvalidRecordError, ParseError

__all__ = ["OnError", "Rejects", "sha256"]

OnError = Literal["raise", "skip"] | Callable[[ParseError], object]

DUPLICATE = "duplicate of an earlier message"


def sha256(raw: bytes) -> str:
    """Return the hash under which a record is reported."""
    return hashlib.sha256(raw).hexdigest()


class Rejects:
    """Where the readers report a bad record.

    Parameters
    ----------
    source : str
        Name of the file or folder.
    on_error : {'raise', 'skip'} or callable
        What to do; a callable takes the `ParseError`.
    keep_raw : bool, default=False
        Put the raw record into the error.

    Attributes
    ----------
    fraction : float
        How much of the source has been handed out, between 0 and 1; the readers keep it.

    Raises
    ------
    InvalidRecordError
        For anything else.
    """

    def __init__(self, source: str, on_error: OnError, *, keep_raw: bool = False) -> None:
        if on_error not in ("raise", "skip") and not callable(on_error):
            raise InvalidRecordError(
                "The on_error must be 'raise', 'skip' or a callable that takes a ParseError; "
                f"got another {type(on_error).__name__}.",
                field="on_error",
            )
        self.source = source
        self.fraction = 0.0
        self._on_error = on_error
        self._keep_raw = keep_raw

    def report(self, index: int, reason: str, raw: bytes) -> None:
        """Report one record; raises `ParseError` when the caller wants that."""
        if self._on_error == "skip":
            return
        kept = raw if self._keep_raw else None
        error = ParseError(self.source, index, reason, sha256=sha256(raw), raw=kept)
        if callable(self._on_error):
            self._on_error(error)
            return
        raise error

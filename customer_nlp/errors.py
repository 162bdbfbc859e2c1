"""The one exception tree of the library.

Errors say what was expected, what came and the way out. They carry fields, never
message text or addresses.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "CustomerNlpError",
    "InvalidRecordError",
    "MissingExtraError",
    "ModelFormatError",
    "ParseError",
    "ReplayError",
    "SignatureError",
    "SourceError",
    "TooLittleDataError",
    "UntrustedModelError",
]


class CustomerNlpError(Exception):
    """Root of every error that the library raises on purpose."""


class InvalidRecordError(CustomerNlpError, ValueError):
    """A record or a parameter breaks an invariant.

    Parameters
    ----------
    message : str
        What was expected, what came, and the way out.
    field : str, optional
        Name of the offending field.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class SourceError(CustomerNlpError, OSError):
    """A source as a whole cannot be read: missing, empty, of an unknown kind.

    Parameters
    ----------
    message : str
        What was expected, what came, and the way out.
    source : str, optional
        Name of the file or folder.
    """

    def __init__(self, message: str, *, source: str | None = None) -> None:
        super().__init__(message)
        self.source = source


class TooLittleDataError(CustomerNlpError, ValueError):
    """There are too few labels for what was asked; a number from them would mislead."""


class ParseError(CustomerNlpError, ValueError):
    """One record of a source cannot be read; the others can.

    Parameters
    ----------
    source : str
        Name of the file or folder.
    index : int
        Zero-based position of the record in the source.
    reason : str
        Why, without any text of the record.
    sha256 : str, optional
        Hash of the raw bytes, so that the record can be found again.
    raw : bytes, optional
        The record itself, only where the caller of `read` asked for it; in no message or ``repr``.
    """

    def __init__(
        self,
        source: str,
        index: int,
        reason: str,
        *,
        sha256: str | None = None,
        raw: bytes | None = None,
    ) -> None:
        super().__init__(f"{source}: record {index}: {reason}")
        self.source = source
        self.index = index
        self.reason = reason
        self.sha256 = sha256
        self.raw = raw

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from fields, so that the error can cross a process border."""
        return (_parse_error, (self.source, self.index, self.reason, self.sha256, self.raw))


def _parse_error(
    source: str, index: int, reason: str, sha256: str | None, raw: bytes | None
) -> ParseError:
    return ParseError(source, index, reason, sha256=sha256, raw=raw)


class SignatureError(CustomerNlpError):
    """A delivery is not shown to come from its platform: answer 401 and do nothing.

    Parameters
    ----------
    message : str
        What was expected, what came, and the way out.
    header : str, optional
        Name of the header that is missing or wrong.
    """

    status: Final = 401

    def __init__(self, message: str, *, header: str | None = None) -> None:
        super().__init__(message)
        self.header = header


class ReplayError(CustomerNlpError):
    """A genuine delivery comes too late, or again: answer 409 and do nothing.

    Parameters
    ----------
    message : str
        What was expected, what came, and the way out.
    again : bool, default=False
        Whether it was taken in before, so that a platform that delivers once more may be told
        that all is well.
    """

    status: Final = 409

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


class ModelFormatError(CustomerNlpError, ValueError):
    """A model folder is incomplete, of an unknown format or inconsistent."""


class UntrustedModelError(ModelFormatError):
    """A model folder fails verification: wrong hash, a pickle, a path that leaves it."""


class MissingExtraError(CustomerNlpError, ImportError):
    """An optional part is not installed.

    Parameters
    ----------
    library : str
        Name of the library that is missing.
    extra : str
        Name of the extra that brings it.
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"This needs {library}, which is not installed. "
            f"Install it with: pip install 'customer_nlp[{extra}]'"
        )
        self.library = library
        self.extra = extra

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from fields, so that the error can cross a process border."""
        return (type(self), (self.library, self.extra))

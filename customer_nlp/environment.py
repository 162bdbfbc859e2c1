"""Secrets from the environment: in a variable, or in a file that a variable names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from customer_nlp.errors import InvalidRecordError, SourceError

__all__ = ["named_secrets"]


def named_secrets(name: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a variable, or the file that ``<name>_FILE`` names, holds, a secret a line.

    Parameters
    ----------
    name : str
        Of the variable.
    environment : mapping of str to str
        Such as ``os.environ``.

    Returns
    -------
    tuple of str
        Empty where neither is set. Blanks around a secret are no part of it.

    Raises
    ------
    InvalidRecordError
        For an empty secret, or one that is given both ways.
    SourceError
        When the file cannot be read.
    """
    file = environment.get(f"{name}_FILE")
    if name not in environment and file is None:
        return ()
    if name in environment and file is not None:
        raise InvalidRecordError(f"Set {name} or {name}_FILE; got both.", field=name)
    try:
        lines = environment[name].splitlines() if file is None else _lines(Path(file))
    except (OSError, UnicodeError) as error:
        raise SourceError(
            f"The file that {name}_FILE names cannot be read: {type(error).__name__}.",
            source=f"{name}_FILE",
        ) from None
    secrets = tuple(line.strip() for line in lines if line.strip())
    if not secrets:
        raise InvalidRecordError(f"The secret of {name} must not be empty.", field=name)
    return secrets


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()

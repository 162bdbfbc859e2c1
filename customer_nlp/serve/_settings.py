"""What an operator sets: from the environment, or from files that it names."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self

from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.readers import HELPDESKS
from customer_nlp.serve._verify import Secrets
from customer_nlp.timeline import LEAD_HOURS

__all__ = [
    "DEFAULT_TENANT",
    "Settings",
    "check_tenant",
    "secrets_of",
    "settings_table",
    "warn_of_strangers",
]

_LOG: Final = logging.getLogger(__name__)
_PREFIX: Final = "CUSTOMER_NLP_"
#: Whose secrets carry no tenant in their name.
DEFAULT_TENANT: Final = "default"
_TENANT: Final = re.compile(r"[a-z][a-z0-9]{0,31}")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_LAST_PORT: Final = 65_535
#: How alike a name must be to that of a setting to be taken for a slip of the hand.
_ALIKE: Final = 0.9


def _setting(default: Any, about: str, *, private: bool = False) -> Any:
    return dataclasses.field(default=default, metadata={"about": about}, repr=not private)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the service runs; `settings_table` tells each field.

    Raises
    ------
    InvalidRecordError
        For a number below 1, or a port that no computer has.
    """

    database: str = _setting(
        "sqlite:///customer_nlp.db",
        "where queue, threads and keys are kept: an SQLite file, or "
        "`postgresql+psycopg://…` for several machines",
        private=True,
    )
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8000, "port to listen on")
    processes: int = _setting(1, "processes that answer requests, one a core at most")
    workers: int = _setting(1, "threads a process that work off the queue")
    model: str = _setting("en", "name of a shipped model, or a model folder")
    holidays: str = _setting(
        "",
        "country whose public holidays are no working days, such as `GB`; needs the extra "
        "`[holidays]`",
    )
    lead_hours: int = _setting(
        int(LEAD_HOURS),
        "how early before a promise of ours falls due its thread is looked at again",
    )
    public_url: str = _setting(
        "", "this service as helpdesks write it, such as `https://nlp.example`; HubSpot signs it"
    )
    write_back: str = _setting("", "TOML file that says what is written back, and where")
    body_limit_bytes: int = _setting(1_048_576, "larger requests are refused with 413")
    texts_limit: int = _setting(1000, "texts in one request at most")
    request_seconds: int = _setting(30, "a request that takes longer is given up")
    shutdown_seconds: int = _setting(20, "requests and jobs in hand may end within this time")
    rate_per_minute: int = _setting(1200, "requests that an API key may make, a process")
    rate_burst: int = _setting(200, "of these, at once")
    lease_seconds: int = _setting(60, "a job whose worker died is taken up again after this time")
    attempts: int = _setting(8, "tries before a job goes to the dead letters")
    retention_days: int = _setting(90, "threads and feedback untouched for longer are deleted")

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int) and value < 1:
                raise InvalidRecordError(
                    f"The setting {one.name} must be a whole number from 1 up; got {value}.",
                    field=one.name,
                )
        if self.port > _LAST_PORT:
            raise InvalidRecordError(
                f"The setting port must be at most {_LAST_PORT}; got {self.port}.", field="port"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read ``CUSTOMER_NLP_DATABASE`` and the like, or the file that ``…_FILE`` names.

        Raises
        ------
        InvalidRecordError
            For a value that a setting cannot have, or one that is given both ways.
        SourceError
            When a file cannot be read.
        """
        known = os.environ if environment is None else environment
        given: dict[str, Any] = {}
        for one in dataclasses.fields(cls):
            word = _word(_variable(one.name), known)
            if word is not None:
                given[one.name] = word if isinstance(one.default, str) else _number(one.name, word)
        return cls(**given)

    def to_environment(self) -> dict[str, str]:
        """Return the variables that `from_environment` reads back."""
        return {
            _variable(one.name): str(getattr(self, one.name)) for one in dataclasses.fields(self)
        }


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _word(name: str, known: Mapping[str, str]) -> str | None:
    if (file := known.get(f"{name}_FILE")) is None:
        return known.get(name)
    try:
        word = Path(file).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeError) as error:
        raise SourceError(
            f"The file that {name}_FILE names cannot be read: {type(error).__name__}.",
            source=f"{name}_FILE",
        ) from None
    if name in known:  # which of them counts would be a guess
        raise InvalidRecordError(f"Set {name} or {name}_FILE; got both.", field=name)
    return word


def _number(name: str, word: str) -> int:
    if not _WHOLE.fullmatch(word.strip()):
        raise InvalidRecordError(
            f"The setting {_variable(name)} must be a whole number from 1 up; got "
            f"{'other words' if word.strip() else 'nothing'}.",
            field=name,
        )
    return int(word)


def warn_of_strangers(environment: Mapping[str, str]) -> None:
    """Log names that are nearly those of settings, secrets or tokens: they would set nothing.

    Names that are like none are left alone: they may be another program's.
    """
    settings = [_variable(one.name) for one in dataclasses.fields(Settings)]
    platforms = [one.upper().replace("-", "_") for one in (*HELPDESKS, "webhook")]
    for name in sorted(one for one in environment if one.startswith(_PREFIX)):
        plain = name.removesuffix("_FILE")
        kind, _, rest = plain.removeprefix(_PREFIX).partition("_")
        if kind in {"SECRET", "TOKEN"}:
            begin = plain.removesuffix(rest.rpartition("__")[2])
            known = [begin + one for one in platforms]
        else:
            known = settings
        close = get_close_matches(plain, known, 1, _ALIKE)
        if close and close[0] != plain:
            _LOG.warning("%s sets nothing; did you mean %s?", name, close[0])


def settings_table() -> str:
    """Return all settings as a table in Markdown."""
    return "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    yield "| variable | default | what it sets |"
    yield "|---|---|---|"
    for one in dataclasses.fields(Settings):
        default = f"`{one.default}`" if one.default != "" else "none"
        yield f"| `{_variable(one.name)}` | {default} | {one.metadata['about']} |"


def check_tenant(name: str) -> str:
    """Return the name of a tenant; raises `InvalidRecordError` for one that cannot be."""
    if not _TENANT.fullmatch(name):
        raise InvalidRecordError(
            "A tenant is named by 1 to 32 small letters and digits, a letter first.",
            field="tenant",
        )
    return name


def secrets_of(tenant: str, environment: Mapping[str, str] | None = None) -> Secrets:
    """Return a tenant's secrets by platform.

    Parameters
    ----------
    tenant : str
        ``default`` for ``CUSTOMER_NLP_SECRET_ZENDESK``, any other for
        ``CUSTOMER_NLP_SECRET_<TENANT>__ZENDESK``.
    environment : mapping, optional
        In place of the process's.
    """
    whose = "" if tenant == DEFAULT_TENANT else f"{check_tenant(tenant).upper()}__"
    return Secrets.from_environment(f"{_PREFIX}SECRET_{whose}", environment=environment)

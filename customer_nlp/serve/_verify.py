"""Whether a delivery comes from its platform, and for the first time.

One row a platform says what is signed, how, and under which header. Sources: the vendors' pages
on verifying webhooks, named beside each row.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from customer_nlp.environment import named_secrets
from customer_nlp.errors import InvalidRecordError, ReplayError, SignatureError
from customer_nlp.readers import HELPDESKS

__all__ = ["WINDOW", "Delivery", "Handshake", "Secrets", "handshake", "verify"]

#: How far a delivery's time may lie from ours, either way.
WINDOW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How one kind of delivery is signed."""

    header: str
    signed: tuple[str, ...] = ("body",)  # parts: body, timestamp, method, url, secret; else itself
    hashed: str = "sha256"
    keyed: bool = True  # HMAC; else a bare hash
    encoding: str = "base64"
    prefix: str = ""
    timestamp: str = ""
    unit: str = ""  # iso, s or ms
    version: tuple[str, str] = ("", "")  # a header and its value, where several versions share one
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class _Platform:
    """Schemes, best first; none of them in the headers: a shared secret, if it takes one."""

    schemes: tuple[_Scheme, ...] = ()
    shared: bool = False
    delivery: str = ""  # header with the id that repeated deliveries share
    delivery_key: str = ""  # or else the key of the body
    event: str = ""  # header with the kind of event
    event_key: str = ""  # or else the key of the body


_HUB: Final = _Scheme("x-hub-signature", hashed="sha1", encoding="hex", prefix="sha1=")
_SHARED_HEADER: Final = "x-webhook-secret"
_HUBSPOT_VERSION: Final = "x-hubspot-signature-version"


def _hubspot_legacy(version: str, *signed: str) -> _Scheme:
    return _Scheme(
        "x-hubspot-signature",
        signed=signed,
        keyed=False,
        encoding="hex",
        version=(_HUBSPOT_VERSION, version),
        legacy=True,
    )


_PLATFORMS: Final[Mapping[str, _Platform]] = {
    # https://developer.zendesk.com/documentation/webhooks/verifying/ and, for the id of the
    # delivery (the webhook's own id is the same in all of them), …/anatomy-of-a-webhook-request
    "zendesk": _Platform(
        (
            _Scheme(
                "x-zendesk-webhook-signature",
                signed=("timestamp", "body"),
                timestamp="x-zendesk-webhook-signature-timestamp",
                unit="iso",
            ),
        ),
        delivery="x-zendesk-webhook-invocation-id",
        event_key="type",
    ),
    # Freshdesk signs nothing: Basic authentication or a header in the automation rule.
    "freshdesk": _Platform(shared=True),
    # https://developers.intercom.com/docs/webhooks/webhook-notifications
    "intercom": _Platform((_HUB,), delivery_key="id", event_key="topic"),
    # https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests
    "hubspot": _Platform(
        (
            _Scheme(
                "x-hubspot-signature-v3",
                signed=("method", "url", "body", "timestamp"),
                timestamp="x-hubspot-request-timestamp",
                unit="ms",
            ),
            _hubspot_legacy("v1", "secret", "body"),
            _hubspot_legacy("v2", "secret", "method", "url", "body"),
        )
    ),
    # https://developer.helpscout.com/webhooks/
    "helpscout": _Platform(
        (_Scheme("x-helpscout-signature", hashed="sha1"),), event="x-helpscout-event"
    ),
    # https://dev.frontapp.com/docs/application-webhooks and …/rule-webhooks
    "front": _Platform(
        (
            _Scheme(
                "x-front-signature",
                signed=("timestamp", ":", "body"),
                timestamp="x-front-request-timestamp",
                unit="ms",
            ),
            _Scheme("x-front-signature", hashed="sha1"),
        ),
        event_key="type",
    ),
    # Gorgias documents no signature; its HTTP integration sends the headers that one gives it.
    "gorgias": _Platform(
        (_Scheme("x-gorgias-signature", encoding="hex", prefix="sha256="),), shared=True
    ),
    # https://github.com/chatwoot/chatwoot/pull/13573
    "chatwoot": _Platform(
        (
            _Scheme(
                "x-chatwoot-signature",
                signed=("timestamp", ".", "body"),
                encoding="hex",
                prefix="sha256=",
                timestamp="x-chatwoot-timestamp",
                unit="s",
            ),
        ),
        delivery="x-chatwoot-delivery",
        event_key="event",
    ),
    # https://admin-docs.zammad.org/en/latest/manage/webhook/add.html
    "zammad": _Platform((_HUB,), delivery="x-zammad-delivery", event="x-zammad-trigger"),
    # https://api-docs.freescout.net; some modules use Help Scout's header name
    "freescout": _Platform(
        (
            _Scheme("x-freescout-signature", hashed="sha1"),
            _Scheme("x-helpscout-signature", hashed="sha1"),
        ),
        event="x-freescout-event",
    ),
    # django-helpdesk signs nothing: put user:password@ into its webhook URLs.
    "django-helpdesk": _Platform(shared=True),
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that was shown to be genuine and new.

    Parameters
    ----------
    platform : str
        Who sent it.
    id : str
        The platform's id of the delivery, or a hash of the body.
    keys : tuple of str
        What tells it from others; store them when the delivery is taken in, and have `seen` of
        `verify` look there. A hash of time and body is among them, as ids are often not signed.
    event : str or None
        Kind of event, in the platform's words.
    sent_at : datetime or None
        Aware UTC, where the platform signs it.
    """

    platform: str
    id: str
    keys: tuple[str, ...]
    event: str | None = None
    sent_at: datetime | None = None


def verify(
    platform: str,
    headers: Mapping[str, str],
    body: bytes,
    secret: str | Sequence[str],
    *,
    now: datetime,
    seen: Callable[[str], bool],
    method: str = "POST",
    url: str = "",
    window: timedelta = WINDOW,
    legacy: bool = False,
) -> Delivery:
    """Check a delivery before anything else is done with it.

    Parameters
    ----------
    platform : str
        One of `readers.HELPDESKS`.
    headers : mapping of str to str
        Of the request; names in any case.
    body : bytes
        As it came over the wire, before any parsing.
    secret : str or sequence of str
        The webhook's secret; several while one takes the other's place. Where the platform signs
        nothing (Freshdesk, Gorgias, django-helpdesk): what it sends as a bearer token, in the
        header ``X-Webhook-Secret``, or as ``user:password``. FreeScout's is the MD5, in hex, of
        its APP_KEY and ``webhook_key``.
    now : datetime
        Aware.
    seen : callable
        Tells whether a key was stored before; asked when all else holds.
    method, url : str
        Of the request, the URL as the sender wrote it; HubSpot signs both.
    window : timedelta, default=5 minutes
        How far a signed time may lie from `now`, either way.
    legacy : bool, default=False
        Whether HubSpot's versions 1 and 2 will do, which sign no time.

    Returns
    -------
    Delivery
        Genuine and new.

    Raises
    ------
    SignatureError
        (401) When a header is missing or unreadable, or the signature does not fit.
    ReplayError
        (409) When the signed time is out of the window, or the delivery was seen.
    InvalidRecordError
        For an unknown platform, an empty secret or a naive `now`.

    Notes
    -----
    Signatures are compared in constant time. Cost: linear in the body.
    """
    row = _row(platform)
    secrets = (secret,) if isinstance(secret, str) else tuple(secret)
    if not secrets or not all(secrets):
        raise InvalidRecordError(
            f"The secret of {platform} must not be empty. Set {_variable(platform)}.",
            field="secret",
        )
    if now.tzinfo is None:
        raise InvalidRecordError("The now must be an aware datetime; got a naive one.", field="now")
    given = _lowered(headers)
    scheme = _scheme(row, given, legacy=legacy)
    sent_at = None
    if scheme is None:
        _check_shared(platform, given, secrets)
    else:
        _check_signature(scheme, given, body, secrets, method, url)
        sent_at = _sent_at(scheme, given)
    if sent_at is not None and abs(now - sent_at) > window:
        raise ReplayError(
            f"The delivery's time lies more than {window.total_seconds():.0f} seconds from ours. "
            "If it is not a replay, set the clock of this machine."
        )
    delivery = _delivery(row, platform, given, body, sent_at)
    if any(seen(key) for key in delivery.keys):
        raise ReplayError("The delivery was taken in before.", again=True)
    return delivery


def _row(platform: str) -> _Platform:
    if platform not in _PLATFORMS:
        raise InvalidRecordError(
            f"The platform must be one of {', '.join(HELPDESKS)}; got another.", field="platform"
        )
    return _PLATFORMS[platform]


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _scheme(row: _Platform, headers: Mapping[str, str], *, legacy: bool) -> _Scheme | None:
    """Return the best scheme whose headers came, or else the one to ask for."""
    wanted = [scheme for scheme in row.schemes if legacy or not scheme.legacy]
    for scheme in wanted:
        name, value = scheme.version
        there = scheme.header in headers and (
            not scheme.timestamp or scheme.timestamp in headers or len(wanted) == 1
        )
        if there and (not name or headers.get(name, "").lower() == value):
            return scheme
    return None if row.shared else wanted[0]


def _header(headers: Mapping[str, str], name: str) -> str:
    if name not in headers:
        raise SignatureError(
            f"The delivery lacks the header {name}. Switch signing on where the webhook is set up.",
            header=name,
        )
    return headers[name].strip()


def _check_signature(
    scheme: _Scheme,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    method: str,
    url: str,
) -> None:
    came = _bytes(_header(headers, scheme.header).removeprefix(scheme.prefix))
    timestamp = _header(headers, scheme.timestamp) if scheme.timestamp else ""
    parts = {"timestamp": timestamp, "method": method.upper()}
    genuine = False
    for secret in secrets:
        for address in dict.fromkeys((url, _plain_url(url))):
            words = parts | {"secret": secret, "url": address}
            signed = b"".join(
                body if part == "body" else _bytes(words.get(part, part)) for part in scheme.signed
            )
            genuine |= hmac.compare_digest(came, _encoded(scheme, secret, signed))
    if not genuine:
        raise SignatureError(
            "The signature does not fit the body. Check the secret, and that nothing on the way "
            "(a proxy, a parser) changes the body" + (" or the URL." if "url" in scheme.signed
                                                      else "."),
            header=scheme.header,
        )  # fmt: skip


def _bytes(text: str) -> bytes:
    # A header may hold anything; what cannot be encoded fits no signature.
    return text.encode("utf-8", "replace")


def _encoded(scheme: _Scheme, secret: str, signed: bytes) -> bytes:
    digest = (
        hmac.new(_bytes(secret), signed, scheme.hashed)
        if scheme.keyed
        else hashlib.new(scheme.hashed, signed)
    )
    if scheme.encoding == "hex":
        return digest.hexdigest().encode()
    return base64.b64encode(digest.digest())


# HubSpot signs the URL with these decoded, but for the "?" that begins the query.
_DECODED: Final = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'", "%28": "(",
    "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip


def _plain_url(url: str) -> str:
    for code, character in _DECODED.items():
        url = url.replace(code, character).replace(code.lower(), character)
    return url


def _check_shared(platform: str, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Compare what the platform was told to send along."""
    name = "authorization" if "authorization" in headers else _SHARED_HEADER
    came = _header(headers, name)
    kind, _, credentials = came.partition(" ")
    if name == "authorization" and kind.lower() in ("basic", "bearer"):
        came = credentials.strip()
    basic = kind.lower() == "basic"
    genuine = False
    for secret in secrets:
        expected = base64.b64encode(_bytes(secret)) if basic else _bytes(secret)
        genuine |= hmac.compare_digest(_bytes(came), expected)
    if not genuine:
        raise SignatureError(
            f"The shared secret is another one than that of {_variable(platform)}.", header=name
        )


def _sent_at(scheme: _Scheme, headers: Mapping[str, str]) -> datetime | None:
    if not scheme.timestamp:
        return None
    word = _header(headers, scheme.timestamp)
    try:
        if scheme.unit == "iso":
            moment = datetime.fromisoformat(word)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if not (word.isascii() and word.isdigit() and len(word) <= 14):
            raise ValueError(word)
        return datetime.fromtimestamp(int(word) / (1000 if scheme.unit == "ms" else 1), UTC)
    except (ValueError, OverflowError, OSError):
        raise SignatureError(
            f"The header {scheme.timestamp} holds no time.", header=scheme.timestamp
        ) from None


def _delivery(
    row: _Platform,
    platform: str,
    headers: Mapping[str, str],
    body: bytes,
    sent_at: datetime | None,
) -> Delivery:
    time = sent_at.isoformat().encode() if sent_at else b""
    digest = hashlib.sha256(time + b"\0" + body).hexdigest()
    known = _object(body)
    named = headers.get(row.delivery) if row.delivery else known.get(row.delivery_key)
    named = str(named) if isinstance(named, str | int) and named else ""
    keys = [f"{platform}:id:{named}"] if named else []
    return Delivery(
        platform=platform,
        id=named or digest,
        keys=(*keys, f"{platform}:body:{digest}"),
        event=_event(row, headers, known),
        sent_at=sent_at,
    )


def _event(row: _Platform, headers: Mapping[str, str], known: Mapping[str, Any]) -> str | None:
    found = headers.get(row.event) if row.event else known.get(row.event_key)
    return found if isinstance(found, str) else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# -- setting up ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request by which a platform tries the address: answer 200 and take nothing in.

    Parameters
    ----------
    answer : mapping
        JSON to answer with; empty for none.
    signed : bool
        Whether the request is signed like a delivery and must be verified first.
    """

    answer: Mapping[str, str] = field(default_factory=dict)
    signed: bool = True


_MOST_CHALLENGE_CHARS: Final = 512
_TRIALS: Final = ("ping", "helpscout.test", "sync")


def handshake(
    platform: str, headers: Mapping[str, str], body: bytes, *, method: str = "POST"
) -> Handshake | None:
    """Tell a trial request from a delivery.

    Parameters
    ----------
    platform, headers, body, method
        As for `verify`.

    Returns
    -------
    Handshake or None
        What to answer; ``None`` for a delivery.

    Raises
    ------
    InvalidRecordError
        For an unknown platform.
    """
    row = _row(platform)
    if method.upper() == "HEAD":
        return Handshake(signed=False)
    given = _lowered(headers)
    challenge = given.get("x-front-challenge", "") if platform == "front" else ""
    if challenge and len(challenge) <= _MOST_CHALLENGE_CHARS:
        return Handshake({"challenge": challenge})
    return Handshake() if _event(row, given, _object(body)) in _TRIALS else None


# -- secrets ------------------------------------------------------------------------------------

_PREFIX: Final = "CUSTOMER_NLP_SECRET_"


def _variable(platform: str, prefix: str = _PREFIX) -> str:
    return prefix + platform.upper().replace("-", "_")


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The secrets of the platforms that are connected; they show in no ``repr``.

    Parameters
    ----------
    of : mapping of str to tuple of str
        Platform to its secrets, the newest first.
    """

    of: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_environment(
        cls, prefix: str = _PREFIX, *, environment: Mapping[str, str] | None = None
    ) -> Secrets:
        """Read ``<prefix>ZENDESK`` and the like, or the file named by ``<prefix>ZENDESK_FILE``.

        Parameters
        ----------
        prefix : str, default='CUSTOMER_NLP_SECRET_'
            Beginning of the names.
        environment : mapping, optional
            In place of the process's.

        Raises
        ------
        InvalidRecordError
            For an empty secret, or one that is given both ways.
        SourceError
            When a file cannot be read.

        Notes
        -----
        A file holds a secret a line: several while one takes the other's place.
        """
        known = os.environ if environment is None else environment
        found = {}
        for platform in HELPDESKS:
            name = _variable(platform, prefix)
            if secrets := named_secrets(name, known):
                found[platform] = secrets
        return cls(found)

    def __getitem__(self, platform: str) -> tuple[str, ...]:
        """Return the secrets of a platform; raises `InvalidRecordError` where there is none."""
        if platform not in self.of:
            raise InvalidRecordError(
                f"There is no secret for this platform. Set {_variable(platform)} or "
                f"{_variable(platform)}_FILE."
                if platform in _PLATFORMS
                else f"The platform must be one of {', '.join(HELPDESKS)}; got another.",
                field="platform",
            )
        return self.of[platform]

    def __contains__(self, platform: object) -> bool:
        return platform in self.of

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self.of))})"

"""What every request passes: size, time, headers that browsers obey, counting, and who calls."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_nlp.serve._settings import Settings
from customer_nlp.serve._store import ApiKey, Store

__all__ = ["Guard", "Keys", "Metrics", "problem"]

_LOG: Final = logging.getLogger("customer_nlp.serve")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
_KEY_SECONDS: Final = 10.0
_MOST_KEYS: Final = 10_000


def problem(status: int, detail: str, **more: Any) -> tuple[int, bytes]:
    """Return status and body of an error as RFC 9457 has it; no text of a message in it."""
    record = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": detail,
    }  # fmt: skip
    return status, json.dumps(record | more).encode()


class Metrics:
    """What Prometheus is told; no label names a tenant, a thread or a person."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "customer_nlp_requests", "Requests by route and status.", ("route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "customer_nlp_request_seconds", "Time to answer.", ("route",), registry=self.registry,
            buckets=(0.005, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
        )  # fmt: skip
        self.jobs = Counter(
            "customer_nlp_jobs", "Jobs by outcome.", ("outcome",), registry=self.registry
        )


class Guard:
    """ASGI middleware: reads the body up to a size and within a time, and bounds the answer.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    settings : Settings
        ``body_limit_bytes`` and ``request_seconds``.
    metrics : Metrics
        Counts go there.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        answered = 0

        async def told(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        try:
            async with asyncio.timeout(self._settings.request_seconds):
                body = await self._body(scope, receive)
                if isinstance(body, int):
                    await _refuse(told, body)
                else:
                    await self._app(scope, _replayed(body, receive), told)
        except TimeoutError:
            if not answered:
                await _refuse(told, HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001 - its message may hold text: log the type alone
            _LOG.error("a request failed: %s", type(error).__name__)
            if not answered:
                await _refuse(told, HTTPStatus.INTERNAL_SERVER_ERROR)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, answered).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | int:
        """Return the whole body, or the status to refuse it with."""
        limit = self._settings.body_limit_bytes
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if stated.isdigit() and int(stated[:20]) > limit:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return HTTPStatus.BAD_REQUEST
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            more = message.get("more_body", False)
            if size > limit:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return b"".join(chunks)


_REFUSALS: Final = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something is wrong on our side; the log names it.",
    HTTPStatus.BAD_REQUEST: "The request ended before its body.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this service takes. Send less "
    "at a time, or set CUSTOMER_NLP_BODY_LIMIT_BYTES.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The request took too long and was given up. Send less at a "
    "time, or set CUSTOMER_NLP_REQUEST_SECONDS.",
}


async def _refuse(send: Send, status: int) -> None:
    _, body = problem(status, _REFUSALS[HTTPStatus(status)])
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class Keys:
    """Looks up API keys, and lets each make so many requests (token bucket, one a process).

    Parameters
    ----------
    store : Store
        Where their hashes are; what it says holds for ten seconds here.
    settings : Settings
        ``rate_per_minute`` and ``rate_burst``.
    clock : callable, default=time.monotonic
        Seconds.
    """

    def __init__(
        self, store: Store, settings: Settings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._rate = settings.rate_per_minute / 60
        self._burst = float(settings.rate_burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._tokens: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def known(self, word: str) -> ApiKey | None:
        """Return what a key opens that was looked up within ten seconds."""
        with self._lock:
            at, key = self._known.get(word, (0.0, None))
        return key if self._clock() - at < _KEY_SECONDS else None

    def find(self, word: str) -> ApiKey | None:
        """Return what a key opens; unknown ones are not remembered."""
        if (key := self.known(word)) is not None:
            return key
        now = self._clock()
        if (key := self._store.key(word)) is not None:
            with self._lock:
                _put(self._known, word, (now, key))
        return key

    def forget(self, key: ApiKey) -> None:
        """End a session, here at once."""
        self._store.revoke(key.id)
        with self._lock:
            for word in [word for word, (_, one) in self._known.items() if one.id == key.id]:
                del self._known[word]

    def wait_seconds(self, key: ApiKey) -> float:
        """Take a token; 0, or how long until there is one."""
        now = self._clock()
        with self._lock:
            left, at = self._tokens.get(key.id, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            if left < 1:
                return (1 - left) / self._rate
            _put(self._tokens, key.id, (left - 1, now))
        return 0.0


def _put(known: OrderedDict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > _MOST_KEYS:
        known.popitem(last=False)

"""A real server on loopback for the tests of the service."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from test_verify import SECRET, signed

from customer_nlp.analyzer import Analyzer
from customer_nlp.serve._store import Store
from customer_nlp.serve.app import create_app

DEADLINE_SECONDS = 60.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Serve an application; yields its address."""
    server = _Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.ready.wait(DEADLINE_SECONDS)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Service:
    """The service with a client, for one test."""

    def __init__(self, app: FastAPI, client: httpx.Client) -> None:
        self.app = app
        self.client = client
        self.store: Store = app.state.service.store

    def key(self, tenant: str = "default", *scopes: str) -> dict[str, str]:
        """Return the header of a new key."""
        word = self.store.add_key(tenant, scopes or ("score", "read", "feedback"))
        return {"Authorization": f"Bearer {word}"}

    def session(self, tenant: str = "default", *scopes: str) -> dict[str, str]:
        """Return the header of a browser that has signed in."""
        word = self.key(tenant, *scopes)["Authorization"].removeprefix("Bearer ")
        answer = self.client.post("/login", data={"key": word})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "Secure", "SameSite=strict"} <= set(cookie.split("; "))
        return {"Cookie": cookie.partition(";")[0]}

    def hook(self, body: bytes, *, tenant: str = "default", **signing: Any) -> httpx.Response:
        """Send a delivery of Zendesk."""
        headers = signed("zendesk", body, **({"at": datetime.now(UTC)} | signing))
        del headers["X-Zendesk-Webhook-Invocation-Id"]
        return self.client.post(f"/v1/hooks/zendesk?tenant={tenant}", content=body, headers=headers)

    def worked_off(self) -> dict[str, int]:
        """Wait for the queue to be empty; returns how many jobs ended how."""
        wait_for(lambda: "queued" not in self.store.queue_sizes())
        return self.store.queue_sizes()


@contextmanager
def serving(analyzer: Analyzer, folder: Path, **environment: str) -> Iterator[Service]:
    """Run the service with a database in a folder and a secret for Zendesk."""
    known = {
        "CUSTOMER_NLP_DATABASE": f"sqlite:///{folder / 'serve.db'}",
        "CUSTOMER_NLP_SECRET_ZENDESK": SECRET,
        "CUSTOMER_NLP_SECRET_ACME__ZENDESK": SECRET,
    } | environment
    app = create_app(environment=known, analyzer=analyzer)
    with listening(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield Service(app, client)


def wait_for(done: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    """Look until something is so, for a while at most."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come about"
        pause.wait(0.02)


def comment(number: int, text: str, *, ticket: int | None = None, staff: bool = False) -> bytes:
    """Return Zendesk's event for a comment."""
    at = f"2026-03-02T09:{number % 60:02d}:00Z"
    return json.dumps(
        {
            "type": "zen:event-type:ticket.comment_added",
            "id": f"event-{number}",
            "time": at,
            "subject": f"zen:ticket:{ticket or number}",
            "detail": {"id": str(ticket or number), "subject": "Router", "requester_id": "7",
                       "via": {"channel": "email"}, "created_at": at},
            "event": {"comment": {"id": f"c{number}", "body": text, "is_public": True,
                                  "author": {"id": "9" if staff else "7", "is_staff": staff}}},
        }
    ).encode()  # fmt: skip


async def burst(
    address: str,
    bodies: list[bytes],
    taken: Callable[[bytes], None],
    waits: list[float],
    *,
    at_once: int = 16,
) -> None:
    """Send deliveries at once; what the server did not confirm is not told to `taken`.

    Times from sending to its answer are put into `waits`. Plain sockets: a client that does more
    than write and read would be what is timed.
    """
    port = int(address.rpartition(":")[2])
    left = iter(bodies)

    async def send() -> None:
        line: _Line | None = None
        for body in left:
            request = _delivery(body)
            began = time.perf_counter()
            try:
                line = line or await asyncio.open_connection("127.0.0.1", port)
                line[1].write(request)
                status = int((await line[0].readuntil(b"\r\n\r\n")).split(maxsplit=2)[1])
            except (OSError, asyncio.IncompleteReadError):
                status = 0
            else:
                waits.append(time.perf_counter() - began)
            if status in (202, 409):  # 409: it was taken before the answer got lost
                taken(body)
            if status != 202:  # whatever else was answered is not read
                line = await _hung_up(line)
        await _hung_up(line)

    await asyncio.gather(*(send() for _ in range(at_once)))


_Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _hung_up(line: _Line | None) -> None:
    if line is not None:
        line[1].close()
        with suppress(OSError):
            await line[1].wait_closed()


def _delivery(body: bytes) -> bytes:
    headers = signed("zendesk", body, at=datetime.now(UTC))
    # a helpdesk that sends again signs anew, under the id of the first try
    headers["X-Zendesk-Webhook-Invocation-Id"] = hashlib.sha256(body).hexdigest()[:26]
    headers |= {"Host": "localhost", "Content-Length": str(len(body))}
    lines = [
        "POST /v1/hooks/zendesk HTTP/1.1",
        *(f"{name}: {said}" for name, said in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body

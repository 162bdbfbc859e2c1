"""Whether the service keeps its memory: constant load, resident memory sampled, a line fitted.

Half an hour of webhooks for the same threads over and over, and of texts with words never seen
before. What the model remembers of unknown words (50,000 of them) is filled first; the first third
may still grow (other caches fill); from there on the fitted line must rise by less than 5 % over
half an hour.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime
from typing import Final

import httpx
import numpy as np
from bench_serve import group_totals, served

SECRET: Final = secrets.token_urlsafe(32)
THREADS: Final = 50
TURNS: Final = 4
WARMING: Final = 80
MOST_GROWTH: Final = 0.05
HALF_HOUR_SECONDS: Final = 1800.0
SAMPLE_SECONDS: Final = 2.0


def delivery(number: int) -> tuple[dict[str, str], bytes]:
    """Return headers and body of Zendesk's event for a comment, signed."""
    ticket, turn = number % THREADS, number // THREADS % TURNS
    at = f"2026-03-02T09:{turn:02d}:00Z"
    text = f"Order {secrets.token_hex(4)} is late again. I want my money back."
    body = json.dumps(
        {
            "type": "zen:event-type:ticket.comment_added", "id": f"event-{number}", "time": at,
            "subject": f"zen:ticket:{ticket}",
            "detail": {"id": str(ticket), "requester_id": "7", "created_at": at},
            "event": {"comment": {"id": f"{ticket}-{turn}", "body": text, "is_public": True,
                                  "author": {"id": "7", "is_staff": False}}},
        }
    ).encode()  # fmt: skip
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    signature = hmac.new(SECRET.encode(), now.encode() + body, hashlib.sha256).digest()
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": now,
    }, body


def texts(count: int) -> list[str]:
    """Return texts with words that were never said."""
    return [f"Ticket {secrets.token_hex(6)}: still {secrets.token_hex(3)}?" for _ in range(count)]


def bearer(key: str) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


def load_once(client: httpx.Client, key: str, number: int) -> None:
    """Send one delivery and twenty texts."""
    headers, body = delivery(number)
    answers = [client.post("/v1/hooks/zendesk", content=body, headers=headers)]
    answers.append(client.post("/v1/signals", json={"texts": texts(20)}, headers=bearer(key)))
    answers.append(client.get("/metrics"))
    for answer in answers:
        answer.raise_for_status()


def growth(samples: list[tuple[float, int]]) -> float:
    """Return the growth in half an hour of the line through the last two thirds, of their mean."""
    times, sizes = np.array(samples[len(samples) // 3 :], float).T
    return float(np.polyfit(times, sizes, 1)[0] * HALF_HOUR_SECONDS / sizes.mean())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--per-second", type=float, default=5, help="deliveries")
    options = parser.parse_args()
    samples: list[tuple[float, int]] = []
    number, shown = 0, 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        served(folder, 1, CUSTOMER_NLP_SECRET_ZENDESK=SECRET) as (address, key, group),
        httpx.Client(base_url=address, timeout=60, trust_env=False) as client,
    ):
        for _ in range(WARMING):
            body = {"texts": texts(1000)}
            client.post("/v1/signals", json=body, headers=bearer(key)).raise_for_status()
        began = time.monotonic()
        while (now := time.monotonic() - began) < options.minutes * 60:
            if not samples or now - samples[-1][0] >= SAMPLE_SECONDS:
                samples.append((now, group_totals(group)[1]))
            if now >= shown:
                size = samples[-1][1] / 2**20
                print(f"{now / 60:5.1f} min  {size:7.1f} MiB  {number}", flush=True)
                shown += 60
            load_once(client, key, number)
            number += 1
            time.sleep(max(0.0, number / options.per_second - (time.monotonic() - began)))
        queue = client.get("/readyz").json()
    grown = growth(samples)
    flat = grown < MOST_GROWTH
    print(f"{number} deliveries in {options.minutes:g} min; {queue['queued']} left in the queue, "
          f"{queue['dead']} dead; {samples[0][1] / 2**20:.1f} MiB at first, "
          f"{samples[-1][1] / 2**20:.1f} at last; {grown:+.1%} in half an hour: "
          f"{'flat' if flat else 'NOT FLAT'}")  # fmt: skip
    return 0 if flat and not queue["dead"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""How long /v1/signals takes with 100 texts, for 20 clients at once over loopback.

Closed loop: each client asks again when it has its answer. Prints median, p95 and requests a
second, beside the time that scoring alone takes in this process: what is above it times the
clients a core is waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time

import httpx

import customer_nlp
from customer_nlp.serve._store import Store

TEXTS = [f"Order {n} is late again and nobody answers. I want my money back." for n in range(100)]


async def client(address: str, key: str, requests: int, times: list[float]) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as one:
        for _ in range(requests):
            began = time.perf_counter()
            answer = await one.post("/v1/signals", json={"texts": TEXTS})
            times.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text


async def measure(address: str, key: str, clients: int, requests: int) -> list[float]:
    times: list[float] = []
    await client(address, key, 5, [])  # warm
    await asyncio.gather(*(client(address, key, requests, times) for _ in range(clients)))
    return sorted(times)


def waited_for(address: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"{address}/healthz").is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the service did not start")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--requests", type=int, default=25, help="of each client")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    analyzer = customer_nlp.load()
    analyzer.signals(TEXTS)
    began = time.perf_counter()
    for _ in range(10):
        analyzer.signals(TEXTS)
    alone = (time.perf_counter() - began) / 10
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/bench.db"
        key = Store(database).add_key("default")
        address = f"http://127.0.0.1:{port}"
        server = subprocess.Popen(
            [sys.executable, "-m", "customer_nlp", "serve", "--port", str(port), "--processes",
             str(options.processes), "--database", database],
            env=os.environ | {"CUSTOMER_NLP_RATE_PER_MINUTE": "1000000",
                              "CUSTOMER_NLP_RATE_BURST": "1000000"},
        )  # fmt: skip
        try:
            waited_for(address)
            began = time.perf_counter()
            times = asyncio.run(measure(address, key, options.clients, options.requests))
            spent = time.perf_counter() - began
        finally:
            server.terminate()
            server.wait()
    print(f"scoring alone {alone * 1e3:.1f} ms; {options.clients} clients, "
          f"{options.processes} processes: median {times[len(times) // 2] * 1e3:.0f} ms, "
          f"p95 {times[int(len(times) * 0.95)] * 1e3:.0f} ms, "
          f"{len(times) / spent:.0f} requests/s")  # fmt: skip


if __name__ == "__main__":
    main()

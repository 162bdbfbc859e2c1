"""How long /v1/signals takes with 100 texts, for 20 clients at once over loopback.

Closed loop: each client asks again when it has its answer (wrk where it is installed, else clients
of our own). Prints median and p95 as measured, and the processor time of the servers a request,
which a busy machine does not change: each of the clients waits for the others' requests, so that
clients × processor time / cores is what they wait on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

import customer_nlp
from customer_nlp.serve._store import Store

TEXTS = [f"Order {n} is late again and nobody answers. I want my money back." for n in range(100)]
#: wrk tells p95 to a script alone; microseconds.
SCRIPT = """wrk.method, wrk.body = "POST", [[{body}]]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
function done(summary, latency)
  local wrong = summary.errors.status + summary.errors.timeout + summary.errors.read
  print("told", latency:percentile(50), latency:percentile(95), summary.requests, wrong)
end
"""


@contextmanager
def served(folder: str, processes: int, **environment: str) -> Iterator[tuple[str, str, int]]:
    """Run the service; yields its address, a key, and the group of its processes."""
    database = f"sqlite:///{folder}/bench.db"
    key = Store(database).add_key("default")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "customer_nlp", "serve", "--port", str(port), "--processes",
         str(processes), "--database", database],
        start_new_session=True,
        env=os.environ | {"CUSTOMER_NLP_RATE_PER_MINUTE": "1000000",
                          "CUSTOMER_NLP_RATE_BURST": "1000000"} | environment,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address)
        yield address, key, server.pid
    finally:
        server.terminate()
        server.wait()


def _wait_for(address: str) -> None:
    for _ in range(1200):
        try:
            if httpx.get(f"{address}/readyz", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the service did not start")


def group_totals(group: int) -> tuple[float, int]:
    """Return seconds of processor time and resident bytes of a group of processes (Linux)."""
    ticks = pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
            pages += int(fields[21])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


async def _client(address: str, key: str, requests: int, times: list[float]) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as one:
        for _ in range(requests):
            began = time.perf_counter()
            answer = await one.post("/v1/signals", json={"texts": TEXTS})
            times.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text


async def _own_clients(address: str, key: str, clients: int, requests: int) -> list[float]:
    times: list[float] = []
    await asyncio.gather(*(_client(address, key, requests, times) for _ in range(clients)))
    return sorted(times)


def measured(address: str, key: str, clients: int, seconds: int) -> tuple[float, float, int]:
    """Return median and p95 in seconds, and how many requests there were."""
    if not shutil.which("wrk"):
        times = asyncio.run(_own_clients(address, key, clients, 10 * seconds))
        return times[len(times) // 2], times[int(len(times) * 0.95)], len(times)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(body=json.dumps({"texts": TEXTS}), key=key))
        script.flush()
        told = subprocess.run(
            ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", "-s", script.name,
             f"{address}/v1/signals"], capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    [words] = [line.split() for line in told.splitlines() if line.startswith("told")]
    assert words[4] == "0", "requests failed"
    return float(words[1]) / 1e6, float(words[2]) / 1e6, int(words[3])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    analyzer = customer_nlp.load()
    analyzer.signals(TEXTS)
    began = time.process_time()
    for _ in range(100):
        analyzer.signals(TEXTS)
    alone = (time.process_time() - began) / 100
    with (
        tempfile.TemporaryDirectory() as folder,
        served(folder, options.processes) as (address, key, group),
    ):
        measured(address, key, options.clients, 2)  # warm
        before, _ = group_totals(group)
        median, p95, requests = measured(address, key, options.clients, options.seconds)
        spent = (group_totals(group)[0] - before) / requests
    cores = min(options.processes, os.cpu_count() or 1)
    print(f"measured: median {median * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, {requests} requests "
          f"of {options.clients} clients, load {os.getloadavg()[0]:.1f}\n"
          f"processor time a request: {spent * 1e3:.2f} ms, of it scoring {alone * 1e3:.2f} ms; "
          f"{options.clients} clients on {cores} free cores would wait "
          f"{options.clients * spent / cores * 1e3:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()

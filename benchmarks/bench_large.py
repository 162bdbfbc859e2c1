"""Load: a large mailbox to Parquet and a large table to JSON Lines, with peak memory and rate.

``make bench-large`` writes 200,000 mails and 1,000,000 messages into a temporary folder, scores
each with two jobs in a process of its own, and compares with the standard library's iteration of
the same mailbox. ``--scale 0.1`` does a tenth. It takes as long as it takes: minutes to an hour.
"""

from __future__ import annotations

import argparse
import mailbox
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from bench import short_messages, table, write_mbox

MAILS = 200_000
MESSAGES = 1_000_000
TEXTS = 20_000
JOBS = 2
MB = 1 << 20


def write_csv(path: Path, count: int) -> None:
    """Write a table of messages, five a thread."""
    texts = short_messages(TEXTS)
    with path.open("w", encoding="utf-8") as handle:
        handle.write("id,thread,role,text\n")
        for i in range(count):
            role = "agent" if i % 5 in {1, 3} else "customer"
            text = texts[i % TEXTS].replace('"', '""')
            handle.write(f'{i},t{i // 5},{role},"{text}"\n')


def resident_bytes(process: int) -> int:
    """Memory of a process and all below it; pages that they share are divided among them."""
    total = 0
    waiting = [process]
    while waiting:
        home = Path("/proc", str(waiting.pop()))
        try:
            rollup = (home / "smaps_rollup").read_text()
            children = [(task / "children").read_text() for task in (home / "task").iterdir()]
        except OSError:  # it ended meanwhile
            continue
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:")
        waiting += [int(child) for line in children for child in line.split()]
    return total * 1024


class Run(NamedTuple):
    """What a run took: seconds on the clock and of the processors, and peak memory in MB."""

    seconds: float
    processor: float
    peak: float


def run(source: Path, out: Path, *options: str) -> Run:
    """Score in another process."""
    command = [sys.executable, "-m", "customer_nlp", "score", source, "--out", out, *options]
    start, before = time.perf_counter(), os.times()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.25):
            peak = max(peak, resident_bytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"customer-nlp ended with {code}")
    after = os.times()
    processor = sum(after[2:4]) - sum(before[2:4])
    return Run(seconds, processor, peak / MB)


def standard_seconds(path: Path) -> float:
    """Iterate with the standard library, payloads decoded."""
    start = time.perf_counter()
    for mail in mailbox.mbox(path):
        mail.get_payload(decode=True)
    return time.perf_counter() - start


def rate(count: int, seconds: float) -> str:
    """Show how many a second."""
    return f"{count / seconds:,.0f}"


def main() -> int:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    scale = parser.parse_args().scale
    mails, messages = int(MAILS * scale), int(MESSAGES * scale)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        box, sheet = folder / "box.mbox", folder / "table.csv"
        write_mbox(box, mails)
        write_csv(sheet, messages)
        standard = standard_seconds(box)
        jobs = ("--jobs", str(JOBS))
        ours = run(box, folder / "o.parquet", "--own-domain", "firm.example", *jobs)
        ratio = ours.seconds / standard
        rows = [
            (f"mbox, {mails:,} mails to Parquet: mails/s", rate(mails, ours.seconds), ">= 3,000"),
            ("mbox: mails a processor second", rate(mails, ours.processor), ""),
            ("mbox: time / mailbox + payload decoding", f"{ratio:.2f}x", "<= 2.5x"),
            ("mbox: peak memory, all processes", f"{ours.peak:,.0f} MB", "<= 600 MB"),
        ]
        table(rows)
        ours = run(sheet, folder / "o.jsonl", *jobs)
        rows = [
            (f"CSV, {messages:,} messages: messages/s", rate(messages, ours.seconds), ""),
            ("CSV: messages a processor second", rate(messages, ours.processor), ""),
            ("CSV: peak memory, all processes", f"{ours.peak:,.0f} MB", "<= 600 MB"),
        ]
        table(rows)
    print(f"{JOBS} jobs on {os.cpu_count()} processors")
    return 0


if __name__ == "__main__":
    sys.exit(main())

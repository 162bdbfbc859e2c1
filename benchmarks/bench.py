"""Speed, as ratios to well-known work done in the same run, so that they hold on any machine.

``make bench`` prints a table. One core: the threads of numerical libraries are held at one.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import json
import mailbox
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import customer_nlp

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5
MESSAGES = 20_000
MAILS = 20_000
TWEET_CHARS = 95
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
START = """
import time; start = time.perf_counter()
import customer_nlp
customer_nlp.load()
print(time.perf_counter() - start)
"""
MEMORY = """
import resource, sys, tempfile, pathlib
from customer_nlp import batch
batch.score([sys.argv[1]], pathlib.Path(tempfile.mkdtemp()) / "o.jsonl")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def median_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median wall time of several runs, after one that is not counted."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def short_messages(count: int) -> list[str]:
    """Sentences of the written corpus, cut to the length of a tweet."""
    sentences = []
    for line in (ROOT / "data/corpus/threads.jsonl").read_text(encoding="utf-8").splitlines():
        for message in json.loads(line)["messages"]:
            if message["role"] == "customer":
                words = message["new_text"].split()
                text = ""
                for word in words:
                    text = f"{text} {word}".strip()
                    if len(text) >= TWEET_CHARS:
                        sentences.append(text)
                        text = ""
    random.Random(0).shuffle(sentences)
    return [sentences[i % len(sentences)] for i in range(count)]


def table(rows: list[tuple[str, str, str]]) -> None:
    """Print measured against wanted."""
    width = max(len(row[0]) for row in rows)
    for name, measured, wanted in rows:
        print(f"{name:<{width}}  {measured:>14}  {wanted}")


def bench_signals(rows: list[tuple[str, str, str]]) -> None:
    """Signals of short messages against one TF-IDF label, and against splitting into words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = short_messages(MESSAGES)
    labels = [int("?" in text) for text in texts]
    peer = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    peer.fit(texts, labels)
    analyzer = customer_nlp.load()
    ours = median_seconds(lambda: analyzer.signals(texts))
    theirs = median_seconds(lambda: peer.predict(texts))
    words = median_seconds(lambda: [re.findall(r"\w+", text.lower()) for text in texts])
    rows += [
        ("signals: messages/s", f"{MESSAGES / ours:,.0f}", ""),
        ("signals: speed / TF-IDF(1-2)+LR, one label", f"{theirs / ours:.2f}x", ">= 3x"),
        ("signals: time / lower + findall", f"{ours / words:.2f}x", "<= 4x"),
    ]
    flat = [
        median_seconds(lambda n=n: analyzer.signals((texts * 3)[:n]), 3) / n  # type: ignore[misc]
        for n in (1000, 50_000)
    ]
    rows.append(("signals: cost a message, 50,000 / 1,000", f"{flat[1] / flat[0]:.2f}x", "flat"))


def bench_single(rows: list[tuple[str, str, str]]) -> None:
    """One message, and a thread of six."""
    analyzer = customer_nlp.load()
    texts = short_messages(2000)
    times = []
    for text in texts:
        start = time.perf_counter()
        analyzer.signals([text])
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    thread = [
        {"role": "agent" if i % 2 else "customer", "text": " ".join(texts[3 * i : 3 * i + 3])}
        for i in range(6)
    ]
    one = median_seconds(lambda: [analyzer.analyze(thread) for _ in range(20)]) / 20 * 1e3
    rows += [
        ("one message, p50", f"{times[len(times) // 2]:.3f} ms", "<= 0.15 ms"),
        ("one message, p99", f"{times[int(len(times) * 0.99)]:.3f} ms", "<= 1 ms"),
        ("analyze, 6 messages with evidence", f"{one:.2f} ms", "<= 2 ms"),
    ]


def write_mbox(path: Path, count: int) -> None:
    """Write a mailbox of plain mails, half of them replies that quote."""
    texts = short_messages(count)
    with path.open("wb") as handle:
        for i in range(count):
            reply = i % 2
            text = "\n".join(texts[(i + k) % count] for k in range(4))
            parent = f"In-Reply-To: <{i - 1}@a.example>\n" if reply else ""
            quote = (
                "\n\nOn Mon, 2 Mar 2026 at 09:14, Ann <ann@a.example> wrote:\n> "
                + texts[i - 1] + "\n" if reply else ""
            )  # fmt: skip
            who = "help@firm.example" if reply else f"c{i}@a.example"
            to = f"c{i - 1}@a.example" if reply else "help@firm.example"
            handle.write(
                f"From {who} Mon Mar  2 09:14:00 2026\nMessage-ID: <{i}@a.example>\n{parent}"
                f"Date: Mon, 2 Mar 2026 09:{i // 60 % 60:02}:{i % 60:02} +0000\n"
                f"From: {who}\nTo: {to}\nSubject: {'Re: ' * reply}Order {i // 2}\n"
                f"Content-Type: text/plain; charset=utf-8\n\nHello,\n\n{text}\n\n"
                f"Kind regards,\nC{quote}\n\n".encode()
            )


def bench_mbox(rows: list[tuple[str, str, str]]) -> None:
    """Read a mailbox to recommendations, against the standard library's own iteration."""
    from customer_nlp import batch

    analyzer = customer_nlp.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "box.mbox"
        write_mbox(path, MAILS)

        def standard() -> None:
            for mail in mailbox.mbox(path):
                mail.get_payload(decode=True)

        def ours() -> None:
            batch.score([path], Path(folder) / "out.jsonl", analyzer=analyzer,
                        own_domains=["firm.example"])  # fmt: skip

        theirs, mine = median_seconds(standard, 3), median_seconds(ours, 3)
    rows += [
        ("mbox: mails/s, read to recommendations", f"{MAILS / mine:,.0f}", ""),
        ("mbox: time / mailbox + payload decoding", f"{mine / theirs:.2f}x", "<= 4x"),
    ]


def bench_start(rows: list[tuple[str, str, str]]) -> None:
    """Import and load in a new process, memory of the demo, size on disk."""

    def run(script: str, *arguments: str) -> float:
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True, text=True, check=True, env=compiled,
        )  # fmt: skip
        return float(done.stdout)

    # as an installed package starts: its modules are compiled once, when it is installed
    compiled = {name: os.environ[name] for name in os.environ if name != _NO_BYTECODE}
    run(START)
    start = statistics.median(run(START) for _ in range(RUNS))
    memory = run(MEMORY, str(ROOT / "data/sample_inbox.mbox"))
    size = sum(path.stat().st_size for path in (ROOT / "models/en").iterdir()) / 1e6
    rows += [
        ("import + load, new process", f"{start:.2f} s", "<= 0.25 s"),
        ("memory of scoring the sample", f"{memory:.0f} MB", "<= 200 MB"),
        ("model on disk", f"{size:.1f} MB", "<= 20 MB"),
    ]


def main() -> int:
    """Run all and print the table."""
    rows: list[tuple[str, str, str]] = []
    for bench in (bench_start, bench_signals, bench_single, bench_mbox):
        bench(rows)
    table(rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this run: {peak:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Spark on a local cluster of two executors against this machine alone, from 10^4 to 10^6 rows.

``make bench-spark`` prints a table in Markdown. The messages are sentences of the sample inbox in
new orders, five a thread. ``rows`` adds the signals to each message, in one process beside two
executors; ``threads`` gives one row a thread, where the other side is ``score --jobs 2``. Starting
the cluster is timed apart; each number is of one run after a small one that is not counted.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import customer_nlp
from customer_nlp import spark

#: A way through the rows, and its seconds.
Timings = Iterator[tuple[str, float]]

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from spark_cluster import session

SIZES = (10_000, 100_000, 1_000_000)
WARM_ROWS = 1000
TURNS = 5
ROWS_AT_ONCE = 50_000
EXECUTORS = 2


def sentences() -> list[str]:
    """Return what customers and agents of the sample inbox say, sentence by sentence."""
    threads = customer_nlp.read(
        ROOT / "data/sample_inbox.mbox", own_domains=("brightwell.example",)
    )
    texts = [message.new_text for thread in threads for message in thread.messages]
    found = {one.strip() for text in texts for one in text.replace("\n", " ").split(". ")}
    return sorted(found - {""})


def batches(count: int) -> Iterator[pa.RecordBatch]:
    """Make messages; the same ones each time."""
    known, draw = sentences(), random.Random(0)
    for start in range(0, count, ROWS_AT_ONCE):
        rows = range(start, min(start + ROWS_AT_ONCE, count))
        texts = [". ".join(draw.choices(known, k=draw.randint(1, 4))) for _ in rows]
        roles = ["agent" if i % TURNS in {1, 3} else "customer" for i in rows]
        threads = [f"t{i // TURNS}" for i in rows]
        yield pa.RecordBatch.from_pydict({"thread": threads, "role": roles, "text": texts})


def write_parquet(path: Path, count: int) -> None:
    """Write the messages in one file, with row groups that executors can share."""
    parts = batches(count)
    first = next(parts)
    group = max(count // (2 * EXECUTORS), 1)
    with pq.ParquetWriter(path, first.schema) as writer:
        for part in (first, *parts):
            writer.write_table(pa.Table.from_batches([part]), row_group_size=group)


def seconds(work: Callable[[], object]) -> float:
    """Time one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def on_spark(cluster: Any, source: Path, **options: str) -> None:
    """Read, score and write, where the sink throws all away."""
    frame = cluster.read.parquet(str(source)).repartition(2 * EXECUTORS)
    spark.score(frame, text="text", **options).write.format("noop").mode("overwrite").save()


def row_by_row(analyzer: customer_nlp.Analyzer, source: Path) -> None:
    """Score the rows of a file in this process, a batch at a time."""
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            analyzer.score_frame(batch, text="text")


def with_jobs(source: Path, out: Path) -> None:
    """Score the threads of a file with ``score --jobs 2``."""
    command = [sys.executable, "-m", "customer_nlp", "score", source, "--out", out, "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def measure(cluster: Any, folder: Path, count: int, *, by_thread: bool) -> Timings:
    """Yield seconds of each way through so many rows."""
    source, out = folder / f"{count}.parquet", folder / "out.parquet"
    write_parquet(source, count)
    analyzer = customer_nlp.load()
    yield "rows, `score_frame`", seconds(lambda: row_by_row(analyzer, source))
    yield "rows, Spark", seconds(lambda: on_spark(cluster, source))
    if by_thread:
        yield "threads, `score --jobs 2`", seconds(lambda: with_jobs(source, out))
        yield "threads, Spark", seconds(lambda: on_spark(cluster, source, thread="thread"))


def main() -> int:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="sizes of the table")
    parser.add_argument(
        "--most-by-thread",
        type=int,
        default=max(SIZES),
        help="rows up to which threads are scored, too; a million takes an hour and a half",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        with session(Path(name), f"local-cluster[{EXECUTORS},1,1024]") as cluster:
            list(measure(cluster, Path(name), WARM_ROWS, by_thread=True))
            print(f"cluster up and warm: {time.perf_counter() - start:.0f} s\n")
            print("| way | rows | s | rows/s | ms a row |\n|---|---:|---:|---:|---:|")
            for count in options.rows:
                by_thread = count <= options.most_by_thread
                for way, taken in measure(cluster, Path(name), count, by_thread=by_thread):
                    each = f"{count / taken:,.0f} | {taken / count * 1e3:.3f}"
                    print(f"| {way} | {count:,} | {taken:.1f} | {each} |", flush=True)
    print(f"\n{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

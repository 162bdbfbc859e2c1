"""A killed run goes on to the same bytes; what stands in the way is said; nothing is lost."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from customer_nlp import batch
from customer_nlp.analyzer import Analyzer
from customer_nlp.batch import _spool
from customer_nlp.errors import SourceError
from customer_nlp.readers import read

KILLS = 7
ROOT = Path(__file__).resolve().parents[1]


def _table(path: Path, threads: int = 800) -> Path:
    lines = ["id,thread,text"]
    for number in range(threads):
        text = "I am still waiting for my refund" if number % 40 == 0 else "ok"
        lines.append(f"{number},t{number},{text}")
        if number % 100 == 7:
            lines.append(f"{number},t{number},a,cell,too,many")
    path.write_text("\n".join(lines) + "\n")
    return path


def _start(source: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "customer_nlp", "score", source, "--out", out, *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _written(out: Path) -> list[bytes]:
    return [path.read_bytes() for path in (out, out.with_name(f"{out.name}.rejects.jsonl"))]


@pytest.mark.parametrize(("ending", "seed"), [("jsonl", 11), ("csv", 12), ("parquet", 13)])
def test_killed_at_random_moments_it_gives_the_same_bytes(
    tmp_path: Path, ending: str, seed: int, record_property
):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    source = _table(tmp_path / "in.csv")
    whole = tmp_path / f"whole.{ending}"
    begin = time.monotonic()
    assert _start(source, whole).wait() == 0
    seconds = time.monotonic() - begin
    chance = random.Random(seed)
    record_property("seed", seed)
    (tmp_path / "killed").mkdir()
    out = tmp_path / "killed" / f"out.{ending}"
    kills = 0
    while kills < KILLS:
        run = _start(source, out, "--resume")
        time.sleep(chance.uniform(0.2, 1.0) * seconds)
        run.send_signal(signal.SIGKILL)
        if run.wait() == -signal.SIGKILL:
            kills += 1
        else:  # it was done before; the next one starts anew
            assert _written(out) == _written(whole)
            out.unlink()
    assert _start(source, out, "--resume").wait() == 0
    assert _written(out) == _written(whole)
    assert sorted(path.name for path in out.parent.iterdir()) == [
        out.name, f"{out.name}.rejects.jsonl"
    ]  # fmt: skip


def _workers(process: int) -> list[Path]:
    tasks = Path("/proc", str(process), "task").glob("*/children")
    return [Path("/proc", child) for task in tasks for child in task.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_a_killed_run_of_two_jobs_takes_its_workers_with_it(tmp_path: Path, analyzer: Analyzer):
    source, out = _table(tmp_path / "in.csv", 4000), tmp_path / "out.jsonl"
    run = _start(source, out, "--jobs", "2")
    part = out.with_name(".out.jsonl.part")
    while run.poll() is None and not (part.exists() and part.stat().st_size):
        time.sleep(0.02)
    workers = _workers(run.pid)
    run.kill()
    assert run.wait() == -signal.SIGKILL
    assert len(workers) >= 2
    deadline = time.monotonic() + 20
    while any(worker.exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if worker.exists()]
    _resume(source, out, analyzer)
    batch.score([source], tmp_path / "whole.jsonl", analyzer=analyzer)
    assert _written(out) == _written(tmp_path / "whole.jsonl")


class _Stopped(BaseException):
    """Stands for a kill in tests within this process: nothing may catch it."""


@pytest.fixture
def broken_off(tmp_path: Path, analyzer: Analyzer) -> tuple[Path, Path]:
    """A source, and an output that broke off after two blocks of 256 threads."""
    source, out = _table(tmp_path / "in.csv", 700), tmp_path / "out" / "out.jsonl"
    out.parent.mkdir()
    seen = 0

    def stop(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 600:
            raise _Stopped

    with pytest.raises(_Stopped):
        batch.score([source], out, analyzer=analyzer, on_record=stop)
    assert not out.exists()
    return source, out


def _resume(source: Path, out: Path, analyzer: Analyzer, **options: object) -> batch.Summary:
    return batch.score([source], out, analyzer=analyzer, resume=True, **options)


def test_it_scores_only_what_is_missing_and_counts_all(broken_off, tmp_path: Path, analyzer):
    source, out = broken_off
    seen: list[str] = []
    summary = _resume(source, out, analyzer, on_record=lambda thread, _: seen.append(thread.id))
    assert seen == [f"t{number}" for number in range(512, 700)]
    whole = tmp_path / "whole.jsonl"
    assert summary == batch.score([source], whole, analyzer=analyzer)
    assert _written(out) == _written(whole)


def test_without_resume_it_starts_anew(broken_off, analyzer):
    source, out = broken_off
    seen: list[str] = []
    batch.score([source], out, analyzer=analyzer, on_record=lambda one, _: seen.append(one.id))
    assert len(seen) == 700


def test_a_journal_cut_anywhere_gives_the_same_bytes(broken_off, tmp_path: Path, analyzer):
    source, out = broken_off
    journal, part = Path(f"{out}.journal"), out.with_name(".out.jsonl.part")
    kept = journal.read_bytes(), part.read_bytes()
    batch.score([source], tmp_path / "whole.jsonl", analyzer=analyzer)
    lines = kept[0].splitlines(keepends=True)
    for length in (10, len(lines[0]), len(lines[0]) + 9, len(kept[0]) - len(lines[-1]) // 2):
        journal.write_bytes(kept[0][:length])
        part.write_bytes(kept[1] + b"half a li")
        _resume(source, out, analyzer)
        assert _written(out) == _written(tmp_path / "whole.jsonl")


@pytest.mark.parametrize("name", ["out.jsonl.journal", ".out.jsonl.part"])
def test_a_changed_journal_or_part_is_not_believed(broken_off, analyzer, name: str):
    source, out = broken_off
    path = out.with_name(name)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=r"do not fit together.*without --resume"):
        _resume(source, out, analyzer)
    assert not out.exists()
    assert path.read_bytes() == raw


def test_a_changed_source_or_other_options_are_named(broken_off, analyzer):
    source, out = broken_off
    with pytest.raises(SourceError, match="another run: the options changed"):
        _resume(source, out, analyzer, every_turn=True)
    with source.open("a") as file:
        file.write("9999,t9999,one more\n")
    with pytest.raises(SourceError, match=r"another run: the source in\.csv changed"):
        _resume(source, out, analyzer)
    assert not out.exists()


def test_two_sources_of_one_name_both_count(broken_off, tmp_path: Path, analyzer):
    source, out = broken_off
    (tmp_path / "more").mkdir()
    other = _table(tmp_path / "more" / source.name, 10)
    with pytest.raises(SourceError, match=r"another run: the source in\.csv changed"):
        batch.score([other, source], out, analyzer=analyzer, resume=True)


def test_two_runs_do_not_write_one_output(inbox: Path, tmp_path: Path, analyzer):
    out = tmp_path / "out.jsonl"
    first = _spool.Spool(out, {}, resume=False)
    with pytest.raises(SourceError, match="Another run is writing this output"):
        batch.score([inbox], out, analyzer=analyzer)
    first.abandon()
    assert batch.score([inbox], out, analyzer=analyzer).threads == 2


def test_a_link_in_the_place_of_the_part_file_is_not_followed(broken_off, tmp_path, analyzer):
    source, out = broken_off
    other = tmp_path / "other.txt"
    part = out.with_name(".out.jsonl.part")
    part.rename(other)
    part.symlink_to(other)
    before = other.read_bytes()
    with pytest.raises(SourceError, match="do not fit together"):
        _resume(source, out, analyzer)
    batch.score([source], out, analyzer=analyzer)
    assert other.read_bytes() == before


def test_a_full_disk_keeps_what_was_done(tmp_path: Path, analyzer: Analyzer):
    source, out = _table(tmp_path / "in.csv", 900), tmp_path / "out.jsonl"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))

    command = [sys.executable, "-m", "customer_nlp", "score", source, "--out", out]
    done = subprocess.run(
        command, cwd=ROOT, preexec_fn=small, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "The output cannot be written: File too large" in done.stderr
    assert not out.exists()
    assert Path(f"{out}.journal").exists()
    _resume(source, out, analyzer)
    batch.score([source], tmp_path / "whole.jsonl", analyzer=analyzer)
    assert _written(out) == _written(tmp_path / "whole.jsonl")


def test_a_place_that_cannot_be_written(inbox: Path, analyzer):
    with pytest.raises(SourceError, match="output cannot be written"):
        batch.score([inbox], "/proc/out.jsonl", analyzer=analyzer)


@pytest.mark.parametrize(
    ("harm", "match"),
    [
        (lambda path: path.unlink(), "vanished while it was read"),
        (lambda path: os.truncate(path, 500), "rewritten while it was read"),
        (lambda path: path.write_text("id,text\n" + "1,x\n" * 5000), "rewritten while it was"),
    ],
)
def test_a_source_that_goes_while_it_is_read(tmp_path: Path, analyzer, harm, match: str):
    source, out = _table(tmp_path / "in.csv", 100), tmp_path / "out.jsonl"
    with pytest.raises(SourceError, match=match):
        batch.score(
            [source], out, analyzer=analyzer,
            on_record=lambda thread, _: harm(source) if thread.id == "t5" else None,
        )  # fmt: skip
    assert not out.exists()


def test_a_source_may_grow_while_it_is_read(inbox: Path, tmp_path: Path, analyzer):
    def grow(*_: object) -> None:
        with inbox.open("a") as file:
            file.write("From x@y.example Mon Mar  2 09:14:00 2026\nSubject: later\n\nhello\n\n")

    assert (
        batch.score([inbox], tmp_path / "o.jsonl", analyzer=analyzer, on_record=grow).threads == 2
    )


def test_an_mbox_cut_short_while_it_is_read(inbox: Path):
    reasons: list[str] = []
    threads = read(inbox, on_error=lambda error: reasons.append(error.reason))
    next(threads)
    os.truncate(inbox, 10)
    assert list(threads) == []  # nor is the process ended by the system, as with a mapped file
    assert reasons[-1] == "cannot be opened: the file was cut short while it was read"


def test_progress_goes_from_nothing_to_all(tmp_path: Path, analyzer):
    source = _table(tmp_path / "in.csv", 300)
    shown: list[batch.Progress] = []
    batch.score([source], tmp_path / "o.jsonl", analyzer=analyzer, on_progress=shown.append)
    fractions = [one.fraction for one in shown]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < 0.5
    assert fractions[-1] == 1
    assert shown[-1][:3] == (300, 300, 3)


def test_journal_and_part_hold_no_more_than_the_output(broken_off):
    _, out = broken_off
    said = json.loads(Path(f"{out}.journal").read_text().splitlines()[-1].partition(" ")[2])
    assert set(said) == {"end", "threads", "sha256", "state"}

"""A growing inbox: only what changed since the last run is written about."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from customer_nlp import batch
from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError, SourceError

ROOT = Path(__file__).resolve().parents[1]
REPLY = (
    "From bob@kunde.example Wed Mar  4 09:00:00 2026\nMessage-ID: <4@kunde.example>\n"
    "In-Reply-To: <3@kunde.example>\nDate: Wed, 4 Mar 2026 09:00:00 +0000\n"
    "From: bob@kunde.example\nTo: help@firma.example\nSubject: Re: Opening hours\n\n"
    "You still have not answered me.\n\n"
)


class Nightly:
    """The same command, night after night."""

    def __init__(self, folder: Path, analyzer: Analyzer) -> None:
        self.state, self.out = folder / "state.db", folder / "changed.jsonl"
        self._analyzer = analyzer

    def __call__(self, *sources: Path, **options: object) -> list[str]:
        options = {"own_domains": ["firma.example"], "since_state": self.state} | options
        self.summary = batch.score(sources, self.out, analyzer=self._analyzer, **options)
        lines = self.out.read_text().splitlines()
        return [json.loads(line)["thread_id"] for line in lines]


@pytest.fixture
def nightly(tmp_path: Path, analyzer: Analyzer) -> Nightly:
    return Nightly(tmp_path, analyzer)


def test_only_the_thread_with_a_new_mail_is_scored(inbox: Path, nightly: Nightly):
    assert nightly(inbox) == ["1@kunde.example", "3@kunde.example"]
    assert nightly(inbox) == []
    assert nightly.summary.unchanged == 2
    with inbox.open("a") as file:
        file.write(REPLY)
    assert nightly(inbox) == ["3@kunde.example"]
    assert "unchanged since the last run: 1 threads" in nightly.summary.lines()
    assert nightly(inbox) == []


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_growing_table(tmp_path: Path, nightly: Nightly, ending: str):
    source = tmp_path / f"in.{ending}"

    def write(*threads: str) -> None:
        if ending == "csv":
            source.write_text("thread,text\n" + "".join(f"{t},hello {t}\n" for t in threads))
        else:
            rows = ({"thread": t, "text": f"hello {t}"} for t in threads)
            source.write_text("".join(json.dumps(row) + "\n" for row in rows))

    write("a", "b")
    assert nightly(source) == ["a", "b"]
    write("a", "b", "c", "a")
    assert nightly(source) == ["a", "c"]
    write("c")  # rewritten and shorter
    assert nightly(source) == []
    write("b", "c")  # back after it was gone
    assert nightly(source) == ["b"]


def test_a_growing_maildir(inbox: Path, tmp_path: Path, nightly: Nightly):
    maildir = tmp_path / "Maildir"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    mails = inbox.read_bytes().split(b"From ")
    (maildir / "new" / "1").write_bytes(b"".join(mails[1].partition(b"\n")[2:]))
    assert nightly(maildir) == ["1@kunde.example"]
    (maildir / "new" / "1").rename(maildir / "cur" / "1:2,S")  # read by somebody
    (maildir / "new" / "3").write_text(REPLY.partition("\n")[2])
    assert nightly(maildir) == ["3@kunde.example"]


def test_sources_are_kept_apart(inbox: Path, tmp_path: Path, nightly: Nightly):
    other = tmp_path / "other.mbox"
    shutil.copy(inbox, other)
    nightly(inbox)
    assert len(nightly(inbox, other)) == 2


def test_other_options_make_everything_new(inbox: Path, nightly: Nightly):
    nightly(inbox)
    assert len(nightly(inbox, every_turn=True)) == 2
    assert nightly(inbox, every_turn=True) == []


def test_a_run_that_breaks_off_leaves_the_state_as_it_was(inbox: Path, nightly: Nightly):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nightly(inbox, on_record=stop)
    assert nightly(inbox) == ["1@kunde.example", "3@kunde.example"]


def test_the_state_holds_no_text(inbox: Path, nightly: Nightly):
    nightly(inbox)
    raw = nightly.state.read_bytes()
    assert b"kettle" not in raw
    assert b"Saturday" not in raw


def test_a_state_that_is_none(inbox: Path, nightly: Nightly):
    nightly.state.write_text("a text file that is not a database at all, and long enough" * 9)
    with pytest.raises(SourceError, match="got another kind of file"):
        nightly(inbox)
    nightly.state.unlink()
    with sqlite3.connect(nightly.state) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(SourceError, match="got another kind of file"):
        nightly(inbox)
    with pytest.raises(InvalidRecordError, match="another file than the sources"):
        nightly(inbox, since_state=inbox)
    assert not nightly.out.exists()


def test_a_state_in_use(inbox: Path, nightly: Nightly):
    nightly(inbox)
    with sqlite3.connect(nightly.state, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SourceError, match="state cannot be used: database is locked"):
            nightly(inbox)
        other.execute("ROLLBACK")
    other.close()


def test_the_same_policy_is_the_same_in_every_process(inbox: Path, tmp_path: Path):
    rules = tmp_path / "policy.toml"
    rules.write_text('off = ["retain", "make_good", "close", "reconcile_answers", "walk_through"]')
    for seed in "123":
        out = tmp_path / f"{seed}.jsonl"
        command = ["score", inbox, "--out", out, "--since-state", tmp_path / "state"]
        subprocess.run(
            [sys.executable, "-m", "customer_nlp", *command, "--policy", rules],
            cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True,
        )  # fmt: skip
        assert bool(out.read_bytes()) == (seed == "1")

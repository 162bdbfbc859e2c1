"""The queue: nothing is lost, nothing is done twice, whoever dies."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("fastapi")

import httpx
from serving import burst, comment, wait_for
from test_verify import SECRET

from customer_nlp.analyzer import Analyzer
from customer_nlp.cli import main
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.records import Message, Thread
from customer_nlp.serve._settings import Settings
from customer_nlp.serve._store import Arrival, KeptThread, NewJob, Store
from customer_nlp.serve._work import Workers, joined, stake
from customer_nlp.serve._writeback import WriteBack

#: Deliveries in the burst; `make soak-serve` sends more.
BURST = int(os.environ.get("CUSTOMER_NLP_SOAK", "300"))
ROUNDS = 5
LEASE = {"lease_seconds": 60.0, "attempts": 3}
DAY_SECONDS = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 1_772_442_840.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL server on a socket of its own."""
    pytest.importorskip("psycopg")
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip("PostgreSQL is not installed")
    # the server refuses to run as root, and pytest's own folder is closed to others
    user: dict[str, str] = {"user": "postgres"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:

        def run(*words: str) -> None:
            subprocess.run(words, check=True, capture_output=True, cwd="/", timeout=300, **user)

        data = f"{home}/data"
        try:
            if user:
                shutil.chown(home, "postgres")
            run("initdb", "-D", data, "-A", "trust", "-U", "test", "--no-sync")
            run("pg_ctl", "-D", data, "-w", "-t", "200", "-l", f"{home}/log",
                "-o", f"-k {home} -h ''", "start")  # fmt: skip
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            pytest.skip(f"PostgreSQL does not start: {type(error).__name__}")
        try:
            yield f"postgresql+psycopg://test@/postgres?host={home}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'q.db'}"
    else:
        url = request.getfixturevalue("postgres")
    made = Store(url, clock=Clock())
    yield made
    with made.writing() as connection:
        for table in ("jobs", "deliveries", "threads", "feedback", "api_keys"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    made.close()


def job(key: str) -> NewJob:
    return NewJob("hook", "zendesk", key, b"{}")


def kept(identifier: str, version: int, *words: str) -> KeptThread:
    messages = tuple(Message("customer", text, id=str(at)) for at, text in enumerate(words))
    return KeptThread(identifier, Thread(identifier, messages), {"primary": None}, 1.0, version)


def test_a_delivery_is_taken_in_once_a_tenant(store: Store) -> None:
    mine, theirs = store.of("mine"), store.of("theirs")
    assert mine.take_in(["a", "b"], job("1"))
    assert not mine.take_in(["b", "c"], job("2"))
    assert not mine.take_in(["d"], job("1"))
    assert theirs.take_in(["a", "b"], job("1"))
    assert store.queue_sizes() == {"queued": 2}


def test_of_deliveries_taken_in_together_each_stands_or_falls_alone(store: Store) -> None:
    def arrival(tenant: str, *keys: str) -> Arrival:
        return Arrival(tenant, keys, job(keys[0]))

    together = [
        arrival("b", "2"),
        arrival("a", "1", "x"),
        arrival("a", "3", "x"),
        arrival("a", "2"),
    ]
    assert store.take_in(together) == [True, True, False, True]
    assert store.take_in([arrival("a", "1"), arrival("a", "3")]) == [False, True]
    assert store.take_in([]) == []
    assert store.queue_sizes() == {"queued": 4}


def test_a_job_is_given_to_one_and_given_back_by_the_dead(store: Store) -> None:
    store.of("a").take_in(["1"], job("1"))
    first = store.claim(**LEASE)
    assert first is not None
    assert store.claim(**LEASE) is None
    store.clock.now += LEASE["lease_seconds"] + 1
    second = store.claim(**LEASE)
    assert second is not None
    assert (second.id, second.attempts) == (first.id, 2)
    # the first comes back to life too late: what it did counts for nothing
    assert store.finish(first, kept=kept("z/1", 1, "late"))
    assert store.of("a").thread("z/1") is None
    assert store.finish(second, kept=kept("z/1", 1, "in time"))
    assert store.of("a").thread("z/1").thread.messages[0].text == "in time"
    assert store.queue_sizes() == {"done": 1}


def test_what_kills_its_workers_is_a_dead_letter(store: Store) -> None:
    store.of("a").take_in(["1"], job("1"))
    for _ in range(LEASE["attempts"]):
        assert store.claim(**LEASE) is not None
        store.clock.now += LEASE["lease_seconds"] + 1
    assert store.claim(**LEASE) is None
    [letter] = store.dead_letters()
    assert letter["reason"] == "its worker was lost each time"
    assert store.replay() == 1
    assert store.claim(**LEASE).attempts == 1


def test_failures_wait_longer_each_time(store: Store) -> None:
    store.of("a").take_in(["1"], job("1"))
    waits = []
    for _ in range(3):
        at = store.clock.now
        store.put_off(store.claim(**LEASE), "away")
        with store.reading() as connection:
            due = connection.exec_driver_sql("SELECT due_at FROM jobs").scalar_one()
        waits.append(due - at)
        store.clock.now = due
    assert waits[0] < waits[1] < waits[2]


def test_a_wait_that_the_other_side_names_is_kept_and_not_counted(store: Store) -> None:
    store.of("a").take_in(["1"], job("1"))
    store.put_off(store.claim(**LEASE), "answered 429", seconds=90)
    store.clock.now += 89
    assert store.claim(**LEASE) is None
    store.clock.now += 2
    assert store.claim(**LEASE).attempts == 1


def test_two_who_change_one_thread_do_not_lose_a_message(store: Store) -> None:
    mine = store.of("a")
    for number in ("1", "2", "3"):
        mine.take_in([number], job(number))
    jobs = [store.claim(**LEASE) for _ in range(3)]
    assert store.finish(jobs[0], kept=kept("z/1", 1, "one"))
    assert not store.finish(jobs[1], kept=kept("z/1", 1, "two"))  # made from no thread
    assert store.finish(jobs[1], kept=kept("z/1", 2, "one", "two"))
    assert not store.finish(jobs[2], kept=kept("z/1", 2, "one", "three"))
    assert store.queue_sizes() == {"done": 2, "queued": 1}
    assert len(mine.thread("z/1").thread) == 2


def test_many_workers_share_the_queue(store: Store) -> None:
    for number in range(40):
        store.of("a").take_in([str(number)], job(str(number)))
    done: list[int] = []

    def work() -> None:
        while (one := store.claim(**LEASE)) is not None:
            assert store.finish(one)
            done.append(one.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Counter(done).values()) == {1}
    assert store.queue_sizes() == {"done": 40}


def test_names_that_no_database_takes_are_kept_all_the_same(store: Store) -> None:
    mine = store.of("a")
    for name in ("nul\0", "lone \ud800", "x" * 5000, "zendesk/ü"):
        assert mine.take_in([name], job(name))
        assert store.finish(store.claim(**LEASE), kept=kept(name, 1, "words \0 \ud800"))
        assert mine.thread(name).thread.messages[0].text == "words \0 \ud800"


def test_old_things_are_deleted_and_sessions_end(store: Store) -> None:
    mine = store.of("a")
    mine.take_in(["1"], job("1"))
    store.finish(store.claim(**LEASE), kept=kept("z/1", 1, "words"))
    mine.add_feedback("z/1", {"verdict": "agree"})
    word = store.add_key("a")
    session = store.add_key("a", ["read"], seconds=60, parent=store.key(word).id)
    assert store.key(session).scopes == {"read"}
    store.clock.now += 61
    assert store.key(session) is None
    store.clock.now += 91 * DAY_SECONDS
    store.purge(retention_days=90)
    assert (mine.threads(), list(mine.feedback()), store.queue_sizes()) == ([], [], {})
    assert store.key(word) is not None
    assert mine.take_in(["1"], job("1"))


def test_revoking_a_key_ends_its_sessions(store: Store) -> None:
    word = store.add_key("a")
    session = store.add_key("a", parent=store.key(word).id)
    assert [one.tenant for one in store.given_keys()] == ["a"]
    assert store.revoke(store.key(word).id)
    assert (store.key(word), store.key(session), store.given_keys()) == (None, None, [])
    assert not store.revoke("unknown")


@pytest.mark.parametrize(
    ("url", "says"),
    [("no url", "must be an URL"), ("oracle9://x", "must be an URL"),
     ("mysql://user@host/name", "must be an URL"),
     ("sqlite:////no/such/folder/q.db", "cannot be opened")],
)  # fmt: skip
def test_a_database_that_cannot_be_is_named(
    url: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--database", url, "--keys"]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tenant", "scopes", "match"),
    [
        ("A b", ["read"], "A tenant is named"),
        ("a", ["all"], "scopes must be some"),
        ("a", [], "scopes must be some"),
    ],
)
def test_keys_that_cannot_be(store: Store, tenant: str, scopes: list[str], match: str) -> None:
    with pytest.raises(InvalidRecordError, match=match):
        store.add_key(tenant, scopes)


# -- the shell ----------------------------------------------------------------------------------


def test_keys_and_dead_letters_in_the_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'q.db'}"

    def said(*words: str) -> str:
        assert main(["serve", "--database", url, *words]) == 0
        return capsys.readouterr().out.strip()

    key = said("--add-key", "acme", "--scope", "read")
    assert key.startswith("cnlp_")
    [identifier, tenant, scopes] = said("--keys").split()
    assert (tenant, scopes) == ("acme", "read")
    assert said("--revoke-key", identifier) == "revoked"
    assert main(["serve", "--database", url, "--revoke-key", identifier]) == 2
    store = Store(url)
    store.of("acme").take_in(["1"], job("1"))
    store.bury(store.claim(**LEASE), "no 'type'")
    assert "acme  hook  zendesk  tried 1: no 'type'" in (
        capsys.readouterr() and said("--dead-letters", "list"))  # fmt: skip
    assert said("--dead-letters", "replay", "--job", "1") == "back in the queue: 1"
    assert store.queue_sizes() == {"queued": 1}
    store.close()


@pytest.mark.parametrize("task", ["--add-key", "--revoke-key"])
def test_an_empty_name_starts_no_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    pytest.importorskip("fastapi")
    monkeypatch.setattr("customer_nlp.serve.app.run", lambda _: pytest.fail("it serves"))
    url = f"sqlite:///{tmp_path / 'q.db'}"
    assert main(["serve", "--database", url, task, ""]) == 2  # as of a variable that is not set
    assert capsys.readouterr() != ("", "")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--scope", "read"], "--scope limits the key of --add-key; got it alone"),
        (["--keys", "--scope", "read"], "--scope limits the key of --add-key"),
        (["--job", "1"], "--job goes with --dead-letters replay; got it without"),
        (["--dead-letters", "list", "--job", "1"], "--job goes with --dead-letters replay"),
    ],
)
def test_what_would_not_be_heeded_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    assert main(["serve", *words]) == 2
    assert complaint in capsys.readouterr().err


def test_a_number_beyond_all_is_that_of_no_job(store: Store) -> None:
    store.of("acme").take_in(["1"], job("1"))
    store.bury(store.claim(**LEASE), "no 'type'")
    assert store.replay([10**30, -(10**30)]) == 0
    assert store.replay() == 1


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("thread_id,text\n" * 100, encoding="utf-8")
    with pytest.raises(SourceError, match=r"Check .* that it is a database"):
        Store(f"sqlite:///{mine}")
    assert mine.read_text(encoding="utf-8") == "thread_id,text\n" * 100


# -- what a thread becomes ----------------------------------------------------------------------


def test_messages_are_put_in_by_time_and_the_last_word_counts() -> None:
    def at(minute: int, text: str) -> Message:
        return Message.from_dict({"role": "customer", "text": text, "id": str(minute),
                                  "sent_at": f"2026-03-02T09:{minute:02d}:00Z"})  # fmt: skip

    known = Thread("t", (at(1, "one"), at(3, "three")), subject="s")
    new = Thread("t", (at(2, "two"), at(3, "three, edited")))
    assert [one.text for one in joined(known, new).messages] == ["one", "two", "three, edited"]
    assert joined(known, known) == known
    assert joined(None, new) is new
    undated = Thread("t", (Message("customer", "later", id="x"),))
    assert [one.text for one in joined(known, undated).messages] == ["one", "three", "later"]


def test_stake_orders_by_urgency_and_mood(analyzer: Analyzer) -> None:
    angry = "Third time I ask. Call me now or I cancel and go to another company."
    calm = "Thank you very much, that works. Have a nice day."
    order = [stake(analyzer.analyze(text).to_dict()) for text in (angry, calm)]
    assert order[0] > order[1] >= 0
    assert stake(analyzer.analyze("").to_dict()) == 0
    answered = [{"role": "customer", "text": angry}, {"role": "agent", "text": "We will call."}]
    assert stake(analyzer.analyze(answered).to_dict()) < order[0]


def test_one_job_that_fails_does_not_end_the_others(
    analyzer: Analyzer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'q.db'}", clock=Clock())
    outcomes: list[str] = []
    workers = Workers(store, analyzer, WriteBack(), Settings(), count=outcomes.append)
    monkeypatch.setattr(Analyzer, "analyze", lambda *_, **__: 1 / 0)
    store.of("a").take_in(["1"], NewJob("hook", "zendesk", "1", comment(1, "words")))
    store.of("a").take_in(["2"], NewJob("hook", "zendesk", "2", b"no json"))
    assert workers.step()
    assert workers.step()
    assert not workers.step()
    assert outcomes == ["later", "dead"]
    assert store.queue_sizes() == {"queued": 1, "dead": 1}
    monkeypatch.undo()
    store.clock.now += 60
    assert workers.step()
    assert store.of("a").thread("zendesk/1") is not None
    store.close()


# -- killed in the middle -----------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _server(url: str, port: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "CUSTOMER_NLP_DATABASE": url, "CUSTOMER_NLP_SECRET_ZENDESK": SECRET,
        "CUSTOMER_NLP_LEASE_SECONDS": "1",
    }  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "customer_nlp", "serve", "--port", str(port)], env=environment,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def answers() -> bool:
        assert server.poll() is None
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    wait_for(answers)
    return server


def _worked_off(store: Store) -> None:
    """Wait as long as there is progress, however slow the machine."""
    while left := store.queue_sizes().get("queued", 0):
        wait_for(lambda left=left: store.queue_sizes().get("queued", 0) < left)


def test_a_burst_survives_kill_9(tmp_path: Path) -> None:
    url, port = f"sqlite:///{tmp_path / 'q.db'}", _free_port()
    bodies = [comment(number, f"Where is order {number}?") for number in range(1, BURST + 1)]
    taken: set[bytes] = set()
    waits: list[float] = []
    server = _server(url, port)

    def killing(body: bytes) -> None:
        taken.add(body)
        if len(taken) == BURST // 2:
            server.send_signal(signal.SIGKILL)

    address = f"http://127.0.0.1:{port}"
    asyncio.run(burst(address, bodies, killing, waits))
    assert server.wait() == -signal.SIGKILL
    assert len(taken) < BURST
    began = time.monotonic()
    server = _server(url, port)
    try:
        for _ in range(ROUNDS):  # as a helpdesk does that got no answer
            missing = [one for one in bodies if one not in taken]
            asyncio.run(burst(address, missing, taken.add, waits))
        assert taken == set(bodies)
        store = Store(url)
        _worked_off(store)
    finally:
        server.terminate()
        assert server.wait(30) in (0, -signal.SIGTERM)
    # none lost, none scored twice
    threads = store.of("default").threads(limit=BURST + 1)
    assert {int(one.id.removeprefix("zendesk/")) for one in threads} == set(range(1, BURST + 1))
    assert {one.version for one in threads} == {1}
    assert store.queue_sizes() == {"done": BURST}
    store.close()
    waits.sort()
    sys.stdout.write(
        f"{BURST} deliveries: acknowledged in {waits[len(waits) // 2] * 1e3:.0f} ms (median), "
        f"{waits[int(len(waits) * 0.95)] * 1e3:.0f} ms (p95); sent again and worked off "
        f"{time.monotonic() - began:.0f} s after the kill\n"
    )

"""A mailbox on a server is read like any other, without a trace there, and fetched only once."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from imap_servers import MISSING, PASSWORD, Dovecot, Wire, listening, scripted

import customer_nlp
from customer_nlp import batch
from customer_nlp.analyzer import Analyzer
from customer_nlp.cli import main
from customer_nlp.errors import (
    CustomerNlpError,
    InvalidRecordError,
    MissingExtraError,
    ParseError,
    SourceError,
)
from customer_nlp.readers import _imap

pytest.importorskip("imap_tools")
USER = "anna-canary"
FIRM = ("firma.example",)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CUSTOMER_NLP_IMAP")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_PASSWORD", PASSWORD)
    monkeypatch.setattr(_imap, "PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture(scope="module")
def running() -> Iterator[Dovecot]:
    if MISSING:
        pytest.skip(f"needs {MISSING}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)  # Dovecot's own users have to get through
        with Dovecot(home).running() as server:
            yield server


@pytest.fixture
def server(running: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Dovecot:
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_CA_FILE", str(running.certificate))
    return running


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return f"{USER}-{re.sub('[^a-z]', '', request.node.name)}"


@pytest.fixture
def maildir(server: Dovecot, user: str) -> Path:
    """Twenty threads of two mails, one exact copy and one empty file."""
    folder = server.maildir(user)
    for number in range(20):
        deliver(server, folder, number)
        deliver(server, folder, number, answer=True)
    (folder / "new" / "97.copy").write_bytes((folder / "new" / "10.a").read_bytes())
    (folder / "new" / "98.empty").touch()
    server.own(folder)
    return folder


def deliver(server: Dovecot, folder: Path, number: int, *, answer: bool = False) -> None:
    customer, agent = f"bob{number}@kunde.example", "help@firma.example"
    sender, receiver = (agent, customer) if answer else (customer, agent)
    ids = f"Message-ID: <{number}@kunde.example>\n"
    if answer:
        ids = f"Message-ID: <{number}@firma.example>\nIn-Reply-To: <{number}@kunde.example>\n"
    mail = (
        f"{ids}Date: Mon, 2 Mar 2026 {9 + answer:02}:{number:02}:00 +0000\nFrom: {sender}\n"
        f"To: {receiver}\nSubject: Kettle {number}\n\n"
        f"The canary kettle {number} does not work. {'I am fed up. ' * 200}\n"
    )
    (folder / "new" / f"{10 + number}.{'b' if answer else 'a'}").write_text(mail)
    server.own(folder)


def listed(folder: Path) -> list[str]:
    """The names of all mails, which hold their flags; a mail that was looked at leaves new."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob("[cn]*/*"))


def texts(source: str | Path, **options: object) -> list[list[tuple[str, str, str | None]]]:
    threads = customer_nlp.read(source, own_domains=FIRM, on_error="skip", **options)
    return [[(one.id, one.role, one.text) for one in thread.messages] for thread in threads]


# -- what comes in ------------------------------------------------------------------------------


def test_is_read_like_the_maildir_itself_and_nothing_changes_there(
    server: Dovecot, user: str, maildir: Path
):
    before = listed(maildir)
    threads = texts(server.url(user))
    assert sorted(threads) == sorted(texts(maildir))
    assert [len(thread) for thread in threads] == [2] * 20
    assert listed(maildir) == before


def test_rejects_count_what_is_a_copy_or_empty(server: Dovecot, user: str, maildir: Path):
    rejects: list[ParseError] = []
    threads = list(customer_nlp.read(server.url(user), on_error=rejects.append))
    assert sum(map(len, threads)) == 40
    assert sorted(one.reason for one in rejects) == [
        "an empty record", "duplicate of an earlier message",
    ]  # fmt: skip
    assert {one.source for one in rejects} == {f"imaps://localhost:{server.tls}/INBOX"}


def test_a_mail_that_the_server_cannot_give_out_is_a_reject(
    server: Dovecot, user: str, maildir: Path
):
    (maildir / "new" / "12.a").chmod(0)
    rejects: list[ParseError] = []
    threads = list(customer_nlp.read(server.url(user), on_error=rejects.append))
    assert sum(map(len, threads)) + len(rejects) == 42
    assert "cannot be opened: the server did not give it out" in {one.reason for one in rejects}
    assert len(rejects) == 3


def test_another_mailbox_and_an_empty_one(server: Dovecot, user: str, maildir: Path):
    (maildir / ".Büro & Co".encode("utf-7").decode()).mkdir  # noqa: B018
    inner = maildir / ".B&APw-ro 1"
    for name in ("cur", "new", "tmp"):
        (inner / name).mkdir(parents=True)
    deliver(server, inner, 7)
    server.own(inner)
    assert [len(thread) for thread in texts(server.url(user, "B%C3%BCro%201"))] == [1]
    assert texts(server.url(f"{user}-without-mail")) == []


def test_starttls(server: Dovecot, user: str, maildir: Path):
    url = server.url(user, port=server.plain).replace("imaps:", "imap:")
    assert len(texts(url)) == 20


def test_explain_shows_a_thread(
    server: Dovecot, user: str, maildir: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["explain", server.url(user), "--thread", "3@kunde.example"]) == 0
    assert "The canary kettle 3 does not work" in capsys.readouterr().out


# -- what is refused ----------------------------------------------------------------------------


def refused(
    url: str, match: str, capsys: pytest.CaptureFixture[str], out: Path, kind: type = SourceError
) -> None:
    """Ask from Python and from the shell; what either says holds no name, password or text."""
    with pytest.raises(kind, match=match) as caught:
        customer_nlp.read(url)
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert main(["score", url, "--out", str(out), "-v"]) == 2
    shown = capsys.readouterr()
    assert re.search(match, shown.err)
    assert "canary" not in said.replace(str(out.parent), "") + shown.out + shown.err
    assert not list(out.parent.iterdir())


def test_wrong_password(server: Dovecot, user: str, maildir: Path, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_PASSWORD", "canary-wrong")
    refused(server.url(user), "refuses the user or the password", capsys, tmp_path / "x.jsonl")


def test_unknown_mailbox(server: Dovecot, user: str, maildir: Path, tmp_path, capsys):
    refused(server.url(user, "Nope"), "has no such mailbox", capsys, tmp_path / "x.jsonl")


def test_a_certificate_of_nobody_we_know(
    server: Dovecot, user: str, maildir: Path, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("CUSTOMER_NLP_IMAP_CA_FILE")
    refused(server.url(user), "certificate cannot be trusted", capsys, tmp_path / "x.jsonl")
    plain = server.url(user, port=server.plain).replace("imaps:", "imap:")
    refused(plain, "certificate cannot be trusted", capsys, tmp_path / "x.jsonl")


def test_encryption_where_there_is_none(server: Dovecot, user: str, tmp_path, capsys):
    url = server.url(user, port=server.plain)
    refused(url, "cannot be reached.*imap:// for those with STARTTLS", capsys, tmp_path / "x.jsonl")


# -- cut off ------------------------------------------------------------------------------------


def score(url: str, out: Path, analyzer: Analyzer, **options: object) -> batch.Summary:
    return batch.score([url], out, analyzer=analyzer, own_domains=FIRM, **options)


@pytest.fixture
def wire(server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Wire, int]]:
    monkeypatch.setattr(_imap, "_MOST_BYTES", 20_000)  # some mails at once
    wire = Wire(server.tls)
    with listening(wire) as port:
        yield wire, port


def test_a_cut_run_goes_on_where_it_stopped(
    server: Dovecot, user: str, maildir: Path, wire, tmp_path: Path, analyzer: Analyzer
):
    wire, port = wire
    url, out = server.url(user, port=port), tmp_path / "out.jsonl"
    score(url, tmp_path / "unbroken.jsonl", analyzer)
    [whole] = wire.passed
    wire.cuts = [whole // 2, 0, 0]
    with pytest.raises(SourceError, match="cut again and again.* the same run goes on from there"):
        score(url, out, analyzer)
    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl.mails"]
    [kept] = (tmp_path / "out.jsonl.mails").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    summary = score(url, out, analyzer)
    assert wire.passed[-1] < whole * 0.7
    assert (summary.scored, summary.rejected) == (40, 2)
    assert out.read_bytes() == (tmp_path / "unbroken.jsonl").read_bytes()
    rejects = [
        (tmp_path / f"{name}.jsonl.rejects.jsonl").read_bytes() for name in ("out", "unbroken")
    ]
    assert rejects[0] == rejects[1]
    assert not kept.parent.exists()


def test_a_cut_that_mends_is_not_noticed(
    server: Dovecot, user: str, maildir: Path, wire, caplog: pytest.LogCaptureFixture
):
    wire, port = wire
    whole = texts(server.url(user, port=port))
    # Each cut comes after some mails, so that more of them than there are pauses are borne.
    wire.cuts = [wire.passed[0] // 4] * 3
    caplog.set_level(logging.DEBUG)
    assert texts(server.url(user, port=port)) == whole
    assert len(wire.passed) == 5
    assert caplog.text.count("the connection was cut; trying again") == 3
    assert "canary" not in caplog.text


# -- night after night --------------------------------------------------------------------------


def test_a_growing_mailbox_is_fetched_and_scored_only_where_it_grew(
    server: Dovecot, user: str, maildir: Path, wire, tmp_path: Path, analyzer: Analyzer
):
    wire, port = wire
    url, out, state = server.url(user, port=port), tmp_path / "out.jsonl", tmp_path / "state.db"

    def nightly() -> list[str]:
        score(url, out, analyzer, since_state=state)
        return [json.loads(line)["thread_id"] for line in out.read_text().splitlines()]

    assert len(nightly()) == 20
    assert nightly() == []
    deliver(server, maildir, 30)
    (maildir / "new" / "60.more").write_text(
        "Message-ID: <m@kunde.example>\nReferences: <5@kunde.example>\n"
        "From: bob5@kunde.example\nSubject: Re: Kettle 5\n\nNobody answers me.\n"
    )
    server.own(maildir)
    assert nightly() == ["5@kunde.example", "30@kunde.example"]
    assert wire.passed[-1] < wire.passed[0] / 3
    (maildir / "new" / "15.b").unlink()  # deleted by somebody
    assert nightly() == ["5@kunde.example"]
    [kept] = tmp_path.glob("state.db.mails/*")
    assert b"canary kettle 5 " in kept.read_bytes()
    assert b"<5@firma.example>" not in kept.read_bytes()
    assert user.encode() not in state.read_bytes() + kept.read_bytes()


def test_a_mailbox_that_is_numbered_anew_is_fetched_anew(
    server: Dovecot, user: str, maildir: Path, wire, tmp_path: Path
):
    wire, port = wire
    url = server.url(user, port=port)
    whole = texts(url, keep_mails=tmp_path / "mails")
    numbers = next(maildir.glob("dovecot-uidlist"))
    numbers.write_text(
        re.sub(r"V(\d+)", lambda v: f"V{int(v[1]) + 9}", numbers.read_text(), count=1)
    )
    for index in maildir.glob("dovecot.index*"):
        index.unlink()
    assert texts(url, keep_mails=tmp_path / "mails") == whole
    assert wire.passed[1] > wire.passed[0] * 0.9
    assert len(list((tmp_path / "mails").iterdir())) == 1


# -- without Dovecot ----------------------------------------------------------------------------

URLS = [
    ("imaps://anna:canary@mail.example/INBOX", "A password does not belong in a URL"),
    ("imaps://anna:@mail.example/INBOX", "A password does not belong in a URL"),
    ("imaps://anna:canary/x@mail.example/INBOX", "is named imaps://user@host/mailbox"),
    ("imaps://anna:canary#x@mail.example/INBOX", "is named imaps://user@host/mailbox"),
    ("imaps://mail.example/INBOX", "is named imaps://user@host/mailbox"),
    ("imaps://anna@/INBOX", "is named imaps://user@host/mailbox"),
    ("imaps://anna@mail.example:port/INBOX", "is named imaps://user@host/mailbox"),
    ("imaps://anna@mail.example/INBOX?password=canary", "is named imaps://user@host/mailbox"),
    ("imaps://anna%0d%0aA1 DELETE x@mail.example/INBOX", "is named imaps://user@host/mailbox"),
    ("imaps://anna@mail.example/INBOX%0d%0aA1", "is named imaps://user@host/mailbox"),
    ("imaps://anna@mail.example/%ff", "is named imaps://user@host/mailbox"),
    ("imaps://anna@[::1/INBOX", "is named imaps://user@host/mailbox"),
]


@pytest.mark.parametrize(("url", "match"), URLS)
def test_urls_that_are_refused(url: str, match: str, tmp_path: Path, capsys):
    refused(url, match, capsys, tmp_path / "x.jsonl", InvalidRecordError)


def test_urls_that_are_taken():
    mailbox = _imap.mailbox_of("IMAPS://anna%40shop.example@[::1]:99/Archive%2F2026")
    assert (mailbox.user, mailbox.host, mailbox.port) == ("anna@shop.example", "::1", 99)
    assert (mailbox.folder, str(mailbox)) == ("Archive/2026", "imaps://[::1]:99/Archive/2026")
    assert "anna" not in repr(mailbox)
    short = _imap.mailbox_of("imap://anna@shop.example@mail.example")
    assert (short.user, short.port, short.folder) == ("anna@shop.example", 143, "INBOX")
    assert short.key != mailbox.key


def test_the_password_comes_from_a_variable_or_a_file(tmp_path: Path, monkeypatch):
    url = "imaps://anna@127.0.0.1:1/INBOX"
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_PASSWORD_FILE", str(tmp_path / "password"))
    with pytest.raises(InvalidRecordError, match="got both"):
        customer_nlp.read(url)
    monkeypatch.delenv("CUSTOMER_NLP_IMAP_PASSWORD")
    with pytest.raises(SourceError, match="cannot be read: FileNotFoundError"):
        customer_nlp.read(url)
    (tmp_path / "password").write_text("canary\n")
    with pytest.raises(SourceError, match="cannot be reached: Connection refused"):
        customer_nlp.read(url)
    monkeypatch.delenv("CUSTOMER_NLP_IMAP_PASSWORD_FILE")
    with pytest.raises(InvalidRecordError, match="no password"):
        customer_nlp.read(url)


def test_wrong_settings(tmp_path: Path, monkeypatch):
    url = "imaps://anna@127.0.0.1:1/INBOX"
    with pytest.raises(InvalidRecordError, match="leave the format out"):
        customer_nlp.read(url, "mbox")
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_CA_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SourceError, match="CA_FILE names cannot be used: No such file"):
        customer_nlp.read(url)
    monkeypatch.setitem(sys.modules, "imap_tools", None)
    with pytest.raises(MissingExtraError, match=r"customer_nlp\[imap\]"):
        customer_nlp.read(url)


def test_without_encryption_only_on_this_machine():
    assert _imap._is_loopback("127.0.0.1")
    assert _imap._is_loopback("::1")
    assert not _imap._is_loopback("192.0.2.1")
    assert not _imap._is_loopback("fe80::1%eth0")

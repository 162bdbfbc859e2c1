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
from imap_servers import MISSING, PASSWORD, Dovecot, Mailbox, Wire, listening, scripted

import customer_nlp
from customer_nlp import batch
from customer_nlp.analyzer import Analyzer
from customer_nlp.cli import main
from customer_nlp.errors import (
    InvalidRecordError,
    MissingExtraError,
    ParseError,
    SourceError,
)
from customer_nlp.readers import _imap

pytest.importorskip("imap_tools")
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
def mailbox(server: Dovecot, request: pytest.FixtureRequest) -> Mailbox:
    """Twenty threads of two mails, one exact copy and one empty mail."""
    mailbox = Mailbox(server, f"anna-canary-{re.sub('[^a-z]', '', request.node.name)}")
    for number in range(20):
        mailbox.deliver(f"{10 + number}.question", question(number))
        mailbox.deliver(f"{10 + number}.reply", reply(number))
    mailbox.deliver("97.copy", question(0))
    mailbox.deliver("98.empty", "")
    return mailbox


def question(number: int) -> str:
    return (
        f"Message-ID: <{number}@kunde.example>\nDate: Mon, 2 Mar 2026 09:{number:02}:00 +0000\n"
        f"From: bob{number}@kunde.example\nTo: help@firma.example\nSubject: Kettle {number}\n\n"
        f"The canary kettle {number} does not work. {'I am fed up. ' * 200}\n"
    )


def reply(number: int) -> str:
    return (
        f"Message-ID: <{number}@firma.example>\nIn-Reply-To: <{number}@kunde.example>\n"
        f"Date: Mon, 2 Mar 2026 10:{number:02}:00 +0000\nFrom: help@firma.example\n"
        f"To: bob{number}@kunde.example\nSubject: Re: Kettle {number}\n\n"
        f"We are sorry, and send another one today. {'Best wishes. ' * 200}\n"
    )


def texts(source: str | Path, **options: object) -> list[list[tuple[str, str, str | None]]]:
    threads = customer_nlp.read(source, own_domains=FIRM, on_error="skip", **options)
    return [[(one.id, one.role, one.text) for one in thread.messages] for thread in threads]


# -- what comes in ------------------------------------------------------------------------------


def test_is_read_like_the_maildir_itself_and_nothing_changes_there(mailbox: Mailbox):
    before = mailbox.listed()
    threads = texts(mailbox.url())
    assert sorted(threads) == sorted(texts(mailbox.folder))
    assert [len(thread) for thread in threads] == [2] * 20
    assert mailbox.listed() == before


def test_rejects_count_what_is_a_copy_or_empty(mailbox: Mailbox):
    rejects: list[ParseError] = []
    threads = list(customer_nlp.read(mailbox.url(), on_error=rejects.append))
    assert sum(map(len, threads)) == 40
    assert sorted(one.reason for one in rejects) == [
        "an empty record", "duplicate of an earlier message",
    ]  # fmt: skip
    assert {one.source for one in rejects} == {f"imaps://localhost:{mailbox.server.tls}/INBOX"}


def test_a_mail_that_the_server_cannot_give_out_is_a_reject(mailbox: Mailbox):
    (mailbox.folder / "new" / "12.question").chmod(0)
    (mailbox.folder / "new" / "13.question").chmod(0)
    rejects: list[ParseError] = []
    threads = list(customer_nlp.read(mailbox.url(), on_error=rejects.append))
    assert sum(map(len, threads)) + len(rejects) == 42
    reasons = [one.reason for one in rejects]
    assert reasons.count("cannot be opened: the server did not give it out") == 2
    assert len(rejects) == 4


def test_another_mailbox_and_an_empty_one(mailbox: Mailbox):
    mailbox.add(".B&APw-ro 1")
    mailbox.add(".Empty")
    mailbox.deliver("1.more", question(7), ".B&APw-ro 1")
    assert [len(thread) for thread in texts(mailbox.url("B%C3%BCro%201"))] == [1]
    assert texts(mailbox.url("Empty")) == []


def test_starttls(mailbox: Mailbox):
    url = mailbox.starttls
    assert len(texts(url)) == 20


def test_explain_shows_a_thread(mailbox: Mailbox, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", mailbox.url(), "--thread", "3@kunde.example"]) == 0
    unmarked = re.sub(r"⟦[\w, ]+: |⟧", "", capsys.readouterr().out)
    assert "The canary kettle 3 does not work" in unmarked


# -- what is refused ----------------------------------------------------------------------------


def refused(
    url: str, match: str, capsys: pytest.CaptureFixture[str], out: Path, kind: type = SourceError
) -> None:
    """Ask from Python and from the shell; what either says holds no name, password or text."""
    with pytest.raises(kind, match=match) as caught:
        customer_nlp.read(url)
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert main(["score", url, "--out", str(out), "-v"]) == 2
    logging.getLogger().handlers.clear()  # what -v set up writes to the standard error of this test
    shown = capsys.readouterr()
    assert re.search(match, shown.err)
    assert "canary" not in said.replace(str(out.parent), "") + shown.out + shown.err
    assert not list(out.parent.iterdir())


def test_wrong_password(mailbox: Mailbox, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_PASSWORD", "canary-wrong")
    refused(mailbox.url(), "refuses the user or the password", capsys, tmp_path / "x.jsonl")


def test_unknown_mailbox(mailbox: Mailbox, tmp_path, capsys):
    refused(mailbox.url("Nope"), "has no such mailbox", capsys, tmp_path / "x.jsonl")


def test_a_certificate_of_nobody_we_know(mailbox: Mailbox, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("CUSTOMER_NLP_IMAP_CA_FILE")
    refused(mailbox.url(), "certificate cannot be trusted", capsys, tmp_path / "x.jsonl")
    plain = mailbox.starttls
    refused(plain, "certificate cannot be trusted", capsys, tmp_path / "x.jsonl")


def test_encryption_where_there_is_none(mailbox: Mailbox, tmp_path, capsys):
    url = mailbox.url(port=mailbox.server.plain)
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
    mailbox: Mailbox, wire, tmp_path: Path, analyzer: Analyzer
):
    wire, port = wire
    url, out = mailbox.url(port=port), tmp_path / "out.jsonl"
    score(url, tmp_path / "unbroken.jsonl", analyzer)
    [whole] = wire.passed
    wire.cuts = [whole // 2, 0, 0]
    with pytest.raises(SourceError, match=r"cut again and again.* the same run goes on from there"):
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


def test_a_cut_that_mends_is_not_noticed(mailbox: Mailbox, wire, caplog: pytest.LogCaptureFixture):
    wire, port = wire
    whole = texts(mailbox.url(port=port))
    # Each cut comes after some mails, so that more of them than there are pauses are borne.
    wire.cuts = [wire.passed[0] // 4] * 3
    caplog.set_level(logging.DEBUG)
    assert texts(mailbox.url(port=port)) == whole
    assert len(wire.passed) == 5
    assert caplog.text.count("the connection was cut; trying again") == 3
    assert "canary" not in caplog.text


# -- night after night --------------------------------------------------------------------------


def test_a_growing_mailbox_is_fetched_and_scored_only_where_it_grew(
    mailbox: Mailbox, wire, tmp_path: Path, analyzer: Analyzer
):
    wire, port = wire
    url, out, state = mailbox.url(port=port), tmp_path / "out.jsonl", tmp_path / "state.db"

    def nightly() -> list[str]:
        score(url, out, analyzer, since_state=state)
        return [json.loads(line)["thread_id"] for line in out.read_text().splitlines()]

    assert len(nightly()) == 20
    assert nightly() == []
    mailbox.deliver("59.question", question(30))
    mailbox.deliver(
        "60.more",
        "Message-ID: <m@kunde.example>\nReferences: <5@kunde.example>\n"
        "From: bob5@kunde.example\nSubject: Re: Kettle 5\n\nNobody answers me.\n",
    )
    assert nightly() == ["5@kunde.example", "30@kunde.example"]
    assert wire.passed[-1] < wire.passed[0] / 3
    (mailbox.folder / "new" / "15.reply").unlink()  # deleted by somebody
    assert nightly() == ["5@kunde.example"]
    [kept] = tmp_path.glob("state.db.mails/*")
    assert b"canary kettle 5 " in kept.read_bytes()
    assert b"<5@firma.example>" not in kept.read_bytes()
    assert mailbox.user.encode() not in state.read_bytes() + kept.read_bytes()


def test_a_mailbox_that_is_numbered_anew_is_fetched_anew(mailbox: Mailbox, wire, tmp_path: Path):
    wire, port = wire
    url = mailbox.url(port=port)
    whole = texts(url, keep_mails=tmp_path / "mails")
    numbers = next(mailbox.folder.glob("dovecot-uidlist"))
    numbers.write_text(
        re.sub(r"V(\d+)", lambda v: f"V{int(v[1]) + 9}", numbers.read_text(), count=1)
    )
    for index in mailbox.folder.glob("dovecot.index*"):
        index.unlink()
    assert texts(url, keep_mails=tmp_path / "mails") == whole
    assert wire.passed[1] > wire.passed[0] * 0.9
    assert len(list((tmp_path / "mails").iterdir())) == 1


@pytest.mark.usefixtures("ascii_password")
def test_kept_mails_are_one_run_s_at_a_time_and_nothing_else_is_written_over(tmp_path: Path):
    answers = (("SEARCH", b"* SEARCH\r\n% OK done\r\n"), *BASICS)
    with listening(scripted(*answers)) as port:
        url = f"imap://anna@127.0.0.1:{port}"
        first = customer_nlp.read(url, keep_mails=tmp_path / "mails")
        with pytest.raises(SourceError, match="cannot be kept: database is locked"):
            customer_nlp.read(url, keep_mails=tmp_path / "mails")
        first.close()
        [kept] = (tmp_path / "mails").iterdir()
        kept.write_bytes(b"the user's own " * 100)
        with pytest.raises(SourceError, match="got another kind of file"):
            customer_nlp.read(url, keep_mails=tmp_path / "mails")
        assert kept.read_bytes() == b"the user's own " * 100
        with pytest.raises(SourceError, match="cannot be kept: Not a directory"):
            customer_nlp.read(url, keep_mails=kept / "below")


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


#: What the scripted server says to be taken for an IMAP server.
BASICS = (
    ("CAPABILITY", b"* CAPABILITY IMAP4rev1\r\n% OK done\r\n"),
    ("EXAMINE", b"* OK [UIDVALIDITY 7] numbers hold\r\n% OK [READ-ONLY]\r\n"),
    ("SEARCH", b"* SEARCH 1 2 3\r\n% OK done\r\n"),
)


def asked(*answers: tuple[str, bytes]) -> list[str]:
    """Read a mailbox of a server that says this; return the texts and why others are missing."""
    rejects: list[ParseError] = []
    with listening(scripted(*answers, *BASICS)) as port:
        threads = customer_nlp.read(f"imap://anna@127.0.0.1:{port}", on_error=rejects.append)
        texts = [message.text for thread in threads for message in thread.messages]
    return texts + [one.reason for one in rejects]


@pytest.fixture
def ascii_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_PASSWORD", "canary")


@pytest.mark.usefixtures("ascii_password")
def test_answers_in_other_forms(monkeypatch: pytest.MonkeyPatch):
    mail = b"Subject: x\r\n\r\nhello"
    answer = (
        b"* 9 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n"
        b"* 1 FETCH (BODY[] {19}\r\n" + mail + b" UID 1)\r\n"
        b'* 2 FETCH (UID 2 BODY[] "")\r\n* 3 FETCH (UID 3 BODY[] NIL)\r\n% OK done\r\n'
    )
    assert asked(("BODY.PEEK", answer)) == [
        "hello", "an empty record", "cannot be opened: the server did not give it out",
    ]  # fmt: skip
    monkeypatch.setenv("CUSTOMER_NLP_IMAP_PASSWORD", PASSWORD)
    with pytest.raises(SourceError, match="refuses the user or the password"):
        asked()  # LOGIN has no way to say "ü"


@pytest.mark.usefixtures("ascii_password")
def test_servers_that_are_of_no_use():
    for answer in (
        b"* OK hello\r\n% OK done\r\n",
        b"% BAD what?\r\n",
        b"* OK [UIDVALIDITY x]\r\n% OK done\r\n",
    ):
        with pytest.raises(SourceError, match="does not answer as IMAP4rev1 asks for"):
            asked(("EXAMINE", answer))
    many = b"* SEARCH " + b" ".join(b"%d" % uid for uid in range(1, 50)) + b"\r\n% OK done\r\n"
    for answer in (b"% NO over quota\r\n", b"* BYE over quota\r\n"):
        with pytest.raises(SourceError, match="refuses one mail after the other"):
            asked(("SEARCH", many), ("FETCH", answer))

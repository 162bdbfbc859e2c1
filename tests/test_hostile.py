"""Under attack: whatever comes costs at most ten times a plain input of its size, on every way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from customer_nlp.analyzer import Analyzer
from customer_nlp.artifacts import ModelFolder, open_model, write_model
from customer_nlp.errors import ModelFormatError, UntrustedModelError
from customer_nlp.readers import read
from customer_nlp.records import Message, Thread
from customer_nlp.redact import find, redact

SIZE = 60_000
MOST_TIMES = 10
#: Below this nothing is measured: the floor of what a busy machine tells apart.
LEAST_SECONDS = 0.15
HEAD = b"From: a@kunde.example\nSubject: help\n"
PLAIN = (
    b"Hello,\n\nI ordered a kettle on 2 March, number 40718, and it has not come. Where is it?\n"
    b"I wrote to Anna Smith <anna@firma.example> twice and called 020 7946 0123.\n\n"
)


def _parts(part: bytes, count: int) -> bytes:
    return (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\n\n'
        + (b"--b\n" + part + b"\n") * count
        + b"--b--\n"
    )


def _nested(depth: int) -> bytes:
    return HEAD + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(depth)
    )


ATTACHMENT = (
    b"Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=a.txt\n\nx"
)
HTML = HEAD + b"Content-Type: text/html\n\n"
QUOTED = HEAD + b"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
MAILS = {
    "a nested bomb": _nested(SIZE // 60),
    "forwards in forwards": HEAD + b"Content-Type: message/rfc822\n\n" * (SIZE // 31),
    "100,000 headers": HEAD + b"".join(b"X-%d: y\n" % i for i in range(100_000)) + b"\nHi",
    "10,000 attachments": _parts(ATTACHMENT, 10_000),
    "quoted-printable escapes": QUOTED + b"=41" * (SIZE // 3),
    "quoted-printable soft breaks": QUOTED + b"=\n" * (SIZE // 2),
    "quoted-printable equals": QUOTED + b"=" * SIZE,
    "deep html": HTML + b"<div>" * (SIZE // 5),
    "deep quotes of html": HTML + b"<blockquote>x" * (SIZE // 13),
    "html attributes": HTML + b"<a " + b'b="c" ' * (SIZE // 6),
    "escapes in the subject": b"From: a@kunde.example\nSubject: " + b"\x1b[2J" * (SIZE // 4),
    "one word": HEAD + b"\n" + b"a" * SIZE,
    "one line of digits": HEAD + b"\n" + b"7" * SIZE,
}
TEXTS = {
    "ats": "@" * SIZE,
    "addresses cut short": "a@a." * (SIZE // 4),
    "dots before an at": "a." * (SIZE // 2) + "@",
    "digits": "4" * SIZE,
    "digits one by one": "4 " * (SIZE // 2),
    "groups of digits": "4111 " * (SIZE // 5),
    "phones": "020 7946 0123 " * (SIZE // 14),
    "brackets": "(1" * (SIZE // 2),
    "plusses": "+1" * (SIZE // 2),
    "accounts": "DE89 " * (SIZE // 5),
    "capitals": "Ab " * (SIZE // 3),
    "streets": "1 Ab Ab Ab " * (SIZE // 11),
    "towns": "Ab, Ab, AL " * (SIZE // 11),
    "quote headers": "> From: A" * (SIZE // 9),
    "rows of headers": "From: A\n" * (SIZE // 8),
    "names before addresses": "\n\nOn 1.1.2026 Ab Ab <a@b.c> wrote:\n> x" * (SIZE // 39),
    "signatures": "\n\nKind regards,\nBob" * (SIZE // 19),
}


def _seconds(work: Callable[[], object], limit: float) -> float:
    """Processor time, the best of three, so that a busy machine does not count."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
        if best <= limit:
            break
    return best


@cache
def _limit(plain: Callable[[], object]) -> float:
    """What a plain input takes at most ten times; measured once, after a run to warm up."""
    plain()
    return MOST_TIMES * max(LEAST_SECONDS, _seconds(plain, 0))


@pytest.fixture(scope="module")
def through(analyzer: Analyzer, tmp_path_factory: pytest.TempPathFactory):
    """All the way of one mail: read, masked, scored."""
    pytest.importorskip("phonenumbers")
    path = tmp_path_factory.mktemp("hostile") / "one.eml"

    def work(mail: bytes) -> None:
        path.write_bytes(mail)
        threads = [redact(thread) for thread in read(path, "eml")]
        assert len(list(analyzer.analyze_many(threads))) == 1

    plain = HEAD + b"\n" + PLAIN * (SIZE // len(PLAIN))
    return work, _limit(lambda: work(plain))


@pytest.mark.parametrize("name", MAILS)
def test_a_hostile_mail_is_read_masked_and_scored(through, name: str):
    work, limit = through
    limit *= max(1.0, len(MAILS[name]) / SIZE)
    assert _seconds(lambda: work(MAILS[name]), limit) <= limit


def _mask(text: str) -> Thread:
    pytest.importorskip("phonenumbers")
    return redact(Thread("t", (Message("customer", text, sender="ab@kunde.example"),)))


def _mask_plain() -> Thread:
    return _mask(PLAIN.decode() * (SIZE // len(PLAIN)))


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_masked(name: str):
    limit = _limit(_mask_plain)
    assert _seconds(lambda: _mask(TEXTS[name]), limit) <= limit


def test_thousands_of_names_cost_no_more_than_one():
    names = frozenset(f"name{i}" for i in range(50_000))
    text = PLAIN.decode() * (SIZE // len(PLAIN))
    limit = _limit(_mask_plain)
    assert _seconds(lambda: find(text, names), limit) <= limit


# --- Model folders ------------------------------------------------------------------------------


def _arrays(header: bytes, body: bytes = bytes(24)) -> None:
    data = len(header).to_bytes(8, "little") + header + body
    ModelFolder("m", "1", {}, {"w.safetensors": data}).arrays("w.safetensors")


def _entry(**changes: object) -> bytes:
    return json.dumps(
        {"a": {"dtype": "F32", "shape": [6], "data_offsets": [0, 24], **changes}}
    ).encode()


@pytest.mark.parametrize(
    "header",
    [
        _entry(shape=[2**62, 2**62]),
        _entry(shape=[0, 2**70], data_offsets=[0, 0]),
        _entry(shape=[0] * 100, data_offsets=[0, 0]),
        _entry(shape=[float("inf")]),
        _entry(shape=[-6]),
        _entry(data_offsets=[0, 2**80]),
        _entry(data_offsets=[-24, 0]),
        _entry(data_offsets=[8]),
        _entry(dtype="object"),
        _entry(dtype=["F32"]),
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'{"a": 7}',
        b"\xff" * 16,
        b"cos\nsystem\n(S'true'\ntR.",
    ],
    ids=range(15),
)
def test_arrays_that_lie_are_refused(header: bytes):
    with pytest.raises(ModelFormatError, match=r"array|header|layout"):
        _arrays(header)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"files":' * 20_000, "\0", "7", '{"files": 7}'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ModelFormatError, match="manifest"):
        open_model(tmp_path)


def test_a_file_larger_than_declared_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_model(tmp_path, name="m", version="1", files={"w.safetensors": b"{}"}, about={})
    with (tmp_path / "w.safetensors").open("r+b") as handle:
        handle.truncate(1 << 34)
    real = Path.read_bytes
    seen: list[str] = []
    monkeypatch.setattr(Path, "read_bytes", lambda path: seen.append(path.name) or real(path))
    with pytest.raises(UntrustedModelError, match="should have 2 bytes"):
        open_model(tmp_path)
    assert seen == ["manifest.json"]


# --- Long threads and texts ---------------------------------------------------------------------


@pytest.mark.parametrize("role", ["customer", "agent"])
def test_a_text_of_one_sentence_over_and_over_costs_its_length(analyzer: Analyzer, role: str):
    def work(times: int) -> None:
        analyzer.analyze([{"role": role, "text": "please call me today by 5 pm. " * times}])

    work(10)
    limit = 4 * 4 * max(LEAST_SECONDS, _seconds(lambda: work(1600), 60))
    assert _seconds(lambda: work(6400), limit) <= limit

"""Personal data: masked in everything written, in place, and never shown by accident."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp import batch, read
from customer_nlp.analyzer import Analyzer, as_thread
from customer_nlp.batch import _sinks
from customer_nlp.errors import InvalidRecordError, MissingExtraError
from customer_nlp.records import Message, Thread
from customer_nlp.redact import MASK, find, redact
from customer_nlp.training.corpus import load_corpus

pytest.importorskip("phonenumbers")


def _kinds(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text)]


@pytest.mark.parametrize(
    ("kind", "personal"),
    [
        ("email", "zebedee.quux+shop@mail.kunde.example"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB82WEST12345698765432"),
        ("card", "4111 1111 1111 1111"),
        ("card", "378282246310005"),
        ("phone", "+44 20 7946 0123"),
        ("phone", "020 7946 0123"),
        ("phone", "(212) 555-0198"),
        ("phone", "+49 (0)30 901820"),
        ("address", "12 Baker Street"),
        ("address", "NW1 6XE"),
        ("address", "Hauptstraße 12, 10115 Berlin"),
        ("address", "Springfield, IL 62704"),
        ("address", "12 rue de la Paix, 75002 Paris"),
        ("address", "Calle Mayor 5, 28013 Madrid"),
        ("address", "Via Giuseppe Verdi 12, 20121 Milano"),
        ("address", "Keizersgracht 12"),
        ("card", "5500.0000.0000.0004"),
        ("phone", "０７７００９００１２３"),
    ],
)
def test_what_is_personal_by_its_form(kind: str, personal: str):
    assert _kinds(f"so it is {personal}, please note.") == [(kind, personal)]


def test_personal_numbers_next_to_one_another():
    ibans = "DE89370400440532013000 and FR76 3000 6000 0112 3456 7890 189"
    assert [kind for kind, _ in _kinds(ibans)] == ["iban", "iban"]
    assert _kinds("call +1-415-555-2671x33")[0] == ("phone", "+1-415-555-2671")


@pytest.mark.parametrize(
    "text",
    [
        "My order 4071823345 of 2026-03-02 is not here at 10:30.",
        "That was between 2019-2025, on 12.03.2026 or 03/04/2026 09:15.",
        "Card number 4111 1111 1111 1112 fails the check, so does DE88 3704 0044 0532 0130 00.",
        "Error 550 5.1.1 for 1,299.00 EUR, invoice 2025-1187, 24/7 support, 100 000 000 rows.",
        "It came Via Amazon 3 times. I rue 5 things. Avenida 3 is closed.",
        "See you @ the shop. We live on the 3rd floor. I need 12 Way more Street lamps.",
    ],
)
def test_what_is_not(text: str):
    assert find(text) == []


def _zebedee() -> Thread:
    asked = Message(
        "customer",
        "Hi Anna,\n\nzebedee here, I never got the refund. Will you call 020 7946 0123?\n\n"
        "Kind regards,\nZebedee Quux",
        sender="zebedee.quux@kunde.example",
        to=("help@firma.example",),
        id="<1@kunde.example>",
        subject="Refund for Quux",
    )
    answered = Message(
        "agent",
        "Dear Mr Quux,\n\nwe will call you tomorrow. The quuxes are sold out.\n\nBest, Anna\n\n"
        "On 2 March 2026 Zebedee <zebedee.quux@kunde.example> wrote:\n> Hi Anna",
        sender="help@firma.example",
        sender_name="Anna Svensson",
        to=("zebedee.quux@kunde.example",),
        cc=("boss@kunde.example",),
        refers_to="<1@kunde.example>",
        id="t-2",
    )
    return Thread("zebedee.quux@kunde.example", (asked, answered), channel="email")


def test_names_are_known_from_headers_and_signatures():
    masked = redact(_zebedee())
    asked, answered = masked.messages
    assert asked.text.startswith(f"Hi {MASK * 4},\n\n{MASK * 7} here, I never got the refund. Will")
    assert asked.text.endswith(f"Kind regards,\n{MASK * 7} {MASK * 4}")
    assert "The quuxes are sold out." in answered.text
    assert asked.subject == f"Refund for {MASK * 4}"
    for personal in ("zebedee", "anna", "svensson", "quux@", "kunde", "firma", "7946"):
        assert personal not in json.dumps(masked.to_dict(), ensure_ascii=False).lower(), personal


def test_names_beside_the_addresses_of_recipients_are_masked(tmp_path: Path):
    path = tmp_path / "one.eml"
    path.write_text(
        "From: jo@kunde.example\nTo: Order Desk <desk@firma.example>\n"
        'Cc: "Petronella Asquith" <pa@firma.example>\n\nHi Petronella, my order is late.'
    )
    [thread] = read(path)
    [message] = redact(Thread.from_dict(thread.to_dict())).messages
    assert message.text == f"Hi {MASK * 10}, my order is late."
    assert message.recipient_names == ()


def test_people_and_ids_can_still_be_told_apart():
    masked = redact(_zebedee())
    asked, answered = masked.messages
    assert asked.sender == answered.to[0] == "person-1@domain-1.invalid"
    assert answered.cc == ("person-3@domain-1.invalid",)
    assert answered.refers_to == asked.id != masked.id
    assert answered.id == "t-2"
    assert redact(_zebedee()) == masked
    assert redact(_zebedee(), key=b"ours").id != masked.id


def test_offsets_fit_and_nothing_else_moves(analyzer: Analyzer):
    thread = as_thread(_zebedee())
    masked = redact(thread)
    for message, other in zip(thread.messages, masked.messages, strict=True):
        assert other.zones == message.zones
        for before, after in zip(message.text, other.text, strict=True):
            assert after in (before, MASK)
    record = analyzer.analyze(masked).to_dict()
    texts = {message.id: message.text for message in masked.messages}
    promise = record["commitments"][0]
    assert texts[promise["message_id"]][promise["start"] : promise["end"]] == promise["text"]


@given(st.text(max_size=200) | st.from_regex(r"([\w.]{1,9}[@ ()+,-]{0,3}\d{0,9}){1,9}"))
def test_any_text_keeps_its_length_and_is_masked_once(text: str):
    once = redact(Thread("t", (Message("customer", text),)))
    assert len(once.messages[0].text) == len(text)
    assert find(once.messages[0].text) == [] or redact(once) == once


def test_core_signals_hardly_move(analyzer: Analyzer):
    threads = [as_thread(one.thread) for one in load_corpus().threads[::20]]
    moved = [
        abs(before.probability - after.probability)
        for thread, masked in zip(threads, map(redact, threads), strict=True)
        for one, other in zip(
            analyzer.analyze(thread).messages, analyzer.analyze(masked).messages, strict=True
        )
        for before, after in zip(one.signals, other.signals, strict=True)
    ]
    assert len(moved) > 300
    assert np.mean(moved) <= 0.02


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_nothing_personal_is_written(tmp_path: Path, suffix: str):
    source, out = tmp_path / "in.jsonl", tmp_path / f"out{suffix}"
    source.write_text(json.dumps(_zebedee().to_dict()), encoding="utf-8")
    seen: list[Thread] = []
    batch.score([source], out, redact=True, on_record=lambda thread, _: seen.append(thread))
    written = out.read_text(encoding="utf-8").lower() + str([one.to_dict() for one in seen]).lower()
    for personal in ("zebedee", "anna", "quux@", "quux,", "kunde", "7946 0123"):
        assert personal not in written, personal


@pytest.mark.parametrize(("suffix", "encoder"), [("jsonl", "json_line"), ("csv", "csv_block")])
def test_workers_mask_and_encode(tmp_path: Path, monkeypatch, suffix: str, encoder: str):
    source, outs = tmp_path / "in.jsonl", [tmp_path / f"{i}.{suffix}" for i in range(2)]
    threads = [_zebedee().replace(id=f"t{number}") for number in range(70)]
    source.write_text("".join(json.dumps(one.to_dict()) + "\n" for one in threads))
    batch.score([source], outs[0], redact=True)

    def here(*_: object) -> None:
        raise AssertionError("in this process")

    for module, name in ((batch, "redact_thread"), (_sinks, encoder)):
        with monkeypatch.context() as patch:  # workers import the modules anew: not patched there
            patch.setattr(module, name, here)
            batch.score([source], outs[1], redact=True, jobs=2)
            with pytest.raises(AssertionError, match="in this process"):
                batch.score([source], tmp_path / f"one.{suffix}", redact=True)
        assert outs[0].read_bytes() == outs[1].read_bytes()


def test_raw_records_and_masks_do_not_go_together(tmp_path: Path):
    with pytest.raises(InvalidRecordError, match="choose redact or keep_raw"):
        batch.score([tmp_path], tmp_path / "o.jsonl", redact=True, keep_raw=True)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(MissingExtraError, match=r"customer_nlp\[redact\]"):
        find("call 020 7946 0123")


CANARY = "xylocanary"
MAIL = f"""From: {CANARY} <{CANARY}@kunde.example>
To: help@firma.example
Subject: {CANARY} {{}}
Message-ID: <{{}}@{CANARY}.example>
Content-Type: {{}}

My {CANARY} is broken and {CANARY}@kunde.example waits.
"""


@pytest.fixture
def canaries(tmp_path: Path) -> Path:
    """Sources of every kind, good and bad, each with the word in it."""
    types = ("text/plain", f"multipart/mixed; boundary={CANARY}", "text/plain; charset=nonsense")
    mails = [MAIL.format(i, i, kind) for i, kind in enumerate(types)]
    (tmp_path / "box.mbox").write_text("".join(f"From x\n{mail}\n" for mail in [*mails, mails[0]]))
    (tmp_path / "one.eml").write_text(mails[1])
    (tmp_path / "bad.eml").write_bytes(b"\0\1" + CANARY.encode() * 9)
    (tmp_path / "t.csv").write_text(
        f'text,role,thread,label\nmy {CANARY},user,1,a\n{CANARY},{CANARY},1,b\n"{CANARY}\n'
    )
    (tmp_path / "headless.csv").write_text(f"my {CANARY} is gone,{CANARY}@kunde.example\n1,2\n")
    (tmp_path / "j.jsonl").write_text(
        f'{{"text": "my {CANARY}", "role": "{CANARY}"}}\n{{"text": ["{CANARY}"\n'
        f'{{"messages": [{{"text": "{CANARY}", "role": "user", "sent_at": "{CANARY}"}}, 7]}}\n'
    )
    (tmp_path / "planned.csv").write_text(
        f"account,kind,channel,at\n{CANARY},sales,email,2026-05-05T10:00:00Z\n{CANARY},x,y,{CANARY}\n"
    )
    (tmp_path / "known.jsonl").write_text(f'{{"id": "{CANARY}"}}\n')
    (tmp_path / "unknown.jsonl").write_text(f'{{"id": "{CANARY}", "facts": "{CANARY}"}}\n{CANARY}')
    return tmp_path


def test_no_text_in_errors_logs_or_progress(canaries: Path):
    score = [
        ["score", name, "--out", f"{name}{suffix}", "--progress", "json", *more]
        for name in ("box.mbox", "one.eml", "bad.eml", "t.csv", "headless.csv", "j.jsonl")
        for suffix, more in ((".o.jsonl", ["--redact"]), (".o.csv", ["--every-turn"]))
    ]
    commands = [
        *score,
        *(["explain", name] for name in ("one.eml", "bad.eml", "headless.csv", "j.jsonl")),
        ["explain", "box.mbox", "--thread", "gone"],
        ["explain", f"my {CANARY}", "--now", CANARY],
        ["review", f"My {CANARY}, calm down."],
        ["train", "t.csv", "--labels", "label", "--out", "model"],
        ["evaluate", "--model", "j.jsonl"],
        *(["report", name, "-o", "page.html"] for name in ("t.csv.o.jsonl", "j.jsonl", "t.csv")),
        *(
            ["outreach", "planned.csv", "--accounts", name, "--out", "decided.csv"]
            for name in ("known.jsonl", "unknown.jsonl")
        ),
        *(
            ["serve", "--database", f"{kind}://me:{CANARY}@127.0.0.1:1/{CANARY}", "--keys"]
            for kind in ("postgresql", "nonsense")
        ),
        ["serve", "--database", "sqlite:///s.db", "--revoke-key", CANARY],
    ]
    script = (
        "import json, sys\nfrom customer_nlp.cli import main\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    try:\n        main([*command, '-v'])\n"
        "    except Exception:\n        import traceback\n        traceback.print_exc()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(commands)],
        cwd=canaries,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "INFO customer_nlp" in done.stderr
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stderr
    assert CANARY in done.stdout  # the commands that show a message did run
    for path in canaries.glob("*.o.jsonl"):
        assert CANARY not in path.read_text(encoding="utf-8"), path.name
    for path in canaries.glob("*.rejects.jsonl"):
        assert CANARY not in path.read_text(encoding="utf-8"), path.name

"""Readers: every record becomes one message or one error, whatever comes in."""

from __future__ import annotations

import base64
import csv
import email
import email.message
import email.policy
import hashlib
import io
import json
import mailbox
import math
import os
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from customer_nlp.errors import CustomerNlpError, InvalidRecordError, ParseError, SourceError
from customer_nlp.readers import _mime, read
from customer_nlp.readers._headers import addresses, content_type, decode_words, moment
from customer_nlp.readers._mime import MAX_DEPTH, unflow
from customer_nlp.readers._rows import when
from customer_nlp.records import Message, Thread

INBOXES = Path(__file__).parent / "inboxes"


def one(tmp_path: Path, raw: bytes | str, **options: object) -> Message:
    """Read a single mail."""
    path = tmp_path / "one.eml"
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    (thread,) = read(path, **options)
    (message,) = thread.messages
    return message


def mail(body: str, headers: str = "", *, subject: str = "Order 4711") -> str:
    lines = ["From: jo@home.example", "To: help@shop.example", f"Subject: {subject}"]
    lines += ["Date: Mon, 2 Mar 2026 09:14:00 +0000", *filter(None, [headers])]
    return "\n".join(lines) + "\n\n" + body


def parts(*pieces: str, kind: str = "mixed") -> str:
    inner = "".join(f"--edge\n{piece}\n" for piece in pieces)
    return mail(
        f"This is a multi-part message in MIME format.\n{inner}--edge--\n",
        f"MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary=edge",
    )


def plain(text: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\n\n{text}"


def html(text: str) -> str:
    return f"Content-Type: text/html; charset=utf-8\n\n{text}"


# -- formats ------------------------------------------------------------------------------------


def test_mbox_is_read_into_threads_with_roles() -> None:
    threads = list(read(INBOXES / "support.mbox", own_domains=["brightwell.example"]))

    assert [thread.id for thread in threads] == ["k1@fjordmail.example", "t1@orchard.example"]
    first = threads[0]
    assert [message.role for message in first.messages] == ["customer", "agent", "system"]
    assert first.messages[0].text == (
        "Hello,\n\nthe kettle came with a cracked lid.\n\n"
        "From the photo you can see where.\n\nPetra\n"
    )
    assert first.messages[1].cc == ("max.roth@brightwell.example",)
    assert first.messages[2].refers_to == "b1@brightwell.example"
    assert first.messages[2].automatic
    assert first.subject == "Kettle 4711 arrived broken"
    assert first.channel == "email"
    assert first.source == str(INBOXES / "support.mbox")


def test_a_stub_gives_way_to_the_html_part() -> None:
    threads = list(read(INBOXES / "support.mbox"))

    message = threads[1].messages[0]
    assert "The invoice for March is missing" in message.text
    assert "view this message" not in message.text
    assert message.subject == "Rechnung für März"
    assert message.sender == "tomas@orchard.example"


def test_a_folder_of_mails_is_read_in_the_order_of_its_paths() -> None:
    threads = list(read(INBOXES / "folder"))

    assert [thread.id for thread in threads] == ["l1@moser.example", "p1@prado.example"]
    assert threads[1].messages[0].text == "Não recebi a garantia – ainda espero.\n"


def test_a_forwarded_mail_is_appended_and_attachments_are_left_out() -> None:
    thread = next(read(INBOXES / "folder"))

    assert thread.messages[0].text == (
        "Is this offer still good, as it says below?\n\n"
        "---------- Forwarded message ---------\n"
        "From: Sales <sales@brightwell.example>\n"
        "Date: Mon, 1 Dec 2025 10:00:00 +0000\n"
        "Subject: Ihr Angebot für Sie\n"
        "To: lena@moser.example\n\n"
        "Twenty percent off."
    )


def test_a_maildir_is_read_without_its_unfinished_deliveries(tmp_path: Path) -> None:
    box = mailbox.Maildir(str(tmp_path / "inbox"))
    box.add(mail("Which filter?", "Message-ID: <o1@home.example>"))
    box.add(mail("The blue one.", "In-Reply-To: <o1@home.example>"))
    (tmp_path / "inbox" / "tmp" / "half").write_bytes(b"From: nobody")

    (thread,) = read(tmp_path / "inbox")

    assert sorted(message.text for message in thread.messages) == ["The blue one.", "Which filter?"]


def test_a_folder_of_maildirs_is_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        mailbox.Maildir(str(tmp_path / name)).add(mail(name, f"Message-ID: <{name}@x.example>"))

    assert sum(map(len, read(tmp_path))) == 2


def test_a_table_is_grouped_by_ticket() -> None:
    threads = list(read(INBOXES / "tickets.csv"))

    assert [thread.id for thread in threads] == ["77", "78"]
    assert [message.role for message in threads[0].messages] == ["customer", "agent"]
    assert threads[0].messages[0].text == "I was charged twice;\nplease look."
    assert threads[0].messages[1].text == 'We said "sorry" and paid it back.'
    assert threads[0].messages[0].sent_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert threads[0].messages[0].sender == "jo@home.example"


def test_json_lines_hold_threads_or_messages() -> None:
    threads = list(read(INBOXES / "chats.jsonl"))

    assert [thread.id for thread in threads] == ["chat-1", "chat-2"]
    assert [message.role for message in threads[0].messages] == ["customer", "agent"]
    assert threads[0].channel == "chat"
    assert [message.automatic for message in threads[1].messages] == [False, True]


@pytest.mark.parametrize("items", ["messages", "threads", "wrapped"])
def test_a_json_array_is_read(tmp_path: Path, items: str) -> None:
    turn = {"role": "client", "body": "Hi", "ticket_id": 5}
    document: object = [turn]
    if items != "messages":
        document = [{"id": 5, "turns": [turn]}]
    if items == "wrapped":
        document = {"conversations": document}
    path = tmp_path / "export.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")

    (thread,) = read(path)

    assert (thread.id, thread.messages[0].text) == ("5", "Hi")


def test_threads_written_as_json_lines_are_read_back_unchanged(tmp_path: Path) -> None:
    threads = list(read(INBOXES / "support.mbox", own_domains=["brightwell.example"]))
    path = tmp_path / "out.jsonl"
    path.write_text("\n".join(json.dumps(thread.to_dict()) for thread in threads), encoding="utf-8")

    assert list(read(path)) == threads


@pytest.mark.parametrize("indent", [None, 1])
def test_a_wrapped_export_is_read_on_one_line_or_many(tmp_path: Path, indent: int | None) -> None:
    tickets = [{"id": "\ud800", "messages": [{"text": "Hi"}]}, {"id": {"a": 1}, "text": "Ho"}]
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"count": 2, "tickets": tickets}, indent=indent))
    assert [thread.id for thread in read(path)] == ["\ufffd", "row-1"]


def test_a_message_may_hold_a_list_called_as_a_wrapper(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({"text": "Hi", "data": [1, 2], "items": []}))
    assert [thread.messages[0].text for thread in read(path)] == ["Hi"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_come_in_many_encodings(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "table.txt"
    path.write_text(
        delimiter.join(["id", "message", "role"])
        + "\r\n"
        + delimiter.join(["1", "Grüße – schön", "customer"])
        + "\r\n",
        encoding=encoding,
        newline="",
    )

    (thread,) = read(path)

    assert thread.messages[0].text == "Grüße – schön"
    assert thread.messages[0].id == "1"


def test_one_bad_byte_does_not_spoil_the_other_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("text\nGrüße\n".encode() + b"na\xefve\n")

    assert [thread.messages[0].text for thread in read(path)] == ["Grüße", "naïve"]


def test_excel_may_name_its_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("sep=;\nid;text\n1;a, b\n", encoding="utf-8")

    assert next(read(path)).messages[0].text == "a, b"


def test_cells_may_be_padded_as_the_header_is(tmp_path: Path) -> None:
    path = tmp_path / "padded.csv"
    path.write_text('id, role, text\n1, agent, "Hi, Jo"\n2, agent, Bye\n')
    assert [thread.messages[0].text for thread in read(path)] == ["Hi, Jo", "Bye"]

    path.write_text('id,role,text\n1,agent, "Hi" she said\n')
    assert [thread.messages[0].text for thread in read(path)] == [' "Hi" she said']


def test_line_ends_of_old_macs(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"id,text\r1,one\r2,two\r")

    assert [thread.messages[0].text for thread in read(path)] == ["one", "two"]


# -- rows ---------------------------------------------------------------------------------------


def rows(tmp_path: Path, *records: dict[str, object], **options: object) -> list[Thread]:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return list(read(path, **options))


@pytest.mark.parametrize(
    ("record", "role", "confidence"),
    [
        ({"role": "End-User"}, "customer", 1.0),
        ({"from_role": "Support"}, "agent", 1.0),
        ({"speaker": "SYSTEM"}, "system", 1.0),
        ({"inbound": True}, "customer", 1.0),
        ({"inbound": "False"}, "agent", 1.0),
        ({"fromAgent": True}, "agent", 1.0),
        ({"from": "agent"}, "agent", 1.0),
        ({}, "customer", 0.6),
        ({"from": "Ines <ines@eu.shop.example>"}, "agent", 1.0),
        ({"from": "jo@notshop.example"}, "customer", 1.0),
        ({"role": "Live Agent"}, "agent", 1.0),
        ({"role": "Technical Support"}, "agent", 1.0),
        ({"role": "end customer"}, "customer", 1.0),
        ({"speaker": "Agent 1"}, "agent", 1.0),
        ({"author": {"name": "Ines", "type": "admin"}}, "agent", 1.0),
        ({"author": {"name": "Jo", "type": "Person"}}, "customer", 0.6),
        ({"role": math.nan}, "customer", 0.6),
        ({"from": "Customer Support"}, "agent", 0.6),
        ({"from": "Jo Bell", "agent_name": "Customer Support"}, "customer", 0.6),
    ],
)
def test_roles_of_rows(
    tmp_path: Path, record: dict[str, object], role: str, confidence: float
) -> None:
    (thread,) = rows(tmp_path, {"text": "Hi"} | record, own_domains=["shop.example"])

    assert (thread.messages[0].role, thread.messages[0].role_confidence) == (role, confidence)


def test_an_unknown_role_is_reported_without_its_text(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="an unknown role; expected customer, agent") as caught:
        rows(tmp_path, {"text": "Hi", "role": "Zaphod"})
    assert "Zaphod" not in str(caught.value)


def test_fields_of_rows(tmp_path: Path) -> None:
    (thread,) = rows(
        tmp_path,
        {
            "text": "Hi", "thread": "t", "id": 9, "from": "Jo <JO@home.example>",
            "to": ["help@shop.example"], "cc": "a@x.example; B <b@x.example>", "subject": "S",
            "channel": "chat", "is_internal": True, "timestamp": 1772442000,
        },
    )  # fmt: skip
    (message,) = thread.messages

    assert message.id == "9"
    assert message.sender == "jo@home.example"
    assert message.to == ("help@shop.example",)
    assert message.cc == ("a@x.example", "b@x.example")
    assert (message.subject, message.channel, message.public) == ("S", "chat", False)
    assert message.sent_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_rows_of_a_thread_go_by_date_when_all_have_one(tmp_path: Path) -> None:
    late = {"thread": 1, "text": "late", "date": "2026-03-02"}
    early = {"thread": 1, "text": "early", "date": "2026-03-01"}
    undated = {"thread": 1, "text": "undated"}

    (dated,) = rows(tmp_path, late, early)
    (mixed,) = rows(tmp_path, late, undated, early)

    assert [message.text for message in dated.messages] == ["early", "late"]
    assert [message.text for message in mixed.messages] == ["late", "undated", "early"]


def test_rows_without_a_thread_are_threads_of_their_own(tmp_path: Path) -> None:
    threads = rows(tmp_path, {"text": "a"}, {"text": "a"}, {"text": "b", "id": "x"})

    assert [thread.id for thread in threads] == ["row-0", "row-1", "x"]


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("2026-03-02T09:00:00+01:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02 09:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (1772442000000, datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("31.12.2025 17:05", datetime(2025, 12, 31, 17, 5, tzinfo=UTC)),
        ("Tue Oct 31 22:10:47 +0000 2017", datetime(2017, 10, 31, 22, 10, 47, tzinfo=UTC)),
        ("03/04/2026", None),
        ("31.31.2025", None),
        ("02.03.26 9:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026/03/02 9:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-3-2", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026/13/02", None),
        ("2-Mar-2026 09:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-03-02 09:00:00.250", datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-03-02 09:14 PM", datetime(2026, 3, 2, 21, 14, tzinfo=UTC)),
        ("Mar 2, 2026 12:14 a.m.", datetime(2026, 3, 2, 0, 14, tzinfo=UTC)),
        ("March 2, 2026 at 9:14 PM", datetime(2026, 3, 2, 21, 14, tzinfo=UTC)),
        ("Mar 2, 2026 21:14 PM", None),
        ("03-04-2026 09:14", None),
        ("Mon Mar 02 2026 09:00:00 GMT+0100 (CET)", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        (1772442000000000, datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (1772442000000000000, datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (True, None),
        (12.5, None),
        ("soon", None),
        ("inf", None),
    ],
)
def test_dates_of_rows(given_value: object, expected: datetime | None) -> None:
    assert when(given_value) == expected


def test_numbers_with_gaps_are_ids_still(tmp_path: Path) -> None:
    whole = {"thread": 7, "text": "a"}
    gaps = [{"thread": 7.0, "text": "b"}, {"thread": math.nan, "text": "c"}, {"thread": math.nan}]

    found = rows(tmp_path, whole, *[{"text": "d"} | record for record in gaps])

    assert [(thread.id, len(thread)) for thread in found] == [
        ("row-2", 1), ("row-3", 1), ("7", 2),
    ]  # fmt: skip


def test_a_gap_in_the_text_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="no text"):
        rows(tmp_path, {"text": math.nan})


@pytest.mark.parametrize("empty", [{"text": None}, {"text": ""}, {}])
def test_html_stands_in_for_a_text_that_is_empty(tmp_path: Path, empty: dict[str, object]) -> None:
    (thread,) = rows(tmp_path, empty | {"body_html": "<p>Where is it?</p>"})
    table = tmp_path / "table.csv"
    table.write_text("text,body_html\n,<p>Where is it?</p>\nHere,<p>There</p>\n")

    assert thread.messages[0].text.strip() == "Where is it?"
    assert [one.messages[0].text.strip() for one in read(table)] == ["Where is it?", "Here"]


@pytest.mark.parametrize("name", ["conversation", "transcript"])
def test_threads_are_lists_of_many_names(tmp_path: Path, name: str) -> None:
    turns = [{"speaker": "customer", "text": "Hi"}, {"speaker": "agent", "text": "Yes?"}]
    path = tmp_path / "threads.json"
    path.write_text(json.dumps([{name: turns}] * 2))

    found = list(read(path))

    assert [[message.role for message in thread.messages] for thread in found] == [
        ["customer", "agent"]
    ] * 2


@pytest.mark.parametrize("name", ["mails.csv", "mails.txt"])
def test_a_column_from_is_no_mailbox(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("From Email,Date,Text\njo@home.example,2026-03-02T09:14,Hi\n")
    (thread,) = read(path)
    assert (thread.messages[0].text, thread.messages[0].sender) == ("Hi", "jo@home.example")


def test_markup_in_a_cell_becomes_text(tmp_path: Path) -> None:
    (thread,) = rows(tmp_path, {"text": "<p>Where is it?</p>"})

    assert "<" not in thread.messages[0].text
    assert "Where is it?" in thread.messages[0].text


def test_lone_surrogates_do_not_reach_the_text(tmp_path: Path) -> None:
    (thread,) = rows(tmp_path, {"text": "a\ud800b", "subject": "\udfff"})

    assert thread.messages[0].text == "a\ufffdb"
    json.dumps(thread.to_dict(), ensure_ascii=False).encode()


# -- whole-source problems ----------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        read(tmp_path / "none.mbox")


@pytest.mark.parametrize("name", ["blank.csv", "blank.txt"])
def test_a_file_of_blank_lines(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("\n \n")
    with pytest.raises(SourceError):
        read(path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mbox"
    path.touch()
    with pytest.raises(SourceError, match="empty"):
        read(path)


@pytest.mark.parametrize("format_name", ["auto", "eml", "maildir"])
def test_a_folder_without_mail(tmp_path: Path, format_name: str) -> None:
    (tmp_path / "notes.txt").write_text("no mail")
    with pytest.raises(SourceError, match=r"holds no mail|there is none"):
        read(tmp_path, format_name)


@pytest.mark.parametrize("format_name", ["auto", "mbox", "eml", "csv", "jsonl"])
def test_archives_are_no_mailboxes(tmp_path: Path, format_name: str) -> None:
    archive = tmp_path / "mails.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("one.eml", mail("Hi"))
    tape = tmp_path / "mails.tar"
    with tarfile.open(tape, "w") as file:
        file.addfile(tarfile.TarInfo("one.eml"), io.BytesIO())

    with pytest.raises(SourceError, match=r"a zip archive.*Unpack it"):
        read(archive, format_name)
    with pytest.raises(SourceError, match=r"a tar archive.*Unpack it"):
        read(tape, format_name)


@pytest.mark.parametrize("name", ["noise", "noise.mbox", "noise.eml", "noise.csv"])
def test_binary_garbage(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(hashlib.sha256(b"seed").digest() * 100)
    with pytest.raises(SourceError, match="binary data"):
        read(path)


def test_prose_is_of_no_known_kind(tmp_path: Path) -> None:
    path = tmp_path / "prose.txt"
    path.write_text("It was a dark night.\nNothing more.\n")
    with pytest.raises(SourceError, match="no known kind"):
        read(path)


def test_a_pipe_is_refused_instead_of_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe.eml"
    os.mkfifo(path)
    with pytest.raises(SourceError, match="pipe"):
        read(path)
    with pytest.raises(SourceError, match="holds no mail"):
        read(tmp_path)


def test_a_table_without_a_column_of_text(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("ticket;state;Dear Sir I am writing to you about my kettle which\n1;open;x\n")
    with pytest.raises(SourceError, match=r"text, body.*'ticket', 'state', 1 that look") as caught:
        read(path)
    assert "Dear Sir" not in str(caught.value)


def test_a_table_without_a_header_line_shows_nobodys_words(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("customer,my password is hunter2\nagent,thanks a lot\n")
    with pytest.raises(SourceError, match="'customer', 1 that look like content") as caught:
        read(path)
    assert "hunter2" not in str(caught.value)


def test_a_file_is_no_maildir_and_a_folder_no_mbox(tmp_path: Path) -> None:
    path = tmp_path / "one.eml"
    path.write_text(mail("Hi"))
    with pytest.raises(SourceError, match="Expected a Maildir folder; got a file"):
        read(path, "maildir")
    with pytest.raises(SourceError, match="Expected an mbox file; got a folder"):
        read(tmp_path, "mbox")
    with pytest.raises(SourceError, match="starts with a line 'From"):
        read(path, "mbox")


def test_a_cut_json_array(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text('[{"text": "a"}, {"te')
    with pytest.raises(SourceError, match="not valid JSON at line 1"):
        read(path)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"format": "pst"}, "format must be auto or one of mbox"),
        ({"own_domains": [3]}, "own_domains must be a domain"),
        ({"own_domains": ["https://shop.example/"]}, "own_domains must be a domain"),
        ({"own_domains": 3}, "own_domains must be a list of domains .*; got int"),
        ({"on_error": "explode"}, "on_error must be 'raise', 'skip' or a callable"),
    ],
)
def test_wrong_options(options: dict[str, object], match: str) -> None:
    with pytest.raises(InvalidRecordError, match=match):
        read(INBOXES / "support.mbox", **options)


@pytest.mark.parametrize(
    ("source", "came"), [("", "an empty name"), (None, "NoneType"), (0, "int")]
)
def test_a_source_must_be_a_path(source: object, came: str) -> None:
    with pytest.raises(InvalidRecordError, match=f"path of a file or a folder; got {came}"):
        read(source)


# -- bad records --------------------------------------------------------------------------------


def test_on_error_raises_skips_or_calls(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{broken\n{"text": "b"}\n{"role": "agent"}\n')
    errors: list[ParseError] = []

    with pytest.raises(ParseError, match=r"record 1: not valid JSON at line 1, column 2"):
        list(read(path))
    assert [t.messages[0].text for t in read(path, on_error="skip")] == ["a", "b"]
    assert len(list(read(path, on_error=errors.append))) == 2
    assert [(error.index, error.reason) for error in errors] == [
        (1, "not valid JSON at line 1, column 2"),
        (3, "no text"),
    ]
    assert errors[0].sha256 == hashlib.sha256(b"{broken\n").hexdigest()
    assert errors[0].source == str(path)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1", "too few cells"),
        ("1,a,agent,more", "4 cells where the header has 3"),
        (",,", "a row of empty cells"),
    ],
)
def test_bad_rows_of_a_table(tmp_path: Path, row: str, reason: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"id,text,role\n0,fine,agent\n{row}\n")
    errors: list[ParseError] = []

    assert len(list(read(path, on_error=errors.append))) == 1
    assert [error.index for error in errors] == [1]
    assert reason in errors[0].reason


def test_blank_lines_are_no_records(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\nid,text\n\n1,a\n\n\n2,b\n\n")

    assert [thread.messages[0].text for thread in read(path)] == ["a", "b"]


def test_an_exact_copy_is_reported_and_a_changed_one_is_kept(tmp_path: Path) -> None:
    first = mail("Hi", "Message-ID: <a@home.example>")
    other = mail("Hello", "Message-ID: <a@home.example>")
    for number, text in enumerate([first, other, first, other]):
        (tmp_path / f"{number}.eml").write_text(text)
    errors: list[ParseError] = []

    (thread,) = read(tmp_path, on_error=errors.append)

    assert [message.id for message in thread.messages] == ["a@home.example", "a@home.example#2"]
    assert [(error.index, error.reason) for error in errors] == [
        (2, "duplicate of an earlier message"),
        (3, "duplicate of an earlier message"),
    ]
    assert errors[0].sha256 == hashlib.sha256(first.encode()).hexdigest()
    with pytest.raises(ParseError, match="duplicate of an earlier message"):
        list(read(tmp_path))


def test_copies_without_an_id_are_found_too(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.eml").write_text(mail("Hi"))

    with pytest.raises(ParseError, match="record 1: duplicate"):
        list(read(tmp_path))


def test_copies_among_rows(tmp_path: Path) -> None:
    row = {"thread": 1, "id": 5, "text": "a"}
    errors: list[ParseError] = []

    (thread,) = rows(tmp_path, row, row, row | {"text": "b"}, on_error=errors.append)

    assert [message.id for message in thread.messages] == ["5", "5#2"]
    assert [error.index for error in errors] == [1]


def test_empty_and_binary_files_in_a_folder_are_records(tmp_path: Path) -> None:
    (tmp_path / "a.eml").touch()
    (tmp_path / "b.eml").write_bytes(bytes(range(32)) * 40)
    (tmp_path / "c.eml").write_text(mail("Hi"))
    errors: list[ParseError] = []

    assert len(list(read(tmp_path, on_error=errors.append))) == 1
    assert [error.reason for error in errors] == [
        "an empty record",
        "no mail header, and bytes that are no text",
    ]


def test_errors_cannot_show_text(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"secret word\0\0\0\0\0\0\0\0\0")
    (tmp_path / "b.eml").write_text(mail("Hi"))

    with pytest.raises(ParseError, match="no mail header") as caught:
        list(read(tmp_path))
    assert "secret" not in str(caught.value)


# -- mbox ---------------------------------------------------------------------------------------


def test_an_mbox_of_the_standard_library_comes_back_whole(tmp_path: Path) -> None:
    bodies = ["one\n\nFrom here on it failed.\n", ">From quoted\n", "", "From Mon to Fri\n"]
    box = mailbox.mbox(str(tmp_path / "a.mbox"))
    for number, body in enumerate(bodies):
        box.add(mail(body, f"Message-ID: <{number}@x.example>", subject=f"Word {number}"))
    box.close()

    texts = [thread.messages[0].text for thread in read(tmp_path / "a.mbox")]

    assert texts[0] == bodies[0]
    assert len(texts) == 4
    assert texts[2:] == bodies[2:]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_a_dated_line_below_a_blank_one_separates(tmp_path: Path, end: str) -> None:
    separator = "From jo@x.example Mon Mar  2 09:14:00 2026"
    text = "\n".join(
        [
            separator, "Subject: a", "", "Hello", separator, "", "From what I see", "",
            "From Monday 9:00 to Friday 2026", "", separator, "Subject: b", "", "End", "",
        ]
    )  # fmt: skip
    path = tmp_path / "a.mbox"
    path.write_bytes(text.replace("\n", end).encode())

    texts = [message.text for thread in read(path) for message in thread.messages]

    assert texts == [
        f"Hello\n{separator}\n\nFrom what I see\n\nFrom Monday 9:00 to Friday 2026\n",
        "End\n",
    ]


def test_a_cut_mbox_keeps_what_there_is(tmp_path: Path) -> None:
    raw = (INBOXES / "support.mbox").read_bytes()
    path = tmp_path / "cut.mbox"
    for size in (len(raw) - 30, len(raw) // 2, 90):
        path.write_bytes(raw[:size])
        count = raw[:size].count(b"\nFrom ") + 1
        assert sum(map(len, read(path))) == count


def test_the_separator_gives_a_date_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    path.write_text("From - Mon Mar  2 09:14:00 2026\nFrom: jo@x.example\n\nHi\n")

    assert next(read(path)).messages[0].sent_at == datetime(2026, 3, 2, 9, 14, tzinfo=UTC)


def test_a_mail_from_the_future_has_the_date_of_its_arrival(tmp_path: Path) -> None:
    arrived = "Received: from x by y; Mon, 2 Mar 2026 09:15:00 +0000"
    raw = mail("Hi", arrived).replace("Date: Mon, 2 Mar 2026", "Date: Mon, 2 Mar 2099")
    assert one(tmp_path, raw).sent_at == datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
    late = mail("Hi", arrived.replace("2026", "2027"))
    assert one(tmp_path, late).sent_at == datetime(2026, 3, 2, 9, 14, tzinfo=UTC)


def test_line_ends_of_old_macs_in_a_mail(tmp_path: Path) -> None:
    message = one(tmp_path, mail("Hi\nthere").replace("\n", "\r"))
    assert (message.subject, message.text) == ("Order 4711", "Hi\nthere")


def test_the_file_is_closed_even_when_reading_stops_early(tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    path.write_bytes((INBOXES / "support.mbox").read_bytes())
    threads = read(path)
    next(threads)
    threads.close()
    path.unlink()
    assert list(threads) == []


# -- one mail -----------------------------------------------------------------------------------


def test_headers_of_a_mail(tmp_path: Path) -> None:
    message = one(tmp_path, mail("Hi", "Message-ID: <a@b>\nCc: X <x@y.example>, z@y.example"))

    assert message.id == "a@b"
    assert message.sent_at == datetime(2026, 3, 2, 9, 14, tzinfo=UTC)
    assert message.sender == "jo@home.example"
    assert message.to == ("help@shop.example",)
    assert message.cc == ("x@y.example", "z@y.example")
    assert message.channel == "email"
    assert message.zones[-1].end == len(message.text)


def test_a_mail_without_date_sender_or_id_is_still_a_message(tmp_path: Path) -> None:
    raw = b"Subject: Hello\n\nWhere is it?\n"
    message = one(tmp_path, raw)

    assert message.text == "Where is it?\n"
    assert (message.sent_at, message.sender, message.role) == (None, None, "customer")
    assert message.role_confidence == 0.5
    assert message.id == f"sha256:{hashlib.sha256(raw).hexdigest()[:16]}"


def test_text_without_any_header_is_a_body(tmp_path: Path) -> None:
    assert one(tmp_path, "just words\n\nand more\n").text == "just words\n\nand more\n"


def test_a_name_stands_in_for_a_missing_address(tmp_path: Path) -> None:
    assert one(tmp_path, "From: Jo Miller\n\nHi").sender == "Jo Miller"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Date: Mon, 2 Mar 2026 09:14:00 +0100", datetime(2026, 3, 2, 8, 14, tzinfo=UTC)),
        ("Date: 2 Mar 2026 09:14:00 GMT (x)", datetime(2026, 3, 2, 9, 14, tzinfo=UTC)),
        ("Date: Sun, 2 Mar 2098 09:14:00 +0000", datetime(2098, 3, 2, 9, 14, tzinfo=UTC)),
        ("Date: Mon, 32 Mar 2026 09:14:00 +0000", None),
        ("Date: Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("Date: Fri, 31 Dec 9999 12:00:00 +0000", None),  # no promise could fall due after it
        ("Date: yesterday", None),
        ("Date: Mon, 2 Mar 2026 9:14:00 PM +0000", datetime(2026, 3, 2, 21, 14, tzinfo=UTC)),
        ("Date: Mon, 2 Mar 2026 09:14:00 +01:00", datetime(2026, 3, 2, 8, 14, tzinfo=UTC)),
        ("Date: Mon, 2 Mar 2026 09:14:00 GMT+01:00", datetime(2026, 3, 2, 8, 14, tzinfo=UTC)),
        ("Date: Thu, 1 Jan 1970 00:00:00 +0000", None),
        (
            "Date: Thu, 1 Jan 1970 00:00:00 +0000\n"
            "Received: from a by b; Mon, 2 Mar 2026 09:14:00 +0000",
            datetime(2026, 3, 2, 9, 14, tzinfo=UTC),
        ),
        (
            "Date: rubbish\nReceived: from a by b;\n Mon, 2 Mar 2026 09:14:00 +0000",
            datetime(2026, 3, 2, 9, 14, tzinfo=UTC),
        ),
    ],
)
def test_dates_of_mails(tmp_path: Path, header: str, expected: datetime | None) -> None:
    assert one(tmp_path, f"From: jo@x.example\n{header}\n\nHi").sent_at == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?Q?J=C3?= =?utf-8?Q?=BCrgen?=", "Jürgen"),
        ("=?utf-8?B?SsO8cmdlbg?=", "Jürgen"),
        ("=?iso-8859-1?Q?caf=E9_?= now", "café  now"),
        ("=?UTF-8?Q?R=C3=BC ckruf?=", "Rü ckruf"),
        ("=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?x-none?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?B?!!!?= stays", "=?utf-8?B?!!!?= stays"),
        ("=?utf-8?Q?never closed", "=?utf-8?Q?never closed"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?utf-8?Q?Wo_ist_es??=", "Wo ist es?"),
        ("=?utf-8?Q?Wo?= =?utf-8?Q?_ist_es??= hm", "Wo ist es? hm"),
    ],
)
def test_encoded_words(value: str, expected: str) -> None:
    assert decode_words(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"Doe, Jane" <Jane@X.example>, b@x.example', ["jane@x.example", "b@x.example"]),
        ("Team: a@x.example, b@x.example;", ["a@x.example", "b@x.example"]),
        ("a@x.example (Al (aka B, C))", ["a@x.example"]),
        ("Jane <jane@x.example, Bob <b@x.example>", ["jane@x.example", "b@x.example"]),
        ("=?utf-8?Q?Doe=2C_J?= <j@x.example>", ["j@x.example"]),
        ('"unclosed <a@b.example>', ["a@b.example"]),
        ("undisclosed-recipients:;", []),
        ("<<a@b.example>>", ["a@b.example"]),
        ("=?utf-8?Q?Jo_=3Cjo=40home=2Eexample=3E?=", ["jo@home.example"]),
    ],
)
def test_address_lists(value: str, expected: list[str]) -> None:
    assert [address for _, address in addresses(value)] == expected


@pytest.mark.parametrize(
    ("label", "raw", "expected"),
    [
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("utf-8", b"Gr\xfc\xdfe", "Grüße"),
        ("iso-8859-1", "Grüße".encode(), "Grüße"),
        ("iso-8859-1", b"\x80 5 \x96 6", "€ 5 – 6"),
        ("us-ascii", b"caf\xe9", "café"),
        ("no-such-charset", b"caf\xe9", "café"),
        ("hex", b"cafe", "cafe"),
        ("punycode", b"abc-", "abc-"),
        ("iso-2022-jp", "注文".encode("iso-2022-jp"), "注文"),
        ("gb2312", "你好".encode("gb18030"), "你好"),
        ("utf-16", "Hi".encode("utf-16"), "Hi"),
        ("", "Grüße".encode(), "Grüße"),
        ("utf-8\0", b"Hi", "Hi"),
    ],
)
def test_charsets_right_wrong_and_unknown(
    tmp_path: Path, label: str, raw: bytes, expected: str
) -> None:
    head = f'From: jo@x.example\nContent-Type: text/plain; charset="{label}"\n'
    message = one(
        tmp_path, f"{head}Content-Transfer-Encoding: base64\n\n".encode() + base64.b64encode(raw)
    )
    assert message.text == expected


@pytest.mark.parametrize("label", ["iso-8859-15", "iso-8859-2", "windows-1250", "macintosh"])
def test_a_latin_label_on_utf8(tmp_path: Path, label: str) -> None:
    header = f"Content-Type: text/plain; charset={label}"
    assert one(tmp_path, mail("Grüße aus Łódź", header)).text == "Grüße aus Łódź"
    known = mail("", header).encode() + "Grüße".encode(label)
    assert one(tmp_path, known).text == "Grüße"


@pytest.mark.parametrize(("label", "word"), [("koi8-r", "ёлка"), ("tis-620", "รถ")])
def test_other_labels_are_believed(tmp_path: Path, label: str, word: str) -> None:
    raw = mail("", f"Content-Type: text/plain; charset={label}").encode() + word.encode(label)
    assert one(tmp_path, raw).text == word


def test_html_may_name_its_charset_itself(tmp_path: Path) -> None:
    page = '<html><head><meta charset="windows-1251"></head><body>Где мой заказ</body></html>'
    raw = mail("", "Content-Type: text/html").encode() + page.encode("cp1251")
    assert one(tmp_path, raw).text.strip() == "Где мой заказ"


def test_each_header_has_an_encoding_of_its_own(tmp_path: Path) -> None:
    raw = mail("Hi", subject="Bestellung für Jo").encode("latin-1")
    message = one(
        tmp_path, raw.replace(b"From: jo@home.example", "From: Zoë <z@x.example>".encode())
    )
    assert (message.subject, message.sender_name) == ("Bestellung für Jo", "Zoë")


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert (
        one(tmp_path, mail("\ufeffHello", "Content-Type: text/plain; charset=utf-8")).text
        == "Hello"
    )


def test_what_is_signed_in_place_is_shown_as_mail_programs_show_it(tmp_path: Path) -> None:
    head, tail = "-----BEGIN PGP SIGNED MESSAGE-----\n", "-----BEGIN PGP SIGNATURE-----\n"
    end = "-----END PGP SIGNATURE-----\n"

    whole = one(tmp_path, mail(f"{head}Hash: SHA256\n\nIt leaks.\n- -- \nJo\n{tail}\nab==\n{end}"))
    cut = one(tmp_path, mail(f"{head}\nIt leaks.\n{tail}\nab"))
    alone = one(tmp_path, mail(f"{head}\nIt leaks.\n"))
    around = one(tmp_path, mail(f"Top\n{head}\nIt leaks.\n{tail}\nab\n{end}List\n"))

    assert whole.text == "It leaks.\n-- \nJo\n"
    assert cut.text == "It leaks.\n"
    assert alone.text == f"{head}\nIt leaks.\n"
    assert around.text == "Top\nIt leaks.\nList\n"


def test_a_cut_character_does_not_turn_the_rest_into_mojibake(tmp_path: Path) -> None:
    raw = "Content-Type: text/plain; charset=utf-8\n\nGrüße, schöne Grüße".encode() + b"\xc3"
    assert one(tmp_path, raw).text == "Grüße, schöne Grüße\ufffd"


def test_bytes_that_no_charset_explains(tmp_path: Path) -> None:
    raw = b"Content-Type: text/plain; charset=utf-8\n\nbad \x81\xff byte"
    assert one(tmp_path, raw).text == "bad \ufffdÿ byte"


def test_line_ends_and_nul_characters(tmp_path: Path) -> None:
    assert one(tmp_path, mail("a\0b\r\nc\rd\n")).text == "ab\nc\nd\n"


def test_parts_are_joined_by_a_blank_line(tmp_path: Path) -> None:
    assert one(tmp_path, parts(plain("One."), plain("Two."))).text == "One.\n\nTwo."


def test_plain_text_is_preferred(tmp_path: Path) -> None:
    message = one(tmp_path, parts(plain("Plain."), html("<p>Rich.</p>"), kind="alternative"))
    assert message.text == "Plain."


@pytest.mark.parametrize(
    "stub",
    ["", " \n ", "Your mail program cannot show HTML.", "View this in your browser: http://x"],
)
def test_html_takes_over_from_nothing(tmp_path: Path, stub: str) -> None:
    rich = html("<p>The invoice is wrong, and it is the second time this year already.</p>")
    message = one(tmp_path, parts(plain(stub), rich, kind="alternative"))
    assert message.text.strip().startswith("The invoice is wrong")


def test_a_plain_part_that_talks_of_html_is_no_stub(tmp_path: Path) -> None:
    words = "Your HTML editor broke my page. " * 20
    message = one(tmp_path, parts(plain(words), html("<p>short</p>"), kind="alternative"))
    assert message.text == words


def test_html_alone(tmp_path: Path) -> None:
    message = one(tmp_path, mail("<p>One</p><p>Two</p>", "Content-Type: text/html"))
    assert message.text.split() == ["One", "Two"]


def test_html_called_plain_is_still_html(tmp_path: Path) -> None:
    assert "<" not in one(tmp_path, mail("<html><body>Hello</body></html>")).text


def test_nested_alternatives(tmp_path: Path) -> None:
    inner = (
        "Content-Type: multipart/related; boundary=in\n\n--in\n" + html("<p>Rich.</p>") + "\n--in--"
    )
    message = one(tmp_path, parts(plain("Plain."), inner, kind="alternative"))
    assert message.text == "Plain."
    assert one(tmp_path, parts(inner, kind="alternative")).text.strip() == "Rich."


@pytest.mark.parametrize(
    "part",
    [
        "Content-Type: text/plain\nContent-Disposition: attachment\n\nlog",
        'Content-Type: text/plain; name="log.txt"\nContent-Disposition: inline\n\nlog',
        "Content-Type: text/plain\nContent-Disposition: inline; filename=log.txt\n\nlog",
        "Content-Type: text/calendar\n\nBEGIN:VCALENDAR",
        "Content-Type: application/ms-tnef; name=winmail.dat\n\nxx",
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA",
        "Content-Type: text/csv\n\na,b",
    ],
)
def test_attachments_are_left_out(tmp_path: Path, part: str) -> None:
    assert one(tmp_path, parts(plain("Body."), part)).text == "Body."


def test_a_boundary_that_never_comes(tmp_path: Path) -> None:
    head = "Content-Type: multipart/mixed; boundary=other"
    assert one(tmp_path, mail("Only words.\n", head)).text == "Only words.\n"
    assert one(tmp_path, mail("Only words.\n", "Content-Type: multipart/mixed")).text == (
        "Only words.\n"
    )


def test_a_missing_end_and_boundaries_that_begin_alike(tmp_path: Path) -> None:
    raw = mail(
        "--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nOne.\n--ab--\n--a\n\nTwo.",
        "Content-Type: multipart/mixed; boundary=a",
    )
    assert one(tmp_path, raw).text == "One.\n\nTwo."


@pytest.mark.parametrize(
    ("flowed", "delsp", "expected"),
    [
        ("one \ntwo\n", False, "one two\n"),
        ("one \ntwo\n", True, "onetwo\n"),
        ("> one \n> two\nmine\n", False, "> one two\nmine\n"),
        ("> one \n>> two\n", False, "> one \n>> two\n"),
        (" From here\n > no quote\n", False, "From here\n> no quote\n"),
        ("Bye \n-- \nJo\n", False, "Bye \n-- \nJo\n"),
        ("one\n\n>\n", False, "one\n\n>\n"),
    ],
)
def test_flowed_text(flowed: str, delsp: bool, expected: str) -> None:
    assert unflow(flowed, delsp=delsp) == expected


def test_broken_transfer_encodings(tmp_path: Path) -> None:
    head = "Content-Transfer-Encoding: base64"
    good = base64.b64encode(b"Hello, world").decode()
    assert one(tmp_path, mail(good[:-1] + "*\n", head)).text.startswith("Hello, wor")
    assert one(tmp_path, mail("A", head)).text == ""
    words = "Hello there, where is my order?"
    assert one(tmp_path, mail(words, head)).text == words
    assert one(tmp_path, mail("=ZZ a=", "Content-Transfer-Encoding: quoted-printable")).text == (
        "=ZZ a"
    )


def test_a_header_without_a_fold_does_not_end_the_headers(tmp_path: Path) -> None:
    message = one(tmp_path, "Subject: A\nlost fold\nFrom: jo@x.example\n\nHi")
    assert (message.subject, message.sender, message.text) == ("A", "jo@x.example", "Hi")


# -- automatic mail -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "subject", "automatic"),
    [
        ("Auto-Submitted: auto-replied", "Re: Order", True),
        ("Auto-Submitted: no", "Re: Order", False),
        ("X-Autoreply: yes", "Re: Order", True),
        ("Precedence: auto_reply", "Re: Order", True),
        ("Precedence: bulk", "News", True),
        ("Precedence: first-class", "Order", False),
        ("List-Id: <news.other.example>", "News", True),
        ("Content-Type: multipart/report; report-type=disposition-notification", "Read: x", True),
        ("Content-Type: multipart/report; report-type=feedback-report", "Abuse", True),
        ("List-Unsubscribe: <mailto:x@y.example>", "News", True),
        ("X-Auto-Response-Suppress: All", "Abwesenheitsnotiz: Order", True),
        ("X-Auto-Response-Suppress: All", "Order", False),
        ("", "Automatic reply: Order", True),
        ("", "Out of office chairs", False),
        ("", "Automatic reply", True),
        ("", "[Auto-Reply] Order", True),
        ("", "Abwesenheit: Order", True),
        ("", "Abwesenheit", False),
        ("", "Автоматический ответ: Order", True),
        ("", "自动答复：Order", True),
        ("", "Auto: broken door", False),
    ],
)
def test_automatic_mail(tmp_path: Path, headers: str, subject: str, automatic: bool) -> None:
    message = one(tmp_path, mail("Hi", headers, subject=subject), own_domains="shop.example")

    assert message.automatic is automatic
    assert message.role == "customer"


def test_a_group_that_is_the_support_address_does_not_make_mail_automatic(tmp_path: Path) -> None:
    raw = mail("Hi", "List-Id: Help <help.shop.example>\nPrecedence: list")
    assert not one(tmp_path, raw, own_domains=["shop.example"]).automatic
    assert one(tmp_path, raw, own_domains=["other.example"]).automatic


@pytest.mark.parametrize(
    ("sender", "subject", "system"),
    [
        ("MAILER-DAEMON@mx.example", "Delayed Mail (still being retried)", True),
        ("MAILER-DAEMON@mx.example", "Quota", True),
        ("postmaster@mx.example", "Недоставленное сообщение: Order", True),
        ("postmaster@mx.example", "Question on an invoice", False),
        ("jo@home.example", "Undeliverable parcel", False),
    ],
)
def test_who_brings_mail_back(tmp_path: Path, sender: str, subject: str, system: bool) -> None:
    raw = mail("It did not go through.", subject=subject).replace("jo@home.example", sender)
    assert (one(tmp_path, raw).role == "system") is system


BOUNCED = "Message-ID: <lost@home.example>"


@pytest.mark.parametrize(
    "raw",
    [
        "From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail Returned to Sender\n\n"
        f"The mail could not be delivered.\n\n--- Below is a copy.\n\nSubject: Hi\n{BOUNCED}\n",
        "From: postmaster@shop.example\nSubject: Unzustellbar: Rechnung\n"
        "In-Reply-To: <lost@home.example>\n\nNicht zugestellt.\n",
        "From: x@y.example\nSubject: Status\nContent-Type: multipart/report; boundary=e;\n"
        " report-type=delivery-status\n\n--e\n\nFailed.\n--e\nContent-Type: message/delivery-status"
        f"\n\nAction: failed\n--e\nContent-Type: message/rfc822\n\n{BOUNCED}\n\nBody\n--e--\n",
    ],
)
def test_bounces_name_the_mail_that_came_back(tmp_path: Path, raw: str) -> None:
    message = one(tmp_path, raw)

    assert (message.role, message.automatic) == ("system", True)
    assert message.refers_to == "lost@home.example"
    assert message.role_confidence == 1.0


REPORT = (
    "From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail Returned to Sender\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=e\n\n--e\n\nFailed.\n"
    "--e\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; Jo@home.example\n--e\n"
    "Content-Type: text/rfc822-headers\n\nSubject: Re: Kettle\n\n--e--\n"
)


@pytest.mark.parametrize(
    "notice",
    [
        REPORT,
        "From: Mail Delivery System\nSubject: Mail delivery failed: returning message to sender\n"
        "X-Failed-Recipients: jo@home.example\n\nNo such mailbox.\n",
        "From: <MicrosoftExchange329e71ec88ae@shop.example>\nSubject: Undeliverable: Re: Kettle\n"
        "X-Failed-Recipients: jo@home.example\n\nNo such mailbox.\n",
        "Return-Path: <>\nFrom: it@home.example\nSubject: Undeliverable: Kettle\n"
        "X-Failed-Recipients: jo@home.example\n\nNo such mailbox.\n",
    ],
)
def test_bounces_without_an_id_go_to_the_last_mail_to_their_recipient(
    tmp_path: Path, notice: str
) -> None:
    first = (
        "Message-ID: <1@shop.example>\nFrom: help@shop.example\nTo: jo@home.example\nSubject: {}\n"
    )
    mails = [
        first.format("Re: Kettle") + "\nIt leaves today.\n",
        first.replace("1@", "2@").replace("jo@", "al@").format("Re: Kettle") + "\nIt leaves.\n",
        "Message-ID: <3@mx.example>\n" + notice,
    ]
    path = tmp_path / "in.mbox"
    path.write_text(
        "".join(f"From x Mon Mar  2 09:0{n}:00 2026\n{raw}\n" for n, raw in enumerate(mails))
    )
    threads = list(read(path, own_domains=["shop.example"]))
    assert [[message.id[0] for message in thread.messages] for thread in threads] == [
        ["1", "3"],
        ["2"],
    ]
    assert threads[0].messages[1].refers_to == "1@shop.example"
    assert threads[0].messages[1].role == "system"


def test_an_auto_reply_without_a_return_path_is_no_bounce(tmp_path: Path) -> None:
    raw = (
        "Return-Path: <>\nFrom: jo@home.example\nSubject: Out of office: delivery failed\n\nAway.\n"
    )
    message = one(tmp_path, raw, own_domains=["shop.example"])
    assert (message.role, message.automatic) == ("customer", True)


def test_the_returned_mail_is_no_text_of_the_bounce() -> None:
    thread = next(read(INBOXES / "support.mbox"))
    assert thread.messages[2].text == "The mailbox is full.\n"


def test_a_postmaster_may_also_write_as_a_person(tmp_path: Path) -> None:
    message = one(tmp_path, "From: postmaster@home.example\nSubject: My order\n\nWhere is it?")
    assert (message.role, message.automatic) == ("customer", False)


# -- hostile and huge ---------------------------------------------------------------------------


def test_a_huge_attachment_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    original = _mime.payload
    monkeypatch.setattr(
        _mime, "payload", lambda part: (decoded.append(part.end - part.start), original(part))[1]
    )
    blob = ("A" * 76 + "\n") * 700_000
    attachment = (
        "Content-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment\n"
        f"Content-Transfer-Encoding: base64\n\n{blob}"
    )
    message = one(tmp_path, parts(plain("See attachment."), attachment))

    assert message.text == "See attachment."
    assert decoded == [len("See attachment.")]


def nested(levels: int) -> str:
    body = plain("deep")
    for level in range(levels):
        body = (
            f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n{body}\n--b{level}--"
        )
    return body


def test_deep_nesting_is_cut_and_said(tmp_path: Path) -> None:
    shallow, deep = one(tmp_path, nested(MAX_DEPTH)), one(tmp_path, nested(5000))

    assert (shallow.text, shallow.truncated) == ("deep", False)
    assert (deep.text, deep.truncated) == ("", True)


def test_mails_within_mails_are_bounded(tmp_path: Path) -> None:
    raw = "Content-Type: message/rfc822\n\n" * 3000 + "Subject: x\n\nend"
    message = one(tmp_path, raw)

    assert message.truncated
    assert message.text.count("Forwarded message") == MAX_DEPTH


def test_many_parts_are_bounded(tmp_path: Path) -> None:
    message = one(tmp_path, parts(*[plain("x")] * 12_000))

    assert message.text.count("x") == 10_000
    assert message.truncated


HOSTILE = {
    "headers": b"".join(b"X-%d: y\n" % number for number in range(100_000)) + b"\nHi",
    "one header": b"Subject: " + b"a" * 1_000_000 + b"\n\nHi",
    "encoded words": b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\n\nHi",
    "addresses": b"From: " + b'"<(' * 300_000 + b"\n\nHi",
    "quotes": b"To: " + b'\\"' * 500_000 + b"\n\nHi",
    "references": b"References: " + b"<a@b> " * 100_000 + b"\n\nHi",
    "folds": b"Subject: a" + b"\n " * 500_000 + b"\n\nHi",
    "parameters": b"Content-Type: text/plain" + b'; a="' * 200_000 + b"\n\nHi",
    "dashes": b"Content-Type: multipart/mixed; boundary=-\n\n" + b"---\n" * 250_000,
    "angles": b">" * 1_000_000,
    "line": b"Subject: a\n\n" + b"a " * 500_000,
    "lines": b"Subject: a\n\n" + b"\n" * 1_000_000,
    "blanks": b"Subject: a\n" + b"\r" * 1_000_000,
    "separators": b"From x Mon Mar  2 09:14:00 2026\n\n" * 20_000,
    "quoted from": b"From x Mon Mar  2 09:14:00 2026\n\n>From " + b">" * 1_000_000,
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"=" * 1_000_000,
    "bounce": b"From: mailer-daemon@x\nSubject: failure notice\n\n" + b"message-id:" * 90_000,
    "flowed": b"Content-Type: text/plain; format=flowed\n\n" + b"> \n" * 300_000,
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_mails_take_linear_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / "one.eml"
    path.write_bytes(HOSTILE[name])
    errors: list[ParseError] = []

    count = sum(map(len, read(path, on_error=errors.append)))

    assert count + len(errors) == (20_000 if name == "separators" else 1)


def test_a_cell_of_a_million_characters(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("text\n" + "a " * 500_000 + "\n")
    assert len(next(read(path)).messages[0].text) == 1_000_000


def test_copies_step_over_taken_ids_once(tmp_path: Path) -> None:
    taken = [{"id": f"a#{number}", "text": "x"} for number in range(2, 8_000)]
    copies = [{"id": "a", "text": f"{number}"} for number in range(8_000)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row | {"thread": "t"}) + "\n" for row in taken + copies))
    (thread,) = read(path)
    assert len(thread) == len(taken) + len(copies)
    box = "".join(
        f"From x Mon Mar  2 09:14:00 2026\nMessage-ID: <{row['id']}>\n\n{row['text']}\n\n"
        for row in taken + copies
    )
    (tmp_path / "in.mbox").write_text(box)
    assert sum(map(len, read(tmp_path / "in.mbox"))) == len(thread)


def test_many_records_under_one_id(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(f'{{"id": 1, "messages": [{{"text": "{n}"}}]}}\n' for n in range(10_000))
    )
    names = [thread.id for thread in read(path)]
    assert names[:3] == ["1", "1#2", "1#3"]
    assert len(set(names)) == 10_000


def test_blank_lines_above_the_headers_do_not_end_them(tmp_path: Path) -> None:
    message = one(tmp_path, "\r\n\n" + mail("Hi"))
    assert (message.subject, message.text) == ("Order 4711", "Hi")


def test_a_mail_cut_out_of_an_mbox_may_keep_its_separator(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_text("From x Mon Mar  2 09:14:00 2026\n" + mail("Hi"))
    assert next(read(tmp_path)).messages[0].sender == "jo@home.example"


def test_json_that_is_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": ' + "[" * 200_000 + "\n")
    errors: list[ParseError] = []

    assert len(list(read(path, on_error=errors.append))) == 1
    assert "not valid JSON" in errors[0].reason


# -- properties ---------------------------------------------------------------------------------

SLOW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MAIL_PIECES = st.sampled_from(
    [
        b"From: a@b.example\n", b"From ", b"From x Mon Mar  2 09:14:00 2026\n", b"\n", b"\r\n",
        b"\n\n",
        b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Type: text/html\n", b"--b\n",
        b"--b--\n", b"Content-Type: message/rfc822\n", b"Content-Transfer-Encoding: base64\n",
        b"Content-Type: text/plain; charset=utf-7; format=flowed\n", b"Subject: =?utf-8?b?/w==?=\n",
        b"Date: Mon, 2 Mar 2026 09:14:00 +0000\n", b"Message-ID: <a@b>\n",
        b"References: <a@b> <c@d>\n",
        b"\0", b"\xff", b"+AAA-", b"<p>", b"> ", b"Content-Type: multipart/report; boundary=b\n",
        b"Content-Transfer-Encoding: quoted-printable\n", b"=\n", b"text ", b"Message-ID: <",
        b">\n",
    ]
)  # fmt: skip


def outcome(path: Path, format_name: str) -> tuple[list[dict[str, object]], list[tuple[int, str]]]:
    errors: list[ParseError] = []
    threads = [thread.to_dict() for thread in read(path, format_name, on_error=errors.append)]
    return threads, [(error.index, error.reason) for error in errors]


@SLOW
@given(pieces=st.lists(MAIL_PIECES | st.binary(max_size=20), max_size=25))
@example(pieces=[b"From: \xff\n\n", b"\x00" * 50])
@pytest.mark.parametrize("format_name", ["auto", "eml", "mbox"])
def test_any_bytes_give_messages_or_our_errors(
    tmp_path: Path, format_name: str, pieces: list[bytes]
) -> None:
    path = tmp_path / "any.eml"
    path.write_bytes(b"".join(pieces))
    try:
        threads, errors = outcome(path, format_name)
    except CustomerNlpError:
        return
    assert (threads, errors) == outcome(path, format_name)
    json.dumps(threads, ensure_ascii=False).encode()
    ids = [message["id"] for thread in threads for message in thread["messages"]]  # type: ignore[attr-defined]
    assert len(set(ids)) == len(ids)
    if format_name == "eml":
        assert len(ids) + len(errors) == 1


@SLOW
@given(bodies=st.lists(st.lists(MAIL_PIECES | st.binary(max_size=20), max_size=8), min_size=1))
def test_every_file_of_a_folder_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[list[bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    for number, pieces in enumerate(bodies):
        (folder / f"{number:03}.eml").write_bytes(b"".join(pieces))
    threads, errors = outcome(folder, "auto")
    assert sum(len(thread["messages"]) for thread in threads) + len(errors) == len(bodies)  # type: ignore[arg-type,misc]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["text", "role", "id", "thread", "messages", "from", "zones", "sent_at", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@SLOW
@given(items=st.lists(JSON_VALUES, min_size=1, max_size=6))
def test_any_json_lines_give_messages_or_errors(tmp_path: Path, items: list[object]) -> None:
    path = tmp_path / "any.jsonl"
    path.write_text("\n".join(map(json.dumps, [{"text": "first"}, *items])))
    threads, errors = outcome(path, "jsonl")
    count = 1
    for item in items:
        turns = item.get("messages") if isinstance(item, dict) else None
        count += max(len(turns), 1) if isinstance(turns, list) else 1
    assert sum(len(thread["messages"]) for thread in threads) + len(errors) == count  # type: ignore[arg-type,misc]
    assert len({thread["id"] for thread in threads}) == len(threads)


CELLS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\r\n\t"), max_size=12
)


@SLOW
@given(cells=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8))
def test_tables_of_the_csv_module_come_back(tmp_path: Path, cells: list[list[str]]) -> None:
    kept = [row for row in cells if any(row)]
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="", errors="replace") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["text", "note", "other"])
        writer.writerows(kept)
    threads, errors = outcome(path, "csv")
    assert not errors
    assert len(threads) == len(kept)


def test_well_formed_mails_read_as_the_standard_library_reads_them(tmp_path: Path) -> None:
    for number, charset in enumerate(["utf-8", "iso-8859-1", "iso-8859-15", "utf-16", "koi8-r"]):
        made = email.message.EmailMessage(policy=email.policy.SMTP)
        made["From"] = "Jürgen Ä. <j@x.example>"
        made["To"] = "a@x.example, Zoë <b@x.example>"
        made["Subject"] = "Straße " * 20
        body = "Привет\n" * 9 if charset == "koi8-r" else "Größe = 5\nFrom x\n." * 9 + "\n"
        made.set_content(body, charset=charset, cte=("base64", "quoted-printable")[number % 2])
        made.add_alternative("<p>rich</p>", subtype="html")
        made.add_attachment(b"\0" * 99, maintype="application", subtype="pdf", filename="ä.pdf")
        raw = made.as_bytes()
        theirs = email.message_from_bytes(raw, policy=email.policy.default)
        part = theirs.get_body(("plain",))
        assert part is not None

        ours = one(tmp_path, raw)

        assert ours.text == part.get_content().replace("\r\n", "\n")
        assert ours.subject == str(theirs["subject"]).strip()
        assert ours.to == ("a@x.example", "b@x.example")


def test_parameters_of_content_types() -> None:
    assert content_type('multipart/mixed; boundary="a b"; x').boundary == b"a b"
    assert content_type("text/plain; charset*=us-ascii'en'utf-8").charset == "utf-8"
    assert content_type("rubbish").kind == "text/plain"
    assert content_type("TEXT/HTML ; CHARSET=Latin1").kind == "text/html"


@given(st.text(max_size=60))
def test_dates_never_raise(value: str) -> None:
    found = moment(value)
    assert found is None or found.tzinfo is not None

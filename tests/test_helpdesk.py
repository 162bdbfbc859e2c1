"""Helpdesk payloads: one contract over every platform, held by golden files."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_nlp.errors import CustomerNlpError, InvalidRecordError, ParseError, SourceError
from customer_nlp.readers import FORMATS, HELPDESKS, from_helpdesk, read
from customer_nlp.records import Message, Thread

PAYLOADS = Path(__file__).parent / "payloads"
GOLDEN = sorted(
    path for path in PAYLOADS.glob("*/*.json") if not path.name.endswith(".expected.json")
)
THREADS = [
    path for path in GOLDEN if json.loads(path.with_suffix(".expected.json").read_text())["thread"]
]


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def golden(path: Path) -> tuple[Any, dict[str, Any], list[str]]:
    """Return payload, expected thread and the paths that it cannot do without."""
    expected = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))
    return json.loads(path.read_text(encoding="utf-8")), expected["thread"], expected["needs"]


def without(payload: Any, path: str) -> Any:
    """Return a copy that lacks one place."""
    payload = copy.deepcopy(payload)
    *above, last = path.split(".")
    inner = payload
    for step in above:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    del inner[last]
    return payload


def strewn(value: Any) -> Any:
    """Return a copy with a field that nobody knows in every object."""
    if isinstance(value, dict):
        return {key: strewn(inner) for key, inner in value.items()} | {"brand_new_field": {"a": 1}}
    return [strewn(inner) for inner in value] if isinstance(value, list) else value


def test_every_platform_has_two_golden_files_and_a_format() -> None:
    for platform in HELPDESKS:
        assert len([path for path in GOLDEN if path.parent.name == platform]) >= 2
        assert platform in FORMATS


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_golden_payloads(path: Path) -> None:
    payload, expected, _ = golden(path)
    before = copy.deepcopy(payload)

    thread = from_helpdesk(payload, path.parent.name)

    assert payload == before
    if expected is None:
        assert thread is None
        return
    assert thread is not None
    assert (thread.id, thread.subject, thread.channel) == (
        expected["id"], expected["subject"], expected["channel"],
    )  # fmt: skip
    for message, wanted in zip(thread.messages, expected["messages"], strict=True):
        if wanted["id"] == "words-?":  # the platform gives no id
            wanted = wanted | {"id": message.id}
        assert message.replace(zones=()) == Message.from_dict(wanted)


@pytest.mark.parametrize("path", GOLDEN, ids=name)
def test_fields_that_nobody_knows_change_nothing(path: Path) -> None:
    payload, _, _ = golden(path)
    platform = path.parent.name
    assert from_helpdesk(strewn(payload), platform) == from_helpdesk(payload, platform)


@pytest.mark.parametrize(
    ("path", "place"),
    [(path, place) for path in GOLDEN for place in golden(path)[2]],
    ids=lambda value: value if isinstance(value, str) else name(value),
)
def test_a_missing_field_is_named_and_nothing_is_shown(path: Path, place: str) -> None:
    payload, _, _ = golden(path)
    with pytest.raises(InvalidRecordError, match=r"needs .*; it is missing") as caught:
        from_helpdesk(without(payload, place), path.parent.name)
    assert f"'{place}" in str(caught.value)
    assert "@" not in str(caught.value)


@pytest.mark.parametrize("path", THREADS, ids=name)
def test_a_second_delivery_gives_the_same_ids(path: Path) -> None:
    payload, _, _ = golden(path)
    first, second = (from_helpdesk(copy.deepcopy(payload), path.parent.name) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("path", THREADS, ids=name)
def test_threads_are_told_from_other_exports(path: Path, tmp_path: Path) -> None:
    """What only one platform writes is detected; a body of the admin's own is not."""
    payload, _, _ = golden(path)
    export = tmp_path / "export.json"
    export.write_text(json.dumps([payload] * 2), encoding="utf-8")
    thread = from_helpdesk(payload, path.parent.name)
    assert thread is not None
    assert [one.replace(source=None) for one in read(export, path.parent.name)] == [
        thread.replace(source=None)
    ]
    if path.stem not in {"trigger_template", "ticket_with_conversations", "phone_and_chat"}:
        assert [one.replace(source=None) for one in read(export)] == [thread.replace(source=None)]


def test_internal_notes_are_no_words_to_the_customer() -> None:
    """On every platform that has notes, the note is kept apart and says so."""
    notes = {}
    for path in THREADS:
        thread = from_helpdesk(golden(path)[0], path.parent.name)
        assert thread is not None
        notes[path.parent.name] = notes.get(path.parent.name, 0) + sum(
            not message.public for message in thread.messages
        )
        assert all(message.role == "agent" for message in thread.messages if not message.public)
    assert set(notes) == set(HELPDESKS)
    assert all(notes.values())


@pytest.mark.parametrize("note_at", [0, 1, 2])
@pytest.mark.parametrize("path", THREADS, ids=name)
def test_a_note_moves_no_judgement(path: Path, note_at: int, analyzer: Any) -> None:
    thread = from_helpdesk(golden(path)[0], path.parent.name)
    assert thread is not None
    said = [message for message in thread.messages if message.public]
    if not said:
        return
    words = "I will call her tomorrow at 9 and promise a refund. They want to cancel, it is broken."
    note = Message("agent", words, id="note", sent_at=said[0].sent_at, public=False)
    noted = [*said[:note_at], note, *said[note_at:]]

    first, second = (analyzer.analyze(thread.replace(messages=tuple(one))) for one in (said, noted))

    assert second.state == first.state
    assert second.commitments == first.commitments
    assert second.recommendation == first.recommendation
    assert [one for one in second.messages if one.id != "note"] == list(first.messages)


# -- bodies of the admin's own making -----------------------------------------------------------

BODY = {"t": {"id": 5}, "said": {"words": "Still broken.", "by": "end_user", "open": "true"}}
TEMPLATE = {"thread": "t.id", "text": "said.words", "role": "said.by", "public": "said.open"}


def test_a_template_maps_any_body() -> None:
    thread = from_helpdesk(BODY, "zammad", template=TEMPLATE)
    assert thread is not None
    (message,) = thread.messages
    assert (thread.id, message.text, message.role) == ("5", "Still broken.", "customer")


@pytest.mark.parametrize("field", sorted(TEMPLATE))
def test_a_template_names_what_is_missing(field: str) -> None:
    with pytest.raises(InvalidRecordError, match=f"'{TEMPLATE[field]}'.* is missing"):
        from_helpdesk(without(BODY, TEMPLATE[field]), "zammad", template=TEMPLATE)


@pytest.mark.parametrize("value", ["", None, "{{ticket.latest_comment.is_public}}"])
def test_a_placeholder_left_unfilled_is_not_taken_for_public(value: str | None) -> None:
    body = json.loads((PAYLOADS / "zendesk/trigger_template.json").read_text())
    with pytest.raises(InvalidRecordError, match=r"'is_public'.*; it is missing"):
        from_helpdesk(body | {"is_public": value}, "zendesk")


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("ticket_id", "thread"),
        ("comment", "text"),
        ("author_role", "role"),
        ("is_public", "public"),
    ],
)
def test_a_body_of_flat_keys_says_which_field_it_lacks(key: str, field: str) -> None:
    body = json.loads((PAYLOADS / "zendesk/trigger_template.json").read_text())
    del body[key]
    with pytest.raises(InvalidRecordError, match=f"'{field}'.* is missing"):
        from_helpdesk(body, "zendesk")


def test_a_template_knows_its_fields() -> None:
    with pytest.raises(InvalidRecordError, match="maps fields out of text, role"):
        from_helpdesk(BODY, "front", template={"wording": "said.words"})


# -- exports ------------------------------------------------------------------------------------


def test_events_of_one_ticket_come_together_and_every_record_is_counted(tmp_path: Path) -> None:
    event = json.loads((PAYLOADS / "zendesk/comment_added.json").read_text())
    later = copy.deepcopy(event)
    later["time"], later["event"]["comment"]["id"] = "2026-03-02T09:00:00Z", "1"
    broken = without(event, "event.comment.body")
    status = json.loads((PAYLOADS / "zendesk/status_changed.json").read_text())
    lines = [json.dumps(one) for one in (event, status, later, event, broken)] + ["{", "7"]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    errors: list[ParseError] = []

    (thread,) = read(path, on_error=errors.append)

    assert [message.id for message in thread.messages] == ["1", "8447346999998"]
    assert thread.source == str(path)
    assert [error.index for error in errors] == [4, 5, 6]
    assert "needs 'event.comment.body'" in errors[0].reason
    assert "charged" not in str(errors)


@pytest.mark.parametrize(
    ("platform", "file", "wrap"),
    [
        ("zendesk", "json_export", lambda one: {"tickets": [one], "count": 1}),
        ("intercom", "conversation", lambda one: {"conversations": [one]}),
        ("helpscout", "conversation", lambda one: {"_embedded": {"conversations": [one]}}),
        ("front", "conversation", lambda one: {"_pagination": {}, "_results": [one]}),
        ("gorgias", "ticket", lambda one: {"data": [one], "meta": {}}),
        ("chatwoot", "conversation", lambda one: {"data": {"meta": {}, "payload": [one]}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("indent", [None, 1])
def test_envelopes(tmp_path: Path, platform: str, file: str, wrap: Any, indent: int | None) -> None:
    payload = json.loads((PAYLOADS / platform / f"{file}.json").read_text(encoding="utf-8"))
    path = tmp_path / "export.json"
    path.write_text(json.dumps(wrap(payload), indent=indent), encoding="utf-8")
    thread = from_helpdesk(payload, platform)
    assert thread is not None
    for format_name in (platform, "auto"):
        assert [one.replace(source=None) for one in read(path, format_name)] == [
            thread.replace(source=None)
        ]


def test_an_export_is_scored_from_the_shell(tmp_path: Path, capsys: Any) -> None:
    from customer_nlp.cli import main

    out = tmp_path / "out.jsonl"
    source = PAYLOADS / "zendesk/export.json"
    assert main(["score", str(source), "--format", "zendesk", "--out", str(out)]) == 0
    assert "4 messages read = 4 scored + 0 rejected, in 1 threads" in capsys.readouterr().out
    assert json.loads(out.read_text())["thread_id"] == "35436"


def test_a_note_is_shown_as_one(capsys: Any) -> None:
    from customer_nlp.cli import main

    assert main(["explain", str(PAYLOADS / "gorgias/ticket.json")]) == 0
    assert "[agent, internal note 2026-03-02 09:20]" in capsys.readouterr().out


def test_our_own_transcripts_are_still_ours(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    turn = {"role": "user", "text": "Hi"}
    for item in ({"ticket": 5, "comments": [turn]}, {"id": "cnv_1", "messages": [turn]}):
        path.write_text(json.dumps(item))
        (thread,) = read(path)
        assert [message.text for message in thread.messages] == ["Hi"]


# -- whatever comes -----------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["", "Zendesk", "osticket"])
def test_other_platforms_are_refused(platform: str) -> None:
    with pytest.raises(InvalidRecordError, match="platform must be one of zendesk"):
        from_helpdesk({}, platform)


@pytest.mark.parametrize("payload", [None, 5, "text", [], {}, [{}], {"id": 5}])
@pytest.mark.parametrize("platform", HELPDESKS)
def test_what_is_no_payload(platform: str, payload: object) -> None:
    with pytest.raises(InvalidRecordError, match=f"payload of {platform}"):
        from_helpdesk(payload, platform)


LEAVES = (
    st.none() | st.booleans() | st.integers(-5, 10**15) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["Hi", "2026-03-02T09:14:00Z", "\ud800", "true", "note", "<p>x"])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)
)


@settings(max_examples=400)
@given(path=st.sampled_from(GOLDEN), data=st.data())
def test_any_change_gives_a_thread_or_our_error(path: Path, data: st.DataObject) -> None:
    """Mutate a golden payload anywhere: nothing but our own errors, and counts that hold."""
    payload = golden(path)[0]
    for _ in range(data.draw(st.integers(1, 3))):
        inner: Any = payload
        while isinstance(inner, dict | list) and inner:
            key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else [0]))
            if data.draw(st.booleans()) or not isinstance(inner[key], dict | list):
                inner[key] = data.draw(VALUES)
                break
            inner = inner[key]
    try:
        thread = from_helpdesk(payload, path.parent.name)
    except CustomerNlpError:
        return
    assert thread is None or Thread.from_dict(json.loads(json.dumps(thread.to_dict()))) == thread


@given(st.sampled_from(HELPDESKS), st.lists(VALUES, min_size=1, max_size=4))
def test_any_json_is_an_export_or_our_errors(platform: str, items: list[object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.jsonl")
        path.write_text("".join(f"{json.dumps(item)}\n" for item in ["first", *items]))
        errors: list[ParseError] = []
        threads = list(read(path, platform, on_error=errors.append))
    assert errors[0].reason.startswith(f"A payload of {platform} must be a JSON object; got str")
    assert sum(map(len, threads)) + len(errors) >= 1


def test_a_large_export_is_read_in_linear_time(tmp_path: Path) -> None:
    payload = json.loads((PAYLOADS / "zendesk/export.json").read_text(encoding="utf-8"))
    comment = payload["comments"][0]
    payload["comments"] = [comment | {"id": number} for number in range(20_000)]
    payload["ticket"]["email_cc_ids"] = []
    path = tmp_path / "export.json"
    path.write_text(json.dumps(payload), encoding="utf-8")
    (thread,) = read(path, "zendesk")
    assert len(thread) == 20_000


def test_a_folder_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Expected a JSON export of front; got a folder"):
        read(tmp_path, "front")

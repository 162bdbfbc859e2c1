"""What is written back: by which calls, once, and never more than reasons."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx")
pytest.importorskip("sqlalchemy")

import httpx
from serving import comment

from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.readers import HELPDESKS
from customer_nlp.serve._settings import Settings
from customer_nlp.serve._store import NewJob, Store
from customer_nlp.serve._work import Workers
from customer_nlp.serve._writeback import (
    Connection,
    RefusedError,
    TryLaterError,
    WriteBack,
    note_text,
    sign_webhook,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ANGRY = "This is the third time the router fails. Call me now or I cancel."
NOW = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)


class Platform:
    """Answers like a helpdesk and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.asked: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answers.pop(0) if self._answers else httpx.Response(200, json={})

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(one.content) for one in self.asked if one.content]


def connected(
    platform: str, answer: Callable[[httpx.Request], httpx.Response], **more: Any
) -> WriteBack:
    given = {"field": "36", "agent": "8", "account": "2", "dry_run": False} | more
    token = SECRET if platform == "webhook" else "me@x.example/token:t0ken"
    known = {("default", platform): Connection("https://desk.example", token, **given)}
    return WriteBack(known, transport=httpx.MockTransport(answer))


def write(kind: str, value: str = "next_call_now", thread: str = "35") -> dict[str, str]:
    return {"kind": kind, "thread": thread, "value": value}


def test_zendesk_gets_tag_note_and_field() -> None:
    desk = Platform()
    back = connected("zendesk", desk)
    back.write("default", "zendesk", write("tag"))
    back.write("default", "zendesk", write("note", "Next: call now"))
    back.write("default", "zendesk", write("field", "call_now"))
    assert [(one.method, one.url.path) for one in desk.asked] == [
        ("GET", "/api/v2/tickets/35/tags.json"),
        ("PUT", "/api/v2/tickets/35/tags.json"),
        ("PUT", "/api/v2/tickets/35.json"),
        ("PUT", "/api/v2/tickets/35.json"),
    ]
    tags, note, custom = desk.bodies
    assert tags == {"tags": ["next_call_now"]}
    assert note["ticket"]["comment"]["public"] is False
    assert note["ticket"]["comment"]["body"].startswith("Next: call now\n[ref ")
    assert custom == {"ticket": {"custom_fields": [{"id": 36, "value": "call_now"}]}}
    expected = base64.b64encode(b"me@x.example/token:t0ken").decode()
    assert desk.asked[0].headers["authorization"] == f"Basic {expected}"


@pytest.mark.parametrize("platform", HELPDESKS)
def test_notes_are_private_everywhere(platform: str) -> None:
    desk = Platform()
    connected(platform, desk).write("default", platform, write("note", "Next: <b>"))
    [asked] = desk.asked
    said = json.dumps(desk.bodies[0])
    assert asked.url.host == "desk.example"
    assert "Next: " in said
    private = {
        "zendesk": '"public": false', "freshdesk": '"private": true', "gorgias": '"public": false',
        "intercom": '"message_type": "note"', "hubspot": '"type": "COMMENT"',
        "helpscout": "/notes", "front": "/comments", "chatwoot": '"private": true',
        "zammad": '"internal": true', "freescout": '"type": "note"',
        "django-helpdesk": '"public": false',
    }[platform]  # fmt: skip
    assert private in said + asked.url.path
    if platform in ("freshdesk", "intercom", "helpscout", "freescout"):  # these take HTML
        assert "&lt;b&gt;" in said


@pytest.mark.parametrize(
    ("platform", "kind", "there", "sent"),
    [
        ("freshdesk", "tag", {"tags": ["vip"]}, {"tags": ["vip", "next_call_now"]}),
        ("chatwoot", "tag", {"payload": ["vip"]}, {"labels": ["vip", "next_call_now"]}),
        (
            "helpscout",
            "tag",
            {"tags": [{"id": 1, "tag": "vip"}]},
            {"tags": ["vip", "next_call_now"]},
        ),
        (
            "chatwoot",
            "field",
            {"custom_attributes": {"plan": "a", "36": "vip"}},
            {"custom_attributes": {"plan": "a", "36": "next_call_now"}},
        ),
        (
            "freescout",
            "tag",
            {"_embedded": {"tags": [{"id": 1, "name": "vip"}]}},
            {"tags": ["vip", "next_call_now"]},
        ),
        (
            "front",
            "field",
            {"id": "cnv_1", "custom_fields": {"plan": "a", "36": "vip"}},
            {"custom_fields": {"plan": "a", "36": "next_call_now"}},
        ),
        (
            "helpscout",
            "field",
            {
                "customFields": [
                    {"id": 7, "name": "Plan", "value": "a", "text": "A"},
                    {"id": 9, "name": "Empty", "value": "", "text": ""},
                    {"id": 36, "name": "Next", "value": "vip", "text": "vip"},
                ]
            },
            {"fields": [{"id": 7, "value": "a"}, {"id": 36, "value": "next_call_now"}]},
        ),
        (
            "freescout",
            "field",
            {"customFields": [{"id": 7, "name": "Plan", "value": 3, "text": "A"}]},
            {"customFields": [{"id": 7, "value": 3}, {"id": 36, "value": "next_call_now"}]},
        ),
    ],
)
def test_what_others_wrote_stays(
    platform: str, kind: str, there: dict[str, Any], sent: dict[str, Any]
) -> None:
    desk = Platform(httpx.Response(200, json=there))
    connected(platform, desk).write("default", platform, write(kind))
    assert desk.asked[0].method == "GET"
    assert desk.bodies == [sent]
    if "vip" in json.dumps(there):
        already = json.loads(json.dumps(there).replace("vip", "next_call_now"))
        desk = Platform(httpx.Response(200, json=already))
        connected(platform, desk).write("default", platform, write(kind))
        assert len(desk.asked) == 1
    for odd, why in (({"odd": 1}, "nothing under"), ([], "no JSON object")):
        desk = Platform(httpx.Response(200, json=odd))
        with pytest.raises(RefusedError, match=why):
            connected(platform, desk).write("default", platform, write(kind))
        assert len(desk.asked) == 1


def test_intercom_takes_the_id_of_a_tag_that_is_made_or_found_by_its_name() -> None:
    made = {"type": "tag", "id": "117", "name": "next_call_now"}
    desk = Platform(
        httpx.Response(200, json={"tags": {"tags": []}}), httpx.Response(200, json=made)
    )
    connected("intercom", desk).write("default", "intercom", write("tag"))
    assert [one.url.path for one in desk.asked][1:] == ["/tags", "/conversations/35/tags"]
    assert desk.bodies == [{"name": "next_call_now"}, {"id": "117", "admin_id": 8}]
    with pytest.raises(RefusedError, match="nothing under 'id'"):
        connected("intercom", Platform()).write("default", "intercom", write("tag"))


def test_front_makes_a_tag_only_where_none_has_the_name() -> None:
    first = {"_results": [{"id": "tag_1", "name": "vip"}],
             "_pagination": {"next": "https://elsewhere.example/tags?page_token=two"}}  # fmt: skip
    second = {"_results": [{"id": "tag_2", "name": "next_call_now"}], "_pagination": {"next": None}}
    bare = httpx.Response(200, json={"id": "cnv_1", "tags": []})
    desk = Platform(bare, httpx.Response(200, json=first), httpx.Response(200, json=second))
    connected("front", desk).write("default", "front", write("tag"))
    assert {one.url.host for one in desk.asked} == {"desk.example"}
    assert [one.method for one in desk.asked] == ["GET", "GET", "GET", "POST"]
    assert desk.asked[2].url.params["page_token"] == "two"
    assert desk.bodies == [{"tag_ids": ["tag_2"]}]
    made = httpx.Response(201, json={"id": "tag_3", "name": "next_call_now"})
    desk = Platform(bare, httpx.Response(200, json={"_results": []}), made)
    connected("front", desk).write("default", "front", write("tag"))
    assert desk.bodies == [{"name": "next_call_now"}, {"tag_ids": ["tag_3"]}]


ADDED_ONE_BY_ONE: dict[str, tuple[Callable[[list[str]], Any], str, Any]] = {
    "zendesk": (lambda names: {"tags": names}, "/api/v2/tickets/35/tags.json",
                {"tags": ["next_reply"]}),
    "zammad": (lambda names: {"tags": names}, "/api/v1/tags/remove",
               {"item": "next_reply", "object": "Ticket", "o_id": 35}),
    "gorgias": (lambda names: {"tags": [{"id": 5, "name": one} for one in names]},
                "/api/tickets/35/tags", {"names": ["next_reply"]}),
    "intercom": (lambda names: {"tags": {"tags": [{"id": f"t-{n}", "name": n} for n in names]}},
                 "/conversations/35/tags/t-next_reply", {"admin_id": 8}),
    "front": (lambda names: {"tags": [{"id": f"t-{one}", "name": one} for one in names]},
              "/conversations/35/tags", {"tag_ids": ["t-next_reply"]}),
}  # fmt: skip


@pytest.mark.parametrize("platform", ADDED_ONE_BY_ONE)
def test_the_tag_of_an_earlier_step_is_taken_off(platform: str) -> None:
    listed, path, body = ADDED_ONE_BY_ONE[platform]
    there = httpx.Response(200, json=listed(["next_week", "next_reply", "next_call_now"]))
    desk = Platform(there)
    connected(platform, desk).write("default", platform, write("tag"))
    assert [one.method for one in desk.asked] == ["GET", "DELETE"]
    assert (desk.asked[1].url.path, desk.bodies) == (path, [body])


@pytest.mark.parametrize("platform", ["freshdesk", "helpscout", "chatwoot", "freescout"])
def test_tags_that_are_replaced_as_a_whole_keep_one_of_ours(platform: str) -> None:
    names = ["next_week", "next_reply", "vip"]
    there = {
        "freshdesk": {"tags": names},
        "chatwoot": {"payload": names},
        "helpscout": {"tags": [{"id": 1, "tag": one} for one in names]},
        "freescout": {"_embedded": {"tags": [{"id": 1, "name": one} for one in names]}},
    }[platform]
    desk = Platform(httpx.Response(200, json=there))
    connected(platform, desk).write("default", platform, write("tag"))
    [[sent]] = [one.values() for one in desk.bodies]
    assert sent == ["next_week", "vip", "next_call_now"]


def test_hubspot_has_the_field_in_the_ticket_of_the_thread() -> None:
    thread = {"id": "35", "threadAssociations": {"associatedTicketId": "901"}}
    desk = Platform(httpx.Response(200, json=thread))
    connected("hubspot", desk, field="next").write("default", "hubspot", write("field", "retain"))
    assert desk.asked[0].url.params["association"] == "TICKET"
    assert (desk.asked[1].method, desk.asked[1].url.path) == (
        "PATCH",
        "/crm/v3/objects/tickets/901",
    )
    assert desk.bodies == [{"properties": {"next": "retain"}}]
    desk = Platform(httpx.Response(200, json={"id": "35"}))
    with pytest.raises(RefusedError, match="nothing under 'threadAssociations"):
        connected("hubspot", desk).write("default", "hubspot", write("field"))


def test_gorgias_takes_a_bare_value_for_one_field() -> None:
    desk = Platform()
    connected("gorgias", desk).write("default", "gorgias", write("field", "call_now"))
    assert [(one.method, one.url.path) for one in desk.asked] == [
        ("PUT", "/api/tickets/35/custom-fields/36")
    ]
    assert desk.bodies == ["call_now"]


def test_an_id_cannot_lead_to_another_place() -> None:
    desk = Platform()
    connected("zendesk", desk).write("default", "zendesk", write("tag", thread="../users/1?x#"))
    assert desk.asked[0].url.raw_path == b"/api/v2/tickets/..%2Fusers%2F1%3Fx%23/tags.json"


def test_a_note_whose_answer_was_lost_is_not_written_twice() -> None:
    desk = Platform()
    back = connected("zendesk", desk)
    back.write("default", "zendesk", write("note", "Next"))
    written = desk.bodies[0]["ticket"]["comment"]["body"]
    answer = httpx.Response(200, json={"comments": [{"body": written}]})
    desk = Platform(answer)
    connected("zendesk", desk).write("default", "zendesk", write("note", "Next"), again=True)
    assert [one.method for one in desk.asked] == ["GET"]
    desk = Platform(httpx.Response(200, json={"comments": []}))
    connected("zendesk", desk).write("default", "zendesk", write("note", "Next"), again=True)
    assert [one.method for one in desk.asked] == ["GET", "PUT"]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("7", 7, 7), ("99999999", 3600, 3600), ("soon", 60, 60), ("", 60, 60),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 1, 1)],
)  # fmt: skip
def test_a_platform_may_ask_to_wait(header: str, least: float, most: float) -> None:
    desk = Platform(httpx.Response(429, headers={"Retry-After": header}))
    with pytest.raises(TryLaterError, match="answered 429") as caught:
        connected("zendesk", desk).write("default", "zendesk", write("tag"))
    assert least <= (caught.value.seconds or 0) <= most


def test_other_failures_are_tried_again_or_given_up() -> None:
    for status, error in ((500, TryLaterError), (503, TryLaterError), (403, RefusedError),
                          (404, RefusedError), (302, RefusedError)):  # fmt: skip
        with pytest.raises(error, match=f"answered {status}"):
            connected("zendesk", Platform(httpx.Response(status))).write(
                "default", "zendesk", write("tag")
            )

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("the address, and a secret", request=request)

    with pytest.raises(TryLaterError, match=r"no answer: ConnectError$"):
        connected("zendesk", down).write("default", "zendesk", write("tag"))


def test_a_webhook_of_ours_is_signed_by_the_standard() -> None:
    desk = Platform()
    connected("webhook", desk).send("default", "zendesk/1\nc1", b'{"thread": "x"}', now=NOW)
    [asked] = desk.asked
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    head = asked.headers
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + asked.content
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert head["webhook-signature"] == f"v1,{expected}"
    assert json.loads(asked.content)["type"] == "thread.analyzed"
    # the example of the standard's own documentation
    example = sign_webhook(
        SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )  # fmt: skip
    assert example["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_note_holds_reasons_and_no_word_of_the_customer(analyzer: Analyzer) -> None:
    record = analyzer.analyze(f"{ANGRY} My PIN is 4711.").to_dict()
    text = note_text(record)
    reasons = {why for one in record["recommendation"]["actions"] for why in one["because"]}
    assert reasons
    assert all(why in text for why in reasons)
    for word in ("4711", "router", "PIN"):
        assert word not in text


# -- from the queue -----------------------------------------------------------------------------


def _workers(
    analyzer: Analyzer, folder: Path, back: WriteBack
) -> tuple[Store, Workers, list[float]]:
    now = [NOW.timestamp()]
    store = Store(f"sqlite:///{folder / 'q.db'}", clock=lambda: now[0])
    return store, Workers(store, analyzer, back, Settings()), now


def _take(store: Store, number: int, text: str = ANGRY) -> None:
    body = comment(number, text, ticket=1)
    assert store.of("default").take_in([str(number)], NewJob("hook", "zendesk", str(number), body))


def test_a_dry_run_writes_nothing_and_shows_all(analyzer: Analyzer, tmp_path: Path) -> None:
    desk = Platform()
    store, workers, _ = _workers(analyzer, tmp_path, connected("zendesk", desk, dry_run=True))
    _take(store, 1)
    while workers.step():
        pass
    assert desk.asked == []
    assert {one["kind"] for one in store.of("default").writes("zendesk/1")} == {
        "tag", "note", "field"}  # fmt: skip
    assert store.queue_sizes() == {"done": 1, "dry": 3}
    store.close()


def test_the_same_is_not_written_twice(analyzer: Analyzer, tmp_path: Path) -> None:
    desk = Platform(httpx.Response(429, headers={"Retry-After": "30"}))
    store, workers, now = _workers(analyzer, tmp_path, connected("zendesk", desk, write=("note",)))
    _take(store, 1)
    while workers.step():
        pass
    assert len(desk.asked) == 1
    now[0] += 31
    while workers.step():
        pass
    assert sum(one.method == "PUT" for one in desk.asked) == 2  # refused once, then written
    _take(store, 2, "Hello? Is anybody there?")
    _take(store, 3)
    while workers.step():
        pass
    notes = [body["ticket"]["comment"]["body"] for body in desk.bodies[1:]]
    assert len(notes) == len(set(notes))
    assert store.queue_sizes().keys() == {"done"}
    store.close()


def test_what_had_to_wait_does_not_undo_what_came_after(analyzer: Analyzer, tmp_path: Path) -> None:
    desk = Platform(httpx.Response(429, headers={"Retry-After": "30"}))
    back = connected("zendesk", desk, write=("field",))
    store, workers, now = _workers(analyzer, tmp_path, back)
    for number, text in ((1, ANGRY), (2, "It works now, thank you so much. All solved!")):
        _take(store, number, text)
        while workers.step():
            pass
    now[0] += 31
    while workers.step():
        pass
    values = [body["ticket"]["custom_fields"][0]["value"] for body in desk.bodies]
    kept = store.of("default").thread("zendesk/1")
    assert values == ["call_now", kept.analysis["recommendation"]["primary"]]
    assert values[0] != values[1]
    assert store.queue_sizes().keys() == {"done"}
    store.close()


PROMISED = "Hi, your replacement router will be with you by Thursday 5 March at 5 pm."


def test_a_promise_that_falls_due_is_looked_at_in_time(analyzer: Analyzer, tmp_path: Path) -> None:
    desk = Platform()
    back = connected("zendesk", desk, write=("field",))
    store, workers, now = _workers(analyzer, tmp_path, back)
    _take(store, 1, "The router is dead again. When do I get another one?")
    job = NewJob("hook", "zendesk", "2", comment(2, PROMISED, ticket=1, staff=True))
    assert store.of("default").take_in(["2"], job)

    def at(moment: datetime) -> dict[str, Any]:
        now[0] = moment.timestamp()
        while workers.step():
            pass
        kept = store.of("default").thread("zendesk/1")
        assert kept is not None
        return kept.analysis

    def advised(record: dict[str, Any]) -> set[str]:
        return {one["action"] for one in record["recommendation"]["actions"]}

    [promise] = at(NOW)["commitments"]
    due = datetime.fromisoformat(promise["due"])
    assert store.queue_sizes()["timed"] == 1
    assert "update_proactively" not in advised(at(due - timedelta(hours=25)))
    assert "update_proactively" in advised(at(due - timedelta(hours=24)))
    assert store.queue_sizes()["timed"] == 1
    assert at(due + timedelta(hours=1))["commitments"][0]["state"] == "broken"
    assert "timed" not in store.queue_sizes()
    values = [body["ticket"]["custom_fields"][0]["value"] for body in desk.bodies]
    assert values[-1] == at(due + timedelta(days=9))["recommendation"]["primary"]
    store.close()


def test_a_look_at_a_thread_that_is_gone_ends_quietly(analyzer: Analyzer, tmp_path: Path) -> None:
    store, workers, _ = _workers(analyzer, tmp_path, WriteBack())
    look = NewJob("look", "zendesk", "1", b"", "zendesk/1")
    assert store.of("default").take_in(["1"], look)
    assert workers.step()
    assert store.queue_sizes() == {"done": 1}
    store.close()


# -- what webhooks leave out --------------------------------------------------------------------

PAYLOADS = Path(__file__).parent / "payloads"


def payload(platform: str, name: str) -> Any:
    return json.loads((PAYLOADS / platform / f"{name}.json").read_text(encoding="utf-8"))


def _hooked(
    analyzer: Analyzer, folder: Path, back: WriteBack, platform: str, body: Any
) -> tuple[Store, Workers, list[float]]:
    store, workers, now = _workers(analyzer, folder, back)
    job = NewJob("hook", platform, "1", json.dumps(body).encode())
    assert store.of("default").take_in(["1"], job)
    return store, workers, now


def test_hubspot_sends_ids_and_the_words_are_fetched(analyzer: Analyzer, tmp_path: Path) -> None:
    said = payload("hubspot", "thread_messages")
    first = {"results": said["results"][:1], "paging": {"next": {"after": "n+1"}}}
    rest = {"results": said["results"][1:]}
    desk = Platform(
        httpx.Response(429, headers={"Retry-After": "30"}),
        httpx.Response(200, json=first), httpx.Response(200, json=rest),
    )  # fmt: skip
    back = connected("hubspot", desk, write=(), fetch=True)
    events = payload("hubspot", "events") * 2
    store, workers, now = _hooked(analyzer, tmp_path, back, "hubspot", events)
    assert workers.step()
    assert desk.asked == []  # the delivery only says what is to be fetched
    assert workers.step()
    assert not workers.step()  # asked to wait
    now[0] += 31
    assert workers.step()
    assert [one.url.path for one in desk.asked] == [
        "/conversations/v3/conversations/threads/99/messages"] * 3  # fmt: skip
    assert [one.url.params.get("after") for one in desk.asked] == [None, None, "n+1"]
    assert desk.asked[0].headers["authorization"].startswith("Bearer ")
    kept = store.of("default").thread("hubspot/99")
    assert [one.id for one in kept.thread.messages] == ["m1", "m2", "m3", "m4", "m5"]
    assert store.queue_sizes() == {"done": 2}
    store.close()


def test_front_sends_previews_and_the_words_are_fetched(analyzer: Analyzer, tmp_path: Path) -> None:
    [told, answered] = payload("front", "conversation")["messages"]
    answered["draft_mode"] = None
    elsewhere = "https://other.example/conversations/cnv_55c/messages?page_token=t%2F2"
    desk = Platform(
        httpx.Response(200, json={"_results": [answered], "_pagination": {"next": elsewhere}}),
        httpx.Response(200, json={"_results": [told], "_pagination": {"next": None}}),
    )
    back = connected("front", desk, write=(), fetch=True)
    preview = payload("front", "rule_preview")
    store, workers, _ = _hooked(analyzer, tmp_path, back, "front", preview)
    while workers.step():
        pass
    assert {one.url.host for one in desk.asked} == {"desk.example"}  # a token follows no link
    assert desk.asked[1].url.params["page_token"] == "t/2"
    kept = store.of("default").thread("front/cnv_55c")
    assert [(one.id, one.truncated) for one in kept.thread.messages] == [
        ("msg_1", False), ("msg_2", False)]  # fmt: skip
    store.close()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(200, json={"results": []}), {"done": 2}),
        (httpx.Response(404), {"done": 1, "dead": 1}),
        (httpx.Response(200, text="<html>"), {"done": 1, "dead": 1}),
        (httpx.Response(503), {"done": 1, "queued": 1}),
    ],
)
def test_what_cannot_be_fetched(
    analyzer: Analyzer, tmp_path: Path, answer: httpx.Response, outcome: dict[str, int]
) -> None:
    back = connected("hubspot", Platform(answer), write=(), fetch=True)
    store, workers, _ = _hooked(analyzer, tmp_path, back, "hubspot", payload("hubspot", "events"))
    while workers.step():
        pass
    assert store.queue_sizes() == outcome
    store.close()


def test_nothing_is_fetched_unless_it_is_asked_for(analyzer: Analyzer, tmp_path: Path) -> None:
    desk = Platform()
    back = connected("front", desk, write=())
    preview = payload("front", "rule_preview")
    store, workers, _ = _hooked(analyzer, tmp_path, back, "front", preview)
    while workers.step():
        pass
    assert desk.asked == []
    assert store.of("default").thread("front/cnv_55c").thread.messages[0].truncated
    assert back.to_fetch("default", "hubspot", payload("hubspot", "events")) == []
    with pytest.raises(RefusedError, match="Nothing is fetched from front"):
        back.fetch("default", "front", "cnv_55c")
    store.close()


@pytest.mark.parametrize("body", [None, [], [None, 1], {"payload": 3}, {"target": {"_meta": []}}])
@pytest.mark.parametrize("platform", ["hubspot", "front"])
def test_bodies_that_name_no_thread(platform: str, body: Any) -> None:
    back = connected(platform, Platform(), fetch=True)
    assert back.to_fetch("default", platform, body) == []


# -- the file -----------------------------------------------------------------------------------

ZENDESK = '[default.zendesk]\nurl = "https://x.example"\nwrite = ["tag"]\n'


def test_a_file_says_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "back.toml"
    hook = '[acme.webhook]\nurl = "http://localhost:1/"\ndry_run = false\n'
    file.write_text(ZENDESK + hook, encoding="utf-8")
    known = {"CUSTOMER_NLP_TOKEN_ZENDESK": "a:b", "CUSTOMER_NLP_TOKEN_ACME__WEBHOOK": SECRET}
    back = WriteBack.from_file(str(file), environment=known)
    assert back.connections["default", "zendesk"].dry_run
    assert not back.connections["acme", "webhook"].dry_run
    assert SECRET not in repr(back)
    assert WriteBack.from_file("", environment={}).connections == {}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("default = 1", "tables such as"),
        ("[default.zendesk]\nurl = 'http://x.example'", "https:// url"),
        ("[default.zendesk]\nurl = 'https://x.example'\nsecret = 'a'", "keys out of"),
        ("[default.zendesk]\nurl = 'https://x.example'\nwrite = ['all']", "write to list some"),
        ("[default.hubspot]\nurl = 'https://x.example'\nwrite = ['tag']", "write to list some"),
        ("[default.zendesk]\nurl = 'https://x.example'\nwrite = ['field']", "also field"),
        ("[default.intercom]\nurl = 'https://x.example'\nwrite = ['note']", "also agent"),
        ("[default.zendesk]\nurl = 'https://x.example'\ndry_run = 'no'", "dry_run to be true"),
        ("[default.zendesk]\nurl = 'https://x.example'\nfetch = true", "hubspot, front alone"),
        ("[default.hubspot]\nurl = 'https://x.example'\nfetch = 'yes'", "fetch to be true"),
        ("[default.zenddesk]\nurl = 'https://x.example'", "tables called zendesk"),
        ("[Acme.zendesk]\nurl = 'https://x.example'", "A tenant is named"),
        (ZENDESK, "CUSTOMER_NLP_TOKEN_ZENDESK"),
        ("[default.webhook]\nurl = 'https://x.example'", "CUSTOMER_NLP_TOKEN_WEBHOOK"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, text: str, match: str) -> None:
    file = tmp_path / "back.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRecordError, match=match):
        WriteBack.from_file(str(file), environment={})


def test_a_file_of_an_editor_that_marks_its_start_is_read(tmp_path: Path) -> None:
    file = tmp_path / "back.toml"
    text = "\ufeff[default.zendesk]\nurl = 'https://x.example'\n"
    file.write_text(text, encoding="utf-8")
    known = {"CUSTOMER_NLP_TOKEN_ZENDESK": "t"}
    back = WriteBack.from_file(str(file), environment=known)
    assert list(back.connections) == [("default", "zendesk")]


@pytest.mark.parametrize("text", [None, "[", "\x00", "a = " + "[" * 50_000])
def test_a_file_that_is_none(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "back.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match="Expected a TOML file"):
        WriteBack.from_file(str(file), environment={})

"""The service over real HTTP: who may do what, what is refused, and what the answers hold."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")
pytest.importorskip("jinja2")

import httpx
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from serving import Service, comment, serving

from customer_nlp.analyzer import Analyzer
from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.serve._guard import Keys
from customer_nlp.serve._settings import Settings, settings_table, warn_of_strangers
from customer_nlp.serve._store import Store
from customer_nlp.serve.app import create_app, run

ROOT = Path(__file__).resolve().parents[1]
SCORING = ("/v1/analyze", "/v1/signals", "/v1/review", "/v1/outreach")
EXAMPLES = int(os.environ.get("CUSTOMER_NLP_EXAMPLES", "8"))
ANGRY = "This is the third time the router fails. Call me now or I cancel."


@pytest.fixture(scope="module")
def service(analyzer: Analyzer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(
        analyzer, tmp_path_factory.mktemp("serve"), CUSTOMER_NLP_RATE_BURST="100000",
        CUSTOMER_NLP_BODY_LIMIT_BYTES="100000", CUSTOMER_NLP_TEXTS_LIMIT="5",
    ) as running:  # fmt: skip
        yield running


def examples(service: Service) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield each path with the example of its body."""
    known = service.client.get("/openapi.json").json()
    for path, methods in known["paths"].items():
        body = methods.get("post", {}).get("requestBody")
        if body:
            name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            schema = known["components"]["schemas"][name]
            whole = schema | {"components": known["components"]}
            for example in schema["examples"]:
                Draft202012Validator(whole).validate(example)
                yield path, example


def test_the_examples_of_the_openapi_are_answered(service: Service) -> None:
    tried = dict(examples(service))
    assert set(tried) == {*SCORING, "/v1/feedback"}
    for path in SCORING:
        answer = service.client.post(path, json=tried[path], headers=service.key())
        assert answer.status_code == 200, path
    assert answer.json()["decision"] == "hold"


def test_what_is_scored_is_what_the_library_scores(service: Service, analyzer: Analyzer) -> None:
    texts = ["Where is my parcel?", ANGRY]
    found = service.client.post("/v1/signals", json={"texts": texts}, headers=service.key()).json()
    table = analyzer.signals(texts)
    assert tuple(found["names"]) == table.names
    assert found["grade"] == table.grade.tolist()
    assert found["probability"] == [
        [round(p, 4) for p in row] for row in table.probability.tolist()
    ]
    said = service.client.post("/v1/analyze", json={"thread": ANGRY}, headers=service.key()).json()
    assert said == analyzer.analyze(ANGRY).to_dict()


# -- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*SCORING, "/v1/feedback"])
@pytest.mark.parametrize("key", [{}, {"Authorization": "Bearer cnlp_guess"},
                                 {"Authorization": "Basic eDp5"}])  # fmt: skip
def test_nothing_without_a_key(service: Service, path: str, key: dict[str, str]) -> None:
    answer = service.client.post(path, json={}, headers=key)
    assert answer.status_code in (401, 422)
    example = dict(examples(service))[path]
    answer = service.client.post(path, json=example, headers=key)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_opens_what_its_scopes_say(service: Service) -> None:
    reader, scorer = service.key("default", "read"), service.key("default", "score")
    assert service.client.get("/v1/threads", headers=reader).status_code == 200
    assert service.client.get("/v1/threads", headers=scorer).status_code == 403
    body = {"thread": "x", "verdict": "agree"}
    assert service.client.post("/v1/feedback", json=body, headers=reader).status_code == 403
    texts = {"texts": []}
    assert service.client.post("/v1/signals", json=texts, headers=scorer).status_code == 200
    assert service.client.post("/v1/signals", json=texts, headers=reader).status_code == 403


def test_a_key_is_remembered_for_ten_seconds_and_not_longer(tmp_path: Path) -> None:
    now = [0.0]
    store = Store(f"sqlite:///{tmp_path / 'k.db'}")
    keys = Keys(store, Settings(), clock=lambda: now[0])
    word = store.add_key("acme")
    assert keys.known(word) is None
    found = keys.find(word)
    assert found is not None
    store.revoke(found.id)
    for now[0] in (4.0, 9.0):  # asking does not prolong it
        assert keys.find(word) == keys.known(word) == found
    now[0] = 10.5
    assert keys.known(word) is None
    assert keys.find(word) is None
    store.close()


def test_only_a_hash_of_a_key_is_kept(analyzer: Analyzer, tmp_path: Path) -> None:
    with serving(analyzer, tmp_path) as running:
        word = running.store.add_key("default")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert word.encode() not in kept
    assert word.removeprefix("cnlp_").encode() not in kept


def test_too_many_requests_wait(analyzer: Analyzer, tmp_path: Path) -> None:
    with serving(analyzer, tmp_path, CUSTOMER_NLP_RATE_BURST="2",
                 CUSTOMER_NLP_RATE_PER_MINUTE="1") as running:  # fmt: skip
        key, other = running.key(), running.key()
        codes = [running.client.get("/v1/threads", headers=key) for _ in range(3)]
        assert [one.status_code for one in codes] == [200, 200, 429]
        assert 0 < int(codes[-1].headers["retry-after"]) <= 61
        assert running.client.get("/v1/threads", headers=other).status_code == 200


# -- tenants ------------------------------------------------------------------------------------


def test_no_tenant_sees_another(analyzer: Analyzer, tmp_path: Path) -> None:
    with serving(analyzer, tmp_path) as running:
        assert running.hook(comment(1, f"{ANGRY} Only for acme."), tenant="acme").status_code == 202
        running.worked_off()
        mine, theirs = running.key("acme"), running.key("default")
        [known] = running.client.get("/v1/threads", headers=mine).json()
        place, judge = quote(known["id"], safe=""), {"thread": known["id"], "verdict": "agree"}
        assert running.client.get(f"/v1/threads/{place}", headers=mine).status_code == 200
        assert running.client.post("/v1/feedback", json=judge, headers=mine).status_code == 201

        assert running.client.get("/v1/threads", headers=theirs).json() == []
        assert running.client.get(f"/v1/threads/{place}", headers=theirs).status_code == 404
        assert running.client.post("/v1/feedback", json=judge, headers=theirs).status_code == 404
        assert running.client.get("/v1/feedback", headers=theirs).text == ""
        for path in ("/", f"/threads/{place}"):
            page = running.client.get(path, headers=running.session("default"))
            assert "Only for acme" not in page.text
        sent = running.client.post(f"/threads/{place}/feedback", data={"verdict": "agree"},
                                   headers=running.session("default"))  # fmt: skip
        assert sent.status_code == 404
        assert len(running.client.get("/v1/feedback", headers=mine).text.splitlines()) == 1


@pytest.mark.parametrize("tenant", ["default' OR '1'='1", "..", "ACME", "nobody", "", "a" * 99])
def test_a_tenant_without_a_secret_takes_nothing_in(service: Service, tenant: str) -> None:
    answer = service.hook(comment(1, "hello"), tenant=quote(tenant))
    assert answer.status_code == 404


# -- webhooks -----------------------------------------------------------------------------------


def test_a_delivery_becomes_a_thread(analyzer: Analyzer, tmp_path: Path) -> None:
    with serving(analyzer, tmp_path) as running:
        first = comment(1, "The router keeps dropping the line.", ticket=5)
        reply = comment(2, "As per our policy, restart it.", ticket=5, staff=True)
        for body in (first, reply, comment(3, ANGRY, ticket=5)):
            assert running.hook(body).status_code == 202
        assert running.worked_off() == {"done": 3}
        [known] = running.client.get("/v1/threads", headers=running.key()).json()
        assert known["id"] == "zendesk/5"
        place = quote(known["id"], safe="")
        whole = running.client.get(f"/v1/threads/{place}", headers=running.key()).json()
        assert [one["role"] for one in whole["thread"]["messages"]] == [
            "customer", "agent", "customer"]  # fmt: skip
        said = whole["analysis"]
        assert said["after"] == "c3"
        assert said["recommendation"]["primary"]
        # the words of a delivery are in its thread, and in no other place
        assert all(job["payload"] == b"" for job in _jobs(running))


def _jobs(running: Service) -> list[dict[str, object]]:
    with running.store.reading() as connection:
        return [dict(row) for row in
                connection.exec_driver_sql("SELECT * FROM jobs").mappings()]  # fmt: skip


def test_refused_deliveries_do_no_work(analyzer: Analyzer, tmp_path: Path) -> None:
    body, now = comment(1, ANGRY), datetime.now(UTC)
    with serving(analyzer, tmp_path) as running:
        assert running.hook(body, secret="guessed").status_code == 401
        assert running.hook(body, at=now - timedelta(minutes=6)).status_code == 409
        assert running.client.post("/v1/hooks/zendesk", content=body).status_code == 401
        assert running.client.post("/v1/hooks/osticket", content=body).status_code == 404
        assert running.client.post("/v1/hooks/front", content=body).status_code == 404
        assert running.store.queue_sizes() == {}
        taken = running.hook(body, at=now)
        assert (taken.status_code, running.hook(body, at=now).status_code) == (202, 409)
        assert running.worked_off() == {"done": 1}
        assert running.store.of("default").thread("zendesk/1").version == 1
        # sent anew with a new time: a new delivery of a message that is known already
        assert running.hook(body, at=now + timedelta(seconds=2)).status_code == 202
        assert running.worked_off() == {"done": 2}
        assert running.store.of("default").thread("zendesk/1").version == 1


def test_one_delivery_sent_at_once_is_taken_once(analyzer: Analyzer, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with serving(analyzer, tmp_path) as running:
        codes: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: codes.append(running.hook(comment(1, ANGRY), at=now).status_code)
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [202] + [409] * 7
        assert running.worked_off() == {"done": 1}


@pytest.mark.parametrize("body", [b"no json", b"[" * 50_000, b"\xff", b'{"type": "x"}', b"[]"])
def test_a_delivery_that_nobody_can_read_is_a_dead_letter(service: Service, body: bytes) -> None:
    known = len(service.store.dead_letters())
    assert service.hook(body).status_code == 202
    service.worked_off()
    letter = service.store.dead_letters()[-1]
    assert len(service.store.dead_letters()) == known + 1
    assert letter["attempts"] == 1
    assert "\xff" not in letter["reason"]
    assert service.store.replay([letter["id"]]) == 1
    service.worked_off()
    assert len(service.store.dead_letters()) == known + 1


def test_an_address_can_be_tried(service: Service) -> None:
    assert service.client.head("/v1/hooks/zendesk").status_code == 200
    assert service.client.head("/v1/hooks/front").status_code == 404


# -- bounds -------------------------------------------------------------------------------------


def test_large_bodies_are_refused(service: Service) -> None:
    large = b"x" * 100_001
    for content in (large, iter([large[:60_000], large[60_000:]])):  # with a length, and without
        answer = service.client.post("/v1/hooks/zendesk", content=content)
        assert answer.status_code == 413
        assert "larger than this service takes" in answer.json()["detail"]
    texts = {"texts": ["x"] * 6}
    assert service.client.post("/v1/signals", json=texts, headers=service.key()).status_code == 413


def test_a_body_that_does_not_come_is_given_up(analyzer: Analyzer, tmp_path: Path) -> None:
    with serving(analyzer, tmp_path, CUSTOMER_NLP_REQUEST_SECONDS="1") as running:

        def slowly() -> Iterator[bytes]:
            yield b'{"texts": ['
            threading.Event().wait(2)
            yield b"]}"

        try:
            answer = running.client.post("/v1/signals", content=slowly(), headers=running.key())
        except httpx.WriteError:
            return  # hung up on
        assert answer.status_code == 503


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/signals", {"texts": ["Geheim", 7]}, "body.texts.1"),
        ("/v1/analyze", {"thread": {"messages": [{"role": "Geheim", "text": ""}]}}, "role"),
        ("/v1/analyze", {"thread": "x", "now": "Geheim"}, "body.now"),
        ("/v1/analyze", {"thread": {"messages": [{"role": "agent", "text": "a", "id": "1"}] * 2}},
         "messages"),
        ("/v1/outreach", {"planned": {"at": "2026-03-02T09:00:00Z"},
                          "account": {"timezone": "Geheim"}}, "timezone"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_not_repeated(
    service: Service, path: str, body: dict[str, object], field: str
) -> None:
    answer = service.client.post(path, json=body, headers=service.key())
    assert answer.status_code == 422
    record = answer.json()
    assert field in json.dumps(record)
    assert "Geheim" not in answer.text
    assert {"type", "title", "status", "detail"} <= record.keys()


def test_every_answer_carries_the_headers_that_browsers_obey(service: Service) -> None:
    for path in ("/healthz", "/nowhere", "/login", "/static/page.css"):
        headers = service.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
    assert service.client.get("/static/..%2Fapp.py").status_code == 404


# -- feedback and health ------------------------------------------------------------------------


def test_feedback_is_exported_for_retraining(analyzer: Analyzer, tmp_path: Path) -> None:
    with serving(analyzer, tmp_path) as running:
        running.hook(comment(1, ANGRY))
        running.worked_off()
        body = {"thread": "zendesk/1", "verdict": "disagree", "done": ["retain"]}
        key = running.key()
        assert running.client.post("/v1/feedback", json=body, headers=key).status_code == 201
        wrong = body | {"done": ["pray"]}
        assert running.client.post("/v1/feedback", json=wrong, headers=key).status_code == 422
        [line] = running.client.get("/v1/feedback", headers=key).text.splitlines()
        record = json.loads(line)
        assert record["verdict"] == "disagree"
        assert record["done"] == ["retain"]
        assert record["primary"] in record["recommended"]
        assert record["thread"]["messages"][0]["text"] == ANGRY


def test_health_and_metrics(service: Service) -> None:
    assert service.client.get("/healthz").json() == {"status": "ok"}
    assert service.client.get("/readyz").json()["status"] == "ok"
    told = service.client.get("/metrics").text
    assert 'customer_nlp_requests_total{route="/healthz",status="200"}' in told
    assert "tenant" not in told
    assert "zendesk/" not in told


# -- settings -----------------------------------------------------------------------------------


def test_public_holidays_are_kept_by_the_whole_service(analyzer: Analyzer, tmp_path: Path) -> None:
    pytest.importorskip("holidays")
    with pytest.raises(InvalidRecordError, match="country code"):
        create_app(environment={"CUSTOMER_NLP_HOLIDAYS": "Atlantis"}, analyzer=analyzer)
    turns = [("customer", "Where is my order?"), ("agent", "I'll call you within 1 working day.")]
    thread = {"messages": [
        {"role": role, "text": text, "sent_at": f"2026-04-02T{hour}:00:00Z"}
        for hour, (role, text) in enumerate(turns, 10)
    ]}  # fmt: skip
    planned = {"kind": "sales", "channel": "phone", "at": "2026-04-03T10:00:00Z"}
    with serving(analyzer, tmp_path, CUSTOMER_NLP_HOLIDAYS="DE") as service:
        key = service.key()
        asked = {"thread": thread, "now": "2026-04-07T12:00:00Z"}  # the Tuesday after Easter
        found = service.client.post("/v1/analyze", json=asked, headers=key).json()
        assert [one["due"][:10] for one in found["commitments"]] == ["2026-04-07"]
        asked = {"planned": planned, "account": {"id": "jo"}}
        found = service.client.post("/v1/outreach", json=asked, headers=key).json()
        assert found["reasons"] == ["outside_window"]
        promise = comment(1, turns[1][1], staff=True).replace(b"2026-03-02T", b"2026-04-02T")
        assert service.hook(promise).status_code == 202
        service.worked_off()
        kept = service.store.of("default").thread("zendesk/1")
        assert kept is not None
        assert kept.analysis["commitments"][0]["due"][:10] == "2026-04-07"


def test_settings_come_from_the_environment_or_files(tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.write_text("sqlite:///other.db\n", encoding="utf-8")
    known = {"CUSTOMER_NLP_DATABASE_FILE": str(file), "CUSTOMER_NLP_PORT": "9000"}
    settings = Settings.from_environment(known)
    assert (settings.database, settings.port) == ("sqlite:///other.db", 9000)
    assert "other.db" not in repr(settings)  # it may hold a password
    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize(
    ("environment", "error", "match"),
    [
        ({"CUSTOMER_NLP_PORT": "0"}, InvalidRecordError, "whole number from 1 up"),
        ({"CUSTOMER_NLP_PORT": "x"}, InvalidRecordError, "CUSTOMER_NLP_PORT must be a whole"),
        ({"CUSTOMER_NLP_DATABASE_FILE": "/nowhere"}, SourceError, "FileNotFoundError"),
        ({"CUSTOMER_NLP_PORT": "x"}, InvalidRecordError, "from 1 up; got other words"),
        ({"CUSTOMER_NLP_PORT": ""}, InvalidRecordError, "from 1 up; got nothing"),
        ({"CUSTOMER_NLP_PORT": "70000"}, InvalidRecordError, "at most 65535; got 70000"),
        (
            {"CUSTOMER_NLP_HOST": "::", "CUSTOMER_NLP_HOST_FILE": __file__},
            InvalidRecordError,
            "Set CUSTOMER_NLP_HOST or CUSTOMER_NLP_HOST_FILE; got both",
        ),
    ],
)
def test_settings_that_cannot_be(
    environment: dict[str, str], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        Settings.from_environment(environment)


def test_a_file_of_an_editor_that_marks_its_start_is_read(tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("\ufeff9000\r\n", encoding="utf-8")
    assert Settings.from_environment({"CUSTOMER_NLP_PORT_FILE": str(file)}).port == 9000


def test_a_slip_in_a_name_is_told_and_names_of_others_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    right = ("PORT", "DATABASE_FILE", "SECRET_ZENDESK", "SECRET_ACME__DJANGO_HELPDESK_FILE",
             "TOKEN_WEBHOOK", "IMAP_PASSWORD", "DATA_MIRROR", "SERVICE_PORT",
             "PORT_80_TCP")  # fmt: skip
    warn_of_strangers({f"CUSTOMER_NLP_{name}": "canary" for name in right})
    assert not caplog.messages
    wrong = ("PROT", "SECRET_ZENDESKK_FILE", "TOKEN_ACME__HUPSPOT")
    warn_of_strangers({f"CUSTOMER_NLP_{name}": "canary" for name in wrong})
    told = [message.rpartition(" ")[2] for message in caplog.messages]
    assert told == ["CUSTOMER_NLP_PORT?", "CUSTOMER_NLP_SECRET_ZENDESK?",
                    "CUSTOMER_NLP_TOKEN_ACME__HUBSPOT?"]  # fmt: skip
    assert "canary" not in caplog.text


def test_what_is_asked_for_in_the_shell_counts_before_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / "database"
    stale.write_text("sqlite:///stale.db", encoding="utf-8")
    monkeypatch.setattr(os, "environ", {"CUSTOMER_NLP_DATABASE_FILE": str(stale)})
    served: list[str] = []
    monkeypatch.setattr(
        "uvicorn.run", lambda *_, **__: served.append(Settings.from_environment().database)
    )
    wanted = f"sqlite:///{tmp_path / 'wanted.db'}"
    run(Settings(database=wanted))
    assert served == [wanted]


def test_the_table_of_settings_in_the_docs_is_the_programs() -> None:
    page = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
    shown = page.split("<!-- settings: begin -->\n")[1].split("<!-- settings: end -->")[0]
    assert shown == settings_table()


# -- whatever is sent ---------------------------------------------------------------------------


def test_no_request_is_a_server_error(service: Service) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    schema = schemathesis.openapi.from_url(f"{service.client.base_url}/openapi.json")
    headers = service.key() | {"X-Webhook-Secret": "x"}
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
        def run(case: object) -> None:
            answer = case.call(headers=headers)
            assert answer.status_code < 500, answer.text

        run()
        tried.add(operation.path)
    assert {*SCORING, "/v1/hooks/{platform}", "/v1/threads/{identifier}"} <= tried

"""Deliveries: genuine ones pass once, everything else is refused before any work is done."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp.errors import (
    CustomerNlpError,
    InvalidRecordError,
    ReplayError,
    SignatureError,
    SourceError,
)
from customer_nlp.readers import HELPDESKS
from customer_nlp.serve import Delivery, Secrets, handshake, verify

NOW = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)
SECRET = "s3cret-ü"
URL = "https://hooks.brightwell.example/v1/hooks/hubspot?tenant=a"
BODY = json.dumps({"id": "notif_1", "topic": "conversation.user.replied", "text": "Grüße"}).encode()
TIMED = ("zendesk", "hubspot", "front", "chatwoot")
SHARED = ("freshdesk", "gorgias", "django-helpdesk")


def mac(message: bytes, *, of: str = "sha256", secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), message, of).digest()


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def signed(
    platform: str, body: bytes = BODY, *, at: datetime = NOW, secret: str = SECRET
) -> dict[str, str]:
    """Sign as each vendor's page says, with nothing of the code under test."""
    seconds, millis = str(int(at.timestamp())), str(int(at.timestamp() * 1000))
    iso = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    sha1 = mac(body, of="sha1", secret=secret)
    hub = {"X-Hub-Signature": f"sha1={sha1.hex()}"}
    basic = {"Authorization": f"Basic {b64(secret.encode())}"}
    v3 = mac(b"POST" + URL.encode() + body + millis.encode(), secret=secret)
    chat = mac(f"{seconds}.".encode() + body, secret=secret).hex()
    return {
        "zendesk": {
            "X-Zendesk-Webhook-Signature": b64(mac(iso.encode() + body, secret=secret)),
            "X-Zendesk-Webhook-Signature-Timestamp": iso,
            "X-Zendesk-Webhook-Id": "01F1KRFQ6BG29CNWFR60NK5FNY",
            "X-Zendesk-Webhook-Invocation-Id": "8350205582",
        },
        "freshdesk": basic,
        "intercom": hub,
        "hubspot": {"X-HubSpot-Signature-v3": b64(v3), "X-HubSpot-Request-Timestamp": millis},
        "helpscout": {"X-HelpScout-Signature": b64(sha1), "X-HelpScout-Event": "convo.created"},
        "front": {
            "X-Front-Signature": b64(mac(f"{millis}:".encode() + body, secret=secret)),
            "X-Front-Request-Timestamp": millis,
        },
        "gorgias": {"X-Webhook-Secret": secret},
        "chatwoot": {
            "X-Chatwoot-Signature": f"sha256={chat}",
            "X-Chatwoot-Timestamp": seconds,
            "X-Chatwoot-Delivery": "8b7a",
        },
        "zammad": hub | {"X-Zammad-Trigger": "notify", "X-Zammad-Delivery": "a1"},
        "freescout": {"X-FreeScout-Signature": b64(sha1), "X-FreeScout-Event": "convo.created"},
        "django-helpdesk": basic,
    }[platform]


def never(_: str) -> bool:
    return False


def check(platform: str, headers: dict[str, str], body: bytes = BODY, **options: Any) -> Delivery:
    given_options = {"now": NOW, "seen": never, "url": URL} | options
    return verify(platform, headers, body, given_options.pop("secret", SECRET), **given_options)


every_platform = pytest.mark.parametrize("platform", HELPDESKS)


@every_platform
def test_a_genuine_delivery_passes(platform: str) -> None:
    delivery = check(platform, signed(platform))
    assert delivery.platform == platform
    assert delivery.id
    assert (delivery.sent_at == NOW) if platform in TIMED else (delivery.sent_at is None)
    again = {name.upper(): value for name, value in signed(platform).items()}
    assert check(platform, again) == delivery


@every_platform
def test_an_empty_body_is_signed_like_any_other(platform: str) -> None:
    assert check(platform, signed(platform, b""), b"").id


@pytest.mark.parametrize("platform", [one for one in HELPDESKS if one not in SHARED])
@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b""])
def test_a_tampered_body_is_refused(platform: str, body: bytes) -> None:
    with pytest.raises(SignatureError, match="does not fit the body") as caught:
        check(platform, signed(platform), body)
    assert caught.value.status == 401


@every_platform
def test_a_wrong_secret_is_refused(platform: str) -> None:
    with pytest.raises(SignatureError, match=r"does not fit the body|is another one"):
        check(platform, signed(platform, secret="guessed"))


@every_platform
def test_every_header_that_proves_something_is_needed(platform: str) -> None:
    headers = signed(platform)
    proofs = [
        name for name in headers if not name.endswith(("-Id", "Event", "Delivery", "Trigger"))
    ]
    assert proofs
    for name in proofs:
        rest = {key: value for key, value in headers.items() if key != name}
        with pytest.raises(SignatureError, match=r"lacks the header|does not fit") as caught:
            check(platform, rest)
        assert caught.value.header in {one.lower() for one in proofs} | {"x-webhook-secret"}


@every_platform
@pytest.mark.parametrize("value", ["", "ü", "\udcff", "…" * 1000, "sha1=", "Basic", "Basic ü"])
def test_a_header_may_hold_anything(platform: str, value: str) -> None:
    for name in signed(platform):
        if name.endswith(("Signature", "-v3", "Authorization", "Secret", "Timestamp")):
            with pytest.raises(SignatureError, match=r"."):
                check(platform, signed(platform) | {name: value})


@pytest.mark.parametrize("platform", TIMED)
@pytest.mark.parametrize("off", [timedelta(minutes=5, seconds=1), -timedelta(minutes=5, seconds=1)])
def test_a_signed_time_must_be_near(platform: str, off: timedelta) -> None:
    headers = signed(platform)
    with pytest.raises(ReplayError, match="more than 300 seconds") as caught:
        check(platform, headers, now=NOW + off)
    assert caught.value.status == 409
    assert not caught.value.again
    assert check(platform, headers, now=NOW + off, window=timedelta(minutes=6)).sent_at == NOW


@pytest.mark.parametrize("platform", TIMED)
def test_a_time_cannot_be_swapped(platform: str) -> None:
    fresh = signed(platform, at=NOW + timedelta(hours=1))
    old = signed(platform)
    proof = next(name for name in old if "Signature" in name and "Timestamp" not in name)
    with pytest.raises(SignatureError, match="does not fit"):
        check(platform, fresh | {proof: old[proof]}, now=NOW + timedelta(hours=1))


@every_platform
def test_a_delivery_is_taken_in_once(platform: str) -> None:
    store = set(check(platform, signed(platform)).keys)
    with pytest.raises(ReplayError, match="taken in before") as caught:
        check(platform, signed(platform), seen=store.__contains__)
    assert caught.value.again
    # The id of the delivery is not signed: another one does not make it new.
    renamed = {
        name: "other" if name.endswith(("Invocation-Id", "Delivery")) else value
        for name, value in signed(platform).items()
    }
    with pytest.raises(ReplayError, match="taken in before"):
        check(platform, renamed, seen=store.__contains__)


@pytest.mark.parametrize("platform", ["zendesk", "chatwoot"])
def test_a_delivery_sent_anew_keeps_its_id(platform: str) -> None:
    store = set(check(platform, signed(platform)).keys)
    later = NOW + timedelta(minutes=9)
    with pytest.raises(ReplayError, match="taken in before"):
        check(platform, signed(platform, at=later), now=later, seen=store.__contains__)


def test_two_deliveries_of_one_webhook_are_two() -> None:
    first = check("zendesk", signed("zendesk"))
    headers = signed("zendesk", b"{}") | {"X-Zendesk-Webhook-Invocation-Id": "8350205583"}
    assert not set(first.keys) & set(check("zendesk", headers, b"{}").keys)


@every_platform
def test_nothing_is_remembered_of_what_is_refused(platform: str) -> None:
    asked: list[str] = []
    with pytest.raises(SignatureError, match=r"."):
        check(platform, {}, seen=lambda key: bool(asked.append(key)))
    with pytest.raises(SignatureError, match=r"."):
        check(platform, signed(platform, secret="x"), seen=lambda key: bool(asked.append(key)))
    assert asked == []


@every_platform
def test_a_secret_may_be_changed_without_a_gap(platform: str) -> None:
    assert check(platform, signed(platform), secret=("new", SECRET)).id


@pytest.mark.parametrize("secret", ["", (), ("a", "")])
def test_an_empty_secret_opens_nothing(secret: Any) -> None:
    with pytest.raises(
        InvalidRecordError, match=r"must not be empty\. Set CUSTOMER_NLP_SECRET_ZEN"
    ):
        check("zendesk", signed("zendesk", secret=""), secret=secret)


def test_what_kind_of_event_it_is() -> None:
    assert check("intercom", signed("intercom")).event == "conversation.user.replied"
    assert check("intercom", signed("intercom")).id == "notif_1"
    assert check("helpscout", signed("helpscout")).event == "convo.created"
    assert check("zammad", signed("zammad")).event == "notify"


# -- vectors of the vendors ---------------------------------------------------------------------

# https://developers.hubspot.com/docs/faq/v1-request-validation and …/v2-request-validation
HUBSPOT_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
HUBSPOT = [
    (
        "v1", "POST",
        b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
        b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,'
        b'"changeSource":"CRM","changeFlag":"NEW","appId":54321}]',
        "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de",
    ),
    ("v2", "GET", b"", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
    (
        "v2", "POST", b'{"example_field":"example_value"}',
        "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("version", "method", "body", "signature"), HUBSPOT)
def test_hubspots_own_examples(version: str, method: str, body: bytes, signature: str) -> None:
    headers = {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": version}
    options = {"secret": HUBSPOT_SECRET, "method": method,
               "url": "https://www.example.com/webhook_uri"}  # fmt: skip
    assert check("hubspot", headers, body, legacy=True, **options).id
    with pytest.raises(SignatureError, match="lacks the header x-hubspot-signature-v3"):
        check("hubspot", headers, body, **options)


def test_hubspot_signs_some_characters_of_the_url_decoded() -> None:
    called = URL.replace(":", "%3A", 1) + "&mail=a%40b.example"
    meant = URL + "&mail=a@b.example"
    millis = str(int(NOW.timestamp() * 1000))
    headers = {
        "X-HubSpot-Signature-v3": b64(mac(b"POST" + meant.encode() + BODY + millis.encode())),
        "X-HubSpot-Request-Timestamp": millis,
    }
    assert check("hubspot", headers, url=called).id


def test_fronts_rules_sign_the_body_alone() -> None:
    # https://dev.frontapp.com/docs/rule-webhooks
    assert check("front", {"X-Front-Signature": b64(mac(BODY, of="sha1"))}).sent_at is None


@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_gorgias_behind_a_signing_middleman(prefix: str) -> None:
    assert check("gorgias", {"X-Gorgias-Signature": prefix + mac(BODY).hex()}).id


def test_freescouts_secret_is_made_from_its_key() -> None:
    secret = hashlib.md5(b"base64:AAAA" + b"webhook_key").hexdigest()
    headers = {"X-HelpScout-Signature": b64(mac(BODY, of="sha1", secret=secret))}
    assert check("freescout", headers, secret=secret).id


@pytest.mark.parametrize("platform", SHARED)
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {SECRET}"},
        {"authorization": f"bearer {SECRET}"},
        {"X-Webhook-Secret": SECRET},
        {"Authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()},
    ],
)
def test_a_shared_secret_comes_in_several_ways(platform: str, headers: dict[str, str]) -> None:
    assert check(platform, headers).id


# -- trials -------------------------------------------------------------------------------------


def test_fronts_challenge_is_answered_once_it_is_verified() -> None:
    body = json.dumps({"type": "sync", "authorization": {"id": "cmp_abc"}}).encode()
    headers = signed("front", body) | {"X-Front-Challenge": "9f2"}
    trial = handshake("front", headers, body)
    assert trial is not None
    assert trial.answer == {"challenge": "9f2"}
    assert trial.signed
    assert check("front", headers, body).event == "sync"


@pytest.mark.parametrize(
    ("platform", "headers", "body"),
    [
        ("intercom", {}, b'{"type": "notification_event", "topic": "ping"}'),
        ("helpscout", {"X-HelpScout-Event": "helpscout.test"}, b"{}"),
    ],
)
def test_pings_are_answered_and_hold_nothing(
    platform: str, headers: dict[str, str], body: bytes
) -> None:
    trial = handshake(platform, headers, body)
    assert trial is not None
    assert not trial.answer


@every_platform
def test_an_address_is_tried_with_head_and_deliveries_are_no_trials(platform: str) -> None:
    trial = handshake(platform, {}, b"", method="HEAD")
    assert trial is not None
    assert not trial.signed
    assert handshake(platform, signed(platform), BODY) is None


@given(st.binary(max_size=60) | st.sampled_from([b"[" * 100_000, b'{"id":' * 9, b'{"id":NaN}']))
def test_any_body_is_refused_without_a_signature(body: bytes) -> None:
    for platform in HELPDESKS:
        handshake(platform, {}, body)
        with pytest.raises(SignatureError, match="lacks the header"):
            check(platform, {}, body)
        check(platform, signed(platform, body), body)


def test_other_platforms_and_naive_times_are_refused() -> None:
    with pytest.raises(InvalidRecordError, match="must be one of zendesk"):
        check("osticket", {})
    with pytest.raises(InvalidRecordError, match="aware datetime"):
        check("front", signed("front"), now=datetime(2026, 3, 2))


# -- secrets ------------------------------------------------------------------------------------


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "hubspot"
    file.write_text("new\nold\n", encoding="utf-8")
    secrets = Secrets.from_environment(
        environment={
            "CUSTOMER_NLP_SECRET_DJANGO_HELPDESK": "user:word",
            "CUSTOMER_NLP_SECRET_HUBSPOT_FILE": str(file),
            "OTHER": "x",
        }
    )
    assert secrets["django-helpdesk"] == ("user:word",)
    assert secrets["hubspot"] == ("new", "old")
    assert "zendesk" not in secrets
    assert "word" not in f"{secrets!r} {secrets}"
    with pytest.raises(InvalidRecordError, match="Set CUSTOMER_NLP_SECRET_ZENDESK or"):
        _ = secrets["zendesk"]


@pytest.mark.parametrize(
    ("environment", "error", "match"),
    [
        ({"FRONT": ""}, InvalidRecordError, "must not be empty"),
        ({"FRONT": "a", "FRONT_FILE": "b"}, InvalidRecordError, "got both"),
        ({"FRONT_FILE": "/nowhere/at/all"}, SourceError, "FileNotFoundError"),
    ],
)
def test_secrets_that_cannot_be(
    environment: dict[str, str], error: type[CustomerNlpError], match: str
) -> None:
    known = {f"CUSTOMER_NLP_SECRET_{name}": value for name, value in environment.items()}
    with pytest.raises(error, match=match):
        Secrets.from_environment(environment=known)


@every_platform
@pytest.mark.parametrize("secret", ["guessed", SECRET])
def test_no_error_shows_a_secret_or_a_body(platform: str, secret: str) -> None:
    with pytest.raises((SignatureError, ReplayError), match=r".") as caught:
        check(platform, signed(platform, secret=secret), seen={"nothing"}.isdisjoint)
    for word in (SECRET, "guessed", "Grüße"):
        assert word not in str(caught.value)

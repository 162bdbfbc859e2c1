"""The page for agents: what it marks, that it escapes, and how a browser draws it."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")
pytest.importorskip("jinja2")

from hypothesis import given
from hypothesis import strategies as st
from serving import Service, comment, listening, serving

from customer_nlp.analyzer import Analyzer
from customer_nlp.serve._page import segments

ROOT = Path(__file__).resolve().parents[1]
CSS = (ROOT / "customer_nlp/serve/static/page.css").read_text(encoding="utf-8")
EVIL = '<script>alert("x")</script>"><img src=x onerror=alert(1)>'
STORY = (
    (False, "My invoice is wrong: you charged the router twice. Please correct it."),
    (True, "We will send a corrected invoice by Friday."),
    (False, "Friday is gone and there is no invoice. This is the second time I ask. I am fed up."),
    (True, "As per our policy, please check your spam folder."),
    (False, "I've had it with you people. Call me now or I cancel and go to another company."),
)


@pytest.fixture(scope="module")
def service(analyzer: Analyzer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(analyzer, tmp_path_factory.mktemp("page")) as running:
        for number, (staff, text) in enumerate(STORY):
            running.hook(comment(number, text, ticket=1, staff=staff))
        evil = comment(30, f"{EVIL} Nothing works, I am fed up.", ticket=2)
        running.hook(evil.replace(b'"Router"', b'"<b onclick=x>Sub</b>"'))
        running.hook(comment(40, "Thank you, that works.", ticket=3))
        running.worked_off()
        yield running


def page(service: Service, path: str, *scopes: str) -> str:
    answer = service.client.get(path, headers=service.session("default", *scopes))
    assert answer.status_code == 200
    return answer.text


def test_nobody_reads_without_signing_in(service: Service) -> None:
    for path in ("/", "/threads/zendesk%2F1"):
        for cookie in ({}, {"Cookie": "customer_nlp_session=guess"}):
            answer = service.client.get(path, headers=cookie)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert service.client.post("/login", data={"key": "guess"}).status_code == 401
    scorer = service.store.add_key("default", ["score"])
    assert service.client.post("/login", data={"key": scorer}).status_code == 401


def test_an_api_key_in_the_cookie_and_a_session_elsewhere_open_nothing_more(
    service: Service,
) -> None:
    session = service.session("default")["Cookie"].partition("=")[2]
    bearer = {"Authorization": f"Bearer {session}"}
    texts = {"texts": []}
    assert service.client.post("/v1/signals", json=texts, headers=bearer).status_code == 403
    cookie = {"Cookie": f"customer_nlp_session={session}"}
    assert service.client.post("/v1/signals", json=texts, headers=cookie).status_code == 401


def test_signing_out_ends_the_session(service: Service) -> None:
    session = service.session()
    assert service.client.post("/logout", headers=session).status_code == 303
    assert service.client.get("/", headers=session).status_code == 303


def test_what_is_at_stake_comes_first(service: Service) -> None:
    shown = page(service, "/")
    order = re.findall(r'href="/threads/zendesk%2F(\d)"', shown)
    assert sorted(order) == ["1", "2", "3"]
    assert order.index("1") < order.index("3")


def test_a_thread_shows_words_promises_trajectory_and_reasons(service: Service) -> None:
    shown = page(service, "/threads/zendesk%2F1")
    record = service.store.of("default").thread("zendesk/1").analysis
    assert re.search(r'<mark class="[^"]*frustration', shown)
    assert "<polyline" in shown
    for one in record["recommendation"]["actions"]:
        for reason in one["because"]:
            assert reason in shown
    for promise in record["commitments"]:
        assert promise["state"].replace("_", " ") in shown
    assert record["commitments"]


def test_nothing_from_outside_is_markup(service: Service) -> None:
    for path in ("/", "/threads/zendesk%2F2", "/threads/%3Cscript%3Ealert%281%29"):
        shown = service.client.get(path, headers=service.session()).text
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert "<b onclick" not in shown
        assert re.findall(r"<script[^>]*>", shown) == ['<script src="/static/page.js" defer>']
        assert not re.search(r"\sstyle=|\son\w+=\"", shown)  # the policy would refuse them


def test_agents_say_whether_it_was_right(service: Service) -> None:
    path, session = "/threads/zendesk%2F1", service.session()
    said = {"verdict": "agree", "done": "call_now"}
    answer = service.client.post(f"{path}/feedback", data=said, headers=session)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert "You said: <b>agree</b>, done: call now" in service.client.get(
        path, headers=session).text  # fmt: skip
    wrong = service.client.post(f"{path}/feedback", data={"verdict": "<x>"}, headers=session)
    assert wrong.status_code == 422
    other = session | {"Origin": "https://evil.example"}
    assert service.client.post(f"{path}/feedback", data=said, headers=other).status_code == 403
    reader = service.session("default", "read")
    assert service.client.post(f"{path}/feedback", data=said, headers=reader).status_code == 403
    assert "Was this right?" not in service.client.get(path, headers=reader).text


def test_forms_that_no_page_of_ours_sends_are_refused(service: Service) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    many = "&".join(f"a{number}=1" for number in range(50))
    answer = service.client.post("/login", content=many, headers=form)
    assert (answer.status_code, answer.json()["detail"]) == (
        400, "At most 20 fields are expected in a form.")  # fmt: skip
    for origin in ("http://[half", "null", "https://evil.example"):
        answer = service.client.post("/login", content="key=x", headers=form | {"Origin": origin})
        assert answer.status_code == 403


# -- marks --------------------------------------------------------------------------------------

_SPAN = st.tuples(st.integers(-2, 40), st.integers(-2, 40), st.sampled_from("abc"))


@given(st.text(max_size=30), st.lists(_SPAN, max_size=8))
def test_pieces_make_up_the_text_and_carry_their_names(
    text: str, spans: list[tuple[int, int, str]]
) -> None:
    parts = segments(text, spans)
    assert "".join(piece for piece, _ in parts) == text
    kept = [one for one in spans if 0 <= one[0] < one[1] <= len(text)]
    position = 0
    for piece, names in parts:
        for at in range(position, position + len(piece)):
            assert set(names) == {name for start, end, name in kept if start <= at < end}
        position += len(piece)


# -- contrast (WCAG 2.2, 1.4.3) -----------------------------------------------------------------


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_pair_of_colours_can_be_read() -> None:
    named = dict(re.findall(r"--([\w-]+): (#\w+)", CSS))
    pairs = [
        (named[ink], ground)
        for ink in ("ink", "soft", "link", "confusion", "frustration", "churn_risk")
        for ground in (named["ground"], named["paper"], "#f1f3f5")
    ]
    marks = re.findall(r"mark[\w.]* \{ background: (#\w+)", CSS)
    assert len(marks) == 6
    pairs += [(named["ink"], ground) for ground in marks]
    old = re.search(r"\.old \{ color: (#\w+)", CSS)
    assert old
    pairs += [(old[1], "#fbf8ee"), ("#fff", "#b0201c"), ("#fff", "#8a5a00"), ("#fff", "#0b4f9e")]
    for one, other in pairs:
        light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (one, other)


# -- a real browser -----------------------------------------------------------------------------


def _signed_in(service: Service) -> Any:
    """Return the application as a browser with the session's cookie meets it."""
    cookie = service.session()["Cookie"].encode()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [*scope["headers"], (b"cookie", cookie)]
            await service.app(scope | {"headers": headers}, receive, send)
        elif scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})

    return app


def _chromium(address: str, folder: Path, *words: str) -> str:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("Chromium is not installed")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--no-first-run", "--no-proxy-server", "--hide-scrollbars",
         f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000", *words, address],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_draws_the_page(service: Service, tmp_path: Path, width: int) -> None:
    with listening(_signed_in(service)) as address:
        picture = tmp_path / "page.png"
        _chromium(f"{address}/threads/zendesk%2F1", tmp_path,
                  f"--screenshot={picture}", f"--window-size={width},1600")  # fmt: skip
    raw = picture.read_bytes()
    assert struct.unpack(">II", raw[16:24]) == (width, 1600)
    assert len(raw) > 20_000  # more than an empty page


def test_a_browser_runs_no_script_of_a_customer(service: Service, tmp_path: Path) -> None:
    with listening(_signed_in(service)) as address:
        drawn = _chromium(f"{address}/threads/zendesk%2F2", tmp_path, "--dump-dom")
    assert "&lt;script&gt;alert" in drawn
    assert "<img" not in drawn

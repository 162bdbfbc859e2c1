"""The report: each total is the records' own, each number opens its threads, nothing leaks."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp import batch, report
from customer_nlp.analyzer import Analyzer
from customer_nlp.cli import main
from customer_nlp.codebook import ACTIONS
from customer_nlp.errors import InvalidRecordError, ParseError, SourceError

ROOT = Path(__file__).resolve().parents[1]
ATTACK = '</li><script>alert(1)</script><img src=x onerror="alert(2)">\u202e\x00\ud800'

Json = dict[str, Any]


def turn(
    role: str = "customer",
    sent_at: str | None = "2026-03-04T09:00:00Z",
    *,
    frustration: int = 0,
    churn_risk: int = 0,
    cues: tuple[str, ...] = (),
    findings: tuple[str, ...] = (),
) -> Json:
    grades = {"confusion": 0, "frustration": frustration, "churn_risk": churn_risk}
    graded = {
        name: {"probability": grade / 3, "grade": grade,
               "evidence": [{"start": 0, "end": 5, "text": f"words of {name}"}]}
        for name, grade in grades.items()
    }  # fmt: skip
    return {
        "id": "m", "role": role, "sent_at": sent_at,
        "signals": graded if role == "customer" else {},
        "cues": dict.fromkeys(cues, 0.9), "findings": {name: {} for name in findings},
    }  # fmt: skip


def analysis(
    thread_id: str = "t",
    *messages: Json,
    primary: str = "reply",
    timing: str = "normal",
    because: str = "a reason",
    words: str = "the words",
    commitments: tuple[Json, ...] = (),
    **state: Any,
) -> Json:
    action = {"action": primary, "probability": 0.8, "because": [because],
              "evidence": [{"message_id": "m", "start": 0, "end": 9, "text": words}]}  # fmt: skip
    return {
        "schema": "customer-nlp/analysis/1", "thread_id": thread_id, "after": "m", "model": "en-1",
        "recommendation": {"primary": primary, "channel": "same", "timing": timing,
                           "abstained": None, "actions": [action], "avoid": []},
        "messages": list(messages or (turn(),)), "commitments": list(commitments), "state": state,
    }  # fmt: skip


class Page(HTMLParser):
    """What a reader of the page sees: each number with its name and the threads under it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.totals: dict[str, int] = {}
        self.cases: dict[str, list[str]] = {}
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.links: dict[str, int] = {}
        self._key = self._link = self._in = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.attributes += attrs
        if tag == "details":
            self._key = str(given["id"])
            self.cases[self._key] = []
        elif tag == "li":
            self.cases[self._key].append("")
        elif tag == "a":
            self._link = str(given["href"])[1:]
        self._in = str(given.get("class")) if tag == "span" else tag

    def handle_data(self, data: str) -> None:
        if self._in == "number":
            self.totals[self._key] = int(data.replace(",", ""))
            self._in = ""
        elif self._in == "b" and self._link and data[0].isdigit():
            self.links[self._link] = int(data.replace(",", ""))
        elif self._key and self.cases[self._key]:
            self.cases[self._key][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._link = "" if tag == "a" else self._link
        self._in = ""


def test_what_is_on_fire_stands_first_with_its_reason_and_words():
    page = Page(report.render([
        analysis("calm"),
        analysis("angry", turn(frustration=3), primary="make_good", because="we failed them"),
        analysis("urgent", primary="call_now", timing="now", because="it failed twice",
                 words="again!"),
        analysis("settled", turn(frustration=3), primary="close"),
    ]))  # fmt: skip
    assert page.totals["fire"] == page.links["fire"] == 2
    assert ["urgent" in case for case in page.cases["fire"]] == [True, False]
    assert "call now" in page.cases["fire"][0]
    assert "It failed twice." in page.cases["fire"][0]
    assert "again!" in page.cases["fire"][0]
    assert page.totals["why-we-failed-them"] == 1
    assert "angry" in page.cases["why-we-failed-them"][0]


def test_promises_and_silence_and_our_replies_open_their_threads():
    promise = {
        "by": "agent",
        "state": "broken",
        "text": "back by noon",
        "due": "2026-03-05T12:00:00Z",
    }
    page = Page(report.render([
        analysis("broken", commitments=(promise, promise)),
        analysis("due", commitments=({**promise, "state": "due"},)),
        analysis("quiet", turn(churn_risk=1), waiting_on="customer", silent_hours=400),
        analysis("cross", turn(churn_risk=2, frustration=2), waiting_on="company", silent_hours=2),
        analysis("won back", turn(churn_risk=2), turn(cues=("resolved",)), silent_hours=400),
        analysis("ours", turn(), turn("agent", findings=("canned", "dismissive")),
                 turn("agent", findings=("canned",))),
    ]))  # fmt: skip
    assert page.totals["promise-agent-broken"] == 1
    assert "back by noondue 5 Mar 2026 12:00 UTC" in page.cases["promise-agent-broken"][0]
    assert page.totals["promise-agent-due"] == 1
    assert (page.totals["leaving-silent"], page.totals["leaving-polite"]) == (1, 1)
    assert "words of churn_risk" in page.cases["leaving-silent"][0]
    assert "waits for the customer, 17 days" in page.cases["leaving-silent"][0]
    assert page.totals["leaving"] == 2
    assert (page.totals["findings"], page.totals["finding-canned"]) == (1, 1)
    assert "ours" in page.cases["finding-canned"][0]


def test_weeks_are_whole_and_in_the_calendar():
    sent = ["2026-01-01T10:00:00Z", "2026-03-02T00:00:00Z", "2026-03-08T23:59:00Z",
            "2026-03-30T10:00:00Z", None, "no date"]  # fmt: skip
    page = Page(report.render([analysis(str(at), turn(sent_at=at)) for at in sent]))
    assert page.totals["week-2026-03-02"] == 2
    assert page.links["week-2026-03-09"] == 0  # a week without a thread has its column too
    assert (page.totals["week-earlier"], page.totals["week-undated"]) == (1, 2)
    weeks = [total for key, total in page.totals.items() if key.startswith("week-")]
    assert sum(weeks) == len(sent)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ACTIONS), st.sampled_from(["now", "today", "normal"]),
            st.integers(0, 3), st.sets(st.sampled_from(["billing", "waiting", "deadline"])),
        ),
        max_size=30,
    ),
    st.integers(1, 5),
)  # fmt: skip
def test_totals_are_those_of_the_records_however_few_are_listed(rows, listed):
    records = [
        analysis(f"t{i}", turn(frustration=grade, cues=tuple(cues)), primary=action, timing=timing)
        for i, (action, timing, grade, cues) in enumerate(rows)
    ]
    page = Page(report.render(records, listed=listed))
    for action in {row[0] for row in rows}:
        n = sum(row[0] == action for row in rows)
        assert page.totals[f"action-{action}"] == n
        assert len(page.cases[f"action-{action}"]) == min(n, listed)
    for cue in ("billing", "waiting", "deadline"):
        assert page.totals.get(f"topic-{cue}", 0) == sum(cue in row[3] for row in rows)
    fire = sum(a != "close" and (t == "now" or grade == 3) for a, t, grade, _ in rows)
    assert page.totals["fire"] == page.links["fire"] == fire


def test_the_cap_is_said_and_the_most_urgent_come_first():
    records = [analysis(f"calm {i}", primary="reply") for i in range(9)]
    records.insert(5, analysis("tense", turn(frustration=2), primary="reply"))
    html = report.render(records, listed=3)
    page = Page(html)
    assert page.totals["action-reply"] == 10
    assert "tense" in page.cases["action-reply"][0]
    assert "calm 0" in page.cases["action-reply"][1]
    assert "… and 7 more" in html
    assert "up to 3 of them are listed" in html


def test_of_every_turn_only_the_last_counts():
    page = Page(report.render([
        analysis("a", turn(), primary="call_now"),
        analysis("a", turn(), turn(), primary="close"),
        analysis("b", turn()),
    ]))  # fmt: skip
    assert "action-call_now" not in page.totals
    assert (page.totals["action-close"], page.totals["action-reply"]) == (1, 1)


def test_a_record_with_little_or_much_more_in_it_is_read():
    bare = {"schema": "customer-nlp/analysis/1", "messages": None, "recommendation": {}}
    clash = {"first": {"text": "on Friday"}, "second": {"text": "on Monday"}}
    later = analysis("later") | {
        "trajectory": {"recovered": None}, "conflicts": [clash], "unanswered": [{}],
        "subject": "The kettle", "state": {"silent_business_hours": 3.0},
    }  # fmt: skip
    page = Page(report.render([bare, later]))
    assert page.totals["action-none:-None"] == 1
    assert (page.totals["conflicts"], page.totals["unanswered"]) == (1, 1)
    assert "The kettle" in page.cases["conflicts"][0]
    assert re.search("on Friday.*on Monday", page.cases["conflicts"][0])


def test_nothing_a_customer_wrote_becomes_markup():
    promise = {"by": "agent", "state": "broken", "text": ATTACK, "due": ATTACK}
    record = analysis(
        ATTACK, turn(cues=(ATTACK,), churn_risk=2, sent_at=ATTACK),
        turn("agent", findings=(ATTACK,)),
        primary=ATTACK, timing="now", because=ATTACK, words=ATTACK, commitments=(promise,),
    )  # fmt: skip
    record |= {"subject": ATTACK, "model": ATTACK}
    html = report.render([record])
    page = Page(html)
    assert html.count("<script") == 1
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert "<script>alert(1)</script>" in page.cases["fire"][0]  # as text
    assert not re.search("[\x00\ud800]", html)


def test_the_page_asks_nobody_for_anything():
    html = report.render([analysis()])
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [content] = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?:|src=|@import|url\(", html)
    assert all(value and value[0] == "#" for name, value in Page(html).attributes if name == "href")


def test_it_reads_what_score_writes(analyzer: Analyzer, tmp_path: Path, capsys):
    pytest.importorskip("pyarrow")
    pages = []
    for suffix in ("jsonl", "parquet"):
        scored = tmp_path / f"scored.{suffix}"
        summary = batch.score([ROOT / "data/sample_inbox.mbox"], scored, analyzer=analyzer)
        out = tmp_path / f"{suffix}.html"
        assert main(["report", str(scored), "-o", str(out)]) == 0
        assert f"{summary.threads} threads" in capsys.readouterr().out
        pages.append(out.read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    totals = Page(pages[0]).totals
    assert {k: n for k, n in totals.items() if k.startswith("action-") and ":" not in k} == {
        f"action-{action}": n for action, n in summary.primary.items()
    }
    scored = (tmp_path / "scored.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in scored]
    assert totals["waiting"] == sum(
        record["state"]["waiting_on"] == "company"
        and record["recommendation"]["primary"] not in (None, "close")
        for record in records
    )
    assert report.render(analyzer.analyze_many([])).count("<details") > 0  # an empty inbox too


def test_the_page_is_the_same_with_either_reader_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("orjson")
    source = tmp_path / "scored.jsonl"
    records = [
        analysis("plain", turn(frustration=3), timing="now", silent_hours=200.5),
        analysis("half a pair \ud800", turn(), words="\udfff"),
        analysis("no number", turn(churn_risk=2), silent_hours=float("nan")),
    ]
    source.write_text("\n\n".join(map(json.dumps, records)), encoding="utf-8")
    pages = []
    for out in ("fast.html", "plain.html"):
        assert report.write(source, tmp_path / out) == 3
        pages.append((tmp_path / out).read_bytes())
        monkeypatch.setitem(sys.modules, "orjson", None)
    assert pages[0] == pages[1]


def test_wrong_files_are_named_with_the_way_out(tmp_path: Path, capsys):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    (tmp_path / "a.csv").write_text("thread_id\n")
    (tmp_path / "not.jsonl").write_text(json.dumps(analysis()) + '\n{"secret": "canary"}\n')
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    for name, error, match in (
        ("none.jsonl", SourceError, "got none"),
        ("a.csv", SourceError, "no reasons"),
        ("not.jsonl", ParseError, "record 1: no analysis"),
        ("deep.jsonl", ParseError, "record 0: no analysis"),
        ("bad.parquet", SourceError, "column 'record'"),
        ("other.parquet", SourceError, "column 'record'"),
    ):
        with pytest.raises(error, match=match):
            report.write(tmp_path / name, tmp_path / "out.html")
    assert main(["report", str(tmp_path / "not.jsonl"), "-o", str(tmp_path / "out.html")]) == 2
    told = capsys.readouterr().err
    assert "canary" not in told
    assert told.count("not.jsonl") == 1
    assert "if it was cut short, score again" in told
    assert not (tmp_path / "out.html").exists()


def test_it_reads_the_folder_of_a_divided_output(tmp_path: Path):
    pytest.importorskip("pyarrow")
    from customer_nlp import batch

    source, out = tmp_path / "a.csv", tmp_path / "out.parquet"
    source.write_text(
        "thread_id,text,sent_at\n1,I am furious!,2026-03-02T09:00:00Z\n"
        "2,Where is my parcel?,2026-03-09T09:00:00Z\n"
    )
    batch.score([source], out, partition_by="week")
    assert report.write(out, tmp_path / "out.html") == 2
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match="got none"):
        report.write(tmp_path / "other", tmp_path / "out.html")


def test_wrong_outputs_and_caps_are_refused(tmp_path: Path):
    source = tmp_path / "a.jsonl"
    source.write_text(json.dumps(analysis()) + "\n")
    with pytest.raises(InvalidRecordError, match="another file than the sources"):
        report.write(source, source)
    with pytest.raises(SourceError, match="cannot be written"):
        report.write(source, tmp_path / "nowhere" / "out.html")
    with pytest.raises(InvalidRecordError, match="at least 1"):
        report.write(source, tmp_path / "out.html", listed=0)

"""What a notebook shows of a record: the words marked, everything escaped, nothing in the repr."""

from __future__ import annotations

import dataclasses
import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_nlp import Message, Thread
from customer_nlp.analyzer import Analyzer
from customer_nlp.markup import MAX_CHARS, MAX_MESSAGES, escape, marked
from customer_nlp.records import Conflict, Evidence, Finding, Review, Unanswered, Zone

ATTACK = """<script>alert(1)</script><img src=x onerror='alert("2")'> &lt;b&gt;"""
ANGRY = "This is the third time I am writing. I am absolutely furious."


def plain(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


def test_evidence_is_marked_where_it_stands(analyzer: Analyzer):
    analysis = analyzer.analyze(ANGRY)
    html = analysis._repr_html_()
    signal = analysis.messages[0].signal("frustration")
    assert signal is not None
    for evidence in signal.evidence:
        assert re.search(f'<mark title="frustration"[^>]*>{re.escape(evidence.text)}</mark>', html)
    for one in analysis.recommendation.actions:
        assert "; ".join(one.because) in plain(html)
    assert "furious" not in repr(analysis)


def test_what_does_not_fit_and_what_was_passed_over_is_shown(analyzer: Analyzer):
    analysis = dataclasses.replace(
        analyzer.analyze(ANGRY),
        conflicts=(Conflict("date", Evidence(0, 6, "Friday", "a"), Evidence(0, 6, "Monday", "b")),),
        unanswered=(Unanswered(Evidence(0, 6, "Which <one>?", "c"), 2, "b"),),
    )
    shown = plain(analysis._repr_html_())
    assert "does not fit: Friday and Monday" in shown
    assert "passed over: Which <one>?" in shown


def test_a_thread_shows_its_turns_and_fades_what_is_quoted():
    text = "Still broken.\n> Try again"
    zones = (Zone("new", 0, 14), Zone("quote", 14, len(text)))
    thread = Thread("t", (
        Message("customer", text, zones=zones), Message("agent", "Do not say.", public=False),
    ), subject="Kettle")  # fmt: skip
    html = thread._repr_html_()
    assert '<span style="opacity:.55">&gt; Try again</span>' in html
    assert "internal note" in html
    assert text in plain(html)
    assert "Try again" not in repr(thread)


def test_a_review_marks_the_draft_and_keeps_it_out_of_the_repr(analyzer: Analyzer):
    finding = Finding("canned", 0, 4, "it is a template", "say what was found")
    draft = "Dear valued customer"
    review = Review((finding,), draft)
    assert '<mark title="canned"' in review._repr_html_()
    assert "Better: say what was found." in plain(review._repr_html_())
    assert draft in plain(analyzer.review(draft)._repr_html_())
    assert "valued" not in repr(review)
    assert "draft" not in review.to_dict()
    assert "clean" in plain(Review()._repr_html_())


def test_a_table_shows_its_numbers(analyzer: Analyzer):
    table = analyzer.signals([ANGRY] * 25)
    html = table._repr_html_()
    shown = plain(html)
    assert f"{table['frustration'][0]:.2f} {table.grade[0, 1]}" in shown
    assert html.count("<tr>") == 21
    assert "… and 5 more messages" in shown


@pytest.mark.parametrize("kind", ["thread", "analysis", "review"])
def test_nothing_that_was_written_becomes_markup(analyzer: Analyzer, kind: str):
    message = Message("customer", f"I am furious {ATTACK} {ANGRY}", id=ATTACK, sender=ATTACK)
    thread = Thread(ATTACK, (message,), subject=ATTACK, channel=ATTACK)
    cites = (Evidence(0, 5, ATTACK),)
    html = {
        "thread": thread._repr_html_,
        "analysis": analyzer.analyze(thread)._repr_html_,
        "review": Review((Finding("canned", 0, 99, ATTACK, ATTACK, cites),), ATTACK)._repr_html_,
    }[kind]()
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {"div", "b", "i", "ul", "li", "br", "q", "bdi", "mark", "span"}
    assert ("alert" in plain(html)) or kind == "analysis"  # shown as text, where text is shown


def test_long_threads_and_messages_are_cut_and_say_so():
    thread = Thread("t", (Message("customer", "x" * 1_000_000),) * 1 + tuple(
        Message("agent", "ok") for _ in range(MAX_MESSAGES + 9)
    ))  # fmt: skip
    html = thread._repr_html_()
    assert f"{1_000_000 - MAX_CHARS:,} more characters" in html
    assert "… and 10 more messages" in html
    assert len(html) < 30_000


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=80),
    st.lists(
        st.tuples(st.integers(-5, 90), st.integers(-5, 90), st.sampled_from("ab")), max_size=8
    ),
)
def test_marks_change_no_word_and_cover_what_was_asked(text, spans):
    html = marked(text, spans)
    assert plain(html) == text
    inside, covered, names = 0, [], set[str]()
    for piece in re.split("(<[^>]*>)", html):
        if piece.startswith("<"):
            inside = not piece.startswith("</")
            names |= set(re.findall('title="([^"]*)"', piece))
        else:
            covered += [inside] * len(unescape(piece))
    asked = [any(a <= i < b for a, b, _ in spans) for i in range(len(text))]
    assert covered == asked


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_escaped_text_can_be_written_and_holds_no_markup(text):
    shown = escape(text)
    assert not set(shown) & set("<>\"'\x00")
    shown.encode("utf-8")

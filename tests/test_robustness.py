"""What must not move a judgement: names, other tongues, small talk, a pasted signature."""

from __future__ import annotations

import pytest

from customer_nlp.analyzer import Analyzer
from customer_nlp.training.names import SENTENCES, name_gaps

BOOKINGS = (
    "I need a cheap guesthouse in the north with free parking, for three nights from Tuesday.",
    "Can you book a table for six at an Italian place in the centre at 18:30?",
    "I'd like a train from Ely that arrives by quarter past nine on Sunday.",
    "What is the postcode of the museum, and is there an entrance fee?",
    "Actually make it two rooms instead of one, please. Same dates.",
    "Could you cancel my 3pm slot and give me 4pm?",
    "I am looking for a taxi from the hotel to the restaurant after eight.",
    "Does it have a swimming pool? If not, try something moderately priced.",
)
CHATTER = (
    "I can't believe they killed him off in the last episode, what a twist.",
    "My cat does exactly the same thing with the curtains.",
    "Anyone else going to the concert on Friday?",
    "That pass in the second half was something else.",
)
GERMAN = (
    "Ich kündige meinen Vertrag zum Monatsende, Ihr Service ist eine Zumutung.",
    "Wann kommt der Techniker? Ich warte schon seit Montag und niemand meldet sich.",
    "Vielen Dank für die schnelle Hilfe, jetzt funktioniert alles wieder.",
)


def test_names_move_no_core_signal(analyzer: Analyzer):
    gaps = name_gaps(analyzer)
    assert len(gaps) >= 200
    assert (gaps.mean(axis=0) <= 0.02).all(), gaps.mean(axis=0)


@pytest.mark.parametrize("text", BOOKINGS + CHATTER)
def test_no_churn_is_invented(analyzer: Analyzer, text: str):
    analysis = analyzer.analyze(text)
    signal = analysis.messages[0].signal("churn_risk")
    assert signal is None or signal.grade == 0


@pytest.mark.parametrize("text", GERMAN)
def test_german_mail_is_left_alone(analyzer: Analyzer, text: str):
    analysis = analyzer.analyze(text)
    assert analysis.recommendation.abstained == "language"
    assert analysis.messages[0].signals == ()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_pasted_signature_changes_little(analyzer: Analyzer, sentence: str):
    text = sentence.format("Ann")
    signed = text + "\n\nKind regards,\nAnn Example\nHead of Purchasing\n+44 20 7946 0123\n"
    plain, long = (analyzer.analyze(one).messages[0] for one in (text, signed))
    for name in ("confusion", "frustration", "churn_risk"):
        first, second = plain.signal(name), long.signal(name)
        assert first is not None
        assert second is not None
        assert second.probability == pytest.approx(first.probability, abs=0.05)

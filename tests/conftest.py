from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import customer_nlp
from customer_nlp.analyzer import Analyzer

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "house", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


@pytest.fixture(scope="session")
def analyzer() -> Analyzer:
    return customer_nlp.load()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A small mbox: two threads, three good mails, one exact copy."""
    first = (
        b"From anna@kunde.example Mon Mar  2 09:14:00 2026\n"
        b"Message-ID: <1@kunde.example>\nDate: Mon, 2 Mar 2026 09:14:00 +0000\n"
        b"From: Anna <anna@kunde.example>\nTo: help@firma.example\nSubject: Kettle\n\n"
        b"The replacement kettle does not work either. I am really fed up with this.\n\n"
    )
    answer = (
        b"From help@firma.example Mon Mar  2 10:00:00 2026\n"
        b"Message-ID: <2@firma.example>\nIn-Reply-To: <1@kunde.example>\n"
        b"Date: Mon, 2 Mar 2026 10:00:00 +0000\n"
        b"From: Help <help@firma.example>\nTo: anna@kunde.example\nSubject: Re: Kettle\n\n"
        b"We are sorry to hear that. A new one leaves today.\n\n"
    )
    other = (
        b"From bob@kunde.example Tue Mar  3 09:00:00 2026\n"
        b"Message-ID: <3@kunde.example>\nDate: Tue, 3 Mar 2026 09:00:00 +0000\n"
        b"From: Bob <bob@kunde.example>\nTo: help@firma.example\nSubject: Opening hours\n\n"
        b"Hello, what time do you open on Saturday? Thank you, Bob\n\n"
    )
    path = tmp_path / "inbox.mbox"
    path.write_bytes(first + answer + other + first)
    return path

"""The docs cannot rot: their code runs, their help is the program's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from customer_nlp.cli import help_text

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_readme_opens_with_the_two_commands():
    head = README.split("```")[1]
    assert head.index("make demo") < head.index("make test")
    assert len(README.splitlines()) <= 110


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_code_of_the_readme_runs(number: int, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(BLOCKS[number], f"README block {number}", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_help_in_the_readme_is_the_programs():
    shown = README.split("<!-- help: begin -->")[1].split("<!-- help: end -->")[0]
    assert shown.strip() == f"```console\n$ customer-nlp --help\n{help_text()}```"


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", "data/README.md", "docs/serve.md"]
)
def test_links_lead_somewhere(path: str):
    text = (ROOT / path).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert ((ROOT / path).parent / target).exists(), target


def test_make_targets_named_in_the_docs_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"`?make (\w+)", (ROOT / path).read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_card_holds_figures():
    card = (ROOT / "models/en/README.md").read_text(encoding="utf-8")
    figures = card.split("figures: begin")[1].split("figures: end")[0]
    assert "average precision" in figures
    assert "`primary` right" in figures

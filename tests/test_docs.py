"""The docs cannot rot: their code runs, their links hold, every public name is in them."""

from __future__ import annotations

import importlib.util
import inspect
import os
import posixpath
import re
from pathlib import Path
from types import ModuleType

import pytest

import customer_nlp

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site = _load(ROOT / "docs" / "pages.py")
refresh = _load(ROOT / "benchmarks" / "refresh_readme.py")


def _every_page() -> dict[str, str]:
    written = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in site.written()}
    return site.pages() | written


PAGES = _every_page()
#: The data card's code shows public texts, which are fetched, not shipped.
FETCHED = pytest.mark.skipif(
    not ("CUSTOMER_NLP_DATA_MIRROR" in os.environ or (ROOT / "data" / "raw").exists()),
    reason="needs `customer-nlp data fetch`",
)
#: Notebooks run as a whole, see test_notebooks.
BLOCKS = [
    pytest.param(block, id=f"{name}-{number}", marks=FETCHED if name == "data_card.md" else ())
    for name, text in PAGES.items()
    if not name.startswith("notebooks/")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
]


def test_readme_opens_with_the_two_commands_and_is_two_screens():
    head = README.split("```")[1]
    assert head.index("make demo") < head.index("make test")
    assert len(README.splitlines()) <= 85


@pytest.mark.parametrize("block", BLOCKS)
def test_code_runs_and_prints_what_it_says(block: str, tmp_path, monkeypatch, capsys):
    for name in ("data", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)  # what a block writes is not left in the checkout
    exec(compile(block, "block of the docs", "exec"), {})
    assert bool(capsys.readouterr().out.strip()) == ("print(" in block)


def test_figures_in_the_readme_are_those_of_the_card():
    card = (ROOT / "models/en/README.md").read_text(encoding="utf-8")
    assert refresh.refreshed(README, card) == README, "make readme"
    assert "VADER" in refresh.figures(card)


def test_picture_in_the_readme_shows_what_the_program_says():
    """Probabilities may differ in the last digit from machine to machine, so they do not count."""
    shown = (ROOT / "docs/demo.svg").read_text(encoding="utf-8")
    assert _words(shown) == _words(refresh.picture()), "make readme"
    assert "call_now" in shown
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", shown)


def _words(svg: str) -> list[str]:
    cells = re.findall(r">([^<]+)</text>", svg)
    return [cell for cell in cells if not re.fullmatch(r"[\d.&#;\s]+", cell)]


@pytest.mark.parametrize("name", PAGES)
def test_links_between_pages_lead_somewhere(name: str):
    files = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*")}
    text = re.sub(r"```.*?```", "", PAGES[name], flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            there = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            assert there in PAGES.keys() | files, target


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", "data/README.md", "docs/serve.md"]
)
def test_links_between_files_lead_somewhere(path: str):
    text = (ROOT / path).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert ((ROOT / path).parent / target).exists(), target


def test_menu_holds_every_page_once():
    def pages_of(entry: object) -> list[str]:
        if isinstance(entry, dict):
            return [page for value in entry.values() for page in pages_of(value)]
        return [p for one in entry for p in pages_of(one)] if isinstance(entry, list) else [entry]

    assert sorted(pages_of(site.navigation())) == sorted(PAGES)


def test_every_public_name_is_documented_and_in_the_reference():
    missing = []
    for page, module in site.modules():
        text = PAGES[f"reference/{page}.md"]
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                assert f"## {name}\n" in text
                continue
            assert f"{value.__module__}.{value.__qualname__}" in text
            missing += [f"{page}.{name}"] * (not inspect.getdoc(value))
            if inspect.isclass(value):
                missing += [
                    f"{page}.{name}.{member}"
                    for member, inner in vars(value).items()
                    if not member.startswith("_") and callable(inner) and not inspect.getdoc(inner)
                ]
    assert not missing


def test_the_shells_page_holds_every_command():
    help_of_commands = re.findall(r"^## customer-nlp (\w+)", PAGES["shell.md"], re.MULTILINE)
    assert {"score", "explain", "review", "train", "data"} <= set(help_of_commands)
    assert PAGES["shell.md"].count("usage: customer-nlp") == len(help_of_commands) + 1


def test_stories_are_told_whole():
    for name in site.STORIES:
        assert PAGES[f"stories/{name}.md"].count("do next: ") >= 1
        assert "None (" not in PAGES[f"stories/{name}.md"]


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
    assert f"Model `{customer_nlp.load().model}`." in figures, "make card"

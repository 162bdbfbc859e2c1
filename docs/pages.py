"""The pages of the site that are made: from the README, docstrings, stories and notebooks.

MkDocs calls `on_config` and `on_files`; tests call `pages`, which needs no MkDocs.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import customer_nlp
from customer_nlp.cli import help_text, main
from customer_nlp.errors import MissingExtraError
from customer_nlp.records import Analysis

ROOT = Path(__file__).resolve().parents[1]
#: Files of the repository that are pages as they stand.
FROM_REPOSITORY = {
    "README.md": "index.md",
    "models/en/README.md": "model_card.md",
    "data/README.md": "data_card.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
STORIES = {
    "invoice": "The invoice nobody explained",
    "service_centre": "The renewal call into a complaint",
    "warranty_call": "The warranty offer for something not owned",
    "broken_device": "The replacement that was broken too",
    "misplaced_pin": "The help that answered another question",
    "refrigerator": "The delivery that nobody told of",
    "cancelled_order": "The order that was cancelled in silence",
}
#: Not for users: the shell has its own page, training is how the shipped model is made.
NOT_IN_REFERENCE = {"__main__", "cli", "training", "models"}
#: Written pages, in the order of the menu; those not named here come after.
GUIDES = ("guide/integrators.md", "guide/data_scientists.md", "guide/batch.md", "training.md")


@cache
def pages() -> dict[str, str]:
    """Return every made page by its path in the site."""
    made = {page: _from_repository(path) for path, page in FROM_REPOSITORY.items()}
    made |= {f"stories/{name}.md": story_page(name) for name in STORIES}
    made |= {f"reference/{name}.md": reference_page(module) for name, module in modules()}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        made[f"notebooks/{path.stem}.md"] = notebook_page(path)
    return made | {"shell.md": shell_page()}


def written() -> list[str]:
    """Return the pages that stand in docs/ as they are."""
    docs = ROOT / "docs"
    found = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    return [*GUIDES, *sorted(found - set(GUIDES))]


def navigation() -> list[dict[str, Any]]:
    """Return the menu."""

    def folder(name: str) -> list[str]:
        return [path for path in pages() if path.startswith(f"{name}/")]

    return [
        {"Start": "index.md"},
        {"Guide": written()},
        {"Stories": folder("stories")},
        {"Notebooks": folder("notebooks")},
        {"Shell": "shell.md"},
        {"Reference": folder("reference")},
        {"About": ["model_card.md", "data_card.md", "contributing.md", "changelog.md"]},
    ]


def on_config(config: Any) -> Any:
    """Give MkDocs the menu."""
    config.nav = navigation()
    return config


def on_files(files: Any, config: Any) -> Any:
    """Give MkDocs the made pages."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def _from_repository(path: str) -> str:
    """Return a file of the repository with its links turned to pages of the site."""
    here = posixpath.dirname(FROM_REPOSITORY[path])

    def turned(match: re.Match[str]) -> str:
        text, target = match[1], match[2]
        if "://" in target or target.startswith("#"):
            return match[0]
        place, _, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), place))
        page = FROM_REPOSITORY.get(file) or _page_of(file)
        if page is None:  # only those who have the repository can follow it
            return text if match[0].startswith("!") else f"{text} (`{file}`)"
        link = posixpath.relpath(page, here or ".") + (f"#{anchor}" if anchor else "")
        return match[0].replace(f"({target})", f"({link})")

    return re.sub(r"!?\[([^\]]*)\]\(([^)]+)\)", turned, _text(path))


def _page_of(file: str) -> str | None:
    if file.startswith("docs/"):
        return file.removeprefix("docs/")
    if file.startswith("notebooks/") and file.endswith(".ipynb"):
        return file.removesuffix(".ipynb") + ".md"
    return None


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def shell_page() -> str:
    """Return the help of the program and of each of its commands."""
    commands = re.findall(r"^    (\w+)  ", help_text(), re.MULTILINE)
    parts = ["# In the shell", _console("customer-nlp --help", help_text())]
    for command in commands:
        words = ["data", "fetch"] if command == "data" else [command]
        shown = "customer-nlp " + " ".join(words)
        parts += [f"## {shown}", _console(f"{shown} --help", _help(words))]
    return "\n\n".join(parts)


def _help(words: list[str]) -> str:
    out = io.StringIO()
    with (
        mock.patch.dict(os.environ, COLUMNS="80"),
        contextlib.redirect_stdout(out),
        contextlib.suppress(SystemExit),
    ):
        main([*words, "--help"])
    return out.getvalue()


def _console(command: str, output: str) -> str:
    return f"```console\n$ {command}\n{output.rstrip()}\n```"


def modules() -> Iterator[tuple[str, ModuleType]]:
    """Yield the modules that the reference describes."""
    yield "customer_nlp", customer_nlp
    for found in pkgutil.iter_modules(customer_nlp.__path__):
        if found.name in NOT_IN_REFERENCE or found.name.startswith("_"):
            continue
        with contextlib.suppress(MissingExtraError):  # `make docs` installs every extra it shows
            yield found.name, importlib.import_module(f"customer_nlp.{found.name}")


def reference_page(module: ModuleType) -> str:
    """Return what the docstrings of a module and of its public names say."""
    name = module.__name__
    parts = [f"# {name}", inspect.getdoc(module) or ""]
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            home = f"{value.__module__}.{value.__qualname__}"
            parts.append(
                f"::: {home}"
                if name != "customer_nlp"
                else f"## {public}\n\n{_first_line(value)} See [`{home}`][]."
            )
        else:
            shown = repr(value)
            parts.append(f"## {public}\n\n```text\n{shown[:2000]}\n```")
    return "\n\n".join(parts) + "\n"


def _first_line(value: object) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")


def notebook_page(path: Path) -> str:
    """Return a notebook as it was run: words, code, outputs."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source.replace(".ipynb)", ".md)"))  # links from one to the next
        else:
            parts.append(f"```python\n{source}\n```")
        parts += [_output(one) for one in cell.get("outputs", ())]
    link = f"*This page is `{path.relative_to(ROOT).as_posix()}` as it was run.*"
    return "\n\n".join([*parts, link])


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return f'<img alt="the plot" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        # markdown would take an empty line for the end of the HTML
        return re.sub(r"\n\s*\n", "\n", "".join(data["text/html"]))
    return "```text\n" + "".join(output.get("text") or data.get("text/plain", "")) + "\n```"


@cache
def _analyzer() -> customer_nlp.Analyzer:
    return customer_nlp.load()


def story_page(name: str) -> str:
    """Tell a story turn by turn, with what the shipped model says after each that counts."""
    file = f"tests/stories/{name}__retold.json"
    story = json.loads(_text(file))
    steps = {step["after"]: step for step in story["expect"]}
    parts = [
        f"# {STORIES[name]}",
        "The shipped model reads this thread turn by turn; its words below are made when this page "
        "is built, right or wrong, beside what a reader asks for.",
        f"```python\nimport json\n\nimport customer_nlp\n\n"
        f'with open("{file}", encoding="utf-8") as lines:\n'
        f'    messages = json.load(lines)["messages"]\n'
        "analysis = customer_nlp.load().analyze(messages)\n"
        "print(analysis.recommendation.primary, analysis.recommendation.channel)\n```",
    ]
    for index, message in enumerate(story["messages"]):
        when = message["sent_at"][:16].replace("T", " ")
        quoted = "\n".join(f"> {line}".rstrip() for line in message["text"].split("\n"))
        parts.append(f"**{message['role']}**, {when}\n\n{quoted}")
        if index in steps:
            analysis = _analyzer().analyze(story["messages"][: index + 1])
            parts.append(_judged(analysis, steps[index]))
    return "\n\n".join(parts) + "\n"


def _judged(analysis: Analysis, step: dict[str, Any]) -> str:
    advice, last = analysis.recommendation, analysis.messages[-1]
    shows = [f"{one.name} {one.grade} ({one.probability:.2f})" for one in last.signals if one.grade]
    lines = [f'!!! tip "do next: {advice.primary} ({advice.channel}, {advice.timing})"', ""]
    lines.append(f"    Shows: {', '.join([*shows, *last.cues]) or 'nothing that stands out'}.")
    for action in advice.actions:
        lines += ["", f"    - `{action.action}` {action.probability:.2f}: "
                      f"{'; '.join(action.because)}"]  # fmt: skip
    if advice.avoid:
        lines += ["", f"    Avoid: {', '.join(advice.avoid)}."]
    wanted = list(step["actions"]) + [" or ".join(group) for group in step["any_of"]]
    asked = ", ".join(f"`{one}`" for one in wanted) or "no more than an answer"
    return "\n".join([*lines, "", f"    A reader asks for: {asked}."])

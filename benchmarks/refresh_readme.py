"""Put into the README what a program knows: the figures of the model card, and the picture."""

from __future__ import annotations

import dataclasses
import io
import re
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from customer_nlp import batch
from customer_nlp.cli import _table
from customer_nlp.records import Thread

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "models" / "en" / "README.md"
PICTURE = ROOT / "docs" / "demo.svg"
#: Characters of a line of the picture; more would be too small to read on a page.
WIDTH = 100
#: Columns left out of it, to keep it narrow.
NARROWER = ("who",)
#: Threads of the sample inbox that are shown.
ROWS = 12
#: Rows of the card's table of threads that stand for the rest.
ON_THREADS = ("actions, micro-F1", "`primary` right", "`call_now` F1", "channel right")


def figures(card: str) -> str:
    """Return the tables for the README, row by row as the card has them."""
    [peers] = re.findall(r"^\|  \|.*?(?=\n\n)", card, re.DOTALL | re.MULTILINE)
    kept = [row for row in peers.splitlines() if "| – |" not in row]
    first = tuple(f"| {name} |" for name in ON_THREADS)
    rows = [row for row in card.splitlines() if row.startswith(first)]
    [turns] = re.findall(r"Threads, (.+):", card)
    [alarms] = re.findall(r"false alarms on clean replies (\d+%)", card)
    said = "; ".join(" ".join(cell.strip() for cell in row.strip("|").split("|")) for row in rows)
    return (
        "Average precision (95% interval) on messages that nothing was chosen on, beside peers "
        "trained on the same ones:\n\n"
        + "\n".join(kept)
        + f"\n\nOn {turns}: {said}. Replies that are clean "
        f"and found fault with: {alarms}."
    )


def picture() -> str:
    """Return the table that `make demo` prints, as SVG without a font from elsewhere."""
    rows: list[tuple[Thread, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as folder:
        batch.score(
            [ROOT / "data" / "sample_inbox.mbox"],
            Path(folder) / "analysis.jsonl",
            own_domains=["brightwell.example"],
            on_record=lambda thread, record: rows.append((thread, record)),
        )
    table = _table(rows[:ROWS])
    kept = [one for one in table.columns if one.header not in NARROWER]
    table.columns = [dataclasses.replace(one, _index=place) for place, one in enumerate(kept)]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print(table)
    svg = console.export_svg(title="customer-nlp score data/sample_inbox.mbox", unique_id="demo")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def refreshed(readme: str, card: str) -> str:
    """Return the README with the figures of the card."""
    return re.sub(
        r"(<!-- figures: begin.*?-->\n).*?(\n<!-- figures: end -->)",
        lambda match: match[1] + figures(card) + match[2],
        readme,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(
        refreshed(path.read_text(encoding="utf-8"), CARD.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    PICTURE.write_text(picture(), encoding="utf-8")

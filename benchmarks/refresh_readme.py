"""Put the program's own help into the README."""

from __future__ import annotations

import re
from pathlib import Path

from customer_nlp.cli import help_text

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCK = f"```console\n$ customer-nlp --help\n{help_text()}```"
text = README.read_text(encoding="utf-8")
README.write_text(
    re.sub(
        r"(<!-- help: begin -->\n).*?(\n<!-- help: end -->)",
        lambda match: match[1] + BLOCK + match[2],
        text,
        flags=re.DOTALL,
    ),
    encoding="utf-8",
)

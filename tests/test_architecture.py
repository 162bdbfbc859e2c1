"""The house stands on one-way floors, and its front door is light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import sys
import customer_nlp
analyzer = customer_nlp.load()
analyzer.signals(["where is my parcel"])
analyzer.analyze("where is my parcel")
print(sorted({"sklearn", "spacy", "torch", "pandas", "joblib", "pickle"} & set(sys.modules)))
"""


def test_floors_are_one_way():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_scoring_imports_no_heavy_library():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in {"[]", "['pickle']"}  # numpy itself imports pickle


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "base", "models"])
def test_no_catch_all_modules(name: str):
    assert not list((ROOT / "customer_nlp").rglob(f"{name}.py"))


def test_setup_lists_every_package():
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(setup["options"]["packages"].split())
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "customer_nlp").rglob("__init__.py")
    }
    assert listed == found | {"customer_nlp.models.en"}

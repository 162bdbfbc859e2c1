"""A wheel is enough: with the source gone, it scores a mail with the model it carries."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import customer_nlp, pathlib, sys
home = pathlib.Path(customer_nlp.__file__).resolve()
assert home.is_relative_to(pathlib.Path(sys.prefix).resolve()), home
analysis = customer_nlp.load().analyze("The lamp arrived broken for the second time.")
print(analysis.model, analysis.recommendation.primary)
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    # a copy, so that build leaves nothing in the checkout and the source can vanish
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    for name in filter(None, names):
        if name.startswith(("customer_nlp/", "models/")) or "/" not in name:
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--wheel-dir", out, source],
        check=True,
    )  # fmt: skip
    [built] = out.glob("*.whl")
    return built


def test_wheel_carries_the_model_and_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0].split("-")[0] for name in names}
    assert tops == {"customer_nlp"}
    assert "customer_nlp/models/en/manifest.json" in names
    assert {"customer_nlp/py.typed", "customer_nlp/report.html"} <= set(names)
    assert not [name for name in names if "/tests/" in name or "/data/" in name]


def test_wheel_works_with_the_source_gone(wheel: Path, tmp_path: Path):
    home = tmp_path / "env"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = next(home.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # numpy comes from the environment that runs the tests; this package does not: an editable
    # install is found through a .pth file, which is not read on PYTHONPATH
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_paths()["purelib"]}
    done = subprocess.run(
        [python, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("en-")

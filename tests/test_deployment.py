"""What is shipped for running the service: an image, a compose file, a systemd unit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCKER = Path(__file__).parent.parent / "docker"


def _told(*words: str | Path) -> tuple[int, str]:
    """Run a linter; skip where neither pip nor the system has it."""
    beside = shutil.which(str(words[0]), path=str(Path(sys.executable).parent))
    if (program := beside or shutil.which(str(words[0]))) is None:
        pytest.skip(f"{words[0]} is not installed")
    told = subprocess.run(
        [program, *words[1:]], capture_output=True, text=True, check=False, timeout=300
    )
    return told.returncode, told.stdout + told.stderr


def test_hadolint_finds_nothing_in_the_image() -> None:
    assert _told("hadolint", DOCKER / "Dockerfile") == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian:latest\nRUN cd /tmp && sudo apt-get install x\n", encoding="utf-8")
    status, told = _told("hadolint", bad)
    assert status == 1
    assert "DL3004" in told


def test_the_compose_file_is_safe_and_whole() -> None:
    status, told = _told("compose-lint", DOCKER / "compose.yaml", "--fail-on", "low")
    assert status == 0, told
    yaml = pytest.importorskip("yaml")
    stated = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    [service] = stated["services"].values()
    assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert set(service["secrets"]) == set(stated["secrets"])
    assert {one.partition(":")[0] for one in service["volumes"]} == set(stated["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "customer-nlp.service"
    text = (DOCKER / "customer-nlp.service").read_text(encoding="utf-8")
    # systemd asks for the program itself; here it is not where the unit installs it
    unit.write_text(text.replace("/opt/customer-nlp/bin/customer-nlp", sys.executable))
    assert _told("systemd-analyze", "verify", "--man=no", unit) == (0, "")

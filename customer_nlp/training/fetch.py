"""Bring the public texts that the labels refer to, byte for byte.

The repository holds addresses at pinned commits and sha256 hashes (`data/sources.json`), never the
texts. ``customer-nlp data fetch`` takes each file from the network, or from a mirror folder laid
out the same way, and checks it against the same hash either way.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from customer_nlp.errors import InvalidRecordError, SourceError

__all__ = ["Failure", "FetchReport", "fetch", "main"]

_MIRROR_VARIABLE: Final = "CUSTOMER_NLP_DATA_MIRROR"
_TIMEOUT_SECONDS: Final = 30
_ATTEMPTS: Final = 3
_WORTH_ANOTHER_TRY: Final = frozenset({429, 500, 502, 503, 504})
_REPOSITORY_DATA: Final = Path(__file__).resolve().parents[2] / "data"


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that could not be brought.

    Parameters
    ----------
    source, file : str
        Which file of which set.
    reason : str
        What was expected and what came.
    """

    source: str
    file: str
    reason: str


@dataclass(slots=True)
class FetchReport:
    """What a fetch did.

    Parameters
    ----------
    written : int
        Files brought and verified.
    kept : int
        Files that were there already, with the right hash.
    failures : list of Failure
        Files that are still missing.
    """

    written: int = 0
    kept: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every file is in place."""
        return not self.failures

    def __str__(self) -> str:
        done = f"{self.written} files brought, {self.kept} already there"
        if self.ok:
            return f"{done}; all hashes agree."
        return "\n".join(
            [
                *_gathered(self.failures),
                f"{done}, {len(self.failures)} failed.",
                "The way out: run the same command again; behind a firewall set "
                f"{_MIRROR_VARIABLE} to a folder laid out as data/raw. A hash that stays wrong "
                "means that upstream or the mirror has changed the file: do not train on it.",
            ]
        )


def _gathered(failures: Iterable[Failure]) -> Iterator[str]:
    """One line a reason: without a network every file fails alike."""
    by_reason: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        by_reason.setdefault((failure.source, failure.reason), []).append(failure)
    for (source, reason), alike in by_reason.items():
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        yield f"{source}: {alike[0].file}{more}: {reason}"


@dataclass(frozen=True, slots=True)
class _File:
    """One line of the list: where a file comes from, where it goes, what it must be."""

    source: str
    path: PurePosixPath
    url: str
    size_bytes: int
    sha256: str

    @property
    def place(self) -> PurePosixPath:
        return PurePosixPath(self.source) / self.path


class _FetchError(Exception):
    """Why one file could not be brought; becomes a `Failure`."""


class _OfflineError(_FetchError):
    """No name server answers: the other files need not be tried."""


def fetch(
    destination: str | os.PathLike[str] = "data/raw",
    *,
    mirror: str | os.PathLike[str] | None = None,
    sources: str | os.PathLike[str] | None = None,
    names: Iterable[str] = (),
    progress: Callable[[str], None] | None = None,
) -> FetchReport:
    """Bring the public sets and verify them.

    Parameters
    ----------
    destination : path, default='data/raw'
        Gets one folder a set. Files already there with the right hash are kept.
    mirror : path, optional
        Folder laid out as `destination`, used instead of the network; by default the one that
        the environment variable ``CUSTOMER_NLP_DATA_MIRROR`` names.
    sources : path, optional
        The list of files; by default ``data/sources.json`` of this checkout.
    names : iterable of str, optional
        Only these sets; by default all.
    progress : callable, optional
        Told the place of each file before it is looked at.

    Returns
    -------
    FetchReport
        Counts and failures; one failing file does not stop the others.

    Raises
    ------
    SourceError
        When the list or the mirror folder is missing or not of the expected form.
    InvalidRecordError
        For a name that the list does not have.

    Notes
    -----
    Cost: about 35 MB over https, once. A file is written beside its place and moved there, so
    that an interrupted run leaves no half file.
    """
    folder = Path(destination)
    place = os.environ.get(_MIRROR_VARIABLE) if mirror is None else mirror
    origin = Path(place) if place else None
    if origin is not None and not origin.is_dir():
        raise SourceError(
            f"The mirror must be a folder laid out as data/raw; {origin} is none. "
            f"Correct or unset {_MIRROR_VARIABLE}.",
            source=str(origin),
        )
    report = FetchReport()
    offline = False
    for file in _listed(Path(sources) if sources else _default_list(), tuple(names)):
        if progress is not None:
            progress(str(file.place))
        try:
            _bring(file, folder, origin, report, offline=offline)
        except _FetchError as error:
            offline = offline or isinstance(error, _OfflineError)
            report.failures.append(Failure(file.source, str(file.path), str(error)))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            report.failures.append(Failure(file.source, str(file.path), reason))
    return report


def _default_list() -> Path:
    checkout = _REPOSITORY_DATA / "sources.json"
    return checkout if checkout.is_file() else Path("data") / "sources.json"


def _listed(path: Path, names: tuple[str, ...]) -> Iterator[_File]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        files = [file for entry in entries for file in _files(entry)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"Expected the list of public files at {path}; it is missing or not of the known form "
            f"({type(error).__name__}). Run the command in a checkout of the repository, or name "
            "the list.",
            source=str(path),
        ) from error
    known = {file.source for file in files}
    if unknown := set(names) - known:
        raise InvalidRecordError(
            f"The sets are {', '.join(sorted(known))}; got {', '.join(sorted(unknown))}.",
            field="names",
        )
    return (file for file in files if not names or file.source in names)


def _files(entry: Mapping[str, Any]) -> Iterator[_File]:
    for file in entry["files"]:
        path = PurePosixPath(file["path"])
        upstream = urllib.parse.quote(file["upstream_path"])
        url = str(entry["url"]).replace("{upstream_path}", upstream)
        # The list is data: it must not be able to write elsewhere or to read local files.
        inside = PurePosixPath(entry["name"]) / path
        if inside.is_absolute() or ".." in inside.parts or not url.startswith("https://"):
            raise ValueError("a path outside the destination, or an address that is not https")
        yield _File(entry["name"], path, url, int(file["bytes"]), str(file["sha256"]))


def _bring(
    file: _File, folder: Path, mirror: Path | None, report: FetchReport, *, offline: bool
) -> None:
    target = folder / file.place
    if target.is_file() and _problem(file, target.read_bytes()) is None:
        report.kept += 1
        return
    if mirror is None and offline:
        raise _OfflineError("not tried, for there is no network")
    content = _download(file) if mirror is None else _copy(file, mirror)
    if problem := _problem(file, content):
        raise _FetchError(f"{problem} (from {file.url if mirror is None else mirror / file.place})")
    _write(target, content)
    report.written += 1


def _problem(file: _File, content: bytes) -> str | None:
    digest = hashlib.sha256(content).hexdigest()
    if digest == file.sha256:
        return None
    size = "more than " * (len(content) > file.size_bytes) + f"{len(content)} bytes"
    return (
        f"expected {file.size_bytes} bytes with sha256 {file.sha256}, got {size} "
        f"with sha256 {digest}"
    )


def _copy(file: _File, mirror: Path) -> bytes:
    place = mirror / file.place
    if not place.is_file():
        raise _FetchError(f"not in the mirror: expected {place}")
    return place.read_bytes()


def _download(file: _File) -> bytes:
    reason = ""
    for attempt in range(_ATTEMPTS):
        time.sleep(attempt)  # nothing before the first
        try:
            with urllib.request.urlopen(file.url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                # One byte more than expected is enough to know that the file is another.
                content: bytes = answer.read(file.size_bytes + 1)
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code} for {file.url}"
            if error.code not in _WORTH_ANOTHER_TRY:
                break
        except OSError as error:  # no network, no such host, time-out
            cause = getattr(error, "reason", None) or error
            reason = f"no connection to {file.url} ({cause})"
            if isinstance(cause, socket.gaierror):
                raise _OfflineError(reason) from error
        else:
            return content
    raise _FetchError(reason)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        part.chmod(0o644)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def main(arguments: list[str] | None = None) -> int:
    """Run ``customer-nlp data fetch``.

    Parameters
    ----------
    arguments : list of str, optional
        Command line after ``data fetch``; by default the process's own.

    Returns
    -------
    int
        0 when every file is in place, 1 when some failed, 2 for a wrong call.
    """
    parser = argparse.ArgumentParser(prog="customer-nlp data fetch")
    parser.description = "Bring the public texts that the labels refer to, and verify them."
    parser.add_argument("names", nargs="*", help="only these sets (default: all)")
    parser.add_argument("--destination", default="data/raw", help="default: %(default)s")
    parser.add_argument("--mirror", help=f"folder to take from (default: ${_MIRROR_VARIABLE})")
    parser.add_argument("--sources", help="list of files (default: data/sources.json)")
    options = parser.parse_args(arguments)
    try:
        report = fetch(
            options.destination, mirror=options.mirror, sources=options.sources, names=options.names
        )
    except (SourceError, InvalidRecordError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    (sys.stdout if report.ok else sys.stderr).write(f"{report}\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())

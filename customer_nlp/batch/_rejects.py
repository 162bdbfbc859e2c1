"""Records that could not be scored, one JSON object a line."""

from __future__ import annotations

import base64
import os
from collections import Counter
from pathlib import Path
from typing import IO

from customer_nlp.batch._sinks import json_line
from customer_nlp.batch._spool import fresh, in_place, said_plainly
from customer_nlp.errors import ParseError

__all__ = ["RejectsFile", "rejects_path"]


def rejects_path(target: Path) -> Path:
    """Return where the rejected records of an output stand."""
    return target.with_name(f"{target.name}.rejects.jsonl")


class RejectsFile:
    """Written aside as records are rejected; renamed with the output.

    A run that goes on writes it anew: reading again rejects the same records.

    Attributes
    ----------
    count : int
        Records so far.
    reasons : Counter
        Records by reason.
    """

    def __init__(self, target: Path) -> None:
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self._path = rejects_path(target)
        self._aside = target.with_name(f".{self._path.name}.part")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> RejectsFile:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._aside.unlink(missing_ok=True)  # gone already where all went well
            self._file.close()

    def add(self, error: ParseError) -> None:
        """Write one record: source, position, reason, hash, and the record itself if kept."""
        self.count += 1
        self.reasons[error.reason] += 1
        record = {
            "source": error.source,
            "index": error.index,
            "reason": error.reason,
            "sha256": error.sha256,
        }
        if error.raw is not None:
            try:
                record["raw"] = error.raw.decode()
            except UnicodeDecodeError:
                record["raw_base64"] = base64.b64encode(error.raw).decode()
        with said_plainly(self._path):
            if self._file is None:
                self._file = fresh(self._aside)
            self._file.write(json_line(record))

    def in_place(self) -> None:
        """Give the file its name; without any record, take that of an earlier run away."""
        with said_plainly(self._path):
            if self._file is None:
                self._path.unlink(missing_ok=True)
                return
            self._file.flush()
            os.fsync(self._file.fileno())
            in_place(self._aside, self._path)

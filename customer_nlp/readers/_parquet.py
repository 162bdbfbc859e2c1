"""Parquet: rows to threads, by the same names of columns as CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from customer_nlp.errors import MissingExtraError, SourceError
from customer_nlp.readers._rejects import Rejects
from customer_nlp.readers._roles import OwnAddresses
from customer_nlp.readers._rows import FIELDS
from customer_nlp.readers._tables import Table, as_bytes, holds_text, item_threads
from customer_nlp.records import Thread

__all__ = ["parquet_threads"]

_ROWS_AT_ONCE: Final = 1024


def parquet_threads(path: Path, rejects: Rejects, own: OwnAddresses) -> Iterator[Thread]:
    """Read a table of messages, or one of threads with their messages in a list column.

    Raises
    ------
    MissingExtraError
        Without pyarrow.
    SourceError
        At once, for a file that is no Parquet or has no column of text; while iterating, where
        the rest of it is broken.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise _broken(rejects) from error
    if not holds_text(file.schema_arrow.names):
        raise SourceError(
            f"A Parquet file needs a column of text, called one of {', '.join(FIELDS['text'])}, or "
            f"a list of messages; this one has neither among its {len(file.schema_arrow.names)} "
            "columns. Rename the column that holds the messages.",
            source=rejects.source,
        )
    return item_threads(_rows(file, rejects, pa.ArrowException), Table(rejects, own))


def _rows(file: Any, rejects: Rejects, broken: type[Exception]) -> Iterator[tuple[Any, bytes, str]]:
    whole, done = file.metadata.num_rows, 0
    with file:
        try:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    done += 1
                    rejects.fraction = done / whole
                    # a column that holds nothing in this row is none
                    item = {name: value for name, value in row.items() if value is not None}
                    yield item, as_bytes(item), ""
        except (broken, OSError) as error:
            raise _broken(rejects) from error


def _broken(rejects: Rejects) -> SourceError:
    return SourceError(
        "The Parquet file is broken or cut off. Write it again.", source=rejects.source
    )

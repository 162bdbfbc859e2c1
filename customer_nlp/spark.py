"""Spark data frames: rows or threads scored where they are, with Arrow in between.

The model goes to each executor once, as a broadcast of the verified folder; each Python worker
makes one analyzer of it. Results are those of `Analyzer.score_frame`, bit for bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from customer_nlp import frames
from customer_nlp.analyzer import Analyzer
from customer_nlp.artifacts import ModelFolder, model_path, open_model
from customer_nlp.errors import InvalidRecordError, MissingExtraError
from customer_nlp.timeline import public_holidays

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["score"]

_ORDER: Final = "_customer_nlp_order"
#: The analyzer of a worker; a further model takes the place of the last.
_LOADED: dict[str, Analyzer] = {}


def score(
    df: DataFrame,
    *,
    text: str | None = None,
    thread: str | None = None,
    model: str | Path | None = None,
    now: datetime | None = None,
    holidays: str | None = None,
    own_domains: Iterable[str] = (),
    on_error: Literal["raise", "skip"] = "raise",
    prefix: str = "",
    **columns: str,
) -> DataFrame:
    """Score a Spark data frame: each row, or each thread.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        Nothing is computed until the result is asked for.
    model : str or Path, optional
        As for `customer_nlp.load`; read and verified on the driver.
    text, thread, now, holidays, own_domains, prefix, **columns
        As for `Analyzer.score_frame`. All rows of a thread are brought together by one shuffle
        of the columns that are needed; within it they keep their order. The data of a partition
        has to fit the memory of a worker.
    on_error : {'raise', 'skip'}, default='raise'
        What to do with a row that holds no text, no thread or no known role, where threads are
        asked for.

    Returns
    -------
    pyspark.sql.DataFrame
        Without `thread` the rows with float and byte columns added, with `thread` one row a
        thread of strings, doubles and longs.

    Raises
    ------
    MissingExtraError
        Without pyspark or pyarrow, or for `holidays` without the library of that name.
    InvalidRecordError
        For a column that is not there, one that is in the way, or an unknown country.

    Notes
    -----
    customer_nlp has to be installed where the executors run; the model need not be there. With
    `holidays`, its extra ``[holidays]`` too.
    """
    types, functions = _pyspark()
    public_holidays(holidays)  # a wrong country is told here, not by the executors
    if on_error not in ("raise", "skip"):
        raise InvalidRecordError(
            "The on_error must be 'raise' or 'skip': a callable would run on the executors.",
            field="on_error",
        )
    where = frames.chosen(df.columns, {"text": text, "thread": thread, **columns})
    added = frames.added_columns(df.columns, thread=thread, prefix=prefix, columns=columns)
    folder = open_model(model_path(model))
    job = _Job(
        df.sparkSession.sparkContext.broadcast(folder),
        hashlib.sha256(repr(sorted(folder.manifest.items())).encode()).hexdigest(),
        {
            "text": where["text"],
            "thread": thread,
            "now": now,
            "holidays": holidays,
            "own_domains": tuple(own_domains),
            "on_error": on_error,
            "prefix": prefix,
            **columns,
        },
    )
    if thread is None:
        kinds = [types.FloatType()] * (len(added) - 3) + [types.ByteType()] * 3
        return df.mapInArrow(job.rows, _schema(types, df.schema.fields, added, kinds))
    wanted = [functions.col(f"`{name}`") for name in dict.fromkeys(where.values())]
    together = (
        df.select(*wanted, functions.monotonically_increasing_id().alias(_ORDER))
        .repartition(functions.col(f"`{thread}`"))
        .sortWithinPartitions(_ORDER)
        .drop(_ORDER)
    )
    of = {str: types.StringType(), float: types.DoubleType(), int: types.LongType()}
    kinds = [of[kind] for kind in frames.THREAD_TYPES.values()]
    return together.mapInArrow(job.threads, _schema(types, [], added, kinds))


def _pyspark() -> tuple[Any, Any]:
    for name in ("pyarrow", "pyspark"):
        try:
            __import__(name)
        except ImportError as error:
            raise MissingExtraError(name, "spark") from error
    from pyspark.sql import functions, types

    return types, functions


def _schema(types: Any, fields: Iterable[Any], names: list[str], kinds: Iterable[Any]) -> Any:
    return types.StructType(
        [*fields, *map(types.StructField, names, kinds)]  # each of them may be null
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Job:
    """What a worker does; goes to the executors without the model, which is broadcast."""

    folder: Any
    digest: str
    options: dict[str, Any]

    def rows(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Score the rows of each batch."""
        for batch in batches:
            yield from self._analyzer.score_frame(batch, **self.options).to_batches()

    def threads(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Score the threads of a partition."""
        import pyarrow as pa

        parts = [_in_utc(batch) for batch in batches]
        if parts:
            whole = pa.Table.from_batches(parts)
            yield from self._analyzer.score_frame(whole, **self.options).to_batches()

    @property
    def _analyzer(self) -> Analyzer:
        if self.digest not in _LOADED:
            folder: ModelFolder = self.folder.value
            _LOADED.clear()
            _LOADED[self.digest] = Analyzer(folder)
        return _LOADED[self.digest]


def _in_utc(batch: Any) -> Any:
    """Name the moments of a batch in UTC: the session's zone is not that of who wrote."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp(field.type.unit, "UTC"))
        if pa.types.is_timestamp(field.type) and field.type.tz
        else field
        for field in batch.schema
    ]
    columns = [column.cast(field.type) for column, field in zip(batch.columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))

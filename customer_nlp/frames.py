"""Data frames in, data frames of the same kind out: pandas, Polars and what speaks Arrow.

Also the one flat row that says what a record holds, in CSV and Parquet files as in frames.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from customer_nlp.codebook import CORE_SIGNALS, SIGNALS
from customer_nlp.errors import InvalidRecordError, MissingExtraError
from customer_nlp.readers import FIELDS, OnError, columns_of, row_threads
from customer_nlp.records import Analysis, Thread
from customer_nlp.signals import SignalTable

__all__ = [
    "SIGNAL_COLUMNS",
    "THREAD_COLUMNS",
    "THREAD_TYPES",
    "Scorer",
    "added_columns",
    "chosen",
    "score",
    "thread_row",
]

#: What is said of each row of a table of messages.
SIGNAL_COLUMNS: Final = (*SIGNALS, *(f"{name}_grade" for name in CORE_SIGNALS))
#: What is said of each thread, as a spreadsheet needs it, with its type.
THREAD_TYPES: Final[Mapping[str, type]] = {
    "thread_id": str, "after": str, "primary": str, "probability": float, "channel": str,
    "timing": str, "actions": str, "avoid": str, "abstained": str, "because": str,
    **dict.fromkeys(CORE_SIGNALS, float), "cues": str, "waiting_on": str, "contacts": int,
    "messages": int,
}  # fmt: skip
THREAD_COLUMNS: Final = tuple(THREAD_TYPES)
_ROWS_AT_ONCE: Final = 4096

Columns = dict[str, npt.NDArray[Any]]


class Scorer(Protocol):
    """What is asked of an `Analyzer`."""

    def signals(self, texts: Sequence[str]) -> SignalTable:
        """Score texts."""

    def analyze_many(
        self,
        threads: Iterable[Thread],
        *,
        now: datetime | None = None,
        holidays: str | None = None,
    ) -> Iterator[Analysis]:
        """Analyze threads."""


def score(
    scorer: Scorer,
    frame: Any,
    *,
    text: str | None = None,
    thread: str | None = None,
    now: datetime | None = None,
    holidays: str | None = None,
    own_domains: Iterable[str] = (),
    on_error: OnError = "raise",
    prefix: str = "",
    **columns: str,
) -> Any:
    """Score the rows or the threads of a frame; see `Analyzer.score_frame`."""
    table = _table_of(frame)
    where = chosen(table.names, {"text": text, "thread": thread, **columns})
    added = added_columns(table.names, thread=thread, prefix=prefix, columns=columns)
    if thread is None:
        values, missing = _signals(scorer, table, where["text"])
        return table.with_columns(dict(zip(added, values, strict=True)), missing)
    threads = row_threads(_rows(table, where), own_domains=own_domains, on_error=on_error)
    analyses = scorer.analyze_many(threads, now=now, holidays=holidays)
    rows = [thread_row(one.to_dict()) for one in analyses]
    columns_of_rows = ([row[name] for row in rows] for name in THREAD_COLUMNS)
    return table.new(dict(zip(added, columns_of_rows, strict=True)))


def added_columns(
    names: Sequence[str], *, thread: str | None, prefix: str, columns: Mapping[str, str]
) -> list[str]:
    """Return the names of the new columns; refuse those in the way, and fields without use."""
    if thread is not None:
        return [prefix + name for name in THREAD_COLUMNS]
    if columns:
        raise InvalidRecordError(
            f"The columns {', '.join(sorted(columns))} tell of threads; name the column of "
            "thread ids too, as thread=….",
            field=min(columns),
        )
    added = [prefix + name for name in SIGNAL_COLUMNS]
    if taken := sorted(set(added) & set(names)):
        raise InvalidRecordError(
            f"The frame has columns of the names that are added: {', '.join(taken)}. Pass a "
            "prefix, such as prefix='model_'.",
            field="prefix",
        )
    return added


def thread_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a spreadsheet needs of a record: a value for each of `THREAD_COLUMNS`."""
    advice = record["recommendation"]
    customer = [one for one in record["messages"] if one["signals"]]
    cues = sorted({cue for one in customer for cue in one["cues"]})
    top = next((one for one in advice["actions"] if one["action"] == advice["primary"]), None)
    row = {
        "thread_id": record["thread_id"],
        "after": record["after"],
        "primary": advice["primary"],
        "probability": top["probability"] if top else None,
        "channel": advice["channel"],
        "timing": advice["timing"],
        "actions": " ".join(one["action"] for one in advice["actions"]),
        "avoid": " ".join(advice["avoid"]),
        "abstained": advice["abstained"],
        "because": "; ".join(top["because"]) if top else None,
    }
    for name in CORE_SIGNALS:
        row[name] = customer[-1]["signals"][name]["probability"] if customer else None
    row["cues"] = " ".join(cues)
    row["waiting_on"] = record["state"]["waiting_on"]
    row["contacts"] = record["state"]["contacts"]
    row["messages"] = len(record["messages"])
    return row


def chosen(names: Sequence[str], given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the column of each field: as given, else found by the names that exports use."""
    if unknown := sorted(set(given) - set(FIELDS)):
        raise InvalidRecordError(
            f"There is no field {', '.join(unknown)}; expected some of {', '.join(FIELDS)}.",
            field=unknown[0],
        )
    wanted = {field: column for field, column in given.items() if column is not None}
    # numbers and the tuples of several levels are names too; only words tell what they hold
    found = columns_of([name for name in names if isinstance(name, str)]) | wanted
    for field, column in found.items():
        if field in wanted or field == "text" or "thread" in wanted:
            _require_one(names, field, column)
    if "text" not in found:
        raise InvalidRecordError(
            "No column of the frame is known to hold text. Name it, as text=….", field="text"
        )
    return found


def _require_one(names: Sequence[str], field: str, column: str) -> None:
    if (times := list(names).count(column)) != 1:
        raise InvalidRecordError(
            f"The {field} must be the name of one column; the frame has {times} of the "
            f"{len(names)} columns by that name.",
            field=field,
        )


def _signals(
    scorer: Scorer, table: _Table, column: str
) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.bool_]]:
    """Return a column a name of `SIGNAL_COLUMNS`, and which rows hold no text."""
    # by column, so that each of them can be handed over without a copy
    probability = np.full((len(table), len(SIGNALS)), np.nan, np.float32, order="F")
    grade = np.zeros((len(table), len(CORE_SIGNALS)), np.int8, order="F")
    missing = np.zeros(len(table), np.bool_)
    start = 0
    for [texts] in table.chunks([column]):
        rows = np.array([i for i, text in enumerate(texts) if text is not None], np.intp)
        present = [text for text in texts if text is not None]
        for row, text in zip(rows.tolist(), present, strict=True):
            if not isinstance(text, str):
                raise InvalidRecordError(
                    f"The texts must be str; row {start + row} holds {type(text).__name__}.",
                    field="text",
                )
        scored = scorer.signals(present)
        probability[start + rows], grade[start + rows] = scored.probability, scored.grade
        missing[start : start + len(texts)] = True
        missing[start + rows] = False
        start += len(texts)
    return [*probability.T, *grade.T], missing


def _rows(table: _Table, where: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    markup = "html" in str(where["text"]).lower()
    for chunk in table.chunks(list(where.values())):
        for values in zip(*chunk, strict=True):
            yield dict(zip(where, values, strict=True), markup=markup)


class _Table(ABC):
    """One kind of frame."""

    names: Sequence[str]

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def chunks(self, columns: Sequence[str]) -> Iterator[list[list[Any]]]:
        """Yield some rows of some columns as Python values, ``None`` where there is none."""

    @abstractmethod
    def with_columns(self, columns: Columns, missing: npt.NDArray[np.bool_]) -> Any:
        """Return the frame with columns added; the frame itself stays as it is."""

    @abstractmethod
    def new(self, columns: Mapping[str, list[Any]]) -> Any:
        """Return a frame of the same kind that holds `THREAD_COLUMNS`."""


class _Pandas(_Table):
    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names = list(frame.columns)

    def __len__(self) -> int:
        return len(self._frame)

    def chunks(self, columns: Sequence[str]) -> Iterator[list[list[Any]]]:
        for start in range(0, len(self), _ROWS_AT_ONCE):
            part = [self._frame[name].iloc[start : start + _ROWS_AT_ONCE] for name in columns]
            # NaN, NaT and NA all mean that there is nothing
            yield [one.astype(object).where(one.notna(), None).tolist() for one in part]

    def with_columns(self, columns: Columns, missing: npt.NDArray[np.bool_]) -> Any:
        import pandas as pd

        whole = self._frame.copy(deep=False)
        for name, values in columns.items():
            whole[name] = (
                pd.arrays.IntegerArray(values, missing) if values.dtype == np.int8 else values
            )
        return whole

    def new(self, columns: Mapping[str, list[Any]]) -> Any:
        import pandas as pd

        kinds: dict[type, Any] = {str: pd.StringDtype(), float: np.float64, int: np.int64}
        return pd.DataFrame(
            {
                name: pd.Series(values, dtype=kinds[kind])
                for (name, values), kind in zip(columns.items(), THREAD_TYPES.values(), strict=True)
            }
        )


class _Polars(_Table):
    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names = frame.columns

    def __len__(self) -> int:
        return len(self._frame)

    def chunks(self, columns: Sequence[str]) -> Iterator[list[list[Any]]]:
        for part in self._frame.select(columns).iter_slices(_ROWS_AT_ONCE):
            yield [part[name].to_list() for name in columns]

    def with_columns(self, columns: Columns, missing: npt.NDArray[np.bool_]) -> Any:
        import polars as pl

        added = pl.DataFrame(columns)
        if missing.any():
            added = added.select(pl.when(pl.lit(pl.Series(~missing))).then(pl.all()))
        return self._frame.hstack(added)

    def new(self, columns: Mapping[str, list[Any]]) -> Any:
        import polars as pl

        kinds = {str: pl.String, float: pl.Float64, int: pl.Int64}
        types = [kinds[kind] for kind in THREAD_TYPES.values()]
        return pl.DataFrame(columns, schema=dict(zip(columns, types, strict=True)))


class _Arrow(_Table):
    def __init__(self, frame: Any) -> None:
        try:
            import pyarrow as pa
        except ImportError as error:
            raise MissingExtraError("pyarrow", "parquet") from error
        self._pa: Any = pa
        batch = isinstance(frame, pa.RecordBatch)
        try:
            self._table = pa.Table.from_batches([frame]) if batch else pa.table(frame)
        except pa.ArrowException as error:  # one column alone is no table
            raise _no_frame(frame) from error
        self.names = self._table.column_names

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def chunks(self, columns: Sequence[str]) -> Iterator[list[list[Any]]]:
        for part in self._table.select(columns).to_batches(_ROWS_AT_ONCE):
            yield [column.to_pylist() for column in part.columns]

    def with_columns(self, columns: Columns, missing: npt.NDArray[np.bool_]) -> Any:
        whole = self._table
        mask = missing if missing.any() else None
        for name, values in columns.items():
            whole = whole.append_column(name, self._pa.array(values, mask=mask))
        return whole

    def new(self, columns: Mapping[str, list[Any]]) -> Any:
        pa = self._pa
        kinds = {str: pa.string(), float: pa.float64(), int: pa.int64()}
        types = [kinds[kind] for kind in THREAD_TYPES.values()]
        return pa.table(columns, schema=pa.schema(list(zip(columns, types, strict=True))))


def _table_of(frame: Any) -> _Table:
    home = type(frame).__module__.partition(".")[0]
    if home == "pandas" and type(frame).__name__ == "DataFrame":
        return _Pandas(frame)
    if home == "polars" and type(frame).__name__ == "DataFrame":
        return _Polars(frame)
    if hasattr(frame, "__arrow_c_stream__") or hasattr(frame, "__arrow_c_array__"):
        return _Arrow(frame)
    raise _no_frame(frame)


def _no_frame(given: Any) -> InvalidRecordError:
    return InvalidRecordError(
        "The frame must be one of pandas or Polars, or give its rows as Arrow; got "
        f"{type(given).__name__}. A lazy frame is to be collected first, and of a column a frame "
        "is to be made.",
        field="frame",
    )

"""Signals of one's own: from labels or a few examples to a model folder that `load` reads."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.artifacts import MANIFEST, dump_arrays, write_model
from customer_nlp.calibration import best_threshold
from customer_nlp.errors import (
    InvalidRecordError,
    MissingExtraError,
    SourceError,
    TooLittleDataError,
)
from customer_nlp.learn._estimators import SignalClassifier
from customer_nlp.learn._features import (
    Features,
    Shipped,
    as_texts,
    fit_label,
    shipped,
    start_column,
)
from customer_nlp.learn._intervals import Interval, group_numbers, interval, same_length
from customer_nlp.learn._labelling import label_noise, learning_curve
from customer_nlp.signals._own import OwnHead, load_heads
from customer_nlp.signals._tokens import TOKEN, fold

__all__ = ["LabelReport", "TrainReport", "add_signal", "check_labels", "train"]

Floats = npt.NDArray[np.float64]

#: Groups that must hold a positive, and a negative, before a label is learned.
LEAST_GROUPS: Final = 5
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ANSWERS: Final = {
    **dict.fromkeys(("1", "true", "yes", "y", "2", "3"), 1.0),
    **dict.fromkeys(("0", "false", "no", "n"), 0.0),
    **dict.fromkeys(("", "nan", "none", "null", "na"), float("nan")),
}
#: How much of a made-up balance of examples and ordinary messages is examples.
_EXAMPLE_SHARE: Final = 0.3
_EXAMPLE_STRENGTH: Final = 1.0
#: A handful of examples names few of the words that could be used: those of like meaning count.
_EXAMPLE_MEANING: Final = 1.0


@dataclass(frozen=True, slots=True)
class LabelReport:
    """How well one label was learned; all figures are held out by group.

    Parameters
    ----------
    name : str
        Of the label.
    messages, positives : int
        With a label, and of these with the answer yes.
    average_precision : Interval
        Of the new signal.
    stock : Interval or None
        Of the shipped signal of the same name on the same messages.
    threshold, f1 : float
        From which probability it counts as shown (best F1), and that F1.
    """

    name: str
    messages: int
    positives: int
    average_precision: Interval
    stock: Interval | None
    threshold: float
    f1: float


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What `train` has written.

    Parameters
    ----------
    path : Path
        The model folder.
    labels : tuple of LabelReport
        In the order asked for.
    """

    path: Path
    labels: tuple[LabelReport, ...]

    def lines(self) -> list[str]:
        """Return the report as plain lines."""
        shown = []
        for one in self.labels:
            stock = f"; shipped signal {one.stock}" if one.stock else ""
            shown.append(
                f"{one.name}: {one.positives} of {one.messages} yes; average precision "
                f"{one.average_precision}{stock}; threshold {one.threshold:.2f}, F1 {one.f1:.2f}"
            )
        return shown


def train(
    source: Any,
    out: str | Path,
    *,
    labels: Sequence[str],
    text: str = "text",
    group: str | None = None,
    model: str | Path | None = None,
    seed: int = 0,
) -> TrainReport:
    """Learn signals from labelled messages and write a model folder.

    Parameters
    ----------
    source : path, mapping of columns, or data frame
        CSV, JSON Lines or Parquet, or columns by name.
    out : str or Path
        Folder to write; ``customer_nlp.load(out)`` reads it.
    labels : sequence of str
        Columns of 1/0, yes/no, true/false or grades 0-3 (from 1 is yes); empty is unknown. A label
        called like a shipped signal or cue starts from it and takes its place.
    text : str, default='text'
        Column of the messages.
    group : str, optional
        Column that names the thread or customer; held-out folds never cut one.
    model : str or Path, optional
        What to start from; signals of one's own in it are kept unless named anew.
    seed : int, default=0
        Of the folds.

    Returns
    -------
    TrainReport
        With held-out figures. Equal data and seed give an equal folder.

    Raises
    ------
    SourceError
        When the source cannot be read or lacks a column, or `out` holds anything but a model.
    InvalidRecordError
        For a value that is no answer, or a name that is not lower_snake.
    TooLittleDataError
        When a label's yes or no is in fewer than five groups.

    Notes
    -----
    The folder holds the base model as it is and one head beside it, as safetensors and JSON. Of the
    messages it keeps weights, and as text only words that three of them hold.
    """
    names, folder = _checked_names(labels), _checked_out(out)
    columns = _columns(source, [text, *names, *([group] if group else [])])
    texts = as_texts(columns[text])
    if not any(one.strip() for one in texts):
        raise SourceError(f"The column {text} must hold messages; all of its rows are empty.")
    y = np.stack([_answers(columns[name], name) for name in names], axis=1)
    numbers = group_numbers(columns[group] if group else None, len(texts))
    _require_labels(names, y, numbers)
    fitted = SignalClassifier(names, model=model, random_state=seed).fit(texts, y, groups=numbers)
    base = shipped(model)
    reports = tuple(
        _report(name, y[:, i], fitted.held_out_[:, i], numbers, _stock(base, texts, name))
        for i, name in enumerate(names)
    )
    head = OwnHead(
        names,
        tuple(one.threshold for one in reports),
        fitted.features_.own_words,
        {},
        fitted.features_.head_arrays(base, fitted.coef_.T.copy(), fitted.intercept_),
    )
    about = {one.name: {"messages": one.messages, "positives": one.positives,
                        "average_precision": round(one.average_precision.value, 4)}
             for one in reports}  # fmt: skip
    return TrainReport(_write(base, folder, head, about), reports)


def add_signal(
    name: str,
    *,
    examples: Sequence[str],
    out: str | Path,
    phrases: Sequence[str] = (),
    counterexamples: Sequence[str] = (),
    ordinary: Sequence[str] | None = None,
    model: str | Path | None = None,
) -> Path:
    """Add a signal from a few examples and phrases, and write a model folder.

    Parameters
    ----------
    name : str
        lower_snake, such as ``mentions_rival``.
    examples : sequence of str
        Messages that show it; a handful will do.
    out : str or Path
        Folder to write; may be the one that `model` names.
    phrases : sequence of str
        Words that always show it: where one occurs the probability is 0.95 at least. Case and
        quotes do not count, and any number stands for any other.
    counterexamples : sequence of str
        Messages that look alike and do not show it.
    ordinary : sequence of str, optional
        Messages of the usual kind, such as a day of one's own inbox; by default seventy made-up
        ones.
    model : str or Path, optional
        What to start from; signals of one's own in it are kept.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InvalidRecordError
        For a name, an example or a phrase that cannot be.
    SourceError
        When `out` holds anything but a model.

    Notes
    -----
    Without labels nothing can be calibrated: from 0.5 the signal counts as shown, and the number
    is a ranking. Label what it finds and use `train`.
    """
    [checked], folder = _checked_names([name]), _checked_out(out)
    shown = [*as_texts(examples), *as_texts(phrases)]
    if not shown:
        raise InvalidRecordError("Expected examples or phrases; got none.", field="examples")
    tokens = [TOKEN.findall(fold(phrase)) for phrase in phrases]
    if not all(tokens):
        raise InvalidRecordError("A phrase must hold a word; one is empty.", field="phrases")
    base = shipped(model)
    usual = _ordinary() if ordinary is None else as_texts(ordinary)
    unlike = [*as_texts(counterexamples), *usual]
    if not unlike:
        raise InvalidRecordError("Expected ordinary messages; got none.", field="ordinary")
    features = Features(
        base,
        [*shown, *unlike],
        own_words=[word for phrase in tokens for word in phrase],
        meaning_scale=_EXAMPLE_MEANING,
    )
    y = np.append(np.ones(len(shown)), np.zeros(len(unlike)))
    weight = np.where(y > 0, _EXAMPLE_SHARE / len(shown), (1 - _EXAMPLE_SHARE) / len(unlike))
    fitted = fit_label(
        features.matrix(base, [*shown, *unlike]),
        y,
        weight * len(y),
        None,
        strength=_EXAMPLE_STRENGTH,
        start=start_column(checked),
    )
    arrays = features.head_arrays(base, fitted.weights[:, None].copy(), np.array([fitted.bias]))
    head = OwnHead((checked,), (0.5,), features.own_words, {checked: tokens}, arrays)
    about = {checked: {"examples": len(shown)}}
    return _write(base, folder, head, about)


def check_labels(
    source: Any,
    *,
    labels: Sequence[str],
    text: str = "text",
    group: str | None = None,
    model: str | Path | None = None,
    curve: bool = True,
    noise: bool = True,
) -> list[str]:
    """Return lines on the labels of a table: what more would bring, which are likely wrong.

    Parameters
    ----------
    source, labels, text, group, model
        As for `train`.
    curve : bool, default=True
        Show the learning curve of each label.
    noise : bool, default=True
        List the rows of suspicious labels, counted from 0 as in the table. Needs cleanlab.
    """
    names = _checked_names(labels)
    columns = _columns(source, [text, *names, *([group] if group else [])])
    texts = as_texts(columns[text])
    numbers = group_numbers(columns[group] if group else None, len(texts))
    lines = []
    for name in names:
        answers = _answers(columns[name], name)
        rows = np.flatnonzero(~np.isnan(answers))
        ours, y = [texts[i] for i in rows], answers[rows].astype(int)
        given: dict[str, Any] = {"name": name, "groups": numbers[rows], "model": model}
        if curve:
            lines += [
                f"{name}: {point.labels} labels give average precision {point.average_precision}"
                for point in learning_curve(ours, y, **given)
            ]
        if noise:
            found = rows[label_noise(ours, y, **given)].tolist()
            shown = ", ".join(map(str, found)) or "none"
            lines.append(f"{name}: labels to read again, the worst first, rows: {shown}")
    return lines


def _ordinary() -> list[str]:
    return (files(__package__) / "ordinary.txt").read_text(encoding="utf-8").split("\n")[:-1]


def _checked_names(labels: Sequence[str]) -> tuple[str, ...]:
    names = (labels,) if isinstance(labels, str) else tuple(labels)
    if not names or len(set(names)) < len(names):
        raise InvalidRecordError(
            "Expected names of labels, each once; got none or one twice.", field="labels"
        )
    for name in names:
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise InvalidRecordError(
                f"A signal's name must be lower_snake, such as mentions_rival; got {name!r}. "
                "Rename the column.",
                field="labels",
            )
    return names


def _require_labels(names: Sequence[str], y: Floats, numbers: npt.NDArray[np.intp]) -> None:
    for name, column in zip(names, y.T, strict=True):
        for answer, word in ((1, "yes"), (0, "no")):
            found = len(np.unique(numbers[column == answer]))
            if found < LEAST_GROUPS:
                raise TooLittleDataError(
                    f"The label {name} needs {word} in at least {LEAST_GROUPS} groups; got "
                    f"{found}. Label more, or use add_signal() for a handful of examples."
                )


def _answers(column: Sequence[Any], name: str) -> Floats:
    answers = np.empty(len(column))
    for row, value in enumerate(column):
        plain = "" if value is None else str(value).strip().lower().removesuffix(".0")
        if plain not in _ANSWERS:
            raise InvalidRecordError(
                f"The column {name} must hold 1/0, yes/no, true/false, a grade 0-3 or nothing; "
                f"row {row} holds something else.",
                field=name,
            )
        answers[row] = _ANSWERS[plain]
    return answers


def _columns(source: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the named columns of a file, a mapping or a data frame."""
    table = _read(Path(source)) if isinstance(source, str | Path) else source
    present = _names_of(table)
    if missing := [name for name in names if name not in present]:
        raise SourceError(
            f"The table must have the columns {', '.join(names)}; it lacks {', '.join(missing)}. "
            f"It has: {', '.join(map(str, present)) or 'none'}."
        )
    columns = {name: _values(table[name]) for name in names}
    same_length(**columns)
    if not columns[names[0]]:
        raise SourceError("The table must have rows; it has none.")
    return columns


def _names_of(table: Any) -> list[Any]:
    """Return the names of a table's columns, and never a value: an error shows them."""
    if isinstance(table, Mapping):
        return list(table)
    # of an Arrow table, `columns` are the values themselves
    names = getattr(table, "column_names", getattr(table, "columns", None))
    if names is None:
        raise SourceError(
            "Expected a path, a mapping of columns or a data frame; got "
            f"{type(table).__name__}. Of rows, make a data frame first."
        )
    return list(names)


def _values(column: Any) -> list[Any]:
    return list(column.to_pylist() if hasattr(column, "to_pylist") else column)


def _checked_out(out: str | Path) -> Path:
    """Return the folder to write; refuse one that holds anything but a model.

    Raised before anything is fitted: fitting takes long, and writing takes the place of files.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        kind = "a file"
    elif folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        kind = "a folder with other files in it"
    else:
        return folder
    raise SourceError(
        f"Expected a new or empty folder for the model, or that of a model to write over; got "
        f"{kind}. Choose another name.",
        source=str(out),
    )


def _read(path: Path) -> Mapping[str, Sequence[Any]]:
    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return _read_parquet(path)
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if kind in {".jsonl", ".ndjson"}:
                rows = [_object(line) for line in lines if line.strip()]
            else:
                rows = list(csv.DictReader(lines))
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise SourceError(
            "Expected a CSV, JSON Lines or Parquet file in UTF-8; it cannot be read "
            f"({type(error).__name__}).",
            source=path.name,
        ) from error
    names = dict.fromkeys(name for row in rows for name in row if isinstance(name, str))
    return {name: [row.get(name) for row in rows] for name in names}


def _object(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("a line is no JSON object")
    return row


def _read_parquet(path: Path) -> Mapping[str, Sequence[Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns


def _stock(base: Shipped, texts: Sequence[str], name: str) -> Floats | None:
    column = start_column(name)
    return None if column is None else base.dense_of(texts)[:, column]


def _report(
    name: str,
    y: Floats,
    held_out: Floats,
    numbers: npt.NDArray[np.intp],
    stock: Floats | None,
) -> LabelReport:
    known = ~np.isnan(y)
    answers, p = y[known].astype(int), held_out[known]
    _, groups = np.unique(numbers[known], return_inverse=True)
    threshold, f1 = best_threshold(p, answers)
    return LabelReport(
        name,
        int(known.sum()),
        int(answers.sum()),
        _precision(answers, p, groups),
        None if stock is None else _precision(answers, stock[known], groups),
        round(threshold, 4),
        f1,
    )


def _precision(y: npt.NDArray[np.intp], score: Floats, groups: npt.NDArray[np.intp]) -> Interval:
    from sklearn.metrics import average_precision_score

    def measure(drawn: Floats) -> float:
        if not (drawn * y).any():
            return float("nan")
        return float(average_precision_score(y, score, sample_weight=drawn))

    return interval(measure, groups)


def _write(base: Shipped, out: Path, head: OwnHead, about: Mapping[str, Any]) -> Path:
    """Write the base model, the heads that it had unless all their names are new, and this one."""
    kept = [one for one in load_heads(base.whole_folder) if not set(one.names) <= set(head.names)]
    contents = dict(base.folder.files)
    for number, one in enumerate([*kept, head]):
        settings = json.dumps(one.settings(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        contents[f"own.{number}.json"] = settings.encode()
        contents[f"own.{number}.safetensors"] = dump_arrays(one.arrays)
    inherited = {
        key: value
        for key, value in base.folder.manifest.items()
        if key not in {"files", "format", "name", "version"}
    }
    own = {**inherited.get("own_signals", {}), **about}
    for stale in out.glob("own.[0-9]*.*"):
        stale.unlink()
    write_model(
        out,
        name=out.resolve().name,
        version=base.folder.version,
        files=contents,
        about={"base": f"{base.folder.name}-{base.folder.version}"}
        | inherited
        | {"own_signals": own},
    )
    return out

"""Pictures of how well the numbers hold, and of what they say. Needs matplotlib.

Each function draws one picture and returns its ``Axes``; `ax` draws into one of yours. Colours are
Okabe and Ito's, told apart with any colour vision, and no picture rests on colour alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from customer_nlp.calibration import expected_calibration_error
from customer_nlp.codebook import CORE_SIGNALS, MAX_GRADE
from customer_nlp.errors import InvalidRecordError, MissingExtraError
from customer_nlp.records import Analysis
from customer_nlp.signals import SignalTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "action_mix",
    "cost_curve",
    "grade_confusion",
    "precision_recall",
    "reliability",
    "signal_heat_map",
    "trajectory",
]

Floats = npt.NDArray[np.float64]

_INK: Final = "#333333"
_SOFT: Final = "#8a8a8a"
_BLUE: Final = "#0072B2"
_ORANGE: Final = "#D55E00"
_MIX: Final = (_BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", _ORANGE)
_OTHER: Final = "#c9c9c9"
_SIGNAL_STYLES: Final[Mapping[str, tuple[str, str, float]]] = {
    "confusion": ("#E69F00", "s", -0.05),
    "frustration": (_ORANGE, "o", 0.0),
    "churn_risk": ("#CC79A7", "^", 0.05),
}
_PROMISE_STYLES: Final[Mapping[str, tuple[str, str]]] = {
    "kept": ("#009E73", "-"),
    "broken": (_ORANGE, "-"),
    "due": ("#E69F00", "-"),
    "open": (_BLUE, "-"),
    "renegotiated": (_SOFT, "--"),
    "told_in_advance": (_SOFT, ":"),
}
_GRADES: Final = ("0 absent", "1 mild", "2 clear", "3 severe")
_TURN_HOURS: Final = 1.0


def reliability(
    labels: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = 10, ax: Axes | None = None
) -> Axes:
    """Draw how often what was said with a probability was so.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 or 0.
    probability : array-like of shape (n,)
        Of messages that the model was not fitted on.
    bins : int, default=10
        Of equal width. The bars are 95% Wilson intervals of the observed share.
    ax : Axes, optional
        Where to draw; a new figure when missing.

    Returns
    -------
    Axes
        Points below the diagonal: stated too high.

    Raises
    ------
    InvalidRecordError
        For labels other than 1 and 0, probabilities outside 0 to 1, or unequal lengths.
    MissingExtraError
        Without matplotlib.
    """
    y, p = _binary(labels, probability)
    if not _is_whole(bins) or bins < 1:
        raise InvalidRecordError(
            f"The bins must be a whole number from 1 up; got {bins}.", field="bins"
        )
    ax = _axes(ax, (5.2, 5.2))
    which = np.minimum((p * bins).astype(int), bins - 1)
    n = np.bincount(which, minlength=bins)
    used = n > 0
    stated = np.bincount(which, p, bins)[used] / n[used]
    observed = np.bincount(which, y, bins)[used] / n[used]
    low, high = _wilson(observed, n[used])
    ax.plot([0, 1], [0, 1], color=_SOFT, linestyle="--", linewidth=1, label="perfect")
    bars = np.maximum([observed - low, high - observed], 0)
    ax.errorbar(stated, observed, yerr=bars, color=_BLUE, marker="o", capsize=3,
                label="observed, 95% interval")  # fmt: skip
    for x, top, count in zip(stated, high, n[used], strict=True):
        ax.annotate(f"{count:,}", (x, top), xytext=(0, 3), textcoords="offset points",
                    ha="center", fontsize=8, color=_SOFT)  # fmt: skip
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.08), aspect="equal",
           xlabel="stated probability", ylabel="share that was so")  # fmt: skip
    error = expected_calibration_error(p, y.astype(int), bins=bins)
    ax.set_title(f"Stated and observed differ by {error:.3f} on average (n = {len(p):,})")
    ax.legend(loc="upper left", frameon=False)
    return ax


def _wilson(share: Floats, n: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the 95% interval of a share (Wilson 1927)."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def precision_recall(
    labels: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    threshold: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what share of the flagged is right against what share is found.

    Parameters
    ----------
    labels, probability : array-like of shape (n,)
        As for `reliability`.
    threshold : float, optional
        The operating point to mark: flagged from this probability.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        The title has the average precision: the sum of precision over the steps of recall.

    Raises
    ------
    InvalidRecordError, MissingExtraError
        As for `reliability`; also when no label is 1.
    """
    y, p = _binary(labels, probability)
    if not y.any():
        raise InvalidRecordError("Expected at least one label of 1; got none.", field="labels")
    ax = _axes(ax, (6, 5))
    _, hits, flagged = _cuts(y, p)
    precision, recall = hits / flagged, hits / y.sum()
    average = float((np.diff(recall, prepend=0.0) * precision).sum())
    ax.step(np.append(0, recall), np.append(precision[0], precision), where="pre", color=_BLUE)
    ax.axhline(y.mean(), color=_SOFT, linestyle="--", linewidth=1)
    ax.annotate(f"flag all: {y.mean():.0%}", (0.01, y.mean()), xytext=(0, 3),
                textcoords="offset points", fontsize=9, color=_SOFT)  # fmt: skip
    if threshold is not None:
        _mark_operating_point(ax, y, p >= threshold, threshold)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall: share found of those that are so",
           ylabel="precision: share right of the flagged")  # fmt: skip
    ax.set_title(f"Average precision {average:.2f} (n = {len(p):,}, {y.sum():,.0f} are so)")
    return ax


def _mark_operating_point(
    ax: Axes, y: Floats, flagged: npt.NDArray[np.bool_], threshold: float
) -> None:
    if not flagged.any():
        raise InvalidRecordError(
            f"Expected a threshold that flags something; got {threshold!r}, above every "
            "probability.",
            field="threshold",
        )
    precision, recall = y[flagged].mean(), y[flagged].sum() / y.sum()
    ax.plot(recall, precision, "D", color=_ORANGE, markersize=8)
    left = recall > 0.5
    ax.annotate(
        f"from {threshold:.2f}:\nprecision {precision:.2f}\nrecall {recall:.2f}",
        (recall, precision), xytext=(-12 if left else 12, -12), textcoords="offset points",
        ha="right" if left else "left", va="top", color=_ORANGE,
    )  # fmt: skip


def _cuts(y: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, for each probability from the highest down, hits and flagged from there on."""
    order = np.argsort(-p, kind="stable")
    sorted_p, hits = p[order], np.cumsum(y[order], dtype=np.float64)
    last_of_tie = np.append(sorted_p[1:] != sorted_p[:-1], True)
    flagged = np.flatnonzero(last_of_tie).astype(np.float64) + 1
    return sorted_p[last_of_tie], hits[last_of_tie], flagged


def grade_confusion(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    signal: str = "grade",
    ax: Axes | None = None,
) -> Axes:
    """Draw which grade was given for which.

    Parameters
    ----------
    truth, predicted : array-like of shape (n,)
        Grades 0-3, by a reader and by the model.
    signal : str, default='grade'
        What is graded, for the title.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        Counts, shaded by their share of the true grade's row.

    Raises
    ------
    InvalidRecordError
        For other grades, or unequal lengths, or none.
    MissingExtraError
        Without matplotlib.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    _same_length(truth=truth, predicted=predicted)
    grades = np.arange(MAX_GRADE + 1)
    if not (np.isin(truth, grades).all() and np.isin(predicted, grades).all()):
        raise InvalidRecordError(
            "Expected whole grades from 0 to 3; got others.", field="predicted"
        )
    counts = np.zeros((MAX_GRADE + 1, MAX_GRADE + 1), int)
    np.add.at(counts, (truth.astype(int), predicted.astype(int)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = _axes(ax, (5.4, 5))
    _shaded(ax, share, [[f"{n:,}" for n in row] for row in counts], 1.0)
    ax.set(xlabel="grade given", ylabel="true grade")
    ax.set_xticks(grades, _GRADES)
    ax.set_yticks(grades, _GRADES)
    gap = np.abs(truth.astype(int) - predicted.astype(int))
    ax.set_title(f"{_words(signal).capitalize()}: {np.mean(gap == 0):.0%} the same, "
                 f"{np.mean(gap <= 1):.0%} within one (n = {len(gap):,})")  # fmt: skip
    return ax


def _shaded(ax: Axes, values: Floats, texts: Sequence[Sequence[str]], most: float) -> None:
    """Draw a matrix with its figures; white on the dark half."""
    ax.imshow(values, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            dark = values[row, column] > 0.55 * most
            ax.text(column, row, text, ha="center", va="center", fontsize=9,
                    color="white" if dark else _INK)  # fmt: skip
    ax.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.grid(which="major", visible=False)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


def trajectory(analysis: Analysis, *, ax: Axes | None = None) -> Axes:
    """Draw how a thread went: the core signals by turn, our replies, and the promises.

    Parameters
    ----------
    analysis : Analysis
        Of one thread. Where a message has no date, turns stand an hour apart.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        Above: grades of the customer's turns, with the turning point. Below: a tick for each
        message of ours, and a line for each promise from when it was made to when it falls due.

    Raises
    ------
    InvalidRecordError
        For anything but an analysis.
    MissingExtraError
        Without matplotlib.
    """
    if not isinstance(analysis, Analysis):
        raise InvalidRecordError(
            f"Expected an Analysis, as analyzer.analyze(thread) gives it; got "
            f"{type(analysis).__name__}.",
            field="analysis",
        )
    ax = _axes(ax, (8.5, 4.6))
    messages = analysis.messages
    dated = all(one.sent_at is not None for one in messages)
    start = datetime(2000, 1, 1, tzinfo=UTC)
    at: dict[str, Any] = {
        one.id: one.sent_at if dated else start + timedelta(hours=_TURN_HOURS * index)
        for index, one in enumerate(messages)
    }
    turns = [one for one in messages if one.signals]
    for name in CORE_SIGNALS:
        color, marker, offset = _SIGNAL_STYLES[name]
        grades = [found.grade + offset for one in turns if (found := one.signal(name))]
        ax.plot([at[one.id] for one in turns], grades, marker=marker, color=color,
                label=_words(name))  # fmt: skip
    ours = [at[one.id] for one in messages if one.role == "agent"]
    ax.plot(ours, [-0.5] * len(ours), "|", color=_INK, markersize=12, label="our messages")
    lanes = _draw_promises(ax, analysis, at, dated=dated)
    turning = at.get(analysis.state.turning_point or "")
    if turning is not None:
        ax.axvline(turning, color=_INK, linestyle=":", linewidth=1.2)
        ax.annotate("turning point", (turning, MAX_GRADE + 0.15), xytext=(4, 0),
                    textcoords="offset points", fontsize=9, color=_INK)  # fmt: skip
    ax.set_yticks([*range(MAX_GRADE + 1), -0.5], [*_GRADES, "we write"])
    ax.set_ylim(-0.8 - 0.4 * lanes, MAX_GRADE + 0.45)
    _time_axis(ax, messages_at=[at[one.id] for one in messages], dated=dated)
    first = analysis.recommendation.primary or "no recommendation"
    ax.set_title(f"Customer turns: {len(turns)}, promises: {lanes}; next: {_words(first)}")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax


def _time_axis(ax: Axes, *, messages_at: Sequence[Any], dated: bool) -> None:
    if dated:
        from matplotlib import dates

        locator: Any = dates.AutoDateLocator  # untyped in matplotlib
        formatter: Any = dates.ConciseDateFormatter
        places = locator(minticks=3, maxticks=8)
        ax.xaxis.set_major_locator(places)
        ax.xaxis.set_major_formatter(formatter(places))
        ax.set_xlabel("time (UTC)")
    else:
        every = max(1, len(messages_at) // 12)
        ax.set_xticks(messages_at[::every], [str(n) for n in range(1, len(messages_at) + 1, every)])
        ax.set_xlabel("turn")


def _draw_promises(ax: Axes, analysis: Analysis, at: Mapping[str, Any], *, dated: bool) -> int:
    first, last = min(at.values()), max(at.values())
    for lane, promise in enumerate(analysis.commitments):
        color, style = _PROMISE_STYLES[promise.state]
        height = -1.05 - 0.4 * lane
        made = at[promise.message_id]
        due = promise.due if dated and promise.due else made
        ax.plot([made, due], [height, height], color=color, linestyle=style, linewidth=3,
                marker="|", solid_capstyle="butt")  # fmt: skip
        label = f"{'our' if promise.by == 'agent' else 'their'} promise: {_words(promise.state)}"
        late = made - first > last - made  # its label would leave the picture
        ax.annotate(label, (max(made, due) if late else made, height), xytext=(0, 3),
                    textcoords="offset points", ha="right" if late else "left",
                    fontsize=8, color=color)  # fmt: skip
    return len(analysis.commitments)


def action_mix(analyses: Iterable[Analysis | Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """Draw what was to be done first, week by week.

    Parameters
    ----------
    analyses : iterable of Analysis or of their records
        One a thread. Counted in the week of the thread's last dated message; threads without
        a date or without a recommendation are left out, and counted in the title.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        Shares of the six most frequent first actions; the number of threads stands above.

    Raises
    ------
    InvalidRecordError
        When no thread can be placed, or one is no analysis.
    MissingExtraError
        Without matplotlib.
    """
    weeks: dict[datetime, Counter[str]] = defaultdict(Counter)
    left_out = 0
    for one in [analyses] if isinstance(analyses, Analysis) else analyses:
        record = one.to_dict() if isinstance(one, Analysis) else one
        if not isinstance(record, Mapping) or not {"recommendation", "messages"} <= record.keys():
            raise InvalidRecordError(
                "Expected analyses, or records as to_dict() gives them; one is neither.",
                field="analyses",
            )
        action, week = record["recommendation"]["primary"], _week(record["messages"])
        if action is None or week is None:
            left_out += 1
        else:
            weeks[week][action] += 1
    if not weeks:
        raise InvalidRecordError(
            f"Expected dated threads with a recommendation; got {left_out} without.",
            field="analyses",
        )
    ax = _axes(ax, (9, 4.8))
    columns: list[Any] = [week.date() for week in sorted(weeks)]
    counts = [weeks[week] for week in sorted(weeks)]
    totals = np.array([count.total() for count in counts])
    _stack(ax, columns, counts, totals)
    for column, total in zip(columns, totals, strict=True):
        ax.annotate(f"{total:,}", (column, 100), xytext=(0, 3), textcoords="offset points",
                    ha="center", fontsize=8, color=_SOFT)  # fmt: skip
    ax.set(ylim=(0, 108), ylabel="% of the week's threads", xlabel="week from Monday")
    every = -(-len(columns) // 9)
    ax.set_xticks(columns[::every], [f"{week.day} {week:%b}" for week in columns[::every]])
    without = f", {left_out:,} left out" if left_out else ""
    ax.set_title(f"What to do first, by week ({totals.sum():,} threads{without})")
    handles, names = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5),
              frameon=False)  # fmt: skip
    return ax


def _stack(
    ax: Axes, columns: Sequence[Any], counts: Sequence[Counter[str]], totals: npt.NDArray[Any]
) -> None:
    ranked = [name for name, _ in sum(counts, Counter[str]()).most_common()]
    shown, rest = ranked[: len(_MIX)], ranked[len(_MIX) :]
    layers = [(name, [name], color) for name, color in zip(shown, _MIX, strict=False)]
    if rest:
        layers.append((f"{len(rest)} others", rest, _OTHER))
    bottom = np.zeros(len(columns))
    for label, names, color in layers:
        share = 100 * np.array([sum(count[name] for name in names) for count in counts]) / totals
        ax.bar(columns, share, width=6, bottom=bottom, color=color, edgecolor="white",
               label=_words(label))  # fmt: skip
        bottom += share


def _week(messages: Iterable[Mapping[str, Any]]) -> datetime | None:
    """Return midnight of the Monday before the last dated message."""
    moments = [datetime.fromisoformat(one["sent_at"]) for one in messages if one["sent_at"]]
    if not moments:
        return None
    last = max(moments).astimezone(UTC)
    monday = last - timedelta(days=last.weekday())
    return monday.replace(hour=0, minute=0, second=0, microsecond=0)


def signal_heat_map(
    table: SignalTable,
    groups: Sequence[str],
    *,
    by: str = "product",
    least: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw which signals come up where.

    Parameters
    ----------
    table : SignalTable
        Of customers' messages.
    groups : sequence of str
        The product or team that each message is about, in the order of the table; a message
        without one counts in none.
    by : {'product', 'team'}, default='product'
        What the groups are. There is no way to draw people: a customer's anger says nothing about
        the person who answered.
    least : int, default=10
        Groups with fewer messages are left out, and counted in the title: too few to tell, and a
        small team is a person.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        Mean probability, the expected share of messages, in %. Signals from the most frequent.

    Raises
    ------
    InvalidRecordError
        For another `by`, unequal lengths, or when every group is too small.
    MissingExtraError
        Without matplotlib.
    """
    if by not in ("product", "team"):
        raise InvalidRecordError(
            "The by must be 'product' or 'team'; got another. Nothing is drawn by agent.",
            field="by",
        )
    _same_length(table=table.probability, groups=np.asarray(groups, object))
    sizes = Counter(name for name in groups if not _is_missing(name))
    names = [name for name, n in sizes.most_common() if n >= least]
    if not names:
        raise InvalidRecordError(
            f"Expected a {by} with at least {least} messages; got none.", field="groups"
        )
    member = np.asarray(groups, object)
    share = np.array([table.probability[member == name].mean(axis=0) for name in names])
    order = np.argsort(-table.probability.mean(axis=0), kind="stable")
    percent = 100 * share[:, order].astype(np.float64)
    ax = _axes(ax, (0.55 * len(order) + 3, 0.45 * len(names) + 2.2))
    _shaded(ax, percent, [[f"{value:.0f}" for value in row] for row in percent],
            max(float(percent.max()), 1.0))  # fmt: skip
    ax.set_xticks(range(len(order)), [_words(table.names[i]) for i in order],
                  rotation=40, ha="right", rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(len(names)), [f"{_literal(name)} ({sizes[name]:,})" for name in names])
    left_out = len(sizes) - len(names)
    small = f"; {left_out} with under {least} left out" if left_out else ""
    ax.set_title(f"Signals by {by}, % of messages{small}")
    return ax


def _is_missing(name: Any) -> bool:
    """Whether a cell of a data frame holds nothing: None, NaN, NaT or NA."""
    return name is None or type(name).__name__ in ("NAType", "NaTType") or name != name


def _literal(name: Any) -> str:
    """Return a name that is shown as it is: "$" would begin a formula."""
    return str(name).replace("$", r"\$")


def cost_curve(
    labels: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    costs: Mapping[str, float],
    threshold: float | None = None,
    unit: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what acting from each probability on costs.

    Parameters
    ----------
    labels, probability : array-like of shape (n,)
        As for `reliability`.
    costs : mapping
        Money a message: ``false_alarm`` and ``missed``, and where they are not 0 ``hit`` and
        ``passed`` (rightly left alone).
    threshold : float, optional
        One to mark beside the cheapest.
    unit : str, default=''
        Of the costs, such as ``'€'``.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        Mean cost of a message against the threshold.

    Raises
    ------
    InvalidRecordError, MissingExtraError
        As for `reliability`; also for unknown or missing costs.
    """
    y, p = _binary(labels, probability)
    if not {"false_alarm", "missed"} <= set(costs) <= {"false_alarm", "missed", "hit", "passed"}:
        raise InvalidRecordError(
            "The costs must name 'false_alarm' and 'missed', and may name 'hit' and 'passed'.",
            field="costs",
        )
    ax = _axes(ax, (6.5, 4.5))
    cuts, hits, flagged = _cuts(y, p)
    at = np.append(np.nextafter(max(float(cuts[0]), 1.0), 2), cuts)
    hits, flagged = np.append(0, hits), np.append(0, flagged)
    positive, n = y.sum(), len(y)
    mean_cost = (
        costs.get("hit", 0) * hits
        + costs["false_alarm"] * (flagged - hits)
        + costs["missed"] * (positive - hits)
        + costs.get("passed", 0) * (n - positive - (flagged - hits))
    ) / n
    ax.step(at, mean_cost, where="pre", color=_BLUE)
    best = int(np.argmin(mean_cost))
    _mark_cost(ax, float(at[best]), float(mean_cost[best]), unit, "cheapest", _ORANGE)
    if threshold is not None:
        # above every probability nothing is acted on, as at the first of the cuts
        chosen = mean_cost[max(int(np.count_nonzero(at >= threshold)) - 1, 0)]
        _mark_cost(ax, threshold, float(chosen), unit, "chosen", _INK)
    ax.set(xlim=(-0.02, 1.05), ylim=(0, None), xlabel="act from this probability",
           ylabel=f"mean cost of a message{f' ({unit})' if unit else ''}")  # fmt: skip
    least, none, every = (_money(mean_cost[at], unit) for at in (best, 0, -1))
    ax.set_title(f"Least cost {least} a message; none acted on {none}, all {every}")
    return ax


def _mark_cost(ax: Axes, at: float, cost: float, unit: str, label: str, color: str) -> None:
    ax.plot(at, cost, "D", color=color, markersize=7)
    above = label == "chosen"
    ax.annotate(f"{label}: {_money(cost, unit)} from {at:.2f}", (at, cost),
                xytext=(8, 10 if above else -14), textcoords="offset points", color=color,
                ha="right" if at > 0.6 else "left")  # fmt: skip


def _money(value: float, unit: str) -> str:
    return f"{unit}{value:.2f}"


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the given axes, or those of a new figure; either way without clutter."""
    if ax is None:
        try:
            from matplotlib import pyplot as plt
        except ImportError as error:
            raise MissingExtraError("matplotlib", "plots") from error
        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _binary(labels: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    y, p = _column(labels, "labels"), _column(probability, "probability")
    _same_length(labels=y, probability=p)
    if not np.isin(y, (0, 1)).all():
        raise InvalidRecordError(
            "The labels must be 1 or 0; got others. Leave unknown ones out.", field="labels"
        )
    if not ((p >= 0) & (p <= 1)).all():
        raise InvalidRecordError(
            "The probabilities must lie between 0 and 1; got others.", field="probability"
        )
    return y, p


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral)


def _column(values: npt.ArrayLike, name: str) -> Floats:
    try:
        column = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        column = np.empty((0, 0))
    if column.ndim != 1:
        raise InvalidRecordError(
            f"The {name} must be one number a message, in a list or an array; got another shape "
            "or words.",
            field=name,
        )
    return column


def _same_length(**arrays: npt.NDArray[Any]) -> None:
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InvalidRecordError(
            f"Expected one value a message in each, and at least one; got {told}.",
            field=next(iter(lengths)),
        )


def _words(name: str) -> str:
    return name.replace("_", " ")

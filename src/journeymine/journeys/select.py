"""From numbers back to people: narrow journeys down, or name groups of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.events.coded import code_strings
from journeymine.journeys.heads import LOST
from journeymine.journeys.tables import journey_table

if TYPE_CHECKING:
    from journeymine.journeys.journeys import Journeys

__all__ = ["between", "dropped", "instant_of", "join_users", "segment", "through", "where"]


def where(journeys: Journeys, condition: pl.Expr | pl.Series) -> Journeys:
    """Keep the journeys whose row of `table` satisfies `condition`; null is false."""
    held = _evaluate(journeys, condition)
    if held.dtype != pl.Boolean:
        raise QuestionError(
            f"where() needs a condition, and got a column of {held.dtype}", hint="compare it: pl.col(…) == …"
        )
    return journeys.pick(held.fill_null(value=False).to_numpy())


def segment(journeys: Journeys, name: str, label: pl.Expr | pl.Series) -> Journeys:
    """Add a label per journey."""
    given: object = name
    if not isinstance(given, str) or not given:
        raise QuestionError(f"{given!r} is no name of a segment", hint="journeys.segment('size', …)")
    _free(journeys, name)
    labels = _evaluate(journeys, label)
    if labels.dtype.is_nested():
        raise QuestionError(f"segment() needs one label each, and got a column of {labels.dtype}", hint="give a text")
    coded = code_strings(labels.cast(pl.String))
    return journeys.replace(segments={**journeys.segments, name: coded})


def join_users(journeys: Journeys, frame: pl.DataFrame, *, on: str) -> Journeys:
    """Add a label per user and column; users that are not in `frame` get ``"(unknown)"``."""
    if not isinstance(frame, pl.DataFrame):
        raise QuestionError(
            f"join_users() needs a Polars data frame, and got a {type(frame).__name__}",
            hint="pl.DataFrame(…) makes one of pandas and Arrow, .collect() of a lazy one",
        )
    if on not in frame.columns:
        raise UnknownLabelError.naming("column", on, frame.columns, place="this table")
    if frame[on].dtype.is_float():
        raise QuestionError(f"column {on!r} holds {frame[on].dtype}, and user ids are text", hint="cast it to Int64")
    repeated = frame.height - frame[on].n_unique()
    if repeated:
        raise QuestionError(
            f"{repeated} rows of the frame repeat a user of another row", hint=f"keep one row per {on!r}"
        )
    ids = journeys.users.to_frame("user")
    joined = ids.join(frame.with_columns(pl.col(on).cast(pl.String)), left_on="user", right_on=on, how="left",
                      maintain_order="left")  # fmt: skip
    added = {}
    for name in frame.columns:
        if name != on:
            _free(journeys, name)
            added[name] = code_strings(joined[name].cast(pl.String)).take(journeys.heads.user)
    return journeys.replace(segments={**journeys.segments, **added})


def between(journeys: Journeys, start: Any, end: Any) -> Journeys:
    """Keep the journeys that start in ``[start, end)``."""
    low, high = instant_of(start), instant_of(end)
    return journeys.pick((journeys.heads.start >= low) & (journeys.heads.start < high))


def dropped(journeys: Journeys, *, stage: str | None, channel: str | None, immature: bool = False) -> Journeys:
    """Keep the (mature) lost journeys whose last step is in the given stage and channel."""
    kept = journeys.heads.status == LOST
    if not immature:
        kept &= journeys.heads.mature
    last = journeys.offsets[1:] - 1
    for name, label in (("stage", stage), ("channel", channel)):
        if label is not None:
            kept &= journeys.codes(name).codes[last] == _code(journeys, name, label)
    return journeys.pick(kept)


def through(journeys: Journeys, touchpoint: str) -> Journeys:
    """Keep the journeys with a step at `touchpoint`."""
    at = np.flatnonzero(journeys.codes("touchpoint").codes == _code(journeys, "touchpoint", touchpoint))
    kept = np.zeros(len(journeys), dtype=bool)
    kept[np.searchsorted(journeys.offsets, at, side="right") - 1] = True
    return journeys.pick(kept)


def _code(journeys: Journeys, column: str, label: str) -> int:
    labels = journeys.codes(column).labels
    if label not in labels:
        raise UnknownLabelError.naming(column, label, labels)
    return labels.index(label)


def _evaluate(journeys: Journeys, expression: pl.Expr | pl.Series) -> pl.Series:
    """What an expression says of each journey: of the rows as `table` shows them, given back in the order of the arrays."""
    if not isinstance(expression, pl.Expr | pl.Series):
        raise QuestionError(
            f"{expression!r} is no expression over the journey table", hint="such as pl.col('n_steps') >= 5"
        )
    table = journey_table(journeys)
    shown = None if isinstance(expression, pl.Expr) and _row_by_row(expression) else _as_shown(journeys)
    try:
        result = (table if shown is None else table[shown]).select(_=expression).to_series()
    except pl.exceptions.ColumnNotFoundError as error:
        column = re.search(r'"([^"]*)"', str(error))
        raise UnknownLabelError.naming(
            "column of the journey table", column[1] if column else expression, table.columns
        ) from error
    except pl.exceptions.PolarsError as error:
        raise QuestionError(
            f"the expression does not fit the journey table: {str(error).split(chr(10))[0]}",
            hint="journeys.table shows its columns and their types",
        ) from error
    if len(result) == 1 and table.height != 1:
        result = result.new_from_index(0, table.height)
    if len(result) != table.height:
        raise QuestionError(
            f"the expression gives {len(result)} rows for {table.height} journeys", hint="use one per row"
        )
    return result if shown is None else result.gather(np.argsort(shown))


def _row_by_row(expression: pl.Expr) -> bool:
    """Whether an expression says of each row what that row alone says, in whatever order the rows come.

    Polars answers it for the last step of an expression only, so each step is asked.
    """
    try:
        return expression.meta.is_row_separable() and all(_row_by_row(step) for step in expression.meta.pop())
    except (AttributeError, pl.exceptions.PolarsError):
        return False  # not known of this expression, or by this version


def _as_shown(journeys: Journeys) -> npt.NDArray[np.int64]:
    """The journeys in the order of `Journeys.table`: by user, and those of one user as they come."""
    place = np.empty(len(journeys.users), dtype=np.int64)
    place[journeys.users.arg_sort().to_numpy()] = np.arange(len(place))
    return np.argsort(place[journeys.heads.user], kind="stable")


def _free(journeys: Journeys, name: str) -> None:
    if name in journey_table(journeys.range(0, 0)).columns or name in journeys.coded.labels:
        raise QuestionError(f"the name {name!r} is taken by a column", hint="choose another name for the segment")


def instant_of(when: Any) -> int:
    """µs UTC of a date, a datetime, or ISO text."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError as error:
            raise QuestionError(
                f"{when!r} is not an instant ({error})", hint="give ISO text: '2026-03-15', '2026-03-15T08:00+01:00'"
            ) from error
    if isinstance(when, date) and not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day, tzinfo=UTC)
    if not isinstance(when, datetime):
        raise QuestionError(f"{when!r} is not an instant", hint="give a date, a datetime or ISO text")
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    span: timedelta = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds

"""Round what is told beside the picture, so that it cannot be subtracted from the picture.

The exact figures of a map hang together (see `disclosure`), and what is withheld of them cannot be computed. Findings,
scores and example paths are counts of other journeys. A reader who subtracted such a count from an exact one, or two of
them from each other, could learn how few did what is withheld. So they are told in round numbers: a count to a multiple
of at least twice `min_group`, a share to a whole per cent (a tenth of one where the journeys are many), amounts to two
figures. Whatever is computed with them is then known to within more than `min_group`, and never exactly.

A table or a number that this module does not know is not handed on: whoever adds one to a measure must say here how it
is told before a map can tell it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from journeymine.counting.result import Result

__all__ = ["rounded", "step_of", "unknown_numbers"]

MANY = 200
"""Steps of journeys from which a share may have a tenth of a per cent: that is then several journeys still."""
_LIMITS = ("", "_lower", "_upper")
_COUNTS = {
    "friction": ("n", "n_journeys"),
    "weeks": ("n", "n_journeys"),
    "handoffs": ("n", "n_journeys", "n_arrivals"),
    "decisions": ("n", "n_journeys"),
    "paths": ("converted", "lost", "open", "ended"),
    "satisfaction": ("n_asked", "n_answered"),
    "dips": ("n_answered",),
}
_SHARES = {
    "friction": ("converted_with", "converted_without", "difference"),
    "weeks": ("converted_with", "converted_without", "difference"),
    "handoffs": ("converted_with", "converted_without", "lost_at_share", "lost_excess", "lost_otherwise"),
    "decisions": ("converted_with", "converted_without", "difference"),
    "satisfaction": ("response_bias",),
}
_PARTS = ("converted_with", "converted_without", "lost_at_share", "lost_otherwise")
"""Which of these are parts of a whole; the others are differences."""
_STAKES = ("conversions_at_stake", "value_at_stake")
_AMOUNTS = {"friction": _STAKES, "weeks": _STAKES, "decisions": ("lift",)}
_SCORES = {"satisfaction": ("emotion",), "dips": ("emotion",)}
_TESTS = ("p_value", "p_adjusted")
_KEPT = {
    "friction": ("n_times", "n_users", *_TESTS),
    "weeks": ("n_times", "n_users", *_TESTS),
    "handoffs": ("n_crossings", "n_ping_pong", "n_users", "lost_at", "difference", "p_lost", "p_lost_adjusted", "p50_s",
                 "p90_s", *_TESTS),
    "decisions": ("n_users", "information_gain_bits", *_TESTS),
    "paths": ("n_steps", "n", "n_users", "share", "covered", "service", "conversion", "mean_duration_s", "value"),
    "satisfaction": ("n_users", "mean", "csat_share", "dissatisfied_share", "nps", "response_share", "converted_answered",
                     "converted_silent"),
    "dips": ("n_users", "emotion_rest", "n_rest", "difference", *_TESTS),
}  # fmt: skip
"""What stays as it is: no map tells it, or it decides only what is told."""


def step_of(min_group: int) -> int:
    """To what counts are rounded: the least of 1, 2, 5, 10, 20, … that is at least twice `min_group`; 1 where all is shown.

    >>> [step_of(k) for k in (1, 4, 5, 10, 25, 26)]
    [1, 10, 10, 20, 50, 100]
    """
    if min_group <= 1:
        return 1
    power = 1
    while True:
        for leading in (1, 2, 5):
            if leading * power >= 2 * min_group:
                return leading * power
        power *= 10


def rounded(name: str, result: Result, step: int) -> dict[str, Any]:
    """Return the changed fields of one answer of the map, by its name there."""
    if name not in _COUNTS:
        return {}
    tables = {key: _table(key, table, step) for key, table in result.tables.items() if key in _COUNTS}
    return {"frame": _table(name, result.frame, step), "tables": tables}


def unknown_numbers(name: str, frame: pl.DataFrame) -> list[str]:
    """Columns of numbers of a rounded table that nobody has said anything about."""
    named = [names for told in (_COUNTS, _SHARES, _AMOUNTS, _SCORES, _KEPT) for names in told.get(name, ())]
    known = {f"{column}{limit}" for column in named for limit in _LIMITS}
    return [column for column, dtype in frame.schema.items() if dtype.is_numeric() and column not in known]


def _table(name: str, frame: pl.DataFrame, step: int) -> pl.DataFrame:
    frame = frame.drop(unknown_numbers(name, frame))
    counts = [_count(column, step).cast(frame.schema[column]) for column in _COUNTS[name]]
    shares = [_share(column, _size(name), step) for column in _there(frame, _SHARES.get(name, ()))]
    amounts = [pl.col(column).round_sig_figs(2) for column in _there(frame, _AMOUNTS.get(name, ()))]
    scores = [pl.col(column).round(1) for column in _there(frame, _SCORES.get(name, ()))]
    out = frame.with_columns(*counts, *shares, *amounts, *scores)
    if "lost_at" in out.columns:
        out = out.with_columns(
            (pl.col("lost_at_share") * pl.col("n")).round().cast(frame.schema["lost_at"]).alias("lost_at")
        )
    return out


def _size(name: str) -> str:
    return "n_answered" if name == "satisfaction" else "n"


def _there(frame: pl.DataFrame, names: Iterable[str]) -> list[str]:
    return [f"{name}{limit}" for name in names for limit in _LIMITS if f"{name}{limit}" in frame.columns]


def _count(name: str, step: int) -> pl.Expr:
    """The nearest multiple of the step; what is there at all is at least one."""
    nearest = ((pl.col(name) + step // 2) // step * step).clip(lower_bound=step)
    return pl.when(pl.col(name) > 0).then(nearest).otherwise(pl.col(name)).alias(name)


def _share(name: str, n: str, step: int) -> pl.Expr:
    """The nearest per cent, or tenth of one where the journeys are many."""
    return pl.when(pl.col(n) >= MANY * step).then(_nearest(name, 3)).otherwise(_nearest(name, 2)).alias(name)


def _nearest(name: str, digits: int) -> pl.Expr:
    """Of a share, 0 and 1 are told of nobody and of everybody only: what would be rounded to them is half a unit away."""
    nearest, half = pl.col(name).round(digits), 0.5 * 10.0**-digits
    if name.removesuffix("_lower").removesuffix("_upper") not in _PARTS:
        return nearest
    inside = pl.col(name).is_between(1e-12, 1 - 1e-12)
    return pl.when(inside).then(nearest.clip(half, 1 - half)).otherwise(nearest)

"""A result as text: the question, and of its columns those that answer it, since a terminal has no room for all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import polars as pl

__all__ = ["text_of"]

_ROOM, _SEEN, _KEYS = 8, 10, 4
"""Columns and rows that Polars shows of a frame that has more; and those of our columns that may say what a row is about."""
_NUMBERED = ("nth", "rank", "part_of", "period", "weekday", "hour", "window_days")
"""Columns of whole numbers that say what a row is about."""
_FLAGS = ("sparse", "reason")
_GROWING = "so_far_"
"""How columns begin that grow with the length of the log: where a share within a time is known, they come last."""


def text_of(
    title: str, frame: pl.DataFrame, *, where: str = ".frame", tables: Iterable[str] = (), notes: Sequence[str] = ()
) -> str:
    """The title, the frame by some of its columns, the reasons by number, where the other columns are, and the notes."""
    # Who asked Polars for a number of columns gets that.
    names = frame.columns if "POLARS_FMT_MAX_COLS" in os.environ else _chosen(frame)
    shown, reasons = _numbered(frame.select(names))
    kept = f"{len(names)} of {frame.width} columns; all are in {where}"
    more = [kept] if len(names) < frame.width else []
    if tables:
        more.append(f"further: {', '.join(f'.tables[{name!r}]' for name in tables)}")
    lines = [*reasons, *([f"({'; '.join(more)})"] if more else []), *(f"({note})" for note in notes)]
    return "\n".join([title, str(shown), *lines])


def _chosen(frame: pl.DataFrame) -> list[str]:
    """What a row is about, an estimate with its limits and the number behind it, flags, and what else there is room for."""
    if frame.width <= _ROOM:
        return frame.columns
    filled = [name for name in frame.columns if not frame.height or frame[name].null_count() < frame.height]
    limits = {f"{name}_{end}" for name in frame.columns for end in ("lower", "upper")} & set(frame.columns)
    keys: list[str] = []
    for name in frame.columns:
        if name in _FLAGS or (frame.schema[name].is_numeric() and name not in _NUMBERED):
            break
        keys.append(name)
    numbers = [name for name in frame.columns if frame.schema[name].is_float() and name not in limits]
    numbers = [name for name in numbers if name in filled] or numbers
    within = any(name.endswith("_share") and not name.startswith(_GROWING) for name in numbers)
    last = [name for name in frame.columns if within and name.startswith(_GROWING)]
    numbers.sort(key=last.__contains__)
    first = [name for name in numbers if f"{name}_lower" in limits][:1]
    counted = [name for name in ("n", *frame.columns[len(keys) :]) if name == "n" or frame.schema[name].is_integer()]
    counted = [name for name in counted if name in frame.columns][:1]
    early = numbers[: numbers.index(first[0])] if first else []
    flags = [name for name in _FLAGS if name in frame.columns and set(frame[name].unique()) - {None, False}]
    tested = [name for name in ("p_adjusted",) if name in filled]
    wanted = [
        *[name for name in keys if name in filled][:_KEYS],
        *(first or numbers[:1]),
        *counted,
        *(f"{name}_{end}" for name in first for end in ("lower", "upper")),
        *early,
        *tested,
        *flags,
        *numbers,
    ]
    chosen = list(dict.fromkeys(wanted))[:_ROOM]
    return sorted((name for name in frame.columns if name in chosen), key=last.__contains__)


def _numbered(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The frame with its reasons as numbers, and those that show: a sentence in a cell makes its row as high as ten."""
    if "reason" not in frame.columns:
        return frame, []
    half, column = _SEEN // 2, frame["reason"]
    seen = set(column if frame.height <= _SEEN else [*column.head(half), *column.tail(half)])
    told = sorted(column.drop_nulls().unique(maintain_order=True), key=lambda reason: reason not in seen)
    number = {reason: f"({nth})" for nth, reason in enumerate(told, 1)}
    numbered = pl.col("reason").replace_strict(number, default=None, return_dtype=pl.String)
    return frame.with_columns(numbered), [f"{number[reason]} {reason}" for reason in told if reason in seen]

"""ISO 8601 text and its everyday cousins as microseconds: a batch at a time, each value by the one format it has.

A log seldom mixes more than two formats, so every format is tried only on what the ones before it could not read. No
two formats read the same text, so that a value means the same whatever stands around it.
"""

from __future__ import annotations

import polars as pl

__all__ = ["ISO_TIMES", "read_iso"]

ISO_TIMES = pl.Struct({"utc": pl.Int64, "clock": pl.Int64, "midnight": pl.Int64})
"""µs UTC of a time with an offset; µs of a clock without; µs of the midnight of a bare date. At most one is not null."""

_KINDS = ("utc", "clock", "midnight")
_DAY_US = 86_400_000_000
_CLOCKS = tuple(f"%Y-%m-%d{mark}%H:%M{seconds}" for seconds in (":%S%.f", "") for mark in ("T", " "))
# a blank in a format stands for any number of blanks, also none; %#z is Z, +01, +0100 and +01:00
_FORMATS = (
    *(("utc", clock + "%#z") for clock in _CLOCKS),
    *(("utc", clock + " UTC") for clock in _CLOCKS),
    *(("clock", clock) for clock in _CLOCKS),
    ("midnight", "%Y-%m-%d"),
)


def read_iso(text: pl.Series) -> pl.Series:
    """Read stripped text; what is no ISO time has three nulls.

    Blank for T, comma for point, seconds or the whole clock left out, and offsets such as ``Z``, ``UTC``, ``+01``,
    ``+0100`` and ``+01:00`` are all understood. Digits below the microsecond are cut off.

    Examples
    --------
    >>> read_iso(pl.Series(["1970-01-01T00:00:01.5Z", "1970-01-01 00:00", "1970-01-02", "2.1.1970"])).to_list()
    [{'utc': 1500000, 'clock': None, 'midnight': None},
     {'utc': None, 'clock': 0, 'midnight': None},
     {'utc': None, 'clock': None, 'midnight': 86400000000},
     {'utc': None, 'clock': None, 'midnight': None}]
    """
    found = {kind: pl.Series(kind, [None], dtype=pl.Int64).new_from_index(0, len(text)) for kind in _KINDS}
    rows = (text.str.len_bytes() > 0).fill_null(value=False).arg_true()
    rows = _read_into(found, rows, text.gather(rows))
    if len(rows):
        _read_into(found, rows, text.gather(rows).str.replace(",", ".", literal=True))
    return pl.DataFrame(found).to_struct(text.name)


def _read_into(found: dict[str, pl.Series], rows: pl.Series, pending: pl.Series) -> pl.Series:
    """Read the `pending` texts of `rows` into `found`, in place; returns the rows that could not be read."""
    for kind, pattern in _likeliest_first(pending):
        if not len(rows):
            break
        parsed = _parse(pending, kind, pattern)
        if parsed.null_count() == len(parsed):
            continue
        hit = parsed.is_not_null()
        if len(rows) == len(found[kind]) and hit.all():
            found[kind] = parsed.alias(kind)
            return rows.clear()
        found[kind] = found[kind].scatter(rows.filter(hit), parsed.filter(hit))
        rows, pending = rows.filter(~hit), pending.filter(~hit)
    return rows


def _likeliest_first(pending: pl.Series) -> list[tuple[str, str]]:
    """All formats, that of the first text before the others."""
    first = pending.head(1)
    return sorted(_FORMATS, key=lambda entry: _parse(first, *entry).null_count()) if len(first) else []


def _parse(text: pl.Series, kind: str, pattern: str) -> pl.Series:
    if kind == "midnight":
        return text.str.to_date(pattern, strict=False).to_physical().cast(pl.Int64) * _DAY_US
    return text.str.to_datetime(pattern, time_unit="us", strict=False).to_physical()

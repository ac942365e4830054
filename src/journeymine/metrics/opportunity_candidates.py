"""Candidates for the list of opportunities: rows of finished results, brought to one form, each with its test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.result import Result
from journeymine.metrics.comparable import COMPARABLE_N, comparable_places, place_label, split_names
from journeymine.metrics.detours import DETOUR
from journeymine.metrics.friction_visits import BACK_STEP, MOVES
from journeymine.metrics.opportunity_owners import Places
from journeymine.percents import percent
from journeymine.stats.folds import FOLDS
from journeymine.stats.intervals import square_and_add, student_quantile

__all__ = ["SCHEMA", "from_drop_off", "from_friction", "from_handoffs", "one_sided"]

Floats = npt.NDArray[np.float64]
_TEXT, _NUMBER = pl.String, pl.Float64
SCHEMA: dict[str, type[pl.DataType]] = {
    "kind": _TEXT, "title": _TEXT, "stage": _TEXT, "channel": _TEXT, "touchpoint": _TEXT, "owner": _TEXT, "n": pl.Int64,
    "share": _NUMBER, "comparable_share": _NUMBER, "comparable": _TEXT,
    "conversions_gained": _NUMBER, "conversions_gained_lower": _NUMBER, "conversions_gained_upper": _NUMBER,
    "value_gained": _NUMBER, "value_gained_lower": _NUMBER, "value_gained_upper": _NUMBER,
    "p_value": _NUMBER, "evidence": _TEXT,
}  # fmt: skip
_LIMITS = ("", "_lower", "_upper")


def one_sided(estimate: Floats, lower: Floats, confidence: float) -> Floats:
    """P-values of "nothing is gained" from jackknifed intervals: Student's t with estimate ÷ standard error.

    NaN where either is, or the estimate is not above its limit.

    >>> one_sided(np.array([1.96, 0.0]), np.array([0.0, 0.0]), 0.95).round(3)
    array([0.025,   nan])
    """
    from scipy.special import stdtr

    error = np.where(estimate > lower, estimate - lower, np.nan) / student_quantile(FOLDS - 1, confidence)
    return np.asarray(stdtr(FOLDS - 1, -estimate / error))


def from_drop_off(result: Result, places: Places, worth: float | None) -> pl.DataFrame:
    """Places that convert less than the best comparable one, by the rule of `metrics.comparable`; `worth` of a conversion.

    What is tested is that the place converts no less than any of the m it may be compared with: the least of m one-sided
    p-values, times m (Bonferroni). The best of them may be small, and then says less surely what a larger one does.
    """
    names = result.frame.columns[: result.frame.columns.index("n_reached")]
    alike, apart = split_names(names)
    rows, found = result.frame.rows(named=True), []
    by_place = {(*(row[name] for name in alike), place_label([row[name] for name in apart])): row for row in rows}

    def column_of(name: str) -> Floats:
        return result.frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    rivals = comparable_places(
        result.frame.select(names), *map(column_of, ("n", "converted_later", "converted_share_lower"))
    )
    shares = {limit: column_of(f"converted_share{limit}") for limit in _LIMITS}
    for nth, (row, others) in enumerate(zip(rows, rivals, strict=True)):
        best = by_place.get((*(row[name] for name in alike), row["comparable"]))
        if best is None or None in (row["n"], row["converted_share_lower"], best["converted_share_lower"]):
            continue
        if row["n"] < COMPARABLE_N or not row["lost_here"]:
            continue
        gains = _gained(row, best, worth)
        against = ({limit: known[at] for limit, known in shares.items()} for at in (others, nth))
        p = one_sided(*_difference(*against)[:2], result.confidence)
        least = None if np.isnan(p).all() else float(np.nanmin(p))
        where = {name: row[name] if name in names else "" for name in ("stage", "channel", "touchpoint")}
        comparable = " · ".join(best[name] for name in apart)
        found.append({
            "kind": "drop_off", "title": f"Keep journeys in {_place([row[name] for name in names])}", **where,
            "owner": places.owner(**where), "n": row["n"], "share": row["converted_share"],
            "comparable_share": best["converted_share"], "comparable": comparable, **gains,
            "p_value": 1.0 if least is None else min(1.0, least * len(p)),
            "evidence": f"{row['lost_here']:,} of {row['n']:,} journeys that came by were lost there; "
                        f"{percent(row['converted_share'])}% convert, against {percent(best['converted_share'])}% in {comparable}",
        })  # fmt: skip
    return pl.DataFrame(found, schema=SCHEMA)


def _difference(others: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Conversion of other places minus that of one, each with its limits (`_LIMITS`), with Newcombe's limits.

    Journeys that come by both places make the two shares go together, which the limits leave aside: they are wide rather
    than narrow.
    """
    (p1, *limits1), (p2, *limits2) = ([each[limit] for limit in _LIMITS] for each in (others, own))
    lower, upper = square_and_add(p1, (limits1[0], limits1[1]), p2, (limits2[0], limits2[1]))
    return np.asarray(p1 - p2), lower, upper


def _gained(row: dict[str, Any], best: dict[str, Any], worth: float | None) -> dict[str, Any]:
    """Lost here × the difference in conversion; in money by the mean value of who converts from here."""
    against = ({limit: each[f"converted_share{limit}"] for limit in _LIMITS} for each in (best, row))
    gained = [row["lost_here"] * float(difference) for difference in _difference(*against)]
    stake = row["conversions_at_stake"]
    own = _own_value(stake, row["value_at_stake"])
    # Where nothing is at stake the frame does not tell what a conversion is worth here, and it does not matter.
    return _in_limits("conversions_gained", gained) | _priced(gained, own, worth if stake else None)


def _own_value(conversions: float | None, value: float | None) -> float | None:
    """What a conversion is worth here, in the mean; None where nobody who came by converted."""
    return value / conversions if conversions and value is not None else None


def _priced(gained: Sequence[float | None], own: float | None, worth: float | None) -> dict[str, Any]:
    """What is gained, in money: by the own mean value of a conversion, or that of all conversions where it is not known.

    Where a conversion costs, the most conversions are the least money: the limits change places.
    """
    each = worth if own is None else own
    estimate, lower, upper = (_times(value, each) for value in gained)
    return _in_limits("value_gained", (estimate, lower, upper) if (each or 0) >= 0 else (estimate, upper, lower))


def _in_limits(name: str, values: Sequence[float | None]) -> dict[str, Any]:
    return {f"{name}{limit}": value for limit, value in zip(_LIMITS, values, strict=True)}


def _place(labels: list[str]) -> str:
    return " on ".join(label for label in labels if label)


def _at_stake(row: Mapping[str, Any], worth: float | None) -> dict[str, Any]:
    """What a friction has at stake, and in money; where its own limits of money are not known, by those of conversions."""
    gained, value = ([row[f"{name}_at_stake{limit}"] for limit in _LIMITS] for name in ("conversions", "value"))
    own = _own_value(gained[0], value[0])
    money = _priced(gained, own, worth) if None in value else _in_limits("value_gained", value)
    return _in_limits("conversions_gained", gained) | money


def from_friction(result: Result, places: Places, worth: float | None) -> pl.DataFrame:
    """Frictions, of the whole log and of single weeks, with their own two-sided p-value; `worth` of a conversion."""
    found = []
    frames = [result.frame, *(result.tables[name] for name in ("weeks",) if name in result.tables)]
    for row in (row for frame in frames for row in frame.drop_nulls("p_value").rows(named=True)):
        where = {"channel": row["channel"], "touchpoint": row["touchpoint"]}
        at = f"{row['touchpoint']} on {row['channel']}" if row["channel"] else row["touchpoint"]
        when = f" in the week of {row['week']}" if "week" in row else ""
        found.append({
            "kind": "friction", "title": f"{_to_do(row, at)}{when}", "stage": row["stage"], **where,
            "owner": places.owner(**where), "n": row["n"], "share": row["converted_with"],
            "comparable_share": row["converted_without"], "comparable": f"same {'place' if row['friction'] in MOVES else 'stage'} without it{when}", **_at_stake(row, worth),
            "p_value": row["p_value"],
            "evidence": f"{row['n']:,} journeys meet it{when}; {percent(row['converted_with'])}% of them convert, against "
                        f"{percent(row['converted_without'])}% of the others that come as far",
        })  # fmt: skip
    return pl.DataFrame(found, schema=SCHEMA)


def _to_do(row: dict[str, Any], at: str) -> str:
    if "week" in row:
        return f"Find out what caused {row['friction']} at {at}"
    on_the_way = f" on the way to {row['stage']}" if row["friction"] == DETOUR else ""
    if row["friction"] == BACK_STEP:
        return f"Mend the step back from {at}"
    return f"Mend {row['friction'].replace('_', ' ')} at {at}{on_the_way}"


def from_handoffs(result: Result, places: Places, worth: float | None) -> pl.DataFrame:
    """Crossings at which more journeys are lost than on arriving at the same place otherwise.

    gained = arrivals · excess · c, where c is the conversion of those who go on (see `_conversion_onward`). Only the excess is
    taken as uncertain.
    """
    found = []
    for row in result.frame.rows(named=True):
        if row["p_lost"] is None or row["converted_with"] is None:
            continue
        each = row["n_arrivals"] * _conversion_onward(row)
        gained = [_times(row[f"lost_excess{limit}"], each) for limit in _LIMITS]
        gains = _in_limits("conversions_gained", gained) | _priced(gained, None, worth)
        found.append({
            "kind": "handoff", "title": f"Mend the handoff from {row['from']} to {row['to']}", "stage": row["stage"],
            "channel": row["to"], "touchpoint": "", "owner": places.owner(stage=row["stage"], channel=row["to"]),
            "n": row["n"], "share": row["converted_with"], "comparable_share": row["converted_without"],
            "comparable": f"arriving on {row['to']} otherwise", **gains, "p_value": row["p_lost"],
            "evidence": f"{percent(row['lost_otherwise'] + row['lost_excess'])}% of {row['n_arrivals']:,} arrivals are lost at once: "
                        f"{100 * row['lost_excess']:+.1f} points against the {percent(row['lost_otherwise'])}% of the others "
                        f"that arrive on {row['to']}",
        })  # fmt: skip
    return pl.DataFrame(found, schema=SCHEMA)


def _conversion_onward(row: Mapping[str, Any]) -> float:
    """Conversion of the arrivals that are not lost at once: what those lost too many would have come to.

    Where nobody who crosses converts, be it that all are lost on arrival, it is that of the other arrivals at the same place.
    """
    lost = row["lost_otherwise"] + row["lost_excess"]
    on = (row["converted_with"], lost) if row["converted_with"] else (row["converted_without"], row["lost_otherwise"])
    return min(float(on[0] / (1 - on[1])), 1.0) if on[1] < 1 else 0.0


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor

"""Candidates for the list of opportunities: rows of finished results, brought to one form, each with its test."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from journeymine.counting.result import Result
from journeymine.metrics.comparable import COMPARABLE_N, comparable_places, place_label, split_names
from journeymine.metrics.detours import DETOUR
from journeymine.metrics.opportunity_owners import Places
from journeymine.percents import percent
from journeymine.stats.folds import FOLDS
from journeymine.stats.intervals import square_and_add, student_quantile

__all__ = ["SCHEMA", "from_drop_off", "from_friction", "from_handoffs", "one_sided"]

_TEXT, _NUMBER = pl.String, pl.Float64
SCHEMA: dict[str, type[pl.DataType]] = {
    "kind": _TEXT, "title": _TEXT, "stage": _TEXT, "channel": _TEXT, "touchpoint": _TEXT, "owner": _TEXT, "n": pl.Int64,
    "share": _NUMBER, "comparable_share": _NUMBER, "comparable": _TEXT,
    "conversions_gained": _NUMBER, "conversions_gained_lower": _NUMBER, "conversions_gained_upper": _NUMBER,
    "value_gained": _NUMBER, "value_gained_lower": _NUMBER, "value_gained_upper": _NUMBER,
    "p_value": _NUMBER, "evidence": _TEXT,
}  # fmt: skip
_LIMITS = ("", "_lower", "_upper")


def one_sided(estimate: float | None, lower: float | None, confidence: float) -> float | None:
    """P-value of "nothing is gained" from a jackknifed interval: Student's t with estimate ÷ standard error.

    >>> f"{one_sided(1.96, 0.0, 0.95):.3f}"
    '0.025'
    """
    from scipy.special import stdtr

    if estimate is None or lower is None or not estimate > lower:
        return None
    error = (estimate - lower) / float(student_quantile(FOLDS - 1, confidence))
    return float(stdtr(FOLDS - 1, -estimate / error))


def from_drop_off(result: Result, places: Places) -> pl.DataFrame:
    """Places that convert less than the best comparable one, by the rule of `metrics.comparable`.

    What is tested is that the place converts no less than any of the m it may be compared with: the least of m one-sided
    p-values, times m (Bonferroni). The best of them may be small, and then says less surely what a larger one does.
    """
    names = result.frame.columns[: result.frame.columns.index("n_reached")]
    alike, apart = split_names(names)
    rows, found = result.frame.rows(named=True), []
    by_place = {(*(row[name] for name in alike), place_label([row[name] for name in apart])): row for row in rows}
    rivals = comparable_places(
        result.frame.select(names), *(result.frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
                                      for name in ("n", "converted_later", "converted_share_lower"))
    )  # fmt: skip
    for row, others in zip(rows, rivals, strict=True):
        best = by_place.get((*(row[name] for name in alike), row["comparable"]))
        if best is None or None in (row["n"], row["converted_share_lower"], best["converted_share_lower"]):
            continue
        if row["n"] < COMPARABLE_N or not row["lost_here"]:
            continue
        gains = _gained(row, best)
        p = [one_sided(*_difference(row, rows[at])[:2], result.confidence) for at in others]
        least = min((each for each in p if each is not None), default=None)
        where = {name: row[name] if name in names else "" for name in ("stage", "channel", "touchpoint")}
        comparable = " · ".join(best[name] for name in apart)
        found.append({
            "kind": "drop_off", "title": f"Keep journeys in {_place([row[name] for name in names])}", **where,
            "owner": places.owner(**where), "n": row["n"], "share": row["converted_share"],
            "comparable_share": best["converted_share"], "comparable": comparable, **gains,
            "p_value": 1.0 if least is None else min(1.0, least * len(others)),
            "evidence": f"{row['lost_here']:,} of {row['n']:,} journeys that came by were lost there; "
                        f"{percent(row['converted_share'])}% convert, against {percent(best['converted_share'])}% in {comparable}",
        })  # fmt: skip
    return pl.DataFrame(found, schema=SCHEMA)


def _difference(row: dict[str, Any], other: dict[str, Any]) -> tuple[float, float, float]:
    """Conversion of the other place minus that of this one, with Newcombe's limits.

    Journeys that come by both places make the two shares go together, which the limits leave aside: they are wide rather
    than narrow.
    """
    (p1, *limits1), (p2, *limits2) = ([each[f"converted_share{limit}"] for limit in _LIMITS] for each in (other, row))
    lower, upper = square_and_add(p1, (limits1[0], limits1[1]), p2, (limits2[0], limits2[1]))
    return p1 - p2, float(lower), float(upper)


def _gained(row: dict[str, Any], best: dict[str, Any]) -> dict[str, Any]:
    """Lost here × the difference in conversion; in money by the mean value of who converts from here."""
    gained = [row["lost_here"] * difference for difference in _difference(row, best)]
    stake = row["conversions_at_stake"]
    worth = row["value_at_stake"] / stake if stake and row["value_at_stake"] is not None else None
    columns = {f"conversions_gained{limit}": value for limit, value in zip(_LIMITS, gained, strict=True)}
    return columns | {
        f"value_gained{limit}": _times(value, worth) for limit, value in zip(_LIMITS, gained, strict=True)
    }


def _place(labels: list[str]) -> str:
    return " on ".join(label for label in labels if label)


def _gains(row: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{ours}{limit}": row[f"{theirs}{limit}"]
        for ours, theirs in (("conversions_gained", "conversions_at_stake"), ("value_gained", "value_at_stake"))
        for limit in _LIMITS
    }


def from_friction(result: Result, places: Places) -> pl.DataFrame:
    """Frictions, of the whole log and of single weeks, with their own two-sided p-value."""
    found = []
    frames = [result.frame, *(result.tables[name] for name in ("weeks",) if name in result.tables)]
    for row in (row for frame in frames for row in frame.drop_nulls("p_value").rows(named=True)):
        where = {"channel": row["channel"], "touchpoint": row["touchpoint"]}
        at = f"{row['touchpoint']} on {row['channel']}" if row["channel"] else row["touchpoint"]
        when = f" in the week of {row['week']}" if "week" in row else ""
        found.append({
            "kind": "friction", "title": f"{_to_do(row, at)}{when}", "stage": row["stage"], **where,
            "owner": places.owner(**where), "n": row["n"], "share": row["converted_with"],
            "comparable_share": row["converted_without"], "comparable": f"same stage without it{when}", **_gains(row),
            "p_value": row["p_value"],
            "evidence": f"{row['n']:,} journeys meet it{when}; {percent(row['converted_with'])}% of them convert, against "
                        f"{percent(row['converted_without'])}% of the others that come as far",
        })  # fmt: skip
    return pl.DataFrame(found, schema=SCHEMA)


def _to_do(row: dict[str, Any], at: str) -> str:
    if "week" in row:
        return f"Find out what caused {row['friction']} at {at}"
    on_the_way = f" on the way to {row['stage']}" if row["friction"] == DETOUR else ""
    return f"Mend {row['friction'].replace('_', ' ')} at {at}{on_the_way}"


def from_handoffs(result: Result, places: Places, worth: float | None) -> pl.DataFrame:
    """Crossings at which more journeys are lost than on arriving at the same place otherwise.

    gained = arrivals · excess · c / (1 − lost at once), where c is the conversion of who crosses: those lost too many would
    convert at least like the others that went on. Only the excess is taken as uncertain.
    """
    found = []
    for row in result.frame.rows(named=True):
        if row["p_lost"] is None or row["converted_with"] is None or row["lost_at_share"] == 1:
            continue
        each = row["n_arrivals"] * row["converted_with"] / (1 - row["lost_at_share"])
        gains = {f"conversions_gained{limit}": _times(row[f"lost_excess{limit}"], each) for limit in _LIMITS}
        money = {f"value_gained{limit}": _times(gains[f"conversions_gained{limit}"], worth) for limit in _LIMITS}
        found.append({
            "kind": "handoff", "title": f"Mend the handoff from {row['from']} to {row['to']}", "stage": row["stage"],
            "channel": row["to"], "touchpoint": "", "owner": places.owner(stage=row["stage"], channel=row["to"]),
            "n": row["n"], "share": row["converted_with"], "comparable_share": row["converted_without"],
            "comparable": f"arriving on {row['to']} otherwise", **gains, **money, "p_value": row["p_lost"],
            "evidence": f"{row['lost_at']:,} of {row['n']:,} journeys are lost on arrival: {100 * row['lost_excess']:+.1f} points "
                        f"against the {percent(row['lost_otherwise'])}% of those who arrive on {row['to']} otherwise",
        })  # fmt: skip
    return pl.DataFrame(found, schema=SCHEMA)


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor

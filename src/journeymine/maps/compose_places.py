"""Stages, lanes, nodes and drop-offs of a map, from finished frames."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from journeymine.columns import SINGLE_CHANNEL, UNMAPPED
from journeymine.counting.result import Result
from journeymine.journeys.journeys import pair_label
from journeymine.maps.evidence import WITHHELD, Estimate, Neighbour
from journeymine.maps.findings import DropOff
from journeymine.maps.specification import Lane, Node, Stage

__all__ = [
    "MAX_NODES",
    "after_goal",
    "drop_offs",
    "estimate",
    "lanes",
    "node_id",
    "nodes",
    "stages",
    "typical_columns",
    "with_lanes",
]

Row = Mapping[str, Any]
COLUMNS = 5
"""Columns of a map without stages."""
MAX_NODES = 200
"""Most touchpoints that a page carries; the rest is counted and said."""


def estimate(row: Row, name: str, n: str = "n") -> Estimate:
    """One number of a result with its interval."""
    value = row[name]
    return Estimate(
        value=value,
        lower=row.get(f"{name}_lower"),
        upper=row.get(f"{name}_upper"),
        n=row.get(n),
        sparse=bool(row.get("sparse") or False),
        reason="" if value is not None else (row.get("reason") or "nothing was counted here"),
    )


def typical_columns(order: pl.DataFrame) -> dict[str, str]:
    """Column of each touchpoint of a log without stages: by the place where it usually comes first."""
    ranked = order["touchpoint"].to_list()
    width = -(-len(ranked) // COLUMNS) or 1
    return {label: str(1 + i // width) for i, label in enumerate(ranked)}


def stages(frame: pl.DataFrame | None, names: Iterable[str], last: Mapping[str, tuple[Neighbour, ...]],
           goal_stage: str | None, n_mature: int,
           dwell: Mapping[str, tuple[float | None, float | None]]) -> tuple[Stage, ...]:  # fmt: skip
    """One column per stage that occurs, in order; from the last nobody goes on, and after the goal nobody converts."""
    rows = {row["stage"]: row for row in frame.rows(named=True)} if frame is not None else {}
    names = tuple(names)
    given = [name for name in names if name != UNMAPPED]
    after = after_goal(names, goal_stage)
    return tuple(
        _stage(
            rows[name],
            last,
            goal_stage,
            n_mature,
            dwell.get(name, (None, None)),
            goes_on=name not in (UNMAPPED, *given[-1:]),
            converts=name not in after,
        )
        if name in rows and n_mature
        else Stage(name=name, is_goal=name == goal_stage)
        for name in names
    )


def _stage(
    row: Row, last: Mapping[str, tuple[Neighbour, ...]], goal_stage: str | None, n_mature: int,
    dwell: tuple[float | None, float | None], *, goes_on: bool, converts: bool,
) -> Stage:  # fmt: skip
    return Stage(
        name=row["stage"],
        n_reached=row["n"],
        reached=_reached(row, n_mature),
        went_on=estimate(row, "went_on_share") if goes_on else None,
        converted_later=estimate(row, "converted_share") if converts else None,
        n_lost_here=row["lost_here"],
        lost_here=estimate(row, "lost_share"),
        n_open_here=row["open_here"],
        came_back=estimate(row, "came_back_share", "lost_here"),
        came_back_p50_s=row["came_back_p50_s"],
        dwell_p50_s=dwell[0],
        dwell_p90_s=dwell[1],
        last_touchpoints=last.get(row["stage"], ()) if row["lost_here"] else (),
        is_goal=row["stage"] == goal_stage,
    )


def _reached(row: Row, n_mature: int) -> Estimate:
    if row["n"] is None:
        return Estimate(value=None, reason=row.get("reason") or "")
    if not n_mature:
        return Estimate(value=None, n=n_mature, reason="no mature journey")
    return Estimate(value=row["n"] / n_mature, n=n_mature)


def after_goal(names: Iterable[str], goal_stage: str | None) -> set[str]:
    """Stages after that of the goal: from them nobody converts later."""
    given = [name for name in names if name != UNMAPPED]
    return set(given[given.index(goal_stage) + 1 :]) if goal_stage in given else set()


def with_lanes(results: Mapping[str, Result]) -> dict[str, Result]:
    """The answers with one for the lanes, ``channels``: how many journeys touch each channel, and what became of them.

    `Conversion` counts all that touch it, service journeys too; `DropOff` those of them that convert later. Answers
    without the latter, as of an older state, say how many they are only.
    """
    others = {name: result for name, result in results.items() if name not in ("channels", "lanes")}
    if "channels" not in results:
        return others
    touched = results["channels"].frame.select("channel", "n_journeys", "n_users_all", "n", "n_users")
    came = results.get("lanes", results.get("places"))
    if came is None or "stage" in came.frame.columns:
        return {**others, "channels": replace(results["channels"], frame=touched, least_users={})}
    kept = [name for name in came.frame.columns if name.startswith("converted_") or name in ("sparse", "reason")]
    found = came.frame.select("channel", *kept).with_row_index("_at")
    frame = touched.join(found, on="channel", how="left", maintain_order="left")
    behind = came.least_users.get(came.name)
    least = {}
    if behind is not None and behind.height == found.height:
        shares = behind.select(name for name in behind.columns if name.startswith("converted_"))
        joined = frame.select("_at").join(shares.with_row_index("_at"), on="_at", how="left", maintain_order="left")
        least = {came.name: joined.drop("_at").fill_null(0)}
    frame = frame.drop("_at").with_columns(pl.col("converted_later").fill_null(0))
    return {**others, "channels": replace(came, frame=frame, tables={}, least_users=least)}


def lanes(frame: pl.DataFrame | None, order: Iterable[str], converting: Collection[str]) -> tuple[Lane, ...]:
    """One lane per channel, those that journeys usually meet first on top; from the `converting` ones some may convert later."""
    if frame is None:
        return (Lane(name=SINGLE_CHANNEL),)
    rows = {row["channel"]: row for row in frame.iter_rows(named=True)}
    told = converting if "converted_share" in frame.columns else ()
    return tuple(
        Lane(
            name=name,
            n_journeys=rows[name]["n_journeys"],
            converted_later=estimate(rows[name], "converted_share") if name in told else None,
        )
        if name in rows
        else Lane(name=name)
        for name in dict.fromkeys([*order, *rows])
    )


def _stake(row: Row) -> Estimate | None:
    """What is at stake at a place; None where there is nothing to price it by."""
    if row["value_at_stake"] is None and row["reason"] != WITHHELD:
        return None
    return estimate(row, "value_at_stake")


def node_id(row: Row) -> str:
    """Identity of a node: its label in the graph."""
    return pair_label(row["channel"], row["touchpoint"]) if "channel" in row else str(row["touchpoint"])


def nodes(
    frame: pl.DataFrame,
    weights: pl.DataFrame,
    columns: Mapping[str, str],
    before: Mapping[str, tuple[Neighbour, ...]],
    after: Mapping[str, tuple[Neighbour, ...]],
    examples: Mapping[str, tuple[str, ...]],
) -> tuple[Node, ...]:
    """One node per touchpoint and channel, the most used ones."""
    by_label = {row["label"]: row for row in weights.iter_rows(named=True)}
    kept = frame.sort("n_reached", descending=True, maintain_order=True).head(MAX_NODES)
    found = []
    for row in kept.iter_rows(named=True):
        label = node_id(row)
        weight = by_label.get(label)
        if weight is None:
            continue
        found.append(
            Node(
                id=label,
                touchpoint=row["touchpoint"],
                stage=row.get("stage") or columns.get(row["touchpoint"], ""),
                channel=row.get("channel", SINGLE_CHANNEL),
                n=weight["n"],
                n_journeys=weight["n_journeys"],
                converted=estimate(weight, "conversion", "mature"),
                owner=_known(row.get("owner")),
                kind=_known(row.get("kind")),
                value=weight["value"] or None,
                before=before.get(label, ()),
                after=after.get(label, ()),
                examples=examples.get(label, ()),
            )
        )
    return tuple(found)


def _known(label: str | None) -> str:
    return "" if label is None or label == "(unknown)" else label


def drop_offs(
    frame: pl.DataFrame | None,
    last: Mapping[tuple[str, str], tuple[Neighbour, ...]],
    owners: Mapping[tuple[str, str], str],
) -> tuple[DropOff, ...]:
    """One drop-off per stage and channel where anybody was lost."""
    if frame is None:
        return ()
    found = []
    for row in frame.iter_rows(named=True):
        place = (row.get("stage", ""), row.get("channel", SINGLE_CHANNEL))
        if not row["lost_here"]:
            continue
        found.append(
            DropOff(
                stage=place[0],
                channel=place[1],
                n_reached=row["n"],
                n_lost=row["lost_here"],
                lost=estimate(row, "lost_share"),
                came_back=estimate(row, "came_back_share", "lost_here"),
                last_touchpoints=last.get(place, ()),
                value_at_stake=_stake(row),
                owner=owners.get(place, ""),
            )
        )
    return tuple(found)

"""What each table of a map looks like without the figures that are withheld."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import polars as pl

from journeymine.counting.result import Result
from journeymine.maps.compose_places import node_id
from journeymine.maps.evidence import WITHHELD
from journeymine.maps.privacy_counts import ENDS, Key, edge_key, edge_keys, is_few, least, place_key, rows_with_users

__all__ = ["SHARES", "blank", "emptied", "withheld_too"]

Row = dict[str, Any]


Alone = Mapping[str, Mapping[tuple[str, ...], Key]]
"""Places, stages and channels that are one touchpoint, and its key."""


def emptied(
    name: str, result: Result, few: set[Key], alone: Alone, met: Collection[str], min_group: int
) -> dict[str, Any]:
    """Return the changed fields of one answer of the map, by its name there; `met` are the touchpoints that enough users passed."""
    if name == "conversion":
        return {"frame": _changed(result.frame, [_headline(*pair, few, min_group) for pair in rows_with_users(result)])}
    if name == "flows":
        shown = pl.Series([key not in few for key in edge_keys(result.frame)], dtype=pl.Boolean)
        edges = [_share(row, ("share", *edge_key(row)), few) for row in result.frame.filter(shown).rows(named=True)]
        nodes = [_node(row, few) for row in result.tables["nodes"].rows(named=True) if row["n_users"] >= min_group]
        return {"frame": _changed(result.frame, edges), "tables": {"nodes": _changed(result.tables["nodes"], nodes)}}
    if name == "nodes":
        # Of a touchpoint that few mature users passed, there is something to show only where its own figures stay.
        kept = [
            _last(row, few)
            for row in result.frame.rows(named=True)
            if node_id(row) in met and (row["n_users"] >= min_group or ("node", node_id(row)) not in few)
        ]
        return {"frame": _changed(result.frame, kept)}
    if name == "paths":
        return {"frame": _paths(result.frame, min_group)}
    if name in ("places", "stages", "channels"):
        return {"frame": _changed(result.frame, _places(name, result, few, alone[name], min_group))}
    if name == "satisfaction":
        return {
            "frame": result.frame.filter((pl.col("n_users") >= min_group) | (pl.col("n_users") == 0)),
            "tables": {"dips": _scores(result.tables["dips"], min_group)},
        }
    if name in ("friction", "decisions", "handoffs"):
        return {
            "frame": _changed(result.frame, _contrasts(result, None, min_group)),
            "tables": {
                key: _changed(table, _contrasts(result, key, min_group))
                for key, table in result.tables.items()
                if "n_users" in table.columns
            },
        }
    if "n_users" in result.frame.columns:
        tables = {
            key: table.filter(pl.col("n_users") >= min_group)
            for key, table in result.tables.items()
            if "n_users" in table.columns
        }
        return {"frame": result.frame.filter(pl.col("n_users") >= min_group), "tables": tables}
    return {}


def _changed(frame: pl.DataFrame, rows: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=frame.schema, orient="row")


def blank(row: Row, *names: str, reason: str = "") -> Row:
    """The row without these numbers and their limits."""
    empty = {f"{name}{limit}": None for name in names for limit in ("", "_lower", "_upper") if f"{name}{limit}" in row}
    return {**row, **empty, **({"reason": reason} if reason and "reason" in row else {})}


def withheld_too(row: Row, other: Mapping[str, Any]) -> Row:
    """The row without what the other row of the same place lacks."""
    out = {name: None if other.get(name, 0) is None and name != "reason" else value for name, value in row.items()}
    return out if out == row or "reason" not in row else {**out, "reason": row["reason"] or WITHHELD}


def _headline(row: Row, behind: Mapping[str, int], few: set[Key], min_group: int) -> Row:
    out = {**row, **{name: None for name in ("converted", "lost", "open") if ("header", name) in few}}
    rest = least(row["n"] - row["converted"], row["n"], row["n_users"], behind.get("share_rest", 0))
    if {("header", "converted"), ("header", "mature")} & few or is_few(rest, min_group):
        out = {**blank(out, "share", reason=WITHHELD), "converted": None}
    if ("header", "mature") in few:
        out["n"] = None
    young = least(row["immature"], row["n_journeys"], row["n_users_all"])
    if row["n_users_all"] < min_group:
        hidden = ("n_journeys", "n_users_all", "n", "converted", "lost", "open", "value")
        out = {**blank(out, "share", reason=WITHHELD), **dict.fromkeys(hidden)}
    if is_few(young, min_group) and row["immature"] < min_group:
        out["n"] = None
    if (
        is_few(least(row["left_truncated"], row["n_journeys"], row["n_users_all"]), min_group)
        and row["left_truncated"] < min_group
    ):
        out["left_truncated"] = 0
    return {**out, "service": 0 if 0 < row["service"] < min_group else row["service"]}


def _share(row: Row, key: Key, few: set[Key]) -> Row:
    return {**blank(row, "conversion", "value", reason=WITHHELD), "mature": None} if key in few else row


def _node(row: Row, few: set[Key]) -> Row:
    if ("node", row["label"]) in few:
        return {**blank(row, "conversion", "value", reason=WITHHELD), "n": None, "n_journeys": None, "mature": None}
    if ("share", "node", row["label"]) in few:
        return {**blank(row, "conversion", "value", reason=WITHHELD), "mature": None}
    return row


def _last(row: Row, few: set[Key]) -> Row:
    """What was done last, where it is not withheld as an end."""
    return {**row, "lost_here": None} if ("edge", node_id(row), "", "lost", "out") in few else row


def _paths(frame: pl.DataFrame, min_group: int) -> pl.DataFrame:
    """Paths of enough users; an outcome that too few of them had is none."""
    again = pl.col("n") - pl.col("n_users")
    enough = [
        pl.when((pl.col(end) == 0) | (pl.col(end) - again >= min_group)).then(end).otherwise(0).alias(end)
        for end in (*ENDS, "ended")
    ]
    return frame.filter(pl.col("n_users") >= min_group).with_columns(enough)


def _scores(frame: pl.DataFrame, min_group: int) -> pl.DataFrame:
    """Scores of touchpoints; where one of a stage is withheld, the next smallest goes too, or the total gives it away."""
    few = pl.col("n_users") < min_group
    sized = frame.sort("n_users", "touchpoint").with_columns(
        _after=(~few).cum_sum().over("stage"), _few=few.any().over("stage")
    )
    kept = sized.filter(~few & ~(pl.col("_few") & (pl.col("_after") == 1)))
    return frame.join(kept.select("stage", "touchpoint"), on=["stage", "touchpoint"], how="semi", maintain_order="left")


def _contrasts(result: Result, table: str | None, min_group: int) -> Iterable[Row]:
    """Contrasts of enough users, of whom neither few do the one thing nor few the other."""
    for row, behind in rows_with_users(result, table):
        parts = [(round(row["n"] * row[share]), 0) for share in ("converted_with",) if row.get(share) is not None]
        if row.get("lost_at_share") is not None:
            parts.append((round(row["n"] * row["lost_at_share"]), behind.get("lost_at_share", 0)))
        ends = [(n, folds) for part, folds in parts for n in (part, row["n"] - part)]
        few = any(is_few(least(n, row["n"], row["n_users"], folds), min_group) for n, folds in ends)
        if row["n_users"] >= min_group and not few:
            yield row


def _places(
    name: str, result: Result, few: set[Key], alone: Mapping[tuple[str, ...], Key], min_group: int
) -> Iterable[Row]:
    kinds = [kind for kind in ("stage", "channel") if kind in result.frame.columns]
    for row, behind in rows_with_users(result):
        if row["n_users"] < min_group or (name == "places" and ("cell", *place_key(row)) in few):
            continue
        out = dict(row)
        node = alone.get(tuple(row[kind] for kind in kinds))
        if node is not None and {node, ("share", *node)} & few:
            if name == "channels" and node in few:
                continue
            out = {
                **blank(out, *(share for share in (*SHARES, "lost_share", "value_at_stake") if share in out)),
                "n": None,
            }
        for share, (part, whole) in SHARES.items():
            if share not in row:
                continue
            count = row[whole] or 0
            ends = ((row[part], behind.get(share, 0)), (count - row[part], behind.get(f"{share}_rest", 0)))
            if any(is_few(least(n, row["n"], row["n_users"], folds), min_group) for n, folds in ends):
                out = blank(out, share, *(("value_at_stake",) if share == "converted_share" else ()))
        if name == "stages":
            out = _stage(out, few)
        if out != row and "reason" in out:
            out["reason"] = out["reason"] or WITHHELD
        yield out


SHARES = {
    "went_on_share": ("went_on", "n"),
    "converted_share": ("converted_later", "n"),
    "came_back_share": ("came_back", "lost_here"),
    "share": ("converted", "n"),
}


def _stage(row: Row, few: set[Key]) -> Row:
    if ("stage", row["stage"], "open") in few:
        row["open_here"] = None
    if ("stage", row["stage"], "lost") in few:
        row = {**blank(row, "lost_share", "came_back_share", "came_back_p50_s", "value_at_stake"), "lost_here": None}
    return row

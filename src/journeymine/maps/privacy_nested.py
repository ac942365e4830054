"""Withhold what is told of nearly all of a larger group: the few who are left are the difference of two figures.

Sets of journeys lie in each other: those of a flow in those of its touchpoints, these in those of their channel, stage
and place, and all in the whole. Where two sizes are shown, so is that of the rest; of a rest of too few, one size is
not shown. The same holds for those among them that are mature, that convert, and that do not. Of a channel it is told
how many convert *later*: they are among all who convert, and those who pass one of its touchpoints and do not convert
are among its others. It is the smaller set's size that goes, except that ends and starts of journeys stay: they are
parts of the circulation (see `disclosure`). So do the places of a channel: it is told of them what is lost there. How
many *times* a flow is taken stays too; where no journey takes it twice, that is its journeys again, and the larger
set's size goes.

How many users a rest has is not known. It counts as too few below `min_group` users' usual number of journeys.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from journeymine.counting.result import Result
from journeymine.maps.compose_places import node_id
from journeymine.maps.evidence import NEARLY_ALL
from journeymine.maps.privacy_counts import ENDS, edge_key, place_key
from journeymine.maps.privacy_tables import SHARES, blank

__all__ = ["close_to_all", "nested"]

Name = tuple[str, ...]
Row = Mapping[str, Any]
_JUDGED = (
    ("mature", "mature"), ("converted", "converted"), ("rest", "rest"), ("later", "converted"), ("rest", "not_later"),
)  # fmt: skip
"""What of a set lies in what of a larger one."""
_TOP: Name = ("top",)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Journeys of a set, and those of them that are mature, that convert and that do not; None is not shown.

    `later` reach the goal after they come to the set, `not_later` are the other mature ones.
    """

    all: int | None = None
    mature: int | None = None
    converted: int | None = None
    rest: int | None = None
    later: int | None = None
    not_later: int | None = None


def nested(shown: Mapping[str, Result], min_group: int) -> set[Name]:
    """Names of the sizes to withhold: ``("all", …)`` the journeys of a set, ``("judged", …)`` every share of it."""
    headline = shown["conversion"].frame
    nest = _Nest(_limit(headline, min_group), {_TOP: _headline(headline)}, set())
    ends: dict[str, list[_Sizes]] = {}
    for label, size in _ends(shown["flows"].frame):
        ends.setdefault(label, []).append(size)
    once = {edge_key(row) for row in shown["flows"].frame.rows(named=True) if row["n"] == row["n_journeys"]}
    for name, size, around in _sets(shown):
        within = nest.places(name[1]) if name[0] == "lane" else ends.get(name[1], ()) if name[0] == "node" else ()
        nest.add(name, size, around, within, is_told=name in once)
    return nest.withheld


@dataclass(frozen=True, slots=True)
class _Nest:
    """Sets of journeys with the sizes that stay; a rest of fewer journeys than `limit` is too few."""

    limit: int
    sizes: dict[Name, _Sizes]
    withheld: set[Name]

    def add(
        self, name: Name, size: _Sizes, around: Iterable[Name], ends: Iterable[_Sizes], *, is_told: bool = False
    ) -> None:
        """Take in a set, larger ones first; its starts and `ends` (or places) are smaller sets that stay, as one that `is_told`."""
        self.sizes[name] = size
        for end in ends:
            self._hold(name, end, self.sizes[name])
        for other in around:
            if other in self.sizes:
                if is_told and other != _TOP and self._is_few(self.sizes[name].all, self.sizes[other].all):
                    self._withhold_all(other)
                self._hold(name, self.sizes[name], self.sizes[other])
        if self._is_few(self.sizes[name].mature, self.sizes[name].all):
            self._withhold_judged(name)

    def places(self, channel: str) -> list[_Sizes]:
        """Sizes of the places of a channel, as far as they are shown."""
        return [size for name, size in self.sizes.items() if name[0] == "place" and name[2] == channel]

    def _hold(self, name: Name, inner: _Sizes, outer: _Sizes) -> None:
        """Withhold of `name` what the difference of the two would lay open."""
        if self._is_few(inner.all, outer.all):
            self._withhold_all(name)
        if any(self._is_few(getattr(inner, part), getattr(outer, whole)) for part, whole in _JUDGED):
            self._withhold_judged(name)

    def _withhold_all(self, name: Name) -> None:
        self.withheld.add(("all", *name))
        self.sizes[name] = replace(self.sizes[name], all=None)

    def _withhold_judged(self, name: Name) -> None:
        self.withheld.add(("judged", *name))
        self.sizes[name] = _Sizes(self.sizes[name].all)

    def _is_few(self, inner: int | None, outer: int | None) -> bool:
        return inner is not None and outer is not None and 0 < outer - inner < self.limit


def _limit(frame: pl.DataFrame, min_group: int) -> int:
    journeys, users = (int(frame[name].sum() or 0) for name in ("n_journeys", "n_users_all"))
    return math.ceil(min_group * max(journeys / users, 1.0)) if users else min_group


def _headline(frame: pl.DataFrame) -> _Sizes:
    row = frame.row(0, named=True) if frame.height else dict.fromkeys(frame.columns)
    rest = None if row["n"] is None or row["converted"] is None else row["n"] - row["converted"]
    return _Sizes(row["n_journeys"], row["n"], row["converted"], rest)


def _sizes(row: Row, mature: str, share: str) -> _Sizes:
    told = row[share] is not None and row[mature] is not None
    rest = row[mature] - row["converted"] if told else None
    return _Sizes(row["n_journeys"], row[mature], row["converted"] if told else None, rest)


def _later(row: Row) -> _Sizes:
    """Sizes of a channel, of which it is told how many reach the goal after they came there."""
    told = row["n"] is not None and row.get("converted_share") is not None
    later, not_later = (row["converted_later"], row["n"] - row["converted_later"]) if told else (None, None)
    return _Sizes(row["n_journeys"], row["n"], later=later, not_later=not_later)


def _sets(shown: Mapping[str, Result]) -> Iterator[tuple[Name, _Sizes, list[Name]]]:
    """Every set that the map tells of, larger ones first (channels after their places), with the sets that it lies in."""
    for row in shown["stages"].frame.rows(named=True) if "stages" in shown else ():
        yield ("stage", row["stage"]), _Sizes(mature=row["n"]), [_TOP]
    for row in shown["places"].frame.rows(named=True) if "places" in shown else ():
        stage, channel = place_key(row)
        yield ("place", stage, channel), _Sizes(mature=row["n"]), [("stage", stage), _TOP]
    for row in shown["channels"].frame.rows(named=True) if "channels" in shown else ():
        yield ("lane", row["channel"]), _later(row), [_TOP]
    around: dict[str, list[Name]] = {}
    for row in shown["nodes"].frame.rows(named=True):
        stage, channel = place_key(row)
        around[node_id(row)] = [("place", stage, channel), ("stage", stage), ("lane", channel), _TOP]
    for row in shown["flows"].tables["nodes"].rows(named=True):
        yield ("node", row["label"]), _sizes(row, "mature", "conversion"), around.get(row["label"], [_TOP])
    for row in shown["flows"].frame.rows(named=True):
        ends = (row["from"], row["to"])
        if None not in ends:
            outer = [name for end in ends for name in around.get(end, ())]
            yield edge_key(row), _sizes(row, "mature", "conversion"), [*(("node", end) for end in ends), *outer]


def _ends(edges: pl.DataFrame) -> Iterator[tuple[str, _Sizes]]:
    """Starts and ends of journeys as sets: they lie in their touchpoint."""
    outer = edges.filter(pl.col("from").is_null() | pl.col("to").is_null())
    for row in outer.rows(named=True):
        if row["from"] is None:
            yield row["to"], _Sizes(all=row["n_journeys"])
        elif row["status"] in ENDS:
            n = row["mature"] or None
            yield row["from"], _Sizes(None, n, n, None) if row["status"] == "converted" else _Sizes(None, n, None, n)
        else:
            yield row["from"], _Sizes(all=row["n_journeys"])


def close_to_all(shown: Mapping[str, Result], withheld: set[Name], min_group: int) -> dict[str, Result]:
    """Return the answers that change when these sizes are withheld."""
    reason = f"{NEARLY_ALL} fewer than {min_group} users"

    def sized(row: dict[str, Any], name: Name, mature: str, *shares: str) -> dict[str, Any]:
        if ("judged", *name) in withheld:
            row = {**blank(row, *(share for share in shares if share in row), reason=reason), mature: None}
        return {**row, "n_journeys": None} if ("all", *name) in withheld else row

    flows = shown["flows"]
    nodes = [
        sized(r, ("node", r["label"]), "mature", "conversion", "value") for r in flows.tables["nodes"].rows(named=True)
    ]
    edges = [sized(r, edge_key(r), "mature", "conversion", "value") for r in flows.frame.rows(named=True)]
    changed = {
        "flows": replace(flows, frame=_frame(edges, flows.frame),
                         tables={**flows.tables, "nodes": _frame(nodes, flows.tables["nodes"])})
    }  # fmt: skip
    for table, kind in (("channels", "lane"), ("stages", "stage"), ("places", "place")):
        if table in shown:
            frame = shown[table].frame
            rows = [
                sized(row, (kind, *_place(row, kind)), "n", *SHARES, "lost_share", "value_at_stake")
                for row in frame.rows(named=True)
            ]
            changed[table] = replace(shown[table], frame=_frame(rows, frame))
    return changed


def _place(row: Row, kind: str) -> Name:
    return (row["channel"],) if kind == "lane" else (row["stage"],) if kind == "stage" else place_key(row)


def _frame(rows: list[dict[str, Any]], like: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=like.schema, orient="row")

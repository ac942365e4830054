"""Variants: the distinct paths that journeys take, and how far the most frequent ones cover them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names, group_journeys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import LATER, basis_of, question_of
from journeymine.counting.path_text import labels_of, lists_of, text_order
from journeymine.counting.result import Result
from journeymine.counting.runs import ranges, sort_cells
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import Key, gathered, pack
from journeymine.counting.tally import Tally, row_groups
from journeymine.errors import QuestionError
from journeymine.events.coded import Coded, narrow
from journeymine.graph.path_order import path_order
from journeymine.graph.path_outcomes import path_outcomes
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import on_all_cores, take

__all__ = ["Variants", "variants"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MAX_STEPS = 1_000
_BLOCK = 1 << 12
"""Paths at a time."""


@dataclass(frozen=True)
class Variants:
    """The measure behind `variants`, for `mine`. Parameters as in `variants`."""

    grain: str = "touchpoint"
    max_steps: int = MAX_STEPS
    by: str | Sequence[str] | None = field(default=None, metadata=LATER)

    name: ClassVar[str] = "variants"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if type(self.max_steps) is not int or self.max_steps < 1:
            raise QuestionError(f"max_steps={self.max_steps!r}", hint="give a whole number, at least 1")
        object.__setattr__(self, "by", as_names(self.by))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)}" if self.names else ""
        return f"Which paths of {self.grain}s do journeys take{per}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by path; no folds, so that a log of a million paths stays small."""
        values: dict[str, Literal["sum", "wide", "users"]] = {
            "n": "sum", "n_users": "users", "converted": "sum", "lost": "sum", "open": "sum", "service": "sum", "ended": "sum",
            "mature": "sum", "converted_mature": "sum", "duration": "wide", "value": "wide",
        }  # fmt: skip
        return {
            "variants": TableSpec({**dict.fromkeys(self.names, pl.String), "path": pl.String}, values, folded=False)
        }

    def count(self, journeys: Journeys) -> Counts:
        """Count journeys by their exact path, the most frequent ones of a group first."""
        keys = {name: _ranked(key) for name, key in group_journeys(journeys, self.names, "entry").keys.items()}
        group, n_groups = pack(list(keys.values()), len(journeys))
        coded = _in_text_order(journeys.codes(self.grain))
        kept = journeys.lengths <= self.max_steps
        rows, starts = path_order(journeys, coded, kept, group, n_groups)
        n = np.diff(starts, append=len(rows))
        order = _most_frequent(n, take(group, take(rows, starts)), n_groups)
        starts, n = take(starts, order), take(n, order)
        first = take(rows, starts)
        columns = {
            **{name: gathered(key.values, take(key.codes, first)) for name, key in keys.items()},
            "path": _labels_along(journeys, coded, first, kept),
            **path_outcomes(journeys.heads, rows, starts, n),
        }
        frame = pl.DataFrame({name: columns[name] for name in self.specs()["variants"].schema})
        return Counts.of(question_of(self), basis_of(journeys), self.specs(), {"variants": frame}, each_once=True)

    def steps_at_once(self, journeys: Journeys) -> int:
        """All: a table of paths is as long as the journeys, so it is better made once than once per part."""
        return max(len(journeys.coded), 1)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Variants, most frequent first, and the share of journeys they cover together."""
        tally = tallies["variants"]
        group = row_groups(tally.rows, self.names)
        n_groups = int(group[-1]) + 1 if len(group) else 0
        n = tally.total("n")
        order = None if _falls(n, group) else _most_frequent(n, group, n_groups)

        def ordered(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return values if order is None else take(values, order)

        rows = tally.rows if order is None else tally.rows[order]
        n, n_converted, n_mature = (ordered(tally.total(c)) for c in ("n", "converted_mature", "mature"))
        share, covered = _covered(n, group, n_groups)
        unknown = (n_mature == 0) | (basis.rules.goal is None)
        conversion = pl.Series(n_converted / np.maximum(n_mature, 1)).set(pl.Series(unknown), None)
        paths = rows["path"] if isinstance(rows.schema["path"], pl.List) else labels_of(rows["path"])
        answer = Answer(
            keys=rows.select(self.names),
            columns={
                "path": paths,  # its bytes are its own already
                "n_steps": paths.list.len().cast(pl.Int64),
                "n": n,
                "n_users": ordered(tally.total("n_users")),
                "share": share,
                "covered": covered,
                **{name: ordered(tally.total(name)) for name in ("converted", "lost", "open", "service", "ended")},
                "conversion": conversion,
                "mean_duration_s": ordered(tally["duration"]) / MICRO / np.maximum(n, 1),
                "value": ordered(tally["value"]) / MICRO,
            },
            notes=("Variants keep no folds and so carry no intervals.",),
        )
        return {"variants": answer}


def variants(
    journeys: Journeys,
    *,
    grain: str = "touchpoint",
    max_steps: int = MAX_STEPS,
    by: str | Sequence[str] | None = None,
) -> Result:
    """The distinct paths of journeys, most frequent first.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    grain : the labels of a path: ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"`` or any label
        column.
    max_steps : journeys with more steps than this are counted together, in one row whose path is null.
    by : one or several of channel, stage, touchpoint, owner, any attribute (each of the entry step) or segment: gives
        the paths of each group. By default those of all journeys.

    Returns
    -------
    Result; frame has one row per value of `by` and path:
        path list[str]: labels in order; n_steps i64: number of steps
        n i64: journeys; n_users i64: their users
        share f64: of all journeys (of the group), 0–1; covered f64: the same, added up from the top row
        converted, lost, open, service, ended i64: journeys by status
        conversion f64: share of the mature ones that convert, 0–1
        mean_duration_s f64: seconds from first to last step; value f64: units of money

    Notes
    -----
    Every journey counts, whatever its status, open and immature ones too. `conversion` is of the mature ones only,
    without service after an earlier goal, and null without a goal. Steps at one instant are in the documented order.
    Company touches are no steps. Null labels are ``"(unknown)"``. Paths with the same n are in order of path. Empty
    input gives no row. Counts merge exactly. No intervals: paths keep no folds.
    """
    measure = Variants(grain=grain, max_steps=max_steps, by=by)
    return answer(measure, journeys)


def _falls(n: Ints, group: Ints) -> bool:
    """Whether rows of each group already come by falling n."""
    return not np.any((n[1:] > n[:-1]) & (group[1:] == group[:-1]))


def _most_frequent(n: Ints, group: Ints, n_groups: int) -> Ints:
    """Rows of each group by falling n; equal ones as they come."""
    most = int(n.max(initial=0))
    if n_groups > 1:
        return sort_cells(group * (most + 1) + (most - n), n_groups * (most + 1) + 1)[1]
    several = np.flatnonzero(n > 1)  # of one group, most are taken once and stay in their order
    return np.concatenate((take(several, sort_cells(most - take(n, several), most + 1)[1]), np.flatnonzero(n == 1)))


def _covered(n: Ints, group: Ints, n_groups: int) -> tuple[Floats, Floats]:
    """Share of its group's journeys that each path has, and that it has together with those above."""
    whole = np.zeros(n_groups, dtype=np.int64)
    np.add.at(whole, group, n)
    of_group = take(whole, group)
    return n / of_group, (np.cumsum(n) - take(np.cumsum(whole) - whole, group)) / of_group


def _ranked(key: Key) -> Key:
    """The same column with codes that sort as its labels do."""
    order = key.values.arg_sort()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    return Key(take(rank, key.codes), key.values.gather(order))


def _in_text_order(coded: Coded) -> Coded:
    """The same labels with codes that sort as they do in the text of a path."""
    order = text_order(coded.labels)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    if np.array_equal(rank, order) and np.array_equal(order, np.arange(len(order))):
        return coded
    return Coded(take(narrow(rank, len(rank)), coded.codes), tuple(coded.labels[i] for i in order))


def _labels_along(journeys: Journeys, coded: Coded, which: Ints, kept: npt.NDArray[np.bool_]) -> pl.Series:
    """The paths of some journeys as lists of labels; null for those not kept."""
    listed = take(kept, which)
    begins, ends = take(journeys.offsets, which), take(journeys.offsets, which + 1)
    lengths = np.where(listed, ends - begins, 0)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    codes = np.empty(int(offsets[-1]), dtype=coded.codes.dtype)

    def block(low: int) -> None:
        there = slice(low, low + _BLOCK)
        first, stop = offsets[low], offsets[min(low + _BLOCK, len(lengths))]
        rows = ranges(begins[there], lengths[there])
        np.take(coded.codes, rows, out=codes[first:stop], mode="clip")

    on_all_cores(block, range(0, len(lengths), _BLOCK))
    return lists_of(coded.labels, codes, lengths, listed)

"""From the counts of a funnel to its answer: a row per label and step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.counts import Basis
from journeymine.counting.estimates import Answer, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.mature import too_short
from journeymine.counting.tally import Tally
from journeymine.stats.histogram import bucket_bounds

__all__ = ["StepGrid", "funnel_answers"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NOBODY_ENTERED = "nobody entered: no event here fills the first step"


@dataclass(frozen=True, slots=True)
class StepGrid:
    """The steps of a funnel, as its answers list them.

    Attributes
    ----------
    names : of the steps.
    previous : of each step, the required step before it, from 0; -1 for the first.
    optional : which steps are.
    """

    names: Sequence[str]
    previous: Sequence[int]
    optional: Sequence[bool]

    @classmethod
    def of(cls, names: Sequence[str], optional: Sequence[bool]) -> StepGrid:
        """The grid of named steps."""
        previous = [max((j for j in range(k) if not optional[j]), default=-1) for k in range(len(names))]
        return cls(names, previous, optional)

    def keys(self, rows: pl.DataFrame, n_rows: int) -> pl.DataFrame:
        """The label columns, a row for each of `n_rows` rows of labels and each step."""
        k = len(self.names)
        columns = [rows[name].gather(np.repeat(np.arange(n_rows), k)) for name in rows.columns]
        nth = pl.Series("nth", np.tile(np.arange(1, k + 1), n_rows), dtype=pl.Int64)
        step = pl.Series("step", [*self.names] * n_rows, dtype=pl.String)
        return pl.DataFrame([*columns, nth, step])

    def by_fold(self, tally: Tally, column: str, which: Sequence[int]) -> Floats:
        """A column's counts for the step that each row asks for, shape [64, rows × steps]; -1 asks for nobody."""
        found = [tally.by_fold(f"{column}_{k + 1}") for k in range(len(self.names))]
        found.append(np.zeros_like(found[0]))
        return np.stack([found[k] for k in which], axis=-1).reshape(len(found[0]), -1)

    def total(self, tally: Tally, column: str, which: Sequence[int]) -> Ints:
        """The same over all folds, exact."""
        found = [tally.total(f"{column}_{k + 1}") for k in range(len(self.names))]
        found.append(np.zeros_like(found[0]))
        return np.stack([found[k] for k in which], axis=-1).reshape(-1)


def funnel_answers(grid: StepGrid, tallies: Mapping[str, Tally], basis: Basis, within: str | None) -> dict[str, Answer]:
    """The main frame, the histogram of times, and the trend where one was asked for."""
    reason = too_short(basis) if within is None else f"no window of {within} after an entry here has closed yet"
    histogram = tallies["times"]
    names = grid.keys(pl.DataFrame(), 1)
    low, high = bucket_bounds(histogram.rows["_bucket"])
    times = Answer(
        keys=histogram.rows.drop("_bucket").join(names, on="nth", how="left", maintain_order="left"),
        columns={"low_s": low / MICRO, "high_s": high / MICRO, "n": histogram.total("n")},
    )
    answers = {"funnel": _steps(grid, tallies["steps"], reason, histogram), "times": times}
    if "trend" in tallies:
        trend = _steps(grid, tallies["trend"], reason, None)
        # Days since 1970 until here: counts are keyed by plain integers.
        answers["trend"] = Answer(
            keys=trend.keys.with_columns(pl.col("period").cast(pl.Int32).cast(pl.Date)),
            columns=trend.columns,
            users=trend.users,
            converting=trend.converting,
            reasons=trend.reasons,
        )
    return answers


def _steps(grid: StepGrid, tally: Tally, reason: str, histogram: Tally | None) -> Answer:
    """One row per label and step, with times where there is a histogram of them."""
    each, first = range(len(grid.names)), [0] * len(grid.names)
    keys = grid.keys(tally.rows, len(tally))
    n, entrants, before = (grid.total(tally, "n", which) for which in (each, first, grid.previous))
    users, converting = grid.total(tally, "users", first), grid.total(tally, "users", each)
    previous_users = grid.total(tally, "users", grid.previous)
    onward = [k if grid.previous[k] >= 0 else -1 for k in each]
    reached, entered, came, went = (grid.by_fold(tally, "n", which) for which in (each, first, grid.previous, onward))
    no_loss = np.tile([k == 0 or grid.optional[k] for k in each], len(tally))
    immature = grid.total(tally, "immature", each)
    quantiles = {}
    if histogram is not None:
        took = histogram_of(histogram, keys.drop("step"))
        quantiles = {f"p{q}_s": Quantile(took, q / 100, 1 / MICRO) for q in (50, 90)}
    waiting = int(grid.total(tally, "immature", first)[:: len(grid.names)].sum())
    note = f"Counted apart, as immature: {waiting:,} without an entry whose window has closed."
    return Answer(
        keys=keys,
        columns={
            "n": n,
            "n_entrants": entrants,
            "share": Share(reached, entered, users=users, once=users == entrants, certain=keys["nth"].to_numpy() == 1),
            "share_of_previous": Share(went, came, users=previous_users, once=previous_users == before),
            "dropped": pl.Series(before - n).set(pl.Series(no_loss), None),
            **quantiles,
            "immature": immature,
            "n_users": converting,
        },
        users=users,
        converting=converting,
        reasons=[
            None if count else reason if young else NOBODY_ENTERED
            for count, young in zip(entrants, grid.total(tally, "immature", first), strict=True)
        ],
        notes=(note,) if waiting and histogram is not None else (),
    )

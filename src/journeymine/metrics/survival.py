"""Times to an event under censoring, counted in whole bins: what every question about "how long until" shares.

Time is cut into bins of one length. What happens within k bins of the start (that long or less, to the microsecond) is
in bin k or an earlier one; who was watched for less than k bins is not asked about bin k. Whoever leaves does so at the
end of a bin, so nothing has to be assumed about the inside of one: at the bins' ends the answer is exactly that of the
times themselves, each followed up for whole bins only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.counting.tabulate import Key, integer_key, tabulate
from journeymine.counting.tally import Tally
from journeymine.parallel import take
from journeymine.stats.survival import aalen_johansen, at_risk, kaplan_meier

__all__ = ["CENSORED", "MAX_BINS", "Curves", "count_exits", "curves_of", "exits", "exits_spec"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CENSORED = "censored"
MAX_BINS = 20_000
"""Longest time in bins; whoever is followed for longer is censored there, so that every curve stays small."""


def exits(took: Ints, follow: Ints, bin_us: int) -> tuple[Ints, Bools]:
    """The bin in which each leaves, and whether by an event.

    Parameters
    ----------
    took : µs until the event; negative where none is known.
    follow : µs for which each was watched, whatever happened; negative where not at all.

    Returns
    -------
    bin : of the event, or else the last bin watched to its end; −1 for who was not watched at all.
    happened : an event inside the bins watched to their end.

    Examples
    --------
    >>> exits(np.array([0, 10, 11, 25, -1]), np.array([30, 30, 30, 29, 35]), 10)
    (array([0, 1, 2, 2, 3]), array([ True,  True,  True, False, False]))
    """
    last = np.clip(follow // bin_us, -1, MAX_BINS)
    at = -(-took // bin_us)
    happened = (took >= 0) & (at <= last)
    return np.where(happened, at, last), happened


def exits_spec(by: Mapping[str, type[pl.DataType]], causes: Sequence[str]) -> TableSpec:
    """A table of who leaves in each bin, and why."""
    return TableSpec({**by, "_bin": pl.Int64}, dict.fromkeys([*causes, CENSORED], "sum"))


def count_exits(
    spec: TableSpec, keys: Mapping[str, Key], bins: Ints, cause: Ints, names: Sequence[str], fold: npt.NDArray[np.uint8]
) -> pl.DataFrame:
    """Count who leaves in each bin.

    Parameters
    ----------
    bins : of `exits`; rows with −1 are left out.
    cause : index into `names`, or −1 for the censored.
    """
    if bins.min(initial=0) < 0:
        rows = np.flatnonzero(bins >= 0)
        keys = {name: key.take(rows) for name, key in keys.items()}
        bins, cause, fold = take(bins, rows), take(cause, rows), take(fold, rows)
    flags = {name: cause == i for i, name in enumerate(names)} | {CENSORED: cause < 0}
    return tabulate(spec, {**keys, "_bin": integer_key(bins)}, flags, fold)


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one group, at the bins in which anybody leaves.

    Attributes
    ----------
    group : its labels.
    rows : where its bins lie in the table.
    bins : ascending, shape [T].
    events : by cause, shape [1 + K, causes, T]; everything first, then the replicates.
    risk : at risk in each bin, shape [1 + K, T].
    happened : share that had each cause's event by the end of each bin, shape [1 + K, causes, T].
    waiting : share that had none, shape [1 + K, T].
    """

    group: tuple[str, ...]
    rows: slice
    bins: Ints
    events: Floats
    risk: Floats
    happened: Floats
    waiting: Floats

    def at(self, bin_number: int) -> int:
        """Position of the last bin up to this one; −1 where nobody left by then."""
        return int(np.searchsorted(self.bins, bin_number, side="right")) - 1

    def knows(self, bin_number: int) -> bool:
        """Whether somebody was watched that long, or nobody had to be."""
        return len(self.bins) > 0 and (int(self.bins[-1]) >= bin_number or float(self.waiting[0, -1]) <= 0)

    @property
    def decided(self) -> Floats:
        """Of how many it is known whether the event came by the end of each bin, shape [T]."""
        events = self.events[0].sum(axis=0)
        return np.asarray(self.risk[0] + np.cumsum(events) - events)

    def decided_by(self, bin_number: int) -> float:
        """The same at one bin."""
        following = int(np.searchsorted(self.bins, bin_number))
        later = float(self.risk[0, following]) if following < len(self.bins) else 0.0
        return later + float(self.events[0, :, self.bins < bin_number].sum())

    def happened_by(self, bin_number: int) -> Floats:
        """Share of each cause by the end of a bin, shape [1 + K, causes]; NaN where nobody was watched that long."""
        position = self.at(bin_number)
        if not self.knows(bin_number):
            return np.full(self.events.shape[:2], np.nan)
        return self.happened[..., position] if position >= 0 else np.zeros(self.events.shape[:2])

    def waiting_after(self, bin_number: int) -> Floats:
        """Share that had none of the events by the end of a bin, shape [1 + K]; for a bin that the curve knows."""
        position = self.at(bin_number)
        return self.waiting[:, position] if position >= 0 else np.ones(len(self.waiting))


def curves_of(tally: Tally, causes: Sequence[str]) -> Iterator[Curves]:
    """The curves of each group of a table made by `count_exits`, in the order of its rows."""
    spread = {name: tally.spread(name) for name in [*causes, CENSORED]}
    labels = [name for name in tally.rows.columns if name != "_bin"]
    bins = tally.rows["_bin"].to_numpy() if tally.rows.height else np.zeros(0, dtype=np.int64)
    for group, rows in groups_of(tally.rows.select(labels), tally.rows.height):
        events = np.stack([spread[name][:, rows] for name in causes], axis=1)
        risk = at_risk(events.sum(axis=1), spread[CENSORED][:, rows])
        yield Curves(
            group, rows, bins[rows], events, risk, aalen_johansen(events, risk), kaplan_meier(events.sum(axis=1), risk)
        )


def groups_of(labels: pl.DataFrame, height: int) -> Iterator[tuple[tuple[str, ...], slice]]:
    """Ranges of equal rows of a sorted frame; one range where it has no columns."""
    if not labels.columns:
        yield (), slice(0, height)
        return
    changed = labels.select(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in labels.columns)
    ).to_series()
    starts = changed.to_numpy().copy()
    starts[:1] = True
    bounds = [*np.flatnonzero(starts).tolist(), height]
    for low, high in itertools.pairwise(bounds):
        yield labels.row(low), slice(low, high)

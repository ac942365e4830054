"""The kernel of the funnel: for each entry its match.

Everything is a handful of passes over sorted arrays of positions; the only loops are over the steps of the funnel.

*Loose.* The conditions on the positions p₁ < p₂ < … of a match from a given entry are all of the kind "p_j is one of
the positions that fill step j", "p_j comes after p_i" and "p_j is at most f(p_i)" with f rising (the window, and the
first excluded event after p_i). The positionwise earlier of two matches then satisfies them too, so among the matches
of one entry there is one that is earliest at every step. Where nothing is excluded after step 1 it is found by always
taking the next event; otherwise backwards: a position of step j is kept when a match can go on from it, and the first
kept one of the next step is the way it goes on.

*Any order.* How many of the steps a set of events can fill is the size of a matching in a bipartite graph; by Hall's
theorem in the form of Ore [1]_ it is the least of K − |S| + (events that fill a step of S), over the sets S of steps.

References
----------
.. [1] O. Ore, "Graphs and matching theorems", Duke Mathematical Journal 22 (1955) 625–639.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeymine.flags import places_of
from journeymine.metrics.funnel_runs import Runs
from journeymine.parallel import take

__all__ = ["Matches", "add_optional", "match_any", "match_loose", "match_strict"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matches:
    """One match per entry.

    Attributes
    ----------
    at : position of the event that fills each step, -1 where none does; shape [steps, entries].
    depth : required steps filled, at least 1.
    run : the run that the match lies in.
    """

    at: Ints
    depth: Ints
    run: Ints

    def take(self, which: npt.NDArray[np.integer]) -> Matches:
        """Some of the matches."""
        at = np.empty((len(self.at), len(which)), dtype=np.int64)
        for found, here in zip(at, self.at, strict=True):
            found[:] = take(here, which)
        return Matches(at, take(self.depth, which), take(self.run, which))


@dataclass(frozen=True, slots=True)
class Limit:
    """An exclusion between the required steps number `first` and `last`, from 0; `void` are its positions."""

    void: Ints
    first: int
    last: int

    def of(self, position: Ints, runs: Runs) -> Ints:
        """The last position that a match with its step `first` here may have its step `last` at."""
        start = position if runs.tie_end is None else runs.tie_end[position]
        ends = np.append(self.void if runs.tie_end is None else runs.tie_end[self.void], len(runs))
        return np.asarray(ends[np.searchsorted(self.void, start, side="right")])


def limits_of(runs: Runs, spans: Sequence[tuple[int, int]], required: Sequence[int]) -> list[Limit]:
    """The exclusions by positions; `spans` and `required` are step numbers from 0."""
    return [
        Limit(np.flatnonzero(void), required.index(first), required.index(last))
        for void, (first, last) in zip(runs.voids, spans, strict=True)
    ]


def match_loose(runs: Runs, required: Sequence[int], spans: Sequence[tuple[int, int]], within: int | None) -> Matches:
    """The earliest match of each entry, over the required steps; the rows of the others stay at -1."""
    positions = [places_of(runs.fills[k]) for k in required]
    limits = limits_of(runs, spans, required)
    find = _backwards if any(limit.first for limit in limits) else _forwards
    run = runs.run_at(positions[0])
    found = find(runs, run, positions, limits, within)
    at = np.full((len(runs.fills), found.shape[1]), -1, dtype=np.int64)
    at[list(required)] = found
    return Matches(at, np.count_nonzero(found >= 0, axis=0), run)


def _forwards(runs: Runs, run: Ints, positions: list[Ints], limits: list[Limit], within: int | None) -> Ints:
    """Always take the next event; exclusions begin at step 1 or there are none."""
    entry = positions[0]
    at = np.full((len(positions), len(entry)), -1, dtype=np.int64)
    at[0] = entry
    end, last, alive = take(runs.bounds, run + 1), entry, np.arange(len(entry))
    bounds = [(limit.last, limit.of(entry, runs)) for limit in limits]
    for k in range(1, len(positions)):
        following = take(np.append(positions[k], len(runs)), np.searchsorted(positions[k], last, side="right"))
        inside = following < end
        for until, bound in bounds:
            if k <= until:
                inside &= following <= bound[alive]
        going = np.flatnonzero(inside)
        if within is not None:
            took = take(runs.time, take(following, going)) - take(runs.time, take(entry, take(alive, going)))
            going = take(going, np.flatnonzero(took <= within))
        alive, last, end = take(alive, going), take(following, going), take(end, going)
        at[k, alive] = last
    return at


def _backwards(runs: Runs, _run: Ints, positions: list[Ints], limits: list[Limit], within: int | None) -> Ints:
    """For each depth the entries that get there, each with its earliest match to there."""
    entry = positions[0]
    at = np.full((len(positions), len(entry)), -1, dtype=np.int64)
    for depth in range(1, len(positions) + 1):
        chain = _reaching(runs, positions[:depth], limits)
        if within is not None:
            chain = chain[:, runs.time[chain[-1]] - runs.time[chain[0]] <= within]
        at[:depth, np.searchsorted(entry, chain[0])] = chain
    return at


def _reaching(runs: Runs, positions: list[Ints], limits: list[Limit]) -> Ints:
    """The entries from which the last of `positions` is reached: shape [steps, entries], each column a match."""
    last = len(positions) - 1
    chain = positions[last][None, :]
    for k in reversed(range(last)):
        here = positions[k]
        following = np.searchsorted(chain[0], here, side="right")
        there = following < chain.shape[1]
        here, rest = here[there], chain[:, following[there]]
        keep = rest[0] < runs.end_at(here)
        for limit in limits:
            if limit.first == k:
                keep &= rest[min(limit.last, last) - k - 1] <= limit.of(here, runs)
        chain = np.concatenate((here[None, keep], rest[:, keep]))
    return chain


def add_optional(
    matches: Matches, runs: Runs, required: Sequence[int], spans: Sequence[tuple[int, int]], within: int | None
) -> Matches:
    """Fill the optional steps of loose matches, in order, each by the first event after the step before it.

    They change nothing for the required ones: an optional step lies before the event that fills the next required one.
    """
    at = matches.at.copy()
    limits = limits_of(runs, spans, required)
    columns = np.arange(at.shape[1])
    end = take(runs.bounds, matches.run + 1)
    for k in (k for k in range(len(at)) if k not in required):
        before = sum(step < k for step in required)  # required steps ahead of it
        rows = columns[matches.depth >= before]
        previous = at[required[before - 1] : k, rows].max(axis=0)
        options = np.flatnonzero(runs.fills[k])
        found = np.append(options, len(runs))[np.searchsorted(options, previous, side="right")]
        inside = found < end[rows]
        if before < len(required):
            upcoming = at[required[before], rows]
            inside &= (upcoming < 0) | (found < upcoming)
        for limit in limits:
            if limit.first < before <= limit.last:
                inside &= found <= limit.of(at[required[limit.first], rows], runs)
        rows, found = rows[inside], found[inside]
        if within is not None:
            in_time = runs.time[found] - runs.time[at[0, rows]] <= within
            rows, found = rows[in_time], found[in_time]
        at[k, rows] = found
    return Matches(at, matches.depth, matches.run)


def match_strict(runs: Runs, required: Sequence[int], within: int | None) -> Matches:
    """Consecutive events from each entry: furthest in required steps, then with the most optional ones."""
    n_steps = len(runs.fills)
    entry = np.flatnonzero(runs.fills[0])
    run = runs.run_at(entry)
    end = take(runs.bounds, run + 1)
    at, depth, filled = np.full((n_steps, len(entry)), -1, dtype=np.int64), np.zeros_like(entry), np.zeros_like(entry)
    optional = [k for k in range(n_steps) if k not in required]
    for size in reversed(range(len(optional) + 1)):
        for chosen in itertools.combinations(optional, size):
            chain = sorted([*required, *chosen])
            length = _consecutive(runs, chain, entry, end, within)
            needed = np.concatenate(([0], np.cumsum([k in required for k in chain])))[length]
            better = np.flatnonzero((needed > depth) | ((needed == depth) & (length > filled)))
            depth[better], filled[better] = needed[better], length[better]
            at[:, better] = -1
            for i, k in enumerate(chain):
                rows = better[length[better] > i]
                at[k, rows] = entry[rows] + i
    return Matches(at, depth, run)


def _consecutive(runs: Runs, chain: list[int], entry: Ints, end: Ints, within: int | None) -> Ints:
    """How many steps of the chain are filled by the events from each entry on, one after the other."""
    length, alive = np.ones_like(entry), np.arange(len(entry))
    for i, k in enumerate(chain[1:], 1):
        alive = alive[entry[alive] + i < end[alive]]
        here = entry[alive] + i
        going = runs.fills[k][here]
        if within is not None:
            going &= runs.time[here] - runs.time[entry[alive]] <= within
        alive = alive[going]
        length[alive] += 1
    return length


def match_any(runs: Runs, within: int | None) -> Matches:
    """From each event that fills a step: when a first, second, … different step is filled, in any order."""
    n_steps = len(runs.fills)
    entry = np.flatnonzero(np.logical_or.reduce(runs.fills))
    at = np.zeros((n_steps, len(entry)), dtype=np.int64)
    for steps, positions in _sets_of(runs.fills):
        padded = np.append(positions, np.full(n_steps, len(runs)))
        following = np.searchsorted(positions, entry, side="left")
        # k steps are filled only when at least k − K + |S| events have filled a step of S.
        for k in range(n_steps - len(steps), n_steps):
            np.maximum(at[k], padded[following + k - n_steps + len(steps)], out=at[k])
    run = runs.run_at(entry)
    inside = at < take(runs.bounds, run + 1)
    if within is not None:
        inside[inside] = (runs.time[at[inside]] - np.broadcast_to(runs.time[entry], at.shape)[inside]) <= within
    return Matches(np.where(inside, at, -1), inside.sum(axis=0), run)


def _sets_of(fills: Sequence[Bools]) -> list[tuple[tuple[int, ...], Ints]]:
    """Every set of steps, with the positions that fill one of them."""
    sets = [s for size in range(1, len(fills) + 1) for s in itertools.combinations(range(len(fills)), size)]
    return [(steps, np.flatnonzero(np.logical_or.reduce([fills[k] for k in steps]))) for steps in sets]

"""How many touches a Markov chain should remember: the order that foretells held-out journeys best.

Each touch, and how the path ends, is foretold from the k touches before it, with what was seen in other folds:

p_k(next | context) = (n(context, next) + p_{k−1}(next | shorter context)) / (n(context) + 1)

down to p_{−1} = 1 / (labels + 2): a context that is rarely seen leans on the shorter one, with the weight of a single
observation [1]_. The order with the greatest log-likelihood over all folds is chosen.

References
----------
.. [1] D. J. C. MacKay, L. C. Bauman Peto, "A hierarchical Dirichlet language model", Natural Language Engineering 1
       (1995) 289–308.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.runs import changes, sort_cells
from journeymine.durations import Duration
from journeymine.errors import QuestionError
from journeymine.graph.markov_states import check_order
from journeymine.journeys.heads import CONVERTED, LOST
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.metrics.attribution_path_table import path_table
from journeymine.metrics.attribution_touches import check_lookback, touch_labels, touches_of
from journeymine.metrics.switches import check_switch
from journeymine.parallel import on_all_cores

__all__ = ["OrderChoice", "choose_order", "choose_order_from_paths"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PARTS = 8
"""Parts that are held out one at a time; of users by their fold, of path tables at random."""
_BLOCK = 1 << 14
"""Paths at a time."""


@dataclass(frozen=True, eq=False)
class OrderChoice:
    """The order of Markov chain to take, and how well each order predicts.

    Attributes
    ----------
    order : the order that predicts best.
    frame : one row per order: order i64 · log_likelihood f64 of the held-out journeys, in nats · per_journey f64 the
        same per journey · gain f64 per journey over the order before it · chosen bool.
    """

    order: int
    frame: pl.DataFrame

    def __repr__(self) -> str:
        return f"<OrderChoice: order {self.order}>\n{self.frame}"


@dataclass(frozen=True, slots=True)
class _Sample:
    """Paths with their part and weight (None: each once): `outcome` is 0 for converted, 1 for lost."""

    codes: npt.NDArray[np.integer]
    offsets: Ints
    outcome: Ints
    part: npt.NDArray[np.integer]
    weight: Floats | None
    n_labels: int

    @property
    def total(self) -> float:
        """Weight of all paths."""
        return float(len(self.outcome) if self.weight is None else self.weight.sum())


@dataclass(frozen=True, slots=True)
class _Cells:
    """How often each symbol (a label, or how a path ends) came after each context, by part.

    A context is a number to the base of labels + 1, the latest label in its lowest digit, 0 before the start.
    """

    context: Ints
    symbol: Ints
    part: Ints
    weight: Floats


def choose_order(
    journeys: Journeys,
    *,
    grain: str = "channel",
    max_order: int = 4,
    lookback: Duration | None = None,
    include_goal: bool = False,
) -> OrderChoice:
    """Choose the order of the Markov chain that best predicts the journeys of held-out users.

    Parameters
    ----------
    journeys : made by `build_journeys`. Converted and lost ones are used; open ones are not.
    grain, lookback, include_goal : as in `attribution`.
    max_order : the highest order to try, from 1.

    Returns
    -------
    OrderChoice : the order to take, and the log-likelihood of each order.

    Raises
    ------
    QuestionError : no journey is converted or lost, or `max_order` is no order.
    """
    check_journeys(journeys)
    check_switch(include_goal, name="include_goal")
    status = journeys.heads.status
    window = check_lookback(lookback, journeys.rules)
    touches = touches_of(
        journeys,
        np.flatnonzero((status == CONVERTED) | (status == LOST)),
        touch_labels(journeys, grain),
        {},
        include_goal=include_goal,
        lookback=window,
        timed=False,
    ).touched
    user = journeys.heads.user[touches.journey]
    sample = _Sample(
        touches.coded.codes,
        touches.offsets,
        (status[touches.journey] != CONVERTED).astype(np.int64),
        journeys.folds[user] % PARTS,
        None,
        len(touches.coded.labels),
    )
    return _choose(sample, max_order)


def choose_order_from_paths(
    frame: Any,
    *,
    path: str = "path",
    conversions: str | None = None,
    nulls: str | None = None,
    sep: str = " > ",
    max_order: int = 4,
    seed: int = 0,
) -> OrderChoice:
    """Choose the order of the Markov chain that predicts best, from a table of paths that are already counted.

    A table of paths does not say which users they are of, so the occurrences of the paths are dealt out at random to
    the parts that are held out.

    Parameters
    ----------
    frame, path, conversions, nulls, sep : as in `attribution_from_paths`.
    max_order : the highest order to try, from 1.
    seed : of the random dealing; the same seed gives the same answer.

    Returns
    -------
    OrderChoice : the order to take, and the log-likelihood of each order.

    Raises
    ------
    QuestionError, UnknownLabelError : as in `attribution_from_paths`; also a fraction of an occurrence, which cannot be
        dealt out, or a `seed` that is not a whole number from 0.
    """
    if type(seed) is not int or seed < 0:
        raise QuestionError(f"seed={seed!r}", hint="give a whole number from 0")
    paths = path_table(frame, path=path, conversions=conversions, value=None, nulls=nulls, sep=sep)
    rng = np.random.default_rng(seed)
    times = np.concatenate(
        [_occurrences(each, name) for each, name in ((paths.conversions, conversions), (paths.nulls, nulls))]
    )
    dealt = rng.multinomial(times, np.full(PARTS, 1 / PARTS))
    dealt[np.tile(paths.lengths == 0, 2)] = 0
    row, part = np.nonzero(dealt)
    which, outcome = row % max(len(paths.lengths), 1), row // max(len(paths.lengths), 1)
    lengths = paths.lengths[which]
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))
    at = np.arange(int(offsets[-1])) + np.repeat(paths.offsets[which] - offsets[:-1], lengths)
    sample = _Sample(
        paths.coded.codes[at], offsets, outcome, part, dealt[row, part].astype(np.float64),
        len(paths.coded.labels),
    )  # fmt: skip
    return _choose(sample, max_order, hint="give how often each path converted (conversions=) or did not (nulls=)")


def _occurrences(times: Floats, column: str | None) -> Ints:
    broken = int(np.count_nonzero(times != np.rint(times)))
    if broken:
        raise QuestionError(
            f"{broken:,} of {len(times):,} rows of {column!r} hold a fraction, and half an occurrence cannot be held out",
            hint="give whole numbers of occurrences: multiply the column, e.g. by 10, or round it yourself",
        )
    return times.astype(np.int64)


def _choose(sample: _Sample, max_order: int, hint: str = "look at the statuses") -> OrderChoice:
    check_order(max_order, "max_order")
    total = sample.total
    if not total:
        raise QuestionError("no path is converted or lost, so nothing can be foretold", hint=hint)
    likelihood = _held_out(sample, max_order)
    per = likelihood / total
    best = int(np.argmax(likelihood)) + 1
    frame = pl.DataFrame(
        {
            "order": np.arange(1, max_order + 1),
            "log_likelihood": likelihood,
            "per_journey": per,
            "gain": pl.Series([None, *np.diff(per)], dtype=pl.Float64),
            "chosen": np.arange(1, max_order + 1) == best,
        }
    )
    return OrderChoice(best, frame)


def _held_out(sample: _Sample, max_order: int) -> Floats:
    """Log-likelihood of the held-out paths for orders 1 … max_order."""
    n_next, base = sample.n_labels + 2, sample.n_labels + 1
    if base**max_order * n_next * PARTS >= 1 << 62:
        raise QuestionError(
            f"contexts of {max_order} out of {sample.n_labels:,} labels are more than 64 bits can number",
            hint="ask for a lower max_order or a coarser grain",
        )
    cells, found = _cells(sample, max_order), []
    lower: Floats = np.full(len(cells.part), 1 / n_next)
    for order in range(max_order + 1):
        context, contexts = cells.context % base**order, base**order
        seen = _others(context, contexts, cells)
        lower = (_others(context * n_next + cells.symbol, contexts * n_next, cells) + lower) / (seen + 1)
        if order:
            found.append(float(np.sum(cells.weight * np.log(lower))))  # a dot product's rounding depends on threads
    return np.array(found)


def _cells(sample: _Sample, max_order: int) -> _Cells:
    """One token per touch and one for the end of each path, those of one context, symbol and part together."""
    n_next, base = sample.n_labels + 2, sample.n_labels + 1
    lengths = np.diff(sample.offsets)
    size = base**max_order * n_next * PARTS
    kind: Any = np.uint32 if size <= 1 << 32 else np.int64
    key = np.empty(len(sample.codes) + len(lengths), dtype=kind)

    def block(low: int) -> None:
        high = min(low + _BLOCK, len(lengths))
        there = slice(int(sample.offsets[low]) + low, int(sample.offsets[high]) + high)
        key[there] = _keys(sample, low, high, max_order)

    on_all_cores(block, range(0, len(lengths), _BLOCK))
    if sample.weight is None:
        key.sort()
        starts = np.flatnonzero(changes(key))
        weight = np.diff(starts, append=len(key)).astype(np.float64)
    else:
        order = np.argsort(key, kind="stable")
        key = key[order]
        starts = np.flatnonzero(changes(key))
        weight = np.add.reduceat(np.repeat(sample.weight, lengths + 1)[order], starts)
    rest, part = np.divmod(key[starts].astype(np.int64), PARTS)
    context, symbol = np.divmod(rest, n_next)
    return _Cells(context, symbol, part, weight)


def _keys(sample: _Sample, low: int, high: int, max_order: int) -> Ints:
    """Context, symbol and part of each token of some paths, as one number."""
    n_next, base = sample.n_labels + 2, sample.n_labels + 1
    begins = sample.offsets[low : high + 1] - sample.offsets[low]
    lengths = np.diff(begins)
    ends = begins[1:] + np.arange(high - low)
    place = np.arange(int(begins[-1]) + high - low)
    is_end = np.zeros(len(place), dtype=bool)
    is_end[ends] = True
    symbol = np.empty(len(place), dtype=np.int64)
    symbol[ends] = sample.n_labels + sample.outcome[low:high]
    symbol[~is_end] = sample.codes[sample.offsets[low] : sample.offsets[high]]
    place -= np.repeat(ends - lengths, lengths + 1)
    key = np.zeros(len(place), dtype=np.int64)
    for back in range(min(max_order, len(place)), 0, -1):
        key *= base
        key[back:] += (symbol[:-back] + 1) * (place[back:] >= back)
    key *= n_next
    key += symbol
    key *= PARTS
    key += np.repeat(sample.part[low:high], lengths + 1)
    return key


def _others(key: Ints, size: int, cells: _Cells) -> Floats:
    """Weight of each key, below `size`, in the parts other than the cell's own."""
    if size > len(key):
        there, rows = sort_cells(key, size)
        new = changes(there)
        key, size = np.empty(len(key), dtype=np.int64), int(new.sum())
        key[rows] = np.cumsum(new) - 1
    by_part = np.bincount(key * PARTS + cells.part, cells.weight, minlength=size * PARTS).reshape(-1, PARTS)
    return np.asarray(by_part.sum(axis=1)[key] - by_part[key, cells.part])

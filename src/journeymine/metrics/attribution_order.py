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

from journeymine.durations import Duration
from journeymine.errors import QuestionError
from journeymine.graph.markov_states import check_order
from journeymine.journeys.heads import CONVERTED, LOST
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.attribution_paths import path_table
from journeymine.metrics.attribution_touches import check_lookback, touch_labels, touches_of

__all__ = ["OrderChoice", "choose_order", "choose_order_from_paths"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PARTS = 8
"""Parts that are held out one at a time; of users by their fold, of path tables at random."""


@dataclass(frozen=True, eq=False)
class OrderChoice:
    """The order to take, and how well each foretells.

    Attributes
    ----------
    order : the best.
    frame : order i64 · log_likelihood f64 of held-out journeys, in nats · per_journey f64 · gain f64 per journey over
        the order before it · chosen bool.
    """

    order: int
    frame: pl.DataFrame

    def __repr__(self) -> str:
        return f"<OrderChoice: order {self.order}>\n{self.frame}"


@dataclass(frozen=True, slots=True)
class _Sample:
    """Paths with their part and weight: `outcome` is 0 for converted, 1 for lost."""

    codes: Ints
    offsets: Ints
    outcome: Ints
    part: Ints
    weight: Floats
    n_labels: int


def choose_order(
    journeys: Journeys,
    *,
    grain: str = "channel",
    max_order: int = 4,
    lookback: Duration | None = None,
    include_goal: bool = False,
) -> OrderChoice:
    """The order of the Markov chain that foretells held-out users best; parameters as in `attribution`.

    Raises
    ------
    QuestionError : no journey is converted or lost, or `max_order` is no order.
    """
    status = journeys.heads.status
    window = check_lookback(lookback, journeys.rules)
    touches = touches_of(
        journeys,
        (status == CONVERTED) | (status == LOST),
        touch_labels(journeys, grain),
        {},
        include_goal=include_goal,
        lookback=window,
    )
    touches = touches.pick(touches.lengths > 0)
    user = journeys.heads.user[touches.journey]
    sample = _Sample(
        touches.coded.codes.astype(np.int64),
        touches.offsets,
        (status[touches.journey] != CONVERTED).astype(np.int64),
        journeys.folds[user].astype(np.int64) % PARTS,
        np.ones(len(user)),
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
    """The order that foretells best, from a table of paths: its occurrences are dealt out to parts at random (`seed`).

    Raises
    ------
    QuestionError, UnknownLabelError : as `attribution_from_paths`.
    """
    paths = path_table(frame, path=path, conversions=conversions, value=None, nulls=nulls, sep=sep)
    rng = np.random.default_rng(seed)
    times = np.rint(np.concatenate((paths.conversions, paths.nulls))).astype(np.int64)
    dealt = rng.multinomial(times, np.full(PARTS, 1 / PARTS))
    dealt[np.tile(paths.lengths == 0, 2)] = 0
    row, part = np.nonzero(dealt)
    which, outcome = row % max(len(paths.lengths), 1), row // max(len(paths.lengths), 1)
    lengths = paths.lengths[which]
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))
    at = np.arange(int(offsets[-1])) + np.repeat(paths.offsets[which] - offsets[:-1], lengths)
    sample = _Sample(
        paths.coded.codes[at].astype(np.int64), offsets, outcome, part, dealt[row, part].astype(np.float64),
        len(paths.coded.labels),
    )  # fmt: skip
    return _choose(sample, max_order)


def _choose(sample: _Sample, max_order: int) -> OrderChoice:
    check_order(max_order)
    total = float(sample.weight.sum())
    if not total:
        raise QuestionError("no path is converted or lost, so nothing can be foretold", hint="look at the statuses")
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
    lengths, n_next = np.diff(sample.offsets), sample.n_labels + 2
    base = sample.n_labels + 1
    if base**max_order * n_next >= 1 << 62:
        raise QuestionError(
            f"contexts of {max_order} out of {sample.n_labels:,} labels are more than 64 bits can number",
            hint="ask for a lower max_order or a coarser grain",
        )
    # One token per touch and one for the end of each path; digit 0 of a context stands for "before the start".
    path = np.repeat(np.arange(len(lengths)), lengths + 1)
    place = np.arange(len(path)) - np.repeat(sample.offsets[:-1] + np.arange(len(lengths)), lengths + 1)
    symbol = np.empty(len(path), dtype=np.int64)
    is_end = place == lengths[path]
    symbol[is_end] = sample.n_labels + sample.outcome
    symbol[~is_end] = sample.codes
    part, weight = sample.part[path], sample.weight[path]
    context, found = np.zeros(len(path), dtype=np.int64), []
    lower: Floats = np.full(len(path), 1 / n_next)
    for order in range(max_order + 1):
        if order:
            earlier = np.where(place >= order, symbol[np.maximum(np.arange(len(path)) - order, 0)] + 1, 0)
            context = context + earlier * base ** (order - 1)
        seen = _others(context, part, weight)
        lower = (_others(context * n_next + symbol, part, weight) + lower) / (seen + 1)
        if order:
            found.append(float(weight @ np.log(lower)))
    return np.array(found)


def _others(key: Ints, part: Ints, weight: Floats) -> Floats:
    """Weight of each key in the parts other than the row's own."""
    at = np.unique(key, return_inverse=True)[1]
    by_part = np.bincount(at * PARTS + part, weight, minlength=(int(at.max()) + 1) * PARTS).reshape(-1, PARTS)
    return np.asarray(by_part.sum(axis=1)[at] - by_part[at, part])

"""The chance of each open journey to convert, from an order-1 Markov chain over the mature ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from journeymine.counting.measure import Measure
from journeymine.counting.result import Result
from journeymine.graph.markov import Markov
from journeymine.journeys.heads import OPEN
from journeymine.journeys.journeys import Journeys

__all__ = ["open_journeys"]


def open_journeys(journeys: Journeys, measures: Mapping[str, Measure], results: Mapping[str, Result]) -> pl.DataFrame:
    """One row per open journey.

    Parameters
    ----------
    journeys : the carried ones, as of now.
    measures, results : of the state; the chance is null where there is no `Markov` of order 1 over touchpoints, or
        where no mature journey came through the journey's last touchpoint.

    Returns
    -------
    user str · nth_journey i64 · start, last_seen datetime UTC · n_steps i64 · touchpoint str the last one · chance f64
    0–1 · mature bool; sorted by user and start.
    """
    heads = journeys.heads
    chosen = np.flatnonzero(heads.status == OPEN)
    last = journeys.offsets[1:][chosen] - 1
    frame = pl.DataFrame(
        {
            "user": journeys.users.gather(pl.Series(heads.user[chosen])),
            "nth_journey": heads.nth[chosen],
            "start": _instants(heads.start[chosen]),
            "last_seen": _instants(heads.end[chosen]),
            "n_steps": journeys.lengths[chosen],
            "touchpoint": journeys.coded.labels["touchpoint"].decode(last),
            "mature": heads.mature[chosen],
        }
    )
    chain = _chain(measures, results)
    with_chance = frame.join(chain, on="touchpoint", how="left", maintain_order="left")
    columns = [name for name in frame.columns if name != "mature"]
    return with_chance.select(*columns, "chance", "mature").sort("user", "start")


def _chain(measures: Mapping[str, Measure], results: Mapping[str, Result]) -> pl.DataFrame:
    for name, measure in measures.items():
        if isinstance(measure, Markov) and measure.order == 1 and measure.grain == "touchpoint" and not measure.names:
            frame = results[name].frame
            return frame.select(touchpoint=pl.col("state").list.first(), chance=pl.col("converted").clip(0, 1))
    return pl.DataFrame(schema={"touchpoint": pl.String, "chance": pl.Float64})


def _instants(time: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    return pl.Series(time).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")

"""What customers wrote behind a touchpoint: examples, from journeys in memory only."""

from __future__ import annotations

import numpy as np
import polars as pl

from journeymine.columns import MICRO, MISSING, UNKNOWN
from journeymine.errors import QuestionError
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import stage_key

__all__ = ["comments_behind"]


def comments_behind(journeys: Journeys, attribute: str, n: int) -> pl.DataFrame:
    """Comments of each touchpoint: the lowest scores first, then those without one; the latest first among equals.

    Returns
    -------
    stage, touchpoint, score f64 (null without one), comment; stages in the order of the alphabet. No user is named, but
    what people write may name them: look before you share it.
    """
    if type(n) is not int or n < 1:
        raise QuestionError(f"n_comments={n!r}", hint="ask for a whole number of comments per touchpoint, at least one")
    coded = journeys.codes(attribute)
    written = np.ones(len(coded.labels), dtype=bool)
    written[[i for i, label in enumerate(coded.labels) if label == UNKNOWN or not label.strip()]] = False
    rows = np.flatnonzero(written[coded.codes])
    stage = stage_key(journeys).take(rows)
    score = journeys.coded.numbers.get("satisfaction", np.full(len(coded), MISSING))[rows]
    frame = pl.DataFrame({
        "stage": stage.values.gather(pl.Series(stage.codes).cast(pl.UInt32)),
        "touchpoint": journeys.coded.labels["touchpoint"].decode(rows),
        "score": pl.Series(score / MICRO, dtype=pl.Float64).set(pl.Series(score == MISSING), None),
        "comment": coded.decode(rows),
        "_time": journeys.coded.time[rows],
    })  # fmt: skip
    order = frame.sort(
        "stage",
        "touchpoint",
        "score",
        "_time",
        "comment",
        descending=[False, False, False, True, False],
        nulls_last=True,
    )
    return order.group_by("stage", "touchpoint", maintain_order=True).head(n).drop("_time")

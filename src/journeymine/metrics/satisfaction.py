"""Satisfaction: what customers say along the journey, who says it and who keeps silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO, MISSING
from journeymine.counting.by import as_names, step_keys
from journeymine.counting.counts import Basis, Counts, Merge, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import Key, distinct_users, key_of, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.metrics.contrast import stage_key
from journeymine.metrics.funnel_question import check_steps
from journeymine.metrics.satisfaction_answer import dips, scores
from journeymine.metrics.satisfaction_asked import count_asked
from journeymine.metrics.satisfaction_comments import comments_behind
from journeymine.metrics.satisfaction_scale import ALL, NPS, as_scale, bounds, check_declared, scale_of, to_emotion
from journeymine.parallel import take

__all__ = ["Satisfaction", "satisfaction"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Satisfaction:
    """The measure behind `satisfaction`, for `mine`; `scale` must be given. Parameters as in `satisfaction`."""

    by: str | Sequence[str] | None = None
    scale: Any = None

    name: ClassVar[str] = "satisfaction"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by) or ("stage",))
        if self.scale is None:
            raise QuestionError("Satisfaction needs the scale of the scores", hint="Satisfaction(scale=(1, 5))")
        object.__setattr__(self, "scale", as_scale(self.scale))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        return f"How satisfied are customers, per {' × '.join(self.names)}, and who answers?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Scores by place; who was asked there; scores by touchpoint."""
        keys = dict.fromkeys(self.names, pl.String)
        said: dict[str, Merge] = {"n": "sum", "n_users": "users", "_score": "wide", "emotion": "wide"}
        return {
            "asked": TableSpec(
                {**keys, "at_channel": pl.String, "at_touchpoint": pl.String},
                {"n_steps": "sum", "n_answered": "sum", "answered": "sum", "answered_converted": "sum",
                 "silent": "sum", "silent_converted": "sum"},
            ),
            "places": TableSpec(keys, {**said, "satisfied": "sum", "dissatisfied": "sum", "promoters": "sum",
                                       "detractors": "sum"}),
            "touchpoints": TableSpec({"stage": pl.String, "touchpoint": pl.String}, said),
        }  # fmt: skip

    def count(self, journeys: Journeys) -> Counts:
        """Add up the scores of the steps, and the steps and journeys without one."""
        if "satisfaction" not in journeys.coded.numbers:
            raise QuestionError(
                "this log has no satisfaction scores", hint="read it with satisfaction=, the score's column"
            )
        touchpoint = journeys.coded.labels["touchpoint"]
        low, high = bounds(self.scale, touchpoint.labels)
        score = journeys.coded.numbers["satisfaction"]
        on_scale = (low < high)[touchpoint.codes] if self.scale[0][0] != ALL else True
        rows = np.flatnonzero((score != MISSING) & on_scale)
        codes = take(touchpoint.codes, rows)
        _check_inside(take(score, rows), low[codes], high[codes])
        specs = self.specs()
        tables = {
            "asked": count_asked(journeys, self.names, rows, specs["asked"]),
            **self._said(journeys, rows, low[codes], high[codes]),
        }
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: steps are counted block by block, and the fewest tables are merged."""
        return

    def _said(self, journeys: Journeys, rows: Ints, low: Ints, high: Ints) -> dict[str, pl.DataFrame]:
        """The scores of the steps at `rows`, by place and by touchpoint."""
        specs, touchpoint = self.specs(), journeys.coded.labels["touchpoint"]
        score = take(journeys.coded.numbers["satisfaction"], rows)
        emotion = to_emotion(score, low, high)
        user = take(journeys.heads.user, journeys.journey_at(rows))
        fold, everyone = take(journeys.folds, user), np.ones(len(rows), dtype=bool)
        nps = (low == NPS[0] * MICRO) & (high == NPS[1] * MICRO)
        there = {name: key.take(rows) for name, key in step_keys(journeys, self.names).items()}
        at = {
            "stage": stage_key(journeys).take(rows),
            "touchpoint": key_of(touchpoint.codes, touchpoint.labels).take(rows),
        }

        def users(columns: Mapping[str, Key]) -> Bools:
            packed, size = pack(list(columns.values()), len(rows))
            return distinct_users(packed, user, everyone, size)

        said = {"n": everyone, "_score": score, "emotion": emotion}
        shares = {
            "satisfied": emotion >= MICRO,
            "dissatisfied": emotion <= -MICRO,
            "promoters": nps & (score >= 9 * MICRO),
            "detractors": nps & (score <= 6 * MICRO),
        }
        return {
            "places": tabulate(specs["places"], there, {**said, **shares, "n_users": users(there)}, fold),
            "touchpoints": tabulate(specs["touchpoints"], at, {**said, "n_users": users(at)}, fold),
        }

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Scores, shares and who answers; then the dips."""
        has_goal = basis.rules.goal is not None
        return {
            "satisfaction": scores(tallies["asked"], tallies["places"], self.names, self.scale, has_goal=has_goal),
            "dips": dips(tallies["touchpoints"]),
        }


def _check_inside(score: Ints, low: Ints, high: Ints) -> None:
    outside = np.flatnonzero((score < low) | (score > high))
    if len(outside):
        at = outside[0]
        raise QuestionError(
            f"{len(outside):,} of {len(score):,} scores lie outside their scale, e.g. {score[at] / MICRO:g} on "
            f"{low[at] / MICRO:g}–{high[at] / MICRO:g}",
            hint="give the scale that the scores were given on: scale=(lowest, highest)",
        )


def satisfaction(
    journeys: Journeys,
    *,
    by: str | Sequence[str] | None = None,
    scale: Any = None,
    comments: str | None = None,
    n_comments: int = 3,
    confidence: float = 0.95,
) -> Result:
    """Scores that customers gave in each place: mean, CSAT, NPS and emotion, who answered, and which touchpoints dip.

    emotion = −2 + 4 · (score − lowest) / (highest − lowest);  csat_share = |answers with emotion ≥ +1| / |answers|

    Parameters
    ----------
    journeys : made by `build_journeys`, from a log in which some events carry a score.
    by : one or several of stage, touchpoint, channel, owner, any attribute or segment: labels of the step that was
        scored. By default the stage, or the touchpoint in a log without stages.
    scale : lowest and highest possible score, or a mapping of touchpoints to such pairs; touchpoints that the mapping
        does not name are left out. By default what the log's sources declare, if they declare the same. It must not
        reach beyond that.
    comments : an attribute that holds what customers wrote: adds the table ``comments``.
    n_comments : the most comments per touchpoint.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`, stages in their order:
        n_asked i64: steps where a score may be given; n_answered i64: of these, the ones with a score
        n_users i64: distinct users who answered
        mean f64: mean score on its scale
        csat_share, dissatisfied_share f64: share of the answers with emotion ≥ +1, and ≤ −1, 0–1
        nps f64: −100 to 100; emotion f64: mean, −2 to +2
        response_share f64: n_answered ÷ n_asked, 0–1
        converted_answered, converted_silent f64: share that converts of the journeys that answered, and of the silent
        ones
        response_bias f64: converted_answered − converted_silent
        sparse bool: few users behind the row; reason str: why there is no number
        Estimates have …_lower and …_upper.
    tables["dips"] has one row per stage and touchpoint with scores, compared with the rest; see `docs/satisfaction.md`.
    tables["comments"] has stage, touchpoint, score and comment, the lowest scores first.

    Raises
    ------
    QuestionError : there are no scores, no scale or several scales; scores lie outside the scale; the scale reaches
        beyond all that the log's sources declare; or it is for a touchpoint that only the company brings about.
    UnknownLabelError : `by` or `comments` names no column, or `scale` a touchpoint that does not occur.

    Notes
    -----
    Every step counts, also of open, immature and service journeys, because a score is known once it is given. Only the
    conversion of those who answer and those who keep silent is over mature journeys. *Asked* is a step at a channel and
    touchpoint that carries a score anywhere in this log. Ties and order play no part. An absent score is silence. What
    the company does is no step. Counts merge exactly. Intervals: Wilson for shares, the jackknife for means, NPS and
    differences.
    """
    check_journeys(journeys)
    chosen = scale_of(journeys.events) if scale is None else scale
    names = as_names(by) or (("stage",) if journeys.stages else ("touchpoint",))
    measure = Satisfaction(by=names, scale=chosen)
    known = journeys.coded.labels["touchpoint"].labels
    touchpoints = [touchpoint for touchpoint, *_ in measure.scale if touchpoint != ALL]
    for touchpoint in touchpoints:
        if touchpoint not in known:
            raise UnknownLabelError.naming("touchpoint", touchpoint, known)
    check_steps(touchpoints, journeys)
    check_declared(measure.scale, journeys.events)
    result = answer(measure, journeys, confidence=confidence)
    if comments is None:
        return result
    found = comments_behind(journeys, comments, n_comments)
    return replace(result, tables={**result.tables, "comments": found})

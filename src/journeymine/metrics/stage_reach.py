"""Stage reach: how far journeys get, stage by stage, before they convert or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNMAPPED
from journeymine.counting.by import as_names, check_channel_of, group_journeys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Share
from journeymine.counting.mature import NO_GOAL, too_short
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import Key, distinct_users, key_of, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.journeys.heads import CONVERTED, SERVICE
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import EVERYWHERE

__all__ = ["StageReach", "by_stage", "stage_reach", "stages_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StageReach:
    """The measure behind `stage_reach`, for `mine`. Parameters as in `stage_reach`."""

    by: str | Sequence[str] | None = None
    channel_of: str = "entry"

    name: ClassVar[str] = "stage_reach"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by))
        check_channel_of(self.channel_of)
        if "stage" in self.names:
            raise QuestionError(
                "by='stage' in a question that goes by stage already", hint="break down by something else"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f", per {' × '.join(self.names)} ({self.channel_of})" if self.names else ""
        return f"How far do journeys get, stage by stage{per}?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Mature journeys by the furthest stage they reach."""
        keys = {**dict.fromkeys(self.names, pl.String), "stage": pl.String}
        return {"furthest": TableSpec(keys, {"n": "sum", "n_users": "users", "converted": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Count mature journeys by the furthest of their stages."""
        grouped = group_journeys(journeys, self.names, self.channel_of)
        heads = journeys.heads
        judged = (heads.mature & (heads.status != SERVICE))[grouped.journey]
        journey = grouped.journey[judged]
        keys = {name: key.take(np.flatnonzero(judged)) for name, key in grouped.keys.items()}
        keys["stage"] = _furthest(journeys).take(journey)
        user = heads.user[journey]
        packed, size = pack(list(keys.values()), len(journey))
        values = {
            "n_users": distinct_users(packed, user, np.ones(len(journey), dtype=bool), size),
            "converted": heads.status[journey] == CONVERTED,
        }
        table = tabulate(self.specs()["furthest"], keys, values, journeys.folds[user])
        return Counts.of(question_of(self), basis_of(journeys), self.specs(), {"furthest": table})

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Reach and onward share of each stage, in order."""
        tally, stages = tallies["furthest"], stages_of(basis)
        groups, n, reached = by_stage(tally, self.names, basis)
        keys = (
            groups.join(pl.DataFrame({"stage": stages}), how="cross") if self.names else pl.DataFrame({"stage": stages})
        )
        whole = np.repeat(n, len(stages), axis=1)
        here, onward = (part.reshape(len(n), -1) for part in (reached[:, :, :-1], reached[:, :, 1:]))
        has_goal = basis.rules.goal is not None
        if not has_goal and len(stages):  # the way on from the last stage is the goal
            here = here.copy()
            last = np.arange(len(stages) - 1, here.shape[1], len(stages))
            judged = here.copy()
            judged[:, last] = onward[:, last] = 0
        else:
            judged = here
        users = _users_at_least(
            tally, _group_of_rows(tally, groups, self.names), groups.height if self.names else 1, stages
        )
        everybody = np.repeat(users[:: len(stages)], len(stages))  # all of a group reach the first stage
        return {
            "stage_reach": Answer(
                keys=keys,
                columns={
                    "n": whole.sum(axis=0).astype(np.int64),
                    "n_reached": here.sum(axis=0).astype(np.int64),
                    "n_onward": onward.sum(axis=0).astype(np.int64),
                    "onward_share": Share(onward, judged, users=np.maximum(users, (judged > 0).sum(axis=0))),
                    "reached_share": Share(
                        here,
                        whole,
                        users=np.maximum(everybody, (whole > 0).sum(axis=0)),
                        certain=keys["stage"].to_numpy() == stages[0],
                    ),
                },
                reasons=[
                    too_short(basis) if count == 0 else None if has_goal or left else NO_GOAL
                    for count, left in zip(whole.sum(axis=0), judged.sum(axis=0), strict=True)
                ],
            )
        }


def stages_of(basis: Basis) -> list[str]:
    """The stages in order; one for a log without them."""
    return list(basis.stages) or [EVERYWHERE]


def by_stage(tally: Tally, names: Sequence[str], basis: Basis) -> tuple[pl.DataFrame, Floats, Floats]:
    """Journeys by group and fold, and how many of them reach each stage.

    Returns
    -------
    Groups; journeys [64, groups]; reached [64, groups, stages + 1]: everybody reaches the first stage, and the last
    entry are those that convert.
    """
    stages = stages_of(basis)
    groups = tally.rows.select(names).unique(maintain_order=True).sort(names) if names else pl.DataFrame()
    size = groups.height if names else 1
    group, at = _group_of_rows(tally, groups, names), _ranks(tally, stages)
    n, won = tally.by_fold("n"), tally.by_fold("converted")
    furthest, converted = np.zeros((2, len(n), size, len(stages)))
    np.add.at(furthest.transpose(1, 2, 0), (group, at), (n - won).T)
    np.add.at(converted.transpose(1, 2, 0), (group, at), won.T)
    total_won = converted.sum(axis=2)
    # From each stage on: those who end at it or later, and all who convert.
    reached = np.flip(np.cumsum(np.flip(furthest, axis=2), axis=2), axis=2) + total_won[:, :, None]
    return groups, reached[:, :, 0], np.concatenate((reached, total_won[:, :, None]), axis=2)


def _group_of_rows(tally: Tally, groups: pl.DataFrame, names: Sequence[str]) -> Ints:
    """The number of each row's group."""
    if not names:
        return np.zeros(len(tally), dtype=np.int64)
    numbered = tally.rows.select(names).join(
        groups.with_row_index("_g"), on=list(names), how="left", maintain_order="left"
    )
    return numbered["_g"].to_numpy().astype(np.int64)


def _ranks(tally: Tally, stages: Sequence[str]) -> Ints:
    rank = {stage: at for at, stage in enumerate(stages)}
    return np.array([rank.get(stage, 0) for stage in tally.rows["stage"]], dtype=np.int64)


def _users_at_least(tally: Tally, group: Ints, size: int, stages: Sequence[str]) -> Ints:
    """Users that at least reach each stage of each group: as many as got no further than one of the stages from it on.

    Who made several journeys may stand at several furthest stages, so these are not added up.
    """
    most = np.zeros((size, len(stages)), dtype=np.int64)
    np.maximum.at(most, (group, _ranks(tally, stages)), tally.total("n_users"))
    return np.flip(np.maximum.accumulate(np.flip(most, axis=1), axis=1), axis=1).reshape(-1)


def _furthest(journeys: Journeys) -> Key:
    """The latest mapped stage of each journey."""
    n = len(journeys)
    if "stage" not in journeys.coded.labels:
        return key_of(np.zeros(n, dtype=np.int64), [EVERYWHERE])
    stage = journeys.coded.labels["stage"]
    unmapped = len(stage.labels) - 1
    rank = np.where(stage.codes == unmapped, -1, stage.codes.astype(np.int64))
    furthest = np.maximum.reduceat(rank, journeys.offsets[:-1]) if n else np.zeros(0, dtype=np.int64)
    return key_of(np.where(furthest < 0, unmapped, furthest), [*stage.labels[:unmapped], UNMAPPED])


def stage_reach(
    journeys: Journeys, *, by: str | Sequence[str] | None = None, channel_of: str = "entry", confidence: float = 0.95
) -> Result:
    """How many journeys get to each stage or beyond it, and which share of them goes on.

    onward_share_k = |journeys that reach a later stage, or convert| / |journeys that reach stage k or a later one, or
    convert|

    The onward shares of all stages multiply to the conversion share, since that of the last stage is the share that
    converts.

    Parameters
    ----------
    journeys : made by `build_journeys`, from a log with stages.
    by, channel_of : as in `conversion`; `by` must not be the stage.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by` and stage, in order:
        n i64: mature journeys
        n_reached i64: of n, those that reach the stage or a later one, or convert
        n_onward i64: of n_reached, those that reach a later stage, or convert
        onward_share f64: n_onward ÷ n_reached; reached_share f64: n_reached ÷ n, 0–1
        reason str: why the shares are null
        Estimates have …_lower and …_upper.

    Notes
    -----
    Unlike in `drop_off`, a journey that skips a stage has reached it, and every journey has reached the first; a
    journey of unmapped touchpoints only is in the first. Over mature journeys, those still open among them; service
    journeys are outside. Order and ties inside a stage play no part. Null labels are ``"(unknown)"``. Counts merge
    exactly. Interval: Wilson, clustered by user through the folds.
    """
    measure = StageReach(by=by, channel_of=channel_of)
    return answer(measure, journeys, confidence=confidence)

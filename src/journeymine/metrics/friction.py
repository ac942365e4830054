"""Friction: loops, back-steps, repeats, detours, errors, complaints, long waits and abandoned sessions, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number
from journeymine.counting.merging import spelled
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import contrast_specs
from journeymine.metrics.contrast_blocks import count_contrasts
from journeymine.metrics.contrast_estimate import Came, Contrast, contrast, nullable, p_values
from journeymine.metrics.detours import detour_specs, usual_ways, with_detours
from journeymine.metrics.friction_steps import Stumbled, Stumbling
from journeymine.metrics.friction_visits import MOVES, PAUSES, WENT_ON, visit_specs
from journeymine.stats.multiple import benjamini_hochberg

__all__ = ["Friction", "friction"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
ENOUGH_IN_A_WEEK = 15
"""Fewest mature journeys that meet a kind in a week for it to be tested: trouble of a week is soon mended."""
NO_WORTH = "nobody who meets it converts: what such a conversion would be worth is not known"
_PLACE: dict[str, type[pl.DataType]] = {"channel": pl.String, "touchpoint": pl.String}
_KEYS: dict[str, type[pl.DataType]] = {"friction": pl.String, **_PLACE}


@dataclass(frozen=True)
class Friction:
    """The measure behind `friction`, for `mine`. Parameters as in `friction`."""

    long_wait: Duration = "3d"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "friction"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        microseconds(self.long_wait, name="long_wait")
        object.__setattr__(self, "by", as_names(self.by))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        return "What do journeys stumble over, and how much less do those convert that do?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by friction, place and stage, all by stage and by place; kinds by week; and ways to each stage."""
        weekly = contrast_specs(_KEYS, self.names, weekly=True)
        specs = {
            **contrast_specs(_KEYS, self.names),
            **{f"weekly_{name}": spec for name, spec in weekly.items()},
            **visit_specs(self.names, _PLACE),
            **detour_specs(self.names),
        }
        return {name: replace(spec, long=True) for name, spec in specs.items()}

    @property
    def grains(self) -> tuple[str, ...]:
        """Places are told apart as they are."""
        return ()

    def counting(self, journeys: Journeys) -> tuple[int, Callable[[], Stumbled]]:
        """What counts the journeys that meet each friction at each place."""
        stumbling = Stumbling.of(journeys, microseconds(self.long_wait))
        return stumbling.n_cells, lambda: Stumbled(stumbling, self.specs())

    def count(self, journeys: Journeys) -> Counts:
        """Count the journeys that meet each friction at each place."""
        return count_contrasts([self], journeys)[0]

    def steps_at_once(self, journeys: Journeys) -> int:
        """All there are: blocks of journeys are counted on all cores, and no tables are merged."""
        return max(len(journeys.coded), 1)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Conversion with and without, over the whole log and, for kinds, week by week: one family of tests."""
        # Of many folds of few rows, only the rows are told apart as text.
        tallies = {name: replace(tally, rows=spelled(tally.rows)) for name, tally in tallies.items()}
        usual, places = usual_ways(tallies["ways"], tallies["passed"], self.names)
        met, people = with_detours(tallies, usual, places, self.names)
        whole = contrast(met, _comparable(met, tallies["reached"], tallies["visited"]), people, basis)
        met, reached, people = (tallies[f"weekly_{name}"] for name in ("met", "reached", "people"))
        weeks = contrast(met, Came.of(met, reached), people, basis, enough=ENOUGH_IN_A_WEEK)
        p = [p_values(found.difference, found.tested, found.least_variance) for found in (whole, weeks)]
        adjusted = np.split(benjamini_hochberg(np.concatenate(p)), [len(p[0])])
        names = [*self.names, *_KEYS]
        monday = pl.Series("week", weeks.rows["week"] * 7 + 4, dtype=pl.Int32).cast(pl.Date)
        return {
            "friction": _answer(whole, whole.rows.select(names), p[0], adjusted[0]),
            "weeks": _answer(weeks, weeks.rows.select(names).with_columns(monday), p[1], adjusted[1]),
            "ways": Answer(usual.select(*self.names, "stage"), {name: usual[name] for name in ("n", "usual_steps")}),
        }


def _comparable(met: Tally, reached: Tally, visited: Tally) -> Came:
    """Who came as far as each row of `met`: to its stage or, where a journey's moves are the friction, to its place there.

    Of the latter, pauses are compared with those who went on.
    """
    moves, pauses = (met.rows["friction"].is_in(names) for names in (MOVES, PAUSES))
    ended, went_on = (Came.of(met, visited, {WENT_ON: there}) for there in (0, 1))
    return Came.of(met, reached).only(~moves) + went_on.only(moves) + ended.only(moves & ~pauses)


def _answer(found: Contrast, keys: pl.DataFrame, p: Floats, adjusted: Floats) -> Answer:
    cost = 0.0 - found.totals["n"] * found.difference  # nothing at stake is 0, not −0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_value = found.value / MICRO / found.totals["converted"]
    has_value = bool(found.value.any())
    worthless = has_value & (found.totals["converted"] == 0)
    reasons = [reason or (NO_WORTH if none else None) for reason, none in zip(found.reasons, worthless, strict=True)]
    behind, once = found.behind, found.totals["n_users"] == found.totals["n"]
    return Answer(
        keys=keys,
        columns={
            "stage": pl.Series(found.stage, dtype=pl.String),
            "n_times": found.totals["n_times"],
            "n_journeys": found.totals["n_journeys"],
            "n": found.totals["n"],
            "n_users": found.totals["n_users"],
            "converted_with": nullable(found.share_with[0]),
            "converted_without": nullable(found.share_without[0]),
            "difference": Number(found.difference, behind, once),
            "p_value": nullable(p),
            "p_adjusted": nullable(adjusted),
            "conversions_at_stake": Number(cost, behind, once),
            "value_at_stake": Number(cost * mean_value if has_value else np.full(cost.shape, np.nan), behind, once),
        },
        users=found.totals["n_users"],
        converting=found.totals["users_converted"],
        reasons=reasons,
    )


def friction(
    journeys: Journeys,
    *,
    long_wait: Duration = "3d",
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Find what journeys stumble over before their goal: how many meet it, and how much less often they convert.

    Frictions are repeats, loops, steps back, long waits, abandoned sessions, detours, and the kinds that the stage map
    declares (``error``, ``complaint``, …).

    Parameters
    ----------
    journeys : made by `build_journeys`.
    long_wait : a pause inside a journey that is longer than this counts as a wait.
    by : labels of journeys (segments, or labels of the entry step) to break the result down by. Journeys are compared
        within their group only. By default all journeys are one group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per friction and place, and of detours also per stage:
        friction str
        channel, touchpoint str: where (channel is ``""`` in a log without channels); stage str: where most meet it
        n_times i64: how often it is met; n_journeys i64: by how many journeys
        n i64: mature journeys that meet it; n_users i64: their users
        converted_with, converted_without f64: share that converts of those that meet it, and of comparable others, 0–1
        difference f64: converted_with − converted_without, with interval
        p_value, p_adjusted f64: two-sided
        conversions_at_stake f64: journeys, with interval; value_at_stake f64: units of money, with interval
        sparse bool: few users behind the row; reason str: why there is no number
    tables["weeks"] has the same for the declared kinds, per calendar week (UTC; date of its Monday) in which the
    journey reached the stage. It shows what goes wrong for a week only.
    tables["ways"] has the usual way to each stage: n and usual_steps.

    Notes
    -----
    A journey meets a friction at a touchpoint (on a channel) when

    * *repeat*: the same touchpoint comes again at once, on the same channel;
    * *loop*: the touchpoint comes again after another one;
    * *back_step*: the next step, short of the goal, lies in an earlier stage;
    * *wait*: it pauses there longer than `long_wait` and then goes on, possibly to the goal. Pauses are no longer than
      ``idle`` unless ``split`` is given;
    * *abandoned_session*: a session ends there, in the goal's stage, and the journey goes on later;
    * *detour*: its way to a stage has more steps than the median way there, and passes this touchpoint, which fewer
      than half of the ways do (see `metrics.detours`);
    * a declared kind, under its own name: the touchpoint is of that kind. A kind that is called like another friction
      has ``" (kind)"`` after its name.

    What `lost_at` names is no friction. Each journey is compared with others that came as far (see `metrics.contrast`),
    never with all: for declared kinds, with those that reached the same stage; for a detour, with those that reached
    the stage it led to; for repeats, loops and steps back, with those that were at the same place; for pauses (wait,
    abandoned_session), with those that went on from that place. Without a goal nothing is compared.

    *At stake*: n × −difference, times the mean value of the journeys that met it and converted. It is an association,
    not a proof: those who meet a friction may differ in other ways. P-values are adjusted over all rows, those of the
    weeks among them (Benjamini–Hochberg); rows with under 30 mature journeys on either side are not tested (in weeks,
    see `docs/friction.md`), nor rows with so few users on either that there is no interval. Open journeys count among the mature ones. Steps at one instant are in the documented
    order. Null labels are ``"(unknown)"``. Counts merge exactly. Interval: the jackknife over the 64 folds, clustered
    by user.
    """
    measure = Friction(long_wait=long_wait, by=by)
    return answer(measure, journeys, confidence=confidence)

"""Decision points and moments of truth: where the paths of those who convert and those who are lost part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import as_names
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number
from journeymine.counting.packed import Packed, RowCounts, label_column
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tally import Tally
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.contrast import contrast_specs
from journeymine.metrics.contrast_blocks import count_contrasts
from journeymine.metrics.contrast_count import Meetings, Reached
from journeymine.metrics.contrast_estimate import Came, contrast, nullable, significance
from journeymine.metrics.contrast_ground import Ground
from journeymine.metrics.switches import check_switch

__all__ = ["DecisionPoints", "decision_points"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecisionPoints:
    """The measure behind `decision_points`, for `mine`. Parameters as in `decision_points`."""

    grain: str = "touchpoint"
    transitions: bool = False
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "decision_points"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_switch(self.transitions, name="transitions")
        object.__setattr__(self, "by", as_names(self.by))

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        what = f"steps between {self.grain}s" if self.transitions else f"{self.grain}s"
        return f"Which {what} tell apart the journeys that convert from those that do not?"

    @property
    def keys(self) -> dict[str, type[pl.DataType]]:
        """Key columns of a marker."""
        return {"from": pl.String, "to": pl.String} if self.transitions else {"label": pl.String}

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by marker and stage, all journeys by stage, and what follows each label."""
        branches = {**dict.fromkeys(self.names, pl.String), "label": pl.String, "_next": pl.String}
        return {**contrast_specs(self.keys, self.names), "branches": TableSpec(branches, {"n": "sum"})}

    @property
    def grains(self) -> tuple[str, ...]:
        """The one that is asked for."""
        return (self.grain,)

    def counting(self, journeys: Journeys) -> tuple[int, Callable[[], _Passing]]:
        """What counts the journeys that pass each marker before their goal."""
        labels = journeys.codes(self.grain).labels
        label, following = label_column(labels), label_column([*labels, None])
        return (len(labels) + 1) ** 2, lambda: _Passing(self, label, following)

    def count(self, journeys: Journeys) -> Counts:
        """Count the journeys that pass each marker before their goal."""
        return count_contrasts([self], journeys)[0]

    def steps_at_once(self, journeys: Journeys) -> int:
        """All there are: blocks of journeys are counted on all cores, and no tables are merged."""
        return max(len(journeys.coded), 1)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Lift, information gain and significance of each marker; and how open the way is after each label."""
        met, came = tallies["met"], Came.of(tallies["met"], tallies["reached"])
        found = contrast(met, came, tallies["people"], basis)
        n = found.totals["n"]
        p, adjusted = significance(found.difference, found.tested, found.least_variance)
        with np.errstate(divide="ignore", invalid="ignore"):
            lift = found.share_with / np.where(found.share_without == 0, np.nan, found.share_without)
        points = Answer(
            keys=found.rows,
            columns={
                "stage": pl.Series(found.stage, dtype=pl.String),
                "n_journeys": found.totals["n_journeys"],
                "n": n,
                "n_users": found.totals["n_users"],
                "converted_with": nullable(found.share_with[0]),
                "converted_without": nullable(found.share_without[0]),
                "difference": Number(found.difference, found.behind),
                "lift": Number(lift, found.behind, least=0.0),
                "p_value": nullable(p),
                "p_adjusted": nullable(adjusted),
                "information_gain_bits": pl.Series(_information_gain(tallies["met"], tallies["reached"], found.rows)),
            },
            users=found.totals["n_users"],
            converting=found.totals["users_converted"],
            reasons=found.reasons,
        )
        branches = tallies["branches"]
        counted = branches.rows.with_columns(n=pl.Series(branches.total("n")))
        entropy = counted.group_by([*self.names, "label"], maintain_order=True).agg(
            n=pl.col("n").sum(),
            n_ways=pl.len().cast(pl.Int64),
            entropy_bits=(pl.col("n") / pl.col("n").sum()).entropy(base=2, normalize=False),
        )
        return {
            "decision_points": points,
            "branching": Answer(
                entropy.select(*self.names, "label"), {name: entropy[name] for name in ("n", "n_ways", "entropy_bits")}
            ),
        }


def decision_points(
    journeys: Journeys,
    *,
    grain: str = "touchpoint",
    transitions: bool = False,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Find the touchpoints (or moves between them) where converting journeys part from the others.

    lift = converted share of those that pass it / converted share of the others that reached the same stage

    Parameters
    ----------
    journeys : made by `build_journeys`.
    grain : what is passed: ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"``, or any attribute
        (such as content).
    transitions : True asks about moves from one label to the next instead of about labels.
    by : labels of journeys (segments, or labels of the entry step) to break the result down by. Journeys are compared
        within their group only. By default all journeys are one group.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per label (or per from and to):
        stage str: the stage where most journeys pass it (of stages: the one from which most move to it)
        n_journeys i64: journeys that pass it; n i64: mature ones of them; n_users i64: their users
        converted_with, converted_without f64: share that converts of those that pass it, and of the others, 0–1
        difference f64: of these two, with interval
        lift f64: their ratio, with interval; null where none of the others convert
        p_value, p_adjusted f64: two-sided
        information_gain_bits f64: what passing it tells about converting
        sparse bool: few users behind the row; reason str: why there is no number
    tables["branching"] has one row per label: label str · n i64 · n_ways i64 · entropy_bits f64, Shannon's entropy of
    what comes next, the end of the journey included.

    Notes
    -----
    Mature journeys are compared, those still open among them. Only what lies before the goal counts, and no `lost_at`
    touchpoint, which is lost by definition. Each journey is compared with others that reached the same stage; see
    `metrics.contrast`. Every journey in a stage has reached it, so for stages the question is who moves to one from
    another: these are compared with the others that reached the stage they came from. Steps at one instant are in the
    documented order. Null labels are ``"(unknown)"``. P-values are adjusted over all rows that are
    tested; rows with under 30 mature journeys on either side, or with so few users on either that there is no interval,
    are not. The *information gain* is the entropy of converting or not, minus its mean given whether the journey
    passed, within stages, in bits [1]_. Counts merge exactly. The gain and the entropy carry no interval.

    References
    ----------
    .. [1] J. R. Quinlan, "Induction of decision trees", Machine Learning 1 (1986) 81–106.
    """
    measure = DecisionPoints(grain=grain, transitions=transitions, by=by)
    return answer(measure, journeys, confidence=confidence)


class _Passing:
    """Counts who passes which label, or step between labels, and where they go next."""

    def __init__(self, measure: DecisionPoints, label: pl.Series, following: pl.Series) -> None:
        """`label`, `following` : what the codes of a label stand for, and of what comes next; there null is the end of the journey."""
        self._measure, self._label, self._following = measure, label, following
        self._met, self._reached, self._branches = Meetings(), Reached(), RowCounts()

    def add(self, ground: Ground) -> None:
        """Add the journeys of a block."""
        self._met.add(ground, *self._passed(ground))
        self._reached.add(ground)
        self._branches.add(self._ways(ground), ground.fold, rows=np.flatnonzero(ground.before))

    def absorb(self, other: _Passing) -> None:
        """Add what another one counted; the other is used up."""
        self._met.absorb(other._met)
        self._reached.absorb(other._reached)
        self._branches.absorb(other._branches)

    def tables(self) -> dict[str, pl.DataFrame]:
        """All tables."""
        specs = self._measure.specs()
        return {
            **self._met.tables(specs),
            "reached": self._reached.table(specs["reached"]),
            "branches": self._branches.table(specs["branches"]),
        }

    def _passed(self, ground: Ground) -> tuple[Packed, Bools]:
        """What journeys pass at each step, and the steps at which they are compared."""
        codes, between = ground.journeys.codes(self._measure.grain).codes, self._measure.transitions
        if not between and self._measure.grain == "stage":
            return self._moved(ground, codes)
        if not between:
            return Packed(codes, ({"label": self._label},)), ground.told
        from_ = Packed(np.append(codes[:1], codes[:-1]), ({"from": self._label},))
        return from_.beside(codes, {"to": self._label}), ground.inside

    def _moved(self, ground: Ground, stage: npt.NDArray[np.unsignedinteger]) -> tuple[Packed, Bools]:
        """The stage that journeys move to next, and the steps from which they move to another.

        Whoever is in a stage has reached it, so there is nobody to compare with but where they came from.
        """
        moved = np.zeros(len(stage), dtype=bool)
        moved[:-1] = ground.inside[1:] & ground.told[:-1] & (stage[1:] != stage[:-1])
        return Packed(np.append(stage[1:], stage[-1:]), ({"label": self._label},)), moved

    def _ways(self, ground: Ground) -> Packed:
        """What comes next after each step."""
        codes = ground.journeys.codes(self._measure.grain).codes
        after = np.empty(len(codes), dtype=np.uint32)
        after[:-1] = codes[1:]
        after[ground.journeys.offsets[1:] - 1] = len(self._label)
        return ground.in_groups(Packed(codes, ({"label": self._label},)).beside(after, {"_next": self._following}))


def _information_gain(met: Tally, reached: Tally, rows: pl.DataFrame) -> Floats:
    """Within each stage: H(converted) − Σ share · H(converted | passed or not), weighted by the journeys at the stage."""
    all_of = reached.rows.with_columns(_n=pl.Series(reached.total("n")), _won=pl.Series(reached.total("converted")))
    cells = met.rows.join(all_of, on=reached.rows.columns, how="left", maintain_order="left")
    n, won = (met.total(name).astype(np.float64) for name in ("n", "converted"))
    all_n, all_won = (cells[name].to_numpy().astype(np.float64) for name in ("_n", "_won"))
    rest_n, rest_won = all_n - n, all_won - won
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = _entropy(all_won / all_n) - n / all_n * _entropy(won / n) - rest_n / all_n * _entropy(rest_won / rest_n)
    weighed = cells.with_columns(_gain=pl.Series(np.nan_to_num(gain) * n), _weight=pl.Series(n))
    names = rows.columns
    mean = weighed.group_by(names).agg(_gain=pl.col("_gain").sum() / pl.col("_weight").sum())
    joined = rows.join(mean, on=names, how="left", nulls_equal=True, maintain_order="left")
    return np.asarray(np.nan_to_num(joined["_gain"].to_numpy().astype(np.float64)))


def _entropy(p: Floats) -> Floats:
    """Shannon's entropy of a yes-or-no with share p, in bits; 0 at 0 and 1, and where there is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bits: Floats = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return np.asarray(np.nan_to_num(bits))

"""Attribution: which channel earns the credit for a conversion, by nine rules side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN
from journeymine.counting.by import as_names, group_journeys
from journeymine.counting.counts import Basis, Counts, Merge, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.packed import label_column, packed_groups
from journeymine.counting.parts import PART
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import Key
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, describe, microseconds
from journeymine.errors import UnknownLabelError
from journeymine.events.coded import Coded
from journeymine.graph.markov_counts import chain_spec
from journeymine.graph.markov_states import check_order
from journeymine.journeys.heads import CONVERTED, LOST
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.journeys.predicate import Predicate
from journeymine.metrics.attribution_count import count_chain, count_cost, count_journeys
from journeymine.metrics.attribution_credit import CreditCounts
from journeymine.metrics.attribution_estimate import credits_of
from journeymine.metrics.attribution_moves import TouchMoves
from journeymine.metrics.attribution_rules import COUNTED, DIRECT, channels_of, chosen_rules, passed_over, rule_column
from journeymine.metrics.attribution_touches import check_lookback, touch_blocks, touch_labels, touches_of
from journeymine.metrics.funnel_question import check_known
from journeymine.metrics.switches import check_switch

__all__ = ["Attribution", "attribution"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_SUM: Merge = "sum"


@dataclass(frozen=True)
class Attribution:
    """The measure behind `attribution`, for `mine`. Parameters as in `attribution`."""

    rules: Sequence[str] | str | None = None
    grain: str = "channel"
    by: str | Sequence[str] | None = None
    lookback: Duration | None = None
    half_life: Duration = "7d"
    include_goal: bool = False
    direct: Sequence[str] = DIRECT
    middle: Any = None
    order: int = 1

    name: ClassVar[str] = "attribution"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "rules", chosen_rules(self.rules, middle=self.middle))
        put(self, "by", as_names(self.by))
        put(self, "direct", channels_of(self.direct))
        put(self, "half_life", describe(microseconds(self.half_life, name="half_life")))
        if self.lookback is not None:
            put(self, "lookback", describe(microseconds(self.lookback, name="lookback")))
        if self.middle is not None:
            put(self, "middle", Predicate.parse(self.middle, name="middle"))
        check_order(self.order)
        check_switch(self.include_goal, name="include_goal")

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def asked(self) -> tuple[str, ...]:
        """`rules` as a tuple."""
        return chosen_rules(self.rules, middle=self.middle)

    @property
    def counted(self) -> tuple[str, ...]:
        """The rules whose credit is counted touch by touch."""
        return tuple(rule for rule in self.asked if rule in COUNTED)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f", per {' × '.join(self.names)}" if self.names else ""
        return f"Which {self.grain} earns the credit for conversions{per}?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse a middle that the whole log does not have."""
        if self.middle is not None:
            check_known([Predicate.parse(self.middle, name="middle")], labels)

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys; credit and value by rule; distinct labels per journey; cost; moves of the Markov chain."""
        by = dict.fromkeys(self.names, pl.String)
        label = {**by, "label": pl.String}
        rules = [rule_column(rule) for rule in self.counted]
        specs = {
            "journeys": TableSpec(
                by,
                {"n_journeys": "sum", "n_users": "users", "converted": "sum", "untouched": "sum",
                 "untouched_users": "users", "lost": "sum",
                 "open": "sum", "service": "sum", "ended": "sum", "left_truncated": "sum", "value": "wide",
                 "untouched_value": "wide"},
            ),
            "credit": TableSpec(label, {"n": "sum", "n_users": "users", **dict.fromkeys(rules, _SUM)}),
            "value": TableSpec(label, dict.fromkeys(rules, "wide")),
            "sets": TableSpec({**label, "_size": pl.Int64}, {"n": "sum", "value": "wide"}),
            "cost": TableSpec(label, {"cost": "wide"}),
        }  # fmt: skip
        if "markov" in self.asked:
            specs["chain"] = chain_spec(self.names, self.order, timed=False)
        return specs

    def count(self, journeys: Journeys) -> Counts:
        """Count touches by rule, and what the solved rules need."""
        specs, status = self.specs(), journeys.heads.status
        lookback = check_lookback(self.lookback, journeys.rules)
        labels = touch_labels(journeys, self.grain)
        keys = group_journeys(journeys, self.names, "entry").keys
        groups = packed_groups(keys, len(journeys))
        half_life, known = microseconds(self.half_life), labels[0].labels
        credit = CreditCounts(journeys, groups, label_column(known), self.counted, half_life)
        chain = TouchMoves(journeys, groups, known) if "markov" in self.asked and self.order == 1 else None
        untouched = np.zeros(len(journeys), dtype=bool)
        for won in touch_blocks(
            journeys, status == CONVERTED, labels, self._marks(journeys, labels), lookback=lookback,
            include_goal=self.include_goal, timed="time_decay" in self.asked,
        ):  # fmt: skip
            untouched[won.journey[won.lengths == 0]] = True
            credit.add(won.touched)
            if chain is not None:
                chain.add(won.touched, "converted")
        tables = {
            "journeys": count_journeys(specs["journeys"], journeys, groups, untouched),
            "cost": count_cost(specs["cost"], journeys, keys, labels),
            **credit.tables(specs),
        }
        if chain is not None:
            for lost in touch_blocks(journeys, status == LOST, labels, {}, lookback=lookback, timed=False):
                chain.add(lost.touched, "lost")
            tables["chain"] = chain.table(specs["chain"])
        elif "markov" in self.asked:
            tables["chain"] = self._walked(journeys, specs["chain"], keys, labels, lookback)
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def steps_at_once(self, journeys: Journeys) -> int | None:
        """All there are, whose touches are counted block by block; less where paths of a higher order are laid out whole."""
        return None if self.order == 1 or "markov" not in self.asked else PART

    def _walked(
        self,
        journeys: Journeys,
        spec: TableSpec,
        keys: Mapping[str, Key],
        labels: tuple[Coded, Coded],
        lookback: int | None,
    ) -> pl.DataFrame:
        """The moves of a chain of a higher order."""
        parts = []
        for end, code, include_goal in (("converted", CONVERTED, self.include_goal), ("lost", LOST, False)):
            some = touches_of(
                journeys, np.flatnonzero(journeys.heads.status == code), labels, {}, include_goal=include_goal,
                lookback=lookback, timed=False,
            )  # fmt: skip
            parts.append(count_chain(spec, self.order, journeys, keys, some.touched, end))
        return pl.concat(parts)

    def _marks(self, journeys: Journeys, labels: tuple[Coded, Coded]) -> dict[str, tuple[Bools, Bools]]:
        """Touches on a direct channel, and at the named middle, as far as a rule asks: of steps and of the company."""
        marks, company = {}, journeys.company
        if "last_non_direct" in self.asked:
            channels = touch_labels(journeys, "channel") if "channel" in journeys.coded.labels else labels
            marks["direct"] = (_is_in(channels[0], self.direct), _is_in(channels[1], self.direct))
        if "w_shaped" in self.asked:
            at, steps = Predicate.parse(self.middle, name="middle"), journeys.coded
            theirs = at.holds(company.labels, company.numbers, len(company)) if len(company) else np.zeros(0, bool)
            marks["middle"] = (at.holds(steps.labels, steps.numbers, len(steps)), theirs)
        return marks

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Credits by rule and label, and the journeys behind them."""
        return credits_of(self.names, self.asked, self.order, tallies)


def attribution(
    journeys: Journeys,
    *,
    rules: Sequence[str] | str | None = None,
    grain: str = "channel",
    by: str | Sequence[str] | None = None,
    lookback: Duration | None = None,
    half_life: Duration = "7d",
    include_goal: bool = False,
    direct: Sequence[str] = DIRECT,
    middle: Any = None,
    order: int = 1,
    confidence: float = 0.95,
) -> Result:
    """Divide the credit for conversions among channels, by nine rules side by side.

    The touches of a converted journey are its steps strictly before its first goal, together with what the company did
    (mail sent, ad shown) if that belongs to the journey. The credits of each rule add up to the conversions.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    rules : one or several of ``"first"``, ``"last"``, ``"last_non_direct"``, ``"linear"``, ``"position"`` (40/20/40),
        ``"w_shaped"`` (30/30/30/10, needs `middle`), ``"time_decay"``, ``"markov"`` (removal effect) and ``"shapley"``.
        By default every rule that can be answered.
    grain : what earns the credit: ``"channel"``, ``"touchpoint"``, ``"stage"``, ``"channel:touchpoint"`` or any label
        column.
    by : one or several of channel, stage, touchpoint, any attribute (each of the entry step) or segment. Each group has
        its own credits. By default all journeys are one group.
    lookback : only touches at most this long before the goal count (inclusive), e.g. ``"7d"``. By default all of the
        journey's.
    half_life : for ``"time_decay"``: a touch this much earlier weighs half.
    include_goal : True counts the goal itself as a touch.
    direct : channels that ``"last_non_direct"`` passes over.
    middle : the touch that ``"w_shaped"`` names as its middle, in the data form of goals: ``"lead_created"``,
        ``{"stage": "consideration"}`` …
    order : number of touches that the Markov chain remembers; see `choose_order`.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per rule and label (and value of `by`), rules in the order above:
        rule str
        label str: ``"(none)"`` for conversions without a touch
        conversions f64: conversions credited
        share f64: of all conversions, 0–1
        value f64: money credited, in units; null where the log has no values, and by Markov where the removal effects
        on value add up to 0
        n, n_users i64: converted journeys that the label touched, and their users
        cost f64: what all touches of the label cost, in units of money
        cpa f64: cost ÷ credited conversions; roas f64: credited value ÷ cost
        sparse bool: few users behind the row; reason str: why there is no interval
        Estimates have …_lower and …_upper.
    tables["journeys"] has one row per group: how many journeys are behind the credits, and how many were left out.

    Raises
    ------
    UnknownLabelError : `grain` or `by` names no column, or `direct` names a channel that the log does not have.
    QuestionError : a rule is unknown, ``"w_shaped"`` is asked for without `middle`, `lookback` is longer than journeys
        reach, or a Markov chain has more than 10,000 labels.

    Notes
    -----
    For the Markov chain, lost journeys with all their touches are the paths that do not convert. Open journeys are
    neither conversions nor such paths: they are left out and counted in ``journeys``. Shapley values are those of Zhao
    et al. (2018) [1]_: φ_c = Σ_{S∋c} R(S) / |S|, where R(S) is the number of conversions of journeys whose set of
    channels is S. Touches at one instant are in the documented order. Null labels are ``"(unknown)"``. Counts merge
    exactly. Interval: the jackknife over the 64 folds, the chain solved again without each, with limits that follow the
    skewness (Hall 1992); a chain of order 3 or more has none.

    References
    ----------
    .. [1] K. Zhao, S. H. Mahboobi, S. R. Bagheri, "Shapley value methods for attribution modeling in online
           advertising" (2018), arXiv:1804.05327.
    """
    measure = Attribution(
        rules=rules, grain=grain, by=by, lookback=lookback, half_life=half_life, include_goal=include_goal,
        direct=direct, middle=middle, order=order,
    )  # fmt: skip
    check_journeys(journeys)
    measure.check({name: each.labels for name, each in journeys.coded.labels.items()})
    notes = _check_direct(measure, journeys)
    found = answer(measure, journeys, confidence=confidence)
    return replace(found, notes=(*found.notes, *notes))


def _check_direct(measure: Attribution, journeys: Journeys) -> list[str]:
    """Refuse direct channels that do not occur, save what is meant where nothing is said, and a channel that is not known.

    Returns a note where another channel reads as if it were the direct one.
    """
    if "last_non_direct" not in measure.asked or "channel" not in journeys.coded.labels:
        return []
    known = {label for coded in touch_labels(journeys, "channel") for label in coded.labels}
    for channel in measure.direct:
        if channel not in (*known, *DIRECT, UNKNOWN):
            raise UnknownLabelError.naming("channel", channel, known)
    return passed_over(measure.direct, known)


def _is_in(coded: Coded, names: Sequence[str]) -> Bools:
    if not coded.labels:
        return np.zeros(len(coded), dtype=bool)
    return coded.among(np.array([label in names for label in coded.labels], dtype=bool))

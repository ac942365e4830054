"""Value per customer: who buys, how often, and what a customer is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO, MISSING
from journeymine.counting.by import as_names, step_keys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.runs import changes
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import Key, integer_key, tabulate
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.journeys.amounts import sum_amounts
from journeymine.journeys.journeys import Journeys
from journeymine.metrics.occurrence import Occurrence, check_occurs, check_vocabulary
from journeymine.parallel import take
from journeymine.stats.histogram import bucket_of

__all__ = ["CustomerValue", "customer_value"]

Ints = npt.NDArray[np.int64]
NO_VALUE = "no purchase here has a value"
NOT_WATCHED = "no customer here was watched for the whole of `within`"


@dataclass(frozen=True)
class CustomerValue:
    """The measure behind `customer_value`, for `mine`. Parameters as in `customer_value`."""

    event: Any = field(default_factory=lambda: {"goal": True})
    within: Duration | None = None
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "customer_value"
    unit: ClassVar[Literal["journey", "user"]] = "user"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "by", as_names(self.by))
        put(self, "event", Occurrence.parse(self.event, name="event"))
        if self.within is not None:
            microseconds(self.within, name="within")

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)} of the first step" if self.names else ""
        within = f" within {self.within} of the first purchase" if self.within is not None else ""
        return f"What is a customer worth{within}{per} ({self.event.words})?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_vocabulary(labels, self.event)

    def specs(self) -> Mapping[str, TableSpec]:
        """Users, customers, purchases and value, and a histogram of the value per customer."""
        keys: dict[str, Any] = dict.fromkeys(self.names, pl.String)
        counted: dict[str, Any] = {
            "n_users": "sum", "buyers": "sum", "customers": "sum", "purchases": "sum", "repeated": "sum", "value": "wide",
        }  # fmt: skip
        return {"users": TableSpec(keys, counted), "values": TableSpec({**keys, "_bucket": pl.Int64}, {"n": "sum"})}

    def count(self, journeys: Journeys) -> Counts:
        """Add up each user's purchases."""
        specs, n = self.specs(), len(journeys.users)
        first_step = take(journeys.offsets, np.flatnonzero(changes(journeys.heads.user)))
        keys = {name: key.take(first_step) for name, key in step_keys(journeys, self.names).items()}
        purchases, value, watched = self._per_user(journeys, n)
        buyer = purchases > 0
        customer = buyer & watched
        values = {
            "n_users": np.ones(n, dtype=bool),
            "buyers": buyer,
            "customers": customer,
            "purchases": np.where(customer, purchases, 0),
            "repeated": customer & (purchases > 1),
            "value": np.where(customer, value, 0),
        }
        rows = np.flatnonzero(customer)
        worth: dict[str, Key] = {name: key.take(rows) for name, key in keys.items()}
        worth["_bucket"] = integer_key(bucket_of(np.maximum(value[rows], 0)))
        tables = {
            "users": tabulate(specs["users"], keys, values, journeys.folds),
            "values": tabulate(specs["values"], worth, {}, journeys.folds[rows]),
        }
        return Counts.of(question_of(self), basis_of(journeys), specs, tables)

    def _per_user(self, journeys: Journeys, n: int) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
        """Purchases and value of each user, and whether they were watched long enough."""
        bought, journey = self.event.steps_and_journeys(journeys)
        user, watched = take(journeys.heads.user, journey), np.ones(n, dtype=bool)
        if self.within is not None:
            time = take(journeys.coded.time, bought)
            within, first = microseconds(self.within), np.searchsorted(user, np.arange(n), side="left")
            begin = np.append(time, 0)[first]
            watched = begin + within <= journeys.context.observed_until
            kept = time - begin[user] <= within
            bought, user = bought[kept], user[kept]
        value = np.zeros(n, dtype=np.int64)
        if "value" in journeys.coded.numbers:
            paid = take(journeys.coded.numbers["value"], bought)
            starts = np.flatnonzero(changes(user))
            value[user[starts]] = sum_amounts("value", np.where(paid == MISSING, 0, paid), starts, "user")
        return np.bincount(user, minlength=n), value, watched

    def steps_at_once(self, journeys: Journeys) -> None:
        """All there are: few steps are purchases, and the fewest tables are merged."""
        return

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Means per user, customer and purchase, and quantiles over customers."""
        tally = tallies["users"]
        customers, users = tally.total("customers"), tally.total("n_users")
        behind, once = tally.by_fold("customers")[tally.present], np.ones(len(tally), dtype=bool)
        has_value = tally.told("value")
        spread = {name: tally.spread(name) for name in ("customers", "purchases")}
        value = tally.spread("value") / MICRO if has_value else np.full(spread["customers"].shape, np.nan)
        worth = histogram_of(tallies["values"], tally.rows)
        worth = worth if has_value else worth.emptied()
        with np.errstate(divide="ignore", invalid="ignore"):
            per_customer = Number(value / spread["customers"], behind, skewed=True)
            columns: dict[str, Any] = {
                **{name: tally.total(name) for name in ("n_users", "buyers", "customers", "purchases", "repeated")},
                "value": tally["value"] / MICRO,
                "value_per_customer": per_customer,
                "p50_value": Quantile(worth, 0.5, 1 / MICRO),
                "p90_value": Quantile(worth, 0.9, 1 / MICRO),
                "value_per_purchase": Number(value / spread["purchases"], behind, skewed=True),
                "purchases_per_customer": Number(spread["purchases"] / spread["customers"], behind, skewed=True),
                "buyer_share": Share(tally.by_fold("buyers"), tally.by_fold("n_users"), users=users, once=once),
                "repeated_share": Share(
                    tally.by_fold("repeated"), tally.by_fold("customers"), users=customers, once=once
                ),
            }
        answer = Answer(
            keys=tally.rows,
            columns=columns,
            users=customers,
            reasons=[
                NOT_WATCHED if not each and bought else None if has_value or not each else NO_VALUE
                for each, bought in zip(customers, tally.total("buyers"), strict=True)
            ],
        )
        return {"customer_value": answer}


def customer_value(
    journeys: Journeys,
    *,
    event: Any = None,
    within: Duration | None = None,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Value and purchases per customer, and how they are spread over the customers.

    value_per_customer = Σ value of the purchases / |users with a purchase|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    event : what a purchase is: a touchpoint, a set of touchpoints or a predicate. By default the goal.
    within : counts only purchases within this time of a customer's first one (inclusive), e.g. ``"90d"``, over the
        customers watched that long. By default everything so far counts: a sum that grows with the length of the log.
    by : one or several of channel, stage, touchpoint, any attribute or segment, at the user's first step. By default
        one row for all users.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`:
        n_users, buyers i64: all users, and those with a purchase
        customers i64: of buyers, those watched long enough
        purchases i64: purchases of the customers; repeated i64: customers with more than one
        value f64: of those purchases, in units of money
        value_per_customer, p50_value, p90_value f64: mean, median and 90 % quantile over customers, in units of money
        value_per_purchase f64: in units of money; purchases_per_customer f64
        buyer_share f64: buyers ÷ n_users; repeated_share f64: repeated ÷ customers
        sparse bool: under 300 customers; reason str: why there is no number
        Estimates have …_lower and …_upper.

    Raises
    ------
    QuestionError : `event` is the goal, and the rules name none.
    UnknownLabelError : a label or column does not occur in the log.

    Notes
    -----
    The value is that of the steps that satisfy `event`, whatever `value_from` says. A missing value is 0; where no
    purchase has one, the means and quantiles are null. A customer with a negative sum counts as 0 in the quantiles only. Purchases in any
    journey count, whatever its status. Each step that satisfies `event` is a purchase, also a second one at the same
    instant. Null labels are ``"(unknown)"``. Counts merge exactly over users. Intervals: for means the jackknife over
    the 64 folds with limits that follow the skewness (Hall 1992), Woodruff for quantiles, and Wilson for shares, in which each user counts once.
    """
    measure = CustomerValue(event={"goal": True} if event is None else event, within=within, by=by)
    check_occurs(journeys, measure.event)
    return answer(measure, journeys, confidence=confidence)

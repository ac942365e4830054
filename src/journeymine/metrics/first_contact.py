"""First-contact resolution: how often one contact with support is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.by import as_names, step_keys
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Quantile, Share
from journeymine.counting.histograms import histogram_of
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.result import Result
from journeymine.counting.short_form import answer
from journeymine.counting.tabulate import distinct_users, integer_key, pack, tabulate
from journeymine.counting.tally import Tally
from journeymine.durations import Duration, microseconds
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.predicate import Predicate
from journeymine.metrics.funnel_question import check_known, check_labels
from journeymine.stats.histogram import bucket_of

__all__ = ["FirstContact", "first_contact_resolution"]

Ints = npt.NDArray[np.int64]
SUPPORT = {"kind": ["complaint", "support"]}
"""What counts as a contact unless said otherwise: touchpoints of these kinds in the stage map."""


@dataclass(frozen=True)
class FirstContact:
    """The measure behind `first_contact_resolution`, for `mine`. Parameters as in `first_contact_resolution`."""

    support: Any = None
    within: Duration = "7d"
    by: str | Sequence[str] | None = None

    name: ClassVar[str] = "first_contact_resolution"
    unit: ClassVar[Literal["journey", "user"]] = "user"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by))
        object.__setattr__(
            self, "support", Predicate.parse(SUPPORT if self.support is None else self.support, name="support")
        )
        microseconds(self.within, name="within")

    @property
    def names(self) -> tuple[str, ...]:
        """`by` as a tuple."""
        return as_names(self.by)

    @property
    def question(self) -> str:
        """The question in words."""
        per = f" per {' × '.join(self.names)}" if self.names else ""
        return f"How often is one contact with support enough, with none within {self.within} after it{per}?"

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Refuse labels that the whole log does not have."""
        check_known([Predicate.parse(self.support, name="support")], labels)

    @property
    def _too_young(self) -> str:
        """Why there is no share where there are first contacts."""
        return f"no first contact here lies {self.within} or more before the log ends"

    def specs(self) -> Mapping[str, TableSpec]:
        """First contacts by outcome, and a histogram of the time to the next one."""
        keys = dict.fromkeys(self.names, pl.String)
        return {
            "contacts": TableSpec(
                keys, {"n_contacts": "sum", "n": "sum", "n_users": "users", "resolved": "sum", "immature": "sum"}
            ),
            "returns": TableSpec({**keys, "_bucket": pl.Int64}, {"n": "sum"}),
        }

    def count(self, journeys: Journeys) -> Counts:
        """Count first contacts and whether another followed."""
        specs, within = self.specs(), microseconds(self.within)
        coded, heads = journeys.coded, journeys.heads
        holds = self.support.holds(coded.labels, coded.numbers, len(coded))
        contact = np.flatnonzero(holds)
        user, time = heads.user[journeys.journey_of_step[contact]], coded.time[contact]
        first, follows, pause = _cases(user, time, within)
        at, who, closed = contact[first], user[first], time[first] + within <= journeys.context.observed_until
        again = follows[first]
        keys = {name: key.take(at) for name, key in step_keys(journeys, self.names).items()}
        cell, size = pack(list(keys.values()), len(at))
        contacts = tabulate(
            specs["contacts"],
            keys,
            {
                "n": closed,
                "n_users": distinct_users(cell, who, closed, size),
                "resolved": closed & ~again,
                "immature": ~closed,
            },
            journeys.folds[who],
        )
        rows = np.flatnonzero(closed & again)
        returns = tabulate(
            specs["returns"],
            {name: key.take(rows) for name, key in keys.items()}
            | {"_bucket": integer_key(bucket_of(pause[first][rows]))},
            {},
            journeys.folds[who[rows]],
        )
        return Counts.of(question_of(self), basis_of(journeys), specs, {"contacts": contacts, "returns": returns})

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """The share resolved, and how soon the others come again."""
        tally = tallies["contacts"]
        n, users = tally.total("n"), tally.total("n_users")
        answer = Answer(
            keys=tally.rows,
            columns={
                **{name: tally.total(name) for name in ("n_contacts", "n", "n_users", "resolved", "immature")},
                "share": Share(tally.by_fold("resolved"), tally.by_fold("n"), users=users, once=users == n),
                "p50_s": Quantile(histogram_of(tallies["returns"], tally.rows), 0.5, 1 / MICRO, interval=False),
            },
            users=users,
            reasons=[
                self._too_young if young and not count else None
                for count, young in zip(n, tally.total("immature"), strict=True)
            ],
        )
        return {"first_contact_resolution": answer}


def first_contact_resolution(
    journeys: Journeys,
    *,
    support: Any = None,
    within: Duration = "7d",
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Result:
    """Share of first contacts with support that no further contact follows within a given time.

    share = |first contacts with no other of the same user within `within` after| / |first contacts observed that long|

    Parameters
    ----------
    journeys : made by `build_journeys`.
    support : what a contact is, in the data form of `Predicate`. By default touchpoints of kind support or complaint.
    within : a contact belongs to the same case as the one before if it comes at most this long after it.
    by : labels of the first contact (channel, touchpoint, owner, an attribute) or segments. By default one row for all
        contacts.
    confidence : level of the intervals.

    Returns
    -------
    Result; frame has one row per value of `by`:
        n_contacts i64: first contacts
        n i64: of these, the ones observed for `within`; n_users i64: their users
        resolved i64: of n, the ones that no other contact follows in that time
        immature i64: first contacts not observed long enough
        share f64: resolved ÷ n, 0–1, with interval
        p50_s f64: of the others, median seconds to the next contact
        sparse bool: few users behind the row; reason str: why the share is null

    Raises
    ------
    UnknownLabelError : the log has no kinds, or no column that `support` or `by` names.

    Notes
    -----
    A case is a chain of contacts of one user with no pause longer than `within`; it may span several journeys, whatever
    their status. Contacts at one instant belong to one case. Null labels are ``"(unknown)"``. The measure counts whole
    users, so over nights it needs a ledger. Interval: Wilson, clustered by user.
    """
    measure = FirstContact(support=support, within=within, by=by)
    check_labels([Predicate.parse(measure.support, name="support")], journeys)
    return answer(measure, journeys, confidence=confidence)


def _cases(user: Ints, time: Ints, within: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], Ints]:
    """Per contact: whether it opens a case, whether another follows in the case, and the pause until then."""
    joined = np.zeros(len(user), dtype=bool)
    joined[1:] = (user[1:] == user[:-1]) & (time[1:] - time[:-1] <= within)
    follows = np.append(joined[1:], False) if len(user) else joined
    pause = np.append(np.diff(time), 0) if len(time) else time
    return ~joined, follows, np.where(follows, pause, 0)

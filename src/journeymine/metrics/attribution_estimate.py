"""From counts of touches, sets and moves to credits: pure functions over the leading axis of replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO, NONE
from journeymine.counting.estimates import Answer, Number
from journeymine.counting.tally import Tally
from journeymine.graph.markov_counts import FOLDED_ORDER
from journeymine.graph.markov_solve import DENSE
from journeymine.metrics.attribution_markov import NO_SHARES, MarkovCredit, markov_credit
from journeymine.metrics.attribution_rules import rule_column

__all__ = ["credits_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Rows:
    """One row per label (and group): where each table's numbers belong.

    Attributes
    ----------
    frame : the key columns; the labels of a group in order, then its conversions without touch.
    group : row of each in the table of journeys.
    none : which rows are conversions without touch.
    """

    frame: pl.DataFrame
    group: Ints
    none: npt.NDArray[np.bool_]

    def place(self, amounts: Floats, rows: pl.DataFrame) -> Floats:
        """Amounts of shape [R, rows of a table], added up at these rows."""
        keys = self.frame.columns
        at = rows.select(keys).join(
            self.frame.with_row_index("_at"), on=keys, how="left", nulls_equal=True, maintain_order="left"
        )["_at"]
        out = np.zeros((self.frame.height, len(amounts)))
        np.add.at(out, at.to_numpy(), amounts.T)
        return np.asarray(out.T)


def credits_of(
    by: Sequence[str], rules: Sequence[str], order: int, tallies: Mapping[str, Tally]
) -> Mapping[str, Answer]:
    """The answers of `attribution`, from its merged counts."""
    journeys, touched = tallies["journeys"], tallies["credit"]
    markov = markov_credit(by, tallies["chain"]) if "markov" in rules else None
    rows = _rows_of(by, tallies, markov)
    untouched = np.where(rows.none, journeys.spread("untouched")[:, rows.group], 0.0)
    untouched_value = np.where(rows.none, journeys.spread("untouched_value")[:, rows.group] / MICRO, 0.0)
    credit, value = [], []
    for rule in rules:
        one, worth = _credit(rule, rows, tallies, markov)
        credit.append(one + untouched)
        value.append(worth + untouched_value)
    behind, n_users = _behind(rows, journeys, touched)
    times = len(rules)
    conversions, money = np.concatenate(credit, axis=1), np.concatenate(value, axis=1)
    if not (valued := _valued(tallies)):
        money = np.full_like(money, np.nan)
    cost = np.tile(_cost(rows, tallies["cost"]), times)
    trials = np.tile(behind, times)[journeys.present]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = conversions / np.tile(journeys.spread("converted")[:, rows.group], times)
        cpa, roas = cost / conversions, money / cost
    answer = Answer(
        keys=pl.concat([rows.frame.select(pl.lit(rule).alias("rule"), pl.all()) for rule in rules]),
        columns={
            "conversions": Number(conversions, trials, least=0.0, skewed=True),
            "share": Number(share, trials, least=0.0, skewed=True),
            "value": Number(money, trials, skewed=True),
            "n": np.tile(behind.sum(axis=0).astype(np.int64), times),
            "n_users": np.tile(n_users.astype(np.int64), times),
            "cost": pl.Series(cost[0]).fill_nan(None),
            "cpa": Number(_finite(cpa), trials, skewed=True),
            "roas": Number(_finite(roas), trials, skewed=True),
        },
        users=np.tile(journeys.total("n_users")[rows.group], times),
        converting=np.tile(n_users, times),
        reasons=_reasons(rules, rows, order, markov),
        notes=(
            *_notes(journeys),
            *(
                [f"The value by markov is not known in places: {NO_SHARES}."]
                if valued and np.isnan(money[0]).any()
                else []
            ),
        ),
    )
    return {"attribution": answer, "journeys": _journeys_answer(journeys)}


def _valued(tallies: Mapping[str, Tally]) -> bool:
    """Whether any journeys brought in or cost money, be it as much as others: in a fold, or by the labels that they touched."""
    return any(tallies[name].told("value") for name in ("journeys", "sets"))


def _behind(rows: _Rows, journeys: Tally, touched: Tally) -> tuple[Floats, Floats]:
    """Converted journeys that each label touched, by fold, and their users."""
    n = rows.place(touched.by_fold("n"), touched.rows)
    n_users = rows.place(touched["n_users"][None], touched.rows)[0]
    return (
        np.where(rows.none, journeys.by_fold("untouched")[:, rows.group], n),
        np.where(rows.none, journeys["untouched_users"][rows.group], n_users),
    )


def _cost(rows: _Rows, cost: Tally) -> Floats:
    """Cost of each row, shape [1 + K, rows]; NaN where none is known: no touch of the label carries one."""
    known = rows.place(np.ones((1, len(cost))), cost.rows) > 0
    return np.where(known, rows.place(cost.spread("cost") / MICRO, cost.rows), np.nan)


def _credit(rule: str, rows: _Rows, tallies: Mapping[str, Tally], markov: MarkovCredit | None) -> tuple[Floats, Floats]:
    """Conversions and value of each row by one rule, shape [1 + K, rows]."""
    if rule == "markov":
        assert markov is not None
        short = len(tallies["journeys"].present.nonzero()[0]) + 1 - len(markov.conversions)
        parts = []
        for amounts in (markov.conversions, markov.value / MICRO):
            padded = np.concatenate((amounts, np.full((max(short, 0), amounts.shape[1]), np.nan)))
            parts.append(rows.place(padded, markov.rows))
        return parts[0], parts[1]
    if rule == "shapley":
        sets = tallies["sets"]
        size = sets.rows["_size"].to_numpy()
        return rows.place(sets.spread("n") / size, sets.rows), rows.place(
            sets.spread("value") / MICRO / size, sets.rows
        )
    credit, value = tallies["credit"], tallies["value"]
    earned = rule_column(rule)
    return (
        rows.place(credit.spread(earned) / MICRO, credit.rows),
        rows.place(value.spread(earned) / MICRO, value.rows),
    )


def _rows_of(by: Sequence[str], tallies: Mapping[str, Tally], markov: MarkovCredit | None) -> _Rows:
    keys = [*by, "label"]
    journeys = tallies["journeys"]
    groups = (
        journeys.rows.with_columns(_group=pl.int_range(len(journeys), dtype=pl.Int64))
        if by
        else pl.DataFrame({"_group": [0]})
    )
    without = groups.filter(pl.Series(journeys.total("untouched") > 0))
    labelled = [tallies["credit"].rows, tallies["cost"].rows.select(keys)]
    if markov is not None:
        labelled.append(markov.rows.select(keys))
    none = without.with_columns(label=pl.lit(NONE), _none=pl.lit(value=True)).select(*keys, "_none")
    frame = pl.concat([pl.concat(labelled).unique().with_columns(_none=pl.lit(value=False)), none])
    frame = frame.sort([*by, "_none", "label"])
    # Text made anew: which buffers a string came from would otherwise show in the bytes of a written frame.
    frame = frame.with_columns(pl.Series(name, frame[name].to_list(), dtype=pl.String) for name in (*by, "label"))
    if by:
        group = frame.join(groups, on=list(by), how="left", nulls_equal=True, maintain_order="left")[
            "_group"
        ].to_numpy()
    else:
        group = np.zeros(frame.height, dtype=np.int64)
    return _Rows(frame.select(keys), group, frame["_none"].to_numpy())


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _reasons(rules: Sequence[str], rows: _Rows, order: int, markov: MarkovCredit | None) -> list[str | None]:
    reasons: list[str | None] = []
    for rule in rules:
        reason = None
        if rule == "markov" and order > FOLDED_ORDER:
            reason = f"a chain of order {order} keeps no folds, and so carries no interval"
        elif rule == "markov" and markov is not None and markov.n_states > DENSE:
            reason = f"a chain of {markov.n_states:,} states is solved once, without the replicates of an interval"
        reasons += [None if none else reason for none in rows.none]
    return reasons


def _notes(journeys: Tally) -> tuple[str, ...]:
    n_open, untouched = int(journeys.total("open").sum()), int(journeys.total("untouched").sum())
    notes = []
    if n_open:
        notes.append(f"{n_open:,} open journeys are neither conversions nor null paths, and are left out.")
    if untouched:
        notes.append(f"{untouched:,} conversions had no touch before them; they stand under {NONE}.")
    return tuple(notes)


def _journeys_answer(journeys: Tally) -> Answer:
    names = ("n_journeys", "n_users", "converted", "untouched", "lost", "open", "service", "ended", "left_truncated")
    return Answer(
        keys=journeys.rows,
        columns={**{name: journeys.total(name) for name in names}, "value": journeys["value"] / MICRO},
    )

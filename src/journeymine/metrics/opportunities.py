"""Opportunities: the ranked list a map ends with. What to mend first, what it would bring, and who owns it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from journeymine.counting.by import as_names
from journeymine.counting.finish import finish
from journeymine.counting.result import Result
from journeymine.counting.taken import refuse_taken
from journeymine.errors import QuestionError
from journeymine.graph.markov_chain import MarkovChain
from journeymine.graph.markov_untimed import untimed_chain
from journeymine.journeys.journeys import Journeys, check_journeys
from journeymine.metrics.contrast_blocks import ContrastMeasure, count_contrasts
from journeymine.metrics.conversion_outcomes import mean_value
from journeymine.metrics.drop_off import default_places, drop_off
from journeymine.metrics.friction import Friction
from journeymine.metrics.handoffs import HandoffLosses
from journeymine.metrics.opportunity_candidates import SCHEMA, from_drop_off, from_friction, from_handoffs
from journeymine.metrics.opportunity_groups import groups_of_journeys, in_groups
from journeymine.metrics.opportunity_owners import Places
from journeymine.metrics.opportunity_results import check_results
from journeymine.metrics.opportunity_what_if import NOTHING, Limits, asks_chain, through_chain
from journeymine.stats.intervals import check_proportion
from journeymine.stats.multiple import benjamini_hochberg

__all__ = ["opportunities", "rank_opportunities"]


def opportunities(
    journeys: Journeys, *, by: str | Sequence[str] | None = None, fdr: float = 0.05, confidence: float = 0.95
) -> Result:
    """List what to mend first: the places, frictions and handoffs where mending surely gains most.

    The gain is what it would bring if each did as well as what it is compared with.

    Parameters
    ----------
    journeys : made by `build_journeys`, with a goal.
    by : labels of journeys (segments, or labels of the entry step), one or several: makes a list for each group, from
        its journeys alone. By default one list for all journeys.
    fdr : expected share of false claims among the claims that a list may make, between 0 and 1.
    confidence : level of the intervals.

    Returns
    -------
    Result : as `rank_opportunities` gives it. With `by`, the labels of the group come first, and rank, part_of and
        p_adjusted are those of the group's own list; tables["overall"] has the claims of all journeys together.

    Raises
    ------
    QuestionError : the journeys have no goal, `fdr` is no share, or `by` names a column of the list or makes more than
        `MOST_GROUPS` groups.

    Notes
    -----
    See `rank_opportunities`, and `docs/opportunities.md` for what is gained and how each kind is tested.
    """
    check_journeys(journeys)
    if journeys.rules.goal is None:
        raise QuestionError("without a goal nothing can be gained", hint="build_journeys(events, goal=…)")
    names = as_names(by)
    refuse_taken("opportunities", names, COLUMNS)
    groups = groups_of_journeys(journeys, names)
    whole = _ranked(journeys, fdr, confidence)
    return in_groups(whole, [(labels, _ranked(part, fdr, confidence)) for labels, part in groups], names)


def _ranked(journeys: Journeys, fdr: float, confidence: float) -> Result:
    there = journeys.coded.labels
    pair = "channel" in there
    # All in one go over the journeys.
    asked: list[ContrastMeasure] = [Friction(), HandoffLosses()] if pair else [Friction()]
    found = [
        finish(measure, counts, confidence=confidence)
        for measure, counts in zip(asked, count_contrasts(asked, journeys), strict=True)
    ]
    return rank_results(
        drop_off=drop_off(journeys, by=default_places(journeys), confidence=confidence),
        friction=found[0],
        handoffs=found[1] if pair else None,
        places=Places.on(journeys),
        worth=mean_value(journeys),
        chain=lambda: untimed_chain(
            journeys, grain="channel:touchpoint" if pair else "touchpoint", confidence=confidence
        ),
        fdr=fdr,
    )


def rank_opportunities(
    *,
    drop_off: Result,
    conversion: Result,
    nodes: Result | Places | None = None,
    friction: Result | None = None,
    handoffs: Result | None = None,
    chain: MarkovChain | Callable[[], MarkovChain] | None = None,
    fdr: float = 0.05,
) -> Result:
    """Rank what to mend first from finished results, all of one log, one set of rules and the same journeys.

    Parameters
    ----------
    drop_off : drop-off per place, usually stage × channel.
    conversion : conversion of all journeys, for the mean value of a conversion.
    nodes : drop-off by touchpoint with stage, channel and owner, as far as the log has them: who owns what. By default
        owners stay empty.
    friction, handoffs : results of the measures of that name, to be ranked too. By default they are not.
    chain : an order-1 chain at grain ``"channel:touchpoint"`` (``"touchpoint"`` without channels), for ``if_mended``;
        or a function that makes it, which is called if a claim asks for it.
    fdr : expected share of false claims among the claims, between 0 and 1.

    Returns
    -------
    Result; frame has one row per claim, best first:
        rank i64: 1 is the best
        part_of i64: rank of a better claim in the same stage and channel, else null
        kind str: drop_off, friction or handoff; title str: what to mend
        stage, channel, touchpoint str: where, ``""`` where it does not apply; owner str: who is responsible
        n i64: mature journeys that come by
        share, comparable_share f64: conversion here, and of what it is compared with, 0–1; comparable str: what that is
        conversions_gained f64: journeys; value_gained f64: units of money
        p_value, p_adjusted f64: of the test, and adjusted over all candidates
        if_mended f64: further converted journeys, through the chain
        evidence str: the figures behind the claim, in words
        Estimates have …_lower and …_upper.
    tables["candidates"] has the same columns for everything that was tested, claimed or not; rank and if_mended are
    null where it was not claimed.

    Raises
    ------
    QuestionError : `fdr` is no share, a result is of another measure than its argument, conversion, friction or
        handoffs are by groups, handoffs are not between channels, `chain` is of a higher order, or `nodes` are not by
        touchpoint.
    MergeError : a result is of another log, other rules, another confidence or another selection of journeys than the
        others. Counts that were merged of several selections, or saved by an earlier version, do not say of which they
        are.

    Notes
    -----
    A row is claimed if its p_adjusted (Benjamini–Hochberg over all candidates) is at most `fdr`, and the lower limits
    of the gain, in conversions and in money, are above 0. Claims are ranked by the lower limit in money, so that what
    is surely gained comes first. In money, each conversion counts as much as those from there do on average; where
    nobody converts from there, as much as all conversions of the log do. Claims that bring conversions of value 0 come
    after the others. Where the log has no values, or a conversion costs money on average, the list is ordered by
    conversions. Journeys pass several rows, so the gains overlap and do not add up. Everything here is association.
    Open journeys, ties and nulls are as in the results given. See `docs/opportunities.md` for what is gained and how
    each kind is tested.
    """
    given: dict[str, object] = {
        "drop_off": drop_off, "conversion": conversion, "nodes": None if isinstance(nodes, Places) else nodes,
        "friction": friction, "handoffs": handoffs,
    }  # fmt: skip
    make = chain if callable(chain) else None
    check_results({**given, "chain": None if make else chain})
    return rank_results(
        drop_off=drop_off,
        friction=friction,
        handoffs=handoffs,
        places=nodes if isinstance(nodes, Places) else Places.of(nodes),
        worth=worth_of(conversion),
        chain=(lambda: _fitting(make(), given)) if make else chain,
        fdr=fdr,
    )


def _fitting(chain: MarkovChain, given: Mapping[str, object]) -> MarkovChain:
    """A chain that was made only now, if it is of the same journeys as the results."""
    check_results({**given, "chain": chain})
    return chain


def worth_of(conversion: Result) -> float | None:
    """What a conversion of all journeys is worth in the mean; None where nothing is told to be worth anything."""
    return conversion.frame["mean_value"][0] if conversion.frame.height == 1 else None


def rank_results(
    *,
    drop_off: Result,
    friction: Result | None,
    handoffs: Result | None,
    places: Places,
    worth: float | None,
    chain: MarkovChain | Callable[[], MarkovChain] | None = None,
    fdr: float = 0.05,
) -> Result:
    """The same of results that are known to fit, or of which something is withheld, given what a conversion is worth."""
    check_proportion("fdr", fdr, hint="fdr=0.05 lets one claim in twenty be false")
    parts = [from_drop_off(drop_off, places, worth)]
    if friction is not None:
        parts.append(from_friction(friction, places, worth))
    if handoffs is not None:
        parts.append(from_handoffs(handoffs, places, worth))
    found = pl.concat(parts)
    found = found.with_columns(p_adjusted=_adjusted(found["p_value"]))
    in_money = worth is not None and worth > 0
    found = _in_order(found, fdr, in_money=in_money)
    found = _one_per_place(found)
    claims = pl.col("_sure").cum_sum().cast(pl.Int64)
    found = found.with_columns(rank=pl.when("_sure").then(claims).otherwise(None)).drop("_sure")
    found = _with_chain(found, chain, places)
    frame = found.filter(pl.col("rank").is_not_null())
    tested = found.filter(pl.col("p_value").is_not_null()).height
    rate = f"at a false discovery rate of {fdr:.0%}"
    said = f"{frame.height} of {tested} tested rows are claimed {rate}; their gains overlap and do not add up"
    if not tested:
        said = "no place, friction or handoff has users enough to be tested, so nothing is claimed"
    elif frame.is_empty():
        said = f"none of the {tested} tested rows is claimed {rate}"
    return Result(
        name="opportunities",
        question="What should be mended first, and what would that bring?",
        frame=frame,
        tables={"candidates": found},
        schema_version=1,
        confidence=drop_off.confidence,
        basis=drop_off.basis,
        notes=(said, *(() if in_money or worth is None else (COSTS,))),
    )


def _in_order(found: pl.DataFrame, fdr: float, *, in_money: bool) -> pl.DataFrame:
    """The candidates, those that are claimed (`_sure`) first, by the lower limit of what is gained.

    A row that has no value in a log with values is claimed by its conversions, after those that bring money.
    """
    conversions, money = pl.col("conversions_gained_lower"), pl.col("value_gained_lower")
    money = money.fill_null(0.0) if in_money else pl.lit(0.0)
    unpriced = (pl.col("value_gained") == 0) | pl.col("value_gained_lower").is_null()
    sure = (pl.col("p_adjusted") <= fdr) & (conversions > 0) & ((money > 0) | unpriced | pl.lit(not in_money))
    order = ["_sure", "_money", "conversions_gained_lower", "kind", "title"]
    descending = [True, True, True, False, False]
    found = found.with_columns(_sure=sure.fill_null(value=False), _money=money)
    return found.sort(order, descending=descending, nulls_last=True).drop("_money")


def _adjusted(p: pl.Series) -> pl.Series:
    values = p.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return pl.Series(benjamini_hochberg(values), dtype=pl.Float64).fill_nan(None)


def _one_per_place(found: pl.DataFrame) -> pl.DataFrame:
    """Of several frictions claimed at one touchpoint, the surest only: they are mostly the same journeys."""
    mends = pl.col("_sure") & (pl.col("kind") == "friction")
    again = mends.cum_sum().over("channel", "touchpoint", "kind") > 1
    return found.with_columns(_sure=pl.col("_sure") & ~(mends & again)).sort(
        "_sure", descending=True, maintain_order=True
    )


def _with_chain(
    found: pl.DataFrame, chain: MarkovChain | Callable[[], MarkovChain] | None, places: Places
) -> pl.DataFrame:
    """Further conversions of the whole chain, for the claims."""
    asked = found.select(pl.col("rank").is_not_null() & asks_chain()).to_series()
    rows: list[Limits] = [NOTHING] * found.height
    if chain is not None and asked.any():
        solved = chain if isinstance(chain, MarkovChain) else chain()
        limits = through_chain(solved, places, found.filter(asked).rows(named=True))
        for at, each in zip(asked.arg_true(), limits, strict=True):
            rows[at] = each
    added = pl.DataFrame(rows, schema=dict.fromkeys(_MENDED, pl.Float64), orient="row")
    first = pl.col("rank").min().over("stage", "channel")
    part_of = pl.when(first < pl.col("rank")).then(first)
    return found.with_columns(added, part_of=part_of).select(COLUMNS)


_MENDED = ("if_mended", "if_mended_lower", "if_mended_upper")
COSTS = "a conversion of this log brings no money in the mean, so the list goes by conversions"
COLUMNS = ("rank", "part_of", *(name for name in SCHEMA if name != "evidence"), "p_adjusted", *_MENDED, "evidence")
"""Columns of the list."""

"""From events to journeys: order once, then a few passes over integers, part by part on all cores."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MISSING, UNKNOWN
from journeymine.errors import RulesError, UnknownLabelError
from journeymine.events.coded import Coded, CodedEvents
from journeymine.events.order import OrderedEvents, order_events
from journeymine.events.stage_map import StageMap
from journeymine.journeys.amounts import add_amounts
from journeymine.journeys.company import CompanyTouches, attach_company, split_company
from journeymine.journeys.context import LogContext, goal_rank, sale_rank
from journeymine.journeys.cuts import CutRules, Cuts, cut_journeys
from journeymine.journeys.facts import Facts, facts_of
from journeymine.journeys.heads import Heads
from journeymine.journeys.journeys import Journeys, Steps
from journeymine.journeys.notes import notes_of
from journeymine.journeys.predicate import Predicate
from journeymine.journeys.rules import JourneyRules
from journeymine.journeys.status import Prior, heads_of
from journeymine.parallel import on_all_cores, take
from journeymine.stats.folds import fold_of

__all__ = ["build_coded", "build_ordered"]

PART = 1 << 17
"""Steps built at a time: small enough for the caches, large enough that no user is a part of its own."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The rules with everything looked up that does not depend on the part."""

    rules: JourneyRules
    context: LogContext
    cut: CutRules
    stays: bool
    """Whether a journey has an after-sale part."""
    sale_rank: int | None
    column: str | None
    prior: Prior | None = None


def build_coded(
    events: CodedEvents,
    rules: JourneyRules,
    context: LogContext,
    stages: StageMap | None,
    prior: pl.DataFrame | None = None,
) -> Journeys:
    """Build journeys from whole users' events, in input order; see `build_ordered`."""
    return build_ordered(order_events(events), rules, context, stages, prior)


def build_ordered(
    events: OrderedEvents,
    rules: JourneyRules,
    context: LogContext,
    stages: StageMap | None,
    prior: pl.DataFrame | None = None,
) -> Journeys:
    """Build journeys from whole users' events.

    Parameters
    ----------
    prior : what was counted earlier of some users: user, journeys, goals. Their events here begin where a journey does.

    Notes
    -----
    The answer for a user depends on that user's events, the rules, the context and the stage map only, so any partition
    of the users gives the same journeys. Journeys of a log without company touches share the arrays of `events`.
    """
    facts = facts_of(stages, events.labels)
    check_goal_not_company(rules, facts, events.labels)
    order, company = split_company(events, facts)
    plan = _plan(rules, context, stages, order, facts)
    if prior is not None:
        plan = replace(plan, prior=_prior_of(order.users, prior))
    steps, heads, offsets = _build_parts(order, facts, plan)
    journeys = Journeys(
        coded=steps,
        offsets=offsets,
        heads=heads,
        users=order.users,
        folds=fold_of(order.users),
        segments={name: _first_known(steps.labels[column], offsets) for name, column in rules.segments.items()},
        company=CompanyTouches.none(),
        rules=rules,
        context=context,
        stages=stages.names if stages is not None and "stage" in steps.labels else (),
        stage_map=(stages or StageMap()).fingerprint,
        notes=notes_of(rules, stages, {name: coded.labels for name, coded in steps.labels.items()}),
        goal_stage=None if stages is None or plan.sale_rank is None else stages.names[plan.sale_rank],
    )
    return journeys if company is None else _with_company(journeys, attach_company(journeys, company, facts))


def _prior_of(users: pl.Series, prior: pl.DataFrame) -> Prior:
    known = users.to_frame("user").join(prior, on="user", how="left", maintain_order="left").fill_null(0)
    return Prior(known["journeys"].cast(pl.Int64).to_numpy(), known["goals"].cast(pl.Int64).to_numpy())


def _with_company(journeys: Journeys, company: CompanyTouches) -> Journeys:
    """Put the company's touches beside the steps, and what they cost to the journeys."""
    cost = journeys.heads.cost
    if "cost" in company.numbers:
        spent = company.numbers["cost"]
        cost = add_amounts("cost", cost, company.journey, np.where(spent == MISSING, 0, spent))
    return journeys.replace(company=company, heads=journeys.heads.replace(cost=cost))


def _plan(
    rules: JourneyRules, context: LogContext, stages: StageMap | None, events: OrderedEvents, facts: Facts
) -> _Plan:
    by, column = "attempt", None
    if rules.split in ("user", "session"):
        by = rules.split
    elif rules.split is not None:
        by, column = "column", rules.split
    for name in [column, *rules.segments.values()]:
        if name is not None and name not in events.labels and name not in facts.columns:
            raise UnknownLabelError.naming("column", name, [*events.labels, *facts.columns])
    if clash := [
        name for name, of in rules.segments.items() if name != of and name in {**events.labels, **facts.columns}
    ]:
        raise RulesError(
            f"the segment {clash[0]!r} is of the column {rules.segments[clash[0]]!r}, and there is a column {clash[0]!r}",
            hint="give it another name",
        )
    cut = CutRules(rules.idle_us, rules.session_gap_us, by)
    return _Plan(rules, context, cut, goal_rank(rules, stages) is not None, sale_rank(rules, stages), column)


def _build_parts(order: OrderedEvents, facts: Facts, plan: _Plan) -> tuple[Steps, Heads, npt.NDArray[np.int64]]:
    """Build part after part; what is known of labels alone goes into arrays made once for all of them."""
    n = len(order)
    known = {name: Coded(np.empty(n, dtype=coded.codes.dtype), coded.labels) for name, coded in facts.columns.items()}
    steps = Steps(order.time, {**order.labels, **known}, order.numbers)

    def fill(users: slice) -> int:
        there = slice(int(order.offsets[users.start]), int(order.offsets[users.stop]))
        part = steps.slice(there)
        if known:
            pairs = facts.pairs(part.labels)
            for name, lookup in facts.columns.items():
                part.labels[name].codes[:] = take(lookup.codes, pairs)
        return int(np.count_nonzero(_Flags.of(part, order.offsets[users.start : users.stop + 1], plan).cuts.journey))

    users = list(user_slices(order.offsets))
    bounds = np.concatenate(([0], np.cumsum(on_all_cores(fill, users), dtype=np.int64)))
    # Written where they stay: memory is asked for once, and not part by part.
    heads, offsets = Heads.empty(int(bounds[-1])), np.append(np.empty(int(bounds[-1]), dtype=np.int64), n)

    def build(which: tuple[slice, int, int]) -> None:
        users, low, high = which
        first = int(order.offsets[users.start])
        part = steps.slice(slice(first, int(order.offsets[users.stop])))
        here = plan if plan.prior is None else replace(plan, prior=plan.prior.slice(users))
        starts, found = _build_part(part, order.offsets[users.start : users.stop + 1], here)
        offsets[low:high] = starts + first
        heads.put(slice(low, high), found.replace(user=found.user + users.start))

    on_all_cores(build, list(zip(users, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)))
    return steps, heads, offsets


def user_slices(offsets: npt.NDArray[np.int64], part: int = PART) -> Iterator[slice]:
    """Consecutive ranges of users with about `part` steps each; one empty range when there is no user."""
    n_users = len(offsets) - 1
    cuts = np.searchsorted(offsets, np.arange(part, int(offsets[-1]), part), side="left")
    bounds = np.unique(np.concatenate(([0], np.clip(cuts, 0, n_users), [n_users])))
    if n_users == 0:
        yield slice(0, 0)
    for low, high in itertools.pairwise(bounds):
        yield slice(int(low), int(high))


@dataclass(frozen=True, slots=True)
class _Flags:
    """What each step of a part is, and where journeys begin."""

    new_user: npt.NDArray[np.bool_]
    goal: npt.NDArray[np.bool_] | None
    lost: npt.NDArray[np.bool_] | None
    earlier: npt.NDArray[np.bool_] | None
    aftersale: npt.NDArray[np.bool_] | None
    cuts: Cuts

    @classmethod
    def of(cls, steps: Steps, user_offsets: npt.NDArray[np.int64], plan: _Plan) -> _Flags:
        """Flags of the steps of whole users, which begin at `user_offsets` less the first of them."""
        rules, n = plan.rules, len(steps)
        new_user = np.zeros(n, dtype=bool)
        new_user[user_offsets[:-1] - user_offsets[0]] = True
        goal = rules.goal.holds(steps.labels, steps.numbers, n) if rules.goal is not None else None
        lost = rules.lost_at.holds(steps.labels, steps.numbers, n) if rules.lost_at is not None else None
        earlier = aftersale = None
        if plan.sale_rank is not None:
            stage = steps.labels["stage"]
            earlier = stage.codes < plan.sale_rank
            aftersale = (stage.codes >= plan.sale_rank) & (stage.codes < len(stage.labels) - 1)
        cuts = cut_journeys(
            steps.time,
            new_user,
            plan.cut,
            goal=goal,
            lost=lost,
            earlier=earlier if plan.stays else None,
            column=steps.labels[plan.column].codes if plan.column else None,
        )
        return cls(new_user, goal, lost, earlier, aftersale, cuts)


def _build_part(steps: Steps, user_offsets: npt.NDArray[np.int64], plan: _Plan) -> tuple[npt.NDArray[np.int64], Heads]:
    """Journeys of whole users: the first step of each, and its head."""
    flags = _Flags.of(steps, user_offsets, plan)
    starts = np.flatnonzero(flags.cuts.journey)
    heads = heads_of(
        steps, starts, flags.new_user, flags.cuts.session, plan.rules, plan.context,
        goal=flags.goal, lost=flags.lost, earlier=flags.earlier, aftersale=flags.aftersale,
        counts_value=_counts_value(steps, plan.rules, flags.goal), prior=plan.prior,
    )  # fmt: skip
    return starts, heads


def _counts_value(
    steps: Steps, rules: JourneyRules, goal: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_] | None:
    """Steps whose value counts; None for all of them."""
    if rules.value_from == "any":
        return None
    if isinstance(rules.value_from, Predicate):
        return rules.value_from.holds(steps.labels, steps.numbers, len(steps))
    return goal if goal is not None else None


def _first_known(coded: Coded, offsets: npt.NDArray[np.int64]) -> Coded:
    """Each journey's first label that is not absent."""
    n = len(offsets) - 1
    if UNKNOWN not in coded.labels:
        return coded.take(offsets[:-1])
    unknown = coded.labels.index(UNKNOWN)
    codes = np.full(n, unknown, dtype=coded.codes.dtype)
    known = np.flatnonzero(coded.codes != unknown)
    journey = np.searchsorted(offsets, known, side="right") - 1
    first = np.ones(len(known), dtype=bool)
    first[1:] = journey[1:] != journey[:-1]
    codes[journey[first]] = coded.codes[known[first]]
    return Coded(codes, coded.labels)


def check_goal_not_company(rules: JourneyRules, facts: Facts, labels: Mapping[str, Coded]) -> None:
    """Refuse a goal that only the company can bring about."""
    named = (rules.goal.touchpoints() if rules.goal is not None else None) or ()
    table = facts.by_company.reshape(-1, facts.n_channels)
    ours: list[Any] = [
        name for name, row in zip(labels["touchpoint"].labels, table, strict=True) if name in named and row.all()
    ]
    if ours:
        raise RulesError(
            f"the goal {', '.join(map(repr, ours))} is declared by_company, and what the company does converts nobody",
            hint="choose a touchpoint of the customer's, or drop by_company",
        )

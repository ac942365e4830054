"""Write docs/schemas.md: every output table, column by column, as the library really gives it.

    python scripts/output_schemas.py          # rewrites the page
    python scripts/output_schemas.py --check  # fails where the page is out of date

A column without an entry in MEANING stops the script: no output goes undocumented.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

import journeymine as jm
from journeymine.counting.result import Result

PAGE = Path(__file__).resolve().parents[1] / "docs" / "schemas.md"

INTRO = """# Output schemas

Made by `scripts/output_schemas.py` from the tables themselves; a test keeps it true. Every result carries a
`schema_version`; a table changes its columns only in a major version, after one that warns. Estimates `x` are followed by
`x_lower` and `x_upper`, null where there is no interval. Label columns (stage, channel, touchpoint, owner, segments,
attributes) come first, as asked for with `by=`.
"""

MEANING = {
    "user": "user id, after identities were resolved",
    "nth_journey": "which journey of its user, from 1",
    "prior_goals": "converted journeys of the user before it",
    "n_steps": "steps",
    "n_sessions": "sessions",
    "start": "first step, UTC",
    "end": "last step, UTC",
    "goal_at": "the converting step, UTC; null without one",
    "duration_s": "seconds from first to last step",
    "entry_touchpoint": "touchpoint of the first step",
    "entry_channel": "channel of the first step",
    "entry_stage": "stage of the first step",
    "exit_touchpoint": "touchpoint of the last step",
    "exit_channel": "channel of the last step",
    "exit_stage": "stage of the last step",
    "furthest_stage": "latest mapped stage reached; null where none is mapped",
    "n_channels": "different channels",
    "value": "units of money",
    "cost": "units of money, company touches included",
    "status": "converted, lost, open, service or ended",
    "mature": "journeys: started at least `mature_after` before `observed_until`; edges: such journeys",
    "left_truncated": "journeys: begins within `idle` of the log's start; results: how many do",
    "next_start": "start of the user's next journey, UTC; null without one",
    "step": "journeys: position in the journey, from 1, null for a company touch; results: name of the step",
    "session": "session in the journey, from 1; null for a company touch",
    "timestamp": "UTC",
    "touchpoint": "what happened",
    "channel": "where it happened",
    "stage": "phase of the journey, in stage order",
    "owner": "who is responsible",
    "kind": "complaint, error, support, …",
    "device": "an attribute of the sample",
    "satisfaction": "score, on the scale of its source",
    "is_goal": "the step that converts the journey",
    "by_company": "the company acted, not the customer",
    "reason": "why the first estimate of the row, its headline, is missing; quarantine: why the row was set aside",
    "source": "source of the row",
    "file": "file of the row",
    "row": "data row in the file, from 0, header not counted",
    "n": "what the row counts, named in its docstring",
    "n_journeys": "journeys",
    "n_users_all": "distinct users",
    "n_users": "distinct users behind the headline; over several nights a lower bound",
    "n_reached": "journeys with a step here, mature or not",
    "converted": "of n: with the goal",
    "lost": "of n: lost",
    "open": "of n: still open",
    "service": "journeys of earlier buyers that are only after-sale; outside n",
    "ended": "journeys that ended, where there is no goal",
    "immature": "too young to be judged; outside n",
    "share": "0–1",
    "covered": "share of journeys, added up from the top row",
    "p50_s": "median, seconds",
    "p90_s": "90 % quantile, seconds",
    "p95_s": "95 % quantile, seconds",
    "mean_s": "mean, seconds",
    "min_s": "least, seconds",
    "max_s": "greatest, seconds",
    "mean_value": "units of money per converted journey",
    "went_on": "of n: a later step in a higher stage",
    "converted_later": "of n: the goal comes after",
    "lost_here": "of n: lost, with the last step here",
    "open_here": "of n: still open, with the last step here",
    "came_back": "of the lost: followed by another journey of the user",
    "went_on_share": "went_on ÷ n",
    "converted_share": "drop_off: converted_later ÷ n; time_to_convert: by then; waiting: converted_after ÷ arrived",
    "lost_share": "drop_off: lost_here ÷ n; time_to_convert: by then; waiting: lost_waiting ÷ n",
    "open_share": "drop_off: open_here ÷ n; time_to_convert: neither converted nor lost by then",
    "came_back_share": "drop_off: came_back ÷ lost_here; win_back: within the horizon, censored ones accounted for",
    "came_back_p50_s": "median seconds from the last step to the next journey",
    "conversions_at_stake": "lost_here × (converted_share of the best comparable place − own)",
    "value_at_stake": "the same, in units of money",
    "from": "step before; null where a journey begins",
    "to": "step after; null where a journey ends",
    "label": "the node",
    "conversion": "converted ÷ mature, 0–1",
    "path": "labels in order; null: journeys longer than max_steps, together",
    "mean_duration_s": "mean seconds from first to last step",
    "position": "mean place of the first such step, 0 first to 1 last",
    "nth": "number of the step or purchase, from 1",
    "n_entrants": "units with an entry whose window has closed",
    "share_of_previous": "n ÷ n of the required step before",
    "dropped": "reached the required step before and not this one; null for the first and for optional ones",
    "low_s": "least time of the bucket, seconds",
    "high_s": "where the next bucket begins, seconds",
    "period": "first day of the period; retention: number of the period after the entry, 0 its own",
    "n_asked": "steps at a channel and touchpoint that ever carries a score",
    "n_answered": "of n_asked: with a score",
    "emotion": "mean score mapped to −2 … +2",
    "mean": "mean score on its scale; null where scales mix",
    "csat_share": "share of answers with emotion ≥ +1",
    "dissatisfied_share": "share of answers with emotion ≤ −1",
    "nps": "promoters − detractors, −100 … 100; null unless all on 0–10",
    "response_share": "n_answered ÷ n_asked",
    "converted_answered": "share that converts among journeys that answered",
    "converted_silent": "the same among those that kept silent at the same touchpoints",
    "response_bias": "converted_answered − converted_silent",
    "emotion_rest": "emotion of the touchpoints it is compared with",
    "n_rest": "answers at those",
    "rest_of": "stage or journey: what it is compared with",
    "difference": "first minus second, as the docstring names them",
    "p_value": "two-sided p of no difference; null where not tested",
    "p_adjusted": "the same for all rows tested together (Benjamini–Hochberg)",
    "rank": "place in the list, 1 first; null where nothing is claimed",
    "part_of": "rank of a better claim in the same stage and channel, of which this is mostly a part",
    "title": "what to mend",
    "comparable_share": "conversion of the comparable",
    "comparable": "what it is compared with",
    "conversions_gained": "further conversions of the mature journeys, if it did as well as the comparable",
    "value_gained": "the same, in units of money",
    "if_mended": "further conversions through the Markov chain; null where a chain cannot tell",
    "evidence": "the figures behind it, in words",
    "n_onward": "of n_reached: reach a later stage, or convert",
    "onward_share": "n_onward ÷ n_reached",
    "reached_share": "n_reached ÷ n",
    "estimate": "the column that is compared",
    "a": "the first group's",
    "b": "the second group's",
    "n_tested": "rows tested together",
    "statistic": "of the test; null where it is the least adjusted p-value",
    "df": "degrees of freedom",
    "n_a": "mature journeys of the first group",
    "n_b": "mature journeys of the second group",
    "weight_a": "n_a ÷ all of the first",
    "weight_b": "n_b ÷ all of the second",
    "share_a": "conversion in the first",
    "share_b": "conversion in the second",
    "mix_effect": "change in overall conversion because more or fewer journeys are of this kind",
    "rate_effect": "change in overall conversion because journeys of this kind convert more or less",
    "effect": "part of the change in overall conversion",
    "onward_a": "share that goes on from here, in the first",
    "onward_b": "share that goes on from here, in the second",
    "part": "mix, rate, or their sum, the change",
    "running": "of n_reached: the last visit is here and may go on after the log ends; left out",
    "mean_visits": "runs of consecutive steps here, per journey",
    "horizon_s": "seconds: what the shares look ahead",
    "half_s": "seconds by which half of those who convert within the horizon have",
    "open_mean_s": "mean seconds undecided, up to the horizon",
    "time_s": "end of the bin, seconds",
    "at_risk": "still waiting and watched in the bin",
    "censored": "watched until this bin and no longer",
    "cause": "what ends the waiting",
    "n_groups": "groups compared",
    "chi2": "log-rank statistic for independent journeys",
    "p_independent": "its p-value",
    "cohort": "first day of the period of entry",
    "n_cohort": "members of the cohort",
    "retained": "of n: came again",
    "value_per_user": "units of money in the period, per member",
    "users_back": "distinct users who came again",
    "so_far_share": "came again ÷ n, so far",
    "repeated": "purchases, or customers, followed by another purchase so far",
    "repeated_share": "repeat_rate: within the horizon, or by then; customer_value: repeated ÷ customers",
    "hazard_share": "of those silent until this bin: buy in it",
    "lapsed_share": "of those silent after this bin: stay so up to the horizon",
    "active": "users active in the period or window",
    "new": "active for the first time",
    "returning": "active in the period before too",
    "resurrected": "active before, but not in the period before",
    "dormant": "active in the period before, not in this one; null while it lasts",
    "complete": "the period is over",
    "retained_share": "returning ÷ active in the period before",
    "quick_ratio": "(new + resurrected) ÷ dormant",
    "window_days": "length of the window, whole days",
    "n_days": "days whose window the log covers",
    "mean_active_1d": "mean users active on such a day",
    "mean_active": "mean users active in its window",
    "day": "the last day of the window",
    "active_1d": "users active on the day",
    "buyers": "users with a purchase",
    "customers": "of buyers: watched long enough",
    "purchases": "of customers",
    "value_per_customer": "units of money",
    "p50_value": "median over customers, units of money",
    "p90_value": "90 % quantile over customers, units of money",
    "value_per_purchase": "units of money",
    "purchases_per_customer": "mean",
    "buyer_share": "buyers ÷ n_users",
    "weekday": "1 (Monday) to 7",
    "hour": "0 to 23",
    "goals": "steps by which a journey converts",
    "arrived": "of n: got there",
    "lost_waiting": "of n: did not get there, and are lost",
    "open_waiting": "of n: did not get there, and are open",
    "converted_after": "of arrived: the goal is there or later",
    "users_arrived": "distinct users in arrived",
    "arrived_share": "arrived ÷ n",
    "rule": "how credit is given",
    "conversions": "conversions credited",
    "cpa": "cost ÷ conversions credited",
    "roas": "value credited ÷ cost",
    "untouched": "of converted: without a touch before",
    "state": "the last labels, oldest first",
    "visits": "visits per journey",
    "steps": "further steps from here, the goal among them",
    "seconds": "mean seconds from here until the goal or the last step",
    "outcome": "how the journey ends; null where it goes on",
    "probability": "n ÷ all moves from there, 0–1",
    "n_crossings": "steps from the one to the other, before and after the goal",
    "n_ping_pong": "of n_crossings: straight back to where the journey was before",
    "lost_at": "of n: lost, with the arrival as last step",
    "lost_at_share": "lost_at ÷ n",
    "lost_excess": "share lost in the stage of arrival, minus that of the other ways on to that stage",
    "p_lost": "two-sided p of no excess; null where not tested",
    "p_lost_adjusted": "the same for all crossings tested together (Benjamini–Hochberg)",
    "converted_with": "share that converts of the journeys with it",
    "converted_without": "the same of the others that reached the same stage",
    "friction": "repeat, loop, back_step, wait, abandoned_session, or a kind of the stage map",
    "n_times": "times it happened",
    "lift": "converted_with ÷ converted_without",
    "information_gain_bits": "what passing tells about converting, within stages, bits",
    "n_ways": "different continuations, the end among them",
    "entropy_bits": "Shannon's entropy of what comes next, bits",
    "n_contacts": "first contacts with support",
    "resolved": "of n: no other contact within the time",
    "sparse": "under 300 users or 30 converting ones",
}

ELSEWHERE = {
    "attribution": {"label": "what is credited; (none): conversions without a touch", "share": "conversions ÷ all"},
    "markov": {
        "n": "visits to the state, or moves",
        "from": "state before",
        "to": "state after; null where the journey ends",
        **{
            status: f"chance, 0–1, that a journey {end}, from here"
            for status, end in {
                "converted": "converts", "lost": "is lost", "open": "stays open", "ended": "ends where there is no goal"
            }.items()
        },
    },
    "handoffs": {"from": "label left", "to": "label entered", "n": "mature journeys that cross before the goal"},
    "friction": {"conversions_at_stake": "n × −difference"},
    "decision_points": {"label": "what is passed"},
}  # fmt: skip
"""Result → columns that mean something of their own there."""

TYPES = {"String": "text", "Int64": "integer", "UInt32": "integer", "Float64": "number", "Boolean": "true or false"}
"""Polars type → plain words; times and lists are told by `type_of`."""


def results(journeys: jm.Journeys) -> Iterator[Result]:
    """One result of each kind."""
    yield jm.conversion(journeys, by="channel")
    yield jm.drop_off(journeys)
    yield jm.transitions(journeys).result
    yield jm.variants(journeys)
    yield jm.typical_order(journeys)
    yield jm.satisfaction(journeys)
    yield jm.opportunities(journeys)
    yield jm.stage_reach(journeys)
    yield jm.before_after(journeys, "2026-03-15", jm.Conversion(by="channel"))
    yield jm.decompose(journeys.between("2026-03-15", "2027-01-01"), journeys.between("2026-01-01", "2026-03-15"))
    yield jm.funnel(journeys, steps=["product_viewed", "basket_filled", "order_placed"], within="7d", trend="month")
    yield jm.dwell(journeys)
    yield jm.time_to_convert(journeys, by="channel")
    yield jm.waiting(journeys, start="basket_filled", until="order_placed")
    yield jm.activity(journeys)
    yield jm.retention(journeys)
    yield jm.life_cycle(journeys)
    yield jm.stickiness(journeys)
    yield jm.win_back(journeys)
    yield jm.repeat_rate(journeys)
    yield jm.customer_value(journeys)
    yield jm.attribution(journeys)
    yield jm.markov(journeys).result
    yield jm.handoffs(journeys)
    yield jm.friction(journeys)
    yield jm.decision_points(journeys)
    yield jm.first_contact_resolution(journeys)


def type_of(kind: pl.DataType) -> str:
    """A column's type in plain words."""
    if isinstance(kind, pl.List):
        return f"list of {type_of(kind.inner)}"  # type: ignore[arg-type]
    if isinstance(kind, pl.Datetime):
        return "datetime, UTC" if kind.time_zone == "UTC" else "datetime"
    return TYPES.get(str(kind), str(kind).lower())


def rows_of(frame: pl.DataFrame, of: str = "") -> list[str]:
    """A line per column; the limits of an interval stand with their estimate."""
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for name, kind in frame.schema.items():
        if name.endswith(("_lower", "_upper")) and name.rpartition("_")[0] in frame.columns:
            continue
        plain = name.removeprefix("raw_")
        known = ELSEWHERE.get(of, {}).get(name) or MEANING.get(name)
        meaning = known or (f"text of {plain} as it stood in the file" if name.startswith("raw_") else None)
        if meaning is None:
            raise SystemExit(f"column {name!r} has no meaning; add it to MEANING in {Path(__file__).name}")
        with_interval = " · with interval" if f"{name}_lower" in frame.columns else ""
        lines.append(f"| `{name}` | {type_of(kind)} | {meaning}{with_interval} |")
    return lines


def page() -> str:
    """The whole page."""
    events = jm.sample(users=600)
    journeys = jm.build_journeys(events)
    parts = [INTRO]
    quarantine = events.quarantine.select("reason", "source", "file", "row")
    frames: Mapping[str, tuple[str, pl.DataFrame]] = {
        "journeys.table": ("One row per journey, sorted by user and time.", journeys.table),
        "journeys.steps": ("One row per step, and per company touch.", journeys.steps),
        "events.quarantine": ("One row per row set aside, with its used columns as text behind `raw_`.", quarantine),
    }
    for title, (about, frame) in frames.items():
        parts.append("\n".join([f"## {title}\n", f"{about}\n", *rows_of(frame)]) + "\n")
    for result in results(journeys):
        lines = [
            f"## {result.name}\n",
            f"{result.question} Schema version {result.schema_version}.\n",
            *rows_of(result.frame, result.name),
        ]
        parts.append("\n".join(lines) + "\n")
        for name, frame in result.tables.items():
            parts.append("\n".join([f"### {result.name}: {name}\n", *rows_of(frame, result.name)]) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, or check it."""
    text = page()
    if "--check" in sys.argv:
        if PAGE.read_text("utf-8") != text:
            raise SystemExit(f"{PAGE.name} is out of date: run python scripts/{Path(__file__).name}")
        return
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

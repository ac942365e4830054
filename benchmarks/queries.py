"""What SQL can answer of our measures: the same figures, from the file of the log, in one statement each.

One text serves DuckDB and ClickHouse, but for a few words (see `sql`). A statement gives every column of our main frame, called
as there, but for intervals, the flags `sparse` and `reason`, and what follows by a formula from the few rows of the answer:
below, what it gives stands before the semicolon, what follows after it. Of the plain log, which has no stages and no value,
`service`, `stage` and `value` are left out. Quantiles come as lists, and curves as those who leave in each bin. What is
counted per journey or user is grouped by it first; few users are counted as they are. A test holds all of it against ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import journey_queries as journeys
from benchmarks import user_queries as users
from benchmarks.sql import Query

__all__ = ["QUERIES"]

QUERIES: Mapping[str, Query] = {
    # edges and nodes: from, to, status, n, n_journeys, n_users, mature, converted, mean, min, max, p50, p90,
    # p95; conversion
    "transitions": Query("edges and nodes: times, journeys, users, conversion, times between", journeys.TRANSITIONS),
    # channel, n_journeys, n_users_all, n, n_users, converted, lost, open, immature, left_truncated, p50, p90;
    # share
    "conversion": Query(
        "journeys by what became of them, and the time to convert, per entry channel", journeys.CONVERSION
    ),
    # channel, n_reached, n, n_users, went_on, converted_later, lost_here, open_here, came_back,
    # came_back_p50; the shares of n, comparable, n_comparable, conversions_at_stake
    "drop_off": Query(
        "journeys that reach each channel, go on, convert, are lost or open there, or come back", journeys.DROP_OFF
    ),
    # nth, n (= n_users), n_entrants, immature, p50, p90; share, share_of_previous, dropped
    "funnel": Query("users per step of a funnel of 3 steps in 7 days, with re-entry, and their times", users.FUNNEL),
    # rule, label, conversions, n, n_users; share
    "credit": Query("first, last and linear credit per channel, with journeys and users", journeys.CREDIT),
    # cohort, period, n_cohort, left_truncated, n, retained; share
    "retention": Query("weekly cohorts by week, young cells censored", users.RETENTION),
    # by period: active, new, returning, resurrected, dormant, left_truncated, complete; retained_share and
    # quick_ratio
    "life_cycle": Query("new, returning, resurrected, dormant users per month", users.LIFE_CYCLE),
    # n_users, n_days, mean_active_1d, mean_active, per window; share
    "stickiness": Query("daily over weekly and monthly users, over all days", users.STICKINESS),
    # weekday, hour, n, n_journeys, n_users, goals; share
    "activity": Query("steps, journeys, users and orders per weekday and hour", users.ACTIVITY),
    # nth, n, n_users, repeated, users_back, p50, p90, and bins with repeated, censored; so_far_share,
    # repeated_share
    "repeat_rate": Query("orders followed by another, the time between, and who is still watched", users.REPEAT),
    # n_journeys, n, n_users, converted, lost, open, left_truncated, and bins with converted, lost, censored;
    # the three shares within the horizon, half_s, open_mean_s
    "time_to_convert": Query("journeys converted, lost and censored per day since their start", journeys.OUTCOMES),
    # n, n_users, came_back, users_back, p50, p90, and bins with came_back, censored; so_far_share,
    # came_back_share
    "win_back": Query("lost journeys followed by another, the time, and who is still watched", journeys.WIN_BACK),
    # n_journeys, n, n_users, arrived, lost_waiting, open_waiting, converted_after, users_arrived, p50, p90,
    # mean; the three shares
    "waiting": Query("from the cart to the order: who arrives, who is lost or open, and the time", journeys.WAITING),
    # channel, n_reached, n, n_users, running, left_truncated, immature, p50, p90, mean, mean_visits
    "dwell": Query("time and visits in each channel per journey, with those of whom it is not known", journeys.DWELL),
    # from, to, n_crossings, n_ping_pong, n_journeys, n, n_users, lost_at, n_arrivals, lost_otherwise, p50,
    # p90, converted_with, converted_without; lost_at_share, lost_excess, difference
    "handoffs": Query(
        "crossings between channels, their times, losses and returns, and other arrivals", journeys.HANDOFFS
    ),
    # label, n_journeys, n, n_users, converted_with, converted_without; difference, lift,
    # information_gain_bits
    "decision_points": Query("journeys, users and conversion with and without each touchpoint", journeys.DECISIONS),
    # path, n_steps, n, n_users, converted, lost, open, conversion, mean_duration; share, covered
    "variants": Query(
        "distinct paths, with journeys, users, what became of them and how long they took", journeys.VARIANTS
    ),
    # n_users, buyers, customers, purchases, repeated, value, p50, p90; the four means, buyer_share,
    # repeated_share
    "customer_value": Query("customers, orders and value, with quantiles", users.VALUE, shape="rich"),
    # touchpoint, n_asked, n_answered, n_users, mean, csat_share, dissatisfied_share, converted_answered,
    # converted_silent; emotion, response_share, response_bias, and the dips from the same rows
    "satisfaction": Query("scores per touchpoint, who answered and who kept silent", users.SATISFACTION, shape="rich"),
}
"""By the name of our case that answers the same."""

"""The plain figure of the questions that `queries` answers in full: shorter statements, as one would write them first.

They say less than our answers do: no users behind the journeys, nothing of those that cannot be told yet, fewer times.
Stickiness has no plainer figure than its answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.sql import DAY, IDLE, Query, cut_journeys, cut_steps, judged

__all__ = ["BARE"]

_WEEK = 7 * DAY
_TRANSITIONS = f"""{cut_steps("lag(touchpoint) over w as before", columns="")},
    used as (
        select user_id, started, before as came, touchpoint as next, count(*) as times, sum(us - before_us) as took
        from steps where begins is null group by user_id, started, before, touchpoint)
    select came as touchpoint, next, sum(times) as n, count(*) as n_journeys, sum(took) / sum(times) as mean_us
    from used group by came, next
"""
_CONVERSION = f"""{cut_journeys()}
    select entry as channel, count(*) as n, count(*) filter (where won) as won from journeys where mature group by entry
"""
_DROP_OFF = f"""{cut_steps()}{
    judged(
        "places",
        '''
        select user_id, started, ending, channel, max(ends) as last from steps
        group by user_id, started, ending, channel''',
    )
}
    select channel, count(*) as n, count(*) filter (where is_lost and last is not null) as lost_here
    from places where mature group by channel
"""
# A later cart leads to a later order, so the first order after any later cart is the first after the next cart.
_FUNNEL = f"""
    with events as (
        select user_id, touchpoint, {{us}} as us from {{source}}
        where touchpoint in ('product', 'cart', 'order_placed')),
    orders as (
        select *, min(case when touchpoint = 'order_placed' then us end) over w as order_us from events
        window w as (partition by user_id order by us rows between 1 following and unbounded following)),
    entries as (
        select *, min(case when touchpoint = 'cart' then us end) over w as cart_us,
            min(case when touchpoint = 'cart' then order_us end) over w as done_us
        from orders
        window w as (partition by user_id order by us rows between 1 following and unbounded following)),
    levels as (
        select user_id, max(case when done_us - us <= {_WEEK} then 3 when cart_us - us <= {_WEEK} then 2 else 1 end)
            as level
        from entries where touchpoint = 'product' and us + {_WEEK} <= {{until}} group by user_id)
    select level, count(*) as n from levels group by level
"""
_WINDOW_FUNNEL = f"""
    select level, count() as n from (
        select user_id, windowFunnel({_WEEK})(
            toUInt64({{us}}), touchpoint = 'product' and {{us}} + {_WEEK} <= {{until}},
            touchpoint = 'cart', touchpoint = 'order_placed') as level
        from {{source}} where touchpoint in ('product', 'cart', 'order_placed') group by user_id)
    where level > 0 group by level
"""
_CREDIT = f"""{cut_steps()},
    won as (
        select channel, goal, us = started as is_first, next_us = (ending - 1) / 4 as is_last,
            count(*) over (partition by user_id, started) - 1 as touches
        from steps where ending % 4 = 1)
    select channel, count(*) filter (where is_first) as first_touch, count(*) filter (where is_last) as last_touch,
        sum(1.0 / touches) as linear
    from won where not goal group by channel
"""
_RETENTION = f"""
    with weeks as (
        select user_id, floor(({{us}} / {DAY}.0 + 3) / 7) as week, min({{us}}) as first_us, count(*) as steps
        from {{source}} group by user_id, floor(({{us}} / {DAY}.0 + 3) / 7)),
    members as (select *, min(week) over (partition by user_id) as cohort from weeks)
    select cohort, week - cohort as period, count(*) as n,
        sum(case when week > cohort or steps > 1 then 1 else 0 end) as retained
    from members where week - cohort <= 12 group by cohort, week - cohort
"""
_LIFE_CYCLE = """
    with months as (
        select user_id, year({utc}) * 12 + month({utc}) as month_nr from {source}
        group by user_id, year({utc}) * 12 + month({utc})),
    beside as (
        select *, nullif(lag(month_nr) over w, 0) as before, nullif(lead(month_nr) over w, 0) as following from months
        window w as (partition by user_id order by month_nr))
    select month_nr, count(*) as active, sum(case when before is null then 1 else 0 end) as fresh,
        sum(case when before = month_nr - 1 then 1 else 0 end) as returning_users,
        sum(case when before < month_nr - 1 then 1 else 0 end) as resurrected,
        sum(case when following = month_nr + 1 then 0 else 1 end) as dormant_next
    from beside group by month_nr
"""
_ACTIVITY = """
    select floor({us} / 86400000000.0 + 3) % 7 + 1 as weekday, floor({us} / 3600000000.0) % 24 as hour, count(*) as n,
        count(distinct user_id) as n_users
    from {source} group by floor({us} / 86400000000.0 + 3) % 7 + 1, floor({us} / 3600000000.0) % 24
"""
_REPEAT = """
    with orders as (
        select user_id, {us} as us from {source} where touchpoint = 'order_placed'),
    pairs as (
        select *, row_number() over w as position, nullif(lead(us) over w, 0) as next_us from orders
        window w as (partition by user_id order by us))
    select least(position, 5) as nth, count(*) as n, count(next_us) as repeated, median(next_us - us) as p50_us
    from pairs group by least(position, 5)
"""
_OUTCOMES = f"""{cut_journeys()},
    outcomes as (
        select won as is_won, floor(({{until}} - started) / {DAY}.0) as watched, ceil(case when won then ended - started
            else least(ended + {IDLE}, coalesce(next_started, ended + {IDLE})) - started end / {DAY}.0) as day
        from journeys where not truncated and not is_open)
    select day, count(*) filter (where is_won) as won, count(*) filter (where not is_won) as lost
    from outcomes where day <= watched group by day
"""
_WIN_BACK = f"""{cut_journeys()}
    select count(*) as n, count(next_started) as came_back, median(next_started - ended - {IDLE}) as p50_us
    from journeys where is_lost
"""
_CART = "begins is not null or ends is not null or touchpoint = 'cart'"
_WAITING = f"""{cut_steps(kept=_CART, columns="")}{
    judged(
        "carts",
        '''
        select user_id, started, ending, min(us) as first_us from steps where touchpoint = 'cart'
        group by user_id, started, ending''',
    )
}
    select count(*) as n, count(*) filter (where won) as arrived, median(case when won then ended - first_us end) as p50_us
    from carts where mature
"""
_DWELL = f"""{cut_steps()}{
    judged(
        "places",
        '''
        select user_id, started, ending, channel, max(begins) as first, max(ends) as last,
            sum(case when ends is null then next_us - us else 0 end) as spent
        from steps group by user_id, started, ending, channel''',
    )
}
    select channel, count(*) as n, median(spent) as p50_us, avg(spent) as mean_us from places
    where mature and not (is_open and last is not null) and not (truncated and first is not null) group by channel
"""
_HANDOFFS = f"""{cut_steps("lag(channel) over w as before")},
    crossings as (
        select before as came, channel as next_channel, us - before_us as took from steps
        where begins is null and channel <> before)
    select came as channel, next_channel, count(*) as n, median(took) as p50_us from crossings group by came, next_channel
"""
_DECISIONS = f"""{cut_steps(columns="")}{
    judged(
        "places",
        '''
        select user_id, started, ending, touchpoint, max(begins) as first from steps where not goal
        group by user_id, started, ending, touchpoint''',
    )
},
    passed as (
        select touchpoint, count(*) as n, count(*) filter (where won) as n_won, count(first) as begun,
            count(first) filter (where won) as begun_won
        from places where mature group by touchpoint)
    select touchpoint, n, n_won as won, sum(begun) over () - n as n_without,
        sum(begun_won) over () - n_won as won_without
    from passed
"""
_VARIANTS = f"""{cut_steps(columns="")},
    paths as (
        select user_id, ending, {{path_of_journey}} as path from steps group by user_id, ending)
    select path, count(*) as n, count(*) filter (where ending % 4 = 1) as won from paths group by path order by n desc
"""
_VALUE = """
    with customers as (
        select user_id, sum(case when touchpoint = 'order_placed' then value end) as spent,
            count(case when touchpoint = 'order_placed' then 1 end) as orders
        from {source} group by user_id)
    select count(*) as n_users, sum(case when orders > 0 then 1 else 0 end) as buyers, sum(orders) as purchases,
        sum(spent) as spent_by_all, median(case when orders > 0 then spent end) as p50_value
    from customers
"""
_SATISFACTION = """
    select touchpoint, count(score) as n, avg(score) as mean,
        avg(case when score >= 4 then 1.0 when score is not null then 0.0 end) as satisfied
    from {source} where touchpoint in ('call', 'review') group by touchpoint
"""

BARE: Mapping[str, Query] = {
    "transitions": Query("pairs within journeys: times, journeys, mean time between", _TRANSITIONS),
    "conversion": Query("mature journeys and those that convert, per entry channel", _CONVERSION),
    "drop_off": Query("mature journeys, and those lost with their last step here, per channel", _DROP_OFF),
    "funnel": Query("users per level of a funnel of 3 steps in 7 days, with re-entry", _FUNNEL, _WINDOW_FUNNEL),
    "credit": Query("first, last and linear credit per channel", _CREDIT),
    "retention": Query("weekly cohorts by week", _RETENTION),
    "life_cycle": Query("new, returning, resurrected, dormant users per month", _LIFE_CYCLE),
    "activity": Query("steps and users per weekday and hour", _ACTIVITY),
    "repeat_rate": Query("orders followed by another, and the median time between", _REPEAT),
    "time_to_convert": Query("journeys converted and lost per day since their start", _OUTCOMES),
    "win_back": Query("lost journeys followed by another, and the median time", _WIN_BACK),
    "waiting": Query("journeys that get from the cart to the order, and the median time", _WAITING),
    "dwell": Query("median and mean time in each channel per journey", _DWELL),
    "handoffs": Query("crossings between channels, and the median time", _HANDOFFS),
    "decision_points": Query("conversion of journeys with and without each touchpoint", _DECISIONS),
    "variants": Query("distinct paths, with journeys and conversions", _VARIANTS),
    "customer_value": Query("value and orders per customer", _VALUE, shape="rich"),
    "satisfaction": Query("mean score and share of the satisfied, per touchpoint", _SATISFACTION, shape="rich"),
}
"""By the name of our case that answers more."""

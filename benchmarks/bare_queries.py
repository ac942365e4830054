"""The plain figure of each question that `queries` answers in full: shorter statements, as one would write them first.

They say less than our answers do: no users behind the journeys, nothing of those that cannot be told yet, fewer times.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.sql import DAY, IDLE, MATURE_AFTER, Query

__all__ = ["BARE"]

_WEEK = 7 * DAY
_UNTIL, _SINCE = "(select max({us}) from {source})", "(select min({us}) from {source})"
_GOAL = "case when touchpoint = 'order_placed' then 1 else 0 end"

_EVENTS = "with events as (select user_id, touchpoint, channel, {us} as us from {source})"
_STEPS = f"""{_EVENTS},
    ordered as (
        select *, lag(us) over w as before_us, lag(touchpoint) over w as before from events
        window w as (partition by user_id order by us)),
    steps as (
        select user_id, touchpoint, channel, us,
            sum(case when us - before_us > {IDLE} or before = 'order_placed' then 1 else 0 end)
                over (partition by user_id order by us rows between unbounded preceding and current row) as journey
        from ordered)
"""
_JOURNEYS = f"""{_STEPS},
    journeys as (
        select user_id, journey, min(us) as started, max(us) as ended, argMin(channel, us) as entry,
            max({_GOAL}) as converted, min(case when touchpoint = 'cart' then us end) as first_cart
        from steps group by user_id, journey),
    followed as (
        select *, nullif(lead(started) over (partition by user_id order by journey), 0) as next_started from journeys)
"""
_MOVES = f"""{_STEPS},
    moves as (
        select *, nullif(lead(us) over w, 0) as next_us, nullif(lead(touchpoint) over w, '') as next,
            nullif(lead(channel) over w, '') as next_channel
        from steps window w as (partition by user_id, journey order by us))
"""


def _places(label: str, rows: str = "steps", more: str = "") -> str:
    """Each journey in each place, with what became of the journey."""
    return f""",
    places as (
        select user_id, journey, {label}, min(us) as first_us, max(us) as last_us, max({_GOAL}) as goal {more}
        from {rows} group by user_id, journey, {label}),
    facts as (
        select *, min(first_us) over j as started, max(last_us) over j as ended, max(goal) over j as converted,
            max(journey) over (partition by user_id) as latest
        from places window j as (partition by user_id, journey))
"""


_LOST = f"converted = 0 and (journey < latest or ended < {_UNTIL} - {IDLE})"
_OPEN = f"converted = 0 and journey = latest and ended >= {_UNTIL} - {IDLE}"
_MATURE_ONLY = f"started <= {_UNTIL} - {MATURE_AFTER}"

_TRANSITIONS = f"""{_MOVES},
    used as (
        select user_id, journey, touchpoint, next, count(*) as times, sum(next_us - us) as took
        from moves where next is not null group by user_id, journey, touchpoint, next)
    select touchpoint, next, sum(times) as n, count(*) as n_journeys, sum(took) / sum(times) as mean_us
    from used group by touchpoint, next
"""
_CONVERSION = f"""{_JOURNEYS}
    select entry as channel, count(*) as n, sum(converted) as won from journeys where {_MATURE_ONLY} group by entry
"""
_DROP_OFF = f"""{_STEPS}{_places("channel")}
    select channel, count(*) as n, sum(case when last_us = ended and {_LOST} then 1 else 0 end) as lost_here
    from facts where {_MATURE_ONLY} group by channel
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
        from entries where touchpoint = 'product' and us + {_WEEK} <= {_UNTIL} group by user_id)
    select level, count(*) as n from levels group by level
"""
_WINDOW_FUNNEL = f"""
    select level, count() as n from (
        select user_id, windowFunnel({_WEEK})(
            toUInt64({{us}}), touchpoint = 'product' and {{us}} + {_WEEK} <= {_UNTIL},
            touchpoint = 'cart', touchpoint = 'order_placed') as level
        from {{source}} where touchpoint in ('product', 'cart', 'order_placed') group by user_id)
    where level > 0 group by level
"""
_CREDIT = f"""{_STEPS},
    touches as (
        select channel, touchpoint, max({_GOAL}) over (partition by user_id, journey) as converted,
            count(*) over (partition by user_id, journey) - 1 as touches,
            row_number() over (partition by user_id, journey order by us) as nth
        from steps)
    select channel, sum(case when nth = 1 then 1 else 0 end) as first_touch,
        sum(case when nth = touches then 1 else 0 end) as last_touch, sum(1.0 / touches) as linear
    from touches where converted = 1 and touchpoint <> 'order_placed' group by channel
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
_LAST_DAY = f"floor({_UNTIL} / {DAY}.0) - 1"


def _active(window: int) -> str:
    """Users active on the whole days of a window length, and in the windows that end on them, added up."""
    begin = f"floor({_SINCE} / {DAY}.0) + {window - 1}"
    return f"""
        sum(case when day between {begin} and {_LAST_DAY} then 1 else 0 end) as active_1d_{window},
        sum(greatest(least(day + {window}, coalesce(next_day, day + {window}), {_LAST_DAY} + 1)
            - greatest(day, {begin}), 0)) as active_{window}d"""


_STICKINESS = f"""
    with days as (
        select user_id, floor({{us}} / {DAY}.0) as day from {{source}} group by user_id, floor({{us}} / {DAY}.0)),
    beside as (select *, nullif(lead(day) over (partition by user_id order by day), 0) as next_day from days)
    select {_active(7)}, {_active(30)} from beside
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
_OUTCOMES = f"""{_JOURNEYS},
    outcomes as (
        select converted, {_UNTIL} - started as watched, case when converted = 1 then ended - started
            else least(ended + {IDLE}, coalesce(next_started, ended + {IDLE})) - started end as took
        from followed
        where started >= {_SINCE} + {IDLE}
            and (converted = 1 or next_started is not null or ended < {_UNTIL} - {IDLE}))
    select ceil(took / {DAY}.0) as day, sum(converted) as won, sum(1 - converted) as lost
    from outcomes where ceil(took / {DAY}.0) <= floor(watched / {DAY}.0) group by ceil(took / {DAY}.0)
"""
_WIN_BACK = f"""{_JOURNEYS}
    select count(*) as n, count(next_started) as came_back, median(next_started - ended - {IDLE}) as p50_us
    from followed where converted = 0 and (next_started is not null or ended < {_UNTIL} - {IDLE})
"""
_WAITING = f"""{_JOURNEYS}
    select count(*) as n, sum(converted) as arrived, median(case when converted = 1 then ended - first_cart end) as p50_us
    from journeys where {_MATURE_ONLY} and first_cart is not null
"""
_DWELL = f"""{_MOVES}{_places("channel", "moves", ", sum(coalesce(next_us, us) - us) as spent")}
    select channel, count(*) as n, median(spent) as p50_us, avg(spent) as mean_us from facts
    where {_MATURE_ONLY} and not (last_us = ended and {_OPEN})
        and not (first_us = started and started < {_SINCE} + {IDLE})
    group by channel
"""
_HANDOFFS = f"""{_MOVES}
    select channel, next_channel, count(*) as n, median(next_us - us) as p50_us
    from moves where next_channel is not null and next_channel <> channel group by channel, next_channel
"""
_DECISIONS = f"""{_STEPS}{_places("touchpoint")},
    passed as (
        select touchpoint, count(*) as n, sum(converted) as won, sum(case when first_us = started then 1 else 0 end)
            as begun, sum(case when first_us = started then converted else 0 end) as begun_won
        from facts where {_MATURE_ONLY} and touchpoint <> 'order_placed' group by touchpoint)
    select touchpoint, n, won, sum(begun) over () - n as n_without, sum(begun_won) over () - won as won_without
    from passed
"""
_VARIANTS = f"""{_STEPS},
    paths as (
        select user_id, journey, {{path_of_journey}} as path, max({_GOAL}) as converted from steps
        group by user_id, journey)
    select path, count(*) as n, sum(converted) as won from paths group by path order by n desc
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
    "stickiness": Query("daily over weekly and monthly users, over all days", _STICKINESS),
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

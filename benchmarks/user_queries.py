"""Questions of users, of their orders and of what they say, in SQL."""

from __future__ import annotations

from benchmarks.sql import DAY, IDLE, MATURE_AFTER

__all__ = ["ACTIVITY", "FUNNEL", "LIFE_CYCLE", "REPEAT", "RETENTION", "SATISFACTION", "STICKINESS", "VALUE"]

_WEEK, _MONTH = 7 * DAY, 30 * DAY

# Of each user's entries the one that counts has the greatest key: closed, furthest, earliest. A later cart leads to a later
# order, so the first order after any later cart is the first after the next cart.
_FURTHEST = 1 << 53
FUNNEL = f"""
    with events as (
        select user_id, touchpoint, {{us}} as us from {{source}} where touchpoint in ('product', 'cart', 'order_placed')),
    orders as (
        select *, min(case when touchpoint = 'order_placed' then us end) over w as order_us from events
        window w as (partition by user_id order by us desc rows between unbounded preceding and 1 preceding)),
    carts as (
        select *, min(case when touchpoint = 'cart' then us end) over w as cart_us,
            min(case when touchpoint = 'cart' then order_us end) over w as done_us
        from orders window w as (partition by user_id order by us desc rows between unbounded preceding and 1 preceding)),
    entries as (
        select user_id, cart_us - us as to_cart, done_us - us as to_order,
            ((case when us + {_WEEK} <= {{until}} then 4 else 0 end)
                + case when done_us - us <= {_WEEK} then 3 when cart_us - us <= {_WEEK} then 2 else 1 end)
                * {_FURTHEST} - us as rank
        from carts where touchpoint = 'product'),
    users as (
        select argMax(to_cart, rank) as to_cart, argMax(to_order, rank) as to_order,
            ceil(max(rank) / {_FURTHEST}.0) as level
        from entries group by user_id)
    select count(*) filter (where level > 4) as n_1, count(*) filter (where level > 5) as n_2,
        count(*) filter (where level > 6) as n_3, count(*) filter (where level <= 4) as immature_1,
        count(*) filter (where level in (2, 3)) as immature_2, count(*) filter (where level = 3) as immature_3,
        {{p50_p90}}(to_cart{{at_50_90}}) filter (where level > 5) as to_2_us,
        {{p50_p90}}(to_order{{at_50_90}}) filter (where level > 6) as to_3_us
    from users
"""
RETENTION = f"""
    with weeks as (
        select user_id, floor(({{us}} / {DAY}.0 + 3) / 7) as week, min({{us}}) as first_us, count(*) as steps
        from {{source}} group by user_id, floor(({{us}} / {DAY}.0 + 3) / 7)),
    members as (select *, min(week) over (partition by user_id) as cohort from weeks),
    cells as (
        select cohort, week - cohort as period, count(*) as members,
            count(*) filter (where first_us < {{since}} + {IDLE}) as truncated,
            count(*) filter (where week > cohort or steps > 1) as retained,
            max(week) < floor(({{until}} / {DAY}.0 + 3) / 7) as is_over
        from members where week - cohort <= 12 group by cohort, week - cohort)
    select cohort, period, first_value(members) over w as n_cohort, first_value(truncated) over w as left_truncated,
        case when is_over then first_value(members) over w else 0 end as n,
        case when is_over then retained else 0 end as retained
    from cells window w as (partition by cohort order by period)
"""
LIFE_CYCLE = f"""
    with months as (
        select user_id, year({{utc}}) * 12 + month({{utc}}) as month_nr, min({{us}}) as first_us from {{source}}
        group by user_id, year({{utc}}) * 12 + month({{utc}})),
    beside as (
        select *, nullif(lag(month_nr) over w, 0) as before, nullif(lead(month_nr) over w, 0) as following from months
        window w as (partition by user_id order by month_nr)),
    states as (
        select month_nr, count(*) as active, count(*) filter (where before is null) as fresh,
            count(*) filter (where before = month_nr - 1) as again,
            count(*) filter (where before < month_nr - 1) as resurrected,
            count(*) filter (where following is null or following > month_nr + 1) as gone,
            count(*) filter (where before is null and first_us < {{since}} + {IDLE}) as left_truncated,
            max(first_us) as latest
        from beside group by month_nr)
    select month_nr, active, fresh as "new", again as "returning", resurrected, left_truncated,
        coalesce(lag(gone) over (order by month_nr), 0) as dormant,
        month_nr < max(month_nr) over () as complete
    from states
"""


def _active(window: int) -> str:
    """Users active on the whole days of a window length, and in the windows that end on them, added up over the days."""
    return f"""max(last_day - first_day) - {window - 2} as n_days_{window},
        count(*) filter (where day between first_day + {window - 1} and last_day) as active_1d_{window},
        sum(greatest(least(day + {window}, coalesce(next_day, day + {window}), last_day + 1)
            - greatest(day, first_day + {window - 1}), 0)) as active_{window}d"""


STICKINESS = f"""
    with days as (
        select user_id, floor({{us}} / {DAY}.0) as day from {{source}} group by user_id, floor({{us}} / {DAY}.0)),
    beside as (select *, nullif(lead(day) over (partition by user_id order by day), 0) as next_day from days),
    whole as (select floor({{since}} / {DAY}.0) as first_day, floor({{until}} / {DAY}.0) - 1 as last_day)
    select count(*) filter (where next_day is null) as n_users, {_active(7)}, {_active(30)} from beside, whole
"""
ACTIVITY = f"""
    with events as (
        select user_id, touchpoint = 'order_placed' as goal, {{us}} as us from {{source}}),
    ordered as (
        select *, nullif(lag(us) over w, 0) as before_us, lag(goal) over w as after_goal from events
        window w as (partition by user_id order by us)),
    steps as (
        select user_id, ({{hours}} + 72) % 168 as clock, goal,
            sum(case when before_us is null or us - before_us > {IDLE} or after_goal then 1 else 0 end)
                over (partition by user_id order by us rows between unbounded preceding and current row) as journey
        from ordered),
    cells as (
        select user_id, journey, clock, count(*) as n, count(*) filter (where goal) as goals from steps
        group by user_id, journey, clock),
    users as (
        select user_id, clock, sum(n) as n, count(*) as n_journeys, sum(goals) as goals from cells group by user_id, clock)
    select floor(clock / 24) + 1 as weekday, clock % 24 as hour, sum(n) as n, sum(n_journeys) as n_journeys,
        count(*) as n_users, sum(goals) as goals
    from users group by clock
"""
# Who leaves in each month since the order, and over all months (`bin` is null there) who they were.
REPEAT = f"""
    with orders as (
        select user_id, {{us}} as us from {{source}} where touchpoint = 'order_placed'),
    pairs as (
        select *, row_number() over w as position, nullif(lead(us) over w, 0) - us as took from orders
        window w as (partition by user_id order by us)),
    exits as (
        select least(position, 5) as nth, position <= 5 as is_first, took,
            floor(({{until}} - us) / {_MONTH}.0) as watched, ceil(took / {_MONTH}.0) as month
        from pairs)
    select nth, case when month <= watched then month else watched end as bin, count(*) as n,
        count(*) filter (where is_first) as n_users, count(took) as repeated,
        count(*) filter (where is_first and took is not null) as users_back,
        count(*) filter (where month <= watched) as repeated_by_then,
        {{p50_p90}}(took{{at_50_90}}) filter (where took is not null) as took_us
    from exits group by grouping sets ((nth), (nth, case when month <= watched then month else watched end))
"""
VALUE = """
    with customers as (
        select user_id, sum(case when touchpoint = 'order_placed' then value end) as spent,
            count(case when touchpoint = 'order_placed' then 1 end) as orders
        from {source} group by user_id)
    select count(*) as n_users, count(*) filter (where orders > 0) as buyers,
        count(*) filter (where orders > 0) as customers, sum(orders) as purchases,
        count(*) filter (where orders > 1) as repeated, sum(spent) as value,
        {p50_p90}(spent{at_50_90}) filter (where orders > 0) as spent_by_each
    from customers
"""
# With stages, what follows an order in its stage or a later one stays with its journey, until a silence or a step of an
# earlier stage; steps after a sale that no order is among are service, and nobody asks whether they convert.
SATISFACTION = f"""
    with events as (
        select user_id, touchpoint, channel, score, {{us}} as us, touchpoint = 'order_placed' as goal,
            touchpoint not in ('cart', 'checkout', 'order_placed', 'call', 'review', 'refund') as early
        from {{source}}),
    ordered as (
        select *, lag(us) over w as before_us, max(case when goal then us end) over past as last_goal,
            max(case when early then us end) over past as last_early
        from events
        window w as (partition by user_id order by us),
            past as (partition by user_id order by us rows between unbounded preceding and 1 preceding)),
    runs as (
        select *, max(case when before_us is null or us - before_us > {IDLE} then us end)
            over (partition by user_id order by us rows between unbounded preceding and current row) as run
        from ordered),
    steps as (
        select *, max(case when us = run or early and last_goal >= run and last_goal > coalesce(last_early, 0) then us end)
            over (partition by user_id order by us rows between unbounded preceding and current row) as started
        from runs),
    judged as (
        select *, started <= {{until}} - {MATURE_AFTER} and (max(goal) over j or max(early) over j
                or min(last_goal) over j is null) as asked, max(goal) over j as won
        from steps window j as (partition by user_id, started)),
    places as (
        select user_id, started, touchpoint, channel, asked, won, count(*) as steps, count(score) as answers,
            sum(score) as total, count(*) filter (where score >= 4) as good, count(*) filter (where score <= 2) as bad
        from judged where touchpoint in (select distinct touchpoint from {{source}} where score is not null)
        group by user_id, started, touchpoint, channel, asked, won)
    select touchpoint, channel, sum(steps) as n_asked, sum(answers) as n_answered,
        count(distinct user_id) filter (where answers > 0) as n_users, sum(total) as total, sum(good) as satisfied,
        sum(bad) as dissatisfied, count(*) filter (where asked and answers > 0) as answered,
        count(*) filter (where asked and answers > 0 and won) as answered_converted,
        count(*) filter (where asked and answers = 0) as silent,
        count(*) filter (where asked and answers = 0 and won) as silent_converted
    from places group by grouping sets ((touchpoint), (touchpoint, channel))
"""

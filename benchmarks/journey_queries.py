"""Questions of journeys in SQL: they are cut first, and what each came to is counted."""

from __future__ import annotations

from benchmarks.sql import DAY, IDLE, cut_journeys, cut_steps, judged

__all__ = [
    "CONVERSION",
    "CREDIT",
    "DECISIONS",
    "DROP_OFF",
    "DWELL",
    "HANDOFFS",
    "OUTCOMES",
    "TRANSITIONS",
    "VARIANTS",
    "WAITING",
    "WIN_BACK",
]

# Edges, those into and out of journeys among them, and nodes, whose status is "node".
TRANSITIONS = f"""{cut_steps("lag(touchpoint) over w as before", columns="", once=True)},
    uses as (
        select user_id, started, ending, case when begins is null then before end as came, touchpoint as went,
            '' as way from steps
        union all
        select user_id, started, ending, touchpoint, null,
            case ending % 4 when 0 then 'open' when 1 then 'converted' else 'lost' end from steps where ends is not null
        union all
        select user_id, started, ending, touchpoint, null, 'node' from steps){
    judged(
        "used",
        '''
        select user_id, started, ending, came, went, way, count(*) as times from uses
        group by user_id, started, ending, came, went, way''',
    )
},
    per_user as (
        select user_id, came, went, way, sum(times) as times, count(*) as journeys, count(*) filter (where mature) as asked,
            count(*) filter (where mature and won) as asked_won
        from used group by user_id, came, went, way),
    edges as (
        select came, went, way, sum(times) as n, sum(journeys) as n_journeys, count(*) as n_users, sum(asked) as mature,
            sum(asked_won) as converted
        from per_user group by came, went, way),
    times as (
        select before, touchpoint, '' as inner_way, avg(us - before_us) as mean_us, min(us - before_us) as min_us,
            max(us - before_us) as max_us, {{p50_p90_p95}}(us - before_us{{at_50_90_95}}) as took_us
        from steps where begins is null group by before, touchpoint)
    select came as "from", went as "to", nullif(way, '') as status, n, n_journeys, n_users, mature, converted, mean_us, min_us,
        max_us, took_us
    from edges left join times on came = before and went = touchpoint and way = inner_way
"""
CONVERSION = f"""{cut_journeys()}
    select entry as channel, count(*) as n_journeys, count(distinct user_id) as n_users_all,
        count(*) filter (where mature) as n, count(distinct user_id) filter (where mature) as n_users,
        count(*) filter (where mature and won) as converted, count(*) filter (where mature and is_lost) as lost,
        count(*) filter (where mature and is_open) as open, count(*) filter (where not mature) as immature,
        count(*) filter (where truncated) as left_truncated,
        {{p50_p90}}(ended - started{{at_50_90}}) filter (where mature and won and not truncated) as took_us
    from journeys group by entry
"""
DROP_OFF = f"""{cut_steps()}{
    judged(
        "places",
        '''
        select user_id, started, ending, channel, min(us) as first_us, max(ends) as last,
            max(case when ends is not null then next_us - us end) as pause
        from steps group by user_id, started, ending, channel''',
    )
}
    select channel, count(*) as n_reached, count(*) filter (where mature) as n,
        count(distinct user_id) filter (where mature) as n_users,
        count(*) filter (where mature and first_us < ended) as went_on,
        count(*) filter (where mature and won and first_us < ended) as converted_later,
        count(*) filter (where mature and is_lost and last is not null) as lost_here,
        count(*) filter (where mature and is_open and last is not null) as open_here,
        count(*) filter (where mature and came_again and last is not null) as came_back,
        {{p50_p90}}(pause{{at_50_90}}) filter (where mature and came_again and last is not null) as came_back_us
    from places group by channel
"""
CREDIT = f"""{cut_steps()},
    won as (
        select user_id, started, us, goal, case when goal then '(none)' else channel end as label,
            count(*) over (partition by user_id, started) - 1 as touches, next_us = (ending - 1) / 4 as is_last
        from steps where ending % 4 = 1),
    credits as (
        select user_id, label, count(*) filter (where us = started) as first,
            count(*) filter (where is_last or touches = 0) as last, sum(1.0 / greatest(touches, 1)) as linear
        from won where not goal or touches = 0 group by user_id, started, label)
    select label, count(*) as n, count(distinct user_id) as n_users, sum(first) as first, sum(last) as last,
        sum(linear) as linear
    from credits group by label
"""
OUTCOMES = f"""{cut_journeys()},
    outcomes as (
        select *, floor((greatest({{until}}, ended) - started) / {DAY}.0) as watched, case when won then ended - started
            when is_lost then least(ended + {IDLE}, coalesce(next_started, ended + {IDLE})) - started end as took
        from journeys),
    exits as (
        select *, case when truncated then -1 when ceil(took / {DAY}.0) <= watched then ceil(took / {DAY}.0)
            else watched end as day, ceil(took / {DAY}.0) <= watched as in_time
        from outcomes)
    select day, count(*) as n_journeys, count(*) filter (where not truncated) as n,
        count(*) filter (where not truncated and won) as converted,
        count(*) filter (where not truncated and is_lost) as lost,
        count(*) filter (where not truncated and is_open) as open, count(*) filter (where truncated) as left_truncated,
        count(*) filter (where in_time and won) as converted_by_then,
        count(*) filter (where in_time and is_lost) as lost_by_then,
        count(distinct user_id) filter (where not truncated) as n_users
    from exits group by grouping sets ((day), ())
"""
WIN_BACK = f"""{cut_journeys()},
    exits as (
        select user_id, next_started - ended - {IDLE} as took, ceil((next_started - ended - {IDLE}) / {DAY}.0) as day,
            floor(({{until}} - ended - {IDLE}) / {DAY}.0) as watched
        from journeys where is_lost)
    select case when day <= watched then day else watched end as bin, count(*) as n, count(distinct user_id) as n_users,
        count(took) as came_back, count(distinct user_id) filter (where took is not null) as users_back,
        count(*) filter (where day <= watched) as came_back_by_then,
        {{p50_p90}}(took{{at_50_90}}) filter (where took is not null) as took_us
    from exits group by grouping sets ((case when day <= watched then day else watched end), ())
"""
_CART = "begins is not null or ends is not null or touchpoint = 'cart'"
WAITING = f"""{cut_steps(kept=_CART, columns="")}{
    judged(
        "carts",
        '''
        select user_id, started, ending, min(us) as first_us from steps where touchpoint = 'cart'
        group by user_id, started, ending''',
    )
}
    select count(*) as n_journeys, count(*) filter (where mature) as n,
        count(distinct user_id) filter (where mature) as n_users, count(*) filter (where mature and won) as arrived,
        count(*) filter (where mature and is_lost) as lost_waiting, count(*) filter (where mature and is_open) as open_waiting,
        count(*) filter (where mature and won) as converted_after,
        count(distinct user_id) filter (where mature and won) as users_arrived,
        avg(ended - first_us) filter (where mature and won) as mean_us,
        {{p50_p90}}(ended - first_us{{at_50_90}}) filter (where mature and won) as took_us
    from carts
"""
DWELL = f"""{cut_steps("lag(channel) over w as before")}{
    judged(
        "places",
        '''
        select user_id, started, ending, channel, max(begins) as first, max(ends) as last,
            sum(case when begins is not null or channel <> before then 1 else 0 end) as visits,
            sum(case when ends is null then next_us - us else 0 end) as spent
        from steps group by user_id, started, ending, channel''',
    )
},
    stays as (
        select *, mature and truncated and first is not null as early,
            mature and not (truncated and first is not null) and is_open and last is not null as lasting
        from places)
    select channel, count(*) as n_reached, count(*) filter (where mature and not early and not lasting) as n,
        count(distinct user_id) filter (where mature and not early and not lasting) as n_users,
        count(*) filter (where lasting) as running, count(*) filter (where early) as left_truncated,
        count(*) filter (where not mature) as immature,
        avg(spent) filter (where mature and not early and not lasting) as mean_us,
        avg(visits) filter (where mature and not early and not lasting) as mean_visits,
        {{p50_p90}}(spent{{at_50_90}}) filter (where mature and not early and not lasting) as took_us
    from stays group by channel
"""
# Arrivals before the goal, with which a journey ends, are of crossings and of stays; those of other ways are what a crossing is compared with.
HANDOFFS = f"""{cut_steps("lag(channel) over w as before", once=True)},
    crossings as (
        select user_id, started, before, channel, us - before_us as took,
            lag(before) over (partition by user_id, started order by us) as before_that
        from steps where begins is null and channel <> before),
    moved as (
        select before as came, channel as went, count(*) as n_crossings,
            count(*) filter (where before_that = channel) as n_ping_pong, {{p50_p90}}(took{{at_50_90}}) as took_us
        from crossings group by before, channel){
    judged(
        "arrived",
        '''
        select user_id, started, ending, before as came, channel as went,
            sum(case when goal then 0 else 1 end) as times, max(ends) as last
        from steps where begins is null
        group by user_id, started, ending, before, channel
        ''',
    )
},
    arrivals as (
        select came, went, count(*) as n_journeys, count(*) filter (where mature) as n,
            count(distinct user_id) filter (where mature) as n_users,
            count(*) filter (where mature and is_lost and last is not null) as lost_at,
            sum(case when mature then times else 0 end) as n_arrivals,
            sum(case when mature and won then times else 0 end) as arrivals_won
        from arrived group by came, went)
    select * from (
        select a.came as "from", a.went as "to", n_crossings, n_ping_pong, n_journeys, n, n_users, lost_at, n_arrivals,
            arrivals_won, sum(n_arrivals) over by_place - n_arrivals as others,
            sum(lost_at) over by_place - lost_at as others_lost, sum(arrivals_won) over by_place - arrivals_won as others_won,
            took_us
        from arrivals a left join moved m on a.came = m.came and a.went = m.went
        window by_place as (partition by a.went))
    where "from" <> "to"
"""
DECISIONS = f"""{cut_steps(columns="")}{
    judged(
        "places",
        '''
        select user_id, started, ending, touchpoint, max(begins) as first from steps where not goal
        group by user_id, started, ending, touchpoint''',
    )
},
    passed as (
        select touchpoint, count(*) as n_journeys, count(*) filter (where mature) as n,
            count(distinct user_id) filter (where mature) as n_users,
            count(*) filter (where mature and won) as converted,
            count(*) filter (where mature and first is not null) as begun,
            count(*) filter (where mature and won and first is not null) as begun_converted
        from places group by touchpoint)
    select touchpoint as label, n_journeys, n, n_users, converted, sum(begun) over () - n as n_without,
        sum(begun_converted) over () - converted as converted_without
    from passed
"""
VARIANTS = f"""{cut_steps(columns="")}{
    judged(
        "paths",
        '''
        select user_id, started, ending, {path_of_journey} as path, count(*) as n_steps from steps
        group by user_id, started, ending''',
    )
}
    select path, max(n_steps) as n_steps, count(*) as n, count(distinct user_id) as n_users,
        count(*) filter (where won) as converted, count(*) filter (where is_lost) as lost,
        count(*) filter (where is_open) as open, count(*) filter (where mature) as n_mature,
        count(*) filter (where mature and won) as converted_mature, avg(ended - started) as mean_us
    from paths group by path order by n desc
"""

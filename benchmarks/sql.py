"""What statements in SQL are made of: the words of two engines, and how journeys are cut.

Times are integers of µs, as that is fastest in both engines. Journeys are cut as ours are: after an order, and before a
silence of more than 30 days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CLICKHOUSE", "DAY", "DUCKDB", "IDLE", "MATURE_AFTER", "Query", "cut_journeys", "cut_steps", "judged"]

DUCKDB = {
    "source": "'{path}'",
    "us": "epoch_us(ts)",
    "since": "(select epoch_us(min(ts)) from '{path}')",
    "until": "(select epoch_us(max(ts)) from '{path}')",
    "hours": "us // 3600000000",
    "utc": "(ts at time zone 'UTC')",
    "path_of_journey": "string_agg(touchpoint, ' > ' order by us)",
    "p50_p90": "quantile_cont",
    "at_50_90": ", [0.5, 0.9]",
    "p50_p90_p95": "quantile_cont",
    "at_50_90_95": ", [0.5, 0.9, 0.95]",
}
CLICKHOUSE = {
    "source": "file('{path}', Parquet)",
    "us": "toUnixTimestamp64Micro(ts)",
    "since": "(select toUnixTimestamp64Micro(min(ts)) from file('{path}', Parquet))",
    "until": "(select toUnixTimestamp64Micro(max(ts)) from file('{path}', Parquet))",
    "hours": "intDiv(us, 3600000000)",
    "utc": "ts",
    "path_of_journey": "arrayStringConcat(arrayMap(x -> x.2, arraySort(groupArray((us, touchpoint)))), ' > ')",
    "p50_p90": "quantilesExact(0.5, 0.9)",
    "at_50_90": "",
    "p50_p90_p95": "quantilesExact(0.5, 0.9, 0.95)",
    "at_50_90_95": "",
}
"""Words of each engine; quantiles are exact in both, which costs them no more than approximate ones."""
_ONCE = " settings enable_materialized_cte = 1"
_WITHOUT_NULLS = ", schema_inference_make_columns_nullable = 0"

DAY = 86_400_000_000
IDLE, MATURE_AFTER = 30 * DAY, 60 * DAY


@dataclass(frozen=True)
class Query:
    """A question in SQL.

    Attributes
    ----------
    answers : what comes out.
    sql : with the names of `DUCKDB` and `CLICKHOUSE` in braces.
    clickhouse : where ClickHouse has a function of its own for it.
    shape : of the log that has the columns asked for.
    """

    answers: str
    sql: str
    clickhouse: str = ""
    shape: str = "plain"

    def text(self, words: Mapping[str, str], path: str) -> str:
        """The statement for one engine and file."""
        own = self.clickhouse if self.clickhouse and words is CLICKHOUSE else self.sql
        text = own.format(**{name: word.format(path=path) for name, word in words.items()})
        if words is not CLICKHOUSE:
            return text
        # The plain log holds no null. Told so, ClickHouse needs a fifth less.
        return text + _ONCE + (_WITHOUT_NULLS if self.shape == "plain" else "")


def cut_steps(*more: str, kept: str = "", columns: str = "channel", once: bool = False) -> str:
    """Steps with where their journey begins and ends, and what became of it: tables `events` to `steps`.

    Two passes over each user's events, whose windows share an order. `started` is the journey's first µs; `ending` is its
    last µs times four, plus what became of it: 0 open, 1 converted, 2 lost and followed by another, 3 lost by silence.

    Parameters
    ----------
    more : what else is asked of the neighbouring events, e.g. ``"lag(channel) over w as before_channel"``.
    kept : a condition for the steps that are needed; by default all.
    columns : of the log, besides user, time and touchpoint.
    once : whether the steps are asked for more than once, and so are to be kept.
    """
    others = "".join(f", {each}" for each in more)
    columns = f", {columns}" if columns else ""
    where = f"where {kept}" if kept else ""
    return f"""with events as (
        select user_id, touchpoint, touchpoint = 'order_placed' as goal, {{us}} as us{columns} from {{source}}),
    ordered as (
        select *, nullif(lag(us) over w, 0) as before_us, lag(goal) over w as after_goal,
            nullif(lead(us) over w, 0) as next_us{others}
        from events window w as (partition by user_id order by us)),
    marked as (
        select *, case when before_us is null or us - before_us > {IDLE} or after_goal then us end as begins,
            case when next_us is null or next_us - us > {IDLE} or goal then us * 4 + case
                when goal then 1 when next_us is not null then 2 when us < {{until}} - {IDLE} then 3 else 0 end
            end as ends
        from ordered),
    steps as {"materialized " if once else ""}(
        select *, max(begins) over (partition by user_id order by us rows between unbounded preceding and current row)
                as started,
            min(ends) over (partition by user_id order by us rows between current row and unbounded following) as ending
        from marked {where})
"""


def judged(table: str, rows: str) -> str:
    """A table of what a journey came to at each place, with what the journey itself came to."""
    return f""",
    {table} as (
        select *, cast((ending - ending % 4) / 4 as bigint) as ended, ending % 4 = 0 as is_open, ending % 4 = 1 as won,
            ending % 4 >= 2 as is_lost, ending % 4 = 2 as came_again, started <= {{until}} - {MATURE_AFTER} as mature,
            started < {{since}} + {IDLE} as truncated
        from ({rows}))
"""


def cut_journeys(column: str = "channel") -> str:
    """One row per journey, with `column` of its first step: of all steps only the first and last of each are kept."""
    first = f"""
        select * from (
            select user_id, {column} as entry, begins, started, ending,
                nullif(case when ends is null then lead(us, 2) over w else lead(us) over w end, 0) as next_started
            from steps window w as (partition by user_id order by us))
        where begins is not null"""
    return cut_steps(kept="begins is not null or ends is not null", columns=column) + judged("journeys", first)

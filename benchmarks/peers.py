"""The same questions put to DuckDB, Polars and (where installed) ClickHouse, each from the same file."""

from __future__ import annotations

import importlib.util
from typing import Any

from benchmarks.case import Case

__all__ = ["CASES"]

_COLUMNS = ["user_id", "ts", "touchpoint", "channel"]
_LEAD = """
    select touchpoint, next, count(*) as n
    from (select touchpoint, lead(touchpoint) over (partition by user_id order by ts) as next from {source})
    where next is not null group by touchpoint, next
"""
_SESSIONS = """
    select count(*), avg(n) from (
        select user_id, session, count(*) as n from (
            select user_id, sum(fresh) over (partition by user_id order by ts rows unbounded preceding) as session from (
                select user_id, ts, case when ts - lag(ts) over (partition by user_id order by ts) > interval 30 minute
                    then 1 else 0 end as fresh from {source}))
        group by user_id, session)
"""
_CLICKHOUSE_LEAD = """
    select touchpoint, next, count() as n
    from (select touchpoint, leadInFrame(toNullable(touchpoint)) over (partition by user_id order by ts
          rows between current row and unbounded following) as next from {source})
    where next is not null group by touchpoint, next
"""


def _duckdb(query: str, path: str) -> Any:
    import duckdb

    return duckdb.connect().sql(query.format(source=f"'{path}'")).fetchall()


def _chdb(path: str) -> Any:
    import chdb

    return chdb.query(_CLICKHOUSE_LEAD.format(source=f"file('{path}', Parquet)"), "Arrow")


def _polars_read(path: str) -> Any:
    import polars as pl

    return pl.read_parquet(path, columns=_COLUMNS)


def _polars_shift(path: str) -> Any:
    import polars as pl

    following = pl.col("touchpoint").shift(-1).over("user_id", order_by="ts").alias("next")
    pairs = pl.scan_parquet(path).select("touchpoint", following).drop_nulls()
    return pairs.group_by("touchpoint", "next").len().collect()


CASES = [
    Case("duckdb lead", "counts of directly-following pairs", str, lambda path: _duckdb(_LEAD, path)),
    Case("duckdb sessions", "sessions and their mean length", str, lambda path: _duckdb(_SESSIONS, path)),
    Case("polars read", "the four columns", str, _polars_read),
    Case("polars shift over", "counts of directly-following pairs", str, _polars_shift),
]
if importlib.util.find_spec("chdb") is not None:
    CASES.append(Case("chdb lead", "counts of directly-following pairs", str, _chdb, largest=20_000_000))

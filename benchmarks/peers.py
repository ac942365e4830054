"""The same questions put to DuckDB, Polars and (where installed) ClickHouse, each from the same file."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.bare_queries import BARE
from benchmarks.case import Case
from benchmarks.queries import QUERIES
from benchmarks.sql import CLICKHOUSE, DUCKDB, Query

__all__ = ["CASES", "ask_chdb", "ask_duckdb"]

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
_COUNTS = {
    "lead": Query("counts of directly-following pairs", _LEAD, _CLICKHOUSE_LEAD),
    "sessions": Query("sessions and their mean length", _SESSIONS),
}


def ask_duckdb(sql: str) -> Any:
    """What DuckDB answers, as an Arrow table."""
    import duckdb

    return duckdb.connect().sql(sql).to_arrow_table()


def ask_chdb(sql: str) -> Any:
    """What ClickHouse answers, as an Arrow table."""
    import chdb

    return chdb.query(sql, "ArrowTable")


def _polars_read(path: str) -> Any:
    import polars as pl

    return pl.read_parquet(path, columns=_COLUMNS)


def _polars_shift(path: str) -> Any:
    import polars as pl

    following = pl.col("touchpoint").shift(-1).over("user_id", order_by="ts").alias("next")
    pairs = pl.scan_parquet(path).select("touchpoint", following).drop_nulls()
    return pairs.group_by("touchpoint", "next").len().collect()


def _put(engine: str, ask: Callable[[str], Any], words: Mapping[str, str]) -> list[Case]:
    """Each question to one engine, and the plain figure of it."""
    bare = {f"{name} bare": query for name, query in BARE.items()}
    return [
        Case(f"{engine} {name}", query.answers, str, _asking(ask, words, query), shape=query.shape)
        for name, query in {**_COUNTS, **QUERIES, **bare}.items()
        if words is DUCKDB or name != "sessions"
    ]


def _asking(ask: Callable[[str], Any], words: Mapping[str, str], query: Query) -> Callable[[str], Any]:
    return lambda path: ask(query.text(words, path))


CASES = [
    Case("polars read", "the four columns", str, _polars_read),
    Case("polars shift over", "counts of directly-following pairs", str, _polars_shift),
    *_put("duckdb", ask_duckdb, DUCKDB),
]
if importlib.util.find_spec("chdb") is not None:
    CASES += _put("chdb", ask_chdb, CLICKHOUSE)

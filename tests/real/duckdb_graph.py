"""Directly-follows graphs in SQL: what the graph of a log must be, by another engine."""

from __future__ import annotations

import duckdb
import polars as pl

EDGES = """
with steps as (
    select who, what, us, row, lead(what) over w as next, lead(us) over w - us as took
    from log window w as (partition by who order by us, row)
)
select what, next, count(*) as n, count(distinct who) as n_journeys, count(distinct who) as n_users,
       sum(took) as total, min(took) as least, max(took) as greatest
from steps where next is not null group by all order by all
"""


def edges(log: pl.DataFrame) -> list[tuple[str, str, int, int, int, int, int, int]]:
    """Edges of a frame with the columns who, what and us (µs), ties in the order of rows."""
    numbered = log.with_row_index("row")  # noqa: F841  # read by name in the query
    return duckdb.sql(EDGES.replace("from log", "from numbered")).fetchall()

"""The sample as its tests see it: the clean log, and journeys cut from it in plain SQL."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl
import pytest

from journeymine.retailer import generate, planted_in, true_journeys

COMPANY = ("ad_shown", "newsletter_sent")


def cut(log: pl.DataFrame) -> pl.DataFrame:
    """Steps of the customers with the number of their journey: a gap of more than 30 days parts two journeys."""
    return (
        duckdb.sql(
            """
        WITH steps AS (SELECT * FROM log WHERE touchpoint NOT IN ('ad_shown', 'newsletter_sent')),
        flagged AS (
            SELECT *, coalesce(timestamp - lag(timestamp) OVER w > INTERVAL 30 DAY, true) AS opens
            FROM steps WINDOW w AS (PARTITION BY "user" ORDER BY timestamp)
        )
        SELECT *, "user" || '/' || sum(opens::INT) OVER w AS journey, min(timestamp) OVER j AS start
        FROM (SELECT *, sum(opens::INT) OVER w AS nth FROM flagged WINDOW w AS (PARTITION BY "user" ORDER BY timestamp))
        WINDOW w AS (PARTITION BY "user" ORDER BY timestamp), j AS (PARTITION BY "user", nth)
        ORDER BY "user", timestamp
        """
        )
        .pl()
        .with_columns(pl.col("timestamp", "start").dt.convert_time_zone("UTC"))
    )  # not that of the machine


@pytest.fixture(scope="session")
def log() -> pl.DataFrame:
    """The clean log of the default sample."""
    return generate()


@pytest.fixture(scope="session")
def steps(log: pl.DataFrame) -> pl.DataFrame:
    """Its steps with their journey."""
    return cut(log)


@pytest.fixture(scope="session")
def truth() -> pl.DataFrame:
    """Its true journeys."""
    return true_journeys()


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    """What was planted in it."""
    return planted_in()

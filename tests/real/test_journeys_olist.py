"""Two files, one log: leads and the deals won from them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from journeymine.journeys import build_journeys
from journeymine.metrics import conversion
from tests.real.test_events_real import olist

pytestmark = pytest.mark.real


def test_conversion_of_the_leads_per_origin(real_data: Path) -> None:
    events = olist(real_data, "UTC")
    # The deals are watched five months longer than the leads; every lead is old enough by then.
    end = int(datetime(2018, 11, 15, tzinfo=UTC).timestamp() * 1_000_000)
    journeys = build_journeys(events, goal="won", split="user", observed_until=end)
    leads, deals = (real_data / f"olist_{name}_dataset.csv" for name in ("marketing_qualified_leads", "closed_deals"))
    sql = f"""
        with leads as (select mql_id, strptime(first_contact_date, '%d-%m-%Y') as contact,
                              coalesce(case when origin = '(unknown)' then '"(unknown)"' else origin end, '(unknown)') as origin
                       from read_csv('{leads}', all_varchar=true)),
             deals as (select mql_id, strptime(won_date, '%d-%m-%Y %H:%M') as won
                       from read_csv('{deals}', all_varchar=true))
        select origin, count(*), count(*) filter (won >= contact) from leads left join deals using (mql_id) group by 1
    """
    expected = {origin: (n, won) for origin, n, won in duckdb.sql(sql).fetchall()}
    frame = conversion(journeys, by="channel").frame
    found = {row["channel"]: (row["n"], row["converted"]) for row in frame.iter_rows(named=True)}
    assert found == expected
    assert sum(n for n, _ in found.values()) == 8_000
    assert sum(won for _, won in found.values()) == 841
    assert (found["(unknown)"][0], found["unknown"][0]) == (60, 1_099)
    row = conversion(journeys).frame.row(0, named=True)
    assert (row["n"], row["converted"], row["immature"], row["share"]) == (8_000, 841, 0, 841 / 8_000)


def test_by_default_the_log_is_observed_until_its_first_source_ends(real_data: Path) -> None:
    journeys = build_journeys(olist(real_data, "UTC"), goal="won", split="user")
    assert datetime.fromtimestamp(journeys.context.observed_until / 1e6, UTC).date().isoformat() == "2018-05-31"
    row = conversion(journeys).frame.row(0, named=True)
    assert row["n"] + row["immature"] == row["n_journeys"] == 8_000
    assert row["immature"] > 1_000

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from journeymine.events import Events, EventSchema, Source, read_events

pytestmark = pytest.mark.real


def test_receipt_has_offsets_that_change_with_summer_time(real_data: Path) -> None:
    path = real_data / "receipt.csv.gz"
    events = read_events(
        path, user="case:concept:name", timestamp="time:timestamp", touchpoint="concept:name", channel="case:channel"
    )
    report = events.check()
    assert (report.rows_read, report.accepted, report.n_users, len(report.touchpoints)) == (8_577, 8_577, 1_434, 27)
    assert report.channels == ("Desk", "Intern", "Internet", "Post", "e-mail")
    sql = f"""select "case:concept:name", epoch_us("time:timestamp"::timestamptz), "concept:name", "case:channel"
              from read_csv('{path}', all_varchar=true)"""
    ours = events.frame.with_columns(pl.col("timestamp").dt.epoch("us"))
    assert sorted(ours.rows()) == sorted(duckdb.sql(sql).fetchall())


def olist(real_data: Path, zone: str) -> Events:
    leads = EventSchema(
        user="mql_id",
        timestamp="first_contact_date",
        time_format="%d-%m-%Y",
        timezone=zone,
        constant_touchpoint="first_contact",
        channel="origin",
    )
    deals = EventSchema(
        user="mql_id", timestamp="won_date", time_format="%d-%m-%Y %H:%M", timezone=zone, constant_touchpoint="won"
    )
    return read_events(
        [
            Source(real_data / "olist_marketing_qualified_leads_dataset.csv", leads, "leads"),
            Source(real_data / "olist_closed_deals_dataset.csv", deals, "deals"),
        ],
        event_rules={"never_before": [["won", "first_contact"]]},
    )


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo"])
def test_olist_is_one_log_of_two_files(real_data: Path, zone: str) -> None:
    events = olist(real_data, zone)
    report = events.check()
    assert [(source.rows_read, source.accepted, source.null_channels) for source in report.sources] == [
        (8_000, 8_000, 60),
        (842, 841, None),
    ]
    assert dict(report.quarantined_by_reason) == {"rule broken: won before first_contact": 1}
    leads = events.frame.filter(touchpoint="first_contact")
    origins = dict(leads.group_by("channel").len().iter_rows())
    assert (origins["(unknown)"], origins["unknown"]) == (60, 1_099)
    assert report.n_users == 8_000
    # the row in quarantine, found by hand: the only deal won before its lead was contacted
    row = events.quarantine.row(0, named=True)
    raw = pl.read_csv(real_data / "olist_closed_deals_dataset.csv", infer_schema=False)
    contacts = dict(
        pl.read_csv(real_data / "olist_marketing_qualified_leads_dataset.csv", infer_schema=False)
        .select("mql_id", "first_contact_date")
        .iter_rows()
    )

    def day(text: str) -> str:
        return text[6:10] + text[3:5] + text[0:2]

    early = [
        i
        for i, (lead, won) in enumerate(raw.select("mql_id", "won_date").iter_rows())
        if day(won) < day(contacts[lead])
    ]
    assert [row["row"]] == early
    assert row["raw_won_date"] == raw["won_date"][early[0]]


def test_cdnow_has_values_and_ties(real_data: Path) -> None:
    path = real_data / "cdnow.csv"
    events = read_events(
        path,
        user="customer_id",
        timestamp="date",
        time_format="%Y%m%d",
        timezone="UTC",
        constant_touchpoint="purchase",
        value="dollar_value",
        currency="USD",
    )
    report = events.check()
    assert (report.accepted, report.n_users, report.out_of_order) == (69_659, 23_570, 0)
    sql = f"""select customer_id, strptime(date, '%Y%m%d'), 'purchase', dollar_value::double
              from read_csv('{path}', all_varchar=true)"""
    ours = events.frame.with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    assert sorted(ours.rows()) == sorted(duckdb.sql(sql).fetchall())
    ties = duckdb.sql(
        f"select count(*) - count(distinct (customer_id, date)) from read_csv('{path}', all_varchar=true)"
    )
    assert ties.fetchall() == [(report.in_user_ties,)]
    (total,) = duckdb.sql(
        f"select sum(dollar_value::decimal(18, 6)) from read_csv('{path}', all_varchar=true)"
    ).fetchall()
    assert int(events.coded().numbers["value"].sum()) == int(total[0] * 1_000_000)


def test_bpic2012_keeps_every_row_in_file_order(real_data: Path) -> None:
    path = real_data / "bpic2012.parquet"
    events = read_events(
        path,
        user="case_id",
        timestamp="timestamp",
        touchpoint="activity",
        value="amount_requested",
        attributes=["lifecycle", "resource"],
    )
    report = events.check()
    assert (report.accepted, report.n_users, report.in_user_ties) == (262_200, 13_087, 13_995)
    assert len(report.touchpoints) == 24
    raw = pl.read_parquet(path)
    frame = events.frame
    assert frame["user"].equals(raw["case_id"], null_equal=True)
    assert (frame["timestamp"] == raw["timestamp"]).all()
    assert (frame["touchpoint"] == raw["activity"]).all()
    assert (frame["value"] == raw["amount_requested"].cast(pl.Float64)).all()
    assert frame.filter(pl.col("resource") == "(unknown)").height == raw["resource"].null_count() == 18_010
    assert events.survey().pairs["n_events"].sum() == 262_200

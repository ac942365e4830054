from __future__ import annotations

from pathlib import Path

import pytest

from journeymine.errors import SchemaError, SourceError
from journeymine.events import EventSchema, Source, read_config, read_events

CONFIG = """
max_quarantine_share = 0.5

[[sources]]
name = "web"
path = "web/*.csv"
user = ["crm", "mail"]
anonymous = "cookie"
timestamp = "ts"
time_unit = "ms"
touchpoint = "event"
channel = "medium"

[[sources]]
path = ["till.csv"]
user = "card"
timestamp = "day"
time_format = "%d.%m.%Y"
timezone = "Europe/Berlin"
constant_touchpoint = "order"
constant_channel = "store"
value = "sum"
currency = "EUR"

[event_rules]
never_before = [["order", "seen"]]

[[stages]]
name = "awareness"
touchpoints = ["seen", { touchpoint = "re:^v", channel = "web" }]
[[stages]]
name = "purchase"
touchpoints = "order"

[[touchpoints]]
match = "order"
owner = "Sales"

[journeys]
goal = "order"
idle = "30d"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "1.csv").write_text(
        "crm,mail,cookie,ts,event,medium\n,,k,1000,seen,web\n,b,k,2000,visit,web\n,,,3000,visit,mail\n"
    )
    (tmp_path / "till.csv").write_text('card,day,sum\nb,02.01.1970,"9.5"\nb,31.12.1969,1\n')
    (tmp_path / "journey.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def test_a_configuration_says_everything(folder: Path) -> None:
    events = read_events(folder / "journey.toml")
    assert events.frame.select("user", "touchpoint", "channel", "value").rows() == [
        ("b", "seen", "web", None),
        ("b", "visit", "web", None),
        ("b", "order", "store", 9.5),
    ]
    assert events.quarantine.select("source", "row", "reason").rows() == [
        ("web", 2, "user missing"),
        ("source 2", 1, "rule broken: order before seen"),
    ]
    assert events.stages.lookup(["visit", "order"], ["web", "store"])["stage"].to_list() == ["awareness", "purchase"]
    assert events.journey_fields == {"goal": "order", "idle": "30d"}
    assert events.max_quarantine_share == 0.5
    assert events.currency == "EUR"
    assert read_events(read_config(folder / "journey.toml")).frame.equals(events.frame)


def test_python_says_the_same(folder: Path) -> None:
    web = EventSchema(
        user=["crm", "mail"], anonymous="cookie", timestamp="ts", time_unit="ms", touchpoint="event", channel="medium"
    )
    till = EventSchema(
        user="card",
        timestamp="day",
        time_format="%d.%m.%Y",
        timezone="Europe/Berlin",
        value="sum",
        constant_touchpoint="order",
        constant_channel="store",
        currency="EUR",
    )
    events = read_events(
        [Source(str(folder / "web/*.csv"), web, "web"), Source([str(folder / "till.csv")], till)],
        stages={"awareness": ["seen", {"touchpoint": "re:^v", "channel": "web"}], "purchase": "order"},
        event_rules={"never_before": [["order", "seen"]]},
        max_quarantine_share=0.5,
    )
    of_file = read_events(str(folder / "journey.toml"))
    assert events.frame.equals(of_file.frame)
    assert events.quarantine.equals(of_file.quarantine)
    assert events.stages.stages == of_file.stages.stages


def test_arguments_win_over_the_file(folder: Path) -> None:
    events = read_events(folder / "journey.toml", stages={"all": ["*"]}, max_quarantine_share=0.9, event_rules={})
    assert (events.stages.names, events.max_quarantine_share, events.rules.never_before) == (("all",), 0.9, ())
    with pytest.raises(SchemaError, match="beside a configuration"):
        read_events(folder / "journey.toml", user="x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "not valid TOML"),
        ("sorces = []", r"unknown table or field 'sorces'"),
        ("[sources]\npath = 'x'", "sources is not a list of tables"),
        ("journeys = 3", "journeys is not a table"),
        ("max_quarantine_share = 'all'", "is no number"),
        (
            "max_quarantine_share = 5\n[[sources]]\npath = 'till.csv'\nuser='card'\ntimestamp='day'\nconstant_touchpoint='x'",
            "is no share",
        ),
        ("[[sources]]\nuser = 'x'", "source 1 names no path"),
        (
            "[[sources]]\npath = 'x.csv'\nname = 'a'\ntime_unti = 's'",
            r"source a: unknown schema field 'time_unti'(.|\n)*time_unit",
        ),
        ("[[stages]]\ntouchpoints = ['x']", "stage .* is not understood"),
        ("[[stages]]\nname = 'a'\ntouchpoints = ['re:(']", "no regular expression"),
        ("[event_rules]\nnever_after = []", "unknown event rule 'never_after'"),
        ("[event_rules]\nnever_before = [['a']]", "not a pair"),
        ("[event_rules]\nnever_before = ['ab']", "not a pair"),
    ],
)
def test_mistakes_are_named(folder: Path, text: str, message: str) -> None:
    (folder / "bad.toml").write_text(text)
    with pytest.raises(SchemaError, match=message):
        read_events(folder / "bad.toml")


def test_a_configuration_without_sources_or_file_is_named(folder: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_events(folder / "no.toml")
    (folder / "bare.toml").write_text("[journeys]\ngoal = 'x'")
    with pytest.raises(SourceError, match="names no source"):
        read_events(folder / "bare.toml")
    with pytest.raises(SchemaError, match="both a schema and schema fields"):
        read_events(folder / "till.csv", EventSchema(), user="x")

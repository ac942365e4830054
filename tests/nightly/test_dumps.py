"""Dumps as they are: overlapping, sent twice, corrected, missing, empty, and one person to be forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from journeymine.cli.app import run
from journeymine.counting import Measure
from journeymine.errors import SchemaError, SourceError, StateError
from journeymine.events import EventSchema
from journeymine.journeys import JourneyRules
from journeymine.metrics import Conversion, DropOff, Funnel
from journeymine.nightly import NightlyState, past
from tests.contracts.measures import MEASURES as CONTRACTED
from tests.nightly.nights import (
    SCHEMA,
    WITH_IDS,
    Nights,
    advance_all,
    assert_equal,
    batch,
    counted,
    generate,
    new_state,
)
from tests.oracles.logs import MINUTE, START

RULES = JourneyRules(goal="order", idle="5m", session_gap="2m", mature_after="10m")
MEASURES: dict[str, Measure] = {
    "conversion": Conversion(),
    "drop_off": DropOff(by="channel"),
    "people": Funnel(steps=["visit", "call"], within="8m", unit="user"),
}


def agrees(state: NightlyState, accepted: pl.DataFrame, until: int, schema: Any = WITH_IDS) -> None:
    journeys = batch(accepted, RULES, until, schema)
    found = counted(state)
    for name, measure in state.settings.measures.items():
        assert_equal(measure, found[name], journeys)


@pytest.mark.parametrize("seed", [11, 12])
def test_windows_that_overlap_count_each_event_once(seed: int, tmp_path: Path) -> None:
    nights = generate(seed, late=0.0, n_rows=120)
    # each dump repeats the last four minutes of the night before
    overlap = [
        pl.concat([before.filter(pl.col("us") >= end - 4 * MINUTE), dump])
        for before, dump, end in zip(
            [nights.dumps[0].clear(), *nights.dumps[:-1]], nights.dumps, [0, *nights.untils[:-1]], strict=True
        )
    ]
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS)
    advance_all(state, Nights(overlap, nights.untils, nights.accepted))
    assert (
        state.nights["duplicates"].sum()
        == sum(o.height - d.height for o, d in zip(overlap, nights.dumps, strict=True))
        > 0
    )
    agrees(state, nights.accepted, nights.untils[-1])


def test_the_same_dump_twice_changes_nothing_and_two_empty_nights_are_two(tmp_path: Path) -> None:
    nights = generate(4, n_nights=3)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    advance_all(state, nights)
    before = (state.directory / "manifest.json").read_bytes()
    assert not state.advance(nights.dumps[1], until=nights.untils[1]).changed
    assert not state.advance(nights.dumps[2]).changed
    assert (state.directory / "manifest.json").read_bytes() == before
    with pytest.raises(StateError, match="exactly what night 2 held"):
        state.advance(nights.dumps[1], until=nights.untils[2] + MINUTE)
    empty, end = nights.dumps[0].clear(), nights.untils[-1]
    with pytest.raises(StateError, match="does not say when it ends"):
        state.advance(empty)
    for k in (1, 2, 2):
        night = state.advance(empty, until=end + 15 * k * MINUTE)
    assert not night.changed
    assert state.nights.height == 5
    agrees(state, nights.accepted, end + 30 * MINUTE)


def test_an_event_id_is_known_within_its_user(tmp_path: Path) -> None:
    nights = generate(4, n_nights=2)
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS)
    rows = nights.dumps[0].head(5).with_columns(us=START + 14 * MINUTE + pl.int_range(5))
    state.advance(rows, until=nights.untils[0])
    again = pl.concat([rows, rows.with_columns(user=pl.col("user") + "-other")])
    night = state.advance(again, until=nights.untils[1])
    assert (night.duplicates, night.accepted) == (5, 5)


def test_a_journey_waits_while_a_row_may_come_at_the_instant_its_next_one_starts(tmp_path: Path) -> None:
    frame = generate(4).dumps[0].head(2)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    dump = frame.with_columns(
        user=pl.lit("a"), touchpoint=pl.lit("visit"), us=pl.Series([START + MINUTE, START + 26 * MINUTE])
    )
    # rows at minute 26 are just not late
    state.advance(dump, until=START + 30 * MINUTE)
    assert not state._store.read()["counts"]
    state.advance(frame.clear(), until=START + 30 * MINUTE + 1)
    assert state._store.read()["counts"]


def test_missing_nights_are_noticed(tmp_path: Path) -> None:
    nights = generate(4, n_nights=5)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    for k in (0, 1, 4):
        night = state.advance(nights.dumps[k], until=nights.untils[k])
    assert night.missing == 2
    assert state.nights["missing_before"].to_list() == [0, 0, 2]


def test_a_corrected_dump_takes_the_place_of_the_first(tmp_path: Path) -> None:
    nights = generate(21, n_nights=5, late=0.0, n_rows=120)
    wrong = nights.dumps[3].with_columns(touchpoint=pl.lit("quit")).head(9)
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS, allowed_lateness="31m")
    for k, dump in enumerate([*nights.dumps[:3], wrong, nights.dumps[4]]):
        state.advance(dump, until=nights.untils[k])
    replaceable = state.nights["replaceable"].to_list()
    assert replaceable[3]
    night = state.advance(nights.dumps[3], replaces=4)
    assert (night.id, night.changed, night.accepted) == (4, True, nights.dumps[3].height)
    agrees(state, nights.accepted, nights.untils[-1])
    assert not state.advance(nights.dumps[3], replaces=4).changed
    with pytest.raises(StateError, match=r"is the dump that .* replaced.*\n.*leave it out"):
        NightlyState.rebuild(state.directory, tmp_path / "anew", [*nights.dumps[:3], wrong])
    with pytest.raises(StateError, match="replaced"):
        state.advance(wrong, until=nights.untils[-1] + 1)
    advanced = state.advance(nights.dumps[0].clear(), until=nights.untils[-1] + 60 * MINUTE)
    assert advanced.accepted == 0
    agrees(state, nights.accepted, nights.untils[-1] + 60 * MINUTE)


def test_a_night_that_is_sealed_in_part_is_not_replaced(tmp_path: Path) -> None:
    nights = generate(22, n_nights=6)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    advance_all(state, nights)
    before = (state.directory / "manifest.json").read_bytes()
    assert not state.nights["replaceable"][0]
    with pytest.raises(StateError, match=r"rows of night 1 .* are sealed.*\n.*rebuild"):
        state.advance(nights.dumps[0].head(3), replaces=1)
    with pytest.raises(StateError, match="no night 9"):
        state.advance(nights.dumps[0].head(3), replaces=9)
    assert (state.directory / "manifest.json").read_bytes() == before


def test_a_correction_brings_again_what_other_nights_brought(tmp_path: Path) -> None:
    def night(*minutes: int) -> pl.DataFrame:
        """One user who is there all the time, and one who is seen at minute 1 only."""
        frame = generate(1).dumps[0]
        given = pl.DataFrame({"id": [f"e{m}" for m in minutes], "us": [START + m * MINUTE for m in minutes]})
        users = pl.Series("user", ["brief" if m == 1 else "constant" for m in minutes], dtype=pl.String)
        return pl.concat([frame.clear(), given.with_columns(users, touchpoint=pl.lit("visit"))], how="diagonal")

    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS, allowed_lateness="31m")
    dumps = [night(1, 14), night(18, 22), night(26, 30, 34, 38, 42), night(46, 50, 54, 58), night(61)]
    for dump, minute in zip(dumps, (15, 25, 45, 60, 61), strict=True):
        state.advance(dump, until=START + minute * MINUTE)
    assert state.nights["replaceable"].to_list() == [False, True, True, True, True]
    # minute 14 came with night 1 and is older than the lateness by now; but night 2 is judged as of its own time
    corrected = night(14, 18, 20, 22)
    # too late by now: what would change the sealed journey of minute 1, and what would move the start of the log
    first = night(1).with_columns(id=pl.lit("new"))
    too_late = pl.concat(
        [first.with_columns(us=START + 2 * MINUTE), first.with_columns(us=START + MINUTE // 2, user=pl.lit("new"))]
    )
    done = state.advance(pl.concat([corrected, too_late]), replaces=2)
    assert (done.duplicates, done.quarantined) == (1, {"later than allowed_lateness": 2})
    accepted = pl.concat([dumps[0], corrected.slice(1), *dumps[2:]])
    agrees(state, accepted, START + 61 * MINUTE)


def test_rows_set_aside_are_kept_for_as_long_as_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nights = generate(61, n_nights=6, late=0.4)
    state = new_state(tmp_path / "state", RULES, MEASURES, keep_days=1)
    assert state.quarantine.is_empty()
    seen: list[tuple[str, int]] = []
    for number, (dump, until) in enumerate(zip(nights.dumps, nights.untils, strict=True), 1):
        state.advance(dump, until=until)
        late = dump.with_row_index().join(nights.accepted, on="id", how="anti")
        seen += [(user, number) for user in late["user"]]
    rows = state.quarantine
    assert rows.height == state.nights["quarantined"].sum() == state.nights["late"].sum() > 5
    assert sorted(rows.select("user", "night").rows()) == sorted(seen)
    assert set(rows["reason"]) == {"later than allowed_lateness"}
    assert run(["nightly", "quarantine", str(state.directory), "--out", str(tmp_path / "aside.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == {"later than allowed_lateness": rows.height}
    assert pl.read_csv(tmp_path / "aside.csv").height == rows.height
    objects = [night["aside"]["object"] for night in state._store.read()["nights"] if night["aside"]]
    day = 24 * 60 * MINUTE
    state.advance(nights.dumps[0].clear(), until=nights.untils[2] + day)
    assert sorted(state.quarantine["night"].unique()) == [n for n in sorted(rows["night"].unique()) if n >= 3]
    for extra in (1, 2, 3):
        state.advance(nights.dumps[0].clear(), until=nights.untils[-1] + day + extra)
    assert state.quarantine.is_empty()
    assert not any((state.directory / "objects" / name).exists() for name in objects)
    assert state.nights["late"].sum() == rows.height


def test_nights_that_are_over_leave_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "RECENT", 4)
    monkeypatch.setattr(past, "AT_ONCE", 2)
    nights = generate(71, n_nights=16, n_rows=300)
    state = new_state(tmp_path / "state", RULES, MEASURES, keep_days=0)
    advance_all(state, nights)
    manifest = state._store.read()
    assert len(manifest["nights"]) <= 7
    assert manifest["past_until"] == nights.untils[manifest["nights"][0]["id"] - 2]
    assert state.nights["night"].to_list() == list(range(1, 17))
    assert state.nights["accepted"].sum() == nights.accepted.height
    assert state.verify()["nights"] == 16
    agrees(state, nights.accepted, nights.untils[-1], schema=state.settings.config.sources[0].schema)
    before = (state.directory / "manifest.json").read_bytes()
    again = state.advance(nights.dumps[1], until=nights.untils[1])
    assert (again.id, again.changed) == (2, False)
    with pytest.raises(StateError, match="exactly what night 2 held"):
        state.advance(nights.dumps[1], until=nights.untils[-1] + MINUTE)
    with pytest.raises(StateError, match="too long ago"):
        state.advance(nights.dumps[1].head(2), replaces=2)
    assert (state.directory / "manifest.json").read_bytes() == before
    made = NightlyState.rebuild(state.directory, tmp_path / "anew", nights.dumps)
    assert made.nights.equals(state.nights)


def test_a_night_of_which_nothing_is_sealed_stays_in_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "RECENT", 2)
    monkeypatch.setattr(past, "AT_ONCE", 1)
    nights = generate(72, n_nights=7, late=0.0)
    rules = JourneyRules(goal="order", idle="5h", session_gap="2m")
    state = new_state(tmp_path / "state", rules, MEASURES, keep_days=0)
    wrong = nights.dumps[1].head(4)
    for dump, until in zip([nights.dumps[0], wrong, *nights.dumps[2:]], nights.untils, strict=True):
        state.advance(dump, until=until)
    assert len(state._store.read()["nights"]) == 7
    assert state.advance(nights.dumps[1], replaces=2).changed
    found, journeys = counted(state), batch(nights.accepted, rules, nights.untils[-1])
    for name, measure in MEASURES.items():
        assert_equal(measure, found[name], journeys)


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_users_who_sleep_for_long_and_return(seed: int, tmp_path: Path) -> None:
    nights = generate(seed, n_nights=14, n_users=40, n_rows=220, late=0.1)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    advance_all(state, nights)
    manifest = state._store.read()
    assert sum(run["rows"] for run in manifest["asleep"]) > 20
    agrees(state, nights.accepted, nights.untils[-1], schema=state.settings.config.sources[0].schema)


def test_any_period_is_that_period_of_one_batch(tmp_path: Path) -> None:
    nights = generate(8, n_nights=5)
    rules = JourneyRules(goal="order", idle="5m", session_gap="2m", mature_after="10m")
    # nights of a day each: the same rows, 96 times as far apart, with rules 96 times as long
    days = [dump.with_columns(us=(pl.col("us") - START) * 96 + START) for dump in nights.dumps]
    accepted = nights.accepted.with_columns(us=(pl.col("us") - START) * 96 + START)
    rules = JourneyRules(goal="order", idle="8h", session_gap="3h12m", mature_after="16h")
    untils = [(until - START) * 96 + START for until in nights.untils]
    measures = {f"{measure.name}_{number}": measure for number, measure in enumerate(CONTRACTED)}
    state = new_state(
        tmp_path / "state", rules, measures, allowed_lateness="6h24m", every="1d", timezone="Asia/Kolkata"
    )
    for dump, until in zip(days, untils, strict=True):
        state.advance(dump, until=until)
    journeys = batch(accepted, rules, untils[-1])
    day = journeys.table["start"].dt.convert_time_zone("Asia/Kolkata").dt.date()
    assert day.n_unique() > 4
    local = (
        pl.Series(journeys.heads.start).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone("Asia/Kolkata").dt.date()
    )
    first = local.min()
    for low, high in ((1, 3),):
        inside = (((local - first).dt.total_days() >= low) & ((local - first).dt.total_days() < high)).to_numpy()
        epoch = int(first.toordinal()) - 719_163  # type: ignore[union-attr]
        found = counted(state, (epoch + low, epoch + high))
        for name, measure in measures.items():
            assert_equal(measure, found[name], journeys.pick(inside))


def test_a_forgotten_person_leaves_no_row(tmp_path: Path) -> None:
    nights = generate(41, n_nights=6, n_users=5)
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS)
    advance_all(state, nights)
    before = counted(state)["conversion"].tables["outcomes"]["n_journeys"].sum()
    removed = state.erase("u3")
    assert removed["carry"] + removed["asleep"] > 0
    assert removed["ledger"] > 0
    assert removed["journeys_in_sealed_counts"] > 0
    for path in (state.directory / "objects").glob("*.parquet"):
        frame = pl.read_parquet(path)
        assert "user" not in frame.columns or "u3" not in frame["user"]
    after = counted(state)["conversion"].tables["outcomes"]["n_journeys"].sum()
    assert before - removed["carry"] <= after <= before
    assert not state.verify()["damaged"]
    assert sum(state.erase("u3").values()) == 0
    state.advance(nights.dumps[0].clear(), until=nights.untils[-1] + 15 * MINUTE)


def test_a_state_is_made_anew_from_its_dumps(tmp_path: Path) -> None:
    nights = generate(51, n_nights=4)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    advance_all(state, nights)
    made = NightlyState.rebuild(state.directory, tmp_path / "anew", nights.dumps)
    assert made.nights.equals(state.nights)
    for name, counts in counted(made).items():
        assert counts.equals(counted(state)[name])


MONEY = EventSchema(
    user="user", timestamp="us", time_unit="us", touchpoint="touchpoint", value="value", currency_column="c"
)


def paid(currency: list[str | None], minute: int) -> pl.DataFrame:
    times = [START + (minute + k) * MINUTE for k in range(len(currency))]
    value = [None if each is None else 5.0 for each in currency]
    user = [f"u{k}" for k in range(len(currency))]
    return pl.DataFrame(
        {"user": user, "us": times, "touchpoint": ["order"] * len(user), "value": value, "c": currency},
        schema_overrides={"value": pl.Float64, "c": pl.String},
    )


def test_money_of_two_currencies_is_never_added(tmp_path: Path) -> None:
    state = new_state(tmp_path / "state", RULES, {"conversion": Conversion()}, schema=MONEY)
    with pytest.raises(SchemaError, match=r"several currencies: EUR in .*; USD in"):
        state.advance(paid(["EUR", "USD"], 0), until=START + 15 * MINUTE)
    state.advance(paid([None, None], 1), until=START + 15 * MINUTE)
    state.advance(paid(["usd"], 16), until=START + 30 * MINUTE)
    before = state._store.read()
    with pytest.raises(SchemaError, match=r"EUR in <dump>, and USD in the nights before"):
        state.advance(paid(["EUR"], 31), until=START + 45 * MINUTE)
    assert state._store.read() == before
    state.advance(paid([None], 31), until=START + 45 * MINUTE)
    state.advance(paid([" usd "], 58), until=START + 60 * MINUTE)
    with pytest.raises(SchemaError, match=r"EUR in <dump>, and USD in the nights before"):
        state.advance(paid(["EUR"], 58), until=START + 60 * MINUTE, replaces=4)
    assert state.nights["accepted"].to_list() == [2, 1, 1, 1]


def test_a_first_dump_in_the_wrong_currency_can_be_corrected(tmp_path: Path) -> None:
    state = new_state(tmp_path / "state", RULES, {"conversion": Conversion()}, schema=MONEY)
    state.advance(paid(["USD"], 13), until=START + 15 * MINUTE)
    state.advance(paid(["EUR"], 13), until=START + 15 * MINUTE, replaces=1)
    state.advance(paid(["EUR"], 16), until=START + 30 * MINUTE)
    with pytest.raises(SchemaError, match=r"USD in <dump>, and EUR"):
        state.advance(paid(["USD"], 31), until=START + 45 * MINUTE)


def test_a_state_that_knows_no_currency_yet_learns_it(tmp_path: Path) -> None:
    state = new_state(tmp_path / "state", RULES, {"conversion": Conversion()}, schema=MONEY)
    manifest = state._store.read()
    del manifest["currency"]  # as written before there was one
    with state._store.writing():
        state._store.commit(manifest)
    state.advance(paid(["EUR"], 0), until=START + 15 * MINUTE)
    assert state._store.read()["currency"] == "EUR"


@pytest.mark.parametrize("damage", ["flipped", "ragged", "quoted"])
def test_a_dump_that_breaks_off_while_it_is_read_is_named(damage: str, tmp_path: Path) -> None:
    rows = pl.DataFrame({"user": [f"u{k % 7}" for k in range(3000)], "touchpoint": ["visit", "order", "call"] * 1000,
                         "us": [START + k for k in range(3000)]})  # fmt: skip
    path = tmp_path / ("dump.parquet" if damage == "flipped" else "dump.csv")
    if damage == "flipped":
        rows.write_parquet(path)
        content = bytearray(path.read_bytes())
        content[60:400] = bytes(byte ^ 0x5A for byte in content[60:400])
        path.write_bytes(bytes(content))
    else:
        rows.write_csv(path)
        path.write_text(path.read_text() + {"ragged": "a,b,c,d,e\n", "quoted": '"never closed,visit,3\n'}[damage])
    schema = EventSchema(user="user", timestamp="us", time_unit="us", touchpoint="touchpoint")
    state = new_state(tmp_path / "state", RULES, {"conversion": Conversion()}, schema=schema)
    with pytest.raises(SourceError, match=r"dump\.\w+ cannot be read") as told:
        state.advance(path, until=START + 15 * MINUTE)
    assert "infer_schema_length" not in str(told.value)
    assert "truncate_ragged_lines" not in str(told.value)
    assert not state.nights.height
    # the code says that the dump cannot be used, not that it is worse than allowed
    assert run(["nightly", "advance", str(tmp_path / "state"), str(path), "--until", "2026-01-01"]) == 3


@pytest.mark.parametrize("nobody", [None, "", 17, float("nan")], ids=str)
def test_only_somebody_can_be_erased(nobody: Any, tmp_path: Path) -> None:
    nights = generate(5, n_nights=3)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    advance_all(state, nights)
    before = state._store.read()
    with pytest.raises(StateError, match=r"id of nobody(?s:.*)as text"):
        state.erase(nobody)
    assert state._store.read() == before
    agrees(state, nights.accepted, nights.untils[-1], SCHEMA)


def test_a_rebuild_that_fails_leaves_no_half_of_a_state(tmp_path: Path) -> None:
    nights = generate(5, n_nights=3)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    advance_all(state, nights)
    anew = tmp_path / "anew"
    with pytest.raises(SchemaError, match="no column 'us'"):
        NightlyState.rebuild(state.directory, anew, [*nights.dumps[:2], nights.dumps[2].drop("us")])
    with pytest.raises(StateError, match="holds no nightly state"):
        NightlyState.open(anew)
    made = NightlyState.rebuild(state.directory, anew, nights.dumps)
    assert made.nights.equals(state.nights)
    assert not made.verify()["damaged"]

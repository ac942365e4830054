"""Whatever goes wrong, the error is clear and the state is that of before or after."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from journeymine.counting import Measure
from journeymine.errors import RulesError, SchemaError, StateError, WildTimestampError
from journeymine.journeys import JourneyRules
from journeymine.metrics import Conversion, DropOff
from journeymine.nightly import NightlyState
from journeymine.nightly import store as store_module
from tests.nightly.nights import advance_all, assert_equal, batch, counted, generate, new_state

RULES = JourneyRules(goal="order", idle="5m", session_gap="2m", mature_after="10m")
MEASURES: dict[str, Measure] = {"conversion": Conversion(), "drop_off": DropOff()}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def half(tmp_path: Path) -> tuple[NightlyState, Any]:
    """A state with three of five nights."""
    nights = generate(3, n_nights=5)
    state = new_state(tmp_path / "state", RULES, MEASURES)
    for dump, until in zip(nights.dumps[:3], nights.untils[:3], strict=True):
        state.advance(dump, until=until)
    return state, nights


def snapshot(state: NightlyState) -> tuple[bytes, dict[str, Any]]:
    return (state.directory / "manifest.json").read_bytes(), state.verify()


def unchanged(state: NightlyState, before: tuple[bytes, dict[str, Any]]) -> bool:
    manifest, found = snapshot(state)
    return manifest == before[0] and not found["damaged"]


CHILD = """
import json, sys
import polars as pl
from journeymine.nightly import NightlyState
folder, dumps, untils = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
state = NightlyState.open(folder)
sys.stdout.write("ready\\n"); sys.stdout.flush()
for number, until in enumerate(untils):
    state.advance(pl.read_parquet(f"{dumps}/{number}.parquet"), until=until)
sys.stdout.write("done\\n")
"""


def test_a_second_writer_is_refused(half: tuple[NightlyState, Any]) -> None:
    state, nights = half
    before = snapshot(state)
    with state._store.writing(), pytest.raises(StateError, match="another process writes"):
        state.advance(nights.dumps[3], until=nights.untils[3])
    assert unchanged(state, before)
    state.advance(nights.dumps[3], until=nights.untils[3])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES], ids=["full", "read-only", "forbidden"])
def test_a_folder_that_cannot_be_written(
    number: int, half: tuple[NightlyState, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, nights = half
    before = snapshot(state)
    real = store_module._write_whole
    for allowed in (0, 1, 4):
        left = [allowed]

        def fails(path: Path, content: bytes, left: list[int] = left) -> None:
            if not left[0]:
                raise OSError(number, os.strerror(number), str(path))
            left[0] -= 1
            real(path, content)

        monkeypatch.setattr(store_module, "_write_whole", fails)
        with pytest.raises(StateError, match=r"cannot be written.*as it was before"):
            state.advance(nights.dumps[3], until=nights.untils[3])
        monkeypatch.setattr(store_module, "_write_whole", real)
        assert unchanged(state, before)
    advance_rest(state, nights)


def advance_rest(state: NightlyState, nights: Any) -> None:
    for dump, until in zip(nights.dumps[3:], nights.untils[3:], strict=True):
        state.advance(dump, until=until)
    journeys = batch(nights.accepted, RULES, nights.untils[-1])
    found = counted(state)
    for name, measure in MEASURES.items():
        assert_equal(measure, found[name], journeys)


def test_a_real_full_disk_is_a_file_size_limit_away(half: tuple[NightlyState, Any], tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    state, nights = half
    before = snapshot(state)
    nights.dumps[3].write_parquet(tmp_path / "0.parquet")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    command = [sys.executable, "-c", CHILD, str(state.directory), str(tmp_path), json.dumps([nights.untils[3]])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(command, check=False, preexec_fn=limit, capture_output=True, text=True, env=environment)
    assert run.returncode
    assert "StateError" in run.stderr
    assert unchanged(state, before)
    advance_rest(state, nights)


def test_a_damaged_object_is_named_and_repaired_by_going_back(half: tuple[NightlyState, Any]) -> None:
    state, nights = half
    carry = state._store.read()["carry"]["object"]
    path = state.directory / "objects" / carry
    path.write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    assert state.verify()["damaged"] == [carry]
    with pytest.raises(StateError, match=r"missing or damaged.*\n.*verify"):
        state.advance(nights.dumps[3], until=nights.untils[3])
    assert state.repair()["went_back"] == 1
    assert state.nights.height == 2
    for dump, until in zip(nights.dumps[2:3], nights.untils[2:3], strict=True):
        state.advance(dump, until=until)
    advance_rest(state, nights)


def test_a_damaged_manifest_is_restored(half: tuple[NightlyState, Any]) -> None:
    state, nights = half
    path = state.directory / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"generation": 3', b'"generation": 4'))
    with pytest.raises(StateError, match="damaged"):
        NightlyState.open(state.directory)
    done = state.repair()
    assert (done["generation"], done["went_back"], done["nights"]) == (3, 0, 3)
    advance_rest(state, nights)


def test_another_format_is_refused(half: tuple[NightlyState, Any]) -> None:
    state, _ = half
    store = state._store
    store.commit({**store.read(), "format": 99})
    with pytest.raises(StateError, match=r"format 99.*\n.*rebuild"):
        NightlyState.open(state.directory)


def test_a_changed_schema_leaves_the_state_as_it_was(half: tuple[NightlyState, Any]) -> None:
    state, nights = half
    before = snapshot(state)
    with pytest.raises(SchemaError, match="channel"):
        state.advance(nights.dumps[3].drop("channel"), until=nights.untils[3])
    assert unchanged(state, before)
    given = state.settings.to_data()
    assert type(state.settings).from_data(given).fingerprint == state.settings.fingerprint


def test_changed_rules_are_refused(half: tuple[NightlyState, Any], tmp_path: Path) -> None:
    state, _ = half
    other = new_state(tmp_path / "other", JourneyRules(goal="order", idle="6m", session_gap="2m"), MEASURES)
    with pytest.raises(StateError, match=r"rules differ.*\n.*rebuild"):
        state.check_settings(other.settings)
    state.check_settings(state.settings)


def test_the_clock_does_not_go_backwards(half: tuple[NightlyState, Any]) -> None:
    state, nights = half
    before = snapshot(state)
    with pytest.raises(StateError, match="backwards"):
        state.advance(nights.dumps[3], until=nights.untils[1])
    assert unchanged(state, before)


def test_one_stray_timestamp_does_not_close_every_journey(half: tuple[NightlyState, Any]) -> None:
    state, nights = half
    before = snapshot(state)
    stray = nights.dumps[3].with_columns(
        us=pl.when(pl.int_range(pl.len()) == 0).then(pl.col("us").max() * 2).otherwise("us")
    )
    with pytest.raises(WildTimestampError, match="--until"):
        state.advance(stray)
    assert unchanged(state, before)


def test_a_split_that_never_closes_is_refused(tmp_path: Path) -> None:
    for split in ("user", "plan"):
        with pytest.raises(RulesError, match="never closes"):
            new_state(tmp_path / "state", JourneyRules(split=split), MEASURES)
    assert not (tmp_path / "state").exists()


def test_create_does_not_overwrite_and_open_needs_a_state(tmp_path: Path) -> None:
    new_state(tmp_path / "state", RULES, MEASURES)
    with pytest.raises(StateError, match="not empty"):
        new_state(tmp_path / "state", RULES, MEASURES)
    with pytest.raises(StateError, match="no nightly state"):
        NightlyState.open(tmp_path)
    with pytest.raises(StateError, match="no event yet"):
        NightlyState.open(tmp_path / "state").results()


def test_nothing_in_a_state_is_pickled_and_equal_states_are_equal_to_the_byte(tmp_path: Path) -> None:
    nights = generate(9, n_nights=3)
    found = []
    for name in ("one", "other"):
        state = new_state(tmp_path / name, RULES, MEASURES)
        advance_all(state, nights)
        found.append({p.name: p.read_bytes() for p in (state.directory / "objects").iterdir()})
    assert found[0] == found[1]
    assert {Path(name).suffix for name in found[0]} == {".json", ".parquet"}


@pytest.mark.parametrize("what", ["results", "report", "nights", "quarantine", "verify"])
def test_what_is_being_read_is_not_removed_by_those_who_write(
    what: str, half: tuple[NightlyState, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is read, then the state moves on three times, then the objects are read."""
    state, nights = half

    def ask() -> Any:
        if what == "report":
            return state.report(tmp_path / "report").as_of
        found = getattr(state, what)
        found = found() if callable(found) else found
        return {name: result.frame for name, result in found.items()} if what == "results" else found

    expected, real, moved = ask(), store_module.Store.read, []

    def read(store: store_module.Store) -> dict[str, Any]:
        manifest = real(store)
        if not moved:
            moved.append(True)
            advance_rest(state, nights)
            for k in range(3):
                late = nights.dumps[4].head(1).with_columns(pl.lit(f"w{k}").alias("user"))
                state.advance(late, until=nights.untils[-1] + k)
            with pytest.raises(StateError, match=r"another process reads .*\n.*nothing was changed"):
                state.erase("u1")
            with pytest.raises(StateError, match="another process reads"):
                state.repair()
        return manifest

    monkeypatch.setattr(store_module.Store, "read", read)
    found = ask()
    if what == "results":
        assert all(found[name].equals(expected[name]) for name in expected)
    elif what != "verify":
        assert found.equals(expected) if isinstance(found, pl.DataFrame) else found == expected
    else:
        assert found["damaged"] == expected["damaged"] == []
    assert moved
    state.advance(nights.dumps[4].head(2).with_columns(pl.lit("late").alias("user")), until=nights.untils[-1] + 9)
    state.repair()
    assert not state.verify()["unused"]


def test_a_state_without_its_manifest_is_brought_back_and_not_made_anew(half: tuple[NightlyState, Any]) -> None:
    state, nights = half
    before = (state.directory / "manifest.json").read_bytes()
    (state.directory / "manifest.json").unlink()
    with pytest.raises(StateError, match=r"manifest.json is missing\n.*repair"):
        state.nights  # noqa: B018
    with pytest.raises(StateError, match=r"manifest.json is missing\n.*repair"):
        new_state(state.directory, RULES, MEASURES)
    assert state.repair()["nights"] == 3
    assert (state.directory / "manifest.json").read_bytes() == before
    advance_rest(state, nights)


def test_what_was_begun_by_two_at_once_is_made_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = store_module.Store.writing
    quicker = []

    def writing(store: store_module.Store) -> Any:
        if not quicker:
            quicker.append(True)
            new_state(tmp_path / "state", RULES, {"drop_off": DropOff()})
        return real(store)

    monkeypatch.setattr(store_module.Store, "writing", writing)
    with pytest.raises(StateError, match="not empty"):
        new_state(tmp_path / "state", RULES, MEASURES)
    assert list(NightlyState.open(tmp_path / "state").settings.measures) == ["drop_off"]


def test_repair_of_no_state_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no nightly state"):
        NightlyState(tmp_path / "nowhere").repair()
    assert not (tmp_path / "nowhere").exists()


def test_a_period_without_days_and_what_is_no_day_are_refused(half: tuple[NightlyState, Any], tmp_path: Path) -> None:
    state, _ = half
    for start, end in (("2020-01-05", "2020-01-02"), ("2020-01-02", "2020-01-02"), (date(2020, 1, 3), "2020-01-02")):
        for ask in (
            lambda s=start, e=end: state.results(s, e),
            lambda s=start, e=end: state.report(tmp_path / "r", start=s, end=e),
        ):
            with pytest.raises(StateError, match=r"no day lies from start=2020(?s:.*)Hint: end is the day after"):
                ask()
    for given in ("2020-01-02 or so", "2020-13-01", "", 7):
        with pytest.raises(StateError, match=r"is no day\nHint"):
            state.results(given)  # type: ignore[arg-type]
    assert not (tmp_path / "r").exists()
    assert state.results("2020-01-01", "2020-01-02")["conversion"].frame["n_journeys"].sum() > 0


def test_a_file_is_no_folder_for_a_state(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user")
    with pytest.raises(StateError, match=r"log.csv is a file\nHint: give the folder"):
        new_state(tmp_path / "log.csv", RULES, MEASURES)


def test_a_folder_has_its_own_name_however_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights = generate(3, n_nights=1)
    (tmp_path / "monday" / "part").mkdir(parents=True)
    nights.dumps[0].write_parquet(tmp_path / "monday" / "log.parquet")
    for k, (here, given) in enumerate((("monday", "."), ("monday/part", ".."), (".", "monday"))):
        monkeypatch.chdir(tmp_path / here)
        state = new_state(tmp_path / f"state-{k}", RULES, MEASURES)
        assert state.advance(Path(given), until=nights.untils[0]).dump == "monday"

"""Kill -9 at any instant leaves the state of before or after: at random instants, and at every write there is."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from journeymine.counting import Measure
from journeymine.errors import JourneymineError, StateError
from journeymine.journeys import JourneyRules
from journeymine.metrics import Conversion, DropOff, Funnel
from journeymine.nightly import NightlyState
from tests.nightly.messy import LATENESS, Command, messy
from tests.nightly.nights import WITH_IDS, assert_equal, batch, counted, generate, new_state

RULES = JourneyRules(goal="order", idle="5m", session_gap="2m", mature_after="10m")
MEASURES: dict[str, Measure] = {
    "conversion": Conversion(),
    "drop_off": DropOff(by="channel"),
    "people": Funnel(steps=["visit", "call"], within="8m", unit="user"),
}
# A process is forked from one that has imported everything and done nothing: Polars is not touched before the fork.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["journeymine.nightly", "tests.nightly.test_killed"])


def obey(told: Connection, directory: Path, dumps: Path, command: Command) -> None:
    """Give one command, and tell when it begins and what came of it."""
    state = NightlyState.open(directory)
    told.send("begin")
    try:
        night = state.advance(dumps / command.dump, until=command.until, replaces=command.replaces)
        said = "changed" if night.changed else "known"
    except JourneymineError as error:
        said = type(error).__name__
    told.send(said)


class Killer:
    """Gives commands in processes of their own, of which some are killed in the middle."""

    def __init__(self, state: NightlyState, dumps: Path, seed: int) -> None:
        self.state, self.dumps, self.draw = state, dumps, random.Random(seed)
        self.kills = self.committed = self.too_late = 0
        self.took = 0.4  # seconds from beginning to end, the longest seen

    def give(self, command: Command, *, kill: bool) -> str | None:
        """What a command says; None where it was killed before it could."""
        here, there = FORKS.Pipe(duplex=False)
        child = FORKS.Process(target=obey, args=(there, self.state.directory, self.dumps, command))
        child.start()
        there.close()
        assert here.recv() == "begin"
        begin = time.monotonic()
        if kill:
            time.sleep(self.draw.uniform(0, self.took))
            child.kill()
        try:
            said: str | None = here.recv()
        except EOFError:
            said = None
        if not kill:
            # a machine that stood still is no measure
            self.took = min(max(0.9 * self.took, time.monotonic() - begin), 1.5)
        child.join()
        # Where it had begun and never came to its end, the kill hit it.
        self.kills += said is None
        self.too_late += kill and said is not None
        return said


def kill_often(tmp_path: Path, seed: int, *, n_nights: int, n_kills: int) -> dict[str, Any]:
    """Give all commands of some messy nights, killed `n_kills` times in all; compare with one batch."""
    begin = time.monotonic()
    commands, accepted = messy(seed, tmp_path, n_nights=n_nights)
    options: dict[str, Any] = {"schema": WITH_IDS, "allowed_lateness": LATENESS}
    state = new_state(tmp_path / "state", RULES, MEASURES, **options)
    whole = new_state(tmp_path / "whole", RULES, MEASURES, **options)
    killer = Killer(state, tmp_path, seed)
    for number, command in enumerate(commands, 1):
        before = (whole.directory / "manifest.json").read_bytes()
        expected = command.refused or ("changed" if command.changes else "known")
        if command.refused is None:
            # the same command where nothing is killed
            whole.advance(tmp_path / command.dump, until=command.until, replaces=command.replaces)
        after = (whole.directory / "manifest.json").read_bytes()
        assert (after == before) == (expected != "changed")
        taken_in = False
        while killer.kills * len(commands) < n_kills * number:
            killer.give(command, kill=True)
            found = (state.directory / "manifest.json").read_bytes()
            assert found in (before, after)
            assert not state.verify()["damaged"]
            if found == after != before and not taken_in:
                taken_in = True
                killer.committed += 1
        said = killer.give(command, kill=False)
        assert said == expected or (said == "known" and taken_in), (command, said)
        assert (state.directory / "manifest.json").read_bytes() == after
    rows = accepted.frame(pl.read_parquet(tmp_path / "0.parquet"))
    nights = state.nights
    assert nights["accepted"].to_list() == [len(night) for night in accepted.nights]
    journeys = batch(rows, RULES, accepted.ends[-1] if accepted.until is None else accepted.until, WITH_IDS)
    found_counts = counted(state)
    for name, measure in MEASURES.items():
        assert_equal(measure, found_counts[name], journeys)
    state.repair()
    assert not state.verify()["unused"]
    return {
        "kills": killer.kills, "taken_in_though_killed": killer.committed, "came_too_late": killer.too_late,
        "commands": len(commands), "refused": sum(c.refused is not None for c in commands),
        "sent_twice": sum(not c.changes for c in commands), "replaced": sum(c.replaces is not None and c.changes for c in commands),
        "nights": nights.height, "missing": int(nights["missing_before"].sum()), "rows_read": int(nights["rows_read"].sum()),
        "accepted": rows.height, "late": int(nights["late"].sum()), "overlapping": int(nights["duplicates"].sum()),
        "seconds": round(time.monotonic() - begin),
    }  # fmt: skip


def test_kill_9_leaves_the_state_of_before_or_after(tmp_path: Path) -> None:
    assert kill_often(tmp_path, 5, n_nights=4, n_kills=5)["kills"] == 5


@pytest.mark.evidence
def test_thirty_nights_killed_two_hundred_times(tmp_path: Path) -> None:
    figures = kill_often(tmp_path, 30, n_nights=30, n_kills=200)
    sys.stdout.write(f"{json.dumps(figures)}\n")
    assert figures["kills"] >= 200
    assert min(figures[name] for name in ("refused", "sent_twice", "replaced", "missing", "late", "overlapping")) > 0


def put_back(directory: Path, objects: dict[str, bytes], manifest: bytes) -> None:
    shutil.rmtree(directory / "objects")
    (directory / "objects").mkdir()
    for name, content in objects.items():
        (directory / "objects" / name).write_bytes(content)
    (directory / "manifest.json").write_bytes(manifest)


def names(directory: Path, user: str) -> bool:
    """Whether any table of a state holds a row of the user."""
    frames = [pl.read_parquet(path) for path in (directory / "objects").glob("*.parquet")]
    return any("user" in frame.columns and user in frame["user"] for frame in frames)


class Dead(BaseException):
    """The process is no more: nothing that would tidy up runs after it."""


@pytest.mark.parametrize("what", ["advance", "replace", "erase"])
def test_death_at_every_write_leaves_before_or_after(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = generate(21, n_nights=4, late=0.0, n_rows=120)
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS, allowed_lateness="31m")
    for dump, until in zip(nights.dumps[:3], nights.untils[:3], strict=True):
        state.advance(dump, until=until)

    def act() -> None:
        if what == "advance":
            state.advance(nights.dumps[3], until=nights.untils[3])
        elif what == "replace":
            state.advance(nights.dumps[2].head(5), replaces=3)
        else:
            state.erase("u3")

    calls = [0, 10**9]

    def mortal(real: Any) -> Any:
        def call(*given: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] > calls[1]:
                raise Dead
            return real(*given, **options)

        return call

    before = (state.directory / "manifest.json").read_bytes()
    files = {path.name: path.read_bytes() for path in (state.directory / "objects").iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", mortal(os.fsync))
        patched.setattr(Path, "replace", mortal(Path.replace))
        patched.setattr(Path, "unlink", mortal(Path.unlink))
        act()
        after = (state.directory / "manifest.json").read_bytes()
        n_calls, seen = calls[0], set()
        assert n_calls > 10
        for last in range(n_calls):
            put_back(state.directory, files, before)
            calls[:] = [0, last]
            with pytest.raises(Dead):
                act()
            calls[:] = [0, 10**9]
            found = (state.directory / "manifest.json").read_bytes()
            assert found in (before, after), last
            assert not state.verify()["damaged"], last
            seen.add(found == after)
            act()
            assert (state.directory / "manifest.json").read_bytes() == after, last
            assert what != "erase" or not names(state.directory, "u3"), last
            state.repair()
            assert not state.verify()["unused"], last
            assert not list(state.directory.rglob(".*")), last
        assert seen == {True, False}


def rebuild_until(old: Path, new: Path, dumps: list[Path], last: int) -> None:
    """Rebuild, and kill this process when it flushes something for the `last` time."""
    calls, real = [0], os.fsync

    def fsync(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > last:
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    os.fsync = fsync
    NightlyState.rebuild(old, new, dumps)


def test_a_rebuild_that_is_killed_leaves_no_state_and_the_same_rebuild_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = generate(21, n_nights=3, late=0.0, n_rows=90)
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS, allowed_lateness="31m")
    dumps = [tmp_path / f"{number}.parquet" for number in range(3)]
    for path, dump, until in zip(dumps, nights.dumps, nights.untils, strict=True):
        dump.write_parquet(path)
        state.advance(path, until=until)
    flushes = [0]
    with monkeypatch.context() as patched:
        real = os.fsync
        patched.setattr(os, "fsync", lambda descriptor: (flushes.__setitem__(0, flushes[0] + 1), real(descriptor)))
        whole = (
            NightlyState.rebuild(state.directory, tmp_path / "whole", dumps).directory / "manifest.json"
        ).read_bytes()
    said = set()
    anew = tmp_path / "anew"
    for last in [0, 3, *range(4, flushes[0], flushes[0] // 5), flushes[0] - 1]:
        child = FORKS.Process(target=rebuild_until, args=(state.directory, anew, dumps, last))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        if last == flushes[0] - 1:  # killed when the name of the whole was to be flushed
            assert (anew / "manifest.json").read_bytes() == whole
            break
        for command in (
            lambda: NightlyState.open(anew), lambda: NightlyState(anew).advance(dumps[2]), NightlyState(anew).repair,
            NightlyState(anew).results, lambda: NightlyState(anew).erase("u1"), NightlyState(anew).verify,
        ):  # fmt: skip
            with pytest.raises(StateError) as raised:
                command()
            said.add(raised.value.message.removeprefix(f"the rebuild into {anew} "))
        if last > 8:
            assert (anew / "unfinished.json").exists()
            assert said >= {"is not finished: it still runs, or was stopped half-way"}
    shutil.rmtree(anew)
    rebuild = FORKS.Process(target=rebuild_until, args=(state.directory, anew, dumps, flushes[0] // 2))
    rebuild.start()
    rebuild.join()
    made = NightlyState.rebuild(state.directory, anew, dumps)
    assert (anew / "manifest.json").read_bytes() == whole
    assert not (anew / "unfinished.json").exists()
    found = made.verify()
    assert not found["damaged"]
    assert not found["unused"]

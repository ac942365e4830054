"""Disks that are really full or read-only, in a mount namespace of their own; and every object damaged, one by one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from journeymine.counting import Counts
from journeymine.errors import JourneymineError, StateError
from journeymine.nightly import NightlyState
from journeymine.nightly.store import named_objects
from tests.nightly.nights import WITH_IDS, Nights, advance_all, counted, generate, new_state
from tests.nightly.test_killed import MEASURES, RULES

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = ["unshare", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def mounts() -> None:
    """Skip where no file system can be mounted."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("no unshare here")
    tried = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"nothing can be mounted here: {tried.stderr}")


BEGIN = """
import subprocess, sys
from pathlib import Path
from journeymine.cli.app import run
from journeymine.errors import StateError
from journeymine.nightly import NightlyState
from tests.nightly.nights import WITH_IDS, generate, new_state
from tests.nightly.test_killed import MEASURES, RULES

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=True)
nights = generate(3, n_nights=5)
nights.dumps[4].write_parquet(disk.parent / "4.parquet")
state = new_state(disk / "state", RULES, MEASURES, schema=WITH_IDS)
whole = new_state(disk.parent / "whole", RULES, MEASURES, schema=WITH_IDS)
for k in range(4):
    state.advance(nights.dumps[k], until=nights.untils[k])
    whole.advance(nights.dumps[k], until=nights.untils[k])
before = (state.directory / "manifest.json").read_bytes()
figures = state.results()["conversion"].frame

def refused(match):
    try:
        state.advance(nights.dumps[4], until=nights.untils[4])
    except StateError as error:
        assert "cannot be written" in str(error) and match in str(error) and "as it was before" in str(error), error
        assert "make room or give the right to write" in error.hint
    else:
        return False
    assert run(["nightly", "advance", str(state.directory), str(disk.parent / "4.parquet"), "--until", "2020-01-01T01:15Z"]) == 5
    assert (state.directory / "manifest.json").read_bytes() == before
    assert not state.verify()["damaged"]
    assert state.results()["conversion"].frame.equals(figures)
    return True

def ended():
    state.advance(nights.dumps[4], until=nights.untils[4])
    whole.advance(nights.dumps[4], until=nights.untils[4])
    assert (state.directory / "manifest.json").read_bytes() == (whole.directory / "manifest.json").read_bytes()
    print("as it should be")
"""
FULL = """
import os
filler, seen = disk / "filler", []
for kilobytes in (0, 4, 12, 24, 48, 80):
    free = os.statvfs(disk)
    filler.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - kilobytes * 1024))
    seen.append(refused("No space left on device"))
    filler.unlink()
assert seen[:3] == [True] * 3, seen
ended()
"""
READ_ONLY = """
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
assert refused("Read-only file system")
state.report(disk.parent / "report")
subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
ended()
"""


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("script", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_disk_that_takes_nothing_more(script: str, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", BEGIN + script, str(tmp_path / "disk")],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.stdout.endswith("as it should be\n"), done.stdout + done.stderr


def refusal(act: Callable[[], Any]) -> StateError | None:
    try:
        act()
    except StateError as error:
        return error
    return None


def flip_a_bit(path: Path) -> bytes:
    """Change one bit in the middle, which Parquet itself would often not notice; the bytes as they were."""
    whole = path.read_bytes()
    at = len(whole) // 2
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    return whole


def test_every_damaged_object_is_named_and_never_counted_on(tmp_path: Path) -> None:
    nights = generate(3, n_nights=6)
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS)
    advance_all(state, Nights(nights.dumps[:5], nights.untils[:5], nights.accepted))
    manifest = (state.directory / "manifest.json").read_bytes()
    figures = counted(state)
    noticed = {"asked": 0, "advanced": 0}
    for name in sorted(named_objects(state._store.read())):
        path = state.directory / "objects" / name
        whole = flip_a_bit(path)
        assert state.verify()["damaged"] == [name]
        asked: list[dict[str, Counts]] = []
        error = refusal(lambda asked=asked: asked.append(counted(state)))  # type: ignore[misc]
        if error is None:
            # an object that no figure comes from
            assert all(found.equals(figures[measure]) for measure, found in asked[0].items())
        else:
            noticed["asked"] += 1
            assert name in str(error)
            assert "nightly repair" in error.hint
        error = refusal(lambda: state.advance(nights.dumps[5], until=nights.untils[5]))
        if error is not None:
            noticed["advanced"] += 1
            assert name in str(error)
            assert (state.directory / "manifest.json").read_bytes() == manifest
        (state.directory / "manifest.json").write_bytes(manifest)
        path.write_bytes(whole)
    assert min(noticed.values()) >= 3
    assert not state.verify()["damaged"]


def test_a_configuration_that_changed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from journeymine.cli.app import run

    text = (Path(__file__).parent / "format_1" / "journey.toml").read_text()
    dump = str(Path(__file__).parent / "format_1" / "2026-03-01.csv")
    config, changed = tmp_path / "journey.toml", tmp_path / "changed.toml"
    config.write_text(text)
    changed.write_text(text.replace('idle = "1d"', 'idle = "2d"'))
    asked, other = tmp_path / "asked.toml", tmp_path / "other.toml"
    asked.write_text('[[measures]]\nmeasure = "conversion"\n')
    other.write_text('[[measures]]\nmeasure = "conversion"\nby = "channel"\n')
    state = str(tmp_path / "state")
    assert run(["nightly", "create", state, "--config", str(config), "--measures", str(asked)]) == 0
    before = NightlyState.open(state)._store.read()
    for given, what in (
        (["--config", str(changed)], "rules"),
        (["--config", str(config), "--measures", str(other)], "measures"),
    ):
        assert run(["nightly", "advance", state, dump, "--until", "2026-03-01", *given]) == 5
        told = capsys.readouterr().err
        assert f"{what} differ from what" in told
        assert "rebuild --from-dumps" in told
        assert NightlyState.open(state)._store.read() == before
    assert run(["nightly", "advance", state, dump, "--measures", str(asked)]) == 2
    given = ["--until", "2026-03-01", "--config", str(config), "--measures", str(asked)]
    assert run(["nightly", "advance", state, dump, *given]) == 0


def test_a_dump_with_columns_of_other_types_is_refused(tmp_path: Path) -> None:
    nights = generate(3, n_nights=3)
    state = new_state(tmp_path / "state", RULES, MEASURES, schema=WITH_IDS)
    state.advance(nights.dumps[0], until=nights.untils[0])
    before = (state.directory / "manifest.json").read_bytes()
    for changed in (
        nights.dumps[1].rename({"touchpoint": "event"}),
        nights.dumps[1].with_columns(us=pl.lit("yesterday")),
        nights.dumps[1].with_columns(value=pl.lit([1.0])),
    ):
        with pytest.raises(JourneymineError, match="Hint"):
            state.advance(changed, until=nights.untils[1])
        assert (state.directory / "manifest.json").read_bytes() == before

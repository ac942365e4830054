"""The files: what lies in `data/sample` is what the generator makes, and reads back as the clean log."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from journeymine.events import Events, read_events
from journeymine.retailer import SampleManifest, sample, write_sample

TEXTS = [".toml", ".json", ".md", ".csv", ".ndjson"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SampleManifest:
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def events(made: SampleManifest) -> Events:
    return read_events(made.config)


def plain(path: Path) -> bytes:
    """Text as it was before packing: another release of zlib or zstd may pack the same text otherwise."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd").read()
    return path.read_bytes()


def frame(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ipc(path)


def test_the_sample_in_the_repository_is_what_the_generator_makes(made: SampleManifest, repository: Path) -> None:
    kept = repository / "data" / "sample"
    assert sorted(path.name for path in kept.iterdir()) == [path.name for path in made.files]
    for path in made.files:
        if path.suffix in (".parquet", ".arrow", ".feather"):
            assert_frame_equal(frame(kept / path.name), frame(path))
        else:
            assert plain(kept / path.name) == plain(path), path.name


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_sample(tmp_path / name, users=300, seed=5) for name in ("a", "b"))
    assert [path.read_bytes() for path in first.files] == [path.read_bytes() for path in second.files]
    again = write_sample(tmp_path / "a", users=300, seed=5)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [path.name for path in again.files]


def test_the_files_are_small(made: SampleManifest) -> None:
    sizes = [path.stat().st_size for path in made.files]
    assert max(sizes) < 300_000
    assert sum(sizes) < 1_000_000


def test_what_is_left_after_quarantine_is_the_clean_log(events: Events, log: pl.DataFrame) -> None:
    keys = ["timestamp", "touchpoint", "value", "cost", "satisfaction"]
    assert_frame_equal(events.frame.select(keys).sort(keys), log.select(keys).sort(keys))


def test_the_dirty_rows_are_those_that_were_written(events: Events, made: SampleManifest) -> None:
    rows = made.planted["rows"]
    report = events.report
    assert report.accepted == rows["clean"]
    assert report.rows_read == sum(rows["by_source"].values())
    found = events.quarantine.group_by("source", "reason").len().sort("source", "reason").rows()
    written = [(source, reason, n) for source, reasons in rows["dirty"].items() for reason, n in reasons.items()]
    assert found == sorted(written)
    assert 0.005 < len(events.quarantine) / report.rows_read < 0.02


def test_most_events_find_their_person_and_some_cannot(events: Events, log: pl.DataFrame) -> None:
    keys = ["timestamp", "touchpoint"]
    read, clean = (f.select(*keys, "user").sort(*keys, "user") for f in (events.frame, log))
    right = (read["user"] == clean["user"]).mean()
    assert 0.93 < right < 0.995  # type: ignore[operator]
    assert events.report.anonymous_ids_ambiguous > 5
    assert events.report.anonymous_ids_filled > 1_000


def test_a_few_channels_are_unknown(events: Events) -> None:
    assert 20 < events.report.null_channels < 200


def test_from_memory_the_events_are_those_of_the_files(events: Events) -> None:
    assert_frame_equal(sample().frame, events.frame)


def test_stages_owners_and_kinds_are_known(events: Events) -> None:
    known = events.stages.lookup(sorted(set(events.frame["touchpoint"])), None)
    assert known["stage"].null_count() == 0
    assert known["owner"].null_count() == 0
    assert set(known["kind"].drop_nulls()) == {"error", "support", "complaint"}
    assert events.stages.names == ("awareness", "consideration", "purchase", "retention", "advocacy")


def test_the_null_case_says_so(tmp_path: Path) -> None:
    null = write_sample(tmp_path, users=200, planted=False)
    assert json.loads((tmp_path / "planted.json").read_text(encoding="utf-8")) == null.planted
    assert "null case" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_planted_json_says_what_the_manifest_says(made: SampleManifest) -> None:
    assert json.loads((made.directory / "planted.json").read_text(encoding="utf-8")) == made.planted
    assert made.config == made.directory / "journey.toml"


@pytest.mark.parametrize("planted", [True, False])
@pytest.mark.parametrize(("seed", "users", "days"), [(3, 200, 70), (4, 200, 360), (9, 1_000, 100)])
def test_other_samples_read_back_as_well(tmp_path: Path, seed: int, users: int, days: int, planted: bool) -> None:
    made = write_sample(tmp_path, seed=seed, users=users, days=days, planted=planted)
    report = read_events(made.config).check()
    assert report.accepted == made.planted["rows"]["clean"]

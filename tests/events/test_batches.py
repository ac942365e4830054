"""Parquet files read batch by batch, against the same rows read whole from a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import journeymine as jm
from journeymine.errors import SourceError
from journeymine.events import batches, memory_pass, parquet_labels

SCHEMA: dict[str, Any] = {
    "timestamp": "t", "time_unit": "us", "touchpoint": "what", "channel": "where", "value": "worth",
    "attributes": ["plan"], "tie_break": ["nth"], "max_quarantine_share": 1.0,
}  # fmt: skip


def rows(n: int, n_names: int = 9) -> pl.DataFrame:
    random = np.random.default_rng(n)
    frame = pl.DataFrame(
        {
            "user": [f"user {u}" * (1 + u % 3) for u in random.integers(0, 40, n)],
            "t": random.integers(-5, 10**12, n),
            "what": [f"name {k}" for k in random.integers(0, n_names, n)],
            "where": random.choice(["web", "app", "", "(unknown)"], n),
            "worth": random.random(n) * 100,
            "plan": random.choice(["free", "paid"], n),
            "nth": random.integers(0, 9, n),
        },
        schema_overrides=dict.fromkeys(("user", "what", "where", "plan"), pl.String),
    )
    missing = {"user": 0.02, "t": 0.02, "what": 0.02, "where": 0.3, "worth": 0.5, "plan": 0.1, "nth": 0.1}
    return frame.with_columns(
        pl.when(pl.Series(random.random(n) >= share)).then(pl.col(name)).alias(name) for name, share in missing.items()
    )


@pytest.mark.parametrize("dictionaries", [False, True])
@pytest.mark.parametrize(
    ("n", "n_names", "n_files"), [(0, 9, 2), (1, 9, 1), (5_000, 9, 1), (5_000, 9, 3), (4_000, 700, 2)]
)
def test_batches_and_a_whole_frame_give_the_same_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int, n_names: int, n_files: int, dictionaries: bool
) -> None:
    if dictionaries:
        monkeypatch.setattr(batches, "_MANY_ROWS", 0)
        monkeypatch.setattr(parquet_labels, "_MOST_BYTES", 1_000)
    frames = [rows(n + k, n_names) for k in range(n_files)]
    for k, frame in enumerate(frames):
        frame.write_parquet(tmp_path / f"{k}.parquet", row_group_size=600)
    used: list[int] = []
    real = memory_pass.read_batches
    monkeypatch.setattr(memory_pass, "read_batches", lambda log: used.append(1) or real(log))  # type: ignore[func-returns-value]
    found = jm.read_events(str(tmp_path / "*.parquet"), **SCHEMA)
    expected = jm.read_events(pl.concat(frames), **SCHEMA)
    assert found.coded().user.to_list() == expected.coded().user.to_list()
    assert used
    assert found.frame.equals(expected.frame)
    kept = ("reason", *(name for name in expected.quarantine.columns if name.startswith("raw_")))
    assert found.quarantine.select(kept).equals(expected.quarantine.select(kept))
    assert found.span.first == expected.span.first
    assert found.span.observed_until == expected.span.observed_until
    assert [int(x) for x in found.quarantine["row"]] == [
        i for frame in frames for i in np.flatnonzero(_faulty(frame)).tolist()
    ]


def _faulty(frame: pl.DataFrame) -> np.ndarray:
    return frame.select(pl.any_horizontal(pl.col("user", "t", "what").is_null())).to_series().to_numpy()


@pytest.mark.parametrize("dictionaries", [False, True])
def test_labels_by_the_hundred_thousand_outgrow_their_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dictionaries: bool
) -> None:
    if dictionaries:
        monkeypatch.setattr(batches, "_MANY_ROWS", 0)
        monkeypatch.setattr(parquet_labels, "_MOST_BYTES", 1_000)
    n = 70_000
    frame = pl.DataFrame({"user": ["a"] * n, "t": range(n), "what": [f"{k % 66_000:05}" for k in range(n)]})
    frame.write_parquet(tmp_path / "log.parquet", row_group_size=5_000)
    coded = jm.read_events(tmp_path / "log.parquet", timestamp="t", time_unit="s", touchpoint="what").coded()
    assert coded.labels["touchpoint"].decode().to_list() == frame["what"].to_list()


def test_only_a_few_parquet_files_are_read_so(tmp_path: Path) -> None:
    for k in range(9):
        rows(10).write_parquet(tmp_path / f"{k}.parquet")
    few = jm.read_events([tmp_path / "0.parquet", tmp_path / "1.parquet"], **SCHEMA)
    assert batches.suits_batches(few._log)
    assert not batches.suits_batches(jm.read_events(str(tmp_path / "*.parquet"), **SCHEMA)._log)
    assert not batches.suits_batches(jm.read_events(rows(10), **SCHEMA)._log)
    judged = jm.read_events(tmp_path / "0.parquet", **{**SCHEMA, "event_id": "nth"})
    assert not batches.suits_batches(judged._log)


@pytest.mark.parametrize("writer", ["polars", "pyarrow", "duckdb", "plain", "large"])
def test_dictionaries_of_any_writer_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    monkeypatch.setattr(batches, "_MANY_ROWS", 0)
    monkeypatch.setattr(parquet_labels, "_MOST_BYTES", 1_000)
    path, frame = tmp_path / "log.parquet", rows(3_000).rename({"what": "what.is it"})
    if writer == "polars":
        frame.write_parquet(path, row_group_size=700)
    elif writer == "duckdb":
        duckdb.from_arrow(frame.to_arrow()).write_parquet(str(path))
    else:
        plain = pa.table({name: column.cast(pa.string()) if str(column.type).endswith(("string", "view")) else column
                          for name, column in zip(frame.columns, frame.to_arrow().columns, strict=True)})  # fmt: skip
        table = frame.to_arrow() if writer == "large" else plain
        pq.write_table(table, path, use_dictionary=writer != "plain", row_group_size=800)
    schema = {**SCHEMA, "touchpoint": "what.is it"}
    found = jm.read_events(path, **schema)
    apart = parquet_labels.label_columns(found._log.files[0])
    assert set(apart) == (set() if writer == "plain" else {"touchpoint", "channel", "plan"})
    assert found.frame.equals(jm.read_events(frame, **schema).frame)


def test_a_touchpoint_of_no_letters_is_missing_in_a_dictionary_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_MANY_ROWS", 0)
    monkeypatch.setattr(parquet_labels, "_MOST_BYTES", 1_000)
    frame = pl.DataFrame({"user": ["a"] * 6, "t": range(6), "what": ["x", "", None, "y", "", "x"]})
    frame.write_parquet(tmp_path / "log.parquet")
    schema = {"timestamp": "t", "time_unit": "s", "touchpoint": "what", "max_quarantine_share": 1.0}
    found, expected = jm.read_events(tmp_path / "log.parquet", **schema), jm.read_events(frame, **schema)
    assert parquet_labels.label_columns(found._log.files[0]) == {"touchpoint": "what"}
    assert found.frame.equals(expected.frame)
    assert found.quarantine["row"].to_list() == expected.quarantine["row"].to_list() == [1, 2, 4]


def test_only_labels_that_repeat_are_taken_from_dictionaries(tmp_path: Path) -> None:
    n = 20_000
    frame = pl.DataFrame(
        {"user": ["a"] * n, "t": range(n), "what": ["x", "y"] * (n // 2), "id": [f"id {k}" for k in range(n)]}
    )
    frame.write_parquet(tmp_path / "log.parquet")
    events = jm.read_events(
        tmp_path / "log.parquet", timestamp="t", time_unit="s", touchpoint="what", attributes=["id"]
    )
    assert parquet_labels.label_columns(events._log.files[0]) == {"touchpoint": "what"}
    of_frame = jm.read_events(frame, timestamp="t", time_unit="s", touchpoint="what")
    assert parquet_labels.label_columns(of_frame._log.files[0]) == {}


@pytest.mark.parametrize("dictionaries", [False, True])
def test_a_file_cut_short_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dictionaries: bool) -> None:
    if dictionaries:
        monkeypatch.setattr(batches, "_MANY_ROWS", 0)
        monkeypatch.setattr(parquet_labels, "_MOST_BYTES", 1_000)
    rows(3_000).write_parquet(tmp_path / "log.parquet", row_group_size=300)
    events = jm.read_events(tmp_path / "log.parquet", **SCHEMA)
    content = bytearray((tmp_path / "log.parquet").read_bytes())
    content[4:3_000] = bytes(2_996)
    (tmp_path / "log.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"log\.parquet cannot be read"):
        events.coded()

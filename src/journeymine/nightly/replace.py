"""Supersede a corrected dump, where nothing of it is sealed.

The rows of the night leave the carried ones and the ledger, and the corrected rows take their place in the order of
arrival. What became certain meanwhile stays certain: a corrected row is late when it would change it.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from journeymine.errors import StateError
from journeymine.nightly.advance import admit, check_shape, one_currency, take_in
from journeymine.nightly.dump import Dump, check_times, counts_by_reason, instant, read_dump
from journeymine.nightly.ledger import without_night
from journeymine.nightly.manifest import IDS, next_generation, read_or_empty, settings_in, shape_in
from journeymine.nightly.night import Night
from journeymine.nightly.past import all_nights, number_of_nights
from journeymine.nightly.settings import Settings
from journeymine.nightly.store import Store

__all__ = ["replace_night"]


def replace_night(store: Store, dump: Any, number: int, until: Any = None) -> Night:
    """Let `dump` supersede the night `number`. See `NightlyState.advance`."""
    with store.writing():
        manifest = store.read()
        settings = settings_in(manifest)
        store.sweep_unread(manifest)
        old = _replaceable(store, manifest, number)
        read = read_dump(settings, dump)
        if read.content == old.content:
            return Night.from_data(old.to_data(), changed=False)
        check_shape(manifest, settings, dump)
        changed = next_generation(manifest)
        changed["currency"] = one_currency(_currency_of_others(store, manifest, number), read)
        end = _end(changed, read, instant(until, settings.timezone), old, settings)
        _take_out(store, changed, settings, old)
        changed["observed_until"] = None  # found anew from the nights that are left
        changed["observed_until"] = max([end, *(n["observed_until"] for n in manifest["nights"] if n["id"] != number)])
        rows, aside, duplicates = admit(
            store, changed, settings, read, _safe_before(manifest, settings, number), number
        )
        rows, aside = _keep_sealed(store, manifest, settings, rows, aside)
        night = Night(
            id=number,
            dump=read.name,
            content=read.content,
            observed_until=end,
            rows_read=read.rows_read,
            accepted=rows.height,
            duplicates=duplicates,
            quarantined=counts_by_reason(aside),
            missing=old.missing,
            superseded=(*old.superseded, old.content),
        )
        night = take_in(store, changed, settings, night, rows, aside)
        store.commit(changed)
        return night


def _replaceable(store: Store, manifest: dict[str, Any], number: int) -> Night:
    found = [Night.from_data(data) for data in all_nights(store, manifest) if data["id"] == number]
    if not found:
        raise StateError(
            f"there is no night {number}",
            hint=f"there are {number_of_nights(manifest)}; see journeymine nightly nights",
        )
    night = found[0]
    if night.id < manifest["nights"][0]["id"]:
        raise StateError(
            f"night {number} ({night.dump}) is too long ago to be replaced",
            hint="take the correction in as a new night, or make the state anew with nightly rebuild --from-dumps",
        )
    if night.used:
        raise StateError(
            f"{night.used:,} of the {night.accepted:,} rows of night {number} ({night.dump}) are sealed or sealed "
            "others, so it cannot be replaced",
            hint="take the correction in as a new night, or make the state anew with nightly rebuild --from-dumps",
        )
    return night


def _end(manifest: dict[str, Any], read: Dump, until: int | None, old: Night, settings: Settings) -> int:
    """Until when the log is complete with the corrected dump: as said, or as the superseded one said."""
    if until is None:
        check_times(read, settings)
        return old.observed_until
    others = [data["observed_until"] for data in manifest["nights"] if data["id"] != old.id]
    later = [data["observed_until"] for data in manifest["nights"] if data["id"] > old.id]
    if (later and until > min(later)) or (
        others and max(others) < manifest["observed_until"] and until < old.observed_until
    ):
        raise StateError(
            f"night {old.id} cannot end at another instant now", hint="leave --until out; the night keeps its end"
        )
    return until


def _currency_of_others(store: Store, manifest: dict[str, Any], number: int) -> str | None:
    """The currency that the other nights brought; a superseded dump that came alone decided nothing."""
    others = any(night["accepted"] for night in all_nights(store, manifest) if night["id"] != number)
    return manifest.get("currency") if others else None


def _safe_before(manifest: dict[str, Any], settings: Settings, number: int) -> int | None:
    """Before which instant a row of the night `number` is late."""
    ends = [manifest["past_until"], *(data["observed_until"] for data in manifest["nights"] if data["id"] < number)]
    before = max((int(end) for end in ends if end is not None), default=None)
    return None if before is None else before - settings.lateness_us


def _take_out(store: Store, manifest: dict[str, Any], settings: Settings, old: Night) -> None:
    """Remove what the superseded dump brought."""
    shape = shape_in(manifest)
    carry = read_or_empty(store, manifest["carry"], shape.carried_schema)
    left = carry.filter(pl.col("night") != old.id)
    manifest["carry"] = store.write_table(left) if left.height else None
    ids = read_or_empty(store, manifest["ids"], IDS).filter(pl.col("night") != old.id)
    manifest["ids"] = store.write_table(ids) if ids.height else None
    if settings.by_user:
        manifest["ledger"] = without_night(store, manifest["ledger"], old.id)
    if old.accepted and not any(manifest["counts"].values()):
        # nothing is sealed yet, so every accepted row is still carried; else the log's start is certain
        first = left["timestamp"].min()
        manifest["log_start"] = first if isinstance(first, int) else None


def _keep_sealed(
    store: Store, manifest: dict[str, Any], settings: Settings, rows: pl.DataFrame, aside: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Set aside the corrected rows that would change what is certain by now.

    A row older than `observed_until − allowed_lateness` is harmless where nothing of its user was ever sealed, or where
    it comes after the first row of the user that is carried and not counted.
    """
    from journeymine.nightly.advance import LATE, gather

    safe = manifest["observed_until"] - settings.lateness_us
    everything = gather(store, manifest, shape_in(manifest), rows)
    before = everything.filter(pl.col("night") != rows["night"].first()) if rows.height else everything
    known = before.group_by("user").agg(
        _sealed=(pl.col("prior_journeys").max() > 0) | pl.col("counted").any(),
        _open_from=pl.col("timestamp").filter(~pl.col("counted")).min(),
    )
    judged = rows.join(known, on="user", how="left", maintain_order="left").with_columns(
        _ok=(pl.col("timestamp") >= safe)
        | ~pl.col("_sealed").fill_null(value=False)
        | (pl.col("timestamp") >= pl.col("_open_from")).fill_null(value=False)
    )
    if any(manifest["counts"].values()):
        # the log's start is part of what is certain
        judged = judged.with_columns(_ok=pl.col("_ok") & (pl.col("timestamp") >= manifest["log_start"]))
    late = judged.filter(~pl.col("_ok")).select(
        reason=pl.lit(LATE),
        source=pl.lit("", dtype=pl.String),
        file=pl.col("file").cast(pl.String),
        row="row",
        user="user",
        timestamp="timestamp",
        touchpoint="touchpoint",
    )
    return judged.filter("_ok").select(rows.columns), pl.concat([aside, late])

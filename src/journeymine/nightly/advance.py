"""Take in one night: read, set aside what is late or known, wake who returns, seal what is certain, commit once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from journeymine.counting.counts import TableSpec
from journeymine.errors import SchemaError, StateError
from journeymine.events.identity import ANONYMOUS
from journeymine.journeys.context import LogContext
from journeymine.nightly.asleep import sleep, wake
from journeymine.nightly.by_day import dated, sealed_tables
from journeymine.nightly.dump import Dump, check_jump, check_times, counts_by_reason, instant, read_dump, shape_of
from journeymine.nightly.ledger import add_to_ledger
from journeymine.nightly.manifest import IDS, VOCABULARY, next_generation, read_or_empty, settings_in, shape_in
from journeymine.nightly.night import Night
from journeymine.nightly.onward import onward_counts
from journeymine.nightly.past import nights_of_content, number_of_nights, put_away
from journeymine.nightly.rows import ARRIVAL, RowShape, known_labels, merge_vocabulary, vocabulary_of
from journeymine.nightly.runs import add_piece
from journeymine.nightly.sealing import Carried, Sealing, build_carried, seal
from journeymine.nightly.settings import Settings
from journeymine.nightly.store import Store

__all__ = ["LATE", "admit", "advance", "advance_locked", "check_shape", "gather", "one_currency", "take_in"]

LATE = "later than allowed_lateness"


def advance(store: Store, dump: Any, until: Any = None) -> Night:
    """Take in the next dump. See `NightlyState.advance`."""
    with store.writing():
        return advance_locked(store, dump, until)


def advance_locked(store: Store, dump: Any, until: Any = None) -> Night:
    """The same, by whoever holds the lock already."""
    manifest = store.read()
    settings = settings_in(manifest)
    store.sweep_unread(manifest)
    read = read_dump(settings, dump)
    stated = instant(until, settings.timezone)
    known = known_night(store, manifest, read, stated)
    if known is not None:
        return known
    end = end_of(manifest, read, stated, settings)
    changed = next_generation(manifest)
    changed["shape"] = check_shape(manifest, settings, dump)
    changed["currency"] = one_currency(manifest.get("currency"), read)
    before = manifest["observed_until"]
    safe = None if before is None else before - settings.lateness_us
    number = number_of_nights(manifest) + 1
    rows, aside, duplicates = admit(store, changed, settings, read, safe, number)
    night = Night(
        id=number,
        dump=read.name,
        content=read.content,
        observed_until=end,
        rows_read=read.rows_read,
        accepted=rows.height,
        duplicates=duplicates,
        quarantined=counts_by_reason(aside),
        missing=_missing(manifest, end, settings),
    )
    night = take_in(store, changed, settings, night, rows, aside)
    put_away(store, changed)
    store.commit(changed)
    return night


def known_night(store: Store, manifest: Mapping[str, Any], read: Dump, until: int | None) -> Night | None:
    """The night that took in this very dump before; None where it is new."""
    for data in nights_of_content(store, manifest, read.content):
        if read.content in data["superseded"]:
            raise StateError(
                f"{read.name} is the dump that night {data['id']} replaced",
                hint="advance with a dump that is not superseded",
            )
        if until == data["observed_until"] or (until is None and read.rows_read):
            return Night.from_data(data, changed=False)
        if read.rows_read:
            raise StateError(
                f"{read.name} holds exactly what night {data['id']} held, and is said to end at another instant",
                hint="check that it is tonight's dump; for a night without events give an empty one",
            )
    return None


def end_of(manifest: Mapping[str, Any], read: Dump, until: int | None, settings: Settings) -> int:
    """Until when the log is complete with this dump."""
    before = manifest["observed_until"]
    if until is None:
        if read.last is None:
            raise StateError(f"{read.name} has no usable row, so it does not say when it ends", hint="give --until")
        check_times(read, settings)
        check_jump(read.last, before, settings)
    end = read.last if until is None else until
    assert end is not None
    if before is not None and end < before:
        raise StateError(
            f"{read.name} ends at {np.datetime64(end, 'us')}, before the last night at {np.datetime64(before, 'us')}: "
            "the clock would go backwards",
            hint="advance in order; a dump that came late is taken in with --until the last night's end or later",
        )
    first = read.accepted["timestamp"].min()
    if manifest["log_start"] is None and isinstance(first, int) and end < first:
        raise StateError(
            f"until={np.datetime64(end, 'us')} lies before the first event at {np.datetime64(first, 'us')}",
            hint="give the instant until which the log is complete",
        )
    if manifest["log_start"] is None and read.accepted.height == 0 and read.rows_read:
        raise StateError(
            f"{read.name} has no acceptable row for a first night", hint="begin with a dump that has events"
        )
    return end


def check_shape(manifest: Mapping[str, Any], settings: Settings, dump: Any) -> dict[str, list[str]]:
    """The columns of the rows, which must be the same every night."""
    from journeymine.nightly.dump import open_dump

    shape = shape_of(open_dump(settings, dump))
    found = {name: list(getattr(shape, name)) for name in ("labels", "numbers", "tie_breaks")}
    if manifest["shape"] is not None and manifest["shape"] != found:
        raise SchemaError(
            f"this dump is read into the columns {found}, and the state holds {manifest['shape']}",
            hint="read dumps with the schema of the state; a changed one needs nightly rebuild --from-dumps",
        )
    return found


def one_currency(known: str | None, read: Dump) -> str | None:
    """The currency of all money, where the rows name it: the same every night."""
    if known is not None and read.currency not in (None, known):
        raise SchemaError(
            f"money in several currencies: {read.currency} in {read.name}, and {known} in the nights before",
            hint="convert to one currency before reading, or keep a state for each",
        )
    return read.currency or known


def admit(
    store: Store, manifest: dict[str, Any], settings: Settings, read: Dump, safe: int | None, night: int
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Accepted rows with their night, rows set aside, and how many were known by their event id."""
    rows = read.accepted.with_columns(night=pl.lit(night, dtype=pl.Int32))
    late = rows.clear() if safe is None else rows.filter(pl.col("timestamp") < safe)
    rows = rows if safe is None else rows.filter(pl.col("timestamp") >= safe)
    duplicates = 0
    if "event_id" in rows.columns:
        ids = _ids_in_use(read_or_empty(store, manifest["ids"], IDS), manifest, settings, safe)
        key = ["source", "user", "event_id"]
        known = ids if safe is None else ids.filter(pl.col("timestamp") >= safe)
        new = rows.join(known.select(key), on=key, how="anti", maintain_order="left")  # null ids match nothing
        if settings.has_anonymous:
            new = _without_renamed(new, known)
        duplicates = rows.height - new.height
        rows = new
        known = pl.concat([ids, rows.filter(pl.col("event_id").is_not_null()).select(list(IDS))])
        manifest["ids"] = store.write_table(known) if known.height else None
    aside = pl.concat(
        [
            read.aside,
            late.select(
                reason=pl.lit(LATE),
                source=pl.col("source").cast(pl.String),
                file=pl.col("file").cast(pl.String),
                row="row",
                user="user",
                timestamp="timestamp",
                touchpoint="touchpoint",
            ),
        ]
    )
    return rows.select(shape_in(manifest).columns), aside, duplicates


def _without_renamed(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Rows without the known events of somebody who was anonymous on one night and has a name on another."""
    event = ["source", "event_id", "timestamp"]
    nameless = pl.col("user").str.starts_with(ANONYMOUS)
    for now in (nameless, ~nameless):
        again = rows.filter(now).join(known.filter(~now), on=event, how="semi")
        rows = rows.join(again.select("file", "row"), on=["file", "row"], how="anti", maintain_order="left")
    return rows


def _ids_in_use(ids: pl.DataFrame, manifest: Mapping[str, Any], settings: Settings, safe: int | None) -> pl.DataFrame:
    """The event ids that may be asked for again: by what comes within the lateness, and by what replaces a night."""
    ends, oldest = [manifest["past_until"]], safe
    for night in manifest["nights"]:
        before = max((end for end in ends if end is not None), default=None)
        if night["accepted"] and not night["used"]:
            if before is None or oldest is None:
                return ids
            oldest = min(oldest, before - settings.lateness_us)
        ends.append(night["observed_until"])
    return ids if oldest is None else ids.filter(pl.col("timestamp") >= oldest)


def take_in(
    store: Store, manifest: dict[str, Any], settings: Settings, night: Night, rows: pl.DataFrame, aside: pl.DataFrame
) -> Night:
    """Add accepted rows to a manifest that is about to be committed, and seal what has become certain."""
    shape = shape_in(manifest)
    first = rows["timestamp"].min()
    starts = [each for each in (manifest["log_start"], first) if isinstance(each, int)]
    manifest["log_start"] = min(starts) if starts else None
    manifest["observed_until"] = max(night.observed_until, manifest["observed_until"] or night.observed_until)
    vocabulary, new_labels = _learn(store, manifest, shape, rows, night.id)
    carry = gather(store, manifest, shape, rows)
    used: Mapping[int, int] = {}
    if carry.height:
        context = LogContext(manifest["log_start"], manifest["observed_until"])
        carried = build_carried(carry, settings, shape, context, vocabulary_of(vocabulary, settings.named_touchpoints))
        sealing = seal(carried, settings, manifest["observed_until"] - settings.lateness_us)
        add_counts(store, manifest, settings, carried, sealing)
        manifest["asleep"] = sleep(store, manifest["asleep"], sealing.asleep)
        carry, used = sealing.carry, sealing.used
    manifest["carry"] = store.write_table(carry) if carry.height else None
    if settings.by_user:
        manifest["ledger"] = add_to_ledger(store, manifest["ledger"], rows)
    found = Night.from_data(
        {**night.to_data(), "new_labels": new_labels, "onward": onward_counts(rows, settings, shape)},
        aside=store.write_table(aside) if aside.height else None,
    )
    _remember(manifest, settings, found, used)
    return Night.from_data(next(n for n in manifest["nights"] if n["id"] == night.id))


def gather(store: Store, manifest: Mapping[str, Any], shape: RowShape, rows: pl.DataFrame) -> pl.DataFrame:
    """Everything carried, with the rows of this night and those of users who slept until now, in order of arrival."""
    carry = read_or_empty(store, manifest["carry"], shape.carried_schema)
    returning = rows.select("user").unique().join(carry.select("user").unique(), on="user", how="anti")["user"]
    woken = wake(store, manifest["asleep"], returning, shape.carried_schema)
    fresh = rows.with_columns(
        counted=pl.lit(value=False), prior_journeys=pl.lit(0, dtype=pl.Int64), prior_goals=pl.lit(0, dtype=pl.Int64)
    )
    columns = list(shape.carried_schema)
    return pl.concat([each.select(columns) for each in (carry, woken, fresh)]).sort(ARRIVAL)


def add_counts(store: Store, manifest: dict[str, Any], settings: Settings, carried: Carried, sealing: Sealing) -> None:
    """Add what is sealed to the counts, by the day the journeys started on."""
    for name, tables in sealed_tables(carried, sealing, settings):
        specs = settings.measures[name].specs()
        for table, frame in tables.items():
            spec = dated(specs[table])

            def merge(parts: list[pl.DataFrame], spec: TableSpec = spec) -> pl.DataFrame:
                return spec.merge(parts, nights=True)

            of_measure = manifest["counts"].setdefault(name, {})
            of_measure[table] = add_piece(store, of_measure.get(table, []), frame, merge)


def _learn(
    store: Store, manifest: dict[str, Any], shape: RowShape, rows: pl.DataFrame, night: int
) -> tuple[pl.DataFrame, dict[str, list[str]]]:
    """The vocabulary with this night's labels, and those never seen before."""
    known = read_or_empty(store, manifest["vocabulary"], VOCABULARY)
    found = known_labels(rows, shape.labels)
    seen = {str(name): set(labels["label"]) for (name,), labels in known.group_by("column")}
    new = {name: sorted(labels - seen.get(name, set())) for name, labels in found.items()}
    new = {name: labels for name, labels in new.items() if labels}
    if not new:
        return known, {}
    vocabulary = merge_vocabulary(known, new, night)
    manifest["vocabulary"] = store.write_table(vocabulary)
    told = {name: labels[:20] for name, labels in new.items() if name in ("touchpoint", "channel")}
    return vocabulary, told if known.height else {}


def _remember(manifest: dict[str, Any], settings: Settings, night: Night, used: Mapping[int, int]) -> None:
    """Put the night into the list, and forget detail that is older than it is kept."""
    taken = Counter(dict(used))
    others = [data for data in manifest["nights"] if data["id"] != night.id]
    manifest["nights"] = sorted([*others, night.to_data()], key=lambda data: int(data["id"]))
    oldest = manifest["observed_until"] - settings.keep_days * 86_400_000_000
    for data in manifest["nights"]:
        # a row that seals one journey may later be sealed itself
        data["used"] = min(data["used"] + taken[data["id"]], data["accepted"])
        if data["observed_until"] < oldest:
            data["aside"] = None


def _missing(manifest: Mapping[str, Any], end: int, settings: Settings) -> int:
    """Nights that should have come between the last one and this."""
    before = manifest["observed_until"]
    return 0 if before is None else max(0, round((end - before) / settings.every_us) - 1)

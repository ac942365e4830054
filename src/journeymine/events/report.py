"""`EventReport`: what was read, what was kept, what was set aside, and what was noticed on the way."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN
from journeymine.events.coded import Coded, CodedEvents
from journeymine.events.identity import ANONYMOUS, Identity
from journeymine.events.memory_pass import LoadedLog
from journeymine.events.order import order_events
from journeymine.events.raw_log import RawLog
from journeymine.events.stage_map import StageMap

__all__ = ["EventReport", "SourceReport", "build_report"]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source. Times are ISO 8601 UTC, of the rows usable in themselves; None where there are none.

    `null_channels` counts accepted events without a channel; None where the source declares no channel at all.
    """

    name: str
    n_files: int
    rows_read: int
    accepted: int
    quarantined: int
    null_channels: int | None
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class EventReport:
    """The state of a log.

    Attributes
    ----------
    rows_read, accepted, quarantined : rows; the first is always the sum of the other two.
    quarantined_by_reason : rows set aside by reason, the largest first.
    null_channels : accepted events of sources with channels that have none; they bear the channel ``"(unknown)"``.
    in_user_ties : events at the same instant as the one before them, of the same user, in the user's order.
    out_of_order : rows that are earlier than the same user's row before them in the input.
    n_users, n_anonymous_users : all users, and those of them known by an anonymous id only.
    touchpoints, channels : labels, sorted.
    unmapped_touchpoints : touchpoints without a stage on at least one of their channels; empty without stages.
    unmatched_patterns : declared stage patterns and touchpoint facts that fit nothing in this log.
    unmatched_rules : touchpoints named by declared rules that do not occur.
    anonymous_ids_filled, anonymous_ids_ambiguous : anonymous ids seen with exactly one, with several users.
    sources : one `SourceReport` per source.
    """

    rows_read: int
    accepted: int
    quarantined: int
    quarantined_by_reason: Mapping[str, int]
    null_channels: int
    in_user_ties: int
    out_of_order: int
    n_users: int
    n_anonymous_users: int
    touchpoints: tuple[str, ...]
    channels: tuple[str, ...]
    unmapped_touchpoints: tuple[str, ...]
    unmatched_patterns: tuple[str, ...]
    unmatched_rules: tuple[str, ...]
    anonymous_ids_filled: int
    anonymous_ids_ambiguous: int
    sources: tuple[SourceReport, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, text and integers, ready for JSON."""
        fields = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    def lines(self) -> list[tuple[str, str]]:
        """What a person wants to know, as pairs of a name and a figure."""
        share = self.quarantined / self.rows_read if self.rows_read else 0.0
        told = [
            ("rows read", f"{self.rows_read:,}"),
            ("accepted", f"{self.accepted:,}"),
            ("quarantined", f"{self.quarantined:,} ({share:.2%})"),
        ]
        told += [(f"  {reason}", f"{count:,}") for reason, count in self.quarantined_by_reason.items()]
        told += [
            ("users", f"{self.n_users:,}"),
            ("touchpoints", f"{len(self.touchpoints):,}"),
            ("channels", f"{len(self.channels):,}" if self.channels else "none declared"),
            ("events without channel", f"{self.null_channels:,}"),
            ("ties inside a user", f"{self.in_user_ties:,}"),
            ("rows out of order", f"{self.out_of_order:,}"),
        ]
        if self.anonymous_ids_filled or self.anonymous_ids_ambiguous or self.n_anonymous_users:
            told += [
                ("anonymous ids back-filled", f"{self.anonymous_ids_filled:,}"),
                ("anonymous ids of several users", f"{self.anonymous_ids_ambiguous:,}"),
                ("users known by anonymous id only", f"{self.n_anonymous_users:,}"),
            ]
        for name, listed in (
            ("touchpoints without a stage", self.unmapped_touchpoints),
            ("stage patterns that fit nothing", self.unmatched_patterns),
            ("rules about touchpoints that do not occur", self.unmatched_rules),
        ):
            if listed:
                shown = ", ".join(listed[:8]) + (f", … ({len(listed):,} in all)" if len(listed) > 8 else "")
                told.append((name, shown))
        return told + [(f"source {source.name}", _told(source)) for source in self.sources]

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.lines())
        return "\n".join(f"{name:<{width}}  {figure}" for name, figure in self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(name).replace('  ', '&emsp;')}</td>"
            f"<td style='text-align:left'>{html.escape(figure)}</td></tr>"
            for name, figure in self.lines()
        )
        return f"<table>{rows}</table>"


def _told(source: SourceReport) -> str:
    span = f"{source.first} to {source.last}" if source.first else "nothing usable"
    files = f"{source.n_files} file{'s' * (source.n_files != 1)}"
    return f"{source.rows_read:,} rows in {files}, {source.quarantined:,} quarantined, {span}"


def build_report(log: RawLog, loaded: LoadedLog, reasons: Mapping[str, int], stages: StageMap) -> EventReport:
    """Sum a finished pass up."""
    coded = loaded.coded
    read, kept = sum(loaded.heights), len(coded)
    order = order_events(coded)
    touchpoints, channels = _pairs(coded)
    mapped = stages.lookup(touchpoints, channels)
    unmapped = mapped.filter(pl.col("stage").is_null() & bool(stages.stages))["touchpoint"].unique().sort()
    named = {name for pair in log.rules.never_before for name in pair}
    sources = _sources(log, loaded)
    identity = loaded.identity or Identity(pl.DataFrame(), ())
    return EventReport(
        rows_read=read,
        accepted=kept,
        quarantined=read - kept,
        quarantined_by_reason=dict(reasons),
        null_channels=sum(source.null_channels or 0 for source in sources),
        in_user_ties=order.n_ties,
        out_of_order=order.n_out_of_order,
        n_users=len(order.users),
        n_anonymous_users=int(order.users.str.starts_with(ANONYMOUS).sum()) if log.has_anonymous else 0,
        touchpoints=coded.labels["touchpoint"].labels,
        channels=coded.labels["channel"].labels if "channel" in coded.labels else (),
        unmapped_touchpoints=tuple(unmapped),
        unmatched_patterns=stages.unmatched(touchpoints, channels),
        unmatched_rules=tuple(sorted(named - set(coded.labels["touchpoint"].labels))),
        anonymous_ids_filled=len(identity.users),
        anonymous_ids_ambiguous=len(identity.ambiguous),
        sources=sources,
    )


def _pairs(coded: CodedEvents) -> tuple[list[str], list[str] | None]:
    """The distinct (touchpoint, channel) pairs of the log."""
    touchpoint = coded.labels["touchpoint"]
    if "channel" not in coded.labels:
        return list(touchpoint.labels), None
    channel = coded.labels["channel"]
    width = max(len(channel.labels), 1)
    packed = touchpoint.codes.astype(np.int64) * width + channel.codes
    codes = pl.Series(packed).unique().sort().to_numpy()
    return [touchpoint.labels[i] for i in codes // width], [channel.labels[i] for i in codes % width]


def _sources(log: RawLog, loaded: LoadedLog) -> tuple[SourceReport, ...]:
    nulls = _null_channels(loaded)
    reports = []
    for name in log.source_names:
        files = [i for i, file in enumerate(log.files) if file.source_name == name]
        schema = log.files[files[0]].schema
        read, kept = sum(loaded.heights[i] for i in files), sum(loaded.accepted[i] for i in files)
        spans = [span for i in files if (span := loaded.spans[i]) is not None]
        declares = schema.channel is not None or schema.constant_channel is not None
        reports.append(
            SourceReport(
                name,
                len(files),
                read,
                kept,
                read - kept,
                int(sum(nulls[i] for i in files)) if declares else None,
                _iso(min(span[0] for span in spans)) if spans else None,
                _iso(max(span[1] for span in spans)) if spans else None,
            )
        )
    return tuple(reports)


def _null_channels(loaded: LoadedLog) -> npt.NDArray[np.int64]:
    """Accepted events without channel, per file; accepted events are in file order."""
    channel: Coded | None = loaded.coded.labels.get("channel")
    if channel is None or UNKNOWN not in channel.labels:
        return np.zeros(len(loaded.accepted), dtype=np.int64)
    unknown = channel.codes == channel.labels.index(UNKNOWN)
    ends = np.cumsum([0, *loaded.accepted])
    return np.array([np.count_nonzero(unknown[a:b]) for a, b in pairwise(ends)], dtype=np.int64)


def _iso(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")

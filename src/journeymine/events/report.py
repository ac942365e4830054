"""`EventReport`: what was read, what was kept, what was set aside, and what was noticed on the way."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN
from journeymine.events.coded import Coded
from journeymine.events.identity import ANONYMOUS
from journeymine.events.memory_pass import LoadedLog
from journeymine.events.order import OrderedEvents
from journeymine.events.raw_log import RawLog
from journeymine.events.stage_map import StageMap
from journeymine.percents import percent

__all__ = ["EventReport", "LogFacts", "SourceReport", "build_report", "facts_of_log"]


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
    """The report on a log: what was read, kept and set aside, and what was noticed.

    Attributes
    ----------
    rows_read, accepted, quarantined : numbers of rows; the first is always the sum of the other two.
    quarantined_by_reason : rows set aside, by reason, the largest number first.
    null_channels : accepted events without a channel, in sources that have channels; they have the channel
        ``"(unknown)"``.
    in_user_ties : events at the same instant as the one before them in the user's order.
    out_of_order : rows that are earlier than the row before them of the same user, in input order.
    n_users, n_anonymous_users : all users, and those of them known by an anonymous id only.
    touchpoints, channels : labels, sorted.
    unmapped_touchpoints : touchpoints without a stage on at least one of their channels; empty in a log without stages.
    unmatched_patterns : declared stage patterns and touchpoint facts that fit nothing in this log.
    unmatched_rules : touchpoints that declared rules name and that do not occur.
    anonymous_ids_filled, anonymous_ids_ambiguous : anonymous ids that were seen with exactly one user, and with
        several.
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
        """Return plain dicts, lists, text and integers, ready for JSON."""
        fields = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    def lines(self) -> list[tuple[str, str]]:
        """What a person wants to know, as pairs of a name and a figure."""
        share = self.quarantined / self.rows_read if self.rows_read else 0.0
        told = [
            ("rows read", f"{self.rows_read:,}"),
            ("accepted", f"{self.accepted:,}"),
            ("quarantined", f"{self.quarantined:,} ({percent(share, 2)}%)"),
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

    def __repr__(self) -> str:
        return str(self)

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


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What a report is made from; whoever read the log, whole or in parts, knows these.

    Attributes
    ----------
    heights, accepted, null_channels : rows read, accepted, and accepted without a channel, per file.
    spans : first and last timestamp in µs of the rows usable in themselves, per file; None where there are none.
    reasons : rows set aside by reason, the largest first.
    ties, out_of_order, users, anonymous_users : as in `EventReport`.
    pairs : distinct (touchpoint, channel) of accepted events, sorted; the channel is None in a log without channels.
    ids_filled, ids_ambiguous : anonymous ids seen with exactly one, with several users.
    """

    heights: Sequence[int]
    accepted: Sequence[int]
    null_channels: Sequence[int]
    spans: Sequence[tuple[int, int] | None]
    reasons: Mapping[str, int]
    ties: int
    out_of_order: int
    users: int
    anonymous_users: int
    pairs: Sequence[tuple[str, str | None]]
    ids_filled: int = 0
    ids_ambiguous: int = 0


def facts_of_log(log: RawLog, loaded: LoadedLog, order: OrderedEvents, reasons: Mapping[str, int]) -> LogFacts:
    """The facts from one finished pass in memory."""
    return LogFacts(
        heights=loaded.heights,
        accepted=loaded.accepted,
        null_channels=_null_channels(loaded, order).tolist(),
        spans=loaded.spans,
        reasons=reasons,
        ties=order.n_ties,
        out_of_order=order.n_out_of_order,
        users=len(order.users),
        anonymous_users=int(order.users.str.starts_with(ANONYMOUS).sum()) if log.has_anonymous else 0,
        pairs=_pairs(order.labels),
        ids_filled=len(loaded.identity.users) if loaded.identity is not None else 0,
        ids_ambiguous=len(loaded.identity.ambiguous) if loaded.identity is not None else 0,
    )


def build_report(log: RawLog, facts: LogFacts, stages: StageMap) -> EventReport:
    """Sum a finished pass up."""
    read, kept = sum(facts.heights), sum(facts.accepted)
    with_channels = "channel" in log.labels
    touchpoints = [touchpoint for touchpoint, _ in facts.pairs]
    channels = [channel or "" for _, channel in facts.pairs] if with_channels else None
    mapped = stages.lookup(touchpoints, channels)
    unmapped = mapped.filter(pl.col("stage").is_null() & bool(stages.stages))["touchpoint"].unique().sort()
    named = {name for pair in log.rules.never_before for name in pair}
    sources = _sources(log, facts)
    return EventReport(
        rows_read=read,
        accepted=kept,
        quarantined=read - kept,
        quarantined_by_reason=dict(facts.reasons),
        null_channels=sum(source.null_channels or 0 for source in sources),
        in_user_ties=facts.ties,
        out_of_order=facts.out_of_order,
        n_users=facts.users,
        n_anonymous_users=facts.anonymous_users if log.has_anonymous else 0,
        touchpoints=tuple(sorted(set(touchpoints))),
        channels=tuple(sorted(set(channels or ()))),
        unmapped_touchpoints=tuple(unmapped),
        unmatched_patterns=stages.unmatched(touchpoints, channels),
        unmatched_rules=tuple(sorted(named - set(touchpoints))),
        anonymous_ids_filled=facts.ids_filled,
        anonymous_ids_ambiguous=facts.ids_ambiguous,
        sources=sources,
    )


def _pairs(labels: Mapping[str, Coded]) -> list[tuple[str, str | None]]:
    """The distinct (touchpoint, channel) pairs of the log."""
    touchpoint = labels["touchpoint"]
    if "channel" not in labels:
        return [(label, None) for label in touchpoint.labels]
    channel = labels["channel"]
    width = max(len(channel.labels), 1)
    packed = touchpoint.codes.astype(np.int64) * width + channel.codes
    codes = pl.Series(packed).unique().sort().to_list()
    return [(touchpoint.labels[code // width], channel.labels[code % width]) for code in codes]


def _sources(log: RawLog, facts: LogFacts) -> tuple[SourceReport, ...]:
    reports = []
    for name in log.source_names:
        files = [i for i, file in enumerate(log.files) if file.source_name == name]
        schema = log.files[files[0]].schema
        read, kept = sum(facts.heights[i] for i in files), sum(facts.accepted[i] for i in files)
        spans = [span for i in files if (span := facts.spans[i]) is not None]
        declares = schema.channel is not None or schema.constant_channel is not None
        reports.append(
            SourceReport(
                name,
                len(files),
                read,
                kept,
                read - kept,
                sum(facts.null_channels[i] for i in files) if declares else None,
                _iso(min(span[0] for span in spans)) if spans else None,
                _iso(max(span[1] for span in spans)) if spans else None,
            )
        )
    return tuple(reports)


def _null_channels(loaded: LoadedLog, order: OrderedEvents) -> npt.NDArray[np.int64]:
    """Accepted events without channel, per file; rows of the input are in file order."""
    channel: Coded | None = order.labels.get("channel")
    if channel is None or UNKNOWN not in channel.labels:
        return np.zeros(len(loaded.accepted), dtype=np.int64)
    rows = order.row[channel.codes == channel.labels.index(UNKNOWN)]
    file = np.searchsorted(np.cumsum(loaded.accepted), rows, side="right")
    return np.bincount(file, minlength=len(loaded.accepted))


def _iso(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")

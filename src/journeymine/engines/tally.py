"""What a part of a log tells of the log itself, beside the counts: added over parts it yields the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import SINGLE_CHANNEL, UNKNOWN
from journeymine.events.coded import Coded
from journeymine.events.identity import ANONYMOUS
from journeymine.events.order import OrderedEvents

__all__ = ["LogTally", "tally_part"]


@dataclass(frozen=True, slots=True)
class LogTally:
    """Whole users' share of the report. Adds exactly, in any order.

    Attributes
    ----------
    accepted, null_channels : accepted events, and those of them without a channel, per file.
    judged : rows that failed a check over their whole user, per file and code of the reason.
    users, anonymous_users, ties, out_of_order : as in `EventReport`.
    pairs : distinct (touchpoint, channel) of accepted events; an empty channel in a log without channels.
    latest : the latest timestamps of accepted events, µs, as many as were asked for, latest first.
    """

    accepted: Mapping[int, int] = field(default_factory=dict)
    null_channels: Mapping[int, int] = field(default_factory=dict)
    judged: Mapping[tuple[int, int], int] = field(default_factory=dict)
    users: int = 0
    anonymous_users: int = 0
    ties: int = 0
    out_of_order: int = 0
    pairs: frozenset[tuple[str, str]] = frozenset()
    latest: tuple[int, ...] = ()

    @property
    def n_accepted(self) -> int:
        """Accepted events."""
        return sum(self.accepted.values())

    @classmethod
    def merge(cls, parts: Iterable[LogTally], n_latest: int) -> LogTally:
        """Add parts; `n_latest` of the latest timestamps are kept."""
        accepted: Counter[int] = Counter()
        null_channels: Counter[int] = Counter()
        judged: Counter[tuple[int, int]] = Counter()
        users, anonymous, ties, out_of_order = 0, 0, 0, 0
        pairs: set[tuple[str, str]] = set()
        latest = np.zeros(0, dtype=np.int64)
        for part in parts:
            accepted.update(part.accepted)
            null_channels.update(part.null_channels)
            judged.update(part.judged)
            users, anonymous = users + part.users, anonymous + part.anonymous_users
            ties, out_of_order = ties + part.ties, out_of_order + part.out_of_order
            pairs |= part.pairs
            latest = _latest(np.concatenate((latest, np.array(part.latest, dtype=np.int64))), n_latest)
        return cls(
            dict(sorted(accepted.items())), dict(sorted(null_channels.items())), dict(sorted(judged.items())),
            users, anonymous, ties, out_of_order, frozenset(pairs), tuple(latest.tolist()),
        )  # fmt: skip

    def to_json(self) -> str:
        """As text, the same bytes for the same tally."""
        data = {
            "accepted": sorted(self.accepted.items()),
            "null_channels": sorted(self.null_channels.items()),
            "judged": [[file, reason, n] for (file, reason), n in sorted(self.judged.items())],
            "users": [self.users, self.anonymous_users],
            "order": [self.ties, self.out_of_order],
            "pairs": sorted(self.pairs),
            "latest": self.latest,
        }
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> LogTally:
        """Read what `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        users, anonymous = data["users"]
        ties, out_of_order = data["order"]
        return cls(
            accepted=dict(data["accepted"]),
            null_channels=dict(data["null_channels"]),
            judged={(file, reason): n for file, reason, n in data["judged"]},
            users=users,
            anonymous_users=anonymous,
            ties=ties,
            out_of_order=out_of_order,
            pairs=frozenset((touchpoint, channel) for touchpoint, channel in data["pairs"]),
            latest=tuple(data["latest"]),
        )


def tally_part(order: OrderedEvents, files: pl.Series, aside: pl.DataFrame, n_latest: int) -> LogTally:
    """Tally whole users' accepted events, the file of each in input order, and their rows set aside."""
    channel = order.labels.get("channel")
    null_channels: dict[int, int] = {}
    if channel is not None and UNKNOWN in channel.labels:
        without = channel.codes == channel.labels.index(UNKNOWN)
        null_channels = _per_file(files.gather(pl.Series(order.row[without])))
    judged = aside.group_by("file", "reason").len().sort("file", "reason")
    return LogTally(
        accepted=_per_file(files),
        null_channels=null_channels,
        judged={(file, reason): n for file, reason, n in judged.iter_rows()},
        users=len(order.users),
        anonymous_users=int(order.users.str.starts_with(ANONYMOUS).sum()),
        ties=order.n_ties,
        out_of_order=order.n_out_of_order,
        pairs=_pairs(order.labels),
        latest=tuple(_latest(order.time, n_latest).tolist()),
    )


def _per_file(files: pl.Series) -> dict[int, int]:
    counts = files.value_counts().sort(files.name)
    return {int(file): int(n) for file, n in counts.iter_rows()}


def _pairs(labels: Mapping[str, Coded]) -> frozenset[tuple[str, str]]:
    touchpoint = labels["touchpoint"]
    if "channel" not in labels:
        used = np.unique(touchpoint.codes)
        return frozenset((touchpoint.labels[i], SINGLE_CHANNEL) for i in used.tolist())
    channel = labels["channel"]
    width = max(len(channel.labels), 1)
    packed = touchpoint.codes.astype(np.int64) * width + channel.codes
    pairs = pl.Series(packed).unique().to_list()
    return frozenset((touchpoint.labels[pair // width], channel.labels[pair % width]) for pair in pairs)


def _latest(time: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    kept = np.partition(time, len(time) - n)[len(time) - n :] if len(time) > n else time
    return np.sort(kept)[::-1]

"""`Journeys`: steps as columns of codes, journeys as offsets into them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.events.coded import Coded
from journeymine.journeys.company import CompanyTouches
from journeymine.journeys.context import LogContext
from journeymine.journeys.heads import Heads
from journeymine.journeys.rules import JourneyRules
from journeymine.parallel import take

if TYPE_CHECKING:
    from journeymine.events.log import Events
    from journeymine.events.report import EventReport

__all__ = ["Journeys", "Steps", "check_journeys"]

Ints = npt.NDArray[np.int64]
_FEW = 8
"""Where fewer than one step in so many is asked for, looking each up costs less than a pass over all."""


@dataclass(frozen=True, slots=True)
class Steps:
    """All steps, journey after journey: time in µs, labels as codes, numbers in micro-units."""

    time: Ints
    labels: Mapping[str, Coded]
    numbers: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.time)

    def slice(self, there: slice) -> Steps:
        """A range of steps, without copying."""
        return self._map(there)

    def take(self, rows: Ints) -> Steps:
        """The steps at `rows`."""
        return self._map(rows)

    def _map(self, which: Any) -> Steps:
        return Steps(
            self.time[which],
            {name: Coded(coded.codes[which], coded.labels) for name, coded in self.labels.items()},
            {name: column[which] for name, column in self.numbers.items()},
        )


@dataclass(frozen=True, eq=False)
class Journeys:
    """The journeys of a log. Made by `build_journeys`; never changes: every method that narrows it returns a new one.

    People use `table`, `steps`, `where`, `segment`, `join_users`, `between`, `dropped` and `through`. Measures use the
    arrays: the steps of journey j are ``offsets[j]:offsets[j + 1]``.

    Attributes
    ----------
    table : one row per journey, sorted by user and time. See `docs/schemas.md`.
    steps : one row per step, in the same order.
    coded : the same steps as arrays, in the order of `offsets`.
    stages : names of the declared stages, in order.
    stage_map : checksum of what the stages hold, and of the facts about touchpoints.
    goal_stage : the stage of the goal, by the rules and the stage map, the same in every part; None without one.
    notes : what a reader of their numbers must know, in sentences.
    selection : which of the log's journeys these are, as a checksum; ``""`` for all of them.
    """

    coded: Steps
    offsets: Ints
    heads: Heads
    users: pl.Series
    folds: npt.NDArray[np.uint8]
    rules: JourneyRules
    context: LogContext
    stages: tuple[str, ...] = ()
    stage_map: str | None = None
    goal_stage: str | None = None
    segments: Mapping[str, Coded] = field(default_factory=dict)
    company: CompanyTouches = field(default_factory=CompanyTouches.none)
    events: Events | None = None
    notes: tuple[str, ...] = ()
    selection: str = ""

    def __len__(self) -> int:
        return len(self.heads)

    def __repr__(self) -> str:
        notes = "".join(f"\n({note})" for note in self.notes)
        return f"<Journeys: {len(self):,} journeys of {len(self.users):,} users, {len(self.coded):,} steps>{notes}"

    @property
    def report(self) -> EventReport | None:
        """The report of the log that these journeys were built from; None for journeys of a part."""
        return None if self.events is None else self.events.report

    @property
    def lengths(self) -> Ints:
        """Steps of each journey."""
        return np.diff(self.offsets)

    @property
    def journey_of_step(self) -> Ints:
        """The journey of each step."""
        begins = np.zeros(len(self.coded), dtype=np.int64)
        begins[self.offsets[1:-1]] = 1  # each journey has a step
        return np.asarray(np.cumsum(begins))

    def journey_at(self, step: Ints) -> Ints:
        """The journey of each of some steps, given in ascending order."""
        if len(step) * _FEW < len(self.coded):
            return np.searchsorted(self.offsets, step, side="right") - 1
        return take(self.journey_of_step, step)

    def codes(self, grain: str) -> Coded:
        """Labels of the steps at a grain: ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"`` or any
        label column of the log.

        Raises
        ------
        UnknownLabelError : the log has no such column; it says which there are.
        QuestionError : what is no name.
        """  # noqa: D205
        check_name(grain)
        if grain in self.coded.labels:
            return self.coded.labels[grain]
        if grain == "channel:touchpoint" and "channel" in self.coded.labels:
            return pair_codes(self.coded.labels["channel"], self.coded.labels["touchpoint"])
        raise UnknownLabelError.naming("label column", grain, self.coded.labels)

    def with_grains(self, grains: Iterable[str]) -> Journeys:
        """The same journeys with pairs among `grains` as a column, so that all their parts share its codes."""
        pairs = {name: self.codes(name) for name in grains if name == "channel:touchpoint"}
        return replace(self, coded=replace(self.coded, labels={**self.coded.labels, **pairs})) if pairs else self

    def replace(self, **changes: Any) -> Journeys:
        """The same journeys with some attributes exchanged."""
        return replace(self, **changes)

    # -- parts -------------------------------------------------------------------------------------------------------

    def parts(self, n_steps: int = 1_000_000) -> Iterator[Journeys]:
        """Consecutive groups of whole users with about `n_steps` steps each, as views: nothing is copied."""
        targets = np.arange(n_steps, len(self.coded), n_steps)
        at = np.searchsorted(self.offsets[:-1], targets)
        # Users come in order: a part ends with the last journey of the user whose steps reach its target.
        cuts = np.searchsorted(self.heads.user, self.heads.user[at - 1], side="right")
        edges = np.unique(np.concatenate(([0], cuts, [len(self)])))
        if len(edges) < 2:
            yield self
        for low, high in itertools.pairwise(edges.tolist()):
            yield self.range(low, high)

    def range(self, low: int, high: int) -> Journeys:
        """Journeys low … high - 1 as a view; the caller sees to it that users stay whole."""
        a, b = int(self.offsets[low]), int(self.offsets[high])
        heads = self.heads.take(slice(low, high))
        u, v = (int(heads.user[0]), int(heads.user[-1]) + 1) if high > low else (0, 0)
        return replace(
            self,
            coded=self.coded.slice(slice(a, b)),
            offsets=self.offsets[low : high + 1] - a,
            heads=heads.replace(user=heads.user - u),
            users=self.users.slice(u, v - u),
            folds=self.folds[u:v],
            segments={name: Coded(coded.codes[low:high], coded.labels) for name, coded in self.segments.items()},
            company=self.company.of_range(low, high),
        )

    def pick(self, kept: npt.NDArray[np.bool_]) -> Journeys:
        """The journeys of a mask. What is known of them (nth, what followed) stays as it was among all."""
        chosen = np.flatnonzero(kept)
        lengths = self.lengths[chosen]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        rows = np.arange(int(offsets[-1])) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        heads = self.heads.take(chosen)
        users, user = np.unique(heads.user, return_inverse=True)
        return replace(
            self,
            coded=self.coded.take(rows),
            offsets=offsets,
            heads=heads.replace(user=user),
            users=self.users.gather(pl.Series(users)),
            folds=self.folds[users],
            segments={name: coded.take(chosen) for name, coded in self.segments.items()},
            company=self.company.of_journeys(chosen),
            selection=self.selection if len(chosen) == len(self) else heads.checksum(self.folds),
        )

    # -- for people --------------------------------------------------------------------------------------------------

    @property
    def table(self) -> pl.DataFrame:
        """One row per journey, sorted by user and time."""
        from journeymine.journeys.tables import journey_table

        return journey_table(self).sort("user", "nth_journey")

    @property
    def steps(self) -> pl.DataFrame:
        """One row per step, sorted by user and time. Rows of what the company did are marked ``by_company``."""
        from journeymine.journeys.tables import step_table

        return step_table(self)

    def where(self, condition: pl.Expr | pl.Series) -> Journeys:
        """Keep the journeys for which a condition holds: a Polars expression over `table`, or a column of its length.

        Null counts as false.
        """
        from journeymine.journeys.select import where

        return where(self, condition)

    def segment(self, name: str, label: pl.Expr | pl.Series) -> Journeys:
        """Give each journey a label: a Polars expression over `table`, or a column of its length, cast to text.

        Measures then break down by it with ``by=name``.
        """
        from journeymine.journeys.select import segment

        return segment(self, name, label)

    def join_users(self, frame: pl.DataFrame, *, on: str = "user") -> Journeys:
        """Add each column of a frame with one row per user as a segment; users not in it get ``"(unknown)"``.

        `on` is the frame's column of user ids.
        """
        from journeymine.journeys.select import join_users

        return join_users(self, frame, on=on)

    def between(self, start: Any, end: Any) -> Journeys:
        """Keep the journeys that start at or after `start` and before `end`.

        Both are dates, datetimes or ISO text; without a zone they are UTC.

        The log's bounds stay those of the whole log. Measures that follow users from journey to journey (retention,
        stickiness, life cycle, repeat rate, value per customer, first-contact resolution) must therefore not be asked
        of a part of the time: customers would seem to leave at its end, and old ones to be new at its start. Ask them
        of all journeys of some users, such as ``journeys.where(pl.col("start").min().over("user") < when)``.
        """
        from journeymine.journeys.select import between

        return between(self, start, end)

    def dropped(self, *, stage: str | None = None, channel: str | None = None, immature: bool = False) -> Journeys:
        """Keep the lost journeys that end in a stage or channel: those that `drop_off` counts in ``lost_here``.

        Parameters
        ----------
        stage, channel : of the journey's last step. By default any.
        immature : True also keeps lost journeys that are too young for a share: of those who started with them, some
            are still open.
        """
        from journeymine.journeys.select import dropped

        return dropped(self, stage=stage, channel=channel, immature=immature)

    def through(self, touchpoint: str) -> Journeys:
        """Keep the journeys with at least one step at `touchpoint`."""
        from journeymine.journeys.select import through

        return through(self, touchpoint)


def pair_label(channel: str, touchpoint: str) -> str:
    r"""The label of a pair; a colon or backslash in the channel is escaped, so no two pairs read alike.

    >>> pair_label("web", "order"), pair_label("a:b", "c"), pair_label("a", "b:c")
    ('web:order', 'a\\:b:c', 'a:b:c')
    """
    return channel.replace("\\", "\\\\").replace(":", "\\:") + ":" + touchpoint


def pair_codes(channel: Coded, touchpoint: Coded) -> Coded:
    """Labels ``"channel:touchpoint"`` of the pairs that occur."""
    from journeymine.events.coded import narrow

    n = len(touchpoint.labels)
    packed = channel.codes.astype(np.uint32) * np.uint32(n) + touchpoint.codes
    used = np.zeros(n * len(channel.labels), dtype=bool)
    used[packed] = True
    seen = np.flatnonzero(used)
    names = [pair_label(channel.labels[int(p) // n], touchpoint.labels[int(p) % n]) for p in seen]
    order = np.argsort(np.array(names, dtype=object), kind="stable")
    rank = np.zeros(len(used), dtype=np.uint32)
    rank[seen[order]] = np.arange(len(names))
    return Coded(take(narrow(rank, len(names)), packed), tuple(names[i] for i in order))


def check_name(given: object) -> None:
    """Refuse what is no name of a column, such as a list of them."""
    if not isinstance(given, str):
        raise QuestionError(f"{given!r} names no label column", hint="give the name of one, such as 'channel'")


def check_journeys(*given: object) -> None:
    """Refuse anything else in the place of journeys."""
    for each in given:
        if not isinstance(each, Journeys):
            raise QuestionError(
                f"journeys are asked for, and a {type(each).__name__} was given",
                hint="build_journeys(events, …) makes journeys of what read_events returns",
            )

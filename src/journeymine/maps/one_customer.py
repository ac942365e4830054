"""The journeys of one customer, step by step, on the same canvas as everybody's."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
import polars as pl

from journeymine.columns import SINGLE_CHANNEL
from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.journeys.journeys import Journeys, check_journeys, pair_label
from journeymine.maps.evidence import ExampleJourney, ExampleStep, Sentence
from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.specification import Flow, Header, Lane, MapSpecification, Node, Stage, Terminal
from journeymine.maps.wording import legible, plural

__all__ = ["journey_map_of_user", "pseudonym"]

MOST_STEPS = 300
"""Most steps that are written out; a robot's million is no journey to read."""
Status = Literal["converted", "lost", "open", "ended", "service"]
Row = Mapping[str, Any]


def pseudonym(user: str, key: str | bytes) -> str:
    """Twelve hexadecimal digits of HMAC-SHA256 (RFC 2104): the same for the same key, and nobody's without it.

    >>> pseudonym("C100000", "a key of sixteen")
    '70da93ba3e50'
    """
    secret = key.encode() if isinstance(key, str) else key
    if len(secret) < 16:
        raise QuestionError(
            f"a key of {len(secret)} bytes can be guessed, and with it every pseudonym",
            hint="secrets.token_hex(16) makes one; keep it apart from the maps",
        )
    return hmac.new(secret, user.encode(), hashlib.sha256).hexdigest()[:12]


def journey_map_of_user(
    journeys: Journeys, user: str, *, show_users: str | bytes | None = None, title: str = "One customer's journeys"
) -> JourneyMap:
    """Draw what one customer did: each step where and when it happened.

    This is a picture of a person. It is never part of a shared map, and does not show the id in any form unless asked
    to.

    Parameters
    ----------
    journeys : made by `build_journeys`.
    user : the id of the customer, as in `Journeys.table`.
    show_users : a key of at least 16 bytes, by which the customer is named with a `pseudonym`. By default there is no
        name at all.
    title : heading of the map.

    Returns
    -------
    JourneyMap : each journey is one of its examples, with the time since its first step.

    Raises
    ------
    UnknownLabelError : there is no such user.
    QuestionError : the key is too short.

    Notes
    -----
    Company touches are no steps and are left out. At most 300 steps are written out, the earliest ones.
    """
    check_journeys(journeys)
    if not isinstance(user, str):
        raise QuestionError(f"user={user!r} is no id", hint="ids are text, as in journeys.table")
    at = journeys.users.index_of(user)
    if at is None:
        raise UnknownLabelError(f"no journey of user {user!r}", hint="take a user from journeys.table")
    own = journeys.pick(journeys.heads.user == at)
    name = "" if show_users is None else pseudonym(user, show_users)
    table = own.table
    steps = own.steps.filter(pl.col("step").is_not_null())
    n_steps, steps = steps.height, steps.head(MOST_STEPS)
    by_journey: list[tuple[Row, list[Row]]] = [
        (row, [s for s in steps.rows(named=True) if s["nth_journey"] == row["nth_journey"]])
        for row in table.rows(named=True)
    ]
    header = _header(own, title, f"Customer {name}" if name else "One customer", steps.height / n_steps)
    spec = _specification(own, header, [(row, own_steps) for row, own_steps in by_journey if own_steps], name)
    if steps.height < n_steps:
        cut = Sentence(text=f"Only the first {steps.height:,} of {n_steps:,} steps are drawn and written out.")
        spec = replace(spec, unknowns=(cut,))
    return JourneyMap(spec)


def _header(own: Journeys, title: str, who: str, covered: float) -> Header:
    from journeymine.maps.compose import iso

    goal = own.rules.goal
    return Header(
        title=title,
        who=who,
        goal=" or ".join(goal.touchpoints() or ("the goal",)) if goal is not None else "",
        n_users=1,
        n_journeys=len(own),
        covered=covered,
        period_start=iso(int(own.heads.start.min())),
        period_end=iso(int(own.heads.end.max())),
        observed_until=iso(own.context.observed_until),
        currency=(own.events.currency if own.events is not None else None) or "",
    )


def _specification(
    own: Journeys, header: Header, by_journey: Sequence[tuple[Row, list[Row]]], name: str
) -> MapSpecification:
    every = [step for _, steps in by_journey for step in steps]
    places = dict.fromkeys((_id(step), step["touchpoint"], _stage(step), _channel(step)) for step in every)
    times = Counter(_id(step) for step in every)
    journeys_at = Counter(label for _, steps in by_journey for label in {_id(step) for step in steps})
    order = [*own.stages, *sorted({stage for *_, stage, _ in places} - set(own.stages))]
    stages = [stage for stage in order if any(stage == place[2] for place in places)]
    shown = tuple(_example(i, row, steps, name) for i, (row, steps) in enumerate(by_journey, 1))
    through = {
        label: tuple(e.id for e, (_, s) in zip(shown, by_journey, strict=True) if any(_id(x) == label for x in s))
        for label in times
    }
    return MapSpecification(
        header=header,
        stages=tuple(Stage(name=stage) for stage in stages),
        lanes=tuple(Lane(name=channel) for channel in dict.fromkeys(place[3] for place in places)),
        nodes=tuple(
            Node(id=label, touchpoint=touchpoint, stage=stage, channel=channel, n=times[label], n_journeys=journeys_at[label],
                 examples=through[label][:3])
            for label, touchpoint, stage, channel in places
        ),
        flows=_flows(by_journey, {stage: i for i, stage in enumerate(stages)}),
        terminals=_terminals(by_journey),
        examples=shown,
        summary=tuple(Sentence(text=_told(row)) for row, _ in by_journey[:5]),
        stages_are="given" if own.stages else "typical_order",
    )  # fmt: skip


def _id(step: Row) -> str:
    return pair_label(step["channel"], step["touchpoint"]) if "channel" in step else str(step["touchpoint"])


def _stage(step: Row) -> str:
    return step.get("stage") or "1"


def _channel(step: Row) -> str:
    return step.get("channel") or SINGLE_CHANNEL


def _flows(by_journey: Sequence[tuple[Row, list[Row]]], rank: Mapping[str, int]) -> tuple[Flow, ...]:
    moves: dict[tuple[str, str], list[tuple[int, Row, Row]]] = {}
    for i, (_, steps) in enumerate(by_journey):
        for a, b in pairwise(steps):
            moves.setdefault((_id(a), _id(b)), []).append((i, a, b))
    return tuple(
        Flow(
            source=source,
            target=target,
            n=len(found),
            n_journeys=len({i for i, _, _ in found}),
            p50_s=float(np.median([(b["timestamp"] - a["timestamp"]).total_seconds() for _, a, b in found])),
            is_back=rank[_stage(found[0][2])] < rank[_stage(found[0][1])],
            is_handover=_channel(found[0][1]) != _channel(found[0][2]),
        )
        for (source, target), found in moves.items()
    )


def _terminals(by_journey: Sequence[tuple[Row, list[Row]]]) -> tuple[Terminal, ...]:
    starts = Counter(_id(steps[0]) for _, steps in by_journey)
    drawn_out = [(row, steps) for row, steps in by_journey if len(steps) == row["n_steps"]]
    ends = Counter((_id(steps[-1]), cast("Status", row["status"])) for row, steps in drawn_out)
    return (
        *(Terminal(node=label, status="start", n_journeys=n) for label, n in starts.items()),
        *(Terminal(node=label, status=status, n_journeys=n) for (label, status), n in ends.items()),
    )


def _example(number: int, row: Row, steps: Sequence[Row], name: str) -> ExampleJourney:
    return ExampleJourney(
        id=f"journey {number}, from {row['start']:%-d %B %Y, %H:%M} UTC",
        status=row["status"],
        user=name or "one customer",
        steps=tuple(
            ExampleStep(
                touchpoint=step["touchpoint"],
                channel=_channel(step),
                stage=step.get("stage") or "",
                after_s=(step["timestamp"] - row["start"]).total_seconds(),
                value=step.get("value"),
            )
            for step in steps
        ),
    )


def _told(row: Row) -> str:
    ended = {"open": "is still open", "lost": "was lost", "service": "was after-sale only"}.get(
        row["status"], row["status"]
    )
    first, last = legible(row["entry_touchpoint"]), legible(row["exit_touchpoint"])
    via = f" over {plural(row['n_channels'], 'channel')}" if row.get("n_channels") else ""
    return f"{row['start']:%-d %B %Y}: {plural(row['n_steps'], 'step')}{via}, from {first} to {last}; it {ended}."

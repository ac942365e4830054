"""Journeys once more, as loops over rows: written from the text of the definitions, apart from the library's code.

Everything is a plain dict or list; nothing is fast. `journeys_of` cuts, `fate` says what became of each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

MINUTE = 60_000_000


@dataclass
class Step:
    """One step, with everything looked up."""

    user: str
    us: int
    touchpoint: str
    channel: str
    stage: str | None
    owner: str | None
    kind: str | None
    plan: str
    value: float | None
    cost: float | None
    goal: bool = False
    lost: bool = False
    counts: bool = False
    session: int = 0


@dataclass
class Journey:
    """One journey, and what became of it."""

    user: str
    steps: list[Step]
    nth: int = 0
    prior_goals: int = 0
    goal_step: int | None = None
    status: str = ""
    mature: bool = False
    left_truncated: bool = False
    next_start: int | None = None
    touches: list[Step] = field(default_factory=list)

    @property
    def value(self) -> float:
        return sum(step.value for step in self.steps if step.counts and step.value is not None)

    @property
    def cost(self) -> float:
        return sum(step.cost for step in [*self.steps, *self.touches] if step.cost is not None)

    @property
    def n_sessions(self) -> int:
        return self.steps[-1].session


@dataclass
class Rules:
    """The rules, with predicates as functions of a step."""

    goal: Callable[[Step], bool] | None
    lost_at: Callable[[Step], bool] | None
    idle: int
    session_gap: int
    mature_after: int
    split: str | None
    stay_from: int | None
    """Position of the stage from which on steps after the goal stay in the journey; None: the goal is the last step."""
    service_from: int | None
    """Position of the stage from which on a step is after-sale; None: no journey has the status service."""
    value_from: Callable[[Step], bool]
    stages: Sequence[str]
    log_start: int
    observed_until: int


def journeys_of(steps: Sequence[Step], rules: Rules) -> list[Journey]:
    """All journeys of all users; `steps` in input order, the customers' own only."""
    found: list[Journey] = []
    for user in sorted({step.user for step in steps}):
        own = sorted((step for step in steps if step.user == user), key=lambda step: step.us)
        for step in own:
            step.goal = rules.goal is not None and rules.goal(step)
            step.lost = rules.lost_at is not None and rules.lost_at(step)
            step.counts = rules.value_from(step)
        runs = cut(own, rules)
        journeys = [Journey(user, run, nth=i + 1) for i, run in enumerate(runs)]
        for i, journey in enumerate(journeys):
            fate(journey, journeys[:i], journeys[i + 1] if i + 1 < len(journeys) else None, rules)
        found += journeys
    return found


def cut(own: Sequence[Step], rules: Rules) -> list[list[Step]]:
    """Cut one user's ordered steps."""
    runs: list[list[Step]] = []
    converted = ended = False
    for i, step in enumerate(own):
        gap = step.us - own[i - 1].us if i else None
        if gap is None:
            new = True
        elif rules.split == "user":
            new = False
        elif rules.split == "session":
            new = gap > rules.session_gap
        elif rules.split is not None:
            new = getattr(step, rules.split) != getattr(own[i - 1], rules.split)
        else:
            new = gap > rules.idle or ended or (converted and begins_the_next(step, rules))
        if new:
            runs.append([])
            converted = ended = False
        step.session = 1 if new else runs[-1][-1].session + (gap is not None and gap > rules.session_gap)
        runs[-1].append(step)
        if rules.split is None:
            if step.goal:
                converted = True
                ended = rules.stay_from is None
            elif step.lost and not converted:
                ended = True
    return runs


def begins_the_next(step: Step, rules: Rules) -> bool:
    """After the goal: a step of an earlier stage begins the next journey; an unmapped one, or a loss, does not."""
    if step.stage is None or step.goal or step.lost or rules.stay_from is None:
        return False
    return rules.stages.index(step.stage) < rules.stay_from


def fate(journey: Journey, before: Sequence[Journey], after: Journey | None, rules: Rules) -> None:
    """Status and what else is known of a journey."""
    steps = journey.steps
    journey.goal_step = next((i for i, step in enumerate(steps) if step.goal), None)
    journey.prior_goals = sum(other.goal_step is not None for other in before)
    journey.next_start = after.steps[0].us if after else None
    journey.mature = steps[0].us + rules.mature_after <= rules.observed_until
    journey.left_truncated = steps[0].us - rules.log_start < rules.idle
    silent = rules.observed_until - steps[-1].us > rules.idle
    mapped = [rules.stages.index(step.stage) for step in steps if step.stage is not None]
    service = (
        rules.service_from is not None
        and bool(mapped)
        and min(mapped) >= rules.service_from
        and journey.prior_goals > 0
    )
    if journey.goal_step is not None:
        journey.status = "converted"
    elif service:
        journey.status = "service"
    elif any(step.lost for step in steps):
        journey.status = "lost"
    elif after is not None or silent:
        journey.status = "ended" if rules.goal is None else "lost"
    else:
        journey.status = "open"


def attach(touches: Sequence[Step], journeys: Sequence[Journey], idle: int) -> int:
    """Attach what the company did to journeys; returns how many touches are near none."""
    outside = 0
    for touch in sorted(touches, key=lambda t: t.us):
        own = [j for j in journeys if j.user == touch.user]
        into = [j for j in own if j.steps[0].us <= touch.us <= j.steps[-1].us]
        ahead = [j for j in own if touch.us < j.steps[0].us <= touch.us + idle]
        behind = [j for j in own if j.steps[-1].us < touch.us <= j.steps[-1].us + idle]
        chosen = into[-1:] or ahead[:1] or behind[-1:]
        if chosen:
            chosen[0].touches.append(touch)
        outside += not chosen
    return outside


def transitions(journeys: Sequence[Journey], grain: Callable[[Step], str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Edges by (from, to, status)."""
    edges: dict[tuple[Any, ...], dict[str, Any]] = {}

    def add(key: tuple[Any, ...], number: int, journey: Journey, took: int | None) -> None:
        edge = edges.setdefault(key, {"n": 0, "journeys": {}, "took": []})
        edge["n"] += 1
        edge["journeys"][number] = journey
        if took is not None:
            edge["took"].append(took)

    for number, journey in enumerate(journeys):
        steps = journey.steps
        add((None, grain(steps[0]), None), number, journey, None)
        for a, b in itertools.pairwise(steps):
            add((grain(a), grain(b), None), number, journey, b.us - a.us)
        add((grain(steps[-1]), None, journey.status), number, journey, None)
    return edges


def nodes(journeys: Sequence[Journey], grain: Callable[[Step], str]) -> dict[str, tuple[int, int, int]]:
    """Steps, journeys and users of each label."""
    labels = {grain(step) for journey in journeys for step in journey.steps}
    return {
        label: (
            sum(grain(step) == label for journey in journeys for step in journey.steps),
            sum(any(grain(step) == label for step in journey.steps) for journey in journeys),
            len({journey.user for journey in journeys if any(grain(step) == label for step in journey.steps)}),
        )
        for label in labels
    }


def conversion(
    journeys: Sequence[Journey], label_of: Callable[[Journey], set[Any]], horizon: int | None, observed_until: int
) -> dict[Any, dict[str, Any]]:
    """Outcomes by label of a journey; `label_of` gives the labels under which it counts."""
    found: dict[Any, dict[str, Any]] = {}
    for journey in journeys:
        start = journey.steps[0].us
        took = None if journey.goal_step is None else journey.steps[journey.goal_step].us - start
        for label in label_of(journey):
            row = found.setdefault(label, {
                "n_journeys": 0, "n": 0, "users": set(), "converted": 0, "lost": 0, "open": 0, "service": 0,
                "immature": 0, "value": 0.0, "took": []})  # fmt: skip
            row["n_journeys"] += 1
            if journey.status == "service":
                row["service"] += 1
                continue
            asked = journey.mature if horizon is None else start + horizon <= observed_until
            if not asked:
                row["immature"] += 1
                continue
            row["n"] += 1
            row["users"].add(journey.user)
            if took is not None and (horizon is None or took <= horizon):
                row["converted"] += 1
                row["value"] += journey.value
                if not journey.left_truncated:
                    row["took"].append(took)
            elif journey.status in ("lost", "open"):
                row[journey.status] += 1
    return found


def drop_off(
    journeys: Sequence[Journey], place_of: Callable[[Journey, Step], Any], stages: Sequence[str]
) -> dict[Any, dict[str, Any]]:
    """What became of the journeys that reached each place."""
    found: dict[Any, dict[str, Any]] = {}
    for journey in journeys:
        if journey.status == "service":
            continue
        steps = journey.steps
        for place in {place_of(journey, step) for step in steps}:
            row = found.setdefault(place, {
                "n_reached": 0, "n": 0, "users": set(), "went_on": 0, "converted_later": 0, "lost_here": 0,
                "open_here": 0, "came_back": 0, "value": 0.0, "pauses": []})  # fmt: skip
            here = [i for i, step in enumerate(steps) if place_of(journey, step) == place]
            row["n_reached"] += 1
            if not journey.mature:
                continue
            row["n"] += 1
            row["users"].add(journey.user)
            row["went_on"] += any(
                steps[i].stage is not None
                and stage is not None
                and stages.index(stage) > stages.index(str(steps[i].stage))
                for i in here
                for stage in (later.stage for later in steps[i + 1 :])
            )
            if journey.goal_step is not None and journey.goal_step > here[0]:
                row["converted_later"] += 1
                row["value"] += journey.value
            last_here = here[-1] == len(steps) - 1
            row["open_here"] += last_here and journey.status == "open"
            if last_here and journey.status == "lost":
                row["lost_here"] += 1
                if journey.next_start is not None:
                    row["came_back"] += 1
                    row["pauses"].append(journey.next_start - steps[-1].us)
    return found

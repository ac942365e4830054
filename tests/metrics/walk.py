"""Journeys as plain Python objects, for oracles that walk over them one by one."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from journeymine.columns import MISSING
from journeymine.journeys import Journeys
from journeymine.journeys.heads import STATUSES


@dataclass
class Walk:
    """One journey.

    Attributes
    ----------
    steps : one mapping per step: ``us`` and every label.
    """

    user: str
    fold: int
    steps: list[dict[str, Any]]
    status: str
    mature: bool
    left_truncated: bool
    goal_step: int
    next_start: int | None
    value: int
    may_go_on: bool = False

    @property
    def start(self) -> int:
        return int(self.steps[0]["us"])

    @property
    def end(self) -> int:
        return int(self.steps[-1]["us"])


def walks_of(journeys: Journeys) -> list[Walk]:
    """The journeys, in the order of the arrays."""
    heads, rules = journeys.heads, journeys.rules
    time = journeys.coded.time.tolist()
    columns = {name: coded.decode().to_list() for name, coded in journeys.coded.labels.items()}
    numbers = {name: column.tolist() for name, column in journeys.coded.numbers.items()}
    users = journeys.users.to_list()
    walks = []
    for j in range(len(journeys)):
        low, high = int(journeys.offsets[j]), int(journeys.offsets[j + 1])
        steps = [
            {"us": time[i], **{n: c[i] for n, c in columns.items()}, **{n: c[i] for n, c in numbers.items()}}
            for i in range(low, high)
        ]
        following = int(heads.next_start[j])
        user = int(heads.user[j])
        walk = Walk(
            users[user], int(journeys.folds[user]), steps, STATUSES[heads.status[j]], bool(heads.mature[j]),
            bool(heads.left_truncated[j]), int(heads.goal_step[j]), None if following == MISSING else following,
            int(heads.value[j]),
        )  # fmt: skip
        silent = journeys.context.observed_until - walk.end > rules.idle_us
        no_aftersale = rules.after_goal == "cut" or not journeys.stages
        ended = rules.split is None and (walk.status == "lost" or (walk.status == "converted" and no_aftersale))
        walk.may_go_on = walk.next_start is None and not silent and not ended
        walks.append(walk)
    return walks


def waiting_share(people: list[tuple[int | None, int]], width: int, k: int) -> Fraction:
    """Kaplan–Meier's share without event after k bins, person by person: (µs until it or None, µs watched)."""
    share = Fraction(1)
    for each in range(k + 1):
        asked = happened = 0
        for took, watched in people:
            before = took is not None and took <= (each - 1) * width and each > 0
            if watched < each * width or before:
                continue
            asked += 1
            happened += took is not None and took <= each * width
        if asked:
            share *= 1 - Fraction(happened, asked)
    return share


def known_at(people: list[tuple[int | None, int]], width: int, k: int) -> bool:
    """Whether anybody is still asked about bin k, or nobody is left to be asked."""
    asked = any(watched >= k * width and (took is None or took > (k - 1) * width) for took, watched in people)
    return asked or (bool(people) and waiting_share(people, width, k) == 0)

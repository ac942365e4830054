"""From a Hypothesis-made log and rule fields to the oracle's journeys: labels and predicates looked up by hand."""

from __future__ import annotations

from typing import Any

from tests.oracles.journeys_brute import MINUTE, Journey, Rules, Step, attach, journeys_of
from tests.oracles.logs import START, Row

STAGES = ("awareness", "consideration", "purchase", "loyalty")


def step_of(row: Row) -> Step:
    """Look up by hand what the stage map of tests/oracles/logs.py says."""
    stage = {"ad": "awareness", "mail": "awareness", "visit": "consideration", "order": "purchase", "review": "loyalty",
             "call": "consideration" if row.channel == "store" else "loyalty"}.get(row.touchpoint)  # fmt: skip
    return Step(
        user=row.user,
        us=row.us + START,
        touchpoint=quoted(row.touchpoint),
        channel="(unknown)" if row.channel is None else quoted(row.channel),
        stage=stage,
        owner={"call": "Support", "order": "Sales"}.get(row.touchpoint),
        kind={"call": "complaint"}.get(row.touchpoint),
        plan=row.plan or "(unknown)",
        value=row.value,
        cost=row.cost,
    )


def quoted(label: str) -> str:
    """A label of the caller's that reads like one of ours."""
    return '"(unknown)"' if label == "(unknown)" else label


def by_company(row: Row) -> bool:
    return row.touchpoint == "mail" or (row.touchpoint == "ad" and row.channel == "email")


def condition(form: Any) -> Any:
    """The predicates that tests/oracles/logs.py uses, as functions."""
    if form is None:
        return None
    if isinstance(form, dict):
        least = form.get("value", {}).get(">=")
        return lambda step: (
            step.touchpoint == quoted(form["touchpoint"])
            and (least is None or (step.value is not None and step.value >= least))
        )
    names = [quoted(name) for name in ([form] if isinstance(form, str) else form)]
    return lambda step: step.touchpoint in names


def rules_of(log: tuple[Row, ...], fields: dict[str, Any]) -> Rules:
    """The rules as the oracle takes them."""
    goal, lost = condition(fields["goal"]), condition(fields["lost_at"])
    minutes = {None: 20, "1m": 1, "25m": 25}
    value_from = fields["value_from"]
    # The goal's stage: the earliest of its touchpoints', unless it is named.
    stage = {"order": "purchase", "review": "loyalty"}
    named = fields["goal"]["touchpoint"] if isinstance(fields["goal"], dict) else fields["goal"]
    first = named[0] if isinstance(named, list) else named
    goal_stage = fields.get("goal_stage") or stage.get(first or "")
    rank = STAGES.index(goal_stage) if goal_stage else None
    stays = fields["split"] is None and fields.get("after_goal") != "cut"
    return Rules(
        goal=goal,
        lost_at=lost,
        idle=10 * MINUTE,
        session_gap=3 * MINUTE,
        mature_after=minutes[fields["mature_after"]] * MINUTE,
        split=fields["split"],
        stay_from=rank if stays else None,
        service_from=rank,
        value_from=(
            (lambda step: True) if value_from == "any" or (value_from is None and goal is None)
            else goal if value_from is None else condition(value_from)
        ),
        stages=STAGES,
        log_start=min(row.us for row in log) + START,
        observed_until=fields["observed_until"] or max(row.us for row in log) + START,
    )  # fmt: skip


def brute(log: tuple[Row, ...], fields: dict[str, Any]) -> tuple[list[Journey], int]:
    """All journeys with their company touches, and the touches near none."""
    rules = rules_of(log, fields)
    journeys = journeys_of([step_of(row) for row in log if not by_company(row)], rules)
    outside = attach([step_of(row) for row in log if by_company(row)], journeys, rules.idle)
    return journeys, outside

"""The page that lies beside the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from journeymine.retailer.sources import RawSource

__all__ = ["readme"]

_HOW = {
    "ads": "µs since 1970; cookie, seldom the customer; cost in EUR",
    "web": "UTC times; cookie, customer once logged in; revenue in EUR",
    "app": "ms since 1970, in order of upload; amount in EUR",
    "email": "local times of Berlin, day first",
    "store": "local times of Berlin; loyalty card; survey 1–5",
    "call_centre": "ISO 8601 with offset; csat 1–5",
    "fulfilment": "ISO 8601 in UTC; customer or a guest's cookie; stars 1–5",
}


def readme(facts: dict[str, Any], sources: Sequence[RawSource]) -> str:
    """One page on what the files are and what is planted in them."""
    lines = [
        "# Sample data: a retailer that does not exist",
        "",
        (
            f"Made by `journeymine sample DIR` (seed {facts['seed']}, {facts['users']:,} people, {facts['days']} days "
            f"from {facts['first_day']}); the same arguments give the same files. No real person is in it."
        ),
        "",
        "| file | rows | how it tells time and people |",
        "|---|---:|---|",
        *(f"| `{source.file_name}` | {source.rows.height:,} | {_HOW[source.name]} |" for source in sources),
        "",
        "`journey.toml` reads the seven files as one log: `journeymine map . --config journey.toml -o map.html`.",
        f"About one row in a hundred is unusable on purpose; what is left are {facts['rows']['clean']:,} clean events.",
        "",
        "## What is planted",
        "",
        *_planted(facts),
        "",
        "All figures, and how they were counted, are in `planted.json`; `docs/sample-data.md` explains them.",
        "",
    ]
    return "\n".join(lines)


def _planted(facts: dict[str, Any]) -> list[str]:
    if not facts["planted"]:
        return [
            "Nothing: this is the null case. Given that a stage is reached, whether a journey goes on from it does",
            "not depend on channel, touchpoint, device, week, or the number of steps taken.",
        ]
    fault, overrated = facts["facts"]["app_checkout_fault"], facts["facts"]["overrated_channel"]
    handover, stage = facts["facts"]["leaking_handover"], facts["facts"]["leaking_stage"]
    dip = {name: "–" if value is None else value for name, value in facts["facts"]["delivery_dip"].items()}
    return [
        (
            f"- **App checkout fault**, {fault['week']}: {fault['journeys_hit']} journeys met `app_payment_error`, "
            f"{fault['journeys_hit_that_called']} of them called; it cost {fault['orders_lost']} orders, "
            f"{fault['value_lost']:,.0f} EUR."
        ),
        (
            "- **Overrated channel**, retargeting: the last touch before "
            f"{overrated['share_of_orders_by_last_touch']:.0%} of the orders; orders that would be missing without it: "
            f"{overrated['true_incremental_orders']}."
        ),
        (
            f"- **Leaking handover**, e-mail → store: of {handover['journeys_that_cross']} journeys that cross, "
            f"{handover['lost_right_after_crossing']} end there."
        ),
        (
            f"- **Leaking stage**, consideration on the web: {stage['lost_in_consideration_on_web']:,} of "
            f"{stage['lost']:,} lost journeys end there; {stage['onward_from_web']:.0%} go on, from other channels "
            f"{stage['onward_from_elsewhere']:.0%}."
        ),
        (
            f"- **Delivery dip**: parcels score {dip['mean_of_all']:.3} where the rest scores "
            f"{dip['mean_elsewhere']:.3}, and those who answer say {dip['mean_of_answers']:.3}."
        ),
    ]

"""The configuration that reads the sample: sources, stages, facts about touchpoints, and the journey rules."""

from __future__ import annotations

from journeymine.retailer.blueprint import STAGES, TOUCHPOINTS

__all__ = ["journey_toml"]

_SOURCES = """\
# The sample retailer: how its seven systems read as one log. Relative paths are relative to this file.
max_quarantine_share = 0.05

[[sources]]                      # ad networks: microseconds, a cookie, seldom the customer
name = "ads"
path = "ads.feather"
user = "crm_id"
anonymous = "cookie"
timestamp = "time_us"
time_unit = "us"
touchpoint = "action"
channel = "network"
cost = "cost_eur"
currency = "EUR"
attributes = ["device"]

[[sources]]                      # web shop: UTC times; the customer is known once logged in
name = "web"
path = "web.parquet"
user = "customer_id"
anonymous = "visitor"
timestamp = "visited_at"
touchpoint = "page_event"
channel = "medium"
value = "revenue"
currency = "EUR"
event_id = "hit_id"
attributes = ["device"]

[[sources]]                      # app: milliseconds, in order of upload
name = "app"
path = "app.arrow"
user = "account"
timestamp = "ts"
time_unit = "ms"
touchpoint = "name"
constant_channel = "app"
value = "amount"
currency = "EUR"
event_id = "id"
attributes = ["device"]

[[sources]]                      # mail tool: local times, day first
name = "email"
path = "email.csv.gz"
user = "customer"
timestamp = "sent_or_clicked"
time_format = "%d.%m.%Y %H:%M:%S"
timezone = "Europe/Berlin"
touchpoint = "what"
constant_channel = "email"

[[sources]]                      # stores: local times, loyalty card
name = "store"
path = "store.csv"
user = "loyalty_card"
timestamp = "local_time"
timezone = "Europe/Berlin"
touchpoint = "action"
constant_channel = "store"
value = "amount_eur"
currency = "EUR"
satisfaction = "survey"
satisfaction_scale = [1, 5]

[[sources]]                      # call centre: ISO 8601 with the offset of the day
name = "call_centre"
path = "call_centre.ndjson"
user = "customer_no"
timestamp = "answered_at"
touchpoint = "reason"
constant_channel = "call_centre"
satisfaction = "csat"
satisfaction_scale = [1, 5]
event_id = "call"

[[sources]]                      # parcels: the customer, or the cookie of a guest
name = "fulfilment"
path = "fulfilment.csv.zst"
user = "customer"
anonymous = "guest"
timestamp = "time"
touchpoint = "status"
constant_channel = "delivery"
satisfaction = "stars"
satisfaction_scale = [1, 5]
"""

_JOURNEYS = """\
[journeys]
goal = "order_placed"
lost_at = ["account_closed"]
session_gap = "30m"
idle = "30d"
"""


def journey_toml() -> str:
    """The text of ``journey.toml``."""
    return "\n".join([_SOURCES, *map(_stage, STAGES), *_facts(), _JOURNEYS])


def _stage(stage: str) -> str:
    names = ", ".join(f'"{touchpoint.name}"' for touchpoint in TOUCHPOINTS if touchpoint.stage == stage)
    return f'[[stages]]\nname = "{stage}"\ntouchpoints = [{names}]\n'


def _facts() -> list[str]:
    return [
        f'[[touchpoints]]\nmatch = "{touchpoint.name}"\nowner = "{touchpoint.owner}"\n'
        + (f'kind = "{touchpoint.kind}"\n' if touchpoint.kind else "")
        + ("by_company = true\n" if touchpoint.by_company else "")
        for touchpoint in TOUCHPOINTS
    ]

"""Mine customer journeys from logs of touchpoint events.

`read_events` opens a log, `build_journeys` cuts it into journeys, and each measure answers a question about them. Every
number is finished from counts that can be merged, so it is the same however the users were divided.

>>> import journeymine as jm
>>> events = jm.read_events("log.parquet", user="id", timestamp="ts", touchpoint="event")  # doctest: +SKIP
>>> journeys = jm.build_journeys(events, goal="order_placed", idle="30d")  # doctest: +SKIP
>>> jm.conversion(journeys, by="channel")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journeymine.counting import Counts as Counts
    from journeymine.counting import Measure as Measure
    from journeymine.counting import Result as Result
    from journeymine.counting import finish as finish
    from journeymine.engines import Buckets as Buckets
    from journeymine.engines import InMemory as InMemory
    from journeymine.engines import Mined as Mined
    from journeymine.engines import Spark as Spark
    from journeymine.engines.mine import mine as mine
    from journeymine.errors import JourneymineError as JourneymineError
    from journeymine.events import Events as Events
    from journeymine.events import EventSchema as EventSchema
    from journeymine.events import Source as Source
    from journeymine.events import StageMap as StageMap
    from journeymine.events import read_config as read_config
    from journeymine.events import read_events as read_events
    from journeymine.graph import Markov as Markov
    from journeymine.graph import MarkovChain as MarkovChain
    from journeymine.graph import MarkovChains as MarkovChains
    from journeymine.graph import TransitionGraph as TransitionGraph
    from journeymine.graph import Transitions as Transitions
    from journeymine.graph import TypicalOrder as TypicalOrder
    from journeymine.graph import Variants as Variants
    from journeymine.graph import markov as markov
    from journeymine.graph import transitions as transitions
    from journeymine.graph import typical_order as typical_order
    from journeymine.graph import variants as variants
    from journeymine.journeys import JourneyRules as JourneyRules
    from journeymine.journeys import Journeys as Journeys
    from journeymine.journeys import Predicate as Predicate
    from journeymine.journeys import build_journeys as build_journeys
    from journeymine.maps import JourneyMap as JourneyMap
    from journeymine.maps import MapSpecification as MapSpecification
    from journeymine.maps import compare_maps as compare_maps
    from journeymine.maps import journey_map as journey_map
    from journeymine.maps import journey_map_of_user as journey_map_of_user
    from journeymine.maps import map_measures as map_measures
    from journeymine.metrics import Activity as Activity
    from journeymine.metrics import Attribution as Attribution
    from journeymine.metrics import Conversion as Conversion
    from journeymine.metrics import CustomerValue as CustomerValue
    from journeymine.metrics import DecisionPoints as DecisionPoints
    from journeymine.metrics import DropOff as DropOff
    from journeymine.metrics import Dwell as Dwell
    from journeymine.metrics import FirstContact as FirstContact
    from journeymine.metrics import Friction as Friction
    from journeymine.metrics import Funnel as Funnel
    from journeymine.metrics import Handoffs as Handoffs
    from journeymine.metrics import LifeCycle as LifeCycle
    from journeymine.metrics import OrderChoice as OrderChoice
    from journeymine.metrics import RepeatRate as RepeatRate
    from journeymine.metrics import Retention as Retention
    from journeymine.metrics import Satisfaction as Satisfaction
    from journeymine.metrics import StageReach as StageReach
    from journeymine.metrics import Stickiness as Stickiness
    from journeymine.metrics import TimeToConvert as TimeToConvert
    from journeymine.metrics import Waiting as Waiting
    from journeymine.metrics import WinBack as WinBack
    from journeymine.metrics import activity as activity
    from journeymine.metrics import attribution as attribution
    from journeymine.metrics import attribution_from_paths as attribution_from_paths
    from journeymine.metrics import before_after as before_after
    from journeymine.metrics import choose_order as choose_order
    from journeymine.metrics import choose_order_from_paths as choose_order_from_paths
    from journeymine.metrics import compare as compare
    from journeymine.metrics import conversion as conversion
    from journeymine.metrics import customer_value as customer_value
    from journeymine.metrics import decision_points as decision_points
    from journeymine.metrics import decompose as decompose
    from journeymine.metrics import drop_off as drop_off
    from journeymine.metrics import dwell as dwell
    from journeymine.metrics import first_contact_resolution as first_contact_resolution
    from journeymine.metrics import friction as friction
    from journeymine.metrics import funnel as funnel
    from journeymine.metrics import handoffs as handoffs
    from journeymine.metrics import life_cycle as life_cycle
    from journeymine.metrics import opportunities as opportunities
    from journeymine.metrics import rank_opportunities as rank_opportunities
    from journeymine.metrics import repeat_rate as repeat_rate
    from journeymine.metrics import retention as retention
    from journeymine.metrics import satisfaction as satisfaction
    from journeymine.metrics import stage_reach as stage_reach
    from journeymine.metrics import stickiness as stickiness
    from journeymine.metrics import time_to_convert as time_to_convert
    from journeymine.metrics import waiting as waiting
    from journeymine.metrics import win_back as win_back
    from journeymine.nightly import NightlyState as NightlyState
    from journeymine.retailer import sample as sample
    from journeymine.retailer import write_sample as write_sample

__version__ = "0.1.0"

_ROOMS = {
    "counting": ("Counts", "Measure", "Result", "finish"),
    "engines": ("Buckets", "InMemory", "Mined", "Spark", "mine"),
    "errors": ("JourneymineError",),
    "events": ("EventSchema", "Events", "Source", "StageMap", "read_config", "read_events"),
    "graph": (
        "Markov",
        "MarkovChain",
        "MarkovChains",
        "TransitionGraph",
        "Transitions",
        "TypicalOrder",
        "Variants",
        "markov",
        "transitions",
        "typical_order",
        "variants",
    ),
    "journeys": ("JourneyRules", "Journeys", "Predicate", "build_journeys"),
    "maps": ("JourneyMap", "MapSpecification", "compare_maps", "journey_map", "journey_map_of_user", "map_measures"),
    "metrics": (
        "Activity",
        "Attribution",
        "Conversion",
        "CustomerValue",
        "DecisionPoints",
        "DropOff",
        "Dwell",
        "FirstContact",
        "Friction",
        "Funnel",
        "Handoffs",
        "LifeCycle",
        "OrderChoice",
        "RepeatRate",
        "Retention",
        "Satisfaction",
        "StageReach",
        "Stickiness",
        "TimeToConvert",
        "Waiting",
        "WinBack",
        "activity",
        "attribution",
        "attribution_from_paths",
        "before_after",
        "choose_order",
        "choose_order_from_paths",
        "compare",
        "conversion",
        "customer_value",
        "decision_points",
        "decompose",
        "drop_off",
        "dwell",
        "first_contact_resolution",
        "friction",
        "funnel",
        "handoffs",
        "life_cycle",
        "opportunities",
        "rank_opportunities",
        "repeat_rate",
        "retention",
        "satisfaction",
        "stage_reach",
        "stickiness",
        "time_to_convert",
        "waiting",
        "win_back",
    ),
    "nightly": ("NightlyState",),
    "retailer": ("sample", "write_sample"),
}
"""The public names and the rooms they live in; a room is imported when one of its names is first used."""

_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted([*_ROOM_OF, "__version__"])  # noqa: PLE0605

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

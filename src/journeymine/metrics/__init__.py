"""Metric modules: each a mergeable measure and its short form."""

from journeymine.metrics.activity import Activity, activity
from journeymine.metrics.attribution import Attribution, attribution
from journeymine.metrics.attribution_order import OrderChoice, choose_order, choose_order_from_paths
from journeymine.metrics.attribution_paths import attribution_from_paths
from journeymine.metrics.compare import before_after, compare
from journeymine.metrics.conversion import Conversion, conversion
from journeymine.metrics.customer_value import CustomerValue, customer_value
from journeymine.metrics.decision_points import DecisionPoints, decision_points
from journeymine.metrics.decomposition import decompose
from journeymine.metrics.drop_off import DropOff, drop_off
from journeymine.metrics.dwell import Dwell, dwell
from journeymine.metrics.first_contact import FirstContact, first_contact_resolution
from journeymine.metrics.friction import Friction, friction
from journeymine.metrics.funnel import Funnel, funnel
from journeymine.metrics.handoffs import Handoffs, handoffs
from journeymine.metrics.life_cycle import LifeCycle, life_cycle
from journeymine.metrics.opportunities import opportunities, rank_opportunities
from journeymine.metrics.repeat_rate import RepeatRate, repeat_rate
from journeymine.metrics.retention import Retention, retention
from journeymine.metrics.satisfaction import Satisfaction, satisfaction
from journeymine.metrics.stage_reach import StageReach, stage_reach
from journeymine.metrics.stickiness import Stickiness, stickiness
from journeymine.metrics.time_to_convert import TimeToConvert, time_to_convert
from journeymine.metrics.waiting import Waiting, waiting
from journeymine.metrics.win_back import WinBack, win_back

__all__ = [
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
]

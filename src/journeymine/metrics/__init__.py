"""Metric modules: each a mergeable measure and its short form."""

from journeymine.metrics.attribution import Attribution, attribution
from journeymine.metrics.attribution_order import OrderChoice, choose_order, choose_order_from_paths
from journeymine.metrics.attribution_paths import attribution_from_paths
from journeymine.metrics.conversion import Conversion, conversion
from journeymine.metrics.drop_off import DropOff, drop_off
from journeymine.metrics.dwell import Dwell, dwell
from journeymine.metrics.funnel import Funnel, funnel
from journeymine.metrics.retention import Retention, retention
from journeymine.metrics.time_to_convert import TimeToConvert, time_to_convert

__all__ = [
    "Attribution",
    "Conversion",
    "DropOff",
    "Dwell",
    "Funnel",
    "OrderChoice",
    "Retention",
    "TimeToConvert",
    "attribution",
    "attribution_from_paths",
    "choose_order",
    "choose_order_from_paths",
    "conversion",
    "drop_off",
    "dwell",
    "funnel",
    "retention",
    "time_to_convert",
]

"""Metric modules: each a mergeable measure and its short form."""

from journeymine.metrics.conversion import Conversion, conversion
from journeymine.metrics.drop_off import DropOff, drop_off

__all__ = ["Conversion", "DropOff", "conversion", "drop_off"]

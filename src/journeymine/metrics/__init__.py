"""Metric modules: each a mergeable measure and its short form."""

from journeymine.metrics.conversion import Conversion, conversion
from journeymine.metrics.drop_off import DropOff, drop_off
from journeymine.metrics.dwell import Dwell, dwell

__all__ = ["Conversion", "DropOff", "Dwell", "conversion", "drop_off", "dwell"]

"""Events and rules to journeys: order, sessions, cuts, status; the coded columnar form."""

from journeymine.journeys.building import build_journeys
from journeymine.journeys.context import LogContext
from journeymine.journeys.journeys import Journeys
from journeymine.journeys.predicate import Predicate
from journeymine.journeys.rules import JourneyRules

__all__ = ["JourneyRules", "Journeys", "LogContext", "Predicate", "build_journeys"]

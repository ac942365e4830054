"""Raw logs to canonical events: sources, schema, checks and quarantine, identity, stages."""

from journeymine.events.config import Config, read_config
from journeymine.events.event_rules import EventRules
from journeymine.events.log import Events, LogSpan
from journeymine.events.read import read_events
from journeymine.events.report import EventReport, SourceReport
from journeymine.events.schema import EventSchema
from journeymine.events.sources import Source
from journeymine.events.stage_map import Stage, StageMap, TouchpointFacts, TouchpointPattern
from journeymine.events.survey import LogSurvey

__all__ = [
    "Config",
    "EventReport",
    "EventRules",
    "EventSchema",
    "Events",
    "LogSpan",
    "LogSurvey",
    "Source",
    "SourceReport",
    "Stage",
    "StageMap",
    "TouchpointFacts",
    "TouchpointPattern",
    "read_config",
    "read_events",
]

"""The journey map: `specification` says, `layout` places, `svg`, `html` and `markdown` show, `compose` asks the measures."""

from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.mapping import journey_map, map_measures
from journeymine.maps.specification import MapSpecification

__all__ = ["JourneyMap", "MapSpecification", "journey_map", "map_measures"]

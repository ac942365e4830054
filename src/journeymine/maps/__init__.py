"""The journey map: `specification` says, `layout` places, `svg`, `html` and `markdown` show, `compose` asks the measures."""

from journeymine.maps.comparing import compare_maps
from journeymine.maps.journey_map import JourneyMap
from journeymine.maps.mapping import journey_map, map_measures
from journeymine.maps.one_customer import journey_map_of_user
from journeymine.maps.specification import MapSpecification

__all__ = ["JourneyMap", "MapSpecification", "compare_maps", "journey_map", "journey_map_of_user", "map_measures"]

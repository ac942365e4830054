from __future__ import annotations

import pytest

from journeymine.maps.specification import MapSpecification
from tests.maps.fixtures import bare_log, hostile, sized
from tests.maps.retailer import retailer

MAPS = {
    "retailer": retailer,
    "bare": bare_log,
    "hostile": hostile,
    "smallest": lambda: sized(5, 1, 1),
    "largest": lambda: sized(200, 12, 20),
    "one lane": lambda: sized(60, 3, 1),
}


@pytest.fixture(params=MAPS, scope="session")
def any_map(request: pytest.FixtureRequest) -> MapSpecification:
    """Each map in turn."""
    return MAPS[request.param]()


@pytest.fixture(scope="session")
def shop() -> MapSpecification:
    """The retailer's map."""
    return retailer()

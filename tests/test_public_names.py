"""The public names are pinned: adding one is a decision, removing one is a major version."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import subprocess
import sys

import pytest

import journeymine

PUBLIC = {
    "Activity",
    "Attribution",
    "Buckets",
    "Conversion",
    "Counts",
    "CustomerValue",
    "DecisionPoints",
    "DropOff",
    "Dwell",
    "EventSchema",
    "Events",
    "FirstContact",
    "Friction",
    "Funnel",
    "Handoffs",
    "InMemory",
    "JourneyMap",
    "JourneyRules",
    "JourneymineError",
    "Journeys",
    "LifeCycle",
    "MapSpecification",
    "Markov",
    "MarkovChain",
    "MarkovChains",
    "Measure",
    "Mined",
    "NightlyState",
    "OrderChoice",
    "Predicate",
    "RepeatRate",
    "Result",
    "Retention",
    "Satisfaction",
    "Source",
    "Spark",
    "StageMap",
    "StageReach",
    "Stickiness",
    "TimeToConvert",
    "TransitionGraph",
    "Transitions",
    "TypicalOrder",
    "Variants",
    "Waiting",
    "WinBack",
    "__version__",
    "activity",
    "attribution",
    "attribution_from_paths",
    "before_after",
    "build_journeys",
    "choose_order",
    "choose_order_from_paths",
    "compare",
    "compare_maps",
    "conversion",
    "customer_value",
    "decision_points",
    "decompose",
    "drop_off",
    "dwell",
    "finish",
    "first_contact_resolution",
    "friction",
    "funnel",
    "handoffs",
    "journey_map",
    "journey_map_of_user",
    "life_cycle",
    "map_measures",
    "markov",
    "mine",
    "opportunities",
    "rank_opportunities",
    "read_config",
    "read_events",
    "repeat_rate",
    "retention",
    "sample",
    "satisfaction",
    "stage_reach",
    "stickiness",
    "time_to_convert",
    "transitions",
    "typical_order",
    "variants",
    "waiting",
    "win_back",
    "write_sample",
}


def test_the_public_names_are_these() -> None:
    assert set(journeymine.__all__) == PUBLIC


def test_the_public_names_are_given_once() -> None:
    assert len(journeymine.__all__) == len(set(journeymine.__all__))


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_each_public_name_exists_and_says_what_it_is(name: str) -> None:
    thing = getattr(journeymine, name)
    if callable(thing):
        assert (thing.__doc__ or "").strip(), f"{name} has no docstring"


def test_dir_shows_every_public_name() -> None:
    assert set(dir(journeymine)) >= PUBLIC


def test_a_name_that_is_not_there_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = journeymine.no_such_name


def test_a_star_import_gives_the_public_names() -> None:
    code = "from journeymine import *; import sys; sys.stdout.write(' '.join(sorted(n for n in dir() if n != 'sys')))"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) >= PUBLIC


def test_the_version_is_that_of_the_installed_package() -> None:
    assert journeymine.__version__ == importlib.metadata.version("journeymine")


def test_the_package_is_typed() -> None:
    assert importlib.resources.files("journeymine").joinpath("py.typed").is_file()

"""Fixtures for all tests: optional parts, the real logs, and the Hypothesis profiles."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.parts import MARKED_PARTS, REAL_DATA, ROOT, require_part

# Deterministic, so that a red run is red for everybody and says why; `make evidence` looks further.
# Shared machines stall: no deadline, and slow generation is no failure.
_COMMON = settings(
    derandomize=True, deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", parent=_COMMON, max_examples=40)
settings.register_profile("thorough", parent=_COMMON, max_examples=1_000)
settings.load_profile(os.environ.get("JOURNEYMINE_HYPOTHESIS", "ci"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a part that starts slowly on one worker, so that it starts once."""
    for item in items:
        for marker in ("spark", "browser"):
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.xdist_group(marker))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked with a part that is not there skips, or fails under JOURNEYMINE_REQUIRE_ALL=1."""
    for marker, part in MARKED_PARTS.items():
        if item.get_closest_marker(marker):
            require_part(part)


@pytest.fixture(scope="session")
def require() -> Callable[[str], None]:
    """``require("spark")``: go on only where that part ("spark", "chdb" or "browser") is there."""
    return require_part


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser to hand to Playwright as ``executable_path``."""
    from tests.parts import chromium_path

    require_part("browser")
    return str(chromium_path())


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real logs; they are not ours to ship, so a test that asks for them skips where they are not."""
    if not (REAL_DATA / "README.md").is_file():
        pytest.skip(f"no real logs in {REAL_DATA}; JOURNEYMINE_REAL_DATA names their folder")
    return REAL_DATA


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT

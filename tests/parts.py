"""Optional parts of a test run: Spark, ClickHouse, a browser, the real logs.

Where a part is missing its tests skip and say so; with JOURNEYMINE_REQUIRE_ALL=1 they fail instead, so that a run that
installed everything cannot pass by skipping.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("JOURNEYMINE_REAL_DATA") or ROOT.parent / "shared" / "real").resolve()

MARKED_PARTS = {"spark": "spark", "clickhouse": "chdb", "browser": "browser"}
"""Marker of a test → the part that it needs."""

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium_path() -> str | None:
    """The system's Chromium, or the one that JOURNEYMINE_CHROMIUM names."""
    named = os.environ.get("JOURNEYMINE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, _BROWSERS)), None)


def java_path() -> str | None:
    """The Java runtime that Spark starts."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")


def missing(part: str) -> list[str]:
    """What `part` lacks on this machine, in words; empty where it can run."""
    packages = {"spark": ["pyspark", "pandas"], "chdb": ["chdb"], "browser": ["playwright"]}[part]
    lacks = [f"the package {name!r}" for name in packages if importlib.util.find_spec(name) is None]
    if part == "spark" and java_path() is None:
        lacks.append("a Java runtime")
    if part == "browser" and chromium_path() is None:
        lacks.append("Chromium")
    return lacks


def require_part(part: str) -> None:
    """Skip the running test where `part` is missing; fail it under JOURNEYMINE_REQUIRE_ALL=1."""
    lacks = missing(part)
    if not lacks:
        return
    message = f"{part} is not installed: {' and '.join(lacks)} missing; `make setup-full` and the system provide it"
    if os.environ.get("JOURNEYMINE_REQUIRE_ALL") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)

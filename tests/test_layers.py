from __future__ import annotations

from pathlib import Path

import pytest

from tests.layers import LAZILY, MAY_IMPORT, PACKAGE, violations
from tests.parts import ROOT

SOURCE = ROOT / "src" / PACKAGE
LONGEST_FILE = 350
"""Lines; the aim is 300."""


def plant(folder: Path, files: dict[str, str]) -> Path:
    package = folder / PACKAGE
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return package


def test_imports_run_downwards_only() -> None:
    assert violations(SOURCE) == []


def test_the_allowed_imports_have_no_cycle() -> None:
    left = dict(MAY_IMPORT)
    while left:
        free = [room for room, below in left.items() if not below & left.keys()]
        assert free, f"these rooms know each other: {sorted(left)}"
        for room in free:
            del left[room]


def test_charts_is_the_only_room_reached_lazily_from_below() -> None:
    assert {target for _, target in LAZILY} == {"charts"}


def test_files_stay_short() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCE.rglob("*.py")}
    assert {str(path.relative_to(SOURCE)): n for path, n in lines.items() if n > LONGEST_FILE} == {}


def test_a_file_is_named_after_what_it_does() -> None:
    nameless = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
    assert [path for path in SOURCE.rglob("*.py") if path.name in nameless] == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("events/read.py", "from journeymine.journeys.build import build_journeys", "events may not import journeys"),
        ("events/read.py", "import journeymine.maps.html", "events may not import maps"),
        ("events/read.py", "from journeymine import graph", "events may not import graph"),
        ("events/read.py", "from journeymine import JourneymineError, columns", "may not import JourneymineError"),
        ("events/read.py", "import journeymine", "imports the package itself"),
        ("events/read.py", "from .. import metrics", "events may not import metrics"),
        ("events/read.py", "from ..maps import html", "events may not import maps"),
        ("events/deep/read.py", "from ...maps.html import page", "events may not import maps"),
        ("stats/wilson.py", "def f():\n    from journeymine.counting import finish", "stats may not import counting"),
        (
            "journeys/build.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from journeymine.graph import Transitions",
            "journeys may not import graph",
        ),
        (
            "graph/x.py",
            "import importlib\nm = importlib.import_module('journeymine.maps')",
            "graph may not import maps",
        ),
        ("engines/buckets.py", "from journeymine.metrics import conversion", "engines may not import metrics"),
        ("engines/buckets.py", "from journeymine.graph.transitions import Transitions", "engines may not import graph"),
        ("metrics/funnel.py", "from journeymine.engines import mine", "metrics may not import engines"),
        ("metrics/funnel.py", "from journeymine.scoring import predict", "metrics may not import scoring"),
        ("retailer/people.py", "from journeymine.journeys import build_journeys", "retailer may not import journeys"),
        ("charts/lines.py", "from journeymine.counting import Result", "charts may not import counting"),
        ("counting/result.py", "from journeymine.charts import draw", "inside a function only"),
        ("graph/variants.py", "def plot():\n    from journeymine.charts import draw", "graph may not import charts"),
        ("cellar/wine.py", "import json", "the room 'cellar' has no place"),
        ("columns.py", "from journeymine.events.coded import Coded", "columns may not import events"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, name: str, text: str, said: str) -> None:
    found = violations(plant(tmp_path, {name: text}))
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("__init__.py", "from journeymine.maps import journey_map"),
        ("counting/result.py", "class Result:\n    def plot(self):\n        from journeymine.charts import draw"),
        ("maps/compose.py", "from journeymine.metrics.funnel import funnel\nfrom journeymine import __version__"),
        ("cli/mine.py", "from journeymine.engines import mine\nfrom journeymine import retailer, errors"),
        ("events/read.py", "from journeymine.events.schema import EventSchema\nfrom . import order"),
        ("events/read.py", "import polars\nfrom journeyminer.maps import x\nimport_module('json')"),
    ],
)
def test_imports_along_the_direction_pass(tmp_path: Path, name: str, text: str) -> None:
    assert violations(plant(tmp_path, {name: text})) == []

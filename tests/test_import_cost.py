"""`import journeymine` costs little more than `import polars`: told by what it loads, not by a clock.

``scripts/import_time.py`` prints the seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "altair", "chdb", "duckdb", "graphlay", "hypothesis", "jinja2", "lxml", "networkx", "pandas", "pyarrow", "pyspark",
    "rich", "scipy", "typer", "vl_convert",
}  # fmt: skip


def loaded_by(statement: str) -> subprocess.CompletedProcess[str]:
    code = f"{statement}\nimport sys, json; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


def packages(run: subprocess.CompletedProcess[str]) -> set[str]:
    assert run.returncode == 0, run.stderr
    return {name.partition(".")[0] for name in json.loads(run.stderr)}


def test_import_loads_no_heavy_package() -> None:
    assert packages(loaded_by("import journeymine")) & HEAVY == set()


def test_import_prints_nothing() -> None:
    assert loaded_by("import journeymine").stdout == ""


def test_the_check_sees_a_heavy_package() -> None:
    assert "networkx" in packages(loaded_by("import networkx")) & HEAVY

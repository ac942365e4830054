"""The schemas page says what the library gives, and the reference what it offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["output_schemas", "reference"])
def test_a_page_made_from_the_library_is_up_to_date(name: str) -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / f"{name}.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The schemas page says what the library gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_schemas_page_is_up_to_date() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "output_schemas.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""Pages of the documentation that are made from the library: written, or checked against what stands there."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["write_or_check"]


def write_or_check(page: Path, text: str) -> None:
    """Write the page; with ``--check`` fail where it is out of date."""
    if "--check" not in sys.argv:
        page.write_text(text, "utf-8")
    elif page.read_text("utf-8") != text:
        raise SystemExit(f"{page.name} is out of date: run python scripts/{Path(sys.argv[0]).name}")

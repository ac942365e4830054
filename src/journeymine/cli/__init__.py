"""The command line: parse, call the library, print."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run ``journeymine`` and leave with its exit code."""
    from journeymine.cli.app import run

    raise SystemExit(run())

"""The command line: parse, call the library, print."""

from __future__ import annotations

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run ``journeymine`` and leave with its exit code."""
    from journeymine.cli.app import run

    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal or log file has no letters for must not end a job that is done
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    raise SystemExit(run())

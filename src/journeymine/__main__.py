"""``python -m journeymine``: the command line, for whoever has the interpreter but not its scripts on the path."""

from __future__ import annotations

from journeymine.cli import main

if __name__ == "__main__":
    main()

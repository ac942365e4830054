"""What reaches the terminal: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["errors", "json_line", "output", "plain", "progress_bar"]


def output() -> Console:
    """Console on stdout; wide when it is not a terminal, so that nothing is cut in a log file."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=160)


def errors() -> Console:
    """Console on stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def plain(text: str) -> str:
    """Text without control characters: a touchpoint's name must not steer the terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", "�", text)


def json_line(told: Any, stream: Any = None) -> str:
    """JSON on one line, in ASCII where the stream (by default stdout) is not UTF-8."""
    encoding = str(getattr(stream or sys.stdout, "encoding", None)).lower()
    return json.dumps(told, ensure_ascii=encoding not in ("utf-8", "utf8"), default=str)


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Callable[[str, float], None]]:
    """A progress callback; it draws a bar on stderr, and only when that is a terminal."""
    console = errors()
    if quiet or not console.is_terminal:
        yield _silent
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=1.0)

        def show(what: str, done: float) -> None:
            bar.update(task, description=what, completed=done)

        yield show


def _silent(what: str, done: float) -> None:
    del what, done

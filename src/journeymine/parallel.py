"""Work on all cores of this machine: threads, since NumPy and Polars let go of the interpreter while they compute."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["made_ahead", "n_workers", "on_all_cores", "take"]

Item = TypeVar("Item")
Out = TypeVar("Out")
Number = TypeVar("Number", bound=np.generic)
_SCRATCH_BYTES = 17_000_000
_AT_ONCE = 1 << 16


def n_workers() -> int:
    """How many threads compute at once."""
    return min(8, os.cpu_count() or 1)


def on_all_cores(work: Callable[[Item], Out], items: Iterable[Item]) -> list[Out]:
    """`work` done on each item, answers in the order of the items; the first error is raised."""
    each = list(items)
    if len(each) < 2 or n_workers() == 1:
        return [work(item) for item in each]
    _keep_scratch()
    with ThreadPoolExecutor(max_workers=min(n_workers(), len(each))) as pool:
        return list(pool.map(work, each))


def made_ahead(items: Generator[Item], n: int = 4) -> Generator[Item]:
    """The same items, up to `n` of them made by another thread before they are asked for; none of them is None.

    Whoever does not take all of them closes it: left to the garbage collector, it might be closed by the thread that it waits for.
    """
    with closing(items), ThreadPoolExecutor(max_workers=1) as pool:
        waiting = deque(pool.submit(next, items, None) for _ in range(n))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, items, None))
            yield item


def _keep_scratch() -> None:
    """Have passing arrays of a few megabytes reuse memory, instead of each asking the system for zeroed pages of its own.

    glibc returns a freed block to the system at once until a block of that size has been freed before; it learns that
    from this one, which is never touched. Costs microseconds, and does nothing elsewhere.
    """
    np.empty(_SCRATCH_BYTES, dtype=np.uint8)


def take(values: npt.NDArray[Number], rows: npt.NDArray[np.integer]) -> npt.NDArray[Number]:
    """``values[rows]`` for rows known to be in range; unlike plain indexing it lets other threads compute meanwhile."""
    if rows.dtype == np.intp:
        return values.take(rows, mode="clip")
    # NumPy casts other integers slowly, and all at once.
    found = np.empty(len(rows), dtype=values.dtype)
    for low in range(0, len(rows), _AT_ONCE):
        there = slice(low, low + _AT_ONCE)
        np.take(values, rows[there].astype(np.intp), out=found[there], mode="clip")
    return found

"""Which journeys take the same path: found by a hash of each path's codes, and then made sure of, code by code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.events.coded import Coded
from journeymine.journeys.journeys import Journeys
from journeymine.parallel import on_all_cores, take

__all__ = ["same_paths"]

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
_BLOCK = 1 << 16
"""Journeys at a time."""


def same_paths(journeys: Journeys, coded: Coded, kept: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """The path of each journey as a number from 0, and the first journey of each path.

    Parameters
    ----------
    coded : labels of the steps.
    kept : journeys whose path counts; all others share one number.
    """
    hashes = _hashes(journeys, coded, kept)
    order = np.argsort(hashes)
    there = take(hashes, order)
    new = np.ones(len(there), dtype=bool)
    np.not_equal(there[1:], there[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    firsts = np.minimum.reduceat(order, starts) if len(starts) else order
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(new) - 1
    others = np.flatnonzero((take(firsts, group) != np.arange(len(group))) & kept)
    blocks = [others[low : low + _BLOCK] for low in range(0, len(others), _BLOCK)]
    if all(on_all_cores(lambda rows: _agree(journeys, coded, rows, take(firsts, take(group, rows))), blocks)):
        return group, firsts
    return _by_bytes(journeys, coded, kept)


def _hashes(journeys: Journeys, coded: Coded, kept: npt.NDArray[np.bool_]) -> Hashes:
    """Σ mix(code) · oddᵏ over the steps k of each journey, modulo 2⁶⁴; 0 for journeys that are not kept."""
    random = np.random.default_rng(0x6A6D)
    mix = _mixes(random, len(coded.labels))
    longest = int(journeys.lengths[kept].max(initial=0))
    power = np.full(longest + 1, random.integers(0, 1 << 63, dtype=np.uint64) | np.uint64(1))
    power[0] = 1
    np.multiply.accumulate(power, out=power)
    hashes = np.empty(len(journeys), dtype=np.uint64)

    def block(low: int) -> None:
        offsets = journeys.offsets[low : low + _BLOCK + 1]
        starts = offsets[:-1] - offsets[0]
        place = np.arange(int(offsets[-1] - offsets[0])) - np.repeat(starts, np.diff(offsets))
        here = take(mix, coded.codes[offsets[0] : offsets[-1]])
        here *= take(power, place)
        np.add.reduceat(here, starts, out=hashes[low : low + _BLOCK])

    on_all_cores(block, range(0, len(journeys), _BLOCK))
    hashes[~kept] = 0
    return hashes


def _mixes(random: np.random.Generator, n_labels: int) -> Hashes:
    return random.integers(1, 1 << 63, n_labels, dtype=np.uint64)


def _agree(journeys: Journeys, coded: Coded, rows: Ints, firsts: Ints) -> bool:
    """Whether the paths of `rows` are those of `firsts`, one by one."""
    lengths = take(journeys.lengths, rows)
    if not np.array_equal(lengths, take(journeys.lengths, firsts)):
        return False
    place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    ours, theirs = (place + np.repeat(take(journeys.offsets, which), lengths) for which in (rows, firsts))
    return bool(np.array_equal(take(coded.codes, ours), take(coded.codes, theirs)))


def _by_bytes(journeys: Journeys, coded: Coded, kept: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """The same by the codes themselves: where two paths have one hash, and slower."""
    import pyarrow as pa

    width = coded.codes.dtype.itemsize
    buffers = [None, pa.py_buffer(journeys.offsets * width), pa.py_buffer(np.ascontiguousarray(coded.codes))]
    keys = pl.Series(pa.Array.from_buffers(pa.large_binary(), len(journeys), buffers))
    frame = pl.DataFrame({"key": keys, "kept": kept}).select(
        pl.when("kept").then("key"), row=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    distinct = frame.group_by("key").agg(pl.col("row").min()).sort("row").with_row_index("group")
    group = frame.join(distinct.drop("row"), on="key", how="left", nulls_equal=True, maintain_order="left")["group"]
    return group.cast(pl.Int64).to_numpy(), distinct["row"].to_numpy()

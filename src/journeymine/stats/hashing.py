"""The published hash of a user id: the same on every machine, in every version, in every year.

FNV-1a with 64 bits over the UTF-8 bytes of the id [1]_, then MurmurHash3's finaliser ``fmix64`` [2]_, because FNV's
upper bits mix poorly on short ids. Anyone can repeat it in a dozen lines of any language, so that a user falls into the
same fold wherever the counting ran. It is no secret and no protection: do not use it to hide an id.

References
----------
.. [1] G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, "The FNV non-cryptographic hash algorithm", RFC 9923.
.. [2] A. Appleby, MurmurHash3, public domain, ``fmix64``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.errors import QuestionError

__all__ = ["stable_hash"]

_OFFSET_BASIS = 0xCBF29CE484222325
_PRIME = 0x00000100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF

_BLOCK = 1 << 16
"""Ids hashed at a time: their states stay in the processor's cache, and the joined bytes stay small."""

_FEW = 32
"""Ids still unfinished below which whole-array steps cost more than plain integers do."""


def stable_hash(ids: pl.Series) -> npt.NDArray[np.uint64]:
    """64-bit hash of each id.

    Parameters
    ----------
    ids : strings, without nulls (also Categorical or Enum: their labels are hashed).

    Returns
    -------
    One uint64 per id, in order.

    Raises
    ------
    QuestionError : null ids, with their number; a series that holds no text.

    Notes
    -----
    Cost: about 0.1 µs per id of 16 bytes, plus 64 bits per id; hash distinct ids only.

    Examples
    --------
    >>> [f"{h:016x}" for h in stable_hash(pl.Series(["", "a", "user-1"]))]
    ['efd01f60ba992926', '82a2a958a9bece5b', '41a2fca5c68401c5']
    """
    if ids.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise QuestionError(f"ids of type {ids.dtype} cannot be hashed", hint="cast them to pl.String first")
    if ids.null_count():
        raise QuestionError(f"{ids.null_count()} of {len(ids)} ids are null", hint="drop null ids before hashing")
    text = ids.cast(pl.String)
    hashes = np.empty(len(text), dtype=np.uint64)
    for start in range(0, len(text), _BLOCK):
        hashes[start : start + _BLOCK] = _finalise(_fnv1a(text.slice(start, _BLOCK)))
    return hashes


def _fnv1a(text: pl.Series) -> npt.NDArray[np.uint64]:
    lengths = text.str.len_bytes().to_numpy().astype(np.int64)
    data = np.frombuffer(str(text.str.join("").item()).encode(), dtype=np.uint8)
    # Longest first: the ids that still have a byte at some position are then a prefix, which only shrinks.
    order = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[order]
    ascending = lengths[order][::-1]
    state = np.full(len(lengths), _OFFSET_BASIS, dtype=np.uint64)
    prime = np.uint64(_PRIME)
    position, active = 0, len(lengths) - int(np.searchsorted(ascending, 0, side="right"))
    while active >= _FEW:
        head = state[:active]
        head ^= data[starts[:active] + position]
        head *= prime
        position += 1
        active = len(lengths) - int(np.searchsorted(ascending, position, side="right"))
    for i in range(active):  # at most _FEW ids, however long
        end = int(starts[i] + ascending[len(lengths) - 1 - i])
        state[i] = _fnv1a_tail(int(state[i]), data[int(starts[i]) + position : end].tobytes())
    hashes = np.empty_like(state)
    hashes[order] = state
    return hashes


def _fnv1a_tail(state: int, tail: bytes) -> int:
    for byte in tail:
        state = ((state ^ byte) * _PRIME) & _MASK
    return state


def _finalise(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    shift = np.uint64(33)
    mixed = state ^ (state >> shift)
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> shift
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> shift
    return mixed

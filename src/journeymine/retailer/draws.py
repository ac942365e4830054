"""Random numbers with a name: each quantity draws from a stream of its own.

Switching a planted fact off therefore leaves every other draw as it was, so that two worlds differ by that fact alone
(common random numbers), and what it cost can be counted instead of estimated. Only uniform numbers are taken from
NumPy; what is made of them is written out here, so that a NumPy that improves a distribution changes nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "Codes", "Draws", "Floats", "Ints", "chosen", "failures_before_stop", "standard_normal", "waiting"]

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Draws:
    """The named streams of one seed.

    Examples
    --------
    >>> Draws(7).uniform("hour", 2).tolist() == Draws(7).uniform("hour", 2).tolist()
    True
    >>> Draws(7).uniform("hour", 1).tolist() == Draws(7).uniform("day", 1).tolist()
    False
    """

    seed: int

    def uniform(self, name: str, *shape: int) -> Floats:
        """Numbers in [0, 1) of the stream `name`."""
        key = np.random.SeedSequence([self.seed, zlib.crc32(name.encode())])
        return np.random.Generator(np.random.PCG64(key)).random(shape)


def chosen(uniform: Floats, weights: Sequence[float]) -> Codes:
    """Positions drawn in proportion to `weights`.

    >>> chosen(np.array([0.0, 0.49, 0.51, 0.99]), [1, 1, 2]).tolist()
    [0, 1, 2, 2]
    """
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(edges[:-1] / edges[-1], uniform, side="right").astype(np.int8)


def failures_before_stop(uniform: Floats, keep: float, most: int) -> Ints:
    """Geometric number of further steps: each follows with probability `keep`, `most` of them at the utmost.

    >>> failures_before_stop(np.array([0.9, 0.4, 0.2, 0.0001]), 0.5, 4).tolist()
    [0, 1, 2, 4]
    """
    steps: Floats = np.floor(np.log(np.maximum(uniform, 1e-12)) / np.log(keep))
    return np.minimum(steps, most).astype(np.int64)


def waiting(uniform: Floats, mean: float, *, least: float, most: float) -> Ints:
    """Exponential waiting times in whole units, on top of `least` and never above `most`."""
    units: Floats = least - mean * np.log1p(-uniform)
    return np.minimum(units, most).astype(np.int64)


def standard_normal(first: Floats, second: Floats) -> Floats:
    """Normal numbers from two uniform ones (Box and Muller 1958)."""
    return np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)

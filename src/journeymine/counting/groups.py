"""Groups: combinations of labels as numbers, which mean the same in every block of the journeys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.tabulate import Key, gathered, pack, unpack
from journeymine.journeys.journeys import Journeys

__all__ = ["Groups"]

Ints = npt.NDArray[np.int64]
_MOST = 1 << 24


@dataclass(frozen=True, slots=True)
class Groups:
    """What numbers of groups stand for.

    Attributes
    ----------
    values : per name the labels there are; of `rare` groups the label of each.
    size : numbers are below it.
    rare : the group of each row of all the journeys, where alphabets are so enormous that only groups that occur are
        numbered.
    """

    values: Mapping[str, pl.Series]
    size: int
    rare: Ints | None = None

    @classmethod
    def of(cls, journeys: Journeys, keys_of: Callable[[Journeys], Mapping[str, Key]]) -> Groups:
        """Number the combinations of the keys that `keys_of` finds on the rows of any of the journeys."""
        values = {name: key.values for name, key in keys_of(journeys.range(0, 0)).items()}
        size = int(np.prod([max(len(known), 1) for known in values.values()], dtype=object))
        if size <= _MOST:
            return cls(values, size)
        keys = keys_of(journeys)
        packed, _ = pack(list(keys.values()), len(next(iter(keys.values())).codes))
        _, first, rare = np.unique(packed, return_index=True, return_inverse=True)
        return cls({name: gathered(key.values, key.codes[first]) for name, key in keys.items()}, len(first), rare)

    def spelled(self, group: Ints) -> dict[str, pl.Series]:
        """The labels of groups, one column per name."""
        if self.rare is None:
            return unpack(group, self.values)
        return {name: gathered(known, group) for name, known in self.values.items()}

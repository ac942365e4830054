"""Rows brought together by cell, against a plain loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine import sorting
from journeymine.counting.runs import CellRows, cell_rows


def plainly(cell: list[int], lengths: list[int], kept: list[bool]) -> list[tuple[int, int, int, bool]]:
    """Row, cell, journey, and whether it is the first of its journey in the cell."""
    journey = [nth for nth, length in enumerate(lengths) for _ in range(length)]
    found, met = [], set()
    for row in sorted((row for row in range(len(cell)) if kept[row]), key=lambda row: cell[row]):
        pair = (cell[row], journey[row])
        found.append((row, cell[row], journey[row], pair not in met))
        met.add(pair)
    return found


def as_rows(found: CellRows) -> list[tuple[int, int, int, bool]]:
    columns = (found.rows, found.cell, found.journey, found.new)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("many", [0, 1 << 14], ids=["counted", "compared"])
@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int64"])
@given(data=st.data(), lengths=st.lists(st.integers(1, 5), max_size=12), size=st.sampled_from([1, 3, 256, 1 << 40]))
def test_rows_stand_cell_by_cell_in_the_order_in_which_they_came(
    many: int, dtype: str, data: st.DataObject, lengths: list[int], size: int
) -> None:
    n, most = sum(lengths), min(size - 1, int(np.iinfo(dtype).max))
    cell = data.draw(st.lists(st.sampled_from([0, most, most // 2]), min_size=n, max_size=n))
    kept = data.draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n))
    given_cell: npt.NDArray[np.integer] = np.array(cell, dtype=dtype)
    before = given_cell.copy()
    offsets = np.append(0, np.cumsum(lengths, dtype=np.int64)).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "_MANY", many)
        found = cell_rows(given_cell, size, offsets, None if kept is None else np.array(kept, dtype=bool))
    assert as_rows(found) == plainly(cell, lengths, [True] * n if kept is None else kept)
    assert given_cell.tolist() == before.tolist()


def test_many_rows_are_counted_as_they_are_compared() -> None:
    rng = np.random.default_rng(5)
    lengths = rng.integers(1, 12, 4_000)
    cell, kept = rng.integers(0, 300, lengths.sum()).astype(np.uint16), rng.random(lengths.sum()) < 0.8
    found = cell_rows(cell, 300, np.append(0, np.cumsum(lengths)), kept)
    assert len(cell) > sorting._MANY
    assert as_rows(found) == plainly(cell.tolist(), lengths.tolist(), kept.tolist())

"""Where flags are set: NumPy's answer, whatever part of them is set."""

from __future__ import annotations

import numpy as np
import pytest

from journeymine.flags import places_of


@pytest.mark.parametrize("n", [0, 1, 35, 36, 1000, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 600_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.028, 0.03, 0.06, 0.0999, 0.1, 0.101, 0.5, 1.0])
def test_they_are_numpys(n, share):
    flags = np.random.default_rng(n).permutation(n) < share * n
    found = places_of(flags)
    np.testing.assert_array_equal(found, np.flatnonzero(flags))
    assert found.dtype == np.int64

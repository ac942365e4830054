"""Adjusted p-values against the published example, SciPy, and the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from journeymine.errors import QuestionError
from journeymine.stats import benjamini_hochberg, holm

# Benjamini and Hochberg (1995), section 4.1: thirteen … fifteen comparisons of a myocardial infarction trial. At 5 %
# their procedure claims four of them, Bonferroni-type ones three.
PUBLISHED = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
]

p_values = st.lists(st.floats(0, 1), max_size=30)


def test_published_example():
    assert (benjamini_hochberg(PUBLISHED) <= 0.05).sum() == 4
    assert (holm(PUBLISHED) <= 0.05).sum() == 3


@given(p_values)
def test_benjamini_hochberg_equals_scipy(p):
    if p:
        assert benjamini_hochberg(p) == pytest.approx(scipy_stats.false_discovery_control(p))
    else:
        assert benjamini_hochberg(p).tolist() == []


@given(p_values, st.floats(0.001, 0.5))
def test_holm_claims_what_its_step_down_claims(p, level):
    claimed = set()
    for step, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[i] * (len(p) - step) > level:
            break
        claimed.add(i)
    assert set(np.flatnonzero(holm(p) <= level)) == claimed


@given(p_values, st.integers(0, 5))
def test_untested_questions_change_nothing(p, position):
    for adjust in (holm, benjamini_hochberg):
        holed = np.insert(np.array(p, dtype=float), min(position, len(p)), np.nan)
        found = adjust(holed)
        assert np.isnan(found).tolist() == np.isnan(holed).tolist()
        assert found[~np.isnan(holed)].tolist() == adjust(p).tolist()
        assert (adjust(p) >= np.array(p)).all()


def test_what_is_no_p_value_is_refused():
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(QuestionError, match="1 of 2"):
            adjust([0.5, 1.5])
        for grid in ([[0.5], [0.1]], [[0.5, 1.5]], 0.5):
            with pytest.raises(QuestionError, match=r"^p-values of shape .* are no list"):
                adjust(grid)

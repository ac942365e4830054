"""The chain without times is the chain of `markov`; several changes solved at once are each change solved by itself."""

from __future__ import annotations

import numpy as np
import pytest

import journeymine as jm
from journeymine.graph import markov_onward, markov_solve, markov_untimed
from journeymine.graph.markov_onward import gains_of_each
from journeymine.graph.markov_states import OUTCOMES
from journeymine.graph.markov_untimed import untimed_chain


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=1500))


@pytest.mark.parametrize("grain", ["channel:touchpoint", "touchpoint"])
def test_a_chain_without_times_is_the_chain_otherwise(journeys: jm.Journeys, grain: str) -> None:
    timed, untimed = jm.markov(journeys, grain=grain), untimed_chain(journeys, grain=grain)
    assert untimed.arrays.states == timed.arrays.states
    for name in ("source", "target", "move", "exits", "start", "direct"):
        assert getattr(untimed.arrays, name) == pytest.approx(getattr(timed.arrays, name), abs=1e-12)
    assert (untimed.n_journeys, untimed.trials.tolist()) == (timed.n_journeys, timed.trials.tolist())
    assert untimed.summary["converted_lower"][0] == pytest.approx(timed.summary["converted_lower"][0])
    assert untimed.summary["seconds"][0] is None
    assert untimed.states.equals(timed.states)


def test_a_chain_of_nobody_has_no_state() -> None:
    none = jm.build_journeys(jm.sample(users=200)).pick(np.zeros(0, dtype=bool))
    chain = untimed_chain(none, grain="touchpoint")
    assert (len(chain.arrays.states), chain.n_journeys) == (0, 0)


@pytest.mark.parametrize("dense", [600, 5])
def test_gains_of_each_change_are_those_of_its_own_chain(
    journeys: jm.Journeys, monkeypatch: pytest.MonkeyPatch, dense: int
) -> None:
    for module in (markov_solve, markov_onward, markov_untimed):
        monkeypatch.setattr(module, "DENSE", dense)
    chain = untimed_chain(journeys, grain="channel:touchpoint")
    lost = chain.arrays.exits[0, :, OUTCOMES.index("lost")]
    open_ = np.flatnonzero((lost > 0) & (lost < 1))
    changes = [
        {int(open_[0]): 0.9},
        {int(at): 1 - 0.3 * float(lost[at]) for at in open_[::2]},
        {int(at): 0.0 for at in open_[3:5]},
    ]
    for change, gain in zip(changes, gains_of_each(chain.arrays, changes), strict=True):
        alone = chain.what_if(onward={chain.arrays.states[at][0]: p for at, p in change.items()})
        assert gain == pytest.approx(alone._conversion - chain._conversion, abs=1e-12)
        assert chain.further(gain)[0] == pytest.approx(alone.gained[0])
    assert gains_of_each(chain.arrays, []) == []

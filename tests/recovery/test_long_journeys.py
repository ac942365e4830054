"""Two halves of a log of journeys that take months, in which nothing changes: how often is a change claimed?

In the later half a good tenth of the mature journeys are still open. `make evidence` asks 200 logs; the figures stand in
docs/coverage.md.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest

import journeymine as jm
from tests.metrics.test_compare_long_journeys import MONTHS, long_journeys
from tests.recovery.test_claims import claims

MEASURES = {
    "conversion": jm.Conversion(), "conversion within 20 days": jm.Conversion(horizon="20d"),
    "time to convert": jm.TimeToConvert(), "drop-off": jm.DropOff(by="touchpoint"), "stage reach": jm.StageReach(),
    "transitions": jm.Transitions(grain="stage"), "Markov chain": jm.Markov(), "waiting": jm.Waiting(start="look", until="order"),
    "dwell": jm.Dwell(),
}  # fmt: skip


@pytest.mark.evidence
def test_of_200_logs_of_long_journeys_few_make_a_comparison_claim_a_change() -> None:
    counted: Counter[str] = Counter()
    for seed in range(1_000, 1_200):
        journeys = long_journeys.__wrapped__(seed)
        counted.update({name: int(claims(jm.before_after(journeys, MONTHS, m))) for name, m in MEASURES.items()})
    for name in MEASURES:
        sys.stdout.write(f"| {name} | {counted[name]} |\n")
    assert max(counted.values()) <= 25, counted

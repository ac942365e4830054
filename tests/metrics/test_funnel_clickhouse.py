"""The same funnels as ClickHouse's windowFunnel, where both mean the same; and the differences, where they do not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from journeymine.journeys import JourneyRules, Journeys
from journeymine.journeys.build import build_coded
from journeymine.journeys.context import LogContext
from journeymine.metrics import Funnel
from tests.oracles.logs import START, Row, code

pytestmark = pytest.mark.clickhouse
WINDOW = 10


def random_log(seed: int, *, ties: bool, n_users: int = 1_500) -> pl.DataFrame:
    """Short, crowded histories: repeats, re-entries and steps exactly one window apart; with or without ties."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 16, n_users)
    user = np.repeat(np.arange(n_users), size)
    if ties:
        time = rng.integers(0, 25, len(user))
    else:
        time = np.concatenate([rng.permutation(40)[:k] for k in size])
    touchpoint = rng.choice(list("AABBCX"), len(user))
    return pl.DataFrame({"user": [f"{u:05d}" for u in user], "time": time, "touchpoint": touchpoint})


def journeys_of(log: pl.DataFrame) -> Journeys:
    rows = [Row(user, int(time), what, None, None, None, None, None) for user, time, what in log.iter_rows()]
    rules = JourneyRules(split="user")
    return build_coded(code(tuple(rows)), rules, LogContext(START, START + 10**9), None)


def ours(log: pl.DataFrame, **fields: Any) -> dict[str, int]:
    """Furthest step per user; 0 for users without an entry."""
    journeys = journeys_of(log)
    at, _, _ = Funnel(within=f"{WINDOW}us", **fields).matches(journeys)
    depth = dict.fromkeys(journeys.users.to_list(), 0)
    entered = journeys.users.gather(pl.Series(journeys.heads.user[journeys.journey_of_step[at[0]]])).to_list()
    return depth | dict(zip(entered, (at >= 0).sum(axis=0).tolist(), strict=True))


def clickhouse(log: pl.DataFrame, folder: Path, steps: str, *modes: str) -> dict[str, int]:
    """The level that windowFunnel gives each user; times as UInt64, as it refuses DateTime64."""
    import chdb

    path = folder / "log.parquet"
    log.with_columns(pl.col("time").cast(pl.UInt64)).write_parquet(path)
    arguments = ", ".join([str(WINDOW), *(f"'{mode}'" for mode in modes)])
    conditions = ", ".join(f"touchpoint = '{step}'" for step in steps)
    text = chdb.query(
        f"SELECT user, windowFunnel({arguments})(time, {conditions}) AS level FROM file('{path}', Parquet) "
        "GROUP BY user FORMAT CSV"
    )
    return {user.strip('"'): int(level) for user, level in (line.split(",") for line in str(text).split())}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("steps", ["AB", "ABC", "CBA"])
def test_ties_that_favour_the_funnel_are_its_default_mode(seed: int, steps: str, tmp_path: Path) -> None:
    log = random_log(seed, ties=True)
    assert ours(log, steps=list(steps), ties="favour") == clickhouse(log, tmp_path, steps)


@pytest.mark.parametrize("steps", ["AB", "ABC"])
def test_without_ties_the_order_of_ties_and_strict_increase_make_no_difference(steps: str, tmp_path: Path) -> None:
    log = random_log(7, ties=False)
    found = ours(log, steps=list(steps))
    assert found == clickhouse(log, tmp_path, steps)
    assert found == clickhouse(log, tmp_path, steps, "strict_increase")
    assert found == ours(log, steps=list(steps), ties="favour")


def test_with_ties_strict_increase_reaches_at_most_as_far(tmp_path: Path) -> None:
    log = random_log(8, ties=True)
    found, theirs = ours(log, steps=list("ABC")), clickhouse(log, tmp_path, "ABC", "strict_increase")
    assert all(theirs[user] <= depth for user, depth in ours(log, steps=list("ABC"), ties="favour").items())
    assert any(theirs[user] < depth for user, depth in found.items())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("steps", ["AA", "AAB", "ABA", "ABBA"])
def test_a_repeated_step_needs_an_event_of_its_own_as_in_strict_once(seed: int, steps: str, tmp_path: Path) -> None:
    log = random_log(seed, ties=False)
    found = ours(log, steps=list(steps))
    assert found == clickhouse(log, tmp_path, steps, "strict_once")
    default = clickhouse(log, tmp_path, steps)
    adjacent = any(a == b for a, b in itertools.pairwise(steps))
    assert all(default[user] >= depth for user, depth in found.items())
    assert (sum(default.values()) > sum(found.values())) is adjacent, "there one event fills two adjacent steps"


@pytest.mark.parametrize(
    ("path", "steps", "modes", "theirs", "fields", "mine"),
    [
        ("A", "AA", (), 2, {}, 1),  # one event fills both steps there
        ("A", "AA", ("strict_once",), 1, {}, 1),
        ("AXB", "AB", ("strict_order",), 1, {"sequence": "strict"}, 1),
        ("AAB", "AB", ("strict_order",), 2, {"sequence": "strict"}, 2),
        ("AXABC", "ABC", ("strict_order",), 1, {"sequence": "strict"}, 3),  # a later run counts here
    ],
)
def test_the_documented_examples(
    path: str, steps: str, modes: tuple[str, ...], theirs: int, fields: dict[str, Any], mine: int, tmp_path: Path
) -> None:
    log = pl.DataFrame({"user": ["u"] * len(path), "time": range(len(path)), "touchpoint": list(path)})
    assert clickhouse(log, tmp_path, steps, *modes) == {"u": theirs}
    assert ours(log, steps=list(steps), **fields) == {"u": mine}


def test_at_one_instant_clickhouse_sorts_by_step_and_we_keep_the_documented_order(tmp_path: Path) -> None:
    log = pl.DataFrame({"user": ["u", "u"], "time": [5, 5], "touchpoint": ["B", "A"]})
    assert clickhouse(log, tmp_path, "AB") == {"u": 2} == ours(log, steps=["A", "B"], ties="favour")
    assert clickhouse(log, tmp_path, "AB", "strict_increase") == {"u": 1} == ours(log, steps=["A", "B"])

"""SQL and journeymine answer the same, figure by figure: else their times could not be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks import logs, ours, peers
from benchmarks.queries import QUERIES
from benchmarks.sql import CLICKHOUSE, DUCKDB
from tests.benchmarks.sql_answers import ANSWERS, NOT_IN_THIS_LOG

QUANTILES = {"p50_s", "p90_s", "p95_s", "came_back_p50_s", "p50_value", "p90_value"}
NEAR = {**dict.fromkeys(QUANTILES, 0.02), "conversions": 1e-6, "mean_duration_s": 1e-9}
"""Relative differences that are none: our quantiles are of a histogram, within 0.8 %, and between two values each has one
of its own; our credit is in millionths. All else is equal."""
ENOUGH = 400
"""Quantiles are compared where at least as many are behind them: of few, two values may lie far apart."""


@pytest.fixture(scope="module")
def paths_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("logs")
    return {shape: str(logs.write_log(folder, 50_000, shape)) for shape in ("plain", "rich")}


@pytest.fixture(scope="module")
def answer(paths_of: dict[str, str]) -> Callable[[str], Any]:
    journeys = {shape: ours.read_journeys(path, shape) for shape, path in paths_of.items()}
    asked = {**ours.MEASURES, **ours.RICH_MEASURES}
    return lambda name: asked[name][1](journeys[QUERIES[name].shape])


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("engine", ["duckdb", pytest.param("chdb", marks=pytest.mark.clickhouse)])
def test_sql_gives_every_figure_of_our_answer(
    name: str, engine: str, paths_of: dict[str, str], answer: Callable[[str], Any]
) -> None:
    how = ANSWERS[name]
    ask, words = (peers.ask_duckdb, DUCKDB) if engine == "duckdb" else (peers.ask_chdb, CLICKHOUSE)
    answered = pl.DataFrame(ask(QUERIES[name].text(words, paths_of[QUERIES[name].shape])))
    table = how.sql(answered.with_columns(pl.selectors.decimal().cast(pl.Float64)))
    expected = how.ours(answer(name))
    left_out = NOT_IN_THIS_LOG if QUERIES[name].shape == "plain" else {"nps"}
    columns = [c for c in expected.columns if not c.endswith(("_lower", "_upper"))]
    columns = [c for c in columns if c not in {"sparse", "reason", *how.follows, *left_out}]
    assert set(columns) <= set(table.columns), "figures that SQL does not give"
    expected, found = (_plain(frame.select(columns), how.keys) for frame in (expected, table))
    assert expected.height > 0
    assert found.select(how.keys).rows() == expected.select(how.keys).rows()
    for number in [each for each in columns if each not in how.keys]:
        theirs, here = found[number].to_numpy(), expected[number].to_numpy()
        if number in QUANTILES:
            solid = _behind(expected, name) >= ENOUGH
            theirs, here = theirs[solid], here[solid]
        near = pytest.approx(here.tolist(), rel=NEAR.get(number, 1e-9), nan_ok=True)
        assert theirs.tolist() == near, number


def _behind(frame: pl.DataFrame, name: str) -> np.ndarray:
    """How many times a quantile is of."""
    column = {
        "conversion": "converted", "drop_off": "came_back", "repeat_rate": "repeated", "win_back": "came_back",
        "waiting": "arrived", "handoffs": "n_crossings", "customer_value": "customers",
    }.get(name, "n")  # fmt: skip
    n = frame[column].fill_nan(0).to_numpy().copy()
    if name == "funnel":
        n[0] = 0
    return n


def _plain(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Numbers as floats, rows in order: engines differ in both."""
    texts = [name for name in keys if frame[name].dtype == pl.String]
    plain = frame.with_columns(pl.col(texts).fill_null("")) if texts else frame
    plain = plain.with_columns(pl.exclude(texts).cast(pl.Float64).fill_null(float("nan")))
    missing = [name for name in keys if name not in texts]
    plain = plain.with_columns(pl.col(missing).fill_nan(-1)) if missing else plain
    return plain.sort(keys) if keys else plain

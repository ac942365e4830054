"""The plain figures of SQL are among ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from benchmarks import logs, ours, peers
from benchmarks.bare_queries import BARE
from benchmarks.sql import CLICKHOUSE, DUCKDB

col, US = pl.col, 1_000_000
DAY = 86_400 * US


def transitions(graph: Any) -> pl.DataFrame:
    return graph.steps.select(
        col("from").alias("touchpoint"), col("to").alias("next"), "n", "n_journeys", mean_us=col("mean_s") * US
    )


def conversion(result: Any) -> pl.DataFrame:
    return result.frame.select("channel", "n", won="converted")


def drop_off(result: Any) -> pl.DataFrame:
    return result.frame.select("channel", "n", "lost_here")


def funnel(result: Any) -> pl.DataFrame:
    """Users whose furthest step is this one."""
    return result.frame.select(col("nth").alias("level"), n=col("n") - col("n").shift(-1, fill_value=0))


def credit(result: Any) -> pl.DataFrame:
    rules = result.frame.filter(col("label") != "(none)").pivot("rule", index="label", values="conversions")
    return rules.select(col("label").alias("channel"), "linear", first_touch="first", last_touch="last")


def retention(result: Any) -> pl.DataFrame:
    """Retained members of cells without censoring, which SQL does not know; cohorts as weeks since 1970."""
    whole = result.frame.filter((col("n") == col("n_cohort")) & (col("retained") > 0))
    week = (col("cohort").cast(pl.Date).cast(pl.Int64) + 3) // 7
    return whole.select(week.alias("cohort"), "period", "retained")


def life_cycle(result: Any) -> pl.DataFrame:
    month = col("period").dt.year().cast(pl.Int64) * 12 + col("period").dt.month()
    return result.frame.select(
        month.alias("month_nr"), "active", "resurrected", fresh="new", returning_users="returning"
    )


def activity(result: Any) -> pl.DataFrame:
    return result.frame.select("weekday", "hour", "n", "n_users")


def repeat_rate(result: Any) -> pl.DataFrame:
    return result.frame.select("nth", "n", "repeated", p50_us=col("p50_s") * US)


def time_to_convert(result: Any) -> pl.DataFrame:
    curves = result.tables["curves"].filter(col("converted") + col("lost") > 0)
    return curves.select((col("time_s") * US / DAY).round().alias("day"), won="converted", lost="lost")


def win_back(result: Any) -> pl.DataFrame:
    return result.frame.select("n", "came_back", p50_us=col("p50_s") * US)


def waiting(result: Any) -> pl.DataFrame:
    return result.frame.select("n", "arrived", p50_us=col("p50_s") * US)


def dwell(result: Any) -> pl.DataFrame:
    return result.frame.select("channel", "n", p50_us=col("p50_s") * US, mean_us=col("mean_s") * US)


def handoffs(result: Any) -> pl.DataFrame:
    return result.frame.select(
        col("from").alias("channel"), col("to").alias("next_channel"), n="n_crossings", p50_us=col("p50_s") * US
    )


def decision_points(result: Any) -> pl.DataFrame:
    return result.frame.select(
        col("label").alias("touchpoint"), "n", share_with="converted_with", share_without="converted_without"
    )


def variants(result: Any) -> pl.DataFrame:
    return result.frame.select(col("path").list.join(" > "), "n", won="converted")


def customer_value(result: Any) -> pl.DataFrame:
    return result.frame.select("n_users", "buyers", "purchases", "p50_value", spent_by_all="value")


def satisfaction(result: Any) -> pl.DataFrame:
    answered = result.frame.filter(col("n_answered") > 0)
    return answered.select("touchpoint", "mean", n="n_answered", satisfied="csat_share")


IN_SQL: dict[str, tuple[Callable[[Any], pl.DataFrame], tuple[str, ...]]] = {
    "transitions": (transitions, ("touchpoint", "next")),
    "conversion": (conversion, ("channel",)),
    "drop_off": (drop_off, ("channel",)),
    "funnel": (funnel, ("level",)),
    "credit": (credit, ("channel",)),
    "retention": (retention, ("cohort", "period")),
    "life_cycle": (life_cycle, ("month_nr",)),
    "activity": (activity, ("weekday", "hour")),
    "repeat_rate": (repeat_rate, ("nth",)),
    "time_to_convert": (time_to_convert, ("day",)),
    "win_back": (win_back, ()),
    "waiting": (waiting, ()),
    "dwell": (dwell, ("channel",)),
    "handoffs": (handoffs, ("channel", "next_channel")),
    "decision_points": (decision_points, ("touchpoint",)),
    "variants": (variants, ("path",)),
    "customer_value": (customer_value, ()),
    "satisfaction": (satisfaction, ("touchpoint",)),
}
"""How our answer reads in the columns of the query, and which of them name its rows."""
NEAR = {"p50_us": 0.02, "p50_value": 0.02, "linear": 1e-6}
"""Relative differences that are none: our quantiles are of a histogram, within 0.8 %, and of two middle values SQL gives
the mean; our credit is in millionths. All else is equal."""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("logs")
    return {shape: str(logs.write_log(folder, 20_000, shape)) for shape in ("plain", "rich")}


@pytest.fixture(scope="module")
def answer(paths: dict[str, str]) -> Callable[[str], Any]:
    journeys = {shape: ours.read_journeys(path, shape) for shape, path in paths.items()}
    asked = {**ours.MEASURES, **ours.RICH_MEASURES}
    return lambda name: asked[name][1](journeys[BARE[name].shape])


@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("engine", ["duckdb", pytest.param("chdb", marks=pytest.mark.clickhouse)])
def test_the_plain_figure_is_ours(name: str, engine: str, paths: dict[str, str], answer: Callable[[str], Any]) -> None:
    read, keys = IN_SQL[name]
    expected = _plain(read(answer(name)), keys)
    ask, words = (peers.ask_duckdb, DUCKDB) if engine == "duckdb" else (peers.ask_chdb, CLICKHOUSE)
    table = pl.DataFrame(ask(BARE[name].text(words, paths[BARE[name].shape])))
    found = _plain(table, keys)
    if name == "decision_points":
        found = found.with_columns(
            share_with=col("won") / col("n"), share_without=col("won_without") / col("n_without")
        )
    if name == "repeat_rate":  # the median of a handful is no number to compare
        enough = pl.when(col("repeated") >= 30).then("p50_us").otherwise(float("nan"))
        found, expected = found.with_columns(p50_us=enough), expected.with_columns(p50_us=enough)
    if name == "retention":
        found = found.join(expected, on=keys, how="semi")  # SQL has cells that are not over
    assert expected.height > 0
    assert found.select(keys).rows() == expected.select(keys).rows()
    for number in [name for name in expected.columns if name not in keys]:
        near = pytest.approx(expected[number].to_list(), rel=NEAR.get(number, 1e-9), nan_ok=True)
        assert found[number].to_list() == near, number


def _plain(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Numbers as floats, rows in order: engines differ in both."""
    texts = [name for name in keys if frame[name].dtype == pl.String]
    plain = frame.with_columns(pl.exclude(texts).cast(pl.Float64).fill_null(float("nan")))
    return plain.sort(keys) if keys else plain

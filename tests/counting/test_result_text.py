"""What a result shows of itself in a terminal: the answer, and not only what stands left and right of it."""

from __future__ import annotations

import polars as pl
import pytest

import journeymine as jm
from journeymine.counting.result_text import text_of


@pytest.fixture(scope="module")
def journeys() -> jm.Journeys:
    return jm.build_journeys(jm.sample(users=600))


@pytest.mark.parametrize("by", [None, "channel", ["channel", "device"]])
def test_a_wide_result_shows_its_share_with_the_limits(journeys: jm.Journeys, by: str | list[str] | None) -> None:
    found = jm.conversion(journeys, by=by)
    shown = repr(found)
    for name in ("n", "share", "share_lower", "share_upper"):
        assert f" {name} " in shown
    assert f"(8 of {found.frame.width} columns; all are in .frame)" in shown


def columns_of(shown: str) -> list[str]:
    return [name.strip() for name in shown.splitlines()[3].strip("│").split("┆")]


def test_a_share_within_a_horizon_comes_before_the_one_so_far(journeys: jm.Journeys) -> None:
    found = jm.win_back(journeys)
    with pl.Config(tbl_width_chars=400):
        assert columns_of(repr(found)) == [
            "n", "horizon_s", "came_back_share", "came_back_share_lower", "came_back_share_upper", "p50_s", "p90_s",
            "so_far_share",
        ]  # fmt: skip
        # Nobody was watched for half a year: what there is so far is shown, and why there is no more.
        short = repr(jm.repeat_rate(journeys))
        assert {"so_far_share", "so_far_share_lower", "reason"} <= set(columns_of(short))
        within = columns_of(repr(jm.repeat_rate(journeys, horizon="30d")))
        assert within[:4] == ["nth", "n", "horizon_s", "repeated_share"]


def test_reasons_are_numbered_and_tables_named(journeys: jm.Journeys) -> None:
    found = jm.time_to_convert(journeys, by="channel")
    shown = repr(found)
    told = found.frame["reason"].drop_nulls()[0]
    assert f"(1) {told}\n" in shown
    assert ".tables['curves'], .tables['test']" in shown
    assert repr(jm.transitions(journeys)).endswith("(8 of 22 columns; all are in .edges)")


def test_a_narrow_frame_is_shown_whole_and_a_wish_for_columns_is_kept(journeys: jm.Journeys) -> None:
    narrow = pl.DataFrame({"channel": ["web"], "n": [3], "share": [0.5]})
    assert text_of("How?", narrow, notes=["a note"]) == f"How?\n{narrow}\n(a note)"
    found = jm.conversion(journeys)
    with pl.Config(tbl_cols=4):
        assert repr(found) == f"{found.question}\n{found.frame}"


def test_every_label_and_the_two_sides_of_a_difference_are_shown(journeys: jm.Journeys) -> None:
    found = jm.before_after(journeys, "2026-03-15", jm.Conversion(by="device"))
    names = columns_of(repr(found))
    assert names[:4] == ["device", "estimate", "a", "b"]
    assert names[4].startswith("differen")


def test_nothing_and_only_nulls_have_a_text() -> None:
    frame = pl.DataFrame(schema={"label": pl.String, **{f"x{i}": pl.Float64 for i in range(9)}, "reason": pl.String})
    assert "(8 of 11 columns" in text_of("", frame)
    assert "(1) none" in text_of("", frame.vstack(frame.clear(1).with_columns(reason=pl.lit("none"))))

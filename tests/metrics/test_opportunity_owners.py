"""Who owns a place, and which states lie in it, against a query over the same table."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from journeymine.columns import UNKNOWN
from journeymine.metrics.opportunity_owners import FACTS, Places

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["s", "t"]), st.sampled_from(["c", "d:"]), st.sampled_from(["x", "y"]),
        st.sampled_from(["", UNKNOWN, "one", "two"]), st.integers(0, 3),
    ),
    max_size=12,
)  # fmt: skip


@given(
    rows=ROWS,
    stage=st.sampled_from(["", "s", "t"]),
    channel=st.sampled_from(["", "c", "d:", "nowhere"]),
    touchpoint=st.sampled_from(["", "x"]),
)
def test_a_place_is_owned_by_whom_most_journeys_meet_there(
    rows: list[tuple[str, str, str, str, int]], stage: str, channel: str, touchpoint: str
) -> None:
    schema = {**dict.fromkeys(FACTS, pl.String), "n_reached": pl.Int64}
    places = Places(pl.DataFrame(rows, schema=schema, orient="row"), has_channels=True)
    asked = {"stage": stage, "channel": channel, "touchpoint": touchpoint}
    here = places.frame
    for name, label in asked.items():
        here = here.filter((pl.col(name) == label) | pl.lit(not label))
    owned = here.filter(~pl.col("owner").is_in(["", UNKNOWN])).group_by("owner").agg(pl.col("n_reached").sum())
    first = owned.sort("n_reached", "owner", descending=[True, False])["owner"].to_list()
    assert places.owner(**asked) == (first[0] if first else "")
    known = here.select("channel", "touchpoint").unique().sort("channel", "touchpoint").rows()
    assert places.states(**asked) == [f"{channel.replace(':', chr(92) + ':')}:{name}" for channel, name in known]

"""retentioneering: make the event stream, split sessions, count the transitions; users are the paths."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.case import Case

os.environ["RETENTIONEERING_NO_TRACK"] = "1"  # a benchmark reports to nobody


def _transitions(path: str) -> Any:
    import pandas as pd
    from retentioneering import Eventstream

    schema = {"path_cols": ["user_id"], "event_col": "touchpoint", "timestamp_col": "ts"}
    stream = Eventstream(pd.read_parquet(path), schema=schema)
    stream.split_sessions(timeout="30m")
    return stream.transition_graph_data(edge_weight="count")


CASES = [Case("retentioneering", "event stream, sessions, transition counts", str, _transitions, largest=2_000_000)]

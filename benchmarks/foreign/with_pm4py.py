"""pm4py: format the log and discover the directly-follows graph; users are the cases."""

from __future__ import annotations

from typing import Any

from benchmarks.case import Case


def _discover(path: str) -> Any:
    import pandas as pd
    import pm4py

    frame = pd.read_parquet(path)
    log = pm4py.format_dataframe(frame, case_id="user_id", activity_key="touchpoint", timestamp_key="ts")
    return pm4py.discover_dfg(log)


CASES = [Case("pm4py", "format, directly-follows graph", str, _discover, largest=2_000_000)]

"""What is checked over the whole log when no single process has all of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from journeymine.engines.tally import LogTally
from journeymine.errors import SourceError
from journeymine.events.log import Events
from journeymine.events.quarantine import enforce_limit
from journeymine.journeys.context import check_latest, n_latest
from journeymine.journeys.rules import JourneyRules

__all__ = ["check_after", "check_before", "check_times"]


def check_before(events: Events) -> None:
    """Raise what one light pass over the log can raise: it is empty, or too many rows are unusable in themselves."""
    seen = events.survey()
    if not sum(seen.heights):
        raise SourceError("the log has no rows", hint="check the path, and the query that wrote it")
    enforce_limit(sum(seen.heights), seen.faults, seen.faults_by_file, events.max_quarantine_share)


def check_times(events: Events, rules: JourneyRules, latest: npt.NDArray[np.int64]) -> None:
    """Raise for a wild timestamp before anything is counted, where rows usable in themselves are all accepted."""
    if not events.rules.never_before and not any(schema.event_id for schema in events.schemas):
        n_events = sum(events.survey().usable)
        check_latest(n_events, np.sort(latest)[-n_latest(n_events) :], rules)


def check_after(events: Events, rules: JourneyRules, tally: LogTally) -> None:
    """Raise what only shows when whole users were seen: too many rows set aside, or an accepted wild timestamp."""
    seen = events.survey()
    code_of = {reason: code for code, reason in enumerate(events.reasons)}
    aside = Counter({code_of[reason]: n for reason, n in seen.faults.items()})
    by_file = Counter(seen.faults_by_file)
    for (file, reason), n in tally.judged.items():
        aside[reason] += n
        by_file[events.files[file]] += n
    worst_first = sorted(aside.items(), key=lambda item: (-item[1], item[0]))
    by_reason = {events.reasons[code]: n for code, n in worst_first}
    enforce_limit(sum(seen.heights), by_reason, by_file, events.max_quarantine_share)
    check_latest(tally.n_accepted, np.array(tally.latest[: n_latest(tally.n_accepted)], dtype=np.int64), rules)

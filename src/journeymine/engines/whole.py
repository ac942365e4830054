"""What is checked over the whole log when no single process has all of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from journeymine.engines.tally import LogTally
from journeymine.events.log import Events
from journeymine.events.quarantine import enforce_limit
from journeymine.events.report import EventReport, LogFacts
from journeymine.journeys.context import check_latest, n_latest
from journeymine.journeys.rules import JourneyRules

__all__ = ["check_after", "check_before", "check_times", "report_of"]


def check_before(events: Events) -> None:
    """Raise what one light pass over the log can raise: a source is empty, or too many rows are unusable in themselves."""
    seen = events.survey()
    events.check_rows(seen.heights)
    enforce_limit(sum(seen.heights), seen.faults, seen.faults_by_file, events.max_quarantine_share)


def check_times(events: Events, rules: JourneyRules, latest: npt.NDArray[np.int64]) -> None:
    """Raise for a wild timestamp before anything is counted, where rows usable in themselves are all accepted."""
    if not events.rules.never_before and not any(schema.event_id for schema in events.schemas):
        n_events = sum(events.survey().usable)
        check_latest(n_events, np.sort(latest)[-n_latest(n_events) :], rules)


def check_after(events: Events, rules: JourneyRules, tally: LogTally) -> None:
    """Raise what only shows when whole users were seen: too many rows set aside, or an accepted wild timestamp."""
    seen = events.survey()
    by_file = Counter(seen.faults_by_file)
    for (file, _), n in tally.judged.items():
        by_file[events.files[file]] += n
    enforce_limit(sum(seen.heights), _reasons(events, tally), by_file, events.max_quarantine_share)
    check_latest(tally.n_accepted, np.array(tally.latest[: n_latest(tally.n_accepted)], dtype=np.int64), rules)


def report_of(events: Events, tally: LogTally, ids: tuple[int, int]) -> EventReport:
    """The report on a log that was read in parts; `ids` are the numbers of anonymous ids filled and ambiguous."""
    seen, files = events.survey(), range(len(events.files))
    facts = LogFacts(
        heights=seen.heights,
        accepted=[tally.accepted.get(file, 0) for file in files],
        null_channels=[tally.null_channels.get(file, 0) for file in files],
        spans=seen.spans,
        reasons=_reasons(events, tally),
        ties=tally.ties,
        out_of_order=tally.out_of_order,
        users=tally.users,
        anonymous_users=tally.anonymous_users,
        pairs=sorted(tally.pairs),
        ids_filled=ids[0],
        ids_ambiguous=ids[1],
    )
    return events.report_of(facts)


def _reasons(events: Events, tally: LogTally) -> dict[str, int]:
    """Rows set aside by reason, the largest first."""
    code_of = {reason: code for code, reason in enumerate(events.reasons)}
    aside = Counter({code_of[reason]: n for reason, n in events.survey().faults.items()})
    for (_, reason), n in tally.judged.items():
        aside[reason] += n
    return {events.reasons[code]: n for code, n in sorted(aside.items(), key=lambda item: (-item[1], item[0]))}

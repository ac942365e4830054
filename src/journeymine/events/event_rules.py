"""What holds for whole users: events delivered twice, and orders that cannot be.

Both look at one user at a time, so that a part of the users gives the same answer as the whole log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from journeymine.errors import SchemaError
from journeymine.events.faults import ACCEPTED, REASONS

__all__ = ["EventRules", "clean_users", "judge_users", "reason_names"]


@dataclass(frozen=True, slots=True)
class EventRules:
    """Declared rules that the events of a user must keep; events that break one go to quarantine.

    Parameters
    ----------
    never_before : pairs of touchpoints. With ``("won", "first_contact")``, a `won` that is earlier than its user's
        first `first_contact` goes to quarantine. At the same instant, or without any `first_contact`, it stays.

    Examples
    --------
    >>> EventRules(never_before=[["won", "first_contact"]]).names
    ('rule broken: won before first_contact',)
    """

    never_before: Sequence[Sequence[str]] = ()

    def __post_init__(self) -> None:
        pairs = tuple(tuple(pair) if not isinstance(pair, str) else (pair,) for pair in self.never_before)
        for pair in pairs:
            if len(pair) != 2 or not all(isinstance(item, str) for item in pair) or pair[0] == pair[1]:
                raise SchemaError(
                    f"never_before {pair!r} is not a pair of two touchpoints",
                    hint='never_before = [["won", "first_contact"]]',
                )
        if len(pairs) > 255 - len(REASONS):
            raise SchemaError(f"{len(pairs)} never_before rules are too many", hint=f"at most {255 - len(REASONS)}")
        object.__setattr__(self, "never_before", pairs)

    @classmethod
    def of(cls, given: EventRules | Mapping[str, Any] | None) -> EventRules:
        """Rules from what the caller gave."""
        if given is None:
            return cls()
        if isinstance(given, EventRules):
            return given
        if not isinstance(given, Mapping):
            raise SchemaError(
                f"event_rules {given!r} are no rules by name", hint='{"never_before": [["won", "first_contact"]]}'
            )
        unknown = sorted(set(given) - {"never_before"})
        if unknown:
            raise SchemaError(f"unknown event rule {unknown[0]!r}", hint="there is: never_before")
        return cls(**given)

    @property
    def names(self) -> tuple[str, ...]:
        """One reason per rule."""
        return tuple(f"rule broken: {late} before {early}" for late, early in self.never_before)


def reason_names(rules: EventRules) -> tuple[str, ...]:
    """What each code of the ``reason`` column stands for; code 0 is an accepted row."""
    return REASONS + rules.names


def judge_users(frame: pl.DataFrame, rules: EventRules) -> pl.DataFrame:
    """Give rows that fail a check over their whole user a ``reason``.

    Parameters
    ----------
    frame : canonical events of whole users in input order; columns user, timestamp, touchpoint, reason, and, where
        declared, source and event_id.

    Returns
    -------
    The same rows, with ``reason`` filled in where it was 0 and a check failed. Duplicates are judged first, the first
    in input order is kept; then every rule, each over all that is left.
    """
    if "event_id" in frame.columns:
        known = (pl.col("reason") == ACCEPTED) & pl.col("event_id").is_not_null()
        key = pl.struct("user", "source", "event_id", known=known)
        again = known & ~key.is_first_distinct()
        duplicate = pl.lit(REASONS.index("duplicate event_id"), dtype=pl.UInt8)
        frame = frame.with_columns(reason=pl.when(again).then(duplicate).otherwise("reason"))
    if not rules.never_before:
        return frame
    numbered = frame.lazy().select("user", "timestamp", "touchpoint", "reason").with_row_index("position")
    broken = []
    for code, (late, early) in enumerate(rules.never_before, start=len(REASONS)):
        left = numbered.filter(pl.col("reason") == ACCEPTED)
        first = left.filter(pl.col("touchpoint") == early).group_by("user").agg(first=pl.col("timestamp").min())
        broken.append(
            left.filter(pl.col("touchpoint") == late)
            .join(first, on="user", how="inner")
            .filter(pl.col("timestamp") < pl.col("first"))
            .select("position", broken=pl.lit(code, dtype=pl.UInt8))
        )
    found = pl.concat(broken).group_by("position").agg(pl.col("broken").min()).sort("position").collect()
    if not len(found):
        return frame
    reason = frame.get_column("reason").clone()
    reason = reason.scatter(found["position"].to_list(), found["broken"])
    return frame.with_columns(reason=reason)


def clean_users(frame: pl.DataFrame, rules: EventRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Accepted and quarantined rows of whole users, both in input order; see `judge_users`.

    Examples
    --------
    >>> rows = pl.DataFrame(
    ...     {"user": ["a", "a"], "timestamp": [5, 9], "touchpoint": ["won", "seen"], "reason": [0, 0]},
    ...     schema_overrides={"reason": pl.UInt8},
    ... )
    >>> kept, aside = clean_users(rows, EventRules(never_before=[["won", "seen"]]))
    >>> kept["touchpoint"].to_list(), aside["touchpoint"].to_list()
    (['seen'], ['won'])
    """
    judged = judge_users(frame, rules)
    return judged.filter(pl.col("reason") == ACCEPTED), judged.filter(pl.col("reason") != ACCEPTED)

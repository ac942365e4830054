"""Who an event belongs to when only an anonymous id is known.

An anonymous id seen with exactly one user is back-filled with that user, before and after. One seen with several, or
with none, stays a user of its own under the id ``anonymous:`` + the anonymous id. A user id of the caller's that begins
like that is put in double quotes first, so that the two can never meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = ["ANONYMOUS", "Identity", "learn_identity"]

ANONYMOUS = "anonymous:"
"""Prefix of the user id of somebody known by an anonymous id only."""

_LOOKS_ANONYMOUS = rf'^"*{ANONYMOUS}'


@dataclass(frozen=True, slots=True)
class Identity:
    """What the whole log says about its anonymous ids.

    Attributes
    ----------
    users : columns anonymous, known_user: the ids seen with exactly one user.
    ambiguous : the ids seen with several users, sorted.
    """

    users: pl.DataFrame
    ambiguous: tuple[str, ...]

    def resolve(self, events: pl.LazyFrame) -> pl.LazyFrame:
        """Replace columns user and anonymous by the user the event belongs to; row order is kept.

        Examples
        --------
        >>> events = pl.LazyFrame({"user": [None, "u", None], "anonymous": ["a", "a", "b"]})
        >>> learn_identity(events).resolve(events).collect()["user"].to_list()
        ['u', 'u', 'anonymous:b']
        """
        own = pl.col("user")
        escaped = pl.when(own.str.contains(_LOOKS_ANONYMOUS)).then(pl.concat_str(pl.lit('"'), own)).otherwise(own)
        known = self.users.lazy().rename({"known_user": "__known_user"})
        joined = events.join(known, on="anonymous", how="left", maintain_order="left")
        seen = pl.col("__known_user")
        seen = pl.when(seen.str.contains(_LOOKS_ANONYMOUS)).then(pl.concat_str(pl.lit('"'), seen)).otherwise(seen)
        user = pl.coalesce(escaped, seen, pl.concat_str(pl.lit(ANONYMOUS), "anonymous"))
        return joined.with_columns(user=user).drop("__known_user", "anonymous")


def learn_identity(events: pl.LazyFrame) -> Identity:
    """Learn from all usable events, columns user and anonymous, which anonymous id belongs to whom."""
    seen = (
        events.filter(pl.col("user").is_not_null() & pl.col("anonymous").is_not_null())
        .group_by("anonymous")
        .agg(known_user=pl.col("user").min(), last=pl.col("user").max())
        .sort("anonymous")
        .collect()
    )
    single = pl.col("known_user") == pl.col("last")
    return Identity(seen.filter(single).drop("last"), tuple(seen.filter(~single)["anonymous"].to_list()))

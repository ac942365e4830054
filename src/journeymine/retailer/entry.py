"""The ways in: the sample as files, as a clean log, as true journeys, and as a list of what was planted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from journeymine.errors import QuestionError
from journeymine.events import Events
from journeymine.retailer.blueprint import NOTHING_PLANTED, Facts, Retailer
from journeymine.retailer.files import sample_files, write_all
from journeymine.retailer.log import EVENT_COLUMNS, log_of
from journeymine.retailer.planted import planted_facts
from journeymine.retailer.read_sample import read_sample
from journeymine.retailer.simulate import World, simulate
from journeymine.retailer.truth import journeys_of

__all__ = [
    "DAYS",
    "SEED",
    "USERS",
    "SampleManifest",
    "generate",
    "planted_in",
    "sample",
    "true_journeys",
    "write_sample",
]

SEED, USERS, DAYS = 1, 4_000, 180
_LARGEST = 10_000_000


@dataclass(frozen=True, slots=True)
class SampleManifest:
    """What `write_sample` wrote.

    Parameters
    ----------
    directory : where it lies.
    config : the ``journey.toml`` that reads it.
    files : every file, sorted by name.
    planted : what ``planted.json`` says.
    """

    directory: Path
    config: Path
    files: tuple[Path, ...]
    planted: dict[str, Any]


def write_sample(
    directory: str | Path, *, seed: int = SEED, users: int = USERS, planted: bool = True, days: int = DAYS
) -> SampleManifest:
    """Write the simulated retailer's raw files, ``journey.toml``, ``planted.json`` and ``README.md`` into a directory.

    Parameters
    ----------
    directory : is made where it does not exist; files of the same names are replaced.
    seed : of every random draw; the same seed gives the same files.
    users : number of people simulated; a few of them leave no trace in the log.
    planted : True plants known facts in the log; False makes the null case without them.
    days : length of the log in days, from 2026-01-05.

    Raises
    ------
    QuestionError : the seed is below 0, there are fewer than 200 users, or the days are fewer than 70 or more than 360.
    """
    made = sample_files(_retailer(seed, users, days), planted=planted)
    files = write_all(Path(directory), made.contents())
    return SampleManifest(Path(directory), Path(directory) / "journey.toml", tuple(files), made.planted)


def sample(*, seed: int = SEED, users: int = USERS, planted: bool = True, days: int = DAYS) -> Events:
    """Return the simulated retailer's log as `Events`, as if its raw files had been written and read.

    Dirty rows are in the quarantine, and cookies are resolved to users. Parameters and errors are those of
    `write_sample`.

    Examples
    --------
    >>> events = sample(users=200)
    >>> events.sources
    ('ads', 'web', 'app', 'email', 'store', 'call_centre', 'fulfilment')
    """
    return read_sample(sample_files(_retailer(seed, users, days), planted=planted))


def generate(*, seed: int = SEED, users: int = USERS, planted: bool = True, days: int = DAYS) -> pl.DataFrame:
    """The clean log: every event under its true person, no dirty row, in order of time.

    Returns
    -------
    Frame with user str (a customer number, or ``anonymous:`` and a cookie for those who never say who they are),
    timestamp datetime[us, UTC], touchpoint, channel str, value, cost f64 EUR, satisfaction f64 1–5, device str.

    Examples
    --------
    >>> log = generate(users=200)
    >>> log.columns
    ['user', 'timestamp', 'touchpoint', 'channel', 'value', 'cost', 'satisfaction', 'device']
    >>> log.equals(generate(users=200)), log.equals(generate(users=200, seed=2))
    (True, False)
    """
    return log_of(_world(seed, users, planted, days)).select(EVENT_COLUMNS)


def true_journeys(*, seed: int = SEED, users: int = USERS, planted: bool = True, days: int = DAYS) -> pl.DataFrame:
    """The journeys behind the log of `generate` with the same arguments; columns: see `journeys_of`."""
    return journeys_of(_world(seed, users, planted, days))


def planted_in(*, seed: int = SEED, users: int = USERS, planted: bool = True, days: int = DAYS) -> dict[str, Any]:
    """What ``planted.json`` says of the sample with the same arguments, without the counts of rows."""
    return planted_facts(_world(seed, users, planted, days))


def _world(seed: int, users: int, planted: bool, days: int) -> World:
    return simulate(_retailer(seed, users, days), Facts() if planted else NOTHING_PLANTED)


def _retailer(seed: int, users: int, days: int) -> Retailer:
    for name, given in (("seed", seed), ("users", users), ("days", days)):
        if not isinstance(given, int):
            raise QuestionError(f"{name}={given!r} is no whole number", hint=f"{name}=250, say")
    if seed < 0:
        raise QuestionError(f"seed {seed} is negative", hint="a whole number from 0")
    if not 200 <= users <= _LARGEST:
        raise QuestionError(f"{users} users cannot be simulated", hint=f"200 to {_LARGEST:,} users")
    if not 70 <= days <= 360:
        raise QuestionError(f"a log of {days} days cannot be simulated", hint="70 to 360 days, all of one year")
    return Retailer(seed, users, days)

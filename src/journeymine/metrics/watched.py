"""What a horizon must fulfil to be answered: whole bins, and somebody who was watched for so long."""

from __future__ import annotations

from journeymine.counting.counts import Basis
from journeymine.durations import Duration, describe, microseconds, rounded_down
from journeymine.errors import QuestionError
from journeymine.journeys.context import longest_idle_to_follow
from journeymine.metrics.survival import MAX_BINS, Curves

__all__ = ["all_left_truncated", "check_bins", "misfit", "not_watched"]


def check_bins(bin: Duration, horizon: Duration | None) -> None:  # noqa: A002
    """Refuse a horizon that holds no whole bin, or more of them than a curve has.

    Raises
    ------
    RulesError : one of them is no length of time.
    QuestionError : they do not fit.
    """
    bin_us = microseconds(bin, name="bin")
    if horizon is None:
        return
    wrong = misfit(bin_us, microseconds(horizon, name="horizon"))
    if wrong is not None:
        raise QuestionError(wrong[0], hint=wrong[1])


def misfit(bin_us: int, horizon_us: int) -> tuple[str, str] | None:
    """Why no curve of such bins answers at the horizon, and the way out; None where one may answer.

    >>> misfit(86_400_000_000, 3_600_000_000)
    ('horizon=1h is shorter than bin=1d', 'name a bin of 1h at most, or a longer horizon')
    """
    asked, length = describe(horizon_us), describe(bin_us)
    if horizon_us < bin_us:
        return f"horizon={asked} is shorter than bin={length}", f"name a bin of {asked} at most, or a longer horizon"
    if horizon_us // bin_us > MAX_BINS:
        longest = describe(MAX_BINS * bin_us)
        return (
            f"horizon={asked} is {horizon_us // bin_us:,} times bin={length}, and a curve ends after {MAX_BINS:,} bins",
            f"name a longer bin, or a horizon of {longest} at most",
        )
    return None


def not_watched(curve: Curves | None, bin_us: int, horizon_us: int, who: str) -> str:
    """Why a share within the horizon is not known.

    Parameters
    ----------
    who : in words, those whose watch ended before anything happened to them.
    """
    wrong = misfit(bin_us, horizon_us)
    if wrong is not None:
        return ": ".join(wrong)
    if curve is None or not len(curve.bins):
        return "nobody here was watched: all of it came after `observed_until`"
    # Whoever leaves last of all leaves undecided: else all would be decided, and the share known.
    longest, asked = describe((int(curve.bins[-1]) + 1) * bin_us), describe(horizon_us // bin_us * bin_us)
    return f"{who} were watched for less than {longest}, not for the whole horizon of {asked}"


def all_left_truncated(n: int, basis: Basis, horizon_us: int | None) -> str:
    """Why nothing is known where all of `n` journeys are left-truncated, and which `idle` would help.

    Parameters
    ----------
    horizon_us : None for `mature_after`.
    """
    idle, longest = basis.rules.idle, longest_idle_to_follow(basis.context, basis.rules, horizon_us)
    said = f"of {n:,} journeys here all are left-truncated: they begin within idle={idle} of the log's start"
    if longest <= 0:
        return f"{said}, and the log is no longer than the horizon"
    if longest >= basis.rules.idle_us:
        return said
    return f"{said}; the longest idle that this log supports is {rounded_down(longest)}"

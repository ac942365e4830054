"""Opportunities and the emotion curve of a map, from finished results."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import polars as pl

from journeymine.counting.result import Result
from journeymine.maps.compose_places import estimate
from journeymine.maps.evidence import Estimate
from journeymine.maps.findings import DropOff, Emotion, EmotionPoint, Opportunity
from journeymine.maps.wording import legible, share
from journeymine.metrics.opportunities import COSTS, rank_results, worth_of
from journeymine.metrics.opportunity_owners import Places
from journeymine.percents import percent

__all__ = ["emotion", "opportunities", "priced", "ranking", "said_of_who_answered"]

MOST = 8
_SCALE = "Mean score, put on −2 to +2"


def ranking(results: Mapping[str, Result]) -> Result | None:
    """Everything that might be mended, tested and ranked; None without places or without a goal."""
    if "places" not in results or results["conversion"].basis.rules.goal is None:
        return None
    return rank_results(
        drop_off=results["places"],
        friction=results.get("friction"),
        handoffs=results.get("handoffs"),
        places=Places.of(results["nodes"]),
        worth=worth_of(results["conversion"]),
    )


def priced(places: Iterable[DropOff], ranked: Result | None) -> tuple[DropOff, ...]:
    """The places with what is at stake at each, the same figure as in the list of opportunities, and whether it is in that list.

    Where a conversion brings no money in the mean, none is told.
    """
    if ranked is None:
        return tuple(places)
    listed = ranked.frame.filter(pl.col("kind") == "drop_off").select("stage", "channel").rows()
    places = [replace(place, significant=(place.stage, place.channel) in listed) for place in places]
    if COSTS in ranked.notes:
        unpriced = Estimate(value=None, reason="a conversion brings no money in the mean")
        return tuple(replace(place, value_at_stake=unpriced) for place in places)
    tested = ranked.tables["candidates"].filter((pl.col("kind") == "drop_off") & pl.col("value_gained").is_not_null())
    found = {(row["stage"], row["channel"]): estimate(row, "value_gained") for row in tested.rows(named=True)}
    return tuple(
        replace(place, value_at_stake=found.get((place.stage, place.channel), place.value_at_stake)) for place in places
    )


def opportunities(
    ranked: Result | None, stages: Collection[str], channels: Collection[str], *, is_rounded: bool
) -> tuple[Opportunity, ...]:
    """What to mend first, by what is surely gained; a claim inside a better one is told with it."""
    if ranked is None:
        return ()
    found = ranked.frame
    inside: dict[int, list[str]] = {}
    for row in found.filter(pl.col("part_of").is_not_null()).rows(named=True):
        inside.setdefault(row["part_of"], []).append(row["title"])
    own = found.filter(pl.col("part_of").is_null()).head(MOST)
    return tuple(
        Opportunity(
            rank=rank,
            title=legible(row["title"]),
            evidence=f"{_sentence(row['evidence'], about=is_rounded and row['kind'] != 'drop_off')}{_within(inside.get(row['rank'], []))}",
            owner=row["owner"],
            stage=row["stage"] if row["stage"] in stages else "",
            channel=row["channel"] if row["channel"] in channels else "",
            value_at_stake=None if COSTS in ranked.notes else _gain(row, "value_gained", is_rounded=is_rounded),
            journeys_at_stake=_gain(row, "conversions_gained", is_rounded=is_rounded),
        )
        for rank, row in enumerate(own.rows(named=True), 1)
    )


def _gain(row: Mapping[str, Any], name: str, *, is_rounded: bool) -> Estimate | None:
    """What is gained; of rounded figures no more than two digits."""
    if row[name] is None:
        return None
    found = estimate(row, name)
    if not is_rounded or row["kind"] == "drop_off":
        return found
    value, lower, upper = (None if x is None else float(f"{x:.2g}") for x in (found.value, found.lower, found.upper))
    return replace(found, value=value, lower=lower, upper=upper)


def _sentence(text: str, *, about: bool) -> str:
    """A sentence in the style of the page, which keeps number and per cent sign together but apart."""
    spaced = re.sub(r"(?<=\d)%", "\u00a0%", text)
    if about:  # Rounded figures: no tenth of a per cent that is none.
        spaced = "about " + re.sub(r"\.0(?=\u00a0%| points)", "", spaced)
    return f"{spaced[:1].upper()}{spaced[1:]}."


def _within(titles: list[str]) -> str:
    if not titles:
        return ""
    more = f" and {len(titles) - 2} more" if len(titles) > 2 else ""
    return f" Part of it: {'; '.join(legible(title[:1].lower() + title[1:]) for title in titles[:2])}{more}."


def emotion(result: Result | None, stages: Sequence[str]) -> Emotion | None:
    """The scores by stage and touchpoint; a stage where nobody answered is a point without a score: a gap."""
    if result is None or "stage" not in result.frame.columns:
        return None
    found = {row["stage"]: row for row in result.frame.rows(named=True)}
    points = [_feeling(stage, found.get(stage)) for stage in stages]
    known = {point.stage for point in points if point.score.value is not None}
    if not known:
        return None
    dips = result.tables.get("dips", pl.DataFrame())
    points += [
        EmotionPoint(stage=row["stage"], touchpoint=row["touchpoint"], score=estimate(row, "emotion", "n_answered"),
                     n_answered=row["n_answered"])
        for row in dips.rows(named=True)
        if row["stage"] in known
    ]  # fmt: skip
    note = said_of_who_answered([found[stage] for stage in stages if stage in known], result.confidence)
    return Emotion(points=tuple(points), label=_SCALE, note=note)


def _feeling(stage: str, row: Mapping[str, Any] | None) -> EmotionPoint:
    if row is None:  # Left out of the answer because so few answered.
        return EmotionPoint(stage=stage, score=Estimate(value=None, reason="too few answered"))
    if row["emotion"] is None:
        reason = "nobody answered" if row["n_asked"] else "nobody was asked"
        return EmotionPoint(
            stage=stage, score=Estimate(value=None, reason=reason), n_answered=0, n_asked=row["n_asked"]
        )
    return EmotionPoint(
        stage=stage, score=estimate(row, "emotion", "n_answered"), n_answered=row["n_answered"], n_asked=row["n_asked"]
    )


def said_of_who_answered(rows: list[dict[str, Any]], confidence: float) -> str:
    """Who answered, and whether they end otherwise than those who kept silent: told where it is sure of so many stages."""
    asked, answered = sum(row["n_asked"] for row in rows), sum(row["n_answered"] for row in rows)
    said = f"{share(answered / asked)} of those asked answered" if asked else "nobody was asked"
    known = [row for row in rows if row["response_bias_lower"] is not None]
    # Bonferroni: one interval of several leaves out 0 by chance more often than one of one does.
    wider = _normal(1 - (1 - confidence) / max(len(known), 1)) / _normal(confidence)
    apart = [
        f"in {legible(row['stage'])} the share that converts is {percent(abs(row['response_bias'])).removesuffix('.0')} points "
        f"{'higher' if row['response_bias'] > 0 else 'lower'} among those who answered than among the silent"
        for row in known
        if _least(row) * wider < abs(row["response_bias"])
    ]
    rest = "; ".join(apart) or "whether they answered says nothing sure about whether they convert"
    said = said[:1].upper() + said[1:]
    return f"{said}; {rest}. How the silent feel is not known."


def _least(row: Mapping[str, Any]) -> float:
    """How far the interval of a bias reaches from it towards 0."""
    bias = row["response_bias"]
    return float(bias - row["response_bias_lower"] if bias > 0 else row["response_bias_upper"] - bias)


def _normal(confidence: float) -> float:
    """Half the width of an interval of so much confidence, in standard errors."""
    return NormalDist().inv_cdf((1 + confidence) / 2)

"""Every number that a finished map shows comes from the figures that are withheld together, or is a round one."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import polars as pl
import pytest

import journeymine as jm
from journeymine.counting import Result, count_in_memory, finish
from journeymine.maps.evidence import Estimate
from journeymine.maps.privacy_rounding import rounded, step_of, unknown_numbers
from journeymine.maps.questions import CLAIMS, map_measures
from journeymine.maps.specification import MapSpecification
from tests.maps.test_privacy import STAGES

K = 4
STEP = 10
LOGS = [(seed, n_users) for seed, n_users in enumerate((30, 41, 60, 90, 130, 180, 260, 400))]
NUMBER = re.compile(r"(?<![\w.])[−+]?€?\d[\d,]*(?:\.\d+)?(?:\s?(?:k|M|%))?")
EXACT = ("header", "stages", "lanes", "nodes", "flows", "terminals", "drop_offs")
"""Parts of a map whose figures are withheld together."""
TOLD = ("emotion", "pain_points", "moments_of_truth", "opportunities", "examples")
"""Parts that are told in round numbers."""


class Text(HTMLParser):
    """What a page says: its text, its titles, and the data behind a click, without style and script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.data = ""
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("type")
        self.inside.append(f"{tag} {kind}" if kind else tag)
        self.said += [value for name, value in attrs if name in ("title", "aria-label") and value]

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop().split()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        where = self.inside[-1] if self.inside else ""
        if where == "script application/json":
            self.data += data
        elif where not in ("style", "script"):
            self.said.append(data)


def log_of(rng: np.random.Generator, n_users: int) -> pl.DataFrame:
    """Users with habits, errors and scores, some of them rare: enough for findings, and for something to withhold."""
    rows = []
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for user in range(n_users):
        for turn in range(1 + (rng.random() < 0.3)):
            at = start + timedelta(days=int(rng.integers(0, 60)) + 100 * turn)
            channel = str(rng.choice(["x", "y", "z"], p=[0.6, 0.37, 0.03]))
            path = list(rng.choice(["a", "b", "c", "rare"], rng.integers(1, 4), p=[0.5, 0.27, 0.2, 0.03]))
            failed = rng.random() < 0.3
            path += ["error"] if failed else []
            again = int(rng.integers(0, 3))
            path += ["d"] * again
            path += ["goal"] if rng.random() < (0.1 if failed or again == 2 else 0.8) else []
            path += ["e"] if path[-1] == "goal" and rng.random() < 0.5 else []
            for i, what in enumerate(path):
                where = channel if rng.random() < 0.8 else "y"
                score = int(rng.integers(1, 6)) if rng.random() < 0.2 else None
                worth = float(rng.integers(10, 90)) if what == "goal" else None
                rows.append(
                    (f"u{user}", at + timedelta(minutes=i * int(rng.integers(1, 90))), what, where, score, worth)
                )
    names = {"user": pl.String, "ts": pl.Datetime("us", "UTC"), "what": pl.String, "where": pl.String, "score": pl.Float64,
             "worth": pl.Float64}  # fmt: skip
    return pl.DataFrame(rows, schema=names, orient="row")


@cache
def map_of(seed: int, n_users: int, min_group: int = K, zoom: Any = ()) -> jm.JourneyMap:
    events = jm.read_events(
        log_of(np.random.default_rng(seed), n_users), user="user", timestamp="ts", touchpoint="what", channel="where",
        value="worth", currency="EUR", satisfaction="score", satisfaction_scale=(1, 5),
        stages={**STAGES, "choose": [*STAGES["choose"], "error"]},
    )  # fmt: skip
    return jm.journey_map(
        jm.build_journeys(events, goal="goal", idle="30d", observed_until=1_790_812_800_000_000),
        min_group=min_group,
        zoom=zoom,
    )


def numbers(value: Any, of: tuple[type, ...] = (int, float)) -> Iterator[float]:
    """Every number inside a part of a map, ranks left out."""
    if isinstance(value, bool):
        return
    if isinstance(value, of):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name != "rank":
                yield from numbers(getattr(value, field.name), of)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from numbers(item, of)


def estimates(value: Any) -> Iterator[Estimate]:
    if isinstance(value, Estimate):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from estimates(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from estimates(item)


def known_counts(spec: MapSpecification) -> set[int]:
    """Counts that are withheld together, and sums and differences of them that the page words."""
    found = {int(n) for part in EXACT for n in numbers(getattr(spec, part), (int,))}
    header = spec.header
    if header.n_journeys is not None and header.n_mature is not None:
        found.add(header.n_journeys - header.n_mature)
    found.add(sum(stage.n_lost_here or 0 for stage in spec.stages))
    found.add(sum(drop.n_lost or 0 for drop in spec.drop_offs))
    for node in spec.nodes:
        found |= {n.n for n in (*node.before, *node.after)}
    return found


def counts_in(text: str) -> set[int]:
    """Whole numbers in a text that are no per cent, money, date, duration, or rank."""
    text = re.sub(r"\d{1,2}\s(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:\s\d{4})?", " ", text)
    text = re.sub(r"\d+(?:\.\d+)?\s?(?:d|h|min|s)\b", " ", text)
    text = re.sub(r"[\d,.]+(?:–[\d,.]+)?\s?%", " ", text)
    text = re.sub(r"×\s[\d,.]+ \([\d,.]+ to [\d,.]+\)", " ", text)
    text = re.sub(r"[€−+×]\s?[\d,.]+", " ", text)
    return {int(found.replace(",", "")) for found in re.findall(r"(?<![\w.,])\d[\d,]*(?![\w.]|,\d)", text)}


@pytest.mark.parametrize(("seed", "n_users"), LOGS)
def test_every_count_in_words_is_one_of_the_figures_or_round(seed: int, n_users: int) -> None:
    shown = map_of(seed, n_users)
    spec = shown.spec
    told = [
        *(sentence.text for sentence in spec.summary),
        *(
            found.evidence
            for part in ("pain_points", "moments_of_truth", "opportunities")
            for found in getattr(spec, part)
        ),
        *(example.id.partition(":")[2] for example in spec.examples),
    ]
    exact = known_counts(spec)
    for text in told:
        around = set(re.findall(r"about (\d+) of (\d+)", text.lower()))
        derived = {int(part) for part, _ in around}  # A rounded share of a rounded count.
        for n in counts_in(text) - derived:
            assert n in exact or n % STEP == 0, (text, n)
    text = Text(shown.to_html())
    markdown = shown.to_markdown().replace("\\", "")
    sections = re.split(r"(?m)^## ", markdown)
    for section in sections:
        if section.startswith(("Pain points", "Moments", "What to mend", "In short", "Mean score")):
            for line in section.splitlines()[1:]:
                cells = line.split("|")[2:] if line.startswith("|") else [line]
                for n in counts_in(" ; ".join(cells)) - {int(p) for p, _ in re.findall(r"bout (\d+) of (\d+)", line)}:
                    assert n in exact or n % STEP == 0, (line, n)
    about_the_method = (K, STEP, 30, 60, 64)  # min_group, what is rounded to, days of idle and maturity, folds
    for part in text.said:
        for n in counts_in(part) if "journey" in part and "most used touchpoints" not in part else ():
            assert n in exact or n % STEP == 0 or n in about_the_method, part
    for figures in (entry["figures"] for entry in json.loads(text.data).values()):
        for name, count, _ in figures:
            for n in counts_in(count) if name != "Value" else ():
                assert n in exact, (name, count)


@pytest.mark.parametrize(("seed", "n_users"), LOGS[::2])
def test_what_is_told_beside_the_picture_is_round_in_every_form(seed: int, n_users: int) -> None:
    spec = MapSpecification.from_json(map_of(seed, n_users, zoom="channel").to_json())
    for part in (spec, *(zoom.map for zoom in spec.zooms)):
        for name in TOLD:
            for n in numbers(getattr(part, name), (int,)):
                own = {d.n_reached for d in part.drop_offs} | {d.n_lost for d in part.drop_offs}
                assert n % STEP == 0 or n in own, (name, n)
        for found in estimates((part.pain_points,)):
            for mark in (found.value, found.lower, found.upper):
                assert mark is None or round(mark, 3) == mark
    for zoom in spec.zooms:
        assert not zoom.map.pain_points
        assert not zoom.map.moments_of_truth
        assert not zoom.map.examples


def test_there_is_something_to_round_and_to_withhold() -> None:
    """Without findings and gaps, the properties above would hold of nothing."""
    exact, withheld = map_of(7, 400, min_group=1).spec, map_of(7, 400).spec
    assert exact.pain_points
    assert withheld.pain_points
    assert withheld.examples
    assert len(withheld.flows) < len(exact.flows)
    assert [n for n in numbers(exact.pain_points, (int,)) if n % STEP]
    assert not [n for n in numbers(withheld.pain_points, (int,)) if n % STEP]


@pytest.mark.parametrize("k", [2, 5, 10, 33])
def test_a_rounded_count_leaves_a_few_more_or_less_open(k: int) -> None:
    """Whatever true count is rounded, a difference to any exact figure is known to within more than `k` only."""
    step = step_of(k)
    assert step >= 2 * k
    for shown in range(step, 20 * step, step):
        could_be = [n for n in range(1, 25 * step) if max((n + step // 2) // step * step, step) == shown]
        assert max(could_be) - min(could_be) + 1 >= 2 * k


@pytest.mark.parametrize(("seed", "n_users"), LOGS)
def test_a_place_that_is_one_touchpoint_says_no_more_than_that(seed: int, n_users: int) -> None:
    spec = map_of(seed, n_users).spec
    for drop in spec.drop_offs:
        inside = [node for node in spec.nodes if (node.stage, node.channel) == (drop.stage, drop.channel)]
        if len(inside) != 1 or drop.n_reached is None or inside[0].n_journeys is None:
            continue
        young = inside[0].n_journeys - drop.n_reached
        assert young <= 0 or young >= K or drop.n_reached < inside[0].n_journeys - K or inside[0].converted is not None


@pytest.mark.parametrize(("seed", "n_users"), LOGS)
def test_who_came_back_cannot_be_had_from_a_stage_less_its_places(seed: int, n_users: int) -> None:
    shown = map_of(seed, n_users)
    everything = {(d.stage, d.channel): d for d in map_of(seed, n_users, min_group=1).spec.drop_offs}
    told = {(d.stage, d.channel) for d in shown.spec.drop_offs if d.came_back and d.came_back.value is not None}
    for stage in shown.spec.stages:
        if stage.came_back is None or stage.came_back.value is None:
            continue
        hidden = [d for place, d in everything.items() if place[0] == stage.name and place not in told]
        back = sum(round((d.n_lost or 0) * ((d.came_back.value if d.came_back else 0) or 0)) for d in hidden)
        rest = sum(d.n_lost or 0 for d in hidden) - back
        assert back == 0 or back >= K
        assert rest == 0 or rest >= K


def answers() -> dict[str, Result]:
    """What a map of the sample asks, as counted."""
    journeys = jm.build_journeys(jm.sample(users=1500))
    asked = map_measures(journeys.coded.labels, scale=(1, 5))
    return {name: finish(measure, count_in_memory(measure, journeys)) for name, measure in asked.items()}


def test_every_number_beside_the_picture_is_known_to_be_rounded_or_kept() -> None:
    """A measure that gets another column or table of numbers must say in `privacy_rounding` how a map may tell it."""
    untold = {("friction", "ways"), ("decisions", "branching")}
    met = set()
    for name, result in answers().items():
        fields = rounded(name, result, STEP)
        if not fields:
            assert name not in (*CLAIMS, "satisfaction")
            continue
        met.add(name)
        dropped = {(name, table) for table in result.tables if table not in fields["tables"]}
        assert dropped <= untold, (
            f"say in privacy_rounding how a map tells {dropped - untold}, or here that it does not"
        )
        for table, frame in {name: result.frame, **result.tables}.items():
            assert (name, table) in untold or unknown_numbers(table, frame) == []
    assert met == {*CLAIMS, "satisfaction"}


def test_what_nobody_said_how_to_tell_is_not_handed_on() -> None:
    friction = answers()["friction"]
    later = dataclasses.replace(
        friction,
        frame=friction.frame.with_columns(n_more=pl.col("n"), more_share=pl.lit(0.5), words=pl.lit("x")),
        tables={**friction.tables, "more": friction.tables["weeks"]},
    )
    fields = rounded("friction", later, STEP)
    assert set(fields["tables"]) == {"weeks"}
    assert fields["frame"].columns == [*friction.frame.columns, "words"]

from __future__ import annotations

import fnmatch
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import SchemaError
from journeymine.events import StageMap, TouchpointFacts, TouchpointPattern

LABELS = ["ad", "ad_tv", "ad_web", "order", "a*", "re:x", "x", '"(unknown)"', "😀", "Ad"]
CHANNELS = ["web", "store", "(unknown)"]
PATTERNS = [*LABELS, "*", "ad_*", "?d", "[a-f]d*", "re:^ad", "re:.", "(unknown)", "re:^$"]

patterns = st.builds(TouchpointPattern, st.sampled_from(PATTERNS), st.sampled_from([None, "web", "s*", "re:know"]))


def fits(pattern: str, label: str) -> int | None:
    if pattern == label:
        return 0
    if pattern.startswith("re:"):
        return 2 if re.search(pattern[3:], label) else None
    return 1 if fnmatch.fnmatchcase(label, pattern) else None


def stage_by_loop(declared: list[tuple[str, TouchpointPattern]], label: str, channel: str) -> str | None:
    """The documented precedence, one pattern after the other."""
    best: tuple[Any, ...] | None = None
    for position, (stage, pattern) in enumerate(declared):
        written = "(unknown)" if label == '"(unknown)"' and pattern.touchpoint == "(unknown)" else label
        kind = fits(pattern.touchpoint, written)
        if kind is None or (pattern.channel is not None and fits(pattern.channel, channel) is None):
            continue
        key = (kind, pattern.channel is None, position, stage)
        best = key if best is None or key[:3] < best[:3] else best
    return best[3] if best else None


@given(st.lists(st.lists(patterns, max_size=4), max_size=4))
def test_the_best_pattern_wins(stages: list[list[TouchpointPattern]]) -> None:
    stage_map = StageMap.of({f"s{i}": listed for i, listed in enumerate(stages)})
    pairs = [(label, channel) for label in LABELS for channel in CHANNELS]
    found = stage_map.lookup([label for label, _ in pairs], [channel for _, channel in pairs])
    declared = [(f"s{i}", pattern) for i, listed in enumerate(stages) for pattern in listed]
    assert found["stage"].to_list() == [stage_by_loop(declared, *pair) for pair in pairs]
    assert StageMap.of(tomllib.loads(stage_map.to_toml()).get("stages", ())) == stage_map


def test_facts_are_found_each_on_its_own() -> None:
    stage_map = StageMap.of(
        touchpoints=[
            {"match": "app_*", "kind": "error", "owner": "App"},
            {"match": "app_mail", "by_company": True},
            {"match": "app_mail", "channel": "sms", "by_company": False, "owner": "Messaging"},
            {"match": "*", "owner": "CX"},
        ]
    )
    found = stage_map.lookup(["app_mail", "app_mail", "shop"], ["email", "sms", "web"])
    assert found.select("owner", "kind", "by_company").rows() == [
        ("App", "error", True),
        ("Messaging", "error", False),
        ("CX", None, False),
    ]
    again = tomllib.loads(stage_map.to_toml())
    assert StageMap.of(touchpoints=again["touchpoints"]) == stage_map
    assert (
        StageMap.of(stage_map, touchpoints=[TouchpointFacts(TouchpointPattern("z"))]).facts[-1].match.touchpoint == "z"
    )


def test_without_channels_a_pattern_for_a_channel_fits_nothing() -> None:
    stage_map = StageMap.of({"a": [{"touchpoint": "x", "channel": "*"}], "b": ["x"]})
    assert stage_map.lookup(["x"])["stage"].to_list() == ["b"]
    assert stage_map.lookup(["x"], ["any"])["stage"].to_list() == ["a"]
    assert stage_map.lookup([], [])["stage"].to_list() == []


def test_patterns_that_fit_nothing_are_listed() -> None:
    stage_map = StageMap.of({"a": ["x", "y*", {"touchpoint": "x", "channel": "fax"}]}, touchpoints=[{"match": "re:q"}])
    assert stage_map.unmatched(["x", "z"], ["web", "fax"]) == ("y*", "x on fax", "re:q")
    assert stage_map.unmatched(["x", "yes"]) == ("x on fax", "re:q")


@pytest.mark.parametrize(
    ("given_stages", "message"),
    [
        ({"": ["x"]}, "stage name '' is no text"),
        ([{"name": "a"}, {"name": "a"}], "'a' is declared 2 times"),
        ({"a": [3]}, "stage pattern 3 is not understood"),
        ({"a": [""]}, "stage pattern '' is no text"),
        ({"a": [{"channel": "web"}]}, "not understood"),
        ({"a": [{"touchpoint": "x", "chanel": "web"}]}, "not understood"),
        ([{"name": "a", "touchpoint": ["x"]}], "not understood"),
    ],
)
def test_mistakes_are_named(given_stages: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        StageMap.of(given_stages)
    with pytest.raises(SchemaError, match="touchpoint facts"):
        StageMap.of(touchpoints=[{"match": "x", "woner": "y"}])


@pytest.mark.parametrize("label", ["(unmapped)", "(unknown)", "(none)", '"(unknown)"'])
def test_names_that_read_like_our_labels_are_refused(label: str) -> None:
    with pytest.raises(SchemaError, match=r"label of ours(?s:.*)rename"):
        StageMap.of({label: ["x"]})
    for fact in ("owner", "kind"):
        with pytest.raises(SchemaError, match=rf"{fact}.*label of ours"):
            StageMap.of({"a": ["x"]}, touchpoints=[{"match": "x", fact: label}])

"""Maps made by program: a believable retailer, a bare log, hostile names, and any size. Seeded; no clock, no files."""

from __future__ import annotations

import random

from journeymine.maps.evidence import (
    Estimate,
    ExampleJourney,
    ExampleStep,
    Hint,
    QualityRow,
    Sentence,
)
from journeymine.maps.findings import (
    DropOff,
    Emotion,
    EmotionPoint,
    Opportunity,
    WrittenCell,
    WrittenRow,
)
from journeymine.maps.specification import Flow, Header, Lane, MapSpecification, Node, Stage

HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "line\u2028separator\u2029here",
    "مرحبا بالعالم שלום",
    "x" * 300,
    "🛒 basket 👩‍👩‍👧‍👦 family",
    "evil\u202egnp.exe",
    "tab\tnew\nline\x00null\x1bescape",
    "\"quoted\" & 'single' `tick` ${x} {{ y }} {% z %}",
    "购物车已添加商品并完成付款流程",
    "javascript:alert(1)",
    "__proto__",
    "]]>-->",
    "é̂̃̄ combining",
)


def estimate(value: float, n: int, *, spread: float = 1.0) -> Estimate:
    """A share with an interval of plausible width."""
    half = spread * 1.96 * (max(value * (1 - value), 1e-4) / max(n, 1)) ** 0.5
    return Estimate(
        value=round(value, 6),
        lower=round(max(value - half, 0), 6),
        upper=round(min(value + half, 1), 6),
        n=n,
        sparse=n < 300,
    )


def make_flows(nodes: list[Node], stages: tuple[str, ...], rng: random.Random, n: int) -> list[Flow]:
    """Flows that mostly go on, sometimes back, sometimes round in a circle."""
    order = {stage: i for i, stage in enumerate(stages)}
    seen: dict[tuple[str, str], Flow] = {}
    weights = [node.n_journeys or 1 for node in nodes]
    for _ in range(n * 12):
        if len(seen) >= n:
            break
        a, b = rng.choices(nodes, weights)[0], rng.choices(nodes, weights)[0]
        step = order[b.stage] - order[a.stage]
        keep = 0.12 if a is b else 0.3 if step == 0 else 0.18 if step < 0 else 1.0 if step == 1 else 0.3
        if rng.random() > keep:
            continue
        base = min(a.n_journeys or 1, b.n_journeys or 1)
        boost = 1.0 if step == 1 else 0.4 if step == 0 else 0.12
        journeys = max(1, int(base * boost * rng.uniform(0.02, 0.35) * (2.2 if a.channel == b.channel else 0.7)))
        seen[a.id, b.id] = Flow(
            source=a.id,
            target=b.id,
            n=int(journeys * 1.2),
            n_journeys=journeys,
            p50_s=rng.uniform(20, 400_000),
            p90_s=rng.uniform(400_000, 2_000_000),
            converted=estimate(rng.uniform(0.05, 0.6), journeys),
            is_back=step < 0,
            is_handover=a.channel != b.channel,
        )
    return list(seen.values())


def bare_log() -> MapSpecification:
    """User, time and touchpoint, and nothing else: one unlabelled lane, columns in typical order."""
    rng = random.Random(7)
    columns = tuple(f"{i}" for i in range(1, 6))
    names = (
        "home",
        "search",
        "item",
        "cart",
        "pay",
        "help",
        "account",
        "home again",
        "leave",
        "item list",
        "reviews",
        "faq",
    )
    nodes = [
        Node(id=name, touchpoint=name, stage=columns[i % 5], channel="", n=900 - 40 * i, n_journeys=700 - 50 * i)
        for i, name in enumerate(names)
    ]
    return MapSpecification(
        header=Header(
            title="Journeys in events.csv",
            n_users=1_200,
            n_journeys=1_930,
            period_start="2026-01-04T00:00:00Z",
            period_end="2026-01-28T23:00:00Z",
            n_open=210,
        ),
        stages=tuple(Stage(name=name, n_reached=1900 - 300 * i) for i, name in enumerate(columns)),
        lanes=(Lane(name=""),),
        nodes=tuple(nodes),
        flows=tuple(make_flows(nodes, columns, rng, 30)),
        stages_are="typical_order",
        unknowns=(Sentence(text="Without a goal nothing can convert or be lost."),),
        hints=(
            Hint(row="stages", text="map touchpoints to stages with [[stages]] to get phases as columns"),
            Hint(row="channels", text="name a channel column to get swim lanes"),
            Hint(row="value", text="name a value column to price what is lost"),
        ),
    )


def sized(
    n_touchpoints: int, n_stages: int, n_channels: int, *, seed: int = 1, names: tuple[str, ...] = ()
) -> MapSpecification:
    """A map of any size, touchpoints scattered over stages and channels; every part filled."""
    rng = random.Random(seed)

    def name(kind: str, i: int) -> str:
        return f"{names[i % len(names)]} {kind}{i}" if names else f"{kind} {i + 1}"

    stages = tuple(name("stage", i) for i in range(n_stages))
    lanes = tuple(name("channel", i) for i in range(n_channels))
    nodes = []
    for i in range(n_touchpoints):
        n = max(3, int(9_000 / (1 + i)))
        nodes.append(
            Node(
                id=f"{names[i % len(names)] if names else 'n'}{i}",
                touchpoint=name("touchpoint", i),
                stage=rng.choice(stages),
                channel=rng.choice(lanes),
                n=n * 2,
                n_journeys=n,
                converted=estimate(0.3, n),
            )
        )
    flows = make_flows(nodes, stages, rng, n_touchpoints * 4)
    drops = tuple(
        DropOff(stage=s, channel=c, n_reached=100, n_lost=17, lost=estimate(0.17, 100))
        for s, c in sorted({(node.stage, node.channel) for node in nodes})
    )
    return MapSpecification(
        header=Header(
            title=name("Map", 0),
            who=name("segment", 1),
            n_users=9_000,
            n_journeys=12_345,
            currency=name("cur", 2)[:12],
            converted=estimate(0.2, 9_000),
            goal=name("goal", 3),
        ),
        stages=tuple(
            Stage(
                name=s,
                n_reached=9_000 // (i + 1),
                went_on=estimate(0.5, 90),
                n_lost_here=300,
                lost_here=estimate(0.1, 90),
                dwell_p50_s=1e5 * (i + 1),
                dwell_p90_s=4e6,
            )
            for i, s in enumerate(stages)
        ),
        lanes=tuple(Lane(name=c, n_journeys=1_000_000, converted_later=estimate(0.2, 900)) for c in lanes),
        nodes=tuple(nodes),
        flows=tuple(flows),
        drop_offs=drops,
        emotion=Emotion(
            label=name("score", 5),
            points=tuple(EmotionPoint(stage=s, score=estimate(0.4, 90), n_answered=9) for s in stages[::2]),
        ),
        opportunities=(
            Opportunity(
                rank=1,
                title=name("mend", 0),
                owner=name("owner", 1),
                stage=stages[0],
                channel=lanes[0],
                evidence=name("evidence", 2),
            ),
        ),
        written_rows=(
            WrittenRow(
                title=name("row", 4),
                cells=tuple(WrittenCell(stage=s, text=name("text", i)) for i, s in enumerate(stages)),
            ),
        ),
        summary=(Sentence(text=name("sentence", 0)),),
        unknowns=(Sentence(text=name("unknown", 1)),),
        quality=(QualityRow(what=name("quality", 2), n=1, note=name("note", 3)),),
        examples=(ExampleJourney(id="J1", status="lost", steps=(ExampleStep(touchpoint=name("step", 0)),)),),
    )


def hostile() -> MapSpecification:
    """Names that try to break out of HTML, SVG, JSON, the line and the box."""
    return sized(24, 5, 5, seed=3, names=HOSTILE)

"""Maps made by program: a believable retailer, a bare log, hostile names, and any size. Seeded; no clock, no files."""

from __future__ import annotations

import random

from journeymine.maps.evidence import (
    Definition,
    Estimate,
    ExampleJourney,
    ExampleStep,
    FigureRef,
    Filtered,
    Hint,
    Neighbour,
    QualityRow,
    Sentence,
)
from journeymine.maps.findings import (
    DropOff,
    Emotion,
    EmotionPoint,
    MomentOfTruth,
    Opportunity,
    PainPoint,
    WrittenCell,
    WrittenRow,
)
from journeymine.maps.specification import Flow, Header, Lane, MapSpecification, Method, Node, Stage, Terminal, Zoom

HOSTILE = (
    "</script><script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>", "line\u2028separator\u2029here",
    "مرحبا بالعالم שלום", "x" * 300, "🛒 basket 👩‍👩‍👧‍👦 family", "evil\u202egnp.exe", "tab\tnew\nline\x00null\x1bescape",
    "\"quoted\" & 'single' `tick` ${x} {{ y }} {% z %}", "购物车已添加商品并完成付款流程", "javascript:alert(1)", "__proto__", "]]>-->",
    "é̂̃̄ combining",
)

_RETAIL: dict[str, dict[str, list[tuple[str, int]]]] = {
    "awareness": {
        "paid search": [("ad clicked", 14200)], "social": [("ad seen", 9100), ("video watched", 3900)],
        "email": [("newsletter opened", 6400)], "web": [("landing page viewed", 18800)],
    },
    "consideration": {
        "web": [("product viewed", 22600), ("review read", 6100), ("search used", 8200), ("compared", 2900)],
        "app": [("product viewed", 11800), ("wish list added", 3300)], "store": [("visit", 4100)],
        "email": [("offer opened", 3800)], "call centre": [("advice call", 900)],
    },
    "purchase": {
        "web": [("basket filled", 10900), ("checkout started", 7600), ("order placed", 5200)],
        "app": [("basket filled", 7400), ("checkout started", 5600), ("payment error", 2100), ("order placed", 2700)],
        "store": [("order placed", 2600)], "call centre": [("order help call", 1500), ("order placed", 600)],
    },
    "retention": {
        "email": [("delivery mail opened", 6900), ("voucher sent", 4800)], "app": [("parcel tracked", 3600)],
        "call centre": [("complaint call", 800)], "store": [("returned goods", 700)],
    },
    "advocacy": {"web": [("review written", 900)], "social": [("shared", 650)], "email": [("friend invited", 320)]},
}


def estimate(value: float, n: int, *, spread: float = 1.0) -> Estimate:
    """A share with an interval of plausible width."""
    half = spread * 1.96 * (max(value * (1 - value), 1e-4) / max(n, 1)) ** 0.5
    return Estimate(value=round(value, 6), lower=round(max(value - half, 0), 6), upper=round(min(value + half, 1), 6), n=n,
                    sparse=n < 300)


def retailer(*, zooms: bool = True) -> MapSpecification:
    """An omnichannel retailer with an app checkout that fails, like the sample data."""
    rng = random.Random(20260301)
    stages = tuple(_RETAIL)
    lanes = ("paid search", "social", "email", "web", "app", "store", "call centre")
    nodes = []
    for stage, by_channel in _RETAIL.items():
        for channel, touchpoints in by_channel.items():
            for name, n in touchpoints:
                nodes.append(Node(
                    id=f"{channel}:{name}:{stage}", touchpoint=name, stage=stage, channel=channel, n=int(n * 1.3), n_journeys=n,
                    converted=estimate(rng.uniform(0.08, 0.5), n),
                    owner={"app": "App team", "store": "Stores"}.get(channel, "Digital"), by_company=name == "voucher sent",
                    kind="error" if "error" in name else "complaint" if "complaint" in name else "",
                    examples=("J1", "J2")))
    flows = make_flows(nodes, stages, rng, 150)
    nodes = [with_neighbours(node, flows, nodes) for node in nodes]
    spec = MapSpecification(
        header=Header(
            title="From first contact to a second order", who="All customers, Germany", scenario="Buying shoes and coming back",
            goal="order placed", period_start="2026-03-01", period_end="2026-05-31", observed_until="2026-05-31",
            n_users=31_240, n_journeys=42_816, covered=0.942, converted=estimate(0.2034, 36_904, spread=1.6), n_mature=36_904,
            n_converted=8_709, n_lost=29_377, n_open=4_730, currency="EUR",
            filtered=(Filtered(what="after-sale service journeys", n_journeys=1_204),)),
        stages=_stages(stages, rng), lanes=tuple(
            Lane(name=lane, n_journeys=sum(x.n_journeys or 0 for x in nodes if x.channel == lane) // 2,
                 converted=estimate(rng.uniform(0.12, 0.34), 4000)) for lane in lanes),
        nodes=tuple(nodes), flows=tuple(flows), terminals=_terminals(nodes, rng),
        drop_offs=_drop_offs(nodes, rng), emotion=_emotion(), **_findings(), **_words())
    if not zooms:
        return spec
    return MapSpecification(**{name: getattr(spec, name) for name in spec.__dataclass_fields__ if name != "zooms"}, zooms=tuple(
        Zoom(kind="channel", label=lane, map=only_channel(spec, lane)) for lane in ("app", "store")))


def only_channel(spec: MapSpecification, channel: str) -> MapSpecification:
    """The retailer through one channel."""
    nodes = tuple(node for node in spec.nodes if node.channel == channel)
    ids = {node.id for node in nodes}
    return MapSpecification(
        header=spec.header, stages=spec.stages, lanes=tuple(lane for lane in spec.lanes if lane.name == channel), nodes=nodes,
        flows=tuple(flow for flow in spec.flows if flow.source in ids and flow.target in ids), examples=spec.examples,
        drop_offs=tuple(drop for drop in spec.drop_offs if drop.channel == channel))


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
            source=a.id, target=b.id, n=int(journeys * 1.2), n_journeys=journeys, p50_s=rng.uniform(20, 400_000),
            p90_s=rng.uniform(400_000, 2_000_000), converted=estimate(rng.uniform(0.05, 0.6), journeys), is_back=step < 0,
            is_handover=a.channel != b.channel)
    return list(seen.values())


def with_neighbours(node: Node, flows: list[Flow], nodes: list[Node]) -> Node:
    """The node with its usual befores and afters."""
    names = {other.id: other.touchpoint for other in nodes}

    def usual(pairs: list[tuple[str, int]]) -> tuple[Neighbour, ...]:
        total = sum(n for _, n in pairs) or 1
        return tuple(Neighbour(label=names[i], n=n, share=n / total, node=i) for i, n in sorted(pairs, key=lambda p: -p[1])[:5])

    values = {name: getattr(node, name) for name in node.__dataclass_fields__}
    values["before"] = usual([(flow.source, flow.n) for flow in flows if flow.target == node.id])
    values["after"] = usual([(flow.target, flow.n) for flow in flows if flow.source == node.id])
    return Node(**values)


def _stages(names: tuple[str, ...], rng: random.Random) -> tuple[Stage, ...]:
    reached = (37_900, 29_400, 17_800, 9_800, 1_760)
    lost = (11_900, 9_870, 6_950, 610, 47)
    return tuple(Stage(
        name=name, n_reached=n, went_on=estimate(0.62 - 0.11 * i, n) if i < 4 else None,
        converted_later=estimate((0.23, 0.29, 0.43, 0.11, 0.06)[i], n), n_lost_here=gone, lost_here=estimate(gone / n, n),
        n_open_here=n // 12, came_back=estimate(0.08 + 0.05 * i, gone), came_back_p50_s=86400 * (9 + 3 * i),
        dwell_p50_s=(2_100, 180_000, 5_400, 700_000, 90_000)[i], dwell_p90_s=(86_000, 1_100_000, 260_000, 3_100_000, 900_000)[i],
        last_touchpoints=tuple(Neighbour(label=label, n=int(gone * part), share=part) for label, part in (
            (("landing page viewed", 0.41), ("ad seen", 0.22)), (("product viewed", 0.52), ("search used", 0.17)),
            (("payment error", 0.31), ("checkout started", 0.28)), (("complaint call", 0.44), ("voucher sent", 0.2)),
            (("shared", 0.5), ("review written", 0.3)))[i]),
        is_goal=name == "purchase") for i, (name, n, gone) in enumerate(zip(names, reached, lost, strict=True)))


def _terminals(nodes: list[Node], rng: random.Random) -> tuple[Terminal, ...]:
    out = []
    for node in nodes:
        for status, most in (("start", 0.4), ("lost", 0.3), ("open", 0.05)):
            out.append(Terminal(node=node.id, status=status, n_journeys=int((node.n_journeys or 0) * rng.uniform(0, most))))
    return tuple(terminal for terminal in out if terminal.n_journeys)


def _drop_offs(nodes: list[Node], rng: random.Random) -> tuple[DropOff, ...]:
    out = []
    for stage, channel in sorted({(node.stage, node.channel) for node in nodes}):
        inside = [node for node in nodes if (node.stage, node.channel) == (stage, channel)]
        n = max(node.n_journeys or 0 for node in inside)
        broken = (stage, channel) == ("purchase", "app")
        rate = 0.412 if broken else rng.uniform(0.04, 0.28)
        stake = 84_300.0 if broken else rng.uniform(800, 31_000)
        out.append(DropOff(
            stage=stage, channel=channel, n_reached=n, n_lost=int(n * rate), lost=estimate(rate, n), owner="App team",
            came_back=estimate(0.18, int(n * rate)), last_touchpoints=(Neighbour(label=inside[-1].touchpoint, n=int(n * rate / 2),
                                                                              share=0.5),),
            value_at_stake=Estimate(value=stake, lower=stake * 0.72, upper=stake * 1.27, n=n)))
    return tuple(out)


def _emotion() -> Emotion:
    means = (("awareness", 0.6, 300, 4100), ("consideration", 1.1, 900, 6100), ("purchase", -0.7, 1450, 6900),
             ("advocacy", 1.6, 120, 140))
    points = [EmotionPoint(stage=s, n_answered=n, n_asked=asked, score=Estimate(
        value=m, lower=m - 4 / n**0.5, upper=m + 4 / n**0.5, n=n)) for s, m, n, asked in means]
    points += [EmotionPoint(stage="purchase", touchpoint=t, n_answered=200, score=Estimate(value=m, lower=m - .3, upper=m + .3))
               for t, m in (("payment error", -1.8), ("order placed", 0.9), ("order help call", -0.4))]
    return Emotion(points=tuple(points), label="Satisfaction after contact, −2 to +2",
                   note="Of those asked 17 % answered; answerers convert 1.3 times as often as the silent.")


def _findings() -> dict[str, tuple[object, ...]]:
    return {
        "pain_points": (
            PainPoint(rank=1, title="Payment error in the app checkout", stage="purchase", channel="app", owner="App team",
                      touchpoint="payment error", n_journeys=2_100, effect=Estimate(value=-0.214, lower=-0.243, upper=-0.186),
                      evidence="2,100 journeys meet it, 71 % of them in the week of 13 April; 34 % call next"),
            PainPoint(rank=2, title="Two complaint calls or more", stage="retention", channel="call centre", owner="Service",
                      n_journeys=310, effect=Estimate(value=-0.09, lower=-0.15, upper=-0.03), evidence="median wait 3 days")),
        "moments_of_truth": (
            MomentOfTruth(rank=1, title="Reading a review before filling a basket", stage="consideration", channel="web",
                          n_journeys=6_100, lift=Estimate(value=1.62, lower=1.51, upper=1.74),
                          evidence="holds in every channel of entry"),),
        "opportunities": (
            Opportunity(rank=1, title="Stop the payment error in the app", owner="App team", stage="purchase", channel="app",
                        value_at_stake=Estimate(value=84_300, lower=60_700, upper=107_000),
                        evidence="as good as the web checkout: 41.2 % lost against 19.8 %"),
            Opportunity(rank=2, title="Carry e-mail offers into the store", owner="CRM", stage="consideration", channel="email",
                        value_at_stake=Estimate(value=31_900, lower=12_400, upper=50_800),
                        evidence="a third of the hand-overs from e-mail to store end there"),
            Opportunity(rank=3, title="Answer order calls the same day", owner="Service", stage="purchase", channel="call centre",
                        value_at_stake=Estimate(value=12_700, lower=-1_900, upper=27_100), evidence="interval includes zero")),
    }


def _words() -> dict[str, object]:
    return {
        "written_rows": (WrittenRow(title="Customer's goal", cells=(
            WrittenCell(stage="awareness", text="Find shoes that fit without trying ten pairs"),
            WrittenCell(stage="consideration", text="Be sure about size and price"),
            WrittenCell(stage="purchase", text="Pay in a minute, on the phone"),
            WrittenCell(stage="retention", text="“Just tell me when it comes.”"))),),
        "summary": (
            Sentence(text="One journey in five ends in an order: 20.3 % (19.7–21.0 %).",
                     figures=(FigureRef(label="conversion", ref="header"),)),
            Sentence(text="The app loses 41.2 % of those who come to purchase there; the web loses 19.8 %.",
                     figures=(FigureRef(label="drop-off", ref="drop_off:purchase|app"),)),
            Sentence(text="A third of the customers that meet the payment error call the call centre next.",
                     figures=(FigureRef(label="touchpoint", ref="node:app:payment error:purchase"),))),
        "unknowns": (
            Sentence(text="4,730 journeys are still open; they count as not converted so far."),
            Sentence(text="Nobody was asked how they feel in retention."),
            Sentence(text="2,913 events have no channel.", figures=(FigureRef(label="data quality", ref="quality"),))),
        "examples": (
            ExampleJourney(id="J1", status="converted", steps=tuple(
                ExampleStep(touchpoint=t, channel=c, stage=s, after_s=a) for t, c, s, a in (
                    ("ad clicked", "paid search", "awareness", 0), ("product viewed", "web", "consideration", 60),
                    ("basket filled", "app", "purchase", 90_000), ("order placed", "app", "purchase", 90_400)))),
            ExampleJourney(id="J2", status="lost", steps=tuple(
                ExampleStep(touchpoint=t, channel=c, stage=s, after_s=a) for t, c, s, a in (
                    ("newsletter opened", "email", "awareness", 0), ("product viewed", "app", "consideration", 4_000),
                    ("checkout started", "app", "purchase", 5_000), ("payment error", "app", "purchase", 5_060),
                    ("order help call", "call centre", "purchase", 7_900))))),
        "quality": (
            QualityRow(what="rows read", n=412_377), QualityRow(what="accepted", n=409_464, share=0.9929),
            QualityRow(what="set aside: unparsable time", n=1_822, share=0.0044, level="watch", note="all in store.csv.gz"),
            QualityRow(what="set aside: duplicate event id", n=1_091, share=0.0026),
            QualityRow(what="no channel", n=2_913, share=0.0071, level="watch")),
        "method": Method(
            definitions=(Definition(term="journey", text="a run of one person's steps that belong to one attempt at the goal"),
                         Definition(term="lost here", text="lost, and the last step by the user is in this stage and channel")),
            intervals="95 % intervals, clustered by user through 64 folds (delete-a-group jackknife; Wilson for shares).",
            exclusions=("service journeys are outside conversion and drop-off",),
            versions=(Definition(term="journeymine", text="0.1.0"), Definition(term="polars", text="2.1.0")),
            call='journey_map(journeys, title="From first contact to a second order")'),
    }


def bare_log() -> MapSpecification:
    """User, time and touchpoint, and nothing else: one unlabelled lane, columns in typical order."""
    rng = random.Random(7)
    columns = tuple(f"{i}" for i in range(1, 6))
    names = ("home", "search", "item", "cart", "pay", "help", "account", "home again", "leave", "item list", "reviews", "faq")
    nodes = [Node(id=name, touchpoint=name, stage=columns[i % 5], channel="", n=900 - 40 * i, n_journeys=700 - 50 * i)
             for i, name in enumerate(names)]
    return MapSpecification(
        header=Header(title="Journeys in events.csv", n_users=1_200, n_journeys=1_930, period_start="2026-01-04T00:00:00Z",
                      period_end="2026-01-28T23:00:00Z", n_open=210),
        stages=tuple(Stage(name=name, n_reached=1900 - 300 * i) for i, name in enumerate(columns)), lanes=(Lane(name=""),),
        nodes=tuple(nodes), flows=tuple(make_flows(nodes, columns, rng, 30)), stages_are="typical_order",
        unknowns=(Sentence(text="Without a goal nothing can convert or be lost."),),
        hints=(Hint(row="stages", text="map touchpoints to stages with [[stages]] to get phases as columns"),
               Hint(row="channels", text="name a channel column to get swim lanes"),
               Hint(row="value", text="name a value column to price what is lost")))


def sized(n_touchpoints: int, n_stages: int, n_channels: int, *, seed: int = 1, names: tuple[str, ...] = ()) -> MapSpecification:
    """A map of any size, touchpoints scattered over stages and channels; every part filled."""
    rng = random.Random(seed)

    def name(kind: str, i: int) -> str:
        return f"{names[i % len(names)]} {kind}{i}" if names else f"{kind} {i + 1}"

    stages = tuple(name("stage", i) for i in range(n_stages))
    lanes = tuple(name("channel", i) for i in range(n_channels))
    nodes = []
    for i in range(n_touchpoints):
        n = max(3, int(9_000 / (1 + i)))
        nodes.append(Node(id=f"{names[i % len(names)] if names else 'n'}{i}", touchpoint=name("touchpoint", i),
                          stage=rng.choice(stages), channel=rng.choice(lanes), n=n * 2, n_journeys=n, converted=estimate(0.3, n)))
    flows = make_flows(nodes, stages, rng, n_touchpoints * 4)
    drops = tuple(DropOff(stage=s, channel=c, n_reached=100, n_lost=17, lost=estimate(0.17, 100))
                  for s, c in sorted({(node.stage, node.channel) for node in nodes}))
    return MapSpecification(
        header=Header(title=name("Map", 0), who=name("segment", 1), n_users=9_000, n_journeys=12_345, currency=name("cur", 2)[:12],
                      converted=estimate(0.2, 9_000), goal=name("goal", 3)),
        stages=tuple(Stage(name=s, n_reached=9_000 // (i + 1), went_on=estimate(0.5, 90), n_lost_here=300, lost_here=estimate(0.1, 90),
                           dwell_p50_s=1e5 * (i + 1), dwell_p90_s=4e6) for i, s in enumerate(stages)),
        lanes=tuple(Lane(name=c, n_journeys=1_000_000, converted=estimate(0.2, 900)) for c in lanes), nodes=tuple(nodes),
        flows=tuple(flows), drop_offs=drops,
        emotion=Emotion(label=name("score", 5), points=tuple(EmotionPoint(stage=s, score=estimate(0.4, 90), n_answered=9)
                                                            for s in stages[::2])),
        opportunities=(Opportunity(rank=1, title=name("mend", 0), owner=name("owner", 1), stage=stages[0], channel=lanes[0],
                                   evidence=name("evidence", 2)),),
        written_rows=(WrittenRow(title=name("row", 4), cells=tuple(WrittenCell(stage=s, text=name("text", i))
                                                                  for i, s in enumerate(stages))),),
        summary=(Sentence(text=name("sentence", 0)),), unknowns=(Sentence(text=name("unknown", 1)),),
        quality=(QualityRow(what=name("quality", 2), n=1, note=name("note", 3)),),
        examples=(ExampleJourney(id="J1", status="lost", steps=(ExampleStep(touchpoint=name("step", 0)),)),))


def hostile() -> MapSpecification:
    """Names that try to break out of HTML, SVG, JSON, the line and the box."""
    return sized(24, 5, 5, seed=3, names=HOSTILE)

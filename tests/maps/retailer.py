"""A believable retailer's map, with every part filled."""

from __future__ import annotations

import random

from journeymine.maps.evidence import (
    Estimate,
    Filtered,
    Neighbour,
)
from journeymine.maps.findings import (
    DropOff,
)
from journeymine.maps.specification import Flow, Header, Lane, MapSpecification, Node, Stage, Terminal, Zoom
from tests.maps.fixtures import estimate, make_flows
from tests.maps.retailer_words import emotion, findings, words

_RETAIL: dict[str, dict[str, list[tuple[str, int]]]] = {
    "awareness": {
        "paid search": [("ad clicked", 14200)],
        "social": [("ad seen", 9100), ("video watched", 3900)],
        "email": [("newsletter opened", 6400)],
        "web": [("landing page viewed", 18800)],
    },
    "consideration": {
        "web": [("product viewed", 22600), ("review read", 6100), ("search used", 8200), ("compared", 2900)],
        "app": [("product viewed", 11800), ("wish list added", 3300)],
        "store": [("visit", 4100)],
        "email": [("offer opened", 3800)],
        "call centre": [("advice call", 900)],
    },
    "purchase": {
        "web": [("basket filled", 10900), ("checkout started", 7600), ("order placed", 5200)],
        "app": [("basket filled", 7400), ("checkout started", 5600), ("payment error", 2100), ("order placed", 2700)],
        "store": [("order placed", 2600)],
        "call centre": [("order help call", 1500), ("order placed", 600)],
    },
    "retention": {
        "email": [("delivery mail opened", 6900), ("voucher sent", 4800)],
        "app": [("parcel tracked", 3600)],
        "call centre": [("complaint call", 800)],
        "store": [("returned goods", 700)],
    },
    "advocacy": {"web": [("review written", 900)], "social": [("shared", 650)], "email": [("friend invited", 320)]},
}


def retailer(*, zooms: bool = True) -> MapSpecification:
    """An omnichannel retailer with an app checkout that fails, like the sample data."""
    rng = random.Random(20260301)
    stages = tuple(_RETAIL)
    lanes = ("paid search", "social", "email", "web", "app", "store", "call centre")
    nodes = []
    for stage, by_channel in _RETAIL.items():
        for channel, touchpoints in by_channel.items():
            for name, n in touchpoints:
                nodes.append(
                    Node(
                        id=f"{channel}:{name}:{stage}",
                        touchpoint=name,
                        stage=stage,
                        channel=channel,
                        n=int(n * 1.3),
                        n_journeys=n,
                        converted=estimate(rng.uniform(0.08, 0.5), n),
                        owner={"app": "App team", "store": "Stores"}.get(channel, "Digital"),
                        by_company=name == "voucher sent",
                        kind="error" if "error" in name else "complaint" if "complaint" in name else "",
                        examples=("J1", "J2"),
                    )
                )
    flows = make_flows(nodes, stages, rng, 150)
    nodes = [with_neighbours(node, flows, nodes) for node in nodes]
    spec = MapSpecification(
        header=Header(
            title="From first contact to a second order",
            who="All customers, Germany",
            scenario="Buying shoes and coming back",
            goal="order placed",
            period_start="2026-03-01",
            period_end="2026-05-31",
            observed_until="2026-05-31",
            n_users=31_240,
            n_journeys=42_816,
            covered=0.942,
            converted=estimate(0.2034, 36_904, spread=1.6),
            n_mature=36_904,
            n_converted=8_709,
            n_lost=29_377,
            n_open=4_730,
            currency="EUR",
            filtered=(Filtered(what="after-sale service journeys", n_journeys=1_204),),
        ),
        stages=_stages(stages, rng),
        lanes=tuple(
            Lane(
                name=lane,
                n_journeys=sum(x.n_journeys or 0 for x in nodes if x.channel == lane) // 2,
                converted_later=estimate(rng.uniform(0.12, 0.34), 4000),
            )
            for lane in lanes
        ),
        nodes=tuple(nodes),
        flows=tuple(flows),
        terminals=_terminals(nodes, rng),
        drop_offs=_drop_offs(nodes, rng),
        emotion=emotion(),
        **findings(),
        **words(),
    )
    if not zooms:
        return spec
    return MapSpecification(
        **{name: getattr(spec, name) for name in spec.__dataclass_fields__ if name != "zooms"},
        zooms=tuple(Zoom(kind="channel", label=lane, map=only_channel(spec, lane)) for lane in ("app", "store")),
    )


def only_channel(spec: MapSpecification, channel: str) -> MapSpecification:
    """The retailer through one channel."""
    nodes = tuple(node for node in spec.nodes if node.channel == channel)
    ids = {node.id for node in nodes}
    return MapSpecification(
        header=spec.header,
        stages=spec.stages,
        lanes=tuple(lane for lane in spec.lanes if lane.name == channel),
        nodes=nodes,
        flows=tuple(flow for flow in spec.flows if flow.source in ids and flow.target in ids),
        examples=spec.examples,
        drop_offs=tuple(drop for drop in spec.drop_offs if drop.channel == channel),
    )


def with_neighbours(node: Node, flows: list[Flow], nodes: list[Node]) -> Node:
    """The node with its usual befores and afters."""
    names = {other.id: other.touchpoint for other in nodes}

    def usual(pairs: list[tuple[str, int]]) -> tuple[Neighbour, ...]:
        total = sum(n for _, n in pairs) or 1
        return tuple(
            Neighbour(label=names[i], n=n, share=n / total, node=i) for i, n in sorted(pairs, key=lambda p: -p[1])[:5]
        )

    values = {name: getattr(node, name) for name in node.__dataclass_fields__}
    values["before"] = usual([(flow.source, flow.n) for flow in flows if flow.target == node.id])
    values["after"] = usual([(flow.target, flow.n) for flow in flows if flow.source == node.id])
    return Node(**values)


def _stages(names: tuple[str, ...], rng: random.Random) -> tuple[Stage, ...]:
    reached = (37_900, 29_400, 17_800, 9_800, 1_760)
    lost = (11_900, 9_870, 6_950, 610, 47)
    return tuple(
        Stage(
            name=name,
            n_reached=n,
            went_on=estimate(0.62 - 0.11 * i, n) if i < 4 else None,
            converted_later=estimate((0.23, 0.29, 0.43, 0.11, 0.06)[i], n),
            n_lost_here=gone,
            lost_here=estimate(gone / n, n),
            n_open_here=n // 12,
            came_back=estimate(0.08 + 0.05 * i, gone),
            came_back_p50_s=86400 * (9 + 3 * i),
            dwell_p50_s=(2_100, 180_000, 5_400, 700_000, 90_000)[i],
            dwell_p90_s=(86_000, 1_100_000, 260_000, 3_100_000, 900_000)[i],
            last_touchpoints=tuple(
                Neighbour(label=label, n=int(gone * part), share=part)
                for label, part in (
                    (("landing page viewed", 0.41), ("ad seen", 0.22)),
                    (("product viewed", 0.52), ("search used", 0.17)),
                    (("payment error", 0.31), ("checkout started", 0.28)),
                    (("complaint call", 0.44), ("voucher sent", 0.2)),
                    (("shared", 0.5), ("review written", 0.3)),
                )[i]
            ),
            is_goal=name == "purchase",
        )
        for i, (name, n, gone) in enumerate(zip(names, reached, lost, strict=True))
    )


def _terminals(nodes: list[Node], rng: random.Random) -> tuple[Terminal, ...]:
    out = []
    for node in nodes:
        for status, most in (("start", 0.4), ("lost", 0.3), ("open", 0.05)):
            out.append(
                Terminal(node=node.id, status=status, n_journeys=int((node.n_journeys or 0) * rng.uniform(0, most)))
            )
    return tuple(terminal for terminal in out if terminal.n_journeys)


def _drop_offs(nodes: list[Node], rng: random.Random) -> tuple[DropOff, ...]:
    out = []
    for stage, channel in sorted({(node.stage, node.channel) for node in nodes}):
        inside = [node for node in nodes if (node.stage, node.channel) == (stage, channel)]
        n = max(node.n_journeys or 0 for node in inside)
        broken = (stage, channel) == ("purchase", "app")
        rate = 0.412 if broken else rng.uniform(0.04, 0.28)
        stake = 84_300.0 if broken else rng.uniform(800, 31_000)
        out.append(
            DropOff(
                stage=stage,
                channel=channel,
                n_reached=n,
                n_lost=int(n * rate),
                lost=estimate(rate, n),
                owner="App team",
                came_back=estimate(0.18, int(n * rate)),
                last_touchpoints=(Neighbour(label=inside[-1].touchpoint, n=int(n * rate / 2), share=0.5),),
                value_at_stake=Estimate(value=stake, lower=stake * 0.72, upper=stake * 1.27, n=n),
            )
        )
    return tuple(out)

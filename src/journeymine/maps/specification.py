"""The journey map as a value: finished numbers and words, nothing to compute and nothing to draw.

A `MapSpecification` is what a map *says*; `svg`, `html` and `markdown` are how it looks. It is built from finished
results only (see `compose`), so the same picture comes from a notebook, from Spark, or from a night's state. Its JSON
(`to_json`, `from_json`) is ours, documented here, and versioned by `schema_version`.

Every figure that has an interval is an `Estimate`. A figure that is not known is an estimate whose `value` is None with
the `reason`; a part that the data cannot fill is left empty, and a `Hint` says in one line what would fill it.

Stages, lanes and nodes refer to each other by name: `Node.stage` is a `Stage.name`, `Node.channel` a `Lane.name`, and
`Flow.source`, `Flow.target`, `Terminal.node`, `OverlayPath.nodes` are a `Node.id`. A map with a broken reference cannot
be built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from journeymine.maps.comparison import Comparison
from journeymine.maps.evidence import (
    Definition,
    Estimate,
    ExampleJourney,
    Filtered,
    Hint,
    Neighbour,
    QualityRow,
    Sentence,
)
from journeymine.maps.findings import (
    DropOff,
    Emotion,
    MomentOfTruth,
    Opportunity,
    PainPoint,
    WrittenRow,
)
from journeymine.maps.overlay import Overlay, OverlayPath
from journeymine.maps.specification_json import decode, encode, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SCHEMA_VERSION",
    "Flow",
    "Header",
    "Lane",
    "MapSpecification",
    "Method",
    "Node",
    "Overlay",
    "OverlayPath",
    "Stage",
    "Terminal",
    "TerminalStatus",
    "Zoom",
]

SCHEMA_VERSION = 1
"""Version of the JSON form; a reader refuses a newer one."""

TerminalStatus = Literal["start", "converted", "lost", "open", "ended", "service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Whose journeys, when, and how many of them the picture covers.

    `period_start`, `period_end`, `observed_until` are ISO 8601 dates or instants in UTC. `covered` is the share (0–1)
    of all steps that are at touchpoints which are drawn; a whole per cent where figures are withheld. `converted` is
    the headline share, over mature journeys. `currency` is an ISO 4217 code, empty when the log has no values.
    """

    title: str
    n_users: int | None
    n_journeys: int | None
    who: str = "All customers"
    scenario: str = ""
    goal: str = ""
    period_start: str = ""
    period_end: str = ""
    observed_until: str = ""
    covered: float | None = None
    converted: Estimate | None = None
    n_mature: int | None = None
    n_converted: int | None = None
    n_lost: int | None = None
    n_open: int | None = None
    currency: str = ""
    confidence: float = 0.95
    filtered: tuple[Filtered, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One column: a phase of the journey, with its key figures; durations in seconds, shares 0–1."""

    name: str
    n_reached: int | None = None
    reached: Estimate | None = None
    went_on: Estimate | None = None
    converted_later: Estimate | None = None
    n_lost_here: int | None = None
    lost_here: Estimate | None = None
    n_open_here: int | None = None
    came_back: Estimate | None = None
    came_back_p50_s: float | None = None
    dwell_p50_s: float | None = None
    dwell_p90_s: float | None = None
    last_touchpoints: tuple[Neighbour, ...] = ()
    is_goal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One swim lane: a channel. The single lane of a log without channels is named ``""``.

    `converted_later` is of all mature journeys that touch the channel: the share that reaches the goal after the first
    step there, as at a stage. None where the channel is used in stages after the goal only.
    """

    name: str
    n_journeys: int | None = None
    converted_later: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One touchpoint in one channel and stage; `examples` are ids of `MapSpecification.examples`.

    `is_lost_at`: the rules declare it in `lost_at`, so that a journey that comes here is lost by definition.
    """

    id: str
    touchpoint: str
    stage: str
    channel: str
    n: int | None
    n_journeys: int | None
    converted: Estimate | None = None
    owner: str = ""
    kind: str = ""
    by_company: bool = False
    is_lost_at: bool = False
    value: float | None = None
    before: tuple[Neighbour, ...] = ()
    after: tuple[Neighbour, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """By what it is ranked: journeys, or times where those are withheld."""
        return (self.n if self.n_journeys is None else self.n_journeys) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """From one node to the next: `n` times, in `n_journeys` journeys (None: withheld), `p50_s` and `p90_s` seconds apart.

    `is_back`: to an earlier stage. `is_handover`: from one channel to another. A node that repeats has a flow to
    itself.
    """

    source: str
    target: str
    n: int
    n_journeys: int | None
    p50_s: float | None = None
    p90_s: float | None = None
    converted: Estimate | None = None
    is_back: bool = False
    is_handover: bool = False

    @property
    def weight(self) -> int:
        """How heavy it is drawn: by journeys, or by times where those are withheld."""
        return self.n if self.n_journeys is None else self.n_journeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """`n_journeys` journeys start at `node`, or end there with this status."""

    node: str
    status: TerminalStatus
    n_journeys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How the numbers came about: what each word means, which versions counted, and the call that made the map."""

    definitions: tuple[Definition, ...] = ()
    intervals: str = ""
    exclusions: tuple[str, ...] = ()
    versions: tuple[Definition, ...] = ()
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """The same map for one channel or one segment."""

    kind: Literal["channel", "segment", "period"]
    label: str
    map: MapSpecification


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSpecification:
    """Everything that a journey map says, as plain numbers and words with nothing left to compute.

    `stages_are` is ``"given"`` where the caller mapped touchpoints to stages. It is ``"typical_order"`` where the log
    has no stages and the columns are only the usual order of touchpoints.

    Raises
    ------
    SchemaError : a name occurs twice, or a part refers to a stage, lane, node or example that is not in the map.
    """

    header: Header
    stages: tuple[Stage, ...]
    lanes: tuple[Lane, ...]
    nodes: tuple[Node, ...]
    flows: tuple[Flow, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    drop_offs: tuple[DropOff, ...] = ()
    emotion: Emotion | None = None
    pain_points: tuple[PainPoint, ...] = ()
    moments_of_truth: tuple[MomentOfTruth, ...] = ()
    opportunities: tuple[Opportunity, ...] = ()
    written_rows: tuple[WrittenRow, ...] = ()
    summary: tuple[Sentence, ...] = ()
    unknowns: tuple[Sentence, ...] = ()
    examples: tuple[ExampleJourney, ...] = ()
    quality: tuple[QualityRow, ...] = ()
    method: Method = Method()
    hints: tuple[Hint, ...] = ()
    zooms: tuple[Zoom, ...] = ()
    comparison: Comparison | None = None
    overlays: tuple[Overlay, ...] = ()
    stages_are: Literal["given", "typical_order"] = "given"
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        from journeymine.maps.references import check_references

        check_references(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON-ready values, with every field present."""
        return cast("dict[str, Any]", encode(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MapSpecification:
        """Build the map from what `to_dict` gave.

        Raises
        ------
        SchemaError : a field is unknown, missing or of the wrong type, or the version is newer than this library's.
        """
        return decode(cls, data, newest=SCHEMA_VERSION)

    def to_json(self) -> str:
        """Return the map as JSON: the same map gives the same bytes."""
        return to_text(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> MapSpecification:
        """Build the map from what `to_json` gave; raises as `from_dict`."""
        return cls.from_dict(from_text(text))

"""`TransitionGraph`: edges and nodes as frames, and the ways out to graph libraries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import polars as pl

from journeymine.counting.result import Result
from journeymine.counting.result_text import text_of
from journeymine.errors import QuestionError, UnknownLabelError

if TYPE_CHECKING:
    import networkx as nx
    import scipy.sparse

__all__ = ["TransitionGraph"]

NodeKey = tuple[str, str]
"""A node: ``("step", label)``, or ``("start", "")``, or ``("end", status)``; no label can be taken for another kind."""


@dataclass(frozen=True, eq=False)
class TransitionGraph:
    """Graph of journeys: labels of steps as nodes, direct succession as edges. Made by `transitions`.

    Attributes
    ----------
    result : the answer that it shows; `edges` and `nodes` are its frames.
    """

    result: Result

    @property
    def edges(self) -> pl.DataFrame:
        """One row per edge; `from` is null where a journey begins, `to` where it ends, once per status."""
        return self.result.frame

    @property
    def nodes(self) -> pl.DataFrame:
        """One row per label, with its weights."""
        return self.result.tables["nodes"]

    @property
    def steps(self) -> pl.DataFrame:
        """The edges between steps, without those where journeys begin or end."""
        return self.edges.filter(pl.col("from").is_not_null() & pl.col("to").is_not_null())

    def __repr__(self) -> str:
        title = f"<TransitionGraph: {self.nodes.height} nodes, {self.steps.height} edges>"
        return text_of(title, self.edges, where=".edges")

    def _repr_html_(self) -> str:
        return self.result._repr_html_()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The edges as an Arrow stream."""
        return self.edges.__arrow_c_stream__(requested_schema)

    def plot(self, **options: Any) -> Any:
        """Draw a chart of the edges (Altair, extra ``plot``)."""
        return self.result.plot(**options)

    def simplify(self, *, edges: float = 1.0, nodes: float = 1.0) -> TransitionGraph:
        """Keep the heaviest part of the graph, as with the two sliders of a process map.

        Parameters
        ----------
        edges : share (0–1) of the transitions to keep, heaviest edges first. It applies to the edges between kept
            nodes, and likewise to those where journeys begin and where they end. Each kept node also keeps the heaviest
            of its remaining ways in and out, not counting an edge to itself.
        nodes : share (0–1) of the steps to keep, most frequent labels first.

        Notes
        -----
        Weights stay as counted: what was left out is not spread over what remains. Ties are kept in order of label.
        """
        for name, share in (("edges", edges), ("nodes", nodes)):
            if not isinstance(share, Real) or not 0 <= share <= 1:
                raise QuestionError(f"simplify({name}={share!r})", hint="a share lies between 0 and 1")
        self._one_graph("simplify")
        kept_nodes = _heaviest(self.nodes, ["label"], nodes)
        names = kept_nodes["label"].implode()
        inside = self.edges.filter(
            (pl.col("from").is_null() | pl.col("from").is_in(names))
            & (pl.col("to").is_null() | pl.col("to").is_in(names))
        )
        entering, leaving = pl.col("from").is_null(), pl.col("to").is_null()
        keys = ["from", "to", "status"]
        kept = [
            _heaviest(inside.filter(kind), keys, edges).select(keys)
            for kind in (~entering & ~leaving, entering, leaving)
        ]
        proper = inside.filter(pl.col("from").ne_missing(pl.col("to")))
        spine = [
            proper.filter(pl.col(side).is_not_null())
            .sort("n", "from", "to", "status", descending=[True, False, False, False], maintain_order=True)
            .unique(side, keep="first", maintain_order=True)
            .select(keys)
            for side in ("from", "to")
        ]
        frame = inside.with_row_index("_at")
        chosen = pl.concat([frame.join(part, on=keys, how="semi", nulls_equal=True) for part in (*kept, *spine)])
        return self._with(chosen.unique("_at").sort("_at").drop("_at"), kept_nodes)

    def of(self, **labels: str) -> TransitionGraph:
        """Pick the graph of one group of those drawn with `by`: ``graph.of(plan="pro")``."""
        edges, nodes = self.edges, self.nodes
        for name, label in labels.items():
            if name not in self._by():
                raise UnknownLabelError.naming("label of its groups", name, self._by())
            if label not in edges[name]:
                raise UnknownLabelError.naming(name, label, edges[name].unique().to_list())
            edges, nodes = (
                edges.filter(pl.col(name) == label).drop(name),
                nodes.filter(pl.col(name) == label).drop(name),
            )
        return self._with(edges, nodes)

    def to_networkx(self) -> nx.DiGraph[NodeKey]:
        """Convert to a networkx graph with nodes ``("step", label)``, ``("start", "")`` and ``("end", status)``."""
        import networkx as nx

        self._one_graph("to_networkx")
        graph: nx.DiGraph[NodeKey] = nx.DiGraph(question=self.result.question)
        for row in self.nodes.iter_rows(named=True):
            graph.add_node(("step", row["label"]), **row)
        for row in self.edges.iter_rows(named=True):
            start: NodeKey = ("start", "") if row["from"] is None else ("step", row["from"])
            end: NodeKey = ("end", row["status"]) if row["to"] is None else ("step", row["to"])
            graph.add_edge(start, end, weight=row["n"], **{k: v for k, v in row.items() if k not in ("from", "to")})
        return graph

    def to_scipy(self, weight: str = "n") -> tuple[scipy.sparse.csr_array, list[str]]:
        """Convert the edges between steps to a sparse matrix, with the labels of its rows and columns.

        Parameters
        ----------
        weight : the numeric column of `edges` to put into the matrix.
        """
        import scipy.sparse

        self._one_graph("to_scipy")
        weights = self.edges.select(pl.col(pl.Int64, pl.Float64)).columns
        if weight not in weights:
            raise UnknownLabelError.naming("weight", weight, weights, place="this graph")
        labels = self.nodes["label"].to_list()
        position = {label: i for i, label in enumerate(labels)}
        rows = [position[label] for label in self.steps["from"]]
        columns = [position[label] for label in self.steps["to"]]
        shape = (len(labels), len(labels))
        return scipy.sparse.csr_array((self.steps[weight].to_numpy(), (rows, columns)), shape=shape), labels

    def _by(self) -> list[str]:
        columns = self.edges.columns
        return columns[: columns.index("from")]

    def _one_graph(self, what: str) -> None:
        if self._by():
            raise QuestionError(
                f"{what} needs one graph, and this holds one per {' × '.join(self._by())}",
                hint=f"choose one: graph.of({self._by()[0]}=…)",
            )

    def _with(self, edges: pl.DataFrame, nodes: pl.DataFrame) -> TransitionGraph:
        return TransitionGraph(replace(self.result, frame=edges, tables={"nodes": nodes}))


def _heaviest(frame: pl.DataFrame, keys: list[str], share: float) -> pl.DataFrame:
    """The heaviest rows that together hold `share` of n, at least one."""
    ordered = frame.sort("n", *keys, descending=[True, *[False] * len(keys)])
    before = ordered["n"].cum_sum() - ordered["n"]
    kept = ordered.filter((before < share * int(ordered["n"].sum())) | (pl.int_range(pl.len()) == 0))
    return kept.sort(keys)

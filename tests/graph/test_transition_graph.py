from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.errors import QuestionError, UnknownLabelError
from journeymine.graph import TransitionGraph, transitions
from tests.contracts.test_engines import some_log
from tests.oracles.logs import Row, build, logs, rule_fields


def graph_of(seed: int = 1, **options: Any) -> TransitionGraph:
    return transitions(build(some_log(seed, 400), goal="order", idle="10m", session_gap="3m"), **options)


@given(log=logs, fields=rule_fields())
def test_the_exports_hold_every_edge(log: tuple[Row, ...], fields: dict[str, Any]) -> None:
    journeys = build(log, **fields)
    graph = transitions(journeys)
    exported = graph.to_networkx()
    assert isinstance(exported, nx.DiGraph)
    assert exported.number_of_edges() == graph.edges.height
    for row in graph.edges.iter_rows(named=True):
        a = ("start", "") if row["from"] is None else ("step", row["from"])
        b = ("end", row["status"]) if row["to"] is None else ("step", row["to"])
        assert exported.edges[a, b]["weight"] == row["n"]
        assert exported.edges[a, b]["n_journeys"] == row["n_journeys"]
    # A flow: what enters a node leaves it, and as much starts as ends.
    for node in exported:
        if node[0] == "step":
            assert (
                exported.in_degree(node, "weight") == exported.out_degree(node, "weight") == exported.nodes[node]["n"]
            )
    if len(journeys):
        assert exported.out_degree(("start", ""), "weight") == len(journeys)
    matrix, labels = graph.to_scipy()
    assert matrix.shape == (len(labels), len(labels))
    assert matrix.sum() == graph.steps["n"].sum()
    for row in graph.steps.iter_rows(named=True):
        assert matrix[labels.index(row["from"]), labels.index(row["to"])] == row["n"]
    dense = nx.to_numpy_array(exported.subgraph([("step", label) for label in labels]),
                              nodelist=[("step", label) for label in labels])  # fmt: skip
    assert np.array_equal(dense, matrix.toarray())


def test_any_weight_goes_into_the_matrix() -> None:
    graph = graph_of()
    matrix, labels = graph.to_scipy("mean_s")
    row = graph.steps.row(0, named=True)
    assert matrix[labels.index(row["from"]), labels.index(row["to"])] == row["mean_s"]
    with pytest.raises(UnknownLabelError, match="n_journeys"):
        graph.to_scipy("n_journies")


@given(seed=st.integers(0, 20), edges=st.floats(0, 1), nodes=st.floats(0, 1))
def test_simplify_keeps_the_heaviest_and_leaves_no_node_hanging(seed: int, edges: float, nodes: float) -> None:
    graph = graph_of(seed)
    small = graph.simplify(edges=edges, nodes=nodes)
    kept = set(small.nodes["label"])
    assert kept
    least = small.nodes["n"].min()
    assert all(n <= least for label, n in graph.nodes.select("label", "n").iter_rows() if label not in kept)
    assert small.nodes["n"].sum() >= nodes * graph.nodes["n"].sum()
    assert set(small.edges["from"].drop_nulls()) | set(small.edges["to"].drop_nulls()) <= kept
    # Weights stay as counted.
    keys = ["from", "to", "status"]
    assert (
        small.edges.join(graph.edges, on=graph.edges.columns, how="semi", nulls_equal=True).height == small.edges.height
    )
    assert not small.edges.select(keys).is_duplicated().any()
    inside = graph.edges.filter(pl.col("from").is_null() | pl.col("from").is_in(list(kept)),
                                pl.col("to").is_null() | pl.col("to").is_in(list(kept)))  # fmt: skip
    for side in ("from", "to"):
        for label in kept:
            proper = inside.filter((pl.col(side) == label) & pl.col("from").ne_missing(pl.col("to")))
            if proper.height:
                found = small.edges.filter((pl.col(side) == label) & pl.col("from").ne_missing(pl.col("to")))
                assert found["n"].max() == proper["n"].max()


def test_simplify_of_everything_is_the_graph_itself_and_of_nothing_its_spine() -> None:
    graph = graph_of()
    assert graph.simplify().nodes.equals(graph.nodes)
    assert graph.simplify().edges.equals(graph.edges)
    spine = graph.simplify(edges=0)
    assert spine.steps.height <= 2 * graph.nodes.height + 1
    for wrong in ({"edges": 1.2}, {"nodes": -0.1}, {"edges": float("nan")}):
        with pytest.raises(QuestionError, match="between 0 and 1"):
            graph.simplify(**wrong)


def test_one_graph_per_label() -> None:
    graph = graph_of(by=["plan", "channel"])
    for ask in (graph.to_networkx, graph.to_scipy, graph.simplify):
        with pytest.raises(QuestionError, match=r"plan × channel(?s:.*)graph.of"):
            ask()
    whole = graph_of()
    n = 0
    for plan, channel in graph.edges.select("plan", "channel").unique().iter_rows():
        one = graph.of(plan=plan, channel=channel)
        one.to_networkx()
        n += one.edges["n"].sum()
    assert n == whole.edges["n"].sum()
    with pytest.raises(UnknownLabelError, match="plan"):
        graph.of(plann="pro")
    with pytest.raises(UnknownLabelError, match="pro"):
        graph.of(plan="prp")


def test_it_shows_itself() -> None:
    graph = graph_of()
    assert pa.table(graph).num_rows == graph.edges.height
    assert "nodes" in repr(graph)
    html = graph._repr_html_()
    assert "</script>" not in html
    assert "&lt;/script&gt;" in html or graph.edges.height > 20


def test_what_is_no_share_weight_or_group_is_refused() -> None:
    graph, one = graph_of(by="plan"), graph_of()
    with pytest.raises(QuestionError, match=r"(?s)simplify\(edges='all'\).*Hint"):
        one.simplify(edges="all")  # type: ignore[arg-type]
    with pytest.raises(UnknownLabelError, match=r"(?s)no weight 'status'.*Hint"):
        one.to_scipy("status")
    with pytest.raises(UnknownLabelError, match=r"(?s)'status'.*there are: 'plan'"):
        graph.of(status="converted")

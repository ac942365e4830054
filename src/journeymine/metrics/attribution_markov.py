"""Credit by the removal effect: the conversions that a chain loses without a label [1]_.

RE_c = 1 − (conversions of the chain without every state that holds c) / (conversions of the chain)
credit_c = RE_c / Σ RE × conversions

By value, what a conversion yields depends on the state that it comes from, and RE is taken of the expected value.

References
----------
.. [1] E. Anderl, I. Becker, F. v. Wangenheim, J. H. Schumann, "Mapping the customer journey: lessons learned from
       graph-based online attribution modeling", International Journal of Research in Marketing 33 (2016) 457–474.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.counting.by import MAX_GROUPS
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.graph.markov_solve import Flow, removal_effects
from journeymine.graph.markov_states import labels_of_state

__all__ = ["NO_SHARES", "MarkovCredit", "credit_flow", "holders", "markov_credit"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NO_SHARES = "the removal effects on value add up to 0, and so tell no shares of it"
_NOTHING = 1e-12
"""A sum of effects is 0 that is this small beside them: what rounding leaves."""


@dataclass(frozen=True, eq=False)
class MarkovCredit:
    """Credit by removal effect.

    Attributes
    ----------
    rows : group columns and `label`.
    conversions, value : shape [R, rows]; R is 1 where the chain keeps no folds.
    n_states : of the largest chain.
    """

    rows: pl.DataFrame
    conversions: Floats
    value: Floats
    n_states: int


def markov_credit(by: Sequence[str], chain: Tally) -> MarkovCredit:
    """Solve the chain of each group, for the whole and for every replicate."""
    n, value = (chain.spread(c) if chain.spec.folded else chain[c][None] for c in ("n", "value"))
    numbered = chain.rows.with_row_index("_row")
    parts = numbered.partition_by(list(by), maintain_order=True) if by else [numbered]
    frames, conversions, values, n_states = [chain.rows.select(*by, label="from").clear()], [], [], 0
    for part in parts:
        at = part["_row"].to_numpy()
        labels, (credit, worth), states = _credit_chain(part, n[:, at], value[:, at])
        head = part.select(by).head(1)
        frames.append(pl.concat([head] * len(labels)).with_columns(label=pl.Series(labels)) if by and labels else
                      pl.DataFrame({"label": pl.Series(labels, dtype=pl.String)}))  # fmt: skip
        conversions.append(credit)
        values.append(worth)
        n_states = max(n_states, states)
    rows = pl.concat([frame for frame in frames if frame.width == len(by) + 1])
    empty = np.zeros((len(n), 0))
    return MarkovCredit(
        rows, np.concatenate([empty, *conversions], axis=1), np.concatenate([empty, *values], axis=1), n_states
    )


def _credit_chain(moves: pl.DataFrame, n: Floats, value: Floats) -> tuple[list[str], list[Floats], int]:
    """Labels of one chain, their conversions and value, shape [R, labels] each, and how many states it has."""
    texts = pl.concat([moves["from"], moves["to"]]).drop_nulls().unique().sort().to_list()
    number = pl.DataFrame({"state": pl.Series(texts, dtype=pl.String)}).with_row_index("at")
    held = [labels_of_state(text) for text in texts]
    labels = sorted({label for inside in held for label in inside})
    position = {label: g for g, label in enumerate(labels)}
    flow = Flow(len(texts), _numbers(moves["from"], number), _numbers(moves["to"], number), n)
    won = (moves["outcome"] == "converted").fill_null(value=False).to_numpy()
    groups = holders([[position[label] for label in inside] for inside in held], len(labels))
    return labels, credit_flow(flow, groups, [np.where(won, n, 0.0), np.where(won, value, 0.0)]), len(texts)


def _check_few(n_labels: int) -> None:
    """Refuse a chain that would be solved without each of too many labels."""
    if n_labels > MAX_GROUPS:
        raise QuestionError(
            f"a Markov chain of {n_labels:,} labels, more than {MAX_GROUPS:,}: it is solved without each of them",
            hint="leave 'markov' out, with rules=['first', 'last', 'linear', 'shapley'], or take a coarser grain",
        )


def holders(held: Sequence[Sequence[int]], n_labels: int) -> list[Ints]:
    """The states that hold each label, from the labels that each state holds.

    >>> [states.tolist() for states in holders([[0], [0, 1], [1, 1]], 2)]
    [[0, 1], [1, 2]]
    """
    states: list[list[int]] = [[] for _ in range(n_labels)]
    for state, inside in enumerate(held):
        for label in set(inside):
            states[label].append(state)
    return [np.array(found, dtype=np.int64) for found in states]


def credit_flow(flow: Flow, groups: Sequence[Ints], amounts: Sequence[Floats]) -> list[Floats]:
    """Amounts on the moves of a chain (conversions, value), shared out over labels by their removal effects.

    Parameters
    ----------
    groups : the states that hold each label.
    amounts : shape [R, moves] each, 0 on moves that yield nothing.

    Returns
    -------
    Shape [R, labels] for each of the amounts; they sum to its total. NaN where gains and losses make the effects, and
    so their shares, add up to nothing.
    """
    _check_few(len(groups))
    effects = removal_effects(flow, groups, [flow.per_visit(each) for each in amounts])
    found = []
    for effect, each in zip(effects, amounts, strict=True):
        total, whole = each.sum(axis=1, keepdims=True), effect.sum(axis=1, keepdims=True)
        size = np.abs(effect).sum(axis=1, keepdims=True)
        none = np.where(size > 0, np.nan, np.zeros_like(effect))
        found.append(np.divide(effect * total, whole, out=none, where=np.abs(whole) > _NOTHING * size))
    return found


def _numbers(states: pl.Series, number: pl.DataFrame) -> Ints:
    found = states.rename("state").to_frame().join(number, on="state", how="left", maintain_order="left")["at"]
    return found.cast(pl.Int64).fill_null(-1).to_numpy()

"""What is known of a step from its touchpoint and channel alone: stage, owner, kind, and whether the company acted.

Asked once for each pair of labels and then looked up by code, so its cost does not depend on the number of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import UNKNOWN, UNMAPPED
from journeymine.errors import RulesError
from journeymine.events.coded import Coded, narrow
from journeymine.events.stage_map import StageMap

__all__ = ["Facts", "declared_labels", "facts_of"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Lookup tables over pairs (touchpoint code × n_channels + channel code).

    Attributes
    ----------
    n_channels : channels in the vocabulary; 1 when the log has none.
    columns : ``"stage"`` (in stage order, unmapped last), ``"owner"`` and ``"kind"``, as far as they are declared.
    by_company : pairs that the company, not the customer, brought about.
    """

    n_channels: int
    columns: Mapping[str, Coded]
    by_company: npt.NDArray[np.bool_]

    def pairs(self, labels: Mapping[str, Coded]) -> npt.NDArray[np.integer]:
        """The pair of each row."""
        touchpoint = labels["touchpoint"].codes
        if self.n_channels == 1:
            return touchpoint
        return touchpoint.astype(np.uint32) * np.uint32(self.n_channels) + labels["channel"].codes

    def add_to(self, labels: Mapping[str, Coded]) -> dict[str, Coded]:
        """`labels` and, beside them, the columns of facts for the same rows."""
        if not self.columns:
            return dict(labels)
        pair = self.pairs(labels)
        return {**labels, **{name: lookup.take(pair) for name, lookup in self.columns.items()}}


def facts_of(stages: StageMap | None, labels: Mapping[str, Coded]) -> Facts:
    """Ask the stage map about every pair of touchpoint and channel in the vocabulary."""
    touchpoints = labels["touchpoint"].labels
    channels = labels["channel"].labels if "channel" in labels else None
    n_channels = max(1, len(channels or ()))
    n_pairs = len(touchpoints) * n_channels
    if stages is None or not (stages.names or stages.facts):
        return Facts(n_channels, {}, np.zeros(n_pairs, dtype=bool))
    each = [name for name in touchpoints for _ in range(n_channels)]
    asked = stages.lookup(each, None if channels is None else list(channels) * len(touchpoints))
    columns = {name: _coded(asked[name], known, known[-1]) for name, known in declared_labels(stages).items()}
    clash = sorted(set(columns) & set(labels))
    if clash:
        raise RulesError(
            f"the log has a column {clash[0]!r} of its own, and the stage map says the {clash[0]} of each touchpoint",
            hint="rename the column, or leave it out of the attributes",
        )
    return Facts(n_channels, columns, asked["by_company"].to_numpy())


def declared_labels(stages: StageMap | None) -> dict[str, tuple[str, ...]]:
    """Labels of the columns of facts, the absent one last: all that is declared, whether a log has it or not, so that every
    part has the same columns and labels.
    """  # noqa: D205
    if stages is None:
        return {}
    found = {"stage": (*stages.names, UNMAPPED)} if stages.names else {}
    for name in ("owner", "kind"):
        known = sorted({label for fact in stages.facts if (label := getattr(fact, name)) is not None})
        if known:
            found[name] = (*known, UNKNOWN)
    return found


def _coded(column: pl.Series, labels: tuple[str, ...], absent: str) -> Coded:
    position = {label: code for code, label in enumerate(labels)}
    codes = np.array([position[absent if label is None else label] for label in column.to_list()], dtype=np.uint32)
    return Coded(narrow(codes, len(labels)), labels)

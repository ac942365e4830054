"""Variants: the distinct paths that journeys take, and how far the most frequent ones cover them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer
from journeymine.counting.finish import finish
from journeymine.counting.measure import basis_of, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.counting.tabulate import Key, distinct_users, tabulate
from journeymine.counting.tally import Tally
from journeymine.errors import QuestionError
from journeymine.events.coded import Coded
from journeymine.graph.path_groups import same_paths
from journeymine.journeys.heads import CONVERTED, ENDED, LOST, OPEN, SERVICE
from journeymine.journeys.journeys import Journeys

__all__ = ["Variants", "variants"]

MAX_STEPS = 1_000
_END, _ESCAPE = "\x1f", "\x1b"
"""Written after each label of a path inside counts, and before either where a label holds one: paths stay apart."""


@dataclass(frozen=True)
class Variants:
    """The measure behind `variants`, for `mine`. Parameters as there."""

    grain: str = "touchpoint"
    max_steps: int = MAX_STEPS

    name: ClassVar[str] = "variants"
    unit: ClassVar[Literal["journey", "user"]] = "journey"
    schema_version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise QuestionError(f"max_steps={self.max_steps}", hint="give at least 1")

    @property
    def question(self) -> str:
        """The question in words."""
        return f"Which paths of {self.grain}s do journeys take?"

    def specs(self) -> Mapping[str, TableSpec]:
        """Journeys by path; no folds, so that a log of a million paths stays small."""
        values: dict[str, Literal["sum", "wide", "users"]] = {
            "n": "sum", "n_users": "users", "converted": "sum", "lost": "sum", "open": "sum", "service": "sum", "ended": "sum",
            "mature": "sum", "converted_mature": "sum", "duration": "wide", "value": "wide",
        }  # fmt: skip
        return {"variants": TableSpec({"path": pl.String}, values, folded=False)}

    def count(self, journeys: Journeys) -> Counts:
        """Count journeys by their exact path."""
        spec, heads = self.specs()["variants"], journeys.heads
        kept = journeys.lengths <= self.max_steps
        coded, status = journeys.codes(self.grain), heads.status
        group, firsts = same_paths(journeys, coded, kept)
        paths = _spelled(journeys, coded, firsts).set(pl.Series(~kept[firsts]), None)
        frame = tabulate(
            spec,
            {"path": Key(group, paths)},
            {
                "n_users": distinct_users(group, heads.user, np.ones(len(group), dtype=bool), len(paths)),
                "converted": status == CONVERTED,
                "lost": status == LOST,
                "open": status == OPEN,
                "service": status == SERVICE,
                "ended": status == ENDED,
                "mature": heads.mature,
                "converted_mature": heads.mature & (status == CONVERTED),
                "duration": heads.end - heads.start,
                "value": heads.value,
            },
        )
        return Counts.of(question_of(self), basis_of(journeys), self.specs(), {"variants": frame}, each_once=True)

    def steps_at_once(self, journeys: Journeys) -> int:
        """All: a path as text is as long as the journey, so it is better written once than once per part."""
        return max(len(journeys.coded), 1)

    def estimate(self, tallies: Mapping[str, Tally], basis: Basis) -> Mapping[str, Answer]:
        """Variants, most frequent first, and the share of journeys they cover together."""
        tally = tallies["variants"]
        order = np.argsort(-tally.total("n"), kind="stable")
        rows = tally.rows[order] if len(order) else tally.rows
        n, n_converted, n_mature = (tally.total(c)[order] for c in ("n", "converted_mature", "mature"))
        covered = np.cumsum(n) / max(int(n.sum()), 1)
        conversion = pl.Series(n_converted / np.maximum(n_mature, 1)).set(pl.Series(n_mature == 0), None)
        paths = _labels_of(rows["path"])
        answer = Answer(
            keys=pl.DataFrame({"path": paths}),
            columns={
                "n_steps": paths.list.len().cast(pl.Int64),
                "n": n,
                "n_users": tally.total("n_users")[order],
                "share": n / max(int(n.sum()), 1),
                "covered": covered,
                **{name: tally.total(name)[order] for name in ("converted", "lost", "open", "service", "ended")},
                "conversion": conversion,
                "mean_duration_s": tally["duration"][order] / MICRO / np.maximum(n, 1),
                "value": tally["value"][order] / MICRO,
            },
            notes=("Variants keep no folds and so carry no intervals.",),
        )
        return {"variants": answer}


def variants(journeys: Journeys, *, grain: str = "touchpoint", max_steps: int = MAX_STEPS) -> Result:
    """The distinct paths of journeys, most frequent first.

    Parameters
    ----------
    grain : ``"touchpoint"``, ``"channel"``, ``"stage"``, ``"channel:touchpoint"`` or any label column.
    max_steps : journeys with more steps are counted together, in one row whose path is null.

    Returns
    -------
    Result; frame has one row per path:
        path list[str] labels in order · n_steps i64 · n i64 journeys · n_users i64 · share, covered f64 0–1, of all journeys and
        added up from the top · converted, lost, open, service, ended i64 · conversion f64 of the mature ones ·
        mean_duration_s f64 · value f64 units of money.

    Notes
    -----
    Equal n are in order of path. Merges exactly. No intervals: paths keep no folds.
    """
    measure = Variants(grain=grain, max_steps=max_steps)
    return finish(measure, count_in_memory(measure, journeys))


def _spelled(journeys: Journeys, coded: Coded, which: npt.NDArray[np.int64]) -> pl.Series:
    """The paths of some journeys as text."""
    import pyarrow as pa

    labels = pl.Series([_escaped(label) + _END for label in coded.labels], dtype=pl.String)
    lengths = journeys.lengths[which]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    rows = np.arange(int(offsets[-1])) + np.repeat(journeys.offsets[which] - offsets[:-1], lengths)
    if not len(rows):
        return pl.Series([], dtype=pl.String)
    steps = labels.gather(pl.Series(coded.codes.take(rows)).cast(pl.UInt32))
    paths = pl.Series(pa.LargeListArray.from_arrays(offsets, steps.to_arrow(compat_level=pl.CompatLevel.oldest())))
    return paths.list.join("")


def _escaped(label: str) -> str:
    return label.replace(_ESCAPE, f"{_ESCAPE}0").replace(_END, f"{_ESCAPE}1")


def _labels_of(paths: pl.Series) -> pl.Series:
    """Labels of a path from its text."""
    labels = paths.str.strip_suffix(_END).str.split(_END)
    if not paths.str.contains(_ESCAPE, literal=True).any():
        return labels
    plain = pl.element().str.replace_all(f"{_ESCAPE}1", _END, literal=True)
    plain = plain.str.replace_all(f"{_ESCAPE}0", _ESCAPE, literal=True)
    return labels.list.eval(plain)

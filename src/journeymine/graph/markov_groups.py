"""One chain per group: the breakdown of a Markov chain by segments, or by labels of the entry step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from journeymine.counting.counts import Counts, TableSpec
from journeymine.counting.estimates import Answer, Number, SolvedShare
from journeymine.counting.result import Result
from journeymine.counting.result_text import text_of
from journeymine.counting.runs import changes
from journeymine.counting.tally import Tally, row_groups
from journeymine.errors import UnknownLabelError
from journeymine.graph.markov_chain import MarkovChain

__all__ = ["ChainsOnDemand", "MarkovChains", "groups_of", "together"]

Labels = tuple[str, ...]
_SHOWN = 10
"""So many groups are shown where a chain of each is printed."""


@dataclass(frozen=True, eq=False)
class MarkovChains(Mapping[Labels, MarkovChain]):
    """A Markov chain for each group, under its labels: ``chains["pro"]``, or ``chains["pro", "web"]``.

    Attributes
    ----------
    result : the answer behind all of them; `states` and `moves` are its frames, with the group's labels in front.
    names : names of what is broken down by.
    chains : the chains by their labels, in order.
    """

    result: Result
    names: tuple[str, ...]
    chains: Mapping[Labels, MarkovChain] = field(repr=False)

    def __getitem__(self, labels: str | Labels) -> MarkovChain:
        wanted = (labels,) if isinstance(labels, str) else tuple(labels)
        if wanted not in self.chains:
            known = [" × ".join(group) for group in self.chains]
            raise UnknownLabelError.naming("group", " × ".join(wanted), known)
        return self.chains[wanted]

    def __iter__(self) -> Iterator[Labels]:
        return iter(self.chains)

    def __len__(self) -> int:
        return len(self.chains)

    @property
    def states(self) -> pl.DataFrame:
        """One row per group and state, as counted."""
        return self.result.frame

    @property
    def moves(self) -> pl.DataFrame:
        """One row per group and move, as counted."""
        return self.result.tables["moves"]

    @property
    def summary(self) -> pl.DataFrame:
        """One row per group: outcomes, steps and seconds of its journeys from their start, with intervals."""
        return self._summary_of(self.chains)

    def _summary_of(self, groups: Iterable[Labels]) -> pl.DataFrame:
        rows = [
            self.chains[group].summary.select(
                *(pl.lit(label).alias(name) for name, label in zip(self.names, group, strict=True)), pl.all()
            )
            for group in groups
        ]
        return pl.concat(rows, how="diagonal") if rows else pl.DataFrame(schema=dict.fromkeys(self.names, pl.String))

    def __repr__(self) -> str:
        title = f"<MarkovChains: {len(self):,} by {' × '.join(self.names)}>"
        shown = self._summary_of(islice(self.chains, _SHOWN))  # each chain that is shown has to be solved
        left_out = [f"and {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []
        return text_of(title, shown, where=".summary", notes=left_out)

    def _repr_html_(self) -> str:
        return self.result._repr_html_()


@dataclass(frozen=True, eq=False)
class ChainsOnDemand(Mapping[Labels, MarkovChain]):
    """The chain of each group, made when it is first asked for: of thousands of groups, few are looked at.

    Attributes
    ----------
    counts : the counts of each group, by its labels, in order.
    make : the chain of some counts.
    """

    counts: Mapping[Labels, Counts]
    make: Callable[[Counts], MarkovChain]
    _made: dict[Labels, MarkovChain] = field(default_factory=dict)

    def __getitem__(self, labels: Labels) -> MarkovChain:
        if labels not in self._made:
            self._made[labels] = self.make(self.counts[labels])
        return self._made[labels]

    def __iter__(self) -> Iterator[Labels]:
        return iter(self.counts)

    def __len__(self) -> int:
        return len(self.counts)


def groups_of(tally: Tally, names: Sequence[str]) -> list[tuple[Labels, Tally]]:
    """The moves of each group as a table of their own; one of no moves where there is no group at all."""
    if not names:
        return [((), tally)]
    spec = TableSpec({k: v for k, v in tally.spec.keys.items() if k not in names}, tally.spec.values, tally.spec.folded)
    rows, frame, bounds = tally.rows.drop(names), tally.frame.drop(names), tally.bounds
    starts = np.flatnonzero(changes(row_groups(tally.rows, names)))
    groups = tally.rows.select(names)[pl.Series(starts, dtype=pl.Int64)].rows()

    def part(low: int, high: int) -> Tally:
        first, last = int(bounds[low]), int(bounds[high])
        within = bounds[low : high + 1] - first
        return Tally(spec, rows.slice(low, high - low), frame.slice(first, last - first), within, tally.present)

    ends = [*starts.tolist(), len(tally)]
    # The table is sorted by group: to cut it once is quicker than to lay out each of thousands of groups anew.
    return [(labels, part(low, high)) for labels, low, high in zip(groups, ends, ends[1:], strict=False)] or [
        (("",) * len(names), Tally.of(spec, spec.empty(), tally.present))
    ]


def together(answers: Sequence[tuple[Labels, Answer]], names: Sequence[str]) -> Answer:
    """The answers of all groups as one, their labels in front."""
    if not names:
        return answers[0][1]
    every = [answer for _, answer in answers]
    keys = pl.concat(
        answer.keys.select(*(pl.lit(label, dtype=pl.String).alias(name)
                             for name, label in zip(names, labels, strict=True)), pl.all())
        for labels, answer in answers
    )  # fmt: skip
    reasons = [reason for answer in every for reason in answer.reasons or [None] * answer.keys.height]
    return replace(
        every[0],
        keys=keys,
        columns={name: _joined([answer.columns[name] for answer in every]) for name in every[0].columns},
        reasons=reasons if any(answer.reasons for answer in every) else None,
        notes=tuple(dict.fromkeys(note for answer in every for note in answer.notes)),
    )


def _joined(parts: list[Any]) -> Any:
    if isinstance(parts[0], Number | SolvedShare):
        trials = [part.trials for part in parts]
        return replace(
            parts[0],
            values=np.concatenate([part.values for part in parts], axis=1),
            trials=None if trials[0] is None else np.concatenate(trials, axis=1),
        )
    return pl.concat(parts) if isinstance(parts[0], pl.Series) else np.concatenate(parts)

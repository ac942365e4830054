"""Counts: tables of integers keyed by labels, that merge exactly.

Merging is associative and commutative, and its outcome does not depend on how users were partitioned nor on the order
of parts: sums, minima and maxima of int64, sums of large numbers as two limbs, rows always sorted by key. Keys are
plain strings and integers; no code that means something to one process only is ever in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import MICRO
from journeymine.counting.merging import coded, merge_coded, spelled, widened
from journeymine.errors import MergeError
from journeymine.journeys.context import LogContext
from journeymine.journeys.rules import JourneyRules
from journeymine.stats.wide import to_float

__all__ = ["Basis", "Counts", "Merge", "TableSpec"]

Merge = Literal["sum", "min", "max", "wide", "users"]
"""How a column merges. ``"users"`` counts distinct users: parts of the users add up, but the same user may stand in several
nights, so over nights the largest count is kept, which is a lower bound."""
_MANY = 4096
"""Rows from which text is worth being coded before it is grouped and sorted."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """The shape of one table of counts.

    Attributes
    ----------
    keys : label columns and their types; `fold` is added as the last key where `folded`.
    values : integer columns and how each merges; a ``"wide"`` one is stored as two limbs, ``…_hi`` and ``…_lo``.
    folded : whether the table is kept by fold, and so can carry intervals.
    long : whether it may have millions of rows: its labels are then finished as codes, and spelled in the answer only.
    """

    keys: Mapping[str, type[pl.DataType] | pl.DataType]
    values: Mapping[str, Merge]
    folded: bool = True
    long: bool = False

    @property
    def key_names(self) -> list[str]:
        """All key columns, the fold among them."""
        return [*self.keys, "fold"] if self.folded else list(self.keys)

    @property
    def schema(self) -> dict[str, Any]:
        """Column names and types of the frame."""
        schema: dict[str, Any] = dict(self.keys)
        if self.folded:
            schema["fold"] = pl.UInt8
        for name, merge in self.values.items():
            for column in limbs(name) if merge == "wide" else (name,):
                schema[column] = pl.Int64
        return schema

    def empty(self) -> pl.DataFrame:
        """A table without rows."""
        return pl.DataFrame(schema=self.schema)

    def merge(self, frames: Sequence[pl.DataFrame], *, nights: bool = False) -> pl.DataFrame:
        """Add tables of this shape: of different users, or, with `nights`, of different journeys of the same ones."""
        if not frames:
            return self.empty()
        how = self._merges(nights=nights)
        merged = merge_coded([widened(frame) for frame in frames], self.key_names, how)
        if merged is None:
            together = pl.concat([spelled(frame) for frame in frames])
            recoded = merge_coded([coded(together)], self.key_names, how) if together.height >= _MANY else None
            merged = None if recoded is None else spelled(recoded)
        if merged is None:
            aggregates = [getattr(pl.col(column), merge)() for column, merge in how.items()]
            if self.key_names:
                merged = together.group_by(self.key_names).agg(aggregates).sort(self.key_names)
            else:
                merged = together.select(aggregates) if together.height else together
        return self._carried(merged)

    def in_order(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The one form of a table that has each key once."""
        return self._carried(frame.sort(self.key_names) if self.key_names else frame)

    def _carried(self, merged: pl.DataFrame) -> pl.DataFrame:
        """Limbs in their one form, columns in order."""
        wide = [name for name, merge in self.values.items() if merge == "wide"]
        carried = [
            expression
            for name in wide
            for hi, lo in [limbs(name)]
            for expression in (pl.col(hi) + (pl.col(lo) // 2**32), pl.col(lo) % 2**32)
        ]
        columns = list(self.schema)
        merged = merged.with_columns(carried) if carried else merged
        return merged if merged.columns == columns else merged.select(columns)

    def _merges(self, *, nights: bool) -> dict[str, str]:
        """How each stored column merges: ``"sum"``, ``"min"`` or ``"max"``."""
        plain = {"sum": "sum", "wide": "sum", "min": "min", "max": "max", "users": "max" if nights else "sum"}
        return {
            column: plain[merge]
            for name, merge in self.values.items()
            for column in (limbs(name) if merge == "wide" else (name,))
        }


def limbs(name: str) -> tuple[str, str]:
    """Columns that hold the upper and the lower limb of a wide sum."""
    return f"{name}_hi", f"{name}_lo"


@dataclass(frozen=True, slots=True)
class Basis:
    """What counts must share to be added: the rules, the log's bounds, and the stages and what is in them.

    Attributes
    ----------
    stages : names of the declared stages, in order.
    stage_map : checksum of what the stages hold and of the facts about touchpoints; None where that is not known, as of
        counts saved by the first version, which fit any map of the same stages.
    notes : what is known of the journeys beside that; merged counts keep what all parts say.
    currency : of all money, where it is known; counts of two currencies are not added.
    selection : which of the log's journeys were counted, see `Journeys`; None where the parts differ, or do not say.
    """

    rules: JourneyRules
    context: LogContext
    stages: tuple[str, ...] = ()
    stage_map: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)
    currency: str | None = field(default=None, compare=False, repr=False)
    selection: str | None = field(default="", compare=False)

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        bounds = {"log_start": self.context.log_start, "observed_until": self.context.observed_until}
        return {"rules": self.rules.to_data(), **bounds, "stages": list(self.stages), "stage_map": self.stage_map}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Basis:
        """Read what `to_data` wrote."""
        context = LogContext(data["log_start"], data["observed_until"])
        return cls(JourneyRules.from_data(data["rules"]), context, tuple(data["stages"]), data.get("stage_map"))


@dataclass(frozen=True, eq=False)
class Counts:
    """What one measure counted on some users: tables of integers, which can be merged, saved and finished later.

    Attributes
    ----------
    question : fingerprint of the measure that counted.
    basis : the rules and bounds it was counted under.
    specs : the shape of each table.
    coded : the tables, whose labels may still be codes, and whose integers may be small; see `tables`.
    in_form : whether they are in their one form: each key once, in order.
    each_once : whether each key is at least there only once.
    """

    question: str
    basis: Basis
    specs: Mapping[str, TableSpec] = field(repr=False)
    coded: Mapping[str, pl.DataFrame] = field(repr=False)
    in_form: bool = field(default=True, repr=False)
    each_once: bool = field(default=False, repr=False)

    @cached_property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        """The tables, each sorted by key, with labels as plain strings."""
        if self.each_once and not self.in_form:
            return {name: spec.in_order(spelled(self.coded[name])) for name, spec in self.specs.items()}
        return {name: spelled(self._formed(name)) for name in self.coded}

    @property
    def listed(self) -> Mapping[str, pl.DataFrame]:
        """The tables as they are finished: those whose paths are still lists of labels as they were counted, long ones with
        codes for labels, and the others as in `tables`.
        """  # noqa: D205
        found = {name: frame for name, frame in self.coded.items() if pl.List(pl.String) in frame.schema.values()}
        if self.each_once and found.keys() == self.coded.keys():
            return {name: frame.with_columns(pl.col(pl.Enum).cast(pl.String)) for name, frame in found.items()}
        if all(spec.long for spec in self.specs.values()):
            return {name: coded(self._formed(name)) for name in self.specs}
        return self.tables

    def _formed(self, name: str) -> pl.DataFrame:
        """A table in its one form, labels as they were given."""
        return self.coded[name] if self.in_form else self.specs[name].merge([self.coded[name]])

    @classmethod
    def of(
        cls,
        question: str,
        basis: Basis,
        specs: Mapping[str, TableSpec],
        parts: Mapping[str, pl.DataFrame],
        *,
        each_once: bool = False,
    ) -> Counts:
        """Counts from raw tables; they are brought to their one form when they are merged or looked at."""
        return cls(question, basis, specs, {n: parts[n] for n in specs}, in_form=False, each_once=each_once)

    @classmethod
    def merge(cls, counts: Iterable[Counts]) -> Counts:
        """Add counts of the same question, in any order and grouping.

        Raises
        ------
        MergeError : there is nothing to merge, or the counts are of different questions, rules or bounds.
        """
        parts = _parts(counts)
        first = parts[0]
        known = next((part.basis.stage_map for part in parts if part.basis.stage_map is not None), None)
        for other in parts:
            _check_alike(first, other, known)
        currencies = sorted({part.basis.currency for part in parts if part.basis.currency is not None})
        if len(currencies) > 1:
            raise MergeError(
                f"counts of money in several currencies: {', '.join(currencies)}",
                hint="convert to one currency before counting, or leave value and cost out of the schema",
            )
        merged = {name: spec.merge([part.coded[name] for part in parts]) for name, spec in first.specs.items()}
        notes = tuple(note for note in first.basis.notes if all(note in part.basis.notes for part in parts))
        selection = first.basis.selection if len({part.basis.selection for part in parts}) == 1 else None
        currency = currencies[0] if currencies else None
        basis = replace(first.basis, stage_map=known, notes=notes, currency=currency, selection=selection)
        return cls(first.question, basis, first.specs, merged)

    @classmethod
    def over_nights(cls, counts: Iterable[Counts], basis: Basis) -> Counts:
        """Add counts of different journeys of the same users, made on different nights, as of a later `basis`.

        The caller ensures that every journey is counted once, and that nothing counted depends on the basis any more.
        """
        parts = _parts(counts)
        first = parts[0]
        if any(part.question != first.question for part in parts):
            raise MergeError("counts of two different questions", hint="merge counts of one measure")
        merged = {n: spec.merge([part.coded[n] for part in parts], nights=True) for n, spec in first.specs.items()}
        return cls(first.question, basis, first.specs, merged)

    def equals(self, other: Counts) -> bool:
        """Whether both hold the same integers under the same keys."""
        same = self.question == other.question and self.basis == other.basis
        return same and all(frame.equals(other.tables[name]) for name, frame in self.tables.items())

    def save(self, directory: Path | str) -> None:
        """Write the counts into a directory of their own: one Parquet file per table, and a JSON file that names them.

        Counts that were saved there before are replaced. If saving is killed, nothing is left that could be loaded.
        """
        from journeymine.counting.saved import save_counts

        save_counts(self, Path(directory))

    @classmethod
    def load(cls, directory: Path | str, specs: Mapping[str, TableSpec]) -> Counts:
        """Read what `save` wrote; `specs` are those of the measure that counted: ``measure.specs()``.

        Raises
        ------
        MergeError : there are no counts, they are damaged, or this version counts that measure in other tables.
        """
        from journeymine.counting.saved import load_counts

        return load_counts(Path(directory), specs)


def _parts(counts: Iterable[Counts]) -> list[Counts]:
    """The counts to be added, one at least."""
    if isinstance(counts, Counts):
        return [counts]
    if not isinstance(counts, Iterable):
        raise MergeError(f"a {type(counts).__name__} is no counts", hint="merge what measure.count(journeys) returned")
    parts = list(counts)
    if not parts:
        raise MergeError("there are no counts to merge", hint="count at least one part, if an empty one")
    for part in parts:
        if not isinstance(part, Counts):
            raise MergeError(
                f"a {type(part).__name__} is no counts", hint="merge what measure.count(journeys) returned"
            )
    return parts


def _check_alike(first: Counts, other: Counts, stage_map: str | None) -> None:
    """Refuse counts of another question, or made under other rules, bounds or stages than others; says which."""
    if other.question != first.question:
        raise MergeError(
            f"counts of two different questions: {first.question} and {other.question}",
            hint="merge counts of one measure",
        )
    bases = [replace(each.basis, stage_map=None) for each in (first, other)]
    if bases[0] == bases[1] and other.basis.stage_map not in (None, stage_map):
        raise MergeError(
            "counts were made with two stage maps: their stages have the same names, and hold other touchpoints, or "
            "the facts about touchpoints differ",
            hint="count all parts with one stage map",
        )
    if bases[0] == bases[1]:
        return
    one, two = ({**data.pop("rules"), **data} for data in (basis.to_data() for basis in bases))
    differing = [name for name in {**one, **two} if one.get(name) != two.get(name)]
    told = "; ".join(
        f"{name} is {_said(name, one.get(name))} in one and {_said(name, two.get(name))} in another"
        for name in differing
    )
    raise MergeError(
        f"counts were made under different rules or bounds: {told}",
        hint="count all parts by the same rules, and fix observed_until over the whole log before counting its parts",
    )


def _said(name: str, value: Any) -> str:
    """A rule or bound as a reader knows it."""
    return (
        f"{np.datetime64(value, 'us')}Z"
        if name in ("log_start", "observed_until") and value is not None
        else repr(value)
    )


def wide_float(frame: pl.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """A wide sum as float64."""
    hi, lo = limbs(name)
    return np.asarray(to_float(frame[hi].to_numpy(), frame[lo].to_numpy()))


def wide_units(frame: pl.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """A wide sum of micro-units, in units."""
    return wide_float(frame, name) / MICRO

"""Questions about one row, as data: what can be asked of any part of the events, and written in TOML."""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeymine.columns import MICRO, MISSING, UNKNOWN, UNMAPPED, escape_reserved
from journeymine.errors import RulesError, UnknownLabelError
from journeymine.events.coded import Coded

__all__ = ["Predicate"]

Bools = npt.NDArray[np.bool_]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}
_ABSENT = frozenset((UNKNOWN, UNMAPPED))
"""Labels that stand for no label; they satisfy no comparison."""
_LABEL_TESTS = ("in", "not_in", "glob", "regex")
_FORMS = "a touchpoint, a list of touchpoints, or a mapping such as {'touchpoint': 'order', 'value': {'>=': 100}}"


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on one row, written as data; it names goals, steps and selections. Read by `Predicate.parse`.

    ===================================  ==========================================================
    ``"order_placed"``                   the touchpoint is this one
    ``["a", "b"]``                       the touchpoint is one of these
    ``{"touchpoint": "a", "channel": …}``  all of the conditions hold
    ``{"value": {">=": 100, "<": 500}}``   comparisons of a number, in units (not micro-units)
    ``{"touchpoint": {"glob": "pay_*"}}``  a pattern (also ``"in"``, ``"not_in"``, ``"regex"``)
    ``{"any": [p, q]}``                  at least one holds
    ``{"all": [p, q]}``                  all hold
    ``{"not": p}``                       it does not hold
    ===================================  ==========================================================

    It looks at one row only, so it gives the same answer on any part. An absent number or label satisfies no
    comparison.

    Attributes
    ----------
    kind : ``"label"``, ``"number"``, ``"any"``, ``"all"`` or ``"not"``.
    column : the column that a label or number condition looks at, else ``""``.
    test : the comparison of such a condition (``"in"``, ``">="``, …), else ``""``.
    operand : the label, labels or number that it compares with.
    parts : the predicates that ``"any"``, ``"all"`` or ``"not"`` combines.
    """

    kind: str
    column: str = ""
    test: str = ""
    operand: tuple[str, ...] | str | float = ()
    parts: tuple[Predicate, ...] = ()

    @classmethod
    def parse(cls, form: Any, *, name: str = "predicate") -> Predicate:
        """Read the data form described in `Predicate`; errors call it `name`.

        >>> Predicate.parse(["a", "b"]).touchpoints()
        ('a', 'b')
        """
        if isinstance(form, Predicate):
            return form
        if isinstance(form, str):
            return cls("label", "touchpoint", "in", (form,))
        if isinstance(form, Mapping) and form:
            return _all([_condition(key, value, name) for key, value in form.items()])
        if isinstance(form, Sequence | set | frozenset) and form and all(isinstance(label, str) for label in form):
            return cls("label", "touchpoint", "in", tuple(sorted(set(form))))
        raise RulesError(f"{name}={form!r} is not a condition on a row", hint=f"give {_FORMS}")

    def to_data(self) -> dict[str, Any]:
        """The mapping that `parse` reads back."""
        if self.kind in ("any", "all"):
            return {self.kind: [part.to_data() for part in self.parts]}
        if self.kind == "not":
            return {"not": self.parts[0].to_data()}
        operand = list(self.operand) if isinstance(self.operand, tuple) else self.operand
        return {self.column: {self.test: operand}}

    def touchpoints(self) -> tuple[str, ...] | None:
        """The touchpoints that may satisfy it, or None where it does not limit them by name."""
        if self.kind == "label" and self.column == "touchpoint" and self.test == "in":
            return tuple(self.operand) if isinstance(self.operand, tuple) else None
        if self.kind == "any":
            lists = [part.touchpoints() for part in self.parts]
            return None if None in lists else tuple(sorted({t for part in lists for t in part or ()}))
        if self.kind == "all":
            known = [set(found) for part in self.parts if (found := part.touchpoints()) is not None]
            return tuple(sorted(set.intersection(*known))) if known else None
        return None

    def named(self) -> frozenset[tuple[str, str]]:
        """The labels that it names one by one, anywhere in it, each with its column; patterns name none."""
        if self.kind == "label" and isinstance(self.operand, tuple):
            return frozenset((self.column, label) for label in self.operand)
        return frozenset().union(*(part.named() for part in self.parts))

    def possible(self, labels: Mapping[str, Sequence[str]]) -> bool:
        """Whether rows with these labels may satisfy it, as far as labels alone can tell."""
        if self.kind == "label":
            return self.column not in labels or any(self._accepted(labels[self.column]))
        if self.kind in ("any", "all"):
            return (any if self.kind == "any" else all)(part.possible(labels) for part in self.parts)
        return True

    def columns(self) -> frozenset[str]:
        """The columns it looks at."""
        return frozenset((self.column,)) if self.column else frozenset().union(*(p.columns() for p in self.parts))

    def holds(self, labels: Mapping[str, Coded], numbers: Mapping[str, npt.NDArray[np.int64]], n_rows: int) -> Bools:
        """Whether it holds, for each of `n_rows` rows.

        Raises
        ------
        UnknownLabelError : it looks at a column that the log does not have.
        """
        if self.kind == "label":
            return self._holds_label(labels, numbers)
        if self.kind == "number":
            return self._holds_number(labels, numbers)
        results = [part.holds(labels, numbers, n_rows) for part in self.parts]
        if self.kind == "not":
            return np.logical_not(results[0])
        combine = np.logical_or if self.kind == "any" else np.logical_and
        return np.asarray(combine.reduce(results), dtype=bool)

    def _holds_label(self, labels: Mapping[str, Coded], numbers: Mapping[str, Any]) -> Bools:
        if self.column not in labels:
            raise UnknownLabelError.naming("label column", self.column, labels)
        coded = labels[self.column]
        if not len(coded.labels):
            return np.zeros(len(coded), dtype=bool)
        return coded.among(np.fromiter(self._accepted(coded.labels), dtype=bool, count=len(coded.labels)))

    def _accepted(self, labels: Sequence[str]) -> Iterator[bool]:
        """Whether each label is there and satisfies a leaf; ours are quoted where they read like one of the library's."""
        if self.test in ("in", "not_in"):
            assert isinstance(self.operand, tuple)
            named = {*self.operand, *map(escape_reserved, self.operand)}
            if self.test == "in":
                return map((named - _ABSENT).__contains__, labels)
            refused = named | _ABSENT
            return (label not in refused for label in labels)
        if self.test == "glob":
            return (label not in _ABSENT and fnmatch.fnmatchcase(label, str(self.operand)) for label in labels)
        return (label not in _ABSENT and re.search(str(self.operand), label) is not None for label in labels)

    def _holds_number(self, labels: Mapping[str, Any], numbers: Mapping[str, npt.NDArray[np.int64]]) -> Bools:
        if self.column not in numbers:
            raise UnknownLabelError.naming("number column", self.column, numbers)
        column = numbers[self.column]
        assert isinstance(self.operand, float)
        compared = _COMPARE[self.test](column, round(self.operand * MICRO))
        return np.asarray(compared & (column != MISSING), dtype=bool)


def _all(parts: list[Predicate]) -> Predicate:
    return parts[0] if len(parts) == 1 else Predicate("all", parts=tuple(parts))


def _condition(key: Any, value: Any, name: str) -> Predicate:
    if key in ("any", "all"):
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise RulesError(f"{name}: {key!r} has {value!r}", hint=f"give a list of conditions: {{{key!r}: [p, q]}}")
        return Predicate(key, parts=tuple(Predicate.parse(part, name=name) for part in value))
    if key == "not":
        return Predicate("not", parts=(Predicate.parse(value, name=name),))
    if isinstance(value, Mapping) and value:
        return _all([_leaf(str(key), str(test), operand, name) for test, operand in value.items()])
    if isinstance(value, str):
        return Predicate("label", str(key), "in", (value,))
    if isinstance(value, Sequence | set | frozenset) and value:
        return Predicate("label", str(key), "in", tuple(sorted({str(label) for label in value})))
    raise RulesError(f"{name}: {key!r} is compared with {value!r}", hint=f"give {_FORMS}")


def _leaf(column: str, test: str, operand: Any, name: str) -> Predicate:
    if test in ("in", "not_in") and isinstance(operand, Sequence | set | frozenset) and not isinstance(operand, str):
        return Predicate("label", column, test, tuple(sorted({str(label) for label in operand})))
    if test in ("glob", "regex") and isinstance(operand, str):
        _check_pattern(test, operand, name)
        return Predicate("label", column, test, operand)
    if test in ("==", "!=") and isinstance(operand, str):
        return Predicate("label", column, "in" if test == "==" else "not_in", (operand,))
    if test in _COMPARE and _is_number(operand):
        return Predicate("number", column, test, float(operand))
    known = ", ".join([*_COMPARE, *_LABEL_TESTS])
    raise RulesError(f"{name}: {column!r} has the test {test!r} with {operand!r}", hint=f"tests are: {known}")


def _check_pattern(test: str, pattern: str, name: str) -> None:
    try:
        re.compile(pattern if test == "regex" else "")
    except re.error as error:
        raise RulesError(
            f"{name}: {pattern!r} is no regular expression: {error}", hint="'glob' takes patterns such as 'pay_*'"
        ) from error


def _is_number(operand: Any) -> bool:
    plain = isinstance(operand, int | float) and not isinstance(operand, bool)
    return plain and abs(operand) <= sys.float_info.max  # not so where it is not a number

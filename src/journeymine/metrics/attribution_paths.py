"""Attribution straight from a table of paths, as advertising platforms export them: no users, no times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.columns import NONE, UNKNOWN
from journeymine.counting.counts import Basis
from journeymine.counting.result import Result
from journeymine.errors import UnknownLabelError
from journeymine.events.coded import Coded
from journeymine.graph.markov_solve import Flow
from journeymine.graph.markov_states import check_order, unpack, walks
from journeymine.journeys.context import LogContext
from journeymine.journeys.rules import JourneyRules
from journeymine.metrics.attribution_markov import NO_SHARES, credit_flow, holders
from journeymine.metrics.attribution_path_table import PathTable, path_table
from journeymine.metrics.attribution_rules import DIRECT, TouchPaths, channels_of, chosen_rules, passed_over, weigh

__all__ = ["attribution_from_paths"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def attribution_from_paths(
    frame: Any,
    *,
    path: str = "path",
    conversions: str | None = None,
    value: str | None = None,
    nulls: str | None = None,
    sep: str = " > ",
    rules: Sequence[str] | str | None = None,
    direct: Sequence[str] | str = DIRECT,
    middle: str | None = None,
    order: int = 1,
) -> Result:
    """Divide the credit for conversions among channels, from a table of paths that are already counted.

    Parameters
    ----------
    frame : one row per path: a Polars frame (lazy ones are collected) or whatever `polars.DataFrame` takes. A path may
        stand in several rows.
    path : column of paths: text with `sep` between the touches, or lists of labels, in which a null is ``"(unknown)"``.
    conversions : column that says how often each path converted. None means that each row is one conversion.
    value : column with the value of those conversions together, in units of money. By default there are no values.
    nulls : column that says how often each path ended without a conversion. None means never; the removal effect then
        only asks which paths hold a channel.
    sep : text between two touches of a path.
    rules, direct, middle, order : as in `attribution`. Without times there is no ``"time_decay"``, and `middle` is a
        label.

    Returns
    -------
    Result; frame has one row per rule and label:
        rule, label str
        conversions f64: conversions credited
        share f64: of all conversions, 0–1
        value f64: value credited; null without values, and by Markov where the removal effects on value add up to 0 (a
        note says so)
        n f64: conversions of paths that hold the label
        There are no intervals: a table of paths does not say which paths are of the same person.

    Raises
    ------
    UnknownLabelError : a column is not there, or no path holds `middle` or a channel of `direct`.
    QuestionError : paths are neither text nor lists, `sep` does not split text in which its letters occur, a number is
        missing, a count is negative, or a row has a value and no conversion; otherwise as `attribution`.

    Examples
    --------
    >>> import polars as pl
    >>> paths = pl.DataFrame({"path": ["ad > email", "ad", "email"], "sold": [2, 1, 0], "not": [1, 5, 3]})
    >>> found = attribution_from_paths(paths, conversions="sold", nulls="not", rules=["linear", "markov"])
    >>> found.frame.select("rule", "label", "conversions").rows()
    [('linear', 'ad', 2.0), ('linear', 'email', 1.0), ('markov', 'ad', 1.5), ('markov', 'email', 1.5)]
    """
    asked = chosen_rules(rules, middle=middle, timed=False)
    passed, order = channels_of(direct), check_order(order)
    paths = path_table(frame, path=path, conversions=conversions, value=value, nulls=nulls, sep=sep)
    _check_labels(paths.coded.labels, passed if "last_non_direct" in asked else (), middle)
    labels, n = list(paths.coded.labels), _holding(paths)
    empty = float(paths.conversions[paths.lengths == 0].sum())
    if empty:
        labels, n = [*labels, NONE], np.append(n, empty)
    keys = pl.DataFrame({"label": pl.Series(labels, dtype=pl.String), "n": n})
    credited = {rule: _credit(rule, paths, passed, middle, order) for rule in asked}
    unknown = value is not None and any(np.isnan(worth).any() for _, worth in credited.values())
    return Result(
        name="attribution",
        question="Which label earns the credit for conversions?",
        frame=pl.concat([_block(rule, keys, paths, each, valued=value is not None) for rule, each in credited.items()]),
        schema_version=1,
        confidence=0.95,
        basis=Basis(JourneyRules(), LogContext(0, 0)),
        notes=(
            "A table of paths tells no users apart, and so carries no intervals.",
            *([f"The value by markov is not known: {NO_SHARES}."] if unknown else []),
            *(passed_over(passed, paths.coded.labels) if "last_non_direct" in asked else []),
        ),
    )


def _check_labels(labels: Sequence[str], direct: Sequence[str], middle: Any) -> None:
    """Refuse a middle that no path holds, and direct channels likewise, save what is meant where nothing is said."""
    if middle is not None and middle not in labels:
        raise UnknownLabelError.naming("label", middle, labels, place="this table of paths")
    for channel in direct:
        if channel not in (*labels, *DIRECT, UNKNOWN):
            raise UnknownLabelError.naming("label", channel, labels, place="this table of paths")


def _block(rule: str, keys: pl.DataFrame, paths: PathTable, credited: list[Floats], *, valued: bool) -> pl.DataFrame:
    """The rows of one rule; what paths without a touch converted and brought in stands last."""
    silent, total = paths.lengths == 0, float(paths.conversions.sum())
    conversions, value = (
        np.append(shared, amounts[silent].sum())[: keys.height]
        for shared, amounts in zip(credited, (paths.conversions, paths.value), strict=True)
    )
    share = conversions / total if total else np.full(keys.height, np.nan)
    return keys.select(
        pl.lit(rule).alias("rule"),
        "label",
        pl.Series("conversions", conversions),
        pl.Series("share", share).fill_nan(None),
        pl.Series("value", value if valued else np.full(keys.height, np.nan)).fill_nan(None),
        "n",
    )


def _credit(rule: str, paths: PathTable, direct: Sequence[str], middle: str | None, order: int) -> list[Floats]:
    """Conversions and value of each label by one rule."""
    amounts = [paths.conversions, paths.value]
    if rule == "markov":
        return _removal(paths, order)
    path = np.repeat(np.arange(len(paths.lengths)), paths.lengths)
    n_labels = len(paths.coded.labels)
    if rule == "shapley":
        pair = np.unique(path * n_labels + paths.coded.codes) if n_labels else path
        of, label = np.divmod(pair, max(n_labels, 1))
        share = 1 / np.bincount(of, minlength=len(paths.lengths))[of]
        return [_sum(label, share * each[of], n_labels) for each in amounts]
    kept = np.flatnonzero(paths.lengths)
    touches = TouchPaths(
        np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(paths.lengths[kept]))),
        np.repeat(np.arange(len(kept)), paths.lengths[kept]),
        _is_any(paths.coded, direct),
        None if middle is None else _is_any(paths.coded, (middle,)),
        None,
        1,
    )
    weights = weigh(rule, touches).astype(np.float64)
    share = weights / np.bincount(path, weights, minlength=len(paths.lengths))[path]
    return [_sum(paths.coded.codes, share * each[path], n_labels) for each in amounts]


def _removal(paths: PathTable, order: int) -> list[Floats]:
    labels, kept = paths.coded.labels, np.flatnonzero(paths.lengths)
    conversions, value, nulls = (each[kept] for each in (paths.conversions, paths.value, paths.nulls))
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(paths.lengths[kept])))
    walk = walks(paths.coded.codes, offsets, len(labels), order)
    K, lengths = len(walk.seen), np.diff(walk.offsets)
    # Moves of each path, one more than its states; 0 is outside.
    path = np.arange(len(lengths))
    into = np.arange(len(walk.codes)) + np.repeat(path, lengths)
    move = np.zeros(len(walk.codes) + len(lengths), dtype=np.int64)
    move[into + 1] = (walk.codes.astype(np.int64) + 1) * (K + 1)
    move[into] += walk.codes.astype(np.int64) + 1
    kinds, at = np.unique(move, return_inverse=True)
    last = walk.offsets[1:] + path
    n, won, worth = (
        _sum(rows, amounts, len(kinds))[None]
        for rows, amounts in (
            (at, np.repeat(conversions + nulls, lengths + 1)),
            (at[last], conversions),
            (at[last], value),
        )
    )
    flow = Flow(K, kinds // (K + 1) - 1, kinds % (K + 1) - 1, n)
    groups = holders([unpack(int(state), walk.base) for state in walk.seen], len(labels))
    return [found[0] for found in credit_flow(flow, groups, [won, worth])]


def _holding(paths: PathTable) -> Floats:
    """Conversions of the paths that hold each label."""
    n_labels = max(len(paths.coded.labels), 1)
    path = np.repeat(np.arange(len(paths.lengths)), paths.lengths)
    of, label = np.divmod(np.unique(path * n_labels + paths.coded.codes), n_labels)
    return _sum(label, paths.conversions[of], len(paths.coded.labels))


def _is_any(coded: Coded, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    return np.isin(coded.codes, [code for code, label in enumerate(coded.labels) if label in names])


def _sum(at: npt.NDArray[np.integer], amounts: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(at, amounts, minlength=n), dtype=np.float64)

"""Results that are ranked together: each is the one that is asked for, and all are of the same journeys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journeymine.counting.result import Result
from journeymine.errors import MergeError, QuestionError
from journeymine.graph.markov_chain import MarkovChain
from journeymine.metrics.handoffs import Handoffs

__all__ = ["check_results"]

_MEASURES = {
    "drop_off": ("drop_off",), "conversion": ("conversion",), "nodes": ("drop_off",), "friction": ("friction",),
    "handoffs": ("handoffs", "handoff_losses"), "chain": ("markov",),
}  # fmt: skip
_ASKED = {
    "nodes": 'drop_off(journeys, by=["stage", "channel", "touchpoint", "owner"])',
    "chain": 'markov(journeys, grain="channel:touchpoint")',
}
_FIRST = {"conversion": "n_journeys", "friction": "friction", "handoffs": "from"}
"""First column of those that a list wants of all journeys; groups stand before it."""
_SAME = "ask all of the same selection (where, between, through) of the journeys"


def check_results(given: Mapping[str, Any]) -> None:
    """Refuse results of other questions, logs, rules or confidences, and those that tell of other journeys.

    Parameters
    ----------
    given : arguments of `rank_opportunities` by name, None where not given; what is neither a result nor a chain is left alone.

    Raises
    ------
    QuestionError : a result of another measure, one by groups where that of all journeys is wanted, handoffs between others
        than channels, or a chain of higher order.
    MergeError : of another log, other rules or another confidence, or not of the same journeys.
    """
    results = {name: each for name, each in given.items() if name in ("drop_off", "conversion") or each is not None}
    for name, result in results.items():
        _check_measure(name, result)
    _check_basis(results)
    _check_selection(results)
    for name in ("drop_off", "nodes"):
        if name in results:
            _check_lost(name, results[name], results["conversion"])


def _check_measure(name: str, result: Any) -> None:
    hint = f"{name}=jm.{_ASKED.get(name, f'{name}(journeys)')}"
    # A chain lays out its states and moves only when asked for them.
    told = "markov" if isinstance(result, MarkovChain) else type(result).__name__
    told = result.name if isinstance(result, Result) else told
    if told not in _MEASURES[name]:
        raise QuestionError(f"{name}= wants a result of {_MEASURES[name][0]}, and this is {told!r}", hint=hint)
    labels = result.frame.columns[: result.frame.columns.index(_FIRST[name])] if name in _FIRST else []
    if labels:
        raise QuestionError(f"{name}= is by {' × '.join(labels)}, and the one of all journeys is wanted", hint=hint)
    if name == "handoffs" and result.question != Handoffs().question:
        raise QuestionError(f"handoffs= is not between channels, but asks: {result.question}", hint=hint)
    if isinstance(result, MarkovChain) and any(len(state) > 1 for state in result.arrays.states):
        raise QuestionError("chain= remembers more than the last step", hint=hint)
    if name == "nodes" and "touchpoint" not in result.frame.columns:
        raise QuestionError("nodes= is not by touchpoint, so it does not tell who owns what", hint=hint)


def _check_basis(results: Mapping[str, Result | MarkovChain]) -> None:
    """All have the basis and the confidence that most of them have."""
    given = {name: (result.basis, result.confidence) for name, result in results.items()}
    usual = max(given, key=lambda name: sum(each == given[name] for each in given.values()))
    odd = [name for name in given if given[name] != given[usual]]
    if odd:
        found = [_differing(results[name], results[usual]) for name in odd]
        told = "; ".join(f"{name} differs from {usual} in {what}" for name, what in zip(odd, found, strict=True))
        raise MergeError(
            f"{len(odd)} of {len(given)} results do not fit the others: {told}", hint="ask all of the same journeys"
        )


def _differing(result: Result | MarkovChain, other: Result | MarkovChain) -> str:
    """What two results do not share, in words."""
    ours, theirs = result.basis.to_data(), other.basis.to_data()
    rules = [name for name, value in ours["rules"].items() if value != theirs["rules"].get(name)]
    bounds = [name for name in ours if name != "rules" and ours[name] != theirs[name]]
    confidence = ["confidence"] if result.confidence != other.confidence else []
    return ", ".join([*rules, *bounds, *confidence]) or "rules"


def _check_selection(results: Mapping[str, Result | MarkovChain]) -> None:
    """All are of the journeys that most of them are of; counts of an earlier version do not say."""
    given = {name: each.basis.selection for name, each in results.items() if each.basis.selection is not None}
    usual = max(given, key=lambda name: sum(each == given[name] for each in given.values()), default="")
    odd = [name for name in given if given[name] != given[usual]]
    if odd:
        raise MergeError(
            f"{len(odd)} of {len(given)} results are not of the same journeys as {usual}: {', '.join(odd)}", hint=_SAME
        )


def _check_lost(name: str, places: Result, conversion: Result) -> None:
    """A lost journey has its last step in one place: those of all places are the lost journeys, of the same selection."""
    here, lost = places.frame["lost_here"], conversion.frame["lost"]
    if lost.null_count() or here.null_count() or lost.sum() == here.sum():
        return
    raise MergeError(
        f"{name} is not of the same journeys as conversion: {here.sum():,} journeys are lost there, and {lost.sum():,} in all",
        hint=_SAME,
    )

"""The scale that scores are given on: one for all, or one per touchpoint; and what makes a score good or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from journeymine.columns import MICRO
from journeymine.errors import QuestionError

if TYPE_CHECKING:
    from journeymine.events.log import Events

__all__ = ["ALL", "NPS", "Scale", "as_scale", "bounds", "check_declared", "scale_of", "to_emotion"]

Ints = npt.NDArray[np.int64]
Scale = tuple[tuple[str, float, float], ...]
"""(touchpoint, lowest, highest) each; the touchpoint is `ALL` where one scale is for all."""
ALL = ""
NPS = (0.0, 10.0)
"""The scale on which promoters (9, 10) and detractors (0–6) are defined."""


def as_scale(scale: Any) -> Scale:
    """A scale as it is stored in the question.

    Parameters
    ----------
    scale : ``(lowest, highest)``, or a mapping of touchpoints to such pairs.

    Examples
    --------
    >>> as_scale((1, 5)), as_scale({"nps_mailed": [0, 10], "call": [1, 5]})
    ((('', 1.0, 5.0),), (('call', 1.0, 5.0), ('nps_mailed', 0.0, 10.0)))
    """
    if isinstance(scale, Mapping):
        found = tuple((str(touchpoint), *_pair(pair)) for touchpoint, pair in sorted(scale.items()))
        if not found:
            raise QuestionError("scale={} names no touchpoint", hint="e.g. scale=(1, 5)")
        return found
    if isinstance(scale, Sequence) and not isinstance(scale, str) and all(_is_stored(each) for each in scale) and scale:
        return tuple((str(each[0]), *_pair(each[1:])) for each in scale)
    return ((ALL, *_pair(scale)),)


def _is_stored(each: Any) -> bool:
    return isinstance(each, Sequence) and len(each) == 3 and isinstance(each[0], str)


def _pair(pair: Any) -> tuple[float, float]:
    try:
        lowest, highest = (float(end) for end in pair)
    except (TypeError, ValueError):
        lowest = highest = np.nan
    if not lowest < highest or not np.isfinite([lowest, highest]).all():
        raise QuestionError(f"scale={pair!r} is not a lowest and a highest score", hint="e.g. scale=(1, 5)")
    return lowest, highest


def scale_of(events: Events | None) -> Scale:
    """The one scale of a log's sources.

    Raises
    ------
    QuestionError : no source has scores; sources differ; or the log is not known.
    """
    found = _declared(events)
    if not found:
        raise QuestionError(
            "the scale of the scores is not known: no source of these journeys declares one",
            hint="read the log with satisfaction= and satisfaction_scale=, or give scale=(1, 5)",
        )
    if len(found) > 1:
        raise QuestionError(
            f"the sources score on {len(found)} scales: {', '.join(f'{low:g}–{high:g}' for low, high in found)}",
            hint="say which touchpoint uses which: scale={'nps_mailed': (0, 10), 'call_rated': (1, 5)}",
        )
    return as_scale(found[0])


def check_declared(scale: Scale, events: Events | None) -> None:
    """Refuse a scale that reaches beyond each that a source declares: scores were taken from within those only.

    Raises
    ------
    QuestionError : on 0–10 the best score of a declared 1–5 would read as a complaint.
    """
    declared = _declared(events)
    for touchpoint, low, high in scale:
        if declared and not any(least <= low and high <= most for least, most in declared):
            whose = f" of {touchpoint!r}" if touchpoint != ALL else ""
            known = " and ".join(f"{least:g}–{most:g}" for least, most in declared)
            raise QuestionError(
                f"the scale {low:g}–{high:g}{whose} reaches beyond the declared {known}, from which alone scores were taken",
                hint="leave scale out, or read the log with the right satisfaction_scale=",
            )


def _declared(events: Events | None) -> list[tuple[float, float]]:
    """The scales of a log's sources, each once."""
    declared = [] if events is None else [schema.satisfaction_scale for schema in events.schemas]
    return sorted({(float(scale[0]), float(scale[1])) for scale in declared if scale is not None})


def bounds(scale: Scale, touchpoints: Sequence[str]) -> tuple[Ints, Ints]:
    """Lowest and highest score of each touchpoint, in millionths; 0 and 0 for one without a scale.

    >>> bounds(as_scale({"b": (1, 5)}), ["a", "b"])
    (array([      0, 1000000]), array([      0, 5000000]))
    """
    by_name = {touchpoint: (low, high) for touchpoint, low, high in scale}
    pairs = [by_name.get(name, by_name.get(ALL, (0.0, 0.0))) for name in touchpoints]
    ends = np.rint(np.array(pairs, dtype=np.float64).reshape(-1, 2) * MICRO).astype(np.int64)
    return ends[:, 0], ends[:, 1]


def to_emotion(score: Ints, low: Ints, high: Ints) -> Ints:
    """Scores on the scale from −2 (worst) to +2 (best), in millionths: −2 + 4 · (score − lowest) / (highest − lowest).

    >>> five = np.array([1, 2, 3, 5]) * 1_000_000
    >>> to_emotion(five, np.full(4, 1_000_000), np.full(4, 5_000_000)).tolist()
    [-2000000, -1000000, 0, 2000000]
    """
    place = (score - low) / (high - low)
    return np.asarray(np.rint((4 * place - 2) * MICRO), dtype=np.int64)

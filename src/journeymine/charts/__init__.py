"""Pictures of result frames, in one house style (Altair, extra ``plot``). Knows frames only."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from journeymine.errors import MissingExtraError, QuestionError

__all__ = ["chart_of"]

_CHARTS: dict[str, str] = {
    "activity": "activity:activity_chart",
    "attribution": "attribution:attribution_chart",
    "compare": "compare:compare_chart",
    "conversion": "row_charts:row_chart",
    "customer_value": "row_charts:row_chart",
    "decision_points": "row_charts:row_chart",
    "decomposition": "row_charts:row_chart",
    "drop_off": "row_charts:row_chart",
    "dwell": "spans:dwell_chart",
    "first_contact_resolution": "row_charts:row_chart",
    "friction": "row_charts:row_chart",
    "funnel": "funnel:funnel_chart",
    "handoffs": "handoffs:handoffs_chart",
    "life_cycle": "life_cycle:life_cycle_chart",
    "markov": "row_charts:row_chart",
    "opportunities": "row_charts:row_chart",
    "repeat_rate": "curves:repeat_rate_chart",
    "retention": "retention:retention_chart",
    "satisfaction": "emotion:satisfaction_chart",
    "stage_reach": "row_charts:row_chart",
    "stickiness": "curves:stickiness_chart",
    "time_to_convert": "time_to_convert:time_to_convert_chart",
    "transitions": "transitions:transitions_chart",
    "typical_order": "row_charts:row_chart",
    "variants": "variants:variants_chart",
    "waiting": "spans:waiting_chart",
    "win_back": "curves:win_back_chart",
}
"""Name of a result → ``module:function`` that draws its frame."""


def chart_of(result: Any, **options: Any) -> Any:
    """The chart of a result.

    Raises
    ------
    MissingExtraError : Altair is not installed.
    QuestionError : there is no chart for this result, or it has no such option; what there is, is named.
    """
    if result.name not in _CHARTS:
        raise QuestionError(
            f"there is no chart for {result.name!r}",
            hint=f"there are: {', '.join(sorted(_CHARTS))}; or draw result.frame",
        )
    try:
        importlib.import_module("altair")
    except ImportError as error:
        raise MissingExtraError.naming("altair", "plot") from error
    module, function = _CHARTS[result.name].split(":")
    draw = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    _check(result.name, draw, options)
    return draw(result, **options)


def _check(name: str, draw: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse what the chart does not take, and sizes that are none."""
    known = [option for option in inspect.signature(draw).parameters if option != "result"]
    for option, given in options.items():
        if option not in known:
            hint = f"it takes {', '.join(known)}" if known else "it takes none"
            raise QuestionError(f"the chart of {name} has no option {option!r}", hint=hint)
        whole = isinstance(given, int) and not isinstance(given, bool) and given >= 1
        if option in ("most", "step", "width") and not whole:
            raise QuestionError(f"{option}={given!r}", hint="give a whole number, at least 1")

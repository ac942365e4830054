"""Pictures of result frames, in one house style (Altair, extra ``plot``). Knows frames only."""

from __future__ import annotations

import importlib
from typing import Any

from journeymine.errors import MissingExtraError, QuestionError

__all__ = ["chart_of"]

_CHARTS: dict[str, str] = {
    "attribution": "attribution:attribution_chart",
    "funnel": "funnel:funnel_chart",
    "retention": "retention:retention_chart",
    "time_to_convert": "time_to_convert:time_to_convert_chart",
}
"""Name of a result → ``module:function`` that draws its frame."""


def chart_of(result: Any, **options: Any) -> Any:
    """The chart of a result.

    Raises
    ------
    MissingExtraError : Altair is not installed.
    QuestionError : there is no chart for this result; it names those there are.
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
    return getattr(importlib.import_module(f"{__name__}.{module}"), function)(result, **options)

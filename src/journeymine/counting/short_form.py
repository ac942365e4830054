"""What every short form of a measure ends with: counted in memory, and finished."""

from __future__ import annotations

from journeymine.counting.finish import finish
from journeymine.counting.measure import Measure
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.counting.taken import check_names
from journeymine.journeys.journeys import Journeys, check_journeys

__all__ = ["answer"]


def answer(measure: Measure, journeys: Journeys, *, confidence: float = 0.95) -> Result:
    """Ask journeys in memory one question.

    Raises
    ------
    QuestionError : no journeys, a breakdown by a name that the measure has a column of, or no confidence.
    """
    check_journeys(journeys)
    check_names(measure)
    return finish(measure, count_in_memory(measure, journeys), confidence=confidence)

"""Counting on parts, merging, finishing late: protocols and mechanics, no questions."""

from journeymine.counting.counts import Basis, Counts, TableSpec
from journeymine.counting.estimates import Answer, Difference, Number, Quantile, Share, SolvedShare
from journeymine.counting.finish import finish
from journeymine.counting.measure import Measure, basis_of, question_of
from journeymine.counting.parts import count_in_memory
from journeymine.counting.result import Result
from journeymine.counting.tally import Tally

__all__ = [
    "Answer", "Basis", "Counts", "Difference", "Measure", "Number", "Quantile", "Result", "Share", "SolvedShare",
    "TableSpec", "Tally", "basis_of", "count_in_memory", "finish", "question_of",
]  # fmt: skip

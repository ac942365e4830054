"""What the exit code of a command says to a batch job.

====  =====================================================================================
0     done
1     the data is worse than allowed: quarantine above its limit, or a wild timestamp; also where whoever read the output
      closed it early (``| head``)
2     the command was not understood: unknown option, missing argument
3     the configuration, the rules or the question do not fit the log, or a file cannot be read
4     an optional package is missing
5     the state of a batch job is locked or damaged, or an engine failed
6     nightly report: something was flagged
130   interrupted
====  =====================================================================================
"""

from __future__ import annotations

from journeymine.errors import DataQualityError, EngineError, JourneymineError, MissingExtraError, StateError

__all__ = ["BAD_DATA", "BAD_INPUT", "BROKEN", "FLAGGED", "INTERRUPTED", "MISSING_EXTRA", "OK", "exit_code_of"]

OK, BAD_DATA, USAGE, BAD_INPUT, MISSING_EXTRA, BROKEN, FLAGGED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130


def exit_code_of(error: JourneymineError) -> int:
    """The exit code for an error of ours."""
    if isinstance(error, DataQualityError):
        return BAD_DATA
    if isinstance(error, MissingExtraError):
        return MISSING_EXTRA
    if isinstance(error, StateError | EngineError):
        return BROKEN
    return BAD_INPUT

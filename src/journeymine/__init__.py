"""Customer journeys mined from touchpoint events.

A journey is a range of rows; every number is a mergeable count, finished late.
"""

from __future__ import annotations

import logging

from journeymine.errors import JourneymineError

__all__ = ["JourneymineError", "__version__"]

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

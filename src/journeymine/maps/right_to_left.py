"""Names that run from right to left, in lines that run from left to right.

A line of the map is laid out from left to right. Arabic and Hebrew inside it turn by themselves, but take along the
digits and signs beside them, which may belong to another name. Unicode's isolates (FSI … PDI, UAX 9) keep each apart,
in browsers and in still pictures alike.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

__all__ = ["RIGHT_TO_LEFT", "isolated"]

_LETTERS = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+"
RIGHT_TO_LEFT = re.compile(f"{_LETTERS}(?:[\\s\u00a0]+{_LETTERS})*")
"""Words that run from right to left, one after another."""
_BETWEEN_NAMES = re.compile(" [×·→] ")
_ISOLATE, _END = "\u2068", "\u2069"


def isolated(text: str) -> str:
    r"""Set what runs from right to left apart: each name as a whole, or the words of it where it has Latin letters too.

    >>> ascii(isolated("\u05d0 50% → \u05d1: 7 lost"))
    "'\\u2068\\u05d0 50%\\u2069 \\u2192 \\u2068\\u05d1\\u2069: 7 lost'"
    """
    if not RIGHT_TO_LEFT.search(text):
        return text
    ends = [0, *(place for joint in _BETWEEN_NAMES.finditer(text) for place in joint.span()), len(text)]
    return "".join(_part(text[start:end]) for start, end in pairwise(ends))


def _part(text: str) -> str:
    if RIGHT_TO_LEFT.search(text) and not any(unicodedata.bidirectional(character) == "L" for character in text):
        return f"{_ISOLATE}{text}{_END}"
    return RIGHT_TO_LEFT.sub(rf"{_ISOLATE}\g<0>{_END}", text)

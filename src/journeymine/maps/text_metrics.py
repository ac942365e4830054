"""How wide text will be, near enough to cut and wrap it without a font engine.

Widths are those of Helvetica and its metric twins (Arial, Liberation Sans), from Adobe's font metrics, in thousandths
of the size; a margin covers the wider system fonts. Wide scripts and emoji count as full squares.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["fit", "width", "wrap"]

_MARGIN = 1.06
_PIECE = re.compile(r"[^ _/\-]*[ _/\-]+|[^ _/\-]+")
_ASCII = (
    278,
    278,
    355,
    556,
    556,
    889,
    667,
    191,
    333,
    333,
    389,
    584,
    278,
    333,
    278,
    278,
    556,
    556,
    556,
    556,
    556,
    556,
    556,
    556,
    556,
    556,
    278,
    278,
    584,
    584,
    584,
    556,
    1015,
    667,
    667,
    722,
    722,
    667,
    611,
    778,
    722,
    278,
    500,
    667,
    556,
    833,
    722,
    778,
    667,
    778,
    722,
    667,
    611,
    722,
    667,
    944,
    667,
    667,
    611,
    278,
    278,
    278,
    469,
    556,
    333,
    556,
    556,
    500,
    556,
    556,
    278,
    556,
    556,
    222,
    222,
    500,
    222,
    833,
    556,
    556,
    556,
    556,
    333,
    500,
    278,
    556,
    500,
    722,
    500,
    500,
    500,
    334,
    260,
    334,
    584,
)


def _advance(character: str) -> int:
    code = ord(character)
    if 32 <= code < 127:
        return _ASCII[code - 32]
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if code >= 0x1F000:
        return 1300
    return 1000 if unicodedata.east_asian_width(character) in "WF" else 640


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Estimate the width of `text` in px at `size` px.

    >>> round(width("Order placed", 12), 1)
    73.5
    """
    return sum(map(_advance, text)) / 1000 * size * _MARGIN * (1.07 if bold else 1.0)


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Cut `text` with an ellipsis so that it takes at most `room` px.

    >>> fit("Order placed", 12, 200), fit("Order placed", 12, 50)
    ('Order placed', 'Order…')
    """
    if width(text, size, bold=bold) <= room:
        return text
    used, kept = width("…", size, bold=bold), 0
    for character in text:
        used += width(character, size, bold=bold)
        if used > room:
            break
        kept += 1
    while kept and unicodedata.combining(text[kept : kept + 1] or " "):
        kept -= 1
    return text[:kept].rstrip() + "…"


def wrap(text: str, size: float, room: float, *, lines: int, bold: bool = False) -> list[str]:
    """Break `text` after spaces, underscores, hyphens and slashes into at most `lines` lines of `room` px; the last is cut.

    >>> wrap("one two three four", 10, 45, lines=2)
    ['one two', 'three fo…']
    >>> wrap("organic_search", 13, 70, lines=2)
    ['organic_', 'search']
    """
    out: list[str] = []
    pieces = _PIECE.findall(text)
    while pieces and len(out) < lines - 1:
        line, taken = pieces[0], 1
        while taken < len(pieces) and width((line + pieces[taken]).rstrip(), size, bold=bold) <= room:
            line += pieces[taken]
            taken += 1
        if width(line.rstrip(), size, bold=bold) > room:
            break
        out.append(line.rstrip())
        pieces = pieces[taken:]
    rest = "".join(pieces).strip()
    return [*out, fit(rest, size, room, bold=bold)] if rest else [line for line in out if line]

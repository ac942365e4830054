"""Build SVG markup in which a caller's text can only ever be text.

`Svg` is markup; `str` is not. Elements take `Svg` children only, and text becomes `Svg` through `words`, which escapes
it, so forgetting to escape is a type error.
"""

from __future__ import annotations

from typing import NewType

from journeymine.maps.right_to_left import isolated
from journeymine.maps.wording import legible

__all__ = ["NOTHING", "Svg", "element", "escape", "group", "join", "label", "number", "title", "words"]

Svg = NewType("Svg", str)

NOTHING = Svg("")
"""No markup."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escape(text: str) -> str:
    """Escape for element content and for quoted attributes alike.

    >>> escape("</script>'")
    '&lt;/script&gt;&#39;'
    """
    return legible(text).translate(_ESCAPES)


def number(value: float) -> str:
    """Write a coordinate: two decimals at most, never an exponent.

    >>> number(3.0), number(2.456), number(-0.001)
    ('3', '2.46', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def words(text: str) -> Svg:
    """Turn a caller's text into markup, names that run from right to left apart from what is around them."""
    return Svg(isolated(legible(text)).translate(_ESCAPES))


def join(*parts: Svg) -> Svg:
    """Set pieces of markup one after another."""
    return Svg("".join(parts))


def element(tag: str, *children: Svg, **attributes: str | float | None) -> Svg:
    """Build one element. ``class_`` gives ``class``; other underscores become hyphens; None leaves an attribute out.

    >>> element("rect", x=1.5, class_="box", data_name="<a>")
    '<rect x="1.5" class="box" data-name="&lt;a&gt;"/>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, (int, float)) else escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Svg(f"<{tag}{written}>{''.join(children)}</{tag}>" if children else f"<{tag}{written}/>")


def group(*children: Svg, **attributes: str | float | None) -> Svg:
    """Group elements."""
    return element("g", *children, **attributes)


def title(text: str) -> Svg:
    """Name an element for those who hover or listen."""
    return element("title", words(text))


def label(x: float, y: float, text: str, class_: str, *, anchor: str | None = None) -> Svg:
    """Set one line of text with its baseline at y; empty text gives nothing."""
    return element("text", words(text), x=x, y=y, class_=class_, text_anchor=anchor) if text else NOTHING

"""Write a map to a file: the form follows the suffix, and the file is either the old one or the whole new one."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from journeymine.errors import MissingExtraError, QuestionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from journeymine.maps.specification import MapSpecification

__all__ = ["SUFFIXES", "preview", "render", "save"]

_LONGEST_SIDE = 12_000.0


def _html(spec: MapSpecification) -> bytes:
    from journeymine.maps.html import to_html

    return to_html(spec).encode()


def _svg(spec: MapSpecification) -> bytes:
    from journeymine.maps.svg import to_svg

    return to_svg(spec).encode()


def _png(spec: MapSpecification) -> bytes:
    """Twice the size on screen, less where the picture would be larger than viewers open."""
    from journeymine.maps.svg import size, to_svg

    convert = _converter("svg_to_png")
    return convert(to_svg(spec), scale=min(2.0, _LONGEST_SIDE / max(size(spec))))


def preview(spec: MapSpecification, *, wide: float = 760.0) -> bytes | None:
    """Return a PNG of the map `wide` px wide at most, light enough for a notebook; None without the extra ``maps``."""
    from journeymine.maps.svg import size, to_svg

    try:
        convert = _converter("svg_to_png")
    except MissingExtraError:
        return None
    width, height = size(spec)
    return convert(to_svg(spec), scale=min(1.0, wide / width, _LONGEST_SIDE / height))


def _pdf(spec: MapSpecification) -> bytes:
    """Fonts made of pictures cannot be set into a PDF: where one would be needed, its signs become boxes."""
    from journeymine.maps.pdf_order import fixed_order
    from journeymine.maps.svg import to_svg

    convert, svg = _converter("svg_to_pdf"), to_svg(spec)
    try:
        return fixed_order(convert(svg))
    except RuntimeError:
        return fixed_order(convert("".join(map(_without_picture, svg))))


def _without_picture(character: str) -> str:
    joins = character in "\u200d\ufe0f\u20e3"
    return "" if joins else "\u25a1" if ord(character) >= 0x1F000 or 0x2600 <= ord(character) < 0x2800 else character


def _markdown(spec: MapSpecification) -> bytes:
    from journeymine.maps.markdown import to_markdown

    return to_markdown(spec).encode()


def _json(spec: MapSpecification) -> bytes:
    return spec.to_json().encode()


def _converter(name: str) -> Callable[..., bytes]:
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtraError.naming("vl-convert-python", "maps") from error
    convert: Callable[..., bytes] = getattr(vl_convert, name)
    return convert


_FORMS: dict[str, Callable[[MapSpecification], bytes]] = {
    ".html": _html,
    ".svg": _svg,
    ".png": _png,
    ".pdf": _pdf,
    ".md": _markdown,
    ".json": _json,
}
SUFFIXES = tuple(_FORMS)
"""The suffixes that `save` knows."""


def render(spec: MapSpecification, suffix: str) -> bytes:
    """Return the bytes of one form.

    Raises
    ------
    QuestionError : the suffix is not one of `SUFFIXES`.
    MissingExtraError : PNG or PDF without the extra ``maps``.
    """
    form = _FORMS.get(suffix.lower())
    if form is None:
        raise QuestionError(f"a journey map cannot be saved as {suffix!r}", hint=f"use one of {', '.join(SUFFIXES)}")
    return form(spec)


def save(spec: MapSpecification, path: str | Path) -> Path:
    """Write the map to `path`, whole or not at all, and return the path.

    Raises
    ------
    QuestionError, MissingExtraError : as `render`; or `path` is none.
    OSError : the folder does not exist, cannot be written to, or is full.
    """
    if not isinstance(path, str | os.PathLike):
        raise QuestionError(f"{path!r} is no path", hint="save('map.html')")
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to save the map in", str(target.parent))
    content = render(spec, target.suffix)
    part = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target

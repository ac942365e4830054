"""The journey map as an object: what it says (`spec`), and the ways to look at it and to keep it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from journeymine.maps.markup import escape

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from journeymine.maps.specification import MapSpecification

__all__ = ["JourneyMap"]

_FRAMED = (
    "@media screen{.journeymine-map{min-height:640px;max-height:880px;overflow:hidden}}"
    "@media print{.journeymine-map iframe{display:none}}"
)


@dataclass(frozen=True, slots=True)
class JourneyMap:
    """A journey map, ready to show and to save. Made by `journey_map`; it shows itself in a notebook.

    Parameters
    ----------
    spec : what the map says; see `MapSpecification`.
    """

    spec: MapSpecification

    def __repr__(self) -> str:
        header = self.spec.header
        n = "" if header.n_journeys is None else f": {header.n_journeys:,} journeys"
        return f"<JourneyMap {header.title!r}{n}, {len(self.spec.nodes)} touchpoints, {len(self.spec.flows)} flows>"

    def save(self, path: str | Path) -> Path:
        """Write the map to a file; its suffix decides the form: .html .svg .png .pdf .md .json.

        The file is written whole or not at all. PNG and PDF need the extra ``maps``; no form needs a browser.

        Raises
        ------
        QuestionError : the suffix is another one.
        MissingExtraError : PNG or PDF is asked for without the extra.
        """
        from journeymine.maps.export import save

        return save(self.spec, path)

    def to_html(self) -> str:
        """Return the map as a self-contained HTML page."""
        from journeymine.maps.html import to_html

        return to_html(self.spec)

    def to_svg(self, *, dark: bool = False) -> str:
        """Return the map as a complete SVG file, without script; `dark` draws it in dark colours."""
        from journeymine.maps.svg import to_svg

        return to_svg(self.spec, dark=dark)

    def to_markdown(self) -> str:
        """Return the map as Markdown."""
        from journeymine.maps.markdown import to_markdown

        return to_markdown(self.spec)

    def to_json(self) -> str:
        """Return the map as JSON, from which `MapSpecification.from_json` builds it again."""
        return self.spec.to_json()

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame that cannot reach out of itself.

        The frame lies over a still picture. A notebook that is not trusted strips the frame, and of the styles that it
        keeps none must cut or hide what is then all there is: so the picture stands in the flow, as wide as there is
        room. What bounds its height is a style sheet, which goes where frames go; on paper the picture is shown instead
        of the frame.
        """
        still = base64.b64encode(self.to_svg().encode()).decode()
        name = escape(f"Journey map: {self.spec.header.title}")
        return (
            f"<style>{_FRAMED}</style>"
            f'<div class="journeymine-map" style="position:relative">'
            f'<img alt="{name}" src="data:image/svg+xml;base64,{still}" style="display:block;width:100%;height:auto">'
            f'<iframe title="{name}" sandbox="allow-scripts allow-downloads" srcdoc="{_attribute(self.to_html())}" '
            f'style="position:absolute;top:0;left:0;width:100%;height:100%;border:0;background:#fff"></iframe></div>'
        )

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str | bytes]:
        """Show the page, and beside it a small still picture for what takes no HTML: converters to PDF, Markdown, sanitised pages.

        The picture needs the extra ``maps``; without it there is none.
        """
        from journeymine.maps.export import preview

        bundle: dict[str, str | bytes] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        picture = preview(self.spec)
        return bundle if picture is None else {**bundle, "image/png": picture}


def _attribute(html: str) -> str:
    """Escape a whole document for an attribute; unlike `escape`, this keeps its line breaks."""
    return html.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")

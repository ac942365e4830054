"""Arguments that are on or off."""

from __future__ import annotations

from journeymine.errors import QuestionError

__all__ = ["check_switch"]


def check_switch(given: object, *, name: str) -> None:
    """Refuse what is neither True nor False: any text would count as on."""
    if not isinstance(given, bool):
        raise QuestionError(f"{name}={given!r}", hint="give True or False")

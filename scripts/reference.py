"""Write docs/reference.md: every public name, its parameters, and what it is for.

python scripts/reference.py          # rewrites the page
python scripts/reference.py --check  # fails where the page is out of date
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from made_page import write_or_check

import journeymine as jm

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
INTRO = """# Reference

Every public name of `journeymine`, its parameters, and what it is for. `help(jm.friction)` gives the full text: shapes, units,
errors, and the source of each formula. [schemas.md](schemas.md) describes the tables that come back.

Made by `scripts/reference.py` from the library itself; a test keeps it true.
"""
SECTIONS: dict[str, tuple[str, ...]] = {
    "Read a log": ("read_events", "read_config", "EventSchema", "Source", "StageMap", "Events", "sample", "write_sample"),
    "Build journeys": ("build_journeys", "JourneyRules", "Predicate", "Journeys"),
    "Conversion and drop-off": ("conversion", "drop_off", "stage_reach", "funnel"),
    "Paths": ("transitions", "TransitionGraph", "variants", "typical_order", "markov", "MarkovChain", "MarkovChains"),
    "Where it hurts": ("friction", "handoffs", "first_contact_resolution", "decision_points", "satisfaction"),
    "Time": ("time_to_convert", "dwell", "waiting", "activity"),
    "Coming again": ("retention", "life_cycle", "stickiness", "win_back", "repeat_rate", "customer_value"),
    "Credit": ("attribution", "attribution_from_paths", "choose_order", "choose_order_from_paths", "OrderChoice"),
    "Differences": ("compare", "before_after", "decompose"),
    "What to mend first": ("opportunities", "rank_opportunities"),
    "Journey maps": ("journey_map", "compare_maps", "journey_map_of_user", "JourneyMap", "MapSpecification", "map_measures"),
    "Many questions, large logs, many nights": (
        "mine", "Mined", "InMemory", "Buckets", "Spark", "NightlyState", "Measure", "Counts", "finish", "Result",
    ),
    "Errors": ("JourneymineError",),
}  # fmt: skip
PAGES: dict[str, tuple[str, ...]] = {
    "Read a log": ("tour", "concepts", "sample-data"),
    "Build journeys": ("concepts",),
    "Conversion and drop-off": ("conversion-and-drop-off", "funnel"),
    "Paths": ("transitions", "markov"),
    "Where it hurts": ("friction", "handoffs", "decision-points", "satisfaction"),
    "Time": ("time",),
    "Coming again": ("retention",),
    "Credit": ("attribution",),
    "Differences": ("compare",),
    "What to mend first": ("opportunities",),
    "Journey maps": ("journey-map",),
    "Many questions, large logs, many nights": ("engines", "spark", "nightly"),
}
"""Where a section is explained."""
METHODS: dict[str, tuple[str, ...]] = {
    "Events": ("check", "report", "quarantine", "frame", "span", "currency"),
    "Journeys": ("table", "steps", "between", "where", "through", "dropped", "segment", "join_users", "report", "notes"),
    "StageMap": ("of", "names", "lookup", "unmatched", "to_toml"),
    "TransitionGraph": ("edges", "nodes", "steps", "of", "simplify", "to_networkx", "to_scipy", "plot"),
    "MarkovChain": ("states", "moves", "conversion", "summary", "visits", "what_if", "gained"),
    "JourneyMap": ("save", "to_html", "to_svg", "to_markdown", "to_json"),
    "NightlyState": (
        "create", "open", "advance", "results", "report", "nights", "quarantine", "erase", "rebuild", "verify", "repair",
    ),
    "Counts": ("merge", "save", "load"),
    "Result": ("plot",),
    "Mined": ("report", "tables"),
}  # fmt: skip
"""What users call of each class; the rest serves engines and measures."""
_MEASURE = re.compile(r"The measure behind `(\w+)`")


def first_line(thing: object) -> str:
    """The first sentence of a docstring, as one line of a table."""
    told = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    return " ".join(told.split()).replace("|", "\\|").replace("``", "`")


def called(name: str, thing: object) -> str:
    """A name with its parameters: those with a default after ``=``, those that must be named after ``*``."""
    try:
        given = inspect.signature(thing).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return name
    told: list[str] = []
    for each in given:
        if each.name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and not any(one.startswith("*") for one in told):
            told.append("*")
        stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        told.append(f"{stars}{each.name}{'' if each.default is each.empty else '=' + default_of(each.default)}")
    return f"{name}({', '.join(told)})"


def default_of(value: object) -> str:
    """A default as one would write it; of long ones only that there is one."""
    told = repr(value)
    return told if len(told) <= 20 and "<" not in told and " object" not in told else "…"


def measures() -> dict[str, str]:
    """The measure class behind each short form."""
    found = {name: _MEASURE.match(first_line(getattr(jm, name))) for name in jm.__all__}
    return {match[1]: name for name, match in found.items() if match}


def rows_of_class(name: str) -> Iterator[str]:
    """A line for each member that users call."""
    kind = getattr(jm, name)
    for member in METHODS.get(name, ()):
        static = inspect.getattr_static(kind, member)
        thing = static if isinstance(static, property) else getattr(kind, member)
        is_call = callable(thing) and not isinstance(static, property)
        about = (
            first_line(thing)
            if is_call or isinstance(static, property) or hasattr(static, "func")
            else field(kind, member)
        )
        yield f"| `{name}.{called(member, thing) if is_call else member}` | {about} |"


def field(kind: type, member: str) -> str:
    """What the class says of one of its attributes."""
    found = re.search(rf"^{member} : (.+)$", inspect.getdoc(kind) or "", re.MULTILINE)
    if found is None:
        raise SystemExit(f"{kind.__name__} says nothing of its attribute {member!r}")
    return found[1]


def page() -> str:
    """The whole page."""
    behind = measures()
    listed = [name for names in SECTIONS.values() for name in names]
    missing = {name for name in jm.__all__ if not name.startswith("_")} - {*listed, *behind.values()}
    if missing:
        raise SystemExit(f"the page names no section for {sorted(missing)}")
    parts = [INTRO]
    for title, names in SECTIONS.items():
        pages = ", ".join(f"[{page}]({page}.md)" for page in PAGES.get(title, ()))
        lines = [
            f"## {title}\n",
            *([f"Explained in {pages}.\n"] if pages else []),
            "| name | what it is for |",
            "|---|---|",
        ]
        for name in names:
            thing = getattr(jm, name)
            measure = f" Measure: `{behind[name]}`." if name in behind else ""
            lines.append(
                f"| `{called(name, thing) if inspect.isfunction(thing) else name}` | {first_line(thing)}{measure} |"
            )
            lines += rows_of_class(name)
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    write_or_check(PAGE, page())

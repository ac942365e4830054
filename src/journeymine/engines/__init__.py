"""Where the counting runs."""

from typing import TYPE_CHECKING, Any

from journeymine.engines.buckets import Buckets
from journeymine.engines.mine import Counted, Engine, InMemory, mine
from journeymine.engines.mined import Mined

if TYPE_CHECKING:
    from journeymine.engines.spark import Spark

__all__ = ["Buckets", "Counted", "Engine", "InMemory", "Mined", "Spark", "mine"]


def __getattr__(name: str) -> Any:
    # it brings Arrow for Python along, which no other engine needs
    if name == "Spark":
        from journeymine.engines.spark import Spark

        return Spark
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Where the counting runs."""

from journeymine.engines.buckets import Buckets
from journeymine.engines.mine import Engine, InMemory, mine
from journeymine.engines.mined import Mined

__all__ = ["Buckets", "Engine", "InMemory", "Mined", "mine"]

"""Where the counting runs."""

from journeymine.engines.mine import Engine, InMemory, mine
from journeymine.engines.mined import Mined

__all__ = ["Engine", "InMemory", "Mined", "mine"]

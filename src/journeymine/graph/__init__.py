"""The process-mining core: transitions and variants."""

from journeymine.graph.positions import TypicalOrder, typical_order
from journeymine.graph.transition_graph import TransitionGraph
from journeymine.graph.transitions import Transitions, transitions
from journeymine.graph.variants import Variants, variants

__all__ = ["TransitionGraph", "Transitions", "TypicalOrder", "Variants", "transitions", "typical_order", "variants"]

"""The process-mining core: transitions, variants and the Markov chain."""

from journeymine.graph.markov import Markov, markov
from journeymine.graph.markov_chain import MarkovChain
from journeymine.graph.markov_groups import MarkovChains
from journeymine.graph.positions import TypicalOrder, typical_order
from journeymine.graph.transition_graph import TransitionGraph
from journeymine.graph.transitions import Transitions, transitions
from journeymine.graph.variants import Variants, variants

__all__ = [
    "Markov",
    "MarkovChain",
    "MarkovChains",
    "TransitionGraph",
    "Transitions",
    "TypicalOrder",
    "Variants",
    "markov",
    "transitions",
    "typical_order",
    "variants",
]

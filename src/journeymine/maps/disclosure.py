"""Which figures must be withheld too, so that none which is withheld can be computed from those that are shown.

What flows into a place flows out of it: the figures of a map are the edges of one circulation (the start, each
touchpoint, each stage × channel where journeys end, the outcomes, and back to the start). Whoever reads the shown
figures knows the sums over withheld edges across each cut of that graph, and nothing else. A sum of withheld figures is
therefore laid open exactly where a cut is crossed by withheld edges in one direction only; an edge that lies on a
directed cycle of withheld edges is in no such cut (Minty's lemma). Edges that enough users stand behind may be in one:
a sum with such an edge has enough users, too. So every figure of too few users must lie on a cycle once the withheld
figures of many are contracted; where it does not, the cheapest path back is withheld as well.

References
----------
.. [1] Gusfield (1988), A graph theoretic approach to statistical data security, SIAM J. Comput. 17(3).
.. [2] Minty (1966), On the axiomatic foundations of the theories of directed linear graphs.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Figure", "complement"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A count that flows from `tail` to `head`, and at least how many `users` stand behind it.

    `cost` is how much a reader would miss it; `shown` whether it would be shown.
    """

    tail: Hashable
    head: Hashable
    users: int
    shown: bool
    cost: float = 1.0


def complement(figures: Sequence[Figure], min_group: int, sums: Collection[Hashable] = ()) -> list[int]:
    """Positions of the figures to withhold besides those that are not shown already.

    Parameters
    ----------
    figures : the whole circulation.
    min_group : fewest users.
    sums : heads of withheld figures whose sum may be known, since enough users stand behind all of them together. They
        must then only be kept from being told apart: their tails are made one place.

    Examples
    --------
    Of three flows out of ``a`` the small one is withheld; the total would give it away, so a second one goes with it.

    >>> flows = [Figure("s", "a", 90, True, 9e9), Figure("a", "x", 3, False), Figure("a", "y", 40, True, 40)]
    >>> ends = [Figure("x", "s", 50, True, 50), Figure("y", "s", 40, True, 40), Figure("s", "x", 47, True, 47)]
    >>> complement([*flows, *ends], min_group=10)
    [2, 4, 5]
    """
    index = {name: i for i, name in enumerate(dict.fromkeys(end for f in figures for end in (f.tail, f.head)))}
    ends = [(index[f.tail], index[f.head]) for f in figures]
    merged = _Merged(len(index))
    small = [i for i, f in enumerate(figures) if not f.shown and f.users < min_group]
    for i, f in enumerate(figures):
        if not f.shown and f.users >= min_group:
            merged.join(*ends[i])
    shown = {i for i, f in enumerate(figures) if f.shown}
    withheld: list[int] = []
    heads = {index[name] for name in sums if name in index}
    while True:
        small = [i for i in small if merged.find(ends[i][0]) != merged.find(ends[i][1])]
        _contract([(merged.find(ends[i][0]), merged.find(ends[i][1])) for i in small], merged, heads, len(index))
        # What lies on a cycle stays on it: what is left lies on none.
        small = [i for i in small if merged.find(ends[i][0]) != merged.find(ends[i][1])]
        if not small:
            return sorted(withheld)
        bare = (merged.find(ends[small[0]][0]), merged.find(ends[small[0]][1]))
        others = (
            {merged.find(ends[i][0]) for i in small if merged.find(ends[i][1]) == bare[1]}
            if bare[1] in heads
            else set()
        )
        if others == {bare[0]}:
            merged.join(*bare)
            continue
        path = _path(
            figures, ends, merged, [] if others else small, shown, *((min(others), max(others)) if others else bare)
        )
        for i in path:
            shown.discard(i)
            withheld.append(i)
            merged.join(*ends[i])


class _Merged:
    """Places that withheld figures of many users make one."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def join(self, a: int, b: int) -> None:
        self.parent[self.find(b)] = self.find(a)


def _contract(small: list[tuple[int, int]], merged: _Merged, heads: Collection[int], n: int) -> None:
    """Make one place of those that directed cycles of small withheld edges tie together.

    A cut between two of them is crossed in both directions, so it says nothing; any other cut is one of the contracted
    graph. A large log has many small flows, and nearly all of them lie on cycles.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not small:
        return
    tails, heads_of = np.array(small).T
    graph = coo_array((np.ones(len(small)), (tails, heads_of)), shape=(n, n))
    _, component = connected_components(graph, directed=True, connection="strong")
    first: dict[int, int] = {}
    for place in sorted({end for edge in small for end in edge}, key=lambda place: (place not in heads, place)):
        merged.join(first.setdefault(int(component[place]), place), place)


def _path(
    figures: Sequence[Figure], ends: list[tuple[int, int]], merged: _Merged, small: list[int], shown: set[int],
    goal: int, start: int,
) -> list[int]:  # fmt: skip
    """Shown figures on the cheapest path between two places; small withheld edges are free in their direction."""
    import heapq

    ways: dict[int, list[tuple[float, int, int]]] = {}
    for i in small:
        tail, head = (merged.find(end) for end in ends[i])
        ways.setdefault(tail, []).append((0.0, head, i))
    for i in sorted(shown):
        tail, head = (merged.find(end) for end in ends[i])
        ways.setdefault(tail, []).append((figures[i].cost, head, i))
        ways.setdefault(head, []).append((figures[i].cost, tail, i))
    best: dict[int, float] = {start: 0.0}
    came: dict[int, tuple[int, int]] = {}
    queue = [(0.0, start)]
    while queue:
        cost, here = heapq.heappop(queue)
        if here == goal:
            break
        if cost > best[here]:
            continue
        for more, there, i in ways.get(here, ()):
            if cost + more < best.get(there, float("inf")):
                best[there], came[there] = cost + more, (here, i)
                heapq.heappush(queue, (cost + more, there))
    path, here = [], goal
    while here in came and here != start:
        here, i = came[here]
        if i in shown:
            path.append(i)
    if here != start or not path:  # Every way is withheld already: to a reader the two are one place.
        merged.join(goal, start)
    return path

"""Systems of equations for the whole and its replicates, each solved by one thread.

LAPACK has all its threads work on every matrix of a hundred rows and more. For sixty-five matrices of a few hundred rows they
wait for each other longer than they compute, and they wait busily: on a machine with other work ten times as long as one thread
takes. So elimination goes block by block here, in products that are too small to be shared out, and threads take a matrix each.

No rows are exchanged between blocks: I − Q is a diagonally dominant M-matrix, and needs none ([1]_ § 3.4.10).

References
----------
.. [1] G. H. Golub, C. F. Van Loan, *Matrix Computations*, 4th ed. (2013).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from journeymine.parallel import on_all_cores

__all__ = ["inverse", "solve"]

Floats = npt.NDArray[np.float64]
_ALONE, _SHARED = 96, 1_000
"""Matrices of up to so many rows are left to LAPACK, which takes one thread for them; and those of more, which are worth sharing."""
_BLOCK = 48
_PRODUCT = 1 << 18
"""Multiplications in a product that takes one thread."""


def inverse(left: Floats) -> Floats:
    """left⁻¹, shape [R, K, K]."""
    return solve(left, np.broadcast_to(np.eye(left.shape[1]), left.shape))


def solve(left: Floats, right: Floats) -> Floats:
    """left⁻¹ right, shape [R, K, Y], of diagonally dominant `left` of shape [R, K, K].

    >>> solve(np.array([[[2.0, -1.0], [-1.0, 2.0]]]), np.array([[[1.0], [1.0]]]))[0].tolist()
    [[1.0], [1.0]]
    """
    if not _ALONE < left.shape[1] <= _SHARED:
        return np.asarray(np.linalg.solve(left, right))
    found = np.empty(right.shape)

    def one(r: int) -> None:
        found[r] = _eliminated(np.concatenate((left[r], right[r]), axis=1))

    on_all_cores(one, range(len(left)))
    return found


def _eliminated(rows: Floats) -> Floats:
    """The solution of one system, its right side behind its left; `rows` is used up."""
    K = len(rows)
    found = rows[:, K:]
    for low in range(0, K, _BLOCK):
        block, behind = slice(low, low + _BLOCK), slice(low + _BLOCK, None)
        here = rows[block, block] if low + _BLOCK <= K else rows[low:, low:K]
        after = rows[block, low + here.shape[1] :]
        after[:] = _times(np.asarray(np.linalg.inv(here)), after)
        for there in range(low + _BLOCK, K, _BLOCK):
            below = rows[there : min(there + _BLOCK, K)]
            below[:, behind] -= _times(below[:, block], after)
    for low in range((K - 1) // _BLOCK * _BLOCK, 0, -_BLOCK):
        known = found[low : low + _BLOCK]
        for there in range(0, low, _BLOCK):
            found[there : there + _BLOCK] -= _times(rows[there : there + _BLOCK, low : min(low + _BLOCK, K)], known)
    return found


def _times(a: Floats, b: Floats) -> Floats:
    """The product of a block and `b`, some columns of `b` at a time."""
    if b.shape[1] == 1 or a.size * b.shape[1] <= _PRODUCT:
        return a @ b
    found, wide = np.empty((len(a), b.shape[1])), _PRODUCT // a.size
    for low in range(0, b.shape[1], wide):
        found[:, low : low + wide] = a @ b[:, low : low + wide]
    return found

"""The labels of least energy in a Markov random field with two labels, by a minimum cut."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

#: SciPy counts flow in 32 bits, and flow in one direction doubles what is left in the other.
_LARGEST = 2**30 - 1


def minimum_cut(
    costs: NDArray[np.float64], pairs: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Minimize ``E(x) = sum_p costs[x_p, p] + sum_(p,q) weights[p,q] [x_p != x_q]`` exactly.

    The minimum is a minimum cut between two terminals: a node's label says which one it stays
    connected to. Capacities are whole numbers, the largest one about 2^30, so the energy found is
    above the least one by at most ``(N + M) / 2^30`` times the largest cost or weight.

    Args:
        costs: (2, N), of either label for each node.
        pairs: (M, 2), the nodes of each pair; no pair occurs twice.
        weights: (M,), at least 0.

    Returns:
        (N,), the labels. Of several minima, that with the fewest nodes labeled 1.

    Source: Greig, Porteous and Seheult 1989; Boykov and Jolly 2001.
    """
    count = costs.shape[1]
    source, sink = count, count + 1
    nodes = np.arange(count)
    # A node of label 1 is on the source's side, so that its edge to the sink is cut.
    extra = costs - costs.min(axis=0)
    tails = np.concatenate([np.full(count, source), nodes, pairs[:, 0], pairs[:, 1]])
    heads = np.concatenate([nodes, np.full(count, sink), pairs[:, 1], pairs[:, 0]])
    capacities = np.concatenate([extra[0], extra[1], weights, weights])
    largest = capacities.max(initial=0)
    if largest == 0:
        return np.zeros(count, dtype=bool)
    whole = np.rint(capacities * (_LARGEST / largest)).astype(np.int32)
    # Indices of 32 bits: maximum_flow of older SciPy releases refuses those of 64.
    places = (tails.astype(np.int32), heads.astype(np.int32))
    graph = csr_array(coo_array((whole, places), shape=(count + 2, count + 2)))
    left = csr_array(graph - maximum_flow(graph, source, sink).flow)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    labels = np.zeros(count + 2, dtype=bool)
    labels[reached] = True
    return labels[:count]

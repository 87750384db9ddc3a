"""Jitted kernels of contrastive.py: products and weighted sums of the rows that a sparse pattern links.

Every output row belongs to one thread and is summed in a fixed order: runs agree bit for bit.
"""

from __future__ import annotations

from numba import prange

from xlembed.jit import njit


@njit(parallel=True, fastmath=True, cache=True)
def products(one, other, rows, columns, out):
    """out[e] = one[rows[e]] . other[columns[e]]"""
    for link in prange(len(rows)):
        row, column = rows[link], columns[link]
        total = one.dtype.type(0)
        for i in range(one.shape[1]):
            total += one[row, i] * other[column, i]
        out[link] = total


@njit(parallel=True, cache=True)
def add_weighted_in_place(out, starts, order, weights, links, values):
    """out[r] += sum over e in order[starts[r]:starts[r + 1]] of weights[e] values[links[e]]"""
    for row in prange(len(out)):
        for at in range(starts[row], starts[row + 1]):
            link = order[at]
            weight, source = weights[link], links[link]
            for i in range(out.shape[1]):
                out[row, i] += weight * values[source, i]

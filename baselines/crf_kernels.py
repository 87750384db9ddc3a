"""Jitted forward-backward and Viterbi of linear-chain CRFs, sentence by sentence.

Sentences lie one after the other: words offsets[s] .. offsets[s + 1] belong to sentence s. Transitions are
(n_labels + 2, n_labels): from tag (row) to tag, then the start's row, then what each tag scores at the end. Here
they come as exponentials, `factors`, after the greatest was taken off. Each word's emissions are taken as exponentials
in the same way, its alphas and betas are scaled to sum one, so that nothing overflows.
"""

from __future__ import annotations

import numpy as np

from xlembed.jit import njit

_TINY = 1e-300


@njit(nogil=True, cache=True)
def forward_backward(emissions, offsets, transitions, log_z, marginals, pair_sums):
    """Fill log_z (n_sentences,) and marginals (n_words, n_labels), and add to pair_sums (n_labels + 2, n_labels).

    pair_sums takes the expected counts of transitions, starts and ends.
    """
    n_labels = emissions.shape[1]
    shift = transitions.max()
    factors = np.exp(transitions - shift)
    longest = 0
    for s in range(len(log_z)):
        longest = max(longest, offsets[s + 1] - offsets[s])
    potentials, alpha, beta = (np.empty((longest, n_labels)), np.empty((longest, n_labels)),
                               np.empty((longest, n_labels)))  # fmt: skip
    for s in range(len(log_z)):
        first, n = offsets[s], offsets[s + 1] - offsets[s]
        if n == 0:
            log_z[s] = 0.0
            continue
        greatest = _exponentials(emissions[first : first + n], potentials)
        log_z[s] = greatest + (n + 1) * shift + _forward(potentials, factors, n, alpha)
        _backward(potentials, factors, n, beta)
        _add_expected(alpha, beta, potentials, factors, n, marginals[first : first + n], pair_sums)


@njit(nogil=True, cache=True)
def _exponentials(emissions, potentials):
    """potentials = exp(emissions - the greatest of the word); the sum of the greatest."""
    total = 0.0
    for i in range(len(emissions)):
        greatest = emissions[i].max()
        total += greatest
        for j in range(emissions.shape[1]):
            potentials[i, j] = np.exp(emissions[i, j] - greatest)
    return total


@njit(nogil=True, cache=True)
def _forward(potentials, factors, n, alpha):
    """Scaled alphas; log of the sum of all paths."""
    n_labels = potentials.shape[1]
    total = 0.0
    for i in range(n):
        for j in range(n_labels):
            reach = factors[n_labels, j]
            if i > 0:
                reach = 0.0
                for k in range(n_labels):
                    reach += alpha[i - 1, k] * factors[k, j]
            alpha[i, j] = reach * potentials[i, j]
        total += np.log(_scale(alpha[i]))
    ending = 0.0
    for j in range(n_labels):
        ending += alpha[n - 1, j] * factors[n_labels + 1, j]
    return total + np.log(max(ending, _TINY))


@njit(nogil=True, cache=True)
def _backward(potentials, factors, n, beta):
    """Scaled betas."""
    n_labels = potentials.shape[1]
    for j in range(n_labels):
        beta[n - 1, j] = factors[n_labels + 1, j]
    for i in range(n - 2, -1, -1):
        for j in range(n_labels):
            reach = 0.0
            for k in range(n_labels):
                reach += factors[j, k] * potentials[i + 1, k] * beta[i + 1, k]
            beta[i, j] = reach
        _scale(beta[i])


@njit(nogil=True, cache=True)
def _add_expected(alpha, beta, potentials, factors, n, marginals, pair_sums):
    """p(y_i = j) into marginals; the sums of p(y_i-1 = k, y_i = j), of starts and of ends into pair_sums."""
    n_labels = potentials.shape[1]
    for i in range(n):
        for j in range(n_labels):
            marginals[i, j] = alpha[i, j] * beta[i, j]
        _scale(marginals[i])
    for j in range(n_labels):
        pair_sums[n_labels, j] += marginals[0, j]
        pair_sums[n_labels + 1, j] += marginals[n - 1, j]
    for i in range(1, n):
        total = 0.0
        for k in range(n_labels):
            for j in range(n_labels):
                total += alpha[i - 1, k] * factors[k, j] * potentials[i, j] * beta[i, j]
        total = max(total, _TINY)
        for k in range(n_labels):
            for j in range(n_labels):
                pair_sums[k, j] += alpha[i - 1, k] * factors[k, j] * potentials[i, j] * beta[i, j] / total


@njit(nogil=True, cache=True)
def _scale(row):
    """Divide a row by its sum in place; the sum."""
    total = 0.0
    for j in range(len(row)):
        total += row[j]
    total = max(total, _TINY)
    for j in range(len(row)):
        row[j] /= total
    return total


@njit(nogil=True, cache=True)
def best_paths(emissions, offsets, transitions, tags):
    """Fill tags (n_words,) with each sentence's best path; of equal ones, lower tags from the end on."""
    n_labels = emissions.shape[1]
    best, before = np.empty(n_labels), np.empty(n_labels)
    for s in range(len(offsets) - 1):
        first, n = offsets[s], offsets[s + 1] - offsets[s]
        if n == 0:
            continue
        back = np.empty((n, n_labels), dtype=np.int64)
        for j in range(n_labels):
            best[j] = transitions[n_labels, j] + emissions[first, j]
        for i in range(1, n):
            before[:] = best
            for j in range(n_labels):
                back[i, j] = np.argmax(before + transitions[:n_labels, j])
                k = back[i, j]
                best[j] = before[k] + transitions[k, j] + emissions[first + i, j]
        tag = np.argmax(best + transitions[n_labels + 1])
        for i in range(n - 1, -1, -1):
            tags[first + i] = tag
            tag = back[i, tag]

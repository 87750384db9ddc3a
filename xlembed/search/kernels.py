"""Jitted kernels of the fused search: scan a tile of similarities for candidates of rows and columns, score them.

A tile holds float32 values, or the bits of bfloat16 values as int16. The latter are compared as integers in the
order-preserving form o = x ^ ((x >> 15) & 0x7fff); for x >= 0 that is x itself, so a threshold at or above 0 is
compared with the raw bits, which no negative number reaches.

Candidates of a row are kept in a buffer, beside the k best values so far. What lies below t - margin(t), t being
the k-th of them, is not taken, and dropped when the buffer is full: no rounding error can bring it among the k best.
A row whose buffer stays full is marked by fill = -1 and left to another way.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 64  # values that are looked at together, and
PART = 16  # in a block with a candidate


@njit(nogil=True, cache=True, inline="always")
def _ordered(bits):
    return np.int16(bits ^ ((bits >> 15) & 0x7FFF))


@njit(nogil=True, cache=True)
def _value(ordered):
    """Ordered int16 -> the bfloat16 number it stands for."""
    bits = np.int32(ordered ^ ((ordered >> 15) & 0x7FFF)) << 16
    return np.int32(bits).view(np.float32)


@njit(nogil=True, cache=True)
def _floor(value):
    """The greatest bfloat16 number at or below a float32 number, as ordered int16."""
    bits = np.float32(value).view(np.int32)
    if bits < 0:
        bits = np.int32(bits + 0xFFFF)  # away from zero is down
    return _ordered(np.int16(bits >> 16))


@njit(nogil=True, cache=True)
def _threshold16(kth, error, relative):
    """Ordered int16 below which no candidate can be among the k best, the k-th best value being known."""
    t = _value(kth)
    margin = 2 * error + 2 * relative * abs(t)
    return _floor(t - margin - 2 * relative * margin)


@njit(nogil=True, cache=True)
def _threshold32(kth, error):
    return np.float32(kth - np.float32(2.001) * error)


@njit(nogil=True, cache=True)
def _insert(tops, value):
    """Put a value that is above the last into its place among the k best, greatest first."""
    j = len(tops) - 1
    while j > 0 and tops[j - 1] < value:
        tops[j] = tops[j - 1]
        j -= 1
    tops[j] = value


@njit(nogil=True, cache=True)
def _drop_below(values, indices, fill, threshold):
    n = 0
    for i in range(fill):
        if values[i] >= threshold:
            values[n] = values[i]
            indices[n] = indices[i]
            n += 1
    return n


@njit(nogil=True, cache=True)
def _push16(side, at, value, index, error, relative):
    values, indices, tops, fills, thresholds = side
    fill = fills[at]
    values[at, fill] = value
    indices[at, fill] = index
    fill += 1
    k = tops.shape[1]
    if value > tops[at, k - 1]:
        _insert(tops[at], value)
        if tops[at, k - 1] > -32768:
            thresholds[at] = _threshold16(tops[at, k - 1], error, relative)
    if fill == values.shape[1]:
        fill = _drop_below(values[at], indices[at], fill, thresholds[at])
        if fill > 3 * values.shape[1] // 4:
            fill = -1
            thresholds[at] = 32767
    fills[at] = fill


@njit(nogil=True, cache=True)
def _push32(side, at, value, index, error):
    values, indices, tops, fills, thresholds = side
    fill = fills[at]
    values[at, fill] = value
    indices[at, fill] = index
    fill += 1
    k = tops.shape[1]
    if value > tops[at, k - 1]:
        _insert(tops[at], value)
        if tops[at, k - 1] > -np.inf:
            thresholds[at] = _threshold32(tops[at, k - 1], error)
    if fill == values.shape[1]:
        fill = _drop_below(values[at], indices[at], fill, thresholds[at])
        if fill > 3 * values.shape[1] // 4:
            fill = -1
            thresholds[at] = np.inf
    fills[at] = fill


@njit(nogil=True, cache=True, inline="always")
def _any_reaches(values, threshold, thresholds):
    """Whether one of BLOCK values reaches the row's threshold or its own; the fixed length makes it vector code."""
    hit = False
    for j in range(BLOCK):
        hit |= (values[j] >= threshold) | (values[j] >= thresholds[j])
    return hit


@njit(nogil=True, cache=True, inline="always")
def _any_of_part(values, threshold, thresholds):
    """The same for PART values."""
    hit = False
    for j in range(PART):
        hit |= (values[j] >= threshold) | (values[j] >= thresholds[j])
    return hit


@njit(nogil=True, cache=True)
def scan16(tile, row0, col0, with_cols, relative, rows, cols, row_error, col_error):
    """Take the candidates of a tile of bfloat16 bits, (n_rows, n_cols) int16.

    `rows` and `cols` are (values, indices, tops, fills, thresholds) of all rows and columns. Indices in the tile
    are counted from row0 and col0.
    """
    row_fills, row_thresholds, col_fills, col_thresholds = rows[3], rows[4], cols[3], cols[4]
    n_rows, n_cols = tile.shape
    # thresholds as raw bits: below 0 everything is looked at
    col_raw = np.full(n_cols, 32767, dtype=np.int16)
    if with_cols:
        for j in range(n_cols):
            threshold = col_thresholds[col0 + j]
            col_raw[j] = threshold if threshold >= 0 else np.int16(-32768)
    for i in range(n_rows):
        row = row0 + i
        line = tile[i]
        for start in range(0, n_cols, BLOCK):
            threshold = row_thresholds[row]
            raw = threshold if threshold >= 0 else np.int16(-32768)
            stop = min(start + BLOCK, n_cols)
            if stop - start == BLOCK and not _any_reaches(line[start:stop], raw, col_raw[start:stop]):
                continue
            for part in range(start, stop, PART):
                end = min(part + PART, stop)
                if end - part == PART and not _any_of_part(line[part:end], raw, col_raw[part:end]):
                    continue
                for j in range(part, end):
                    bits = line[j]
                    if bits < raw and bits < col_raw[j]:
                        continue
                    value = _ordered(bits)
                    if value >= row_thresholds[row] and row_fills[row] >= 0:
                        _push16(rows, row, value, col0 + j, row_error[row], relative)
                    col = col0 + j
                    if with_cols and value >= col_thresholds[col] and col_fills[col] >= 0:
                        _push16(cols, col, value, row, col_error[col], relative)
                        threshold = col_thresholds[col]
                        col_raw[j] = threshold if threshold >= 0 else np.int16(-32768)


@njit(nogil=True, cache=True)
def scan32(tile, row0, col0, with_cols, rows, cols, row_error, col_error):
    """The same for a tile of float32 values."""
    row_fills, row_thresholds, col_fills, col_thresholds = rows[3], rows[4], cols[3], cols[4]
    n_rows, n_cols = tile.shape
    local = np.full(n_cols, np.inf, dtype=np.float32)
    if with_cols:
        local[:] = col_thresholds[col0 : col0 + n_cols]
    for i in range(n_rows):
        row = row0 + i
        line = tile[i]
        for start in range(0, n_cols, BLOCK):
            threshold = row_thresholds[row]
            stop = min(start + BLOCK, n_cols)
            if stop - start == BLOCK and not _any_reaches(line[start:stop], threshold, local[start:stop]):
                continue
            for part in range(start, stop, PART):
                end = min(part + PART, stop)
                if end - part == PART and not _any_of_part(line[part:end], threshold, local[part:end]):
                    continue
                for j in range(part, end):
                    value = line[j]
                    if value >= row_thresholds[row] and row_fills[row] >= 0:
                        _push32(rows, row, value, col0 + j, row_error[row])
                    col = col0 + j
                    if with_cols and value >= local[j] and col_fills[col] >= 0:
                        _push32(cols, col, value, row, col_error[col])
                        local[j] = col_thresholds[col]


@njit(nogil=True, cache=True)
def merge16(into, other, error, relative):
    """Add another thread's candidates."""
    values, indices, _, other_fills, _ = other
    fills, thresholds = into[3], into[4]
    for at in range(len(fills)):
        for c in range(max(other_fills[at], 0)):
            if fills[at] >= 0 and values[at, c] >= thresholds[at]:
                _push16(into, at, values[at, c], indices[at, c], error[at], relative)
        if other_fills[at] < 0:
            fills[at] = -1


@njit(nogil=True, cache=True)
def merge32(into, other, error):
    """The same for float32 values."""
    values, indices, _, other_fills, _ = other
    fills, thresholds = into[3], into[4]
    for at in range(len(fills)):
        for c in range(max(other_fills[at], 0)):
            if fills[at] >= 0 and values[at, c] >= thresholds[at]:
                _push32(into, at, values[at, c], indices[at, c], error[at])
        if other_fills[at] < 0:
            fills[at] = -1


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _dot(one, other):
    total = 0.0
    for d in range(len(one)):
        total += np.float64(one[d]) * np.float64(other[d])
    return total


@njit(nogil=True, cache=True)
def best_of(queries, keys, key_bias, side, first, stop, out_indices, out_scores):
    """Score the candidates of rows first..stop in double precision and keep the k best, ties by lower index."""
    values, indices, _, fills, thresholds = side
    k = out_indices.shape[1]
    for row in range(first, stop):
        n = 0
        query = queries[row]
        for c in range(fills[row]):
            if values[row, c] < thresholds[row]:
                continue
            column = indices[row, c]
            score = np.float32(_dot(query, keys[column]) + key_bias[column])
            if n < k:
                j = n
                n += 1
            elif score > out_scores[row, k - 1] or (
                score == out_scores[row, k - 1] and column < out_indices[row, k - 1]
            ):
                j = k - 1
            else:
                continue
            while j > 0 and (
                out_scores[row, j - 1] < score or (out_scores[row, j - 1] == score and out_indices[row, j - 1] > column)
            ):
                out_scores[row, j] = out_scores[row, j - 1]
                out_indices[row, j] = out_indices[row, j - 1]
                j -= 1
            out_scores[row, j] = score
            out_indices[row, j] = column

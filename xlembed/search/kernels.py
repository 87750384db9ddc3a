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

from xlembed.jit import njit

BLOCK = 64  # values that are looked at together: in shorter loops LLVM finds no vector code
PART = 16  # rows whose greatest value bounds a column's best


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
def _make_room16(values, indices, fills, thresholds, at):
    """A full buffer is cleared of what fell below the threshold; one that stays full is marked."""
    fill = _drop_below(values[at], indices[at], fills[at], thresholds[at])
    if fill > 3 * values.shape[1] // 4:
        fill = -1
        thresholds[at] = 32767
    fills[at] = fill


@njit(nogil=True, cache=True)
def _make_room32(values, indices, fills, thresholds, at):
    fill = _drop_below(values[at], indices[at], fills[at], thresholds[at])
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


@njit(nogil=True, cache=True)
def _row_maxima(line, maxima):
    """The greatest of each of BLOCK strided groups of a row's full blocks; the row has one block at least."""
    for j in range(BLOCK):
        maxima[j] = line[j]
    for start in range(BLOCK, line.size - BLOCK + 1, BLOCK):
        block = line[start : start + BLOCK]
        for j in range(BLOCK):
            maxima[j] = block[j] if block[j] > maxima[j] else maxima[j]


@njit(nogil=True, cache=True)
def _column_maxima(tile, first, stop, maxima):
    """Of each column the greatest of rows first..stop."""
    maxima[:] = tile[first]
    for i in range(first + 1, stop):
        line = tile[i]
        for j in range(maxima.size):
            maxima[j] = line[j] if line[j] > maxima[j] else maxima[j]


@njit(nogil=True, cache=True)
def _bounds(tile, k_row, k_col, row_bounds, col_bounds):
    """Bounds from below on the k-th best of each row and column, from the greatest values of disjoint groups.

    Set in place; 0 or less says nothing (bits of negative numbers have another order). What few values in the
    first tile of a row or column are above them are candidates; without them about 90 of 1,024 would be.
    """
    n_rows, n_cols = tile.shape
    if n_cols >= BLOCK and k_row <= BLOCK:
        maxima = np.empty(BLOCK, dtype=tile.dtype)
        for i in range(n_rows):
            best = np.zeros(k_row, dtype=tile.dtype)
            _row_maxima(tile[i], maxima)
            for value in maxima:
                if value > best[k_row - 1]:
                    _insert(best, value)
            row_bounds[i] = best[k_row - 1]
    if 0 < k_col and k_col * PART <= n_rows:
        maxima = np.empty(n_cols, dtype=tile.dtype)
        best = np.zeros((n_cols, k_col), dtype=tile.dtype)
        for first in range(0, n_rows, PART):
            _column_maxima(tile, first, min(first + PART, n_rows), maxima)
            for j in range(n_cols):
                if maxima[j] > best[j, k_col - 1]:
                    _insert(best[j], maxima[j])
        col_bounds[:] = best[:, k_col - 1]


@njit(nogil=True, cache=True)
def _hits(line, threshold, thresholds, found):
    """Columns of a row whose value reaches the row's threshold or their own, into `found`; returns how many."""
    n = 0
    for start in range(0, line.size, BLOCK):
        stop = min(start + BLOCK, line.size)
        if stop - start == BLOCK and not _any_reaches(line[start:stop], threshold, thresholds[start:stop]):
            continue
        for j in range(start, stop):
            found[n] = j
            n += (line[j] >= threshold) | (line[j] >= thresholds[j])
    return n


@njit(nogil=True, cache=True, inline="always")
def _raw(threshold):
    """A threshold to compare raw bits with: below 0 everything reaches it."""
    return threshold if threshold >= 0 else np.int16(-32768)


@njit(nogil=True, cache=True)
def scan16(tile, row0, col0, with_cols, relative, rows, cols, row_error, col_error):
    """Take the candidates of a tile of bfloat16 bits, (n_rows, n_cols) int16.

    `rows` and `cols` are (values, indices, tops, fills, thresholds) of all rows and columns. Indices in the tile
    are counted from row0 and col0. Candidates are put into the buffers here, not in a function of its own:
    handing it the arrays takes several times as long as the work.
    """
    row_values, row_indices, row_tops, row_fills, row_thresholds = rows
    col_values, col_indices, col_tops, col_fills, col_thresholds = cols
    k_row, k_col = row_tops.shape[1], col_tops.shape[1]
    n_rows, n_cols = tile.shape
    found = np.empty(n_cols + 1, dtype=np.int32)
    is_first_row, is_first_col = col0 == 0, with_cols and col_fills[col0] == 0
    if is_first_row or is_first_col:
        row_bounds, col_bounds = np.zeros(n_rows, dtype=tile.dtype), np.zeros(n_cols, dtype=tile.dtype)
        _bounds(tile, row_tops.shape[1] if is_first_row else BLOCK + 1, col_tops.shape[1] if is_first_col else 0,
                row_bounds, col_bounds)  # fmt: skip
        for i in range(n_rows):
            if row_bounds[i] > 0:
                row_thresholds[row0 + i] = _threshold16(row_bounds[i], row_error[row0 + i], relative)
        for j in range(n_cols):
            if col_bounds[j] > 0:
                col_thresholds[col0 + j] = _threshold16(col_bounds[j], col_error[col0 + j], relative)
    col_raw = np.full(n_cols, 32767, dtype=np.int16)
    if with_cols:
        for j in range(n_cols):
            col_raw[j] = _raw(col_thresholds[col0 + j])
    for i in range(n_rows):
        row = row0 + i
        line = tile[i]
        for h in range(_hits(line, _raw(row_thresholds[row]), col_raw, found)):
            j = found[h]
            value = _ordered(line[j])
            fill = row_fills[row]
            if value >= row_thresholds[row] and fill >= 0:
                row_values[row, fill] = value
                row_indices[row, fill] = col0 + j
                row_fills[row] = fill + 1
                if value > row_tops[row, k_row - 1]:
                    best = k_row - 1
                    while best > 0 and row_tops[row, best - 1] < value:
                        row_tops[row, best] = row_tops[row, best - 1]
                        best -= 1
                    row_tops[row, best] = value
                    if row_tops[row, k_row - 1] > -32768:
                        threshold = _threshold16(row_tops[row, k_row - 1], row_error[row], relative)
                        row_thresholds[row] = max(row_thresholds[row], threshold)
                if fill + 1 == row_values.shape[1]:
                    _make_room16(row_values, row_indices, row_fills, row_thresholds, row)
            if with_cols:
                col = col0 + j
                fill = col_fills[col]
                if value >= col_thresholds[col] and fill >= 0:
                    col_values[col, fill] = value
                    col_indices[col, fill] = row
                    col_fills[col] = fill + 1
                    if value > col_tops[col, k_col - 1]:
                        best = k_col - 1
                        while best > 0 and col_tops[col, best - 1] < value:
                            col_tops[col, best] = col_tops[col, best - 1]
                            best -= 1
                        col_tops[col, best] = value
                        if col_tops[col, k_col - 1] > -32768:
                            threshold = _threshold16(col_tops[col, k_col - 1], col_error[col], relative)
                            col_thresholds[col] = max(col_thresholds[col], threshold)
                    if fill + 1 == col_values.shape[1]:
                        _make_room16(col_values, col_indices, col_fills, col_thresholds, col)
                    col_raw[j] = _raw(col_thresholds[col])


@njit(nogil=True, cache=True)
def scan32(tile, row0, col0, with_cols, rows, cols, row_error, col_error):
    """The same for a tile of float32 values."""
    row_values, row_indices, row_tops, row_fills, row_thresholds = rows
    col_values, col_indices, col_tops, col_fills, col_thresholds = cols
    k_row, k_col = row_tops.shape[1], col_tops.shape[1]
    n_rows, n_cols = tile.shape
    found = np.empty(n_cols + 1, dtype=np.int32)
    is_first_row, is_first_col = col0 == 0, with_cols and col_fills[col0] == 0
    if is_first_row or is_first_col:
        row_bounds, col_bounds = np.zeros(n_rows, dtype=tile.dtype), np.zeros(n_cols, dtype=tile.dtype)
        _bounds(tile, row_tops.shape[1] if is_first_row else BLOCK + 1, col_tops.shape[1] if is_first_col else 0,
                row_bounds, col_bounds)  # fmt: skip
        for i in range(n_rows):
            if row_bounds[i] > 0:
                row_thresholds[row0 + i] = _threshold32(row_bounds[i], row_error[row0 + i])
        for j in range(n_cols):
            if col_bounds[j] > 0:
                col_thresholds[col0 + j] = _threshold32(col_bounds[j], col_error[col0 + j])
    local = np.full(n_cols, np.inf, dtype=np.float32)
    if with_cols:
        local[:] = col_thresholds[col0 : col0 + n_cols]
    for i in range(n_rows):
        row = row0 + i
        line = tile[i]
        for h in range(_hits(line, row_thresholds[row], local, found)):
            j = found[h]
            value = line[j]
            fill = row_fills[row]
            if value >= row_thresholds[row] and fill >= 0:
                row_values[row, fill] = value
                row_indices[row, fill] = col0 + j
                row_fills[row] = fill + 1
                if value > row_tops[row, k_row - 1]:
                    best = k_row - 1
                    while best > 0 and row_tops[row, best - 1] < value:
                        row_tops[row, best] = row_tops[row, best - 1]
                        best -= 1
                    row_tops[row, best] = value
                    if row_tops[row, k_row - 1] > -np.inf:
                        threshold = _threshold32(row_tops[row, k_row - 1], row_error[row])
                        row_thresholds[row] = max(row_thresholds[row], threshold)
                if fill + 1 == row_values.shape[1]:
                    _make_room32(row_values, row_indices, row_fills, row_thresholds, row)
            if with_cols:
                col = col0 + j
                fill = col_fills[col]
                if value >= col_thresholds[col] and fill >= 0:
                    col_values[col, fill] = value
                    col_indices[col, fill] = row
                    col_fills[col] = fill + 1
                    if value > col_tops[col, k_col - 1]:
                        best = k_col - 1
                        while best > 0 and col_tops[col, best - 1] < value:
                            col_tops[col, best] = col_tops[col, best - 1]
                            best -= 1
                        col_tops[col, best] = value
                        if col_tops[col, k_col - 1] > -np.inf:
                            threshold = _threshold32(col_tops[col, k_col - 1], col_error[col])
                            col_thresholds[col] = max(col_thresholds[col], threshold)
                    if fill + 1 == col_values.shape[1]:
                        _make_room32(col_values, col_indices, col_fills, col_thresholds, col)
                    local[j] = col_thresholds[col]


@njit(nogil=True, cache=True)
def merge16(into, other, error, relative):
    """Add another thread's candidates."""
    values, indices, tops, fills, thresholds = into
    other_values, other_indices, _, other_fills, _ = other
    last = tops.shape[1] - 1
    for at in range(len(fills)):
        for c in range(max(other_fills[at], 0)):
            value, fill = other_values[at, c], fills[at]
            if fill >= 0 and value >= thresholds[at]:
                values[at, fill] = value
                indices[at, fill] = other_indices[at, c]
                fills[at] = fill + 1
                if value > tops[at, last]:
                    _insert(tops[at], value)
                    if tops[at, last] > -32768:
                        thresholds[at] = max(thresholds[at], _threshold16(tops[at, last], error[at], relative))
                if fill + 1 == values.shape[1]:
                    _make_room16(values, indices, fills, thresholds, at)
        if other_fills[at] < 0:
            fills[at] = -1


@njit(nogil=True, cache=True)
def merge32(into, other, error):
    """The same for float32 values."""
    values, indices, tops, fills, thresholds = into
    other_values, other_indices, _, other_fills, _ = other
    last = tops.shape[1] - 1
    for at in range(len(fills)):
        for c in range(max(other_fills[at], 0)):
            value, fill = other_values[at, c], fills[at]
            if fill >= 0 and value >= thresholds[at]:
                values[at, fill] = value
                indices[at, fill] = other_indices[at, c]
                fills[at] = fill + 1
                if value > tops[at, last]:
                    _insert(tops[at], value)
                    if tops[at, last] > -np.inf:
                        thresholds[at] = max(thresholds[at], _threshold32(tops[at, last], error[at]))
                if fill + 1 == values.shape[1]:
                    _make_room32(values, indices, fills, thresholds, at)
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

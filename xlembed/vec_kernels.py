"""Jitted kernels of the .vec reader: lines of a word and its numbers, read from bytes.

The bytes come twice: as `chars`, and as `eights`, where element i is the 8 bytes from i on, the first of them lowest.
The last line ends in a line feed, and PADDING bytes follow it. Indices are unsigned, so that no access asks whether
an index counts from the end.

Every number is np.float32(float(text)), bit for bit. A mantissa below 2**53 and a power of ten up to 10**22 are exact
doubles, so one product or quotient of them is rounded as float(text) is (Clinger 1990, "How to read floating point
numbers accurately"). For longer numbers the product lies within 2**-50 of the true value; where both ends of that
interval round to the same float32, so does all between, and where they do not the line is left to Python.
"""

from __future__ import annotations

import numpy as np

from xlembed.jit import njit

PADDING = 32  # bytes that may be looked at behind the last line

_ZERO, _ONE, _TEN = np.uint64(0), np.uint64(1), np.uint64(10)
_TWO, _SEVEN, _EIGHT, _NINE = np.uint64(2), np.uint64(7), np.uint64(8), np.uint64(9)
_LINE_FEED, _RETURN, _SPACE, _DOT, _DIGIT_0 = 10, 13, 32, 46, np.uint64(48)
_PLUS, _MINUS = 43, 45
_MAX_EXACT = np.uint64(2**53)
_MAX_DIGITS = 19  # whole numbers of 19 digits fit 64 bits
_SMALLEST = 300  # 10**-300 times any mantissa is 0 as float32
_POWERS = np.array([float(f"1e{k}") for k in range(_SMALLEST + 1)])
_WHOLE_POWERS = np.array([10**k for k in range(_MAX_DIGITS + 1)], dtype=np.uint64)


@njit(nogil=True, cache=True)
def _others(eight):
    """Bit 7 of each byte that is not a digit."""
    low = np.uint64(0x7F7F7F7F7F7F7F7F)
    over = (eight & low) + np.uint64(0x4646464646464646)  # bit 7 of bytes above "9"
    not_under = (eight | ~low) - np.uint64(0x3030303030303030)  # bit 7 of bytes of at least "0"
    return (over | ~not_under | eight) & ~low


@njit(nogil=True, cache=True)
def _first(marks):
    """Index of the first byte whose bit 7 is set: of eight, at least one is."""
    lowest = (marks & (~marks + _ONE)) >> _SEVEN
    return (lowest * np.uint64(0x0001020304050607)) >> np.uint64(56)


@njit(nogil=True, cache=True)
def _value_of_eight(eight):
    """The number of eight characters that are digits, or zero bytes in place of the first."""
    digits = eight & np.uint64(0x0F0F0F0F0F0F0F0F)
    digits = (digits * np.uint64(10 * 256 + 1)) >> _EIGHT & np.uint64(0x00FF00FF00FF00FF)
    digits = (digits * np.uint64(100 * 2**16 + 1)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
    return (digits * np.uint64(10_000 * 2**32 + 1)) >> np.uint64(32)


@njit(nogil=True, cache=True)
def _value_of_some(eight, n):
    """The number of the first n of eight characters, 0 to 7, which are digits."""
    return _value_of_eight(eight << (_EIGHT * (_SEVEN - n)) << _EIGHT)


@njit(nogil=True, cache=True)
def _is_end(char):
    return (char == _SPACE) | (char == _LINE_FEED) | (char == _RETURN)


@njit(nogil=True, cache=True)
def _nearest(mantissa, exponent, is_whole):
    """(float32 nearest to mantissa * 10**exponent, is sure); not whole: digits behind 19 were left out."""
    if mantissa == _ZERO:
        return np.float32(0), True
    if is_whole and mantissa < _MAX_EXACT and -22 <= exponent <= 22:
        if exponent < 0:
            return np.float32(np.float64(mantissa) / _POWERS[-exponent]), True
        return np.float32(np.float64(mantissa) * _POWERS[exponent]), True
    if exponent > 60:  # infinite as float32
        return np.float32(0), False
    if exponent < 0:
        near = np.float64(mantissa) / _POWERS[min(-exponent, _SMALLEST)]
    else:
        near = np.float64(mantissa) * _POWERS[exponent]
    margin = near * 2.0**-50
    low, high = np.float32(near - margin), np.float32(near + margin)
    return low, low == high and np.isfinite(high)


@njit(nogil=True, cache=True)
def _digits(chars, i, mantissa, n_kept):
    """Read digits onto a mantissa of at most 19: (index behind them, mantissa, n kept, n left out)."""
    n_left_out = 0
    while np.uint64(chars[i]) - _DIGIT_0 <= _NINE:
        if n_kept < _MAX_DIGITS:
            mantissa = mantissa * _TEN + (np.uint64(chars[i]) - _DIGIT_0)
            n_kept += mantissa > _ZERO  # zeros in front do not count
        else:
            n_left_out += 1
        i += _ONE
    return i, mantissa, n_kept, n_left_out


@njit(nogil=True, cache=True)
def _exponent(chars, i):
    """Read a whole number that may have a sign: (index behind it, number, is one).

    One of 10,000 or more is left to Python.
    """
    is_negative = chars[i] == _MINUS
    if is_negative or chars[i] == _PLUS:
        i += _ONE
    begin, exponent = i, 0
    while np.uint64(chars[i]) - _DIGIT_0 <= _NINE:
        exponent = min(exponent * 10 + np.int64(chars[i]) - 48, 10_000)
        i += _ONE
    return i, -exponent if is_negative else exponent, i > begin and exponent < 10_000


@njit(nogil=True, cache=True)
def _any_number(chars, i):
    """Read any decimal number after its sign: (index behind it, float32, is sure)."""
    begin = i
    i, mantissa, n_kept, exponent = _digits(chars, i, _ZERO, 0)
    is_whole, has_digits = exponent == 0, i > begin
    if chars[i] == _DOT:
        begin = i + _ONE
        i, mantissa, _, n_left_out = _digits(chars, begin, mantissa, n_kept)
        is_whole &= n_left_out == 0
        has_digits |= i > begin
        exponent -= np.int64(i - begin) - n_left_out
    if chars[i] == 101 or chars[i] == 69:  # e, E
        i, power, has_power = _exponent(chars, i + _ONE)
        has_digits &= has_power
        exponent += power
    number, is_sure = _nearest(mantissa, exponent, is_whole)
    return i, number, is_sure and has_digits


@njit(nogil=True, cache=True)
def _row(chars, eights, i, row):
    """Read the numbers of a line, from the first space on, into row: (index behind its line feed, is sure).

    The usual 0.12345 goes straight, others the long way. No array is handed on where that can be avoided: each time
    would count references, which takes longer than reading a number.
    """
    for column in range(len(row)):
        if chars[i] != _SPACE:
            return i, False
        while chars[i] == _SPACE:
            i += _ONE
        is_negative = chars[i] == _MINUS
        i += np.uint64(is_negative | (chars[i] == _PLUS))
        whole, eight = np.uint64(chars[i]) - _DIGIT_0, eights[i + _TWO]
        marks = _others(eight)
        n = _first(marks)
        mantissa = whole * _WHOLE_POWERS[n] + _value_of_some(eight, n)
        if marks == _ZERO:  # all eight are digits
            more = eights[i + _TEN]
            n = _first(_others(more))
            mantissa = (whole * _WHOLE_POWERS[8] + _value_of_eight(eight)) * _WHOLE_POWERS[n] + _value_of_some(more, n)
            n += _EIGHT
        end = i + _TWO + n
        if whole <= _NINE and chars[i + _ONE] == _DOT and mantissa < _MAX_EXACT and _is_end(chars[end]):
            number = np.float32(np.float64(mantissa) / _POWERS[n])
            i = end
        else:
            i, number, is_sure = _any_number(chars, i)
            if not is_sure:
                return i, False
        row[column] = -number if is_negative else number
    while chars[i] == _SPACE:
        i += _ONE
    i += np.uint64(chars[i] == _RETURN)
    return i + _ONE, chars[i] == _LINE_FEED


@njit(nogil=True, cache=True)
def read_rows(chars, eights, begin, end, rows, words):
    """Read lines of chars[begin:end] up to the first that is not a word, a space and as many plain finite numbers
    as rows, (n, dim) float32, has columns. Fills rows, and words, the bytes of the words with a line feed after each.

    Returns (n rows filled, n bytes of words, index of the line that was not read or end).
    """
    n_rows, n_bytes, i, end = 0, _ZERO, np.uint64(begin), np.uint64(end)
    while i < end and n_rows < len(rows):
        line = i
        while chars[i] != _SPACE and chars[i] != _LINE_FEED:
            words[n_bytes + i - line] = chars[i]
            i += _ONE
        length = i - line
        i, is_sure = _row(chars, eights, i, rows[n_rows])
        if length == _ZERO or not is_sure:
            return n_rows, np.int64(n_bytes), np.int64(line)
        words[n_bytes + length] = _LINE_FEED
        n_bytes += length + _ONE
        n_rows += 1
    return n_rows, np.int64(n_bytes), np.int64(i)

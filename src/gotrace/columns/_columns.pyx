"""Rows become columns: structured rows come in, values and validity bitmaps go into one block of memory.

Never here: what a column means.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from gotrace._generated cimport COPY

cdef enum:
    ROWS = 64       # rows copied at a time, few enough that they stay in the cache for all columns


# Eight bytes of 0 or 1, the first one lowest, times these have their bits, or their sum, in the high byte.
cdef uint64_t EIGHT_BITS = 0x0102040810204080
cdef uint64_t EIGHT_ONES = 0x0101010101010101


cdef inline void copy_1(const uint8_t *source, Py_ssize_t stride, uint8_t *target, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        target[0] = source[0]
        target[1] = source[stride]
        target[2] = source[2 * stride]
        target[3] = source[3 * stride]
        source += 4 * stride
        target += 4
        i += 4
    while i < n:
        target[0] = source[0]
        source += stride
        target += 1
        i += 1


cdef inline void copy_4(const uint8_t *source, Py_ssize_t stride, uint8_t *target, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        memcpy(target, source, 4)
        memcpy(target + 4, source + stride, 4)
        memcpy(target + 8, source + 2 * stride, 4)
        memcpy(target + 12, source + 3 * stride, 4)
        source += 4 * stride
        target += 16
        i += 4
    while i < n:
        memcpy(target, source, 4)
        source += stride
        target += 4
        i += 1


cdef inline void copy_8(const uint8_t *source, Py_ssize_t stride, uint8_t *target, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        memcpy(target, source, 8)
        memcpy(target + 8, source + stride, 8)
        memcpy(target + 16, source + 2 * stride, 8)
        memcpy(target + 24, source + 3 * stride, 8)
        source += 4 * stride
        target += 32
        i += 4
    while i < n:
        memcpy(target, source, 8)
        source += stride
        target += 8
        i += 1


cdef inline void map_4(const uint8_t *source, Py_ssize_t stride, const int32_t *places, uint8_t *target,
                       Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef int32_t place
    for i in range(n):
        memcpy(&place, source + i * stride, 4)
        memcpy(target + 4 * i, &places[place], 4)


cdef inline bint has_word(const uint8_t *values, int32_t word, Py_ssize_t n) noexcept nogil:
    """Return True if one of n words of 32 bits is this one."""
    cdef Py_ssize_t i
    cdef int32_t found = 0
    for i in range(n):
        found |= (<const int32_t *> values)[i] == word
    return found


cdef int64_t mark(const uint8_t *values, int width, int64_t null, Py_ssize_t n, uint8_t *bits,
                  Py_ssize_t at) noexcept nogil:
    """Set bits ``at`` and later: 0 where one of n values is null, else 1; return the number of nulls."""
    cdef uint8_t[ROWS] valid
    cdef Py_ssize_t i
    if not has_word(values, <int32_t> null, n * width // 4):      # the usual case, and a fast one
        memset(valid, 1, n)
    elif width == 8:
        for i in range(n):
            valid[i] = (<const int64_t *> values)[i] != null
    else:
        for i in range(n):
            valid[i] = (<const int32_t *> values)[i] != <int32_t> null
    return set_bits(valid, n, bits, at)


cdef int64_t set_bits(const uint8_t *valid, Py_ssize_t n, uint8_t *bits, Py_ssize_t at) noexcept nogil:
    """Set bits ``at`` and later to ``n`` bytes of 0 or 1; return the number of zeros."""
    cdef int64_t n_valid = 0
    cdef Py_ssize_t i = 0
    cdef uint64_t eight
    while i < n and (at + i) & 7:
        set_bit(bits, at + i, valid[i])
        n_valid += valid[i]
        i += 1
    while i + 8 <= n:
        memcpy(&eight, valid + i, 8)
        bits[(at + i) >> 3] = <uint8_t> ((eight * EIGHT_BITS) >> 56)
        n_valid += (eight * EIGHT_ONES) >> 56
        i += 8
    while i < n:
        set_bit(bits, at + i, valid[i])
        n_valid += valid[i]
        i += 1
    return n - n_valid


cdef inline void set_bit(uint8_t *bits, Py_ssize_t i, uint8_t value) noexcept nogil:
    """Set a bit, and clear those after it in its byte."""
    cdef int bit = i & 7
    bits[i >> 3] = <uint8_t> ((bits[i >> 3] & ((1 << bit) - 1)) | (value << bit))


def pack(const uint8_t[:, ::1] rows, COPY[::1] copies, const int32_t[::1] places, uint8_t[::1] block, int64_t at):
    """Copy columns of ``rows`` into ``block``, where they are rows ``at`` and later.

    A column that is mapped gets ``places[value]`` instead of each value.
    """
    cdef Py_ssize_t first = 0, n, total = rows.shape[0], stride = rows.shape[1]
    cdef const uint8_t *source
    cdef uint8_t *target
    cdef Py_ssize_t i
    if total == 0:
        return
    with nogil:
        while first < total:
            n = min(total - first, <Py_ssize_t> ROWS)
            for i in range(copies.shape[0]):
                source = &rows[first, 0] + copies[i].source
                target = &block[0] + copies[i].target + (at + first) * copies[i].width
                if copies[i].mapped:
                    map_4(source, stride, &places[0], target, n)
                elif copies[i].width == 8:
                    copy_8(source, stride, target, n)
                elif copies[i].width == 4:
                    copy_4(source, stride, target, n)
                else:
                    copy_1(source, stride, target, n)
                if copies[i].nulls >= 0:
                    copies[i].n_nulls += mark(target, copies[i].width, copies[i].null, n,
                                              &block[0] + copies[i].nulls, at + first)
            first += n


def gather(const int32_t[::1] places, const int32_t[::1] offsets, const uint8_t[::1] data,
           const int32_t[::1] starts, uint8_t[::1] out):
    """Write the text of each place in ``offsets`` and ``data`` at ``starts`` in ``out``; a place below 0 has none."""
    cdef Py_ssize_t i
    cdef int32_t place
    with nogil:
        for i in range(places.shape[0]):
            place = places[i]
            if place >= 0 and offsets[place + 1] > offsets[place]:
                memcpy(&out[starts[i]], &data[offsets[place]], offsets[place + 1] - offsets[place])

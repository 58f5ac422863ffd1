"""Bulk decoding and encoding of unsigned LEB128 varints.

Lives here: the kernels under ``gotrace.varint``. Never here: knowledge of traces, wording of errors.
"""
from libc.stdint cimport uint8_t, uint64_t

from gotrace._varint cimport ends16, lowest, read_uvarint, short_uvarint, write_uvarint


def count(const uint8_t[::1] data):
    """Number of varints in data: bytes without the continuation bit."""
    cdef Py_ssize_t i, n = 0
    with nogil:
        for i in range(data.shape[0]):
            n += data[i] < 0x80
    return n


def decode(const uint8_t[::1] data, uint64_t[::1] out):
    """Fill out; ``(values, position, status)``: where it stopped and why (0: all of out or all of data)."""
    cdef Py_ssize_t size = data.shape[0], room = out.shape[0], n = 0, at = 0
    cdef const uint8_t *p
    cdef unsigned int ends, start, stop
    cdef int got = 0
    if size == 0:
        return 0, 0, 0
    with nogil:
        p = &data[0]
        while at < size and n < room:
            if at + 24 <= size and n + 16 <= room:
                ends = ends16(p + at)
                start = 0
                while ends:
                    stop = lowest(ends) + 1
                    if stop - start > 8:
                        break
                    out[n] = short_uvarint(p + at + start, stop - start)
                    n += 1
                    start = stop
                    ends &= ends - 1
                at += start
                if start:
                    continue
            got = read_uvarint(p + at, p + size, &out[n])
            if got < 0:
                break
            at += got
            n += 1
    return n, at, min(got, 0)


def encode(const uint64_t[::1] values, uint8_t[::1] out):
    """Write the shortest forms into out (10 bytes a value are enough); the number of bytes written."""
    cdef Py_ssize_t i, at = 0
    if values.shape[0] == 0:
        return 0
    with nogil:
        for i in range(values.shape[0]):
            at += write_uvarint(&out[at], values[i])
    return at

"""Bulk decoding and encoding of unsigned LEB128 varints: bytes become uint64 arrays and back.

Holds the kernels of ``gotrace.varint``. Never here: traces, error messages.
"""
from libc.stdint cimport uint8_t, uint64_t

from gotrace._varint cimport bits_of, load64, lowest, put_uvarint, read_uvarint, sevens, sevens_in


def count(const uint8_t[::1] data) -> int:
    """Return the number of varints in data: of bytes without the continuation bit."""
    cdef Py_ssize_t i, n = 0
    with nogil:
        for i in range(data.shape[0]):
            n += data[i] < 0x80
    return n


def decode(const uint8_t[::1] data, uint64_t[::1] out) -> tuple[int, int, int]:
    """Decode data into out; return ``(number of values, position, status)``; status is 0 at the end of data or out."""
    cdef Py_ssize_t size = data.shape[0], room = out.shape[0], n = 0, at = 0
    cdef const uint8_t *p
    cdef uint64_t word, ends, numbers
    cdef unsigned int first, last
    cdef int got = 0
    if size == 0:
        return 0, 0, 0
    with nogil:
        p = &data[0]
        while at < size and n < room:
            if at + 8 <= size and n + 8 <= room:
                word = load64(p + at)
                ends = ~word & 0x8080808080808080u
                if ends:
                    numbers = sevens(word)
                    last = 0
                    while ends:
                        first = last
                        last = sevens_in(lowest(ends))
                        out[n] = bits_of(numbers, first, last)
                        n += 1
                        ends &= ends - 1
                    at += last // 7
                    continue
            got = read_uvarint(p + at, p + size, &out[n])
            if got < 0:
                break
            at += got
            n += 1
    return n, at, min(got, 0)


def encode(const uint64_t[::1] values, uint8_t[::1] out) -> int:
    """Write the shortest forms into out, at most 10 bytes per value; return the number of bytes."""
    cdef Py_ssize_t i, at = 0
    if values.shape[0] == 0:
        return 0
    with nogil:
        for i in range(values.shape[0]):
            at += put_uvarint(&out[at], values[i])
    return at

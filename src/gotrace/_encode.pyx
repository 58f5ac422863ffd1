"""Timed events as bytes: rows become the data of a batch.

Never here: batch headers, checks of what the events say.
"""
from libc.stdint cimport uint8_t, uint64_t

from gotrace._varint cimport write_uvarint

cdef enum:
    LONGEST = 51        # bytes of an event: its type, and five numbers


def events(const uint8_t[::1] types, const uint64_t[::1] times, const uint64_t[:, ::1] args,
           const uint8_t[::1] n_args, Py_ssize_t first, uint64_t base, uint8_t[::1] out):
    """Encode events from row ``first`` on while out surely holds another; ``(rows, bytes)``.

    ``base`` is the time before the first one. ``n_args`` has the numbers of each type, dt included.
    """
    cdef Py_ssize_t i = first, end = types.shape[0], at = 0, room = out.shape[0] - LONGEST
    cdef uint8_t kind
    cdef int j
    with nogil:
        while i < end and at <= room:
            kind = types[i]
            out[at] = kind
            at += 1
            at += write_uvarint(&out[at], times[i] - base)
            base = times[i]
            for j in range(n_args[kind] - 1):
                at += write_uvarint(&out[at], args[i, j])
            i += 1
    return i - first, at

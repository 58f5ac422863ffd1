"""Decoding of plain events, compiled for processors that have the instruction pext.

Never here: anything but the call and its table.
"""
from gotrace._fast cimport decode_fast, fill_cuts


cdef int fast_events_pext(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, run, events, room)


fill_cuts()

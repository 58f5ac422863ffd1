"""Decoding of plain events, compiled for processors that have the instruction pext.

Never here: anything but the calls and their table.
"""
from gotrace.wire._fastpath cimport brief_fast, decode_fast, fill_cuts


cdef int fast_events_pext(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, run, events, room, False)


cdef int fast_bare_pext(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, run, events, room, True)


cdef int fast_briefs_pext(const Stream *s, RUN *run, BRIEF *events, int room, Finder *finder) noexcept nogil:
    return brief_fast(s, run, events, room, finder)


fill_cuts()

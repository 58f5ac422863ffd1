"""The fast path of decoding, compiled for processors with the pext instruction.

Never here: anything but instances of the inline functions of _fastpath.pxd and their table.
"""
from gotrace.wire._fastpath cimport decode_compact, decode_fast, fill_cuts


cdef int fast_events_bmi2(const Stream *s, CURSOR *cursor, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, cursor, events, room, False)


cdef int fast_types_bmi2(const Stream *s, CURSOR *cursor, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, cursor, events, room, True)


cdef int fast_compact_bmi2(
    const Stream *s, CURSOR *cursor, COMPACT *events, int room, Resolver *resolver
) noexcept nogil:
    return decode_compact(s, cursor, events, room, resolver)


fill_cuts()

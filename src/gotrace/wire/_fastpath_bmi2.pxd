# The fast path of decoding, for processors with the pext instruction. Never here: a faulty event.
from gotrace._generated cimport COMPACT, CURSOR, DECODED
from gotrace.wire._resolve cimport Resolver
from gotrace.wire._stream cimport Stream

cdef int fast_events_bmi2(const Stream *s, CURSOR *cursor, DECODED *events, int room) noexcept nogil
cdef int fast_types_bmi2(const Stream *s, CURSOR *cursor, DECODED *events, int room) noexcept nogil
cdef int fast_compact_bmi2(
    const Stream *s, CURSOR *cursor, COMPACT *events, int room, Resolver *resolver
) noexcept nogil

"""Cursors: one thread's event batches of one generation become decoded events, a lot at a time.

Holds the decoding of timed events (FORMAT 4.2) that other kernels cimport. Never here: what an event means.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._generated cimport (
    BATCH, COMPACT, CURSOR, CUT_VARINT, DECODED, FAULT, OK, UNKNOWN_EVENT, UNTIMED_EVENT, VARINT_OVERFLOW,
)
from gotrace._varint cimport CUT, read_uvarint
from gotrace.wire._fastpath cimport LEFT, args_fast, decode_compact, decode_fast, fill_cuts
from gotrace.wire._fastpath_bmi2 cimport fast_compact_bmi2, fast_events_bmi2, fast_types_bmi2
from gotrace.wire._resolve cimport FIRST_OBJECT, LAST_OBJECT, Resolver, UNTYPED, resolve_object, type_row
from gotrace.wire._stream cimport Stream, enter_batch, to_ns, wrap_add

cdef extern from *:
    """
    /* True if the processor has the pext instruction and does not run it in slow microcode. */
    static inline int gt_has_pext(void) {
    #if defined(__x86_64__) && defined(__GNUC__)
        __builtin_cpu_init();
        return __builtin_cpu_supports("bmi2") && !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2")
               && !__builtin_cpu_is("bdver4");
    #else
        return 0;
    #endif
    }
    """
    bint has_pext "gt_has_pext"() noexcept nogil

cdef enum:
    TAIL_EVENTS = 16    # full events decoded at a time at a batch's end, where decode_compact stops

cdef int (*fast_events)(const Stream *, CURSOR *, DECODED *, int) noexcept nogil
cdef int (*fast_types)(const Stream *, CURSOR *, DECODED *, int) noexcept nogil
cdef int (*fast_compact)(const Stream *, CURSOR *, COMPACT *, int, Resolver *) noexcept nogil
fast_events = fast_events_bmi2 if has_pext() else fast_events_anywhere
fast_types = fast_types_bmi2 if has_pext() else fast_types_anywhere
fast_compact = fast_compact_bmi2 if has_pext() else fast_compact_anywhere
fill_cuts()


@cython.final
cdef class EventBatches:
    """The event batches of a segment, grouped by thread: the input of every kernel that decodes events.

    ``data`` starts at absolute offset ``base``; ``order`` lists rows of ``batches``, grouped by thread; ``n_args`` is
    the number of varints of each timed event type, its time included. ``data`` and ``batches`` must not be empty.
    """

    def __init__(self, const uint8_t[::1] data, int64_t base, BATCH[::1] batches, const int32_t[::1] order,
                 const uint8_t[::1] n_args):
        self.kept = (data, batches, order, n_args)
        self.batches = batches
        self.stream.data = &data[0]
        self.stream.size = data.shape[0]
        self.stream.base = base
        self.stream.batches = &batches[0]
        self.stream.n_batches = batches.shape[0]
        self.stream.order = &order[0]
        self.stream.n_args = &n_args[0]
        self.stream.factor = 1.0
        self.stream.skip_args = False


cdef int fast_events_anywhere(const Stream *s, CURSOR *cursor, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, cursor, events, room, False)


cdef int fast_types_anywhere(const Stream *s, CURSOR *cursor, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, cursor, events, room, True)


cdef int fast_compact_anywhere(
    const Stream *s, CURSOR *cursor, COMPACT *events, int room, Resolver *resolver
) noexcept nogil:
    return decode_compact(s, cursor, events, room, resolver)


cdef int slow_event(const Stream *s, CURSOR *cursor, DECODED *event, FAULT *fault) noexcept nogil:
    """Decode the event at cursor.next with every byte checked, and advance past it. Returns OK or a status."""
    cdef const uint8_t *p = s.data + cursor.next
    cdef const uint8_t *end = s.data + cursor.end
    cdef uint64_t value = 0, dt = 0
    cdef int n = s.n_args[p[0]]
    cdef int i, got
    fault.type = p[0]
    fault.detail = p[0]
    fault.offset = s.base + cursor.next
    fault.batch = s.order[cursor.batch]
    if n == 0:
        return UNTIMED_EVENT if p[0] < 128 else UNKNOWN_EVENT
    event.type = p[0]
    event.start = cursor.next
    p += 1
    for i in range(n):
        got = read_uvarint(p, end, &value)
        if got < 0:
            return CUT_VARINT if got == CUT else VARINT_OVERFLOW
        p += got
        if i == 0:
            dt = value
        else:
            event.args[i - 1] = value
    for i in range(n, 5):
        event.args[i - 1] = 0
    cursor.next = p - s.data
    cursor.time = wrap_add(cursor.time if cursor.time else cursor.base, to_ns(dt, s.factor))
    event.time = cursor.time
    return OK


cdef inline bint within_batch(const Stream *s, CURSOR *cursor) noexcept nogil:
    """Enter the next batch with events if the current one has no more; False if there is none."""
    while cursor.next == cursor.end:
        cursor.batch += 1
        if cursor.batch >= cursor.last_batch:
            cursor.batch = cursor.last_batch - 1
            return False
        enter_batch(s, cursor)
    return True


cdef int refill(const Stream *s, CURSOR *cursor, DECODED *events, int room, FAULT *fault) noexcept nogil:
    """Decode up to room events of one batch; return their number, or 0 and END_OF_CURSOR or a fault in fault.status."""
    cdef int n = 0, status
    if not within_batch(s, cursor):
        fault.status = END_OF_CURSOR
        return 0
    while True:
        n += (fast_types if s.skip_args else fast_events)(s, cursor, events + n, room - n)
        if n == room or cursor.next == cursor.end:
            return n
        status = slow_event(s, cursor, &events[n], fault)
        if status != OK:
            if n == 0:
                fault.status = status
            return n
        n += 1
        if n == room or cursor.next == cursor.end:
            return n


cdef inline void to_compact(const DECODED *event, COMPACT *compact, Resolver *resolver) noexcept nogil:
    """Reduce a decoded event to a compact one."""
    compact.time = event.time
    compact.place = event.start << 8 | event.type
    compact.arg = event.args[0]
    compact.page_slot = compact.type_row = 0
    if <uint8_t> (event.type - FIRST_OBJECT) < resolver.n_kinds:
        resolve_object(resolver, compact, event.type, event.args[0],
                       UNTYPED if event.type == LAST_OBJECT else type_row(resolver, event.args[1]))


cdef int refill_compact(
    const Stream *s, CURSOR *cursor, COMPACT *events, int room, Resolver *resolver, FAULT *fault
) noexcept nogil:
    """As :func:`refill`, but compact events, with the page and type of objects resolved."""
    cdef DECODED[TAIL_EVENTS] decoded
    cdef int n = 0, i, got, status
    if not within_batch(s, cursor):
        fault.status = END_OF_CURSOR
        return 0
    while True:
        n += fast_compact(s, cursor, events + n, room - n, resolver)
        if n == room or cursor.next == cursor.end:
            return n
        got = 0
        if cursor.next >= min(cursor.end, s.size) - LEFT:
            got = fast_events(s, cursor, decoded, min(room - n, <int> TAIL_EVENTS))
        if got == 0:
            status = slow_event(s, cursor, decoded, fault)
            if status != OK:
                if n == 0:
                    fault.status = status
                return n
            got = 1
        for i in range(got):
            to_compact(&decoded[i], &events[n], resolver)
            n += 1
        if n == room or cursor.next == cursor.end:
            return n


cdef void args_at(const Stream *s, int64_t start, uint64_t *args) noexcept nogil:
    """Read the arguments of a decoded event again, without its time; arguments that it lacks are 0."""
    cdef const uint8_t *p = s.data + start + 1
    cdef uint64_t value = 0
    cdef int i, n = s.n_args[s.data[start]]
    if args_fast(s, start, args):
        return
    for i in range(5):
        if i < n:
            p += max(read_uvarint(p, s.data + s.size, &value), 0)
        else:
            value = 0
        if i:
            args[i - 1] = value

"""Runs: one thread's events of one generation, decoded some at a time.

Lives here: decoding of timed events (FORMAT 4.2), for other kernels to cimport. Never here: what an event means, Python
functions.
"""
from libc.stdint cimport uint8_t, uint64_t

from gotrace._generated cimport (
    CUT_VARINT, DECODED, FAULT, OK, RUN, UNKNOWN_EVENT, UNTIMED_EVENT, VARINT_OVERFLOW,
)
from gotrace._fast cimport decode_fast, fill_cuts
from gotrace._fast_pext cimport fast_events_pext
from gotrace._varint cimport CUT, read_uvarint

cdef extern from *:
    """
    /* Whether the processor has the instruction pext, and not as a slow program of its own. */
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

cdef int (*fast_events)(const Stream *, RUN *, DECODED *, int) noexcept nogil
fast_events = fast_events_pext if has_pext() else fast_events_anywhere
fill_cuts()


cdef int fast_events_anywhere(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil:
    return decode_fast(s, run, events, room)


cdef int slow_event(const Stream *s, RUN *run, DECODED *event, uint64_t *dt, FAULT *fault) noexcept nogil:
    """Decode the event at run.next with every byte checked, and go behind it; OK or a status."""
    cdef const uint8_t *p = s.data + run.next
    cdef const uint8_t *end = s.data + run.end
    cdef uint64_t value = 0
    cdef int n = s.n_args[p[0]]
    cdef int i, got
    fault.type = p[0]
    fault.detail = p[0]
    fault.offset = s.base + run.next
    fault.batch = s.order[run.batch]
    if n == 0:
        return UNTIMED_EVENT if p[0] < 128 else UNKNOWN_EVENT
    event.type = p[0]
    event.start = run.next
    p += 1
    for i in range(n):
        got = read_uvarint(p, end, &value)
        if got < 0:
            return CUT_VARINT if got == CUT else VARINT_OVERFLOW
        p += got
        if i == 0:
            dt[0] = value
        else:
            event.args[i - 1] = value
    for i in range(n, 5):
        event.args[i - 1] = 0
    run.next = p - s.data
    return OK


cdef int refill(const Stream *s, RUN *run, DECODED *events, int room, FAULT *fault) noexcept nogil:
    """Decode up to room events, all of one batch: how many, or 0 with DONE or the fault in fault.status."""
    cdef uint64_t dt = 0
    cdef int n = 0, status
    while run.next == run.end:
        run.batch += 1
        if run.batch >= run.last_batch:
            run.batch = run.last_batch - 1
            fault.status = DONE
            return 0
        enter_batch(s, run)
    while True:
        n += fast_events(s, run, events + n, room - n)
        if n == room or run.next == run.end:
            return n
        status = slow_event(s, run, &events[n], &dt, fault)
        if status != OK:
            if n == 0:
                fault.status = status
            return n
        if run.time == 0:
            run.time = run.base
        run.time = wrap_add(run.time, to_ns(dt, s.factor))
        events[n].time = run.time
        n += 1
        if n == room or run.next == run.end:
            return n

# Runs: one thread's events of one generation, decoded some at a time.
# Rules of time are FORMAT 4.2. Never here: what an event means, apart from the context it leaves behind.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._finder cimport Finder
from gotrace._generated cimport BATCH, BRIEF, CTX, DECODED, FAULT, OK, RUN, WIDE_PROC

cdef extern from *:
    """
    #if defined(__x86_64__)
    #include <emmintrin.h>
    #endif
    /* Go's int64(float64): what does not fit becomes the lowest number, as on amd64. */
    static inline int64_t gt_to_ns(uint64_t units, double factor) {
        double ns = (double)units * factor;
        return ns < 9223372036854775808.0 ? (int64_t)ns : INT64_MIN;
    }
    /* The same for fewer than 63 bits, which convert in one instruction. */
    static inline int64_t gt_short_to_ns(uint64_t units, double factor) {
        double ns = (double)(int64_t)units * factor;
    #if defined(__x86_64__)
        return _mm_cvttsd_si64(_mm_set_sd(ns));
    #else
        return ns < 9223372036854775808.0 ? (int64_t)ns : INT64_MIN;
    #endif
    }
    #define GT_BIT(type) ((uint64_t)1 << (type))
    /* GoCreateSyscall, GoStart, GoSwitch, GoSwitchDestroy; GoDestroy, GoStop, GoBlock */
    #define GT_STARTS_G (GT_BIT(15) | GT_BIT(16) | GT_BIT(45) | GT_BIT(46))
    #define GT_STOPS_G (GT_BIT(17) | GT_BIT(19) | GT_BIT(20))
    #define GT_FOLLOWED (GT_BIT(10) | GT_BIT(11) | GT_BIT(12) | GT_BIT(13) | GT_BIT(18) | GT_BIT(22) | GT_BIT(23) \
                         | GT_BIT(24) | GT_BIT(25) | GT_BIT(48))
    static inline int64_t gt_wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
    """
    int64_t to_ns "gt_to_ns"(uint64_t units, double factor) noexcept nogil
    const uint64_t STARTS_G "GT_STARTS_G"   # sets of event types
    const uint64_t STOPS_G "GT_STOPS_G"
    const uint64_t FOLLOWED "GT_FOLLOWED"
    int64_t short_to_ns "gt_short_to_ns"(uint64_t units, double factor) noexcept nogil
    int64_t wrap_add "gt_wrap_add"(int64_t a, int64_t b) noexcept nogil


cdef enum:
    DONE = 99           # refill(): the run has no more events; no status has this number


cdef struct Stream:
    # What all runs of a slab share.
    const uint8_t *data
    int64_t size            # bytes of data
    int64_t base            # absolute offset of data[0]
    const BATCH *batches
    int64_t n_batches
    const int32_t *order    # rows of BATCH, run by run
    const uint8_t *n_args   # by event type: varints of a timed event, its time included; 0 none
    double factor           # ns per clock unit
    bint bare               # the numbers of experiments' events are not wanted


cdef inline void open_stream(Stream *s, const uint8_t[::1] data, int64_t base, const BATCH[::1] batches,
                             const int32_t[::1] order, const uint8_t[::1] n_args):
    """Note where things are; no array may be empty."""
    s.data = &data[0]
    s.size = data.shape[0]
    s.base = base
    s.batches = &batches[0]
    s.n_batches = batches.shape[0]
    s.order = &order[0]
    s.n_args = &n_args[0]
    s.factor = 1.0
    s.bare = False


cdef inline void enter_batch(const Stream *s, RUN *run) noexcept nogil:
    """Go to the first event of the batch at run.batch."""
    cdef const BATCH *batch = &s.batches[s.order[run.batch]]
    run.next = batch.offset - s.base + batch.head
    run.end = run.next + batch.size
    run.base = to_ns(batch.time, s.factor)
    run.time = 0


cdef inline int follow_far(const Stream *s, CTX *ctx, const BRIEF *event) noexcept nogil:
    """Let an event of FOLLOWED change its thread's goroutine and proc, as far as the thread's own events tell."""
    cdef uint8_t kind = <uint8_t> event.place
    cdef uint8_t status = 1
    cdef uint64_t[4] args
    if kind == 12 or kind == 13 or kind == 25 or kind == 48:    # those of which more than the first number matters
        args_at(s, event.place >> 8, args)
    if kind == 10 or kind == 12 or kind == 13:          # ProcStart, ProcSteal, ProcStatus
        if <int64_t> event.arg != <int32_t> event.arg:
            return WIDE_PROC
    if kind == 10 or kind == 13:
        if kind == 13:
            status = <uint8_t> args[1]
        if status == 1 or status == 3:
            ctx.p = <int32_t> event.arg
            ctx.in_syscall = status == 3
    elif kind == 11 or (kind == 12 and <int64_t> args[2] == ctx.m):     # ProcStop, ProcSteal of its own
        ctx.p = -1
        ctx.in_syscall = False
    elif kind == 22 or kind == 23:                      # GoSyscallBegin, GoSyscallEnd
        ctx.in_syscall = kind == 22
    elif kind == 24:                                    # GoSyscallEndBlocked: a P still held was taken away
        ctx.g = -1
        if ctx.in_syscall:
            ctx.p = -1
        ctx.in_syscall = False
    elif kind == 18:                                    # GoDestroySyscall
        ctx.g = -1
        ctx.p = -1
        ctx.in_syscall = False
    elif kind == 25 or kind == 48:                      # GoStatus, GoStatusStack
        status = <uint8_t> args[2]
        if status == 2 or (status == 3 and <int64_t> args[1] == ctx.m):
            ctx.g = <int64_t> event.arg
            if status == 3:
                ctx.in_syscall = True
    return OK


cdef int refill(const Stream *s, RUN *run, DECODED *events, int room, FAULT *fault) noexcept nogil
cdef int refill_briefs(
    const Stream *s, RUN *run, BRIEF *events, int room, Finder *finder, FAULT *fault
) noexcept nogil
cdef void args_at(const Stream *s, int64_t start, uint64_t *args) noexcept nogil

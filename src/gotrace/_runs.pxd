# Runs: one thread's events of one generation, decoded one ahead, and the heap that merges runs by time.
# Rules of time are FORMAT 4.2. Never here: what an event means, apart from the context it leaves behind.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport (
    BATCH, CTX, CUT_VARINT, FAULT, OK, RUN, UNKNOWN_EVENT, UNTIMED_EVENT, VARINT_OVERFLOW, WIDE_PROC,
)
from gotrace._varint cimport CUT, ends16, likely, lowest, read_uvarint, short_uvarint

cdef extern from *:
    """
    /* Go's int64(float64): what does not fit becomes the lowest number, as on amd64. */
    static inline int64_t gt_to_ns(uint64_t units, double factor) {
        double ns = (double)units * factor;
        return ns < 9223372036854775808.0 ? (int64_t)ns : INT64_MIN;
    }
    static inline int64_t gt_wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
    """
    int64_t to_ns "gt_to_ns"(uint64_t units, double factor) noexcept nogil
    int64_t wrap_add "gt_wrap_add"(int64_t a, int64_t b) noexcept nogil


cdef enum:
    DONE = 99       # advance(): the run has no more events; no status has this number
    N_EXTRA = 26    # bytes that a fast read may touch beyond the first byte of an event


cdef struct Stream:
    # What all runs of a slab share.
    const uint8_t *data
    int64_t size            # bytes of data
    int64_t base            # absolute offset of data[0]
    const BATCH *batches
    const int32_t *order    # rows of BATCH, run by run
    const uint8_t *n_args   # by event type: varints of a timed event, its time included; 0 none
    double factor           # ns per clock unit


cdef inline int slow_event(const Stream *s, RUN *run, uint64_t *dt, FAULT *fault) noexcept nogil:
    """Decode the event at run.start with every byte checked; OK or a status."""
    cdef const uint8_t *p = s.data + run.start
    cdef const uint8_t *end = s.data + run.end
    cdef uint64_t value = 0
    cdef int n = s.n_args[p[0]]
    cdef int i, got
    fault.type = p[0]
    fault.detail = p[0]
    fault.offset = s.base + run.start
    fault.batch = s.order[run.batch]
    if n == 0:
        return UNTIMED_EVENT if p[0] < 128 else UNKNOWN_EVENT
    p += 1
    for i in range(n):
        got = read_uvarint(p, end, &value)
        if got < 0:
            return CUT_VARINT if got == CUT else VARINT_OVERFLOW
        p += got
        if i == 0:
            dt[0] = value
        else:
            run.args[i - 1] = value
    run.next = p - s.data
    return OK


cdef inline bint fast_event(const Stream *s, RUN *run, uint64_t *dt) noexcept nogil:
    """Decode the event at run.start if it is a plain one of at most 16 bytes of arguments."""
    cdef const uint8_t *p = s.data + run.start + 1
    cdef uint32_t n, ends, stop, start
    if run.start + N_EXTRA > s.size:
        return False
    n = s.n_args[run.type]
    ends = ends16(p)
    if n == 0 or ends == 0:
        return False
    stop = lowest(ends) + 1
    if stop > 8:
        return False
    dt[0] = short_uvarint(p, stop)
    if n > 1:
        ends &= ends - 1
        start = stop
        if ends == 0:
            return False
        stop = lowest(ends) + 1
        if stop - start > 8:
            return False
        run.args[0] = short_uvarint(p + start, stop - start)
        if n > 2:
            ends &= ends - 1
            start = stop
            if ends == 0:
                return False
            stop = lowest(ends) + 1
            if stop - start > 8:
                return False
            run.args[1] = short_uvarint(p + start, stop - start)
            if n > 3:
                ends &= ends - 1
                start = stop
                if ends == 0:
                    return False
                stop = lowest(ends) + 1
                if stop - start > 8:
                    return False
                run.args[2] = short_uvarint(p + start, stop - start)
                if n > 4:
                    ends &= ends - 1
                    start = stop
                    if ends == 0:
                        return False
                    stop = lowest(ends) + 1
                    if stop - start > 8:
                        return False
                    run.args[3] = short_uvarint(p + start, stop - start)
    run.next = run.start + 1 + stop
    return run.next <= run.end


cdef inline int advance(const Stream *s, RUN *run, FAULT *fault) noexcept nogil:
    """Make the next event of run its current one: OK, DONE or a fault."""
    cdef uint64_t dt = 0
    cdef int status
    cdef const BATCH *batch
    while run.next == run.end:
        run.batch += 1
        if run.batch >= run.last_batch:
            return DONE
        batch = &s.batches[s.order[run.batch]]
        run.next = batch.offset - s.base + batch.head
        run.begin = run.next
        run.end = run.next + batch.size
        run.base = to_ns(batch.time, s.factor)
        run.time = 0
    if run.time == 0:
        run.time = run.base
    run.start = run.next
    run.type = s.data[run.start]
    if not likely(fast_event(s, run, &dt)):
        status = slow_event(s, run, &dt, fault)
        if status != OK:
            return status
    run.time = wrap_add(run.time, to_ns(dt, s.factor))
    return OK


cdef inline int follow(CTX *ctx, const RUN *run) noexcept nogil:
    """Let the current event change the thread's goroutine and proc, as far as its own events tell."""
    cdef uint8_t kind = run.type
    cdef uint8_t status
    if run.m == -1:
        return OK
    if kind == 10 or kind == 12 or kind == 13:          # ProcStart, ProcSteal, ProcStatus
        if <int64_t> run.args[0] != <int32_t> run.args[0]:
            return WIDE_PROC
    if kind == 10 or kind == 13:
        status = <uint8_t> run.args[1] if kind == 13 else 1
        if status == 1 or status == 3:
            ctx.p = <int32_t> run.args[0]
            ctx.in_syscall = status == 3
    elif kind == 11 or (kind == 12 and <int64_t> run.args[2] == run.m):   # ProcStop, ProcSteal of its own
        ctx.p = -1
        ctx.in_syscall = False
    elif kind == 16 or kind == 45 or kind == 46 or kind == 15:  # GoStart, GoSwitch*, GoCreateSyscall
        ctx.g = <int64_t> run.args[0]
    elif kind == 17 or kind == 19 or kind == 20:        # GoDestroy, GoStop, GoBlock
        ctx.g = -1
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
        status = <uint8_t> run.args[2]
        if status == 2 or (status == 3 and <int64_t> run.args[1] == run.m):
            ctx.g = <int64_t> run.args[0]
            if status == 3:
                ctx.in_syscall = True
    return OK


cdef inline int blame(const Stream *s, const RUN *run, FAULT *fault, int status, uint64_t number) noexcept nogil:
    """Blame the current event of run for status."""
    fault.status = status
    fault.offset = s.base + run.start
    fault.batch = s.order[run.batch]
    fault.type = run.type
    fault.detail = number
    return status


cdef inline bint earlier(const RUN *runs, int32_t a, int32_t b) noexcept nogil:
    """Runs are numbered by first appearance: that breaks ties."""
    return runs[a].time < runs[b].time or (runs[a].time == runs[b].time and a < b)


cdef inline void sift_down(const RUN *runs, int32_t *heap, int32_t n) noexcept nogil:
    """Restore the heap after its root grew later."""
    cdef int32_t i = 0, child, x = heap[0]
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and earlier(runs, heap[child + 1], heap[child]):
            child += 1
        if not earlier(runs, heap[child], x):
            break
        heap[i] = heap[child]
        i = child
    heap[i] = x


cdef inline int32_t runner_up(const RUN *runs, const int32_t *heap, int32_t n) noexcept nogil:
    """The earliest run but the root, -1 if there is none."""
    if n < 2:
        return -1
    if n > 2 and earlier(runs, heap[2], heap[1]):
        return heap[2]
    return heap[1]


cdef inline void push(const RUN *runs, int32_t *heap, int32_t n, int32_t run) noexcept nogil:
    """Add run to a heap of n."""
    cdef int32_t i = n, parent
    while i:
        parent = (i - 1) // 2
        if not earlier(runs, run, heap[parent]):
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = run

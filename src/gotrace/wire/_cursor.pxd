# Cursors: one thread's events of one generation, decoded a lot at a time, with times by FORMAT 4.2.
# Never here: what an event means, apart from the change of its thread's context.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._generated cimport (
    BATCH, COMPACT, CURSOR, DECODED, EV_GO_DESTROY_SYSCALL, EV_GO_STATUS, EV_GO_STATUS_STACK, EV_GO_SYSCALL_BEGIN,
    EV_GO_SYSCALL_END, EV_GO_SYSCALL_END_BLOCKED, EV_PROC_START, EV_PROC_STATUS, EV_PROC_STEAL, EV_PROC_STOP, FAULT, OK,
    CONTEXT, WIDE_PROC,
)
from gotrace.wire._resolve cimport Resolver
from gotrace.wire._stream cimport Stream

cdef enum:
    END_OF_CURSOR = 99      # from refill(): the cursor has no more events; not a value of Status


@cython.final
cdef class EventBatches:
    # The event batches of a segment, grouped by thread.
    cdef Stream stream
    cdef object kept
    cdef BATCH[::1] batches


cdef inline int follow_far(const Stream *s, CONTEXT *thread, const COMPACT *event) noexcept nogil:
    """Apply an event of CHANGES_CONTEXT to its thread's goroutine and proc, from the thread's own events alone."""
    cdef uint8_t kind = <uint8_t> event.place
    cdef uint8_t status = 1
    cdef uint64_t[4] args
    if (kind == EV_PROC_STEAL or kind == EV_PROC_STATUS or kind == EV_GO_STATUS
            or kind == EV_GO_STATUS_STACK):     # they need more than the first argument
        args_at(s, event.place >> 8, args)
    if kind == EV_PROC_START or kind == EV_PROC_STEAL or kind == EV_PROC_STATUS:
        if <int64_t> event.arg != <int32_t> event.arg:
            return WIDE_PROC
    if kind == EV_PROC_START or kind == EV_PROC_STATUS:
        if kind == EV_PROC_STATUS:
            status = <uint8_t> args[1]
        if status == 1 or status == 3:
            thread.p = <int32_t> event.arg
            thread.in_syscall = status == 3
    elif kind == EV_PROC_STOP or (kind == EV_PROC_STEAL and <int64_t> args[2] == thread.m):     # its own P was stolen
        thread.p = -1
        thread.in_syscall = False
    elif kind == EV_GO_SYSCALL_BEGIN or kind == EV_GO_SYSCALL_END:
        thread.in_syscall = kind == EV_GO_SYSCALL_BEGIN
    elif kind == EV_GO_SYSCALL_END_BLOCKED:     # a P not given up before was retaken
        thread.g = -1
        if thread.in_syscall:
            thread.p = -1
        thread.in_syscall = False
    elif kind == EV_GO_DESTROY_SYSCALL:
        thread.g = -1
        thread.p = -1
        thread.in_syscall = False
    elif kind == EV_GO_STATUS or kind == EV_GO_STATUS_STACK:
        status = <uint8_t> args[2]
        if status == 2 or (status == 3 and <int64_t> args[1] == thread.m):
            thread.g = <int64_t> event.arg
            if status == 3:
                thread.in_syscall = True
    return OK


cdef int refill(const Stream *s, CURSOR *cursor, DECODED *events, int room, FAULT *fault) noexcept nogil
cdef int refill_compact(
    const Stream *s, CURSOR *cursor, COMPACT *events, int room, Resolver *resolver, FAULT *fault
) noexcept nogil
cdef void args_at(const Stream *s, int64_t start, uint64_t *args) noexcept nogil

# Walks: all events of a slab, merged by time, and the place where a call stopped.
# Never here: what an event means.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._ahead cimport Ahead, Parts
from gotrace._finder cimport Finder
from gotrace._generated cimport BATCH, BRIEF, CTX, FAULT, GEN, OK, PARTS, RUN
from gotrace._runs cimport FOLLOWED, STARTS_G, STOPS_G, Stream, follow_far


cdef struct Maker:
    # What decodes parts, whichever thread does.
    Stream s
    BRIEF *pool             # parts of ``ahead`` events: one for each run, or PARTS of them if two threads work
    int ahead
    RUN *cursors            # where the runs of the generation stand, if two threads work
    Finder *finders         # the walker's, and the helper's


cdef struct Course:
    # All events of a slab by time, merged some at a time: those from ``at`` on come next.
    Maker maker
    Parts *second           # NULL: one thread does everything
    bint held               # nobody makes parts
    Stream s
    const GEN *gens
    int64_t n_gens, room    # rows of gens and of the pool
    int64_t next_g          # generation whose events are merged next
    const GEN *gen          # of the events that are merged
    RUN *runs
    int32_t *heap           # runs of the generation that have events left
    int32_t size            # of the heap; -1 before the generation's begin
    CTX *ctxs
    const int32_t *ctx_of   # rows of ctxs by run
    BRIEF *events           # MERGED at most
    int32_t *run_of
    int at, n


@cython.final
cdef class Walk(Ahead):
    cdef Course course


cdef void resume(Course *w) noexcept nogil
cdef void pause(Course *w, int status) noexcept nogil
cdef int go_further(Course *w, FAULT *fault) noexcept nogil
cdef const BATCH *batch_at(const Stream *s, int64_t start) noexcept nogil
cdef RUN run_from(const Stream *s, const RUN *runs, int32_t r, int64_t start) noexcept nogil
cdef int blame(const Stream *s, const BRIEF *event, FAULT *fault, int status, uint64_t number) noexcept nogil


cdef inline uint8_t type_of(const BRIEF *event) noexcept nogil:
    return <uint8_t> event.place


cdef inline int64_t start_of(const BRIEF *event) noexcept nogil:
    """Buffer index of an event."""
    return event.place >> 8


cdef inline CTX *ctx_at(const Course *walk, int k) noexcept nogil:
    """The context of a merged event."""
    return &walk.ctxs[walk.ctx_of[walk.run_of[k]]]


cdef inline int follow(const Stream *s, CTX *ctx, const BRIEF *event) noexcept nogil:
    """Let an event change its thread's goroutine and proc, as far as the thread's own events tell."""
    cdef uint8_t kind = type_of(event)
    cdef uint64_t bit = <uint64_t> 1 << (kind & 63)
    if kind > 63 or ctx.m == -1:
        return OK
    if bit & (STARTS_G | STOPS_G):
        ctx.g = <int64_t> event.arg if bit & STARTS_G else -1
        return OK
    return follow_far(s, ctx, event) if bit & FOLLOWED else OK

# Walks: all events of a slab by time, one thread's turn after the other, and the place where a call stopped.
# Never here: what an event means.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._generated cimport (
    BATCH, CHANGES_CONTEXT, COMPACT, CURSOR, FAULT, GENERATION_ROW, OK, RING, STARTS_G, STOPS_G, THREAD,
)
from gotrace.wire._cursor cimport follow_far
from gotrace.wire._prefetch cimport Prefetcher, Rings
from gotrace.wire._resolve cimport Resolver
from gotrace.wire._stream cimport Stream


cdef struct Decoder:
    # What decodes parts, whichever thread does.
    Stream s
    COMPACT *pool             # parts of ``ahead`` events: one for each run, or RING of them if two threads work
    int ahead
    CURSOR *cursors            # where the runs of the generation stand, if two threads work
    Resolver *resolvers         # the walker's, and the helper's


cdef struct Turn:
    # Where a run stands.
    const COMPACT *event      # its next event, where it was decoded
    const COMPACT *end        # behind those that are decoded
    THREAD *thread
    int64_t first           # 1 if it comes before the other one of the pair at equal times


cdef struct MergeState:
    # All events of a slab by time. A run has its turn while it is the earliest; the one that comes next is known, too.
    Decoder decoder
    Rings *second           # NULL: one thread does everything
    bint held               # nobody makes parts
    Stream s
    const GENERATION_ROW *gens
    int64_t n_gens, room    # rows of gens and of the pool
    int64_t next_g          # generation that is read
    const GENERATION_ROW *gen          # the same, once it has begun
    CURSOR *cursors
    int32_t *heap           # runs of the generation that have events left; where a pair stands, ``turns`` know better
    int32_t size            # of the heap; -1 before the generation's begin
    THREAD *threads
    const int32_t *thread_row   # rows of ctxs by run
    Turn[2] turns           # of the pair: the two earliest runs
    int32_t[2] pair         # these runs
    int32_t rival           # the heap's entry of the one that is not the root
    int mine                # which of them has its turn
    int64_t limit           # latest time of this turn
    int64_t others          # earliest time of all other runs


@cython.final
cdef class Merge(Prefetcher):
    cdef MergeState state


cdef void resume(MergeState *w) noexcept nogil
cdef void pause(MergeState *w, int status) noexcept nogil
cdef int advance(MergeState *w, FAULT *fault) noexcept nogil
cdef const BATCH *batch_at(const Stream *s, int64_t start) noexcept nogil
cdef CURSOR cursor_from(const Stream *s, const CURSOR *cursors, int32_t r, int64_t start) noexcept nogil
cdef int blame(const Stream *s, const COMPACT *event, FAULT *fault, int status, uint64_t number) noexcept nogil


cdef inline uint8_t type_of(const COMPACT *event) noexcept nogil:
    return <uint8_t> event.place


cdef inline int64_t start_of(const COMPACT *event) noexcept nogil:
    """Buffer index of an event."""
    return event.place >> 8


cdef inline Turn *turn_of(MergeState *w) noexcept nogil:
    """The turn that stands; only its ``event`` may be changed."""
    return &w.turns[w.mine]


cdef inline bint in_turn(MergeState *w) noexcept nogil:
    """Whether the turn goes on; if not, ``next_turn`` is to be called."""
    return w.turns[w.mine].event < w.turns[w.mine].end and w.turns[w.mine].event.time <= w.limit


cdef inline bint switch_turn(MergeState *w) noexcept nogil:
    """Begin the turn of the pair's other run, if that one is next."""
    cdef const Turn *turn = &w.turns[w.mine]
    if turn.event == turn.end or turn.event.time >= w.others:
        return False
    w.limit = turn.event.time - turn.first
    w.mine ^= 1
    return True


cdef inline int next_turn(MergeState *w, FAULT *fault) noexcept nogil:
    """Begin the next turn: OK, DONE at the end of the slab, or a fault."""
    return OK if switch_turn(w) else advance(w, fault)


cdef inline int follow(const Stream *s, THREAD *thread, const COMPACT *event) noexcept nogil:
    """Let an event change its thread's goroutine and proc, as far as the thread's own events tell."""
    cdef uint8_t kind = type_of(event)
    cdef uint64_t bit = <uint64_t> 1 << (kind & 63)
    if kind > 63 or thread.m == -1:
        return OK
    if bit & (STARTS_G | STOPS_G):
        thread.g = <int64_t> event.arg if bit & STARTS_G else -1
        return OK
    return follow_far(s, thread, event) if bit & CHANGES_CONTEXT else OK

# Merges: all events of a slab by time, one thread's turn after the other, and the position where a call stopped.
# Never here: what an event means.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._generated cimport (
    BATCH, CHANGES_CONTEXT, COMPACT, CONTEXT, CURSOR, FAULT, GENERATION_ROW, OK, STARTS_G, STOPS_G,
)
from gotrace.wire._cursor cimport follow_far
from gotrace.wire._prefetch cimport Prefetcher, Rings
from gotrace.wire._resolve cimport Resolver
from gotrace.wire._stream cimport Stream


cdef struct Decoder:
    # The state of decoding, used by either thread.
    Stream s
    COMPACT *pool           # lots of ``ahead`` events: one for each cursor, or RING with a background thread
    int ahead
    CURSOR *cursors         # with a background thread, its positions in this generation
    Resolver *resolvers     # the reader's and the background thread's


cdef struct Turn:
    # The position of a cursor during its turn.
    const COMPACT *event    # its next event, in the pool
    const COMPACT *end      # end of its decoded events
    CONTEXT *thread
    int64_t first           # 1 if it precedes the other cursor of the pair at equal times


cdef struct MergeState:
    # A k-way merge of all events of a slab by time. A cursor has its turn while it is the earliest. The two earliest
    # ones are the pair: most turns alternate between them and need no heap operation.
    Decoder decoder
    Rings *second           # NULL without a background thread
    bint held               # filling of lots is stopped
    Stream s
    const GENERATION_ROW *gens
    int64_t n_gens, room    # rows of gens and of the pool
    int64_t next_g          # row of the current generation
    const GENERATION_ROW *gen   # the same, once it is open
    CURSOR *cursors
    int32_t *heap           # cursors of the generation with events left; entries of the pair are stale, see ``turns``
    int32_t size            # of the heap; -1 before the generation is open
    CONTEXT *threads
    const int32_t *thread_row   # rows of threads by cursor
    Turn[2] turns           # of the pair
    int32_t[2] pair         # the two earliest cursors
    int32_t rival           # index in the heap of the one that is not the root
    int mine                # index in the pair of the one that has its turn
    int64_t limit           # latest time of this turn
    int64_t others          # earliest time of all other cursors


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
    """Return the buffer index of an event."""
    return event.place >> 8


cdef inline Turn *turn_of(MergeState *w) noexcept nogil:
    """Return the current turn; only its ``event`` may be changed."""
    return &w.turns[w.mine]


cdef inline bint in_turn(MergeState *w) noexcept nogil:
    """True if the turn has another event; if not, call ``next_turn``."""
    return w.turns[w.mine].event < w.turns[w.mine].end and w.turns[w.mine].event.time <= w.limit


cdef inline bint switch_turn(MergeState *w) noexcept nogil:
    """Start the turn of the pair's other cursor if it is next; False if it is not."""
    cdef const Turn *turn = &w.turns[w.mine]
    if turn.event == turn.end or turn.event.time >= w.others:
        return False
    w.limit = turn.event.time - turn.first
    w.mine ^= 1
    return True


cdef inline int next_turn(MergeState *w, FAULT *fault) noexcept nogil:
    """Start the next turn. Returns OK, END_OF_CURSOR at the end of the slab, or a fault."""
    return OK if switch_turn(w) else advance(w, fault)


cdef inline int follow(const Stream *s, CONTEXT *thread, const COMPACT *event) noexcept nogil:
    """Apply an event to its thread's goroutine and proc, from the thread's own events alone."""
    cdef uint8_t kind = type_of(event)
    cdef uint64_t bit = <uint64_t> 1 << (kind & 63)
    if kind > 63 or thread.m == -1:
        return OK
    if bit & (STARTS_G | STOPS_G):
        thread.g = <int64_t> event.arg if bit & STARTS_G else -1
        return OK
    return follow_far(s, thread, event) if bit & CHANGES_CONTEXT else OK

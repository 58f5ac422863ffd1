"""Merges: event batches by thread become all events of a slab by time, one thread's turn after the other.

Holds the merge of threads by time (FORMAT 4.2) that other kernels cimport. Never here: what an event means.
"""
cimport cython
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from gotrace._generated cimport AHEAD, BATCH, COMPACT, CONTEXT, CURSOR, FAULT, FULL, GENERATION_ROW, OK, RING
from gotrace.wire._cursor cimport END_OF_CURSOR, EventBatches, refill_compact
from gotrace.wire._prefetch cimport go_on, hold, open_rings, take
from gotrace.wire._resolve cimport Resolver, enter_generation
from gotrace.wire._stream cimport Stream, enter_batch

cdef Resolver[2] no_resolvers     # ``n_kinds`` is 0: they resolve nothing


@cython.final
cdef class Merge(Prefetcher):
    """A merge of all events of a slab by time. There must be at least one event, and no array may be empty.

    ``pool`` must have room for a few events of each cursor of a generation, times RING with ``two`` threads; ``heap``
    for all cursors of a generation.
    """

    def __init__(self, EventBatches source, const GENERATION_ROW[::1] gens, CURSOR[::1] cursors, CONTEXT[::1] threads,
                 const int32_t[::1] thread_row, int32_t[::1] heap, COMPACT[::1] pool, bint two):
        cdef MergeState *w = &self.state
        self.kept = (source, gens, cursors, threads, thread_row, heap, pool)
        w.s = source.stream
        w.gens, w.n_gens = &gens[0], gens.shape[0]
        w.gen = w.gens
        w.cursors, w.heap, w.size = &cursors[0], &heap[0], -1
        w.threads, w.thread_row = &threads[0], &thread_row[0]
        w.decoder.pool, w.room = &pool[0], pool.shape[0]
        w.decoder.resolvers = &no_resolvers[0]
        if two:
            self.reserve(<int> heap.shape[0])
            w.decoder.cursors = <CURSOR *> calloc(heap.shape[0], sizeof(CURSOR))
            if w.decoder.cursors == NULL:
                raise MemoryError
            self.parts.own = &w.decoder
            self.parts.make = fill_lot
            w.second = &self.parts

    def __dealloc__(self):
        free(self.state.decoder.cursors)


cdef void resume(MergeState *w) noexcept nogil:
    """Allow the filling of lots."""
    if w.held:
        go_on(w.second)
    w.held = False


cdef void pause(MergeState *w, int status) noexcept nogil:
    """Stop the filling of lots until ``resume``, unless the call only ended because the output is full."""
    if w.second != NULL and status != FULL:
        hold(w.second)
        w.held = True


cdef int advance(MergeState *w, FAULT *fault) noexcept nogil:
    """As ``next_turn``, if ``switch_turn`` returns False."""
    cdef int status
    if w.size > 0:
        unpair(w)
    while True:
        if w.next_g == w.n_gens:
            return END_OF_CURSOR
        if w.size < 0:
            status = open_generation(w, fault)
            if status != OK:
                return status
        status = settle_root(w, fault)
        if status == OK:
            break
        if status < 0:
            return status
        w.next_g += 1
        w.size = -1
    pair(w)
    return OK


cdef int fill_lot(void *own, int slot, int32_t place, bint helping, FAULT *fault) noexcept nogil:
    """Decode a lot of a cursor's events."""
    cdef Decoder *decoder = <Decoder *> own
    return refill_compact(&decoder.s, &decoder.cursors[slot], decoder.pool + lot_at(decoder, slot, place),
                          decoder.ahead, &decoder.resolvers[helping], fault)


cdef inline int32_t lot_at(const Decoder *decoder, int slot, int32_t place) noexcept nogil:
    """Return the first row of a lot in the pool."""
    return (slot * RING + place) * decoder.ahead


cdef const BATCH *batch_at(const Stream *s, int64_t start) noexcept nogil:
    """Return the batch of the event at buffer index ``start``."""
    cdef int64_t low = 0, high = s.n_batches, middle
    while high - low > 1:
        middle = (low + high) // 2
        if s.batches[middle].offset <= s.base + start:
            low = middle
        else:
            high = middle
    return s.batches + low


cdef CURSOR cursor_from(const Stream *s, const CURSOR *cursors, int32_t r, int64_t start) noexcept nogil:
    """Return cursor r, positioned before its event at buffer index ``start``."""
    cdef CURSOR cursor
    cdef int32_t batch = <int32_t> (batch_at(s, start) - s.batches)
    memset(&cursor, 0, sizeof(CURSOR))
    cursor.m = cursors[r].m
    cursor.last_batch = cursors[r].last_batch
    cursor.batch = cursors[r - 1].last_batch if r else 0
    while s.order[cursor.batch] != batch:
        cursor.batch += 1
    enter_batch(s, &cursor)
    cursor.next = start
    return cursor


cdef int blame(const Stream *s, const COMPACT *event, FAULT *fault, int status, uint64_t number) noexcept nogil:
    """Fill a fault row for an event; return its status."""
    fault.status = status
    fault.offset = s.base + start_of(event)
    fault.batch = <int32_t> (batch_at(s, start_of(event)) - s.batches)
    fault.type = type_of(event)
    fault.detail = number
    return status


cdef inline bint earlier(const CURSOR *cursors, int32_t a, int32_t b) noexcept nogil:
    """True if cursor a is due before b; at equal times the thread that appears first in the trace is earlier."""
    return (cursors[a].due < cursors[b].due) | ((cursors[a].due == cursors[b].due) & (a < b))


cdef inline void sift_down(const CURSOR *cursors, int32_t *heap, int32_t n, int32_t i) noexcept nogil:
    """Restore the heap after the time of its entry i increased."""
    cdef int32_t child, x = heap[i]
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n:
            child += earlier(cursors, heap[child + 1], heap[child])
        if not earlier(cursors, heap[child], x):
            break
        heap[i] = heap[child]
        i = child
    heap[i] = x


cdef inline void push(const CURSOR *cursors, int32_t *heap, int32_t n, int32_t cursor) noexcept nogil:
    """Add a cursor to a heap of n."""
    cdef int32_t i = n, parent
    while i:
        parent = (i - 1) // 2
        if not earlier(cursors, cursor, heap[parent]):
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = cursor


cdef inline int load_next(MergeState *w, int32_t r, FAULT *fault) noexcept nogil:
    """Get a cursor's next events and set its due time. Returns OK, END_OF_CURSOR or a fault."""
    cdef CURSOR *cursor = &w.cursors[r]
    cdef int32_t place = 0
    fault.status = OK
    cursor.at = 0
    if w.second != NULL:
        cursor.n = take(w.second, r - w.gen.first_cursor, &place, fault)
        cursor.first = lot_at(&w.decoder, r - w.gen.first_cursor, place)
    else:
        cursor.n = refill_compact(&w.s, cursor, w.decoder.pool + cursor.first, w.decoder.ahead,
                                  &w.decoder.resolvers[0], fault)
    if cursor.n:
        cursor.due = w.decoder.pool[cursor.first].time
        return OK
    return fault.status


cdef inline int open_generation(MergeState *w, FAULT *fault) noexcept nogil:
    """Open the next generation. Returns OK or a fault."""
    cdef const GENERATION_ROW *gen = &w.gens[w.next_g]
    cdef int32_t i
    cdef int status
    w.gen = gen
    w.s.factor = gen.factor
    w.size = 0
    if w.second != NULL:
        open_rings(w.second, gen.n_cursors)
    w.decoder.s = w.s
    w.decoder.ahead = <int32_t> min(w.room // (max(gen.n_cursors, 1) * (1 if w.second == NULL else RING)),
                                    <int64_t> AHEAD)
    for i in range(1 if w.second == NULL else 2):
        if w.decoder.resolvers[i].n_kinds:
            enter_generation(&w.decoder.resolvers[i], gen)
    for i in range(gen.n_cursors):
        w.cursors[gen.first_cursor + i].first = i * w.decoder.ahead
        if w.second != NULL:
            w.decoder.cursors[i] = w.cursors[gen.first_cursor + i]
    if w.second != NULL:
        go_on(w.second)
    for i in range(gen.first_cursor, gen.first_cursor + gen.n_cursors):
        status = load_next(w, i, fault)
        if status < 0:
            return status
        if status == OK:
            push(w.cursors, w.heap, w.size, i)
            w.size += 1
    return OK


cdef inline int settle_root(MergeState *w, FAULT *fault) noexcept nogil:
    """Make the earliest cursor the root, with events. Returns OK, END_OF_CURSOR at the generation's end, or a fault."""
    cdef int status
    cdef CURSOR *cursor
    while w.size:
        cursor = &w.cursors[w.heap[0]]
        if cursor.at < cursor.n:
            return OK
        status = load_next(w, w.heap[0], fault)
        if status < 0:
            return status
        if status == END_OF_CURSOR:
            w.size -= 1
            w.heap[0] = w.heap[w.size]
        sift_down(w.cursors, w.heap, w.size, 0)
    return END_OF_CURSOR


cdef inline void pair(MergeState *w) noexcept nogil:
    """Make the two earliest cursors the pair, and compute when its first turn and the pair end."""
    cdef int32_t i, r, n = min(w.size, 2), rival = 1 + (w.size > 2 and earlier(w.cursors, w.heap[2], w.heap[1]))
    cdef const CURSOR *cursor
    w.rival = rival
    w.mine = 0
    w.limit = w.others = INT64_MAX
    for i in range(n):
        r = w.pair[i] = w.heap[i * rival]
        cursor = &w.cursors[r]
        w.turns[i].event = w.decoder.pool + cursor.first + cursor.at
        w.turns[i].end = w.decoder.pool + cursor.first + cursor.n
        w.turns[i].thread = &w.threads[w.thread_row[r]]
    if n == 1:
        return
    w.turns[0].first = w.pair[0] < w.pair[1]
    w.turns[1].first = 1 - w.turns[0].first
    w.limit = w.cursors[w.pair[1]].due - w.turns[1].first
    if w.size > 2:
        w.others = w.cursors[w.heap[3 - rival]].due
    for i in range(2 * rival + 1, min(2 * rival + 3, w.size)):
        w.others = min(w.others, w.cursors[w.heap[i]].due)


cdef inline void unpair(MergeState *w) noexcept nogil:
    """Write the positions of the pair back to the heap; the cursor in turn stays the root if it has no events."""
    cdef int i
    cdef CURSOR *cursor
    cdef const Turn *turn
    for i in range(min(w.size, 2)):
        turn = &w.turns[i]
        cursor = &w.cursors[w.pair[i]]
        cursor.at = cursor.n - <int32_t> (turn.end - turn.event)
        if turn.event < turn.end:
            cursor.due = turn.event.time
        w.heap[0 if i == w.mine else w.rival] = w.pair[i]
    if w.turns[w.mine].event < w.turns[w.mine].end:
        sift_down(w.cursors, w.heap, w.size, 0)

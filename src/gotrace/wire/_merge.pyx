"""Walks: all events of a slab by time, one thread's turn after the other.

Lives here: the order in which events of several threads come (FORMAT 4.2), for other kernels to cimport. Never here:
what an event means.
"""
cimport cython
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from gotrace.wire._prefetch cimport go_on, hold, open_parts, take
from gotrace.wire._resolve cimport Finder, enter_generation
from gotrace._generated cimport AHEAD, BATCH, BRIEF, CTX, FAULT, FULL, GEN, OK, PARTS, RUN
from gotrace.wire._cursor cimport DONE, EventBatches, refill_briefs
from gotrace.wire._stream cimport Stream, enter_batch

cdef Finder[2] nothing      # find nothing


@cython.final
cdef class Walk(Ahead):
    """All events of a slab by time; one at least, and no array may be empty.

    ``pool`` has room for a few events of each run of a generation, PARTS times if ``two`` threads work; ``heap`` for
    all runs of a generation.
    """

    def __init__(self, EventBatches source, const GEN[::1] gens, RUN[::1] runs, CTX[::1] ctxs,
                 const int32_t[::1] ctx_of, int32_t[::1] heap, BRIEF[::1] pool, bint two):
        cdef Course *w = &self.course
        self.kept = (source, gens, runs, ctxs, ctx_of, heap, pool)
        w.s = source.stream
        w.gens, w.n_gens = &gens[0], gens.shape[0]
        w.gen = w.gens
        w.runs, w.heap, w.size = &runs[0], &heap[0], -1
        w.ctxs, w.ctx_of = &ctxs[0], &ctx_of[0]
        w.maker.pool, w.room = &pool[0], pool.shape[0]
        w.maker.finders = &nothing[0]
        if two:
            self.reserve(<int> heap.shape[0])
            w.maker.cursors = <RUN *> calloc(heap.shape[0], sizeof(RUN))
            if w.maker.cursors == NULL:
                raise MemoryError
            self.parts.own = &w.maker
            self.parts.make = make_part
            w.second = &self.parts

    def __dealloc__(self):
        free(self.course.maker.cursors)


cdef void resume(Course *w) noexcept nogil:
    """Let parts be made."""
    if w.held:
        go_on(w.second)
    w.held = False


cdef void pause(Course *w, int status) noexcept nogil:
    """Let nothing be made until ``resume``, unless there is just no room for more rows."""
    if w.second != NULL and status != FULL:
        hold(w.second)
        w.held = True


cdef int go_further(Course *w, FAULT *fault) noexcept nogil:
    """As ``next_turn`` where the pair cannot just alternate."""
    cdef int status
    if w.size > 0:
        unpair(w)
    while True:
        if w.next_g == w.n_gens:
            return DONE
        if w.size < 0:
            status = open_generation(w, fault)
            if status != OK:
                return status
        status = settle(w, fault)
        if status == OK:
            break
        if status < 0:
            return status
        w.next_g += 1
        w.size = -1
    pair(w)
    return OK


cdef int make_part(void *own, int slot, int32_t place, bint helping, FAULT *fault) noexcept nogil:
    """Decode a part of a run."""
    cdef Maker *maker = <Maker *> own
    return refill_briefs(&maker.s, &maker.cursors[slot], maker.pool + part_at(maker, slot, place), maker.ahead,
                         &maker.finders[helping], fault)


cdef inline int32_t part_at(const Maker *maker, int slot, int32_t place) noexcept nogil:
    """The pool's row that is the first of a part."""
    return (slot * PARTS + place) * maker.ahead


cdef const BATCH *batch_at(const Stream *s, int64_t start) noexcept nogil:
    """The batch of the event there."""
    cdef int64_t low = 0, high = s.n_batches, middle
    while high - low > 1:
        middle = (low + high) // 2
        if s.batches[middle].offset <= s.base + start:
            low = middle
        else:
            high = middle
    return s.batches + low


cdef RUN run_from(const Stream *s, const RUN *runs, int32_t r, int64_t start) noexcept nogil:
    """Run r, about to decode its event there."""
    cdef RUN run
    cdef int32_t batch = <int32_t> (batch_at(s, start) - s.batches)
    memset(&run, 0, sizeof(RUN))
    run.m = runs[r].m
    run.last_batch = runs[r].last_batch
    run.batch = runs[r - 1].last_batch if r else 0
    while s.order[run.batch] != batch:
        run.batch += 1
    enter_batch(s, &run)
    run.next = start
    return run


cdef int blame(const Stream *s, const BRIEF *event, FAULT *fault, int status, uint64_t number) noexcept nogil:
    """Blame an event for status."""
    fault.status = status
    fault.offset = s.base + start_of(event)
    fault.batch = <int32_t> (batch_at(s, start_of(event)) - s.batches)
    fault.type = type_of(event)
    fault.detail = number
    return status


cdef inline bint earlier(const RUN *runs, int32_t a, int32_t b) noexcept nogil:
    """Runs are numbered by first appearance: that breaks ties."""
    return (runs[a].due < runs[b].due) | ((runs[a].due == runs[b].due) & (a < b))


cdef inline void sift_down(const RUN *runs, int32_t *heap, int32_t n, int32_t i) noexcept nogil:
    """Restore the heap after its entry i grew later."""
    cdef int32_t child, x = heap[i]
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n:
            child += earlier(runs, heap[child + 1], heap[child])
        if not earlier(runs, heap[child], x):
            break
        heap[i] = heap[child]
        i = child
    heap[i] = x


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


cdef inline int look_further(Course *w, int32_t r, FAULT *fault) noexcept nogil:
    """Get a run's next events and note when it is due; OK, DONE or a fault."""
    cdef RUN *run = &w.runs[r]
    cdef int32_t place = 0
    fault.status = OK
    run.at = 0
    if w.second != NULL:
        run.n = take(w.second, r - w.gen.first_run, &place, fault)
        run.part = part_at(&w.maker, r - w.gen.first_run, place)
    else:
        run.n = refill_briefs(&w.s, run, w.maker.pool + run.part, w.maker.ahead, &w.maker.finders[0], fault)
    if run.n:
        run.due = w.maker.pool[run.part].time
        return OK
    return fault.status


cdef inline int open_generation(Course *w, FAULT *fault) noexcept nogil:
    """Begin a generation; OK or a fault."""
    cdef const GEN *gen = &w.gens[w.next_g]
    cdef int32_t i
    cdef int status
    w.gen = gen
    w.s.factor = gen.factor
    w.size = 0
    if w.second != NULL:
        open_parts(w.second, gen.n_runs)
    w.maker.s = w.s
    w.maker.ahead = <int32_t> min(w.room // (max(gen.n_runs, 1) * (1 if w.second == NULL else PARTS)), <int64_t> AHEAD)
    for i in range(1 if w.second == NULL else 2):
        if w.maker.finders[i].n_kinds:
            enter_generation(&w.maker.finders[i], gen)
    for i in range(gen.n_runs):
        w.runs[gen.first_run + i].part = i * w.maker.ahead
        if w.second != NULL:
            w.maker.cursors[i] = w.runs[gen.first_run + i]
    if w.second != NULL:
        go_on(w.second)
    for i in range(gen.first_run, gen.first_run + gen.n_runs):
        status = look_further(w, i, fault)
        if status < 0:
            return status
        if status == OK:
            push(w.runs, w.heap, w.size, i)
            w.size += 1
    return OK


cdef inline int settle(Course *w, FAULT *fault) noexcept nogil:
    """Let the earliest run stand at the root, with events: OK, DONE when the generation has no more, or a fault."""
    cdef int status
    cdef RUN *run
    while w.size:
        run = &w.runs[w.heap[0]]
        if run.at < run.n:
            return OK
        status = look_further(w, w.heap[0], fault)
        if status < 0:
            return status
        if status == DONE:
            w.size -= 1
            w.heap[0] = w.heap[w.size]
        sift_down(w.runs, w.heap, w.size, 0)
    return DONE


cdef inline void pair(Course *w) noexcept nogil:
    """Let the two earliest runs take turns, and find out until when."""
    cdef int32_t i, r, n = min(w.size, 2), rival = 1 + (w.size > 2 and earlier(w.runs, w.heap[2], w.heap[1]))
    cdef const RUN *run
    w.rival = rival
    w.mine = 0
    w.limit = w.others = INT64_MAX
    for i in range(n):
        r = w.pair[i] = w.heap[i * rival]
        run = &w.runs[r]
        w.turns[i].event = w.maker.pool + run.part + run.at
        w.turns[i].end = w.maker.pool + run.part + run.n
        w.turns[i].ctx = &w.ctxs[w.ctx_of[r]]
    if n == 1:
        return
    w.turns[0].first = w.pair[0] < w.pair[1]
    w.turns[1].first = 1 - w.turns[0].first
    w.limit = w.runs[w.pair[1]].due - w.turns[1].first
    if w.size > 2:
        w.others = w.runs[w.heap[3 - rival]].due
    for i in range(2 * rival + 1, min(2 * rival + 3, w.size)):
        w.others = min(w.others, w.runs[w.heap[i]].due)


cdef inline void unpair(Course *w) noexcept nogil:
    """Let the heap know where the pair stands; the one that had its turn stays the root if it has no events."""
    cdef int i
    cdef RUN *run
    cdef const Turn *turn
    for i in range(min(w.size, 2)):
        turn = &w.turns[i]
        run = &w.runs[w.pair[i]]
        run.at = run.n - <int32_t> (turn.end - turn.event)
        if turn.event < turn.end:
            run.due = turn.event.time
        w.heap[0 if i == w.mine else w.rival] = w.pair[i]
    if w.turns[w.mine].event < w.turns[w.mine].end:
        sift_down(w.runs, w.heap, w.size, 0)

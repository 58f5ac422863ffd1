"""Walks: all events of a slab, merged by time.

Lives here: the order in which events of several threads come (FORMAT 4.2), for other kernels to cimport. Never here:
what an event means.
"""
cimport cython
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from gotrace._ahead cimport go_on, hold, open_parts, take
from gotrace._finder cimport Finder, enter_types
from gotrace._generated cimport AHEAD, BATCH, BRIEF, CTX, FAULT, FULL, GEN, MERGED, OK, PARTS, RUN
from gotrace._runs cimport DONE, Stream, enter_batch, open_stream, refill_briefs

cdef enum:
    SHORT = 16          # events in a row of one run, below which two runs are merged without the heap


cdef Finder[2] nothing      # find nothing


@cython.final
cdef class Walk(Ahead):
    """All events of a slab by time; one at least, and no array may be empty.

    ``pool`` has room for a few events of each run of a generation, PARTS times if ``two`` threads work; ``heap`` for
    all runs of a generation, ``events`` and ``run_of`` for MERGED.
    """

    def __init__(self, const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, const int32_t[::1] order,
                 const uint8_t[::1] n_args, const GEN[::1] gens, RUN[::1] runs, CTX[::1] ctxs,
                 const int32_t[::1] ctx_of, int32_t[::1] heap, BRIEF[::1] pool, BRIEF[::1] events,
                 int32_t[::1] run_of, bint two):
        cdef Course *w = &self.course
        self.kept = (data, batches, order, n_args, gens, runs, ctxs, ctx_of, heap, pool, events, run_of)
        open_stream(&w.s, data, base, batches, order, n_args)
        w.gens, w.n_gens = &gens[0], gens.shape[0]
        w.gen = w.gens
        w.runs, w.heap, w.size = &runs[0], &heap[0], -1
        w.ctxs, w.ctx_of = &ctxs[0], &ctx_of[0]
        w.events, w.run_of = &events[0], &run_of[0]
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
    """Merge what comes next, all of one generation: OK, DONE at the end of the slab, or a fault.

    The root goes on while it is the earliest. Where threads take turns often, the two earliest runs are merged without
    asking the heap each time.
    """
    cdef int status
    w.at = w.n = 0
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
    while w.n < MERGED and not spent(w):
        if one_run(w) < SHORT and w.n < MERGED and w.size > 1 and not spent(w):
            two_runs(w)
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
    for i in range(2):
        if w.maker.finders[i].n_kinds:
            enter_types(&w.maker.finders[i], gen, <int32_t> w.next_g)
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


cdef inline bint spent(Course *w) noexcept nogil:
    """Whether the root must be refilled before anything else can come."""
    return w.runs[w.heap[0]].at == w.runs[w.heap[0]].n


cdef inline int32_t second(Course *w) noexcept nogil:
    """The heap's entry that is the earliest but the root; there are two at least."""
    return 1 + (w.size > 2 and earlier(w.runs, w.heap[2], w.heap[1]))


cdef inline int one_run(Course *w) noexcept nogil:
    """Take the events of the root while it is the earliest: how many. If they are used up, it stays the root."""
    cdef int32_t r = w.heap[0], rival
    cdef int64_t limit = INT64_MAX
    cdef RUN *run = &w.runs[r]
    cdef const BRIEF *events = w.maker.pool + run.part + run.at
    cdef BRIEF *out = w.events + w.n
    cdef int32_t *out_run = w.run_of + w.n
    cdef int n = 0, most = min(run.n - run.at, <int> MERGED - w.n)
    if w.size > 1:
        rival = w.heap[second(w)]
        limit = w.runs[rival].due - (rival < r)
    while n < most and events[n].time <= limit:
        out[n] = events[n]
        out_run[n] = r
        n += 1
    w.n += n
    run.at += n
    if run.at < run.n:
        run.due = events[n].time
        sift_down(w.runs, w.heap, w.size, 0)
    return n


cdef inline void two_runs(Course *w) noexcept nogil:
    """Take the events of the two earliest runs up to the third; if one of them is used up, it becomes the root."""
    cdef int32_t place = second(w), a = w.heap[0], b = w.heap[place], i
    cdef RUN *run_a = &w.runs[a]
    cdef RUN *run_b = &w.runs[b]
    cdef const BRIEF *from_a = w.maker.pool + run_a.part
    cdef const BRIEF *from_b = w.maker.pool + run_b.part
    cdef const BRIEF *end_a = from_a + run_a.n
    cdef const BRIEF *end_b = from_b + run_b.n
    cdef int n = w.n
    cdef int64_t limit = INT64_MAX
    cdef bint b_first = b < a
    cdef BRIEF *out = w.events
    cdef int32_t *out_run = w.run_of
    if 3 - place < w.size:
        limit = w.runs[w.heap[3 - place]].due
    for i in range(2 * place + 1, min(2 * place + 3, w.size)):
        limit = min(limit, w.runs[w.heap[i]].due)
    from_a += run_a.at
    from_b += run_b.at
    while n < MERGED and from_a < end_a and from_b < end_b:
        if from_b.time < from_a.time or (b_first and from_b.time == from_a.time):
            if from_b.time >= limit:
                break
            out[n] = from_b[0]
            out_run[n] = b
            from_b += 1
        else:
            if from_a.time >= limit:
                break
            out[n] = from_a[0]
            out_run[n] = a
            from_a += 1
        n += 1
    w.n = n
    run_a.at = run_a.n - <int32_t> (end_a - from_a)
    run_b.at = run_b.n - <int32_t> (end_b - from_b)
    if from_a < end_a:
        run_a.due = from_a.time
    if from_b < end_b:
        run_b.due = from_b.time
    else:
        w.heap[0] = b
        w.heap[place] = a
    sift_down(w.runs, w.heap, w.size, place)
    if not spent(w):
        sift_down(w.runs, w.heap, w.size, 0)

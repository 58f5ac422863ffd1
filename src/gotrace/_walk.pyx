"""Walks: all events of a slab, merged by time.

Lives here: the plan of what comes next (FORMAT 4.2), for other kernels to cimport. Never here: what an event means,
Python functions.
"""
from libc.stdint cimport INT64_MAX, int32_t, int64_t

from gotrace._ahead cimport open_parts, take
from gotrace._generated cimport BRIEF, FAULT, OK, RUN
from gotrace._runs cimport DONE, refill

cdef enum:
    SHORT = 16          # events in a row of one run, below which two runs are merged without guessing


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


cdef inline int look_further(Walk *w, int32_t r, FAULT *fault) noexcept nogil:
    """Refill the part of a run and note when it is due; OK, DONE or a fault."""
    cdef RUN *run = &w.runs[r]
    fault.status = OK
    run.at = 0
    if w.second != NULL:
        run.n = take(w.second, w.runs, r, fault)
    else:
        run.n = refill(&w.s, run, w.pool + run.part, w.ahead, fault)
        w.scout.find(w.scout.own, w.pool + run.part, part_of(w, r), run.n, False)
    if run.n:
        run.due = part_of(w, r)[0].time
        return OK
    return fault.status


cdef inline int open_generation(Walk *w, FAULT *fault) noexcept nogil:
    """Begin a generation; OK or a fault."""
    cdef int32_t r
    cdef int status
    enter_generation(w)
    w.size = 0
    if w.second != NULL:
        open_parts(w.second, w.g, &w.s, w.runs, w.first, w.gens[w.g].n_runs, w.pool, w.briefs, w.ahead)
    else:
        w.scout.enter(w.scout.own, w.g)
        for r in range(w.gens[w.g].n_runs):
            w.runs[w.first + r].part = r * w.ahead
    for r in range(w.first, w.first + w.gens[w.g].n_runs):
        status = look_further(w, r, fault)
        if status < 0:
            return status
        if status == OK:
            push(w.runs, w.heap, w.size, r)
            w.size += 1
    return OK


cdef inline int settle(Walk *w, FAULT *fault) noexcept nogil:
    """Let the earliest run stand at the root, refilled: OK, DONE when the generation has no more, or a fault."""
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


cdef int plan_events(Walk *w, FAULT *fault) noexcept nogil:
    """Plan what comes next, all of one generation: OK, DONE at the end of the slab, or a fault.

    The root goes on while it is the earliest. Where threads take turns often, no branch can be foretold, so the
    two earliest runs are merged without one.
    """
    cdef int status
    w.n_plan = 0
    while True:
        if w.g == w.n_gens:
            return DONE
        if w.size < 0:
            status = open_generation(w, fault)
            if status != OK:
                w.size = -1
                return status
        status = settle(w, fault)
        if status == OK:
            break
        if status < 0:
            return status
        w.g += 1
        w.size = -1
    while w.n_plan < PLAN and not spent(w):
        if one_run(w) < SHORT and w.n_plan < PLAN and w.size > 1 and not spent(w):
            two_runs(w)
    return OK


cdef inline bint spent(const Walk *w) noexcept nogil:
    """Whether the root must be refilled before anything else can be planned."""
    return w.runs[w.heap[0]].at == w.runs[w.heap[0]].n


cdef inline int32_t second(const Walk *w) noexcept nogil:
    """The heap's entry that is the earliest but the root; there are two at least."""
    return 1 + (w.size > 2 and earlier(w.runs, w.heap[2], w.heap[1]))


cdef inline int one_run(Walk *w) noexcept nogil:
    """Plan the events of the root while it is the earliest: how many. If they are used up, it stays the root."""
    cdef int32_t r = w.heap[0], rival, at, end
    cdef int64_t limit = INT64_MAX
    cdef RUN *run = &w.runs[r]
    cdef const BRIEF *events = part_of(w, r)
    cdef Planned *plan = &w.plan[w.n_plan]
    cdef int n = 0
    if w.size > 1:
        rival = w.heap[second(w)]
        limit = w.runs[rival].due - (rival < r)
    at = run.at
    end = min(run.n, at + PLAN - w.n_plan)
    while at < end and events[at].time <= limit:
        plan[n].event = &events[at]
        plan[n].run = r
        plan[n].ctx = run.ctx
        n += 1
        at += 1
    w.n_plan += n
    run.at = at
    if at < run.n:
        run.due = events[at].time
        sift_down(w.runs, w.heap, w.size, 0)
    return n


cdef inline void two_runs(Walk *w) noexcept nogil:
    """Plan the events of the two earliest runs up to the third; if one of them is used up, it becomes the root."""
    cdef int32_t place = second(w), a = w.heap[0], b = w.heap[place], i
    cdef RUN *run_a = &w.runs[a]
    cdef RUN *run_b = &w.runs[b]
    cdef const BRIEF *from_a = part_of(w, a)
    cdef const BRIEF *from_b = part_of(w, b)
    cdef const BRIEF *end_a = from_a + run_a.n
    cdef const BRIEF *end_b = from_b + run_b.n
    cdef Planned *plan = &w.plan[w.n_plan]
    cdef Planned *end = &w.plan[PLAN]
    cdef int64_t limit = INT64_MAX
    cdef bint b_first = b < a, take_b
    if 3 - place < w.size:
        limit = w.runs[w.heap[3 - place]].due
    for i in range(2 * place + 1, min(2 * place + 3, w.size)):
        limit = min(limit, w.runs[w.heap[i]].due)
    from_a += run_a.at
    from_b += run_b.at
    while plan < end and from_a < end_a and from_b < end_b and min(from_a.time, from_b.time) < limit:
        take_b = (from_b.time < from_a.time) | ((from_b.time == from_a.time) & b_first)
        plan.event = from_b if take_b else from_a
        plan.run = b if take_b else a
        plan.ctx = run_b.ctx if take_b else run_a.ctx
        from_b += take_b
        from_a += not take_b
        plan += 1
    w.n_plan = <int> (plan - &w.plan[0])
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


cdef void unplan(Walk *w, int n) noexcept nogil:
    """Give the plan's events from place n on back to their runs."""
    cdef int k
    cdef int32_t i
    if n == w.n_plan:
        return
    for k in range(n, w.n_plan):
        w.runs[w.plan[k].run].at -= 1
    for i in range(w.size):
        w.runs[w.heap[i]].due = part_of(w, w.heap[i])[w.runs[w.heap[i]].at].time
        push(w.runs, w.heap, i, w.heap[i])

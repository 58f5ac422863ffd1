# Walks: all events of a slab, merged by time, and the place where a call stopped.
# Never here: what an event means.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._ahead cimport Ahead, Parts, Scout, go_on, hold
from gotrace._generated cimport AHEAD, BATCH, BRIEF, CTX, DECODED, FAULT, GEN, OK, PARTS, RUN
from gotrace._runs cimport FOLLOWED, STARTS_G, STOPS_G, Stream, follow_far


cdef struct Planned:
    const BRIEF *event
    int32_t run
    int32_t ctx


cdef enum:
    PLAN = 256          # events that are planned at a time


cdef struct Walk:
    # All events of a slab by time, some planned at a time, and the place where a call stopped.
    Stream s
    const GEN *gens
    RUN *runs
    int32_t *heap           # runs of the generation that have events left
    DECODED *pool           # parts of ``ahead`` rows for the runs of the generation
    BRIEF *briefs           # of the pool
    Scout scout
    Parts *second           # NULL: one thread does everything
    int64_t n_gens, room    # rows of gens and of the pool
    int64_t *state
    int64_t g               # generation, and
    int32_t size            # size of heap: kept in state between calls
    int32_t first           # the generation's first run
    int32_t ahead
    int n_plan
    Planned[PLAN] plan      # what comes next


cdef enum:
    # Places in the array ``state``; it starts as 0, -1.
    STATE_GEN = 0
    STATE_SIZE = 1


cdef inline void open_walk(Walk *w, const uint8_t[::1] data, int64_t base, const BATCH[::1] batches,
                           const int32_t[::1] order, const uint8_t[::1] n_args, const GEN[::1] gens, RUN[::1] runs,
                           int32_t[::1] heap, DECODED[::1] pool, BRIEF[::1] briefs, int64_t[::1] state,
                           Ahead ahead, const Scout *scout):
    """Begin, or go on where ``state`` says; no array may be empty."""
    w.s.data = &data[0]
    w.s.size = data.shape[0]
    w.s.base = base
    w.s.batches = &batches[0]
    w.s.order = &order[0]
    w.s.n_args = &n_args[0]
    w.s.factor = 1.0
    w.gens = &gens[0]
    w.runs = &runs[0]
    w.heap = &heap[0]
    w.pool = &pool[0]
    w.briefs = &briefs[0]
    w.scout = scout[0]
    if ahead is not None:
        ahead.parts.scout = scout[0]
    w.n_gens = gens.shape[0]
    w.room = pool.shape[0]
    w.second = NULL if ahead is None else &ahead.parts
    w.state = &state[0]
    w.g = state[STATE_GEN]
    w.size = <int32_t> state[STATE_SIZE]
    w.first = w.ahead = 0
    if w.g < w.n_gens:
        enter_generation(w)
        if w.size >= 0:
            w.scout.enter(w.scout.own, w.g)
    if w.second != NULL:
        go_on(w.second)


cdef inline void keep_place(Walk *w) noexcept nogil:
    """Note in ``state`` where to go on, and let nothing be decoded until then."""
    if w.second != NULL:
        hold(w.second)
    w.state[STATE_GEN] = w.g
    w.state[STATE_SIZE] = w.size


cdef inline void enter_generation(Walk *w) noexcept nogil:
    cdef const GEN *gen = &w.gens[w.g]
    w.s.factor = gen.factor
    w.first = gen.first_run
    w.ahead = <int32_t> min(w.room // (max(gen.n_runs, 1) * (1 if w.second == NULL else PARTS)), <int64_t> AHEAD)


cdef inline BRIEF *part_of(const Walk *w, int32_t r) noexcept nogil:
    """The decoded events of a run, in brief."""
    return w.briefs + w.runs[r].part


cdef inline DECODED *whole(const Walk *w, const BRIEF *event) noexcept nogil:
    """An event with all its numbers."""
    return w.pool + (event - w.briefs)


cdef inline uint8_t type_of(const BRIEF *event) noexcept nogil:
    return <uint8_t> event.place


cdef inline int64_t start_of(const BRIEF *event) noexcept nogil:
    """Buffer index of an event."""
    return event.place >> 8


cdef inline int64_t place_of(const DECODED *event) noexcept nogil:
    return event.start << 8 | event.type


cdef inline int follow(const Walk *w, CTX *ctx, const BRIEF *event) noexcept nogil:
    """Let an event change its thread's goroutine and proc, as far as the thread's own events tell."""
    cdef uint8_t kind = type_of(event)
    cdef uint64_t bit = <uint64_t> 1 << (kind & 63)
    if kind > 63 or ctx.m == -1:
        return OK
    if bit & (STARTS_G | STOPS_G):
        ctx.g = <int64_t> event.arg if bit & STARTS_G else -1
        return OK
    return follow_far(ctx, whole(w, event)) if bit & FOLLOWED else OK


cdef inline int blame(
    const Walk *w, const RUN *run, const BRIEF *event, FAULT *fault, int status, uint64_t number
) noexcept nogil:
    """Blame an event of run for status."""
    fault.status = status
    fault.offset = w.s.base + start_of(event)
    fault.batch = w.s.order[run.batch]
    fault.type = type_of(event)
    fault.detail = number
    return status


cdef int plan_events(Walk *w, FAULT *fault) noexcept nogil
cdef void unplan(Walk *w, int n) noexcept nogil

# The use of procs and threads, stopped worlds and mark phases. Never here: behaviour.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._generated cimport CYCLE, OPEN_PAUSE, ORDERED, PAUSE, PROC_USE, THREAD_USE
from gotrace._hashmap cimport HashMap

cdef enum:
    NEAR = 64           # procs and threads that are found without a map, unless they share the low bits of their ids


cdef inline uint64_t span(int64_t start, int64_t end) noexcept nogil:
    """Return the time from start to end."""
    return <uint64_t> end - <uint64_t> start


cdef inline void add(int64_t *sum, uint64_t more) noexcept nogil:
    """Add to a sum that may wrap: hostile times may be anything."""
    sum[0] = <int64_t> (<uint64_t> sum[0] + more)


@cython.final
cdef class Procs:
    cdef PROC_USE[::1] procs
    cdef THREAD_USE[::1] threads
    cdef HashMap proc_map, thread_map
    cdef int32_t n_procs, n_threads    # rows in use, row 0 included
    cdef int32_t[NEAR] near_procs, near_threads
    cdef int64_t sync                           # ns: time of the last Sync
    cdef int64_t n_running                      # procs
    # Stopped worlds; the first one that is open is followed.
    cdef OPEN_PAUSE[::1] open_pauses
    cdef int32_t n_open_pauses
    cdef int32_t free_pause, followed
    cdef int32_t n_before                       # other procs that have been running since its start
    cdef bint resumed                           # goroutines start again: the world was stopped
    cdef PAUSE[::1] pauses
    cdef int32_t n_pauses, first_pause
    # Mark phases.
    cdef CYCLE cycle
    cdef CYCLE[::1] cycles
    cdef int32_t n_cycles
    cdef bint in_cycle
    cdef int64_t live_heap, goal, counted       # counted: ns, until when the times of cycle are counted
    cdef int64_t n_assisting
    cdef int64_t[3] n_workers                   # dedicated, fractional, idle

    cdef void restart(self, int64_t time) noexcept nogil
    cdef int32_t proc(self, int64_t id) noexcept nogil
    cdef int32_t thread(self, int64_t id, int64_t time) noexcept nogil
    cdef void count(self, PROC_USE *proc, int64_t time) noexcept nogil
    cdef void turn(self, const ORDERED *row) noexcept nogil
    cdef void resume(self, const PROC_USE *proc) noexcept nogil
    cdef void stop(self, const PROC_USE *proc, const ORDERED *row) noexcept nogil
    cdef int32_t start_pause(self, const ORDERED *row, int32_t reason) noexcept nogil
    cdef void end_pause(self, int32_t at, int64_t end, int role) noexcept nogil
    cdef void measure(self, const ORDERED *row) noexcept nogil
    cdef void count_marks(self, int64_t time) noexcept nogil
    cdef void mark(self, const ORDERED *row) noexcept nogil
    cdef void put_cycle(self) noexcept nogil
    cdef int64_t room(self) noexcept nogil
    cdef int64_t output(self) noexcept nogil


cdef inline int32_t proc_of(Procs procs, int64_t id) noexcept nogil:
    """Return the row of a proc."""
    cdef int32_t at = procs.near_procs[id & (NEAR - 1)]
    return at if procs.procs[at].id == id else procs.proc(id)


cdef inline int32_t thread_of(Procs procs, int64_t id, int64_t time) noexcept nogil:
    """Return the row of a thread, which is there at this time."""
    cdef int32_t at = procs.near_threads[id & (NEAR - 1)]
    return at if procs.threads[at].id == id and procs.threads[at].since >= 0 else procs.thread(id, time)

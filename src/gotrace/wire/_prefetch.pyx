"""Prefetching: lots of decoded events, filled by a background thread or by the reader when it needs one first.

Holds the exchange of lots between two threads. Never here: what a lot holds.
"""
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free

from gotrace._generated cimport FAULT, RING
from gotrace.wire._atomic cimport TWO_THREADS, clock, let_others_run, load, load_time, relax, store, store_time, swap

cdef enum:
    # States of a ring's lock.
    OPEN = 0
    TAKEN = 1               # a thread is filling a lot
    HELD = 2                # no thread may fill a lot

    LINE = 64               # bytes of a cache line
    SPIN_POLLS = 64         # failed polls before yielding the core
    IDLE_POLLS = 4_000      # failed polls after which the background thread stops: one or two milliseconds
    LATE = 1_000_000        # ns between two polls from which on other work must have used the core
    MOST_LATE = 8_000_000   # ns; longer gaps count as this
    BACKOFF = 128           # prefetching pauses for this many times the gap; less if gaps are rare

# Both belong to the whole process.
cdef int64_t paused_until = 0   # ns of the clock; no background thread starts before
cdef int64_t undisturbed = 0    # ns of prefetching since other work last used the core


cdef class Prefetcher:
    """The rings of a reader; ``kept`` stays alive for the background thread."""

    def __cinit__(self):
        self.memory = NULL

    def __dealloc__(self):
        free(self.memory)

    cdef int reserve(self, int n) except -1:
        """Allocate n rings, aligned to cache lines."""
        self.memory = calloc(n + 1, sizeof(Ring))
        if self.memory == NULL:
            raise MemoryError
        self.parts.slots = <Ring *> ((<uintptr_t> self.memory + LINE - 1) & ~<uintptr_t> (LINE - 1))
        return 0

    def run_ahead(self):
        """Fill lots until there is nothing to do for a while, other work uses the core, or ``stop`` is called."""
        cdef int idle = 0
        cdef int32_t i
        cdef int64_t now = clock(), since = now - load_time(&undisturbed)
        cdef bint preempted = False
        cdef Rings *a = &self.parts
        with nogil:
            while TWO_THREADS and idle < IDLE_POLLS and not preempted and not load(&a.stopped):
                idle += 1
                for i in range(load(&a.n)):
                    if needs_lots(&a.slots[i], RING - 1) and fill_lots(a, i, RING - 1, True):
                        idle = 0
                        preempted |= is_late(&now, &since)
                if idle:
                    wait(idle)
                    preempted |= is_late(&now, &since)
            store_time(&undisturbed, now - since)
            store(&a.serving, 0)

    def try_start(self) -> bool:
        """True if no background thread runs and none is paused; the caller must then start one with ``run_ahead``."""
        return load_time(&paused_until) <= clock() and swap(&self.parts.serving, 0, 1)

    def stop(self):
        """Make ``run_ahead`` return soon, and at once in later calls."""
        store(&self.parts.stopped, 1)


cdef inline void wait(int polls) noexcept nogil:
    """Wait a moment, after this many failed polls."""
    if polls < SPIN_POLLS:
        relax()
    else:
        let_others_run()


cdef inline bint is_late(int64_t *now, int64_t *since) noexcept nogil:
    """Read the clock; if other work used the core since the last call, pause prefetching for a while."""
    cdef int64_t last = now[0], late
    now[0] = clock()
    if now[0] - last <= LATE:
        return False
    late = min(now[0] - last, <int64_t> MOST_LATE)
    store_time(&paused_until, now[0] + BACKOFF * late * late // (now[0] - since[0]))
    since[0] = now[0]
    return True


cdef inline bint needs_lots(const Ring *slot, int32_t enough) noexcept nogil:
    """True if fewer than ``enough`` filled lots are left, and more may follow."""
    return load(&slot.made) - load(&slot.used) < enough and not load(&slot.ended)


cdef bint fill_lots(Rings *a, int i, int32_t enough, bint helping) noexcept nogil:
    """Fill a ring up to ``enough`` lots, unless another thread does or none may; True if a lot was filled."""
    cdef Ring *slot = &a.slots[i]
    cdef int32_t _, place
    cdef bint made = False
    if not swap(&slot.lock, OPEN, TAKEN):
        return False
    for _ in range(RING):
        if not needs_lots(slot, enough):
            break
        if not helping and slot.used:   # reuse the place of the lot before, which is in the cache of the reader's core
            store(&slot.made, slot.made - 1)
            store(&slot.used, slot.used - 1)
        place = slot.made % RING
        slot.n[place] = a.make(a.own, i, place, helping, &slot.fault)
        if slot.n[place] == 0:
            store(&slot.ended, 1)
        store(&slot.made, slot.made + 1)
        made = True
    store(&slot.lock, OPEN)
    return made


cdef void open_rings(Rings *a, int n) noexcept nogil:
    """Restart with n rings, all held."""
    cdef int i
    cdef Ring *slot
    hold(a)
    store(&a.n, 0)
    for i in range(n):
        slot = &a.slots[i]
        store(&slot.lock, HELD)
        store(&slot.made, 0)
        store(&slot.used, 0)
        store(&slot.ended, 0)
    store(&a.n, n)


cdef int take(Rings *a, int i, int32_t *place, FAULT *fault) noexcept nogil:
    """Release the lot in use and get the next one, at ``place``; return its number of events, or 0 and a fault."""
    cdef Ring *slot = &a.slots[i]
    cdef int polls = 0
    while load(&slot.made) == slot.used:
        if not fill_lots(a, i, 1, False):
            wait(polls)
            polls += 1
    place[0] = slot.used % RING
    if slot.n[place[0]] == 0:
        fault[0] = slot.fault
        return 0
    store(&slot.used, slot.used + 1)
    return slot.n[place[0]]


cdef void hold(Rings *a) noexcept nogil:
    """Stop all filling of lots, so that its input may change."""
    cdef int i, polls = 0
    for i in range(a.n):
        while not swap(&a.slots[i].lock, OPEN, HELD):
            wait(polls)
            polls += 1


cdef void go_on(Rings *a) noexcept nogil:
    """Allow the filling of lots again, after ``hold``."""
    cdef int i
    for i in range(a.n):
        store(&a.slots[i].lock, OPEN)

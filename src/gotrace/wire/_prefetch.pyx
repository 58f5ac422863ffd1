"""Working ahead: parts that will be asked for next, made by a second thread or by whoever needs them first.

ObjectReplay here: how two threads hand parts to and fro. Never here: what a part is made of.
"""
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free

from gotrace._generated cimport FAULT, RING
from gotrace.wire._atomic cimport TWO_THREADS, clock, let_others_run, load, load_time, relax, store, store_time, swap

cdef enum:
    # States of a slot's lock.
    OPEN = 0
    TAKEN = 1           # by who makes a part
    HELD = 2            # nobody shall

    LINE = 64           # bytes of a line of the cache
    BRIEFLY = 64        # looks in vain, after which others may have the core first
    IDLE = 4_000        # looks in vain, after which serving ends: a millisecond or two
    LATE = 1_000_000    # ns between two looks, from which on other work must have had the core,
    LATEST = 8_000_000  # ns, and what counts as no longer than that
    ALONE = 128         # nobody serves for so many times as long, or less if that had been rare

cdef int64_t alone = 0      # ns of the clock until which nobody serves, in the whole process
cdef int64_t served = 0     # ns since other work had the core


cdef class Prefetcher:
    """The next parts of some slots; ``kept`` stays alive for the thread that serves."""

    def __cinit__(self):
        self.memory = NULL

    def __dealloc__(self):
        free(self.memory)

    cdef int reserve(self, int n) except -1:
        """Make room for up to n slots."""
        self.memory = calloc(n + 1, sizeof(Ring))
        if self.memory == NULL:
            raise MemoryError
        self.parts.slots = <Ring *> ((<uintptr_t> self.memory + LINE - 1) & ~<uintptr_t> (LINE - 1))
        return 0

    def run_ahead(self):
        """Make parts, until there was nothing to do for a while, no core is free for it or ``stop`` is called."""
        cdef int idle = 0
        cdef int32_t i
        cdef int64_t now = clock(), since = now - load_time(&served)
        cdef bint shared = False
        cdef Rings *a = &self.parts
        with nogil:
            while TWO_THREADS and idle < IDLE and not shared and not load(&a.stopped):
                idle += 1
                for i in range(load(&a.n)):
                    if lacks(&a.slots[i], RING - 1) and make(a, i, RING - 1, True):
                        idle = 0
                        shared |= is_late(&now, &since)
                if idle:
                    wait(idle)
                    shared |= is_late(&now, &since)
            store_time(&served, now - since)
            store(&a.serving, 0)

    def try_start(self) -> bool:
        """Whether nobody serves, but somebody should; then the caller shall let somebody."""
        return load_time(&alone) <= clock() and swap(&self.parts.serving, 0, 1)

    def stop(self):
        """Let ``serve`` end soon, and not begin again."""
        store(&self.parts.stopped, 1)


cdef inline void wait(int looks) noexcept nogil:
    """Wait a moment, after so many looks in vain."""
    if looks < BRIEFLY:
        relax()
    else:
        let_others_run()


cdef inline bint is_late(int64_t *now, int64_t *since) noexcept nogil:
    """Look at the clock; if other work had the core since the last look, nobody serves for a while."""
    cdef int64_t last = now[0], late
    now[0] = clock()
    if now[0] - last <= LATE:
        return False
    late = min(now[0] - last, <int64_t> LATEST)
    store_time(&alone, now[0] + ALONE * late * late // (now[0] - since[0]))
    since[0] = now[0]
    return True


cdef inline bint lacks(const Ring *slot, int32_t enough) noexcept nogil:
    """Whether fewer parts than are enough wait to be used, and there may be more."""
    return load(&slot.made) - load(&slot.used) < enough and not load(&slot.ended)


cdef bint make(Rings *a, int i, int32_t enough, bint helping) noexcept nogil:
    """Make the next parts of a slot that lacks some, RING at most, unless somebody else does; whether one was made."""
    cdef Ring *slot = &a.slots[i]
    cdef int32_t _, place
    cdef bint made = False
    if not swap(&slot.lock, OPEN, TAKEN):
        return False
    for _ in range(RING):
        if not lacks(slot, enough):
            break
        if not helping and slot.used:   # it takes the place of the part before, whose lines the user's core has
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
    """Begin anew with n slots, all held."""
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
    """Exchange the part of a slot that is in use for the next one, at ``place``: its events, or 0 and a fault."""
    cdef Ring *slot = &a.slots[i]
    cdef int looks = 0
    while load(&slot.made) == slot.used:
        if not make(a, i, 1, False):
            wait(looks)
            looks += 1
    place[0] = slot.used % RING
    if slot.n[place[0]] == 0:
        fault[0] = slot.fault
        return 0
    store(&slot.used, slot.used + 1)
    return slot.n[place[0]]


cdef void hold(Rings *a) noexcept nogil:
    """Let nobody make parts, so that what they are made of may change."""
    cdef int i, looks = 0
    for i in range(a.n):
        while not swap(&a.slots[i].lock, OPEN, HELD):
            wait(looks)
            looks += 1


cdef void go_on(Rings *a) noexcept nogil:
    """End what ``hold`` began."""
    cdef int i
    for i in range(a.n):
        store(&a.slots[i].lock, OPEN)

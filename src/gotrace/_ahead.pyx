"""Decoding ahead: what runs will ask for next, decoded by a second thread or by whoever needs it first.

Lives here: the parts of a run, one in use and some to come, and how two threads hand them to and fro.
Never here: the order of threads, what an event means.
"""
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free

from gotrace._generated cimport BRIEF, DECODED, FAULT, PARTS, RUN
from gotrace._runs cimport Stream, refill

cdef enum:
    # States of a slot's lock.
    OPEN = 0
    TAKEN = 1           # by who makes a part
    HELD = 2            # nobody shall

    LINE = 64           # bytes of a line of the cache
    IDLE = 20_000       # looks at all slots in vain, after which serving ends: about a millisecond


cdef class Ahead:
    """The next parts of each run of a generation, for up to n runs; ``kept`` stays alive for the thread that serves."""

    def __cinit__(self, int n, object kept, *ignored):
        self.kept = kept
        self.memory = calloc(n + 1, sizeof(Slot))
        if self.memory == NULL:
            raise MemoryError
        self.parts.slots = <Slot *> ((<uintptr_t> self.memory + LINE - 1) & ~<uintptr_t> (LINE - 1))

    def __dealloc__(self):
        free(self.memory)

    def serve(self):
        """Decode ahead, until there was nothing to do for a while or ``stop`` is called."""
        cdef int idle = 0
        cdef int32_t i
        cdef Parts *a = &self.parts
        with nogil:
            while TWO_THREADS and idle < IDLE and not load(&a.stopped):
                idle += 1
                for i in range(load(&a.n)):
                    if lacks(&a.slots[i], PARTS - 1) and make(a, i, PARTS - 1, True):
                        idle = 0
                relax()
            store(&a.serving, 0)

    def claim(self):
        """Whether nobody serves; then the caller shall let somebody."""
        return swap(&self.parts.serving, 0, 1)

    def stop(self):
        """Let ``serve`` end soon, and not begin again."""
        store(&self.parts.stopped, 1)


cdef inline bint lacks(const Slot *slot, int32_t enough) noexcept nogil:
    """Whether fewer parts than are enough wait to be used, and there may be more."""
    return load(&slot.made) - load(&slot.used) < enough and not load(&slot.ended)


cdef bint make(Parts *a, int i, int32_t enough, bint helping) noexcept nogil:
    """Make the next part of a slot, if it lacks one and nobody else does; whether that was done."""
    cdef Slot *slot = &a.slots[i]
    cdef int32_t place, part
    cdef bint lacking
    if not swap(&slot.lock, OPEN, TAKEN):
        return False
    lacking = lacks(slot, enough)
    if lacking:
        place = slot.made % PARTS
        part = part_at(a, i, place)
        slot.n[place] = refill(&a.s, &slot.cursor, a.pool + part, a.ahead, &slot.fault)
        slot.batch[place] = slot.cursor.batch
        a.scout.find(a.scout.own, a.pool + part, a.briefs + part if a.briefs != NULL else NULL, slot.n[place], helping)
        if slot.n[place] == 0:
            store(&slot.ended, 1)
        store(&slot.made, slot.made + 1)
    store(&slot.lock, OPEN)
    return lacking


cdef inline int32_t part_at(const Parts *a, int i, int32_t place) noexcept nogil:
    """The pool's row that is the first of a part."""
    return (i * PARTS + place) * a.ahead


cdef void open_parts(Parts *a, int64_t gen, const Stream *s, RUN *runs, int first, int n, DECODED *pool,
                     BRIEF *briefs, int ahead) noexcept nogil:
    """Begin a generation of n runs from ``first`` on, all others being used up.

    The pool, and ``briefs`` unless NULL, have PARTS * ahead events for each.
    """
    cdef int i
    cdef Slot *slot
    hold(a)
    store(&a.n, 0)
    a.scout.enter(a.scout.own, gen)
    a.s = s[0]
    a.pool = pool
    a.briefs = briefs
    a.ahead = ahead
    a.first = first
    for i in range(n):
        slot = &a.slots[i]
        slot.cursor = runs[first + i]
        store(&slot.made, 0)
        store(&slot.used, 0)
        store(&slot.ended, 0)
        store(&slot.lock, OPEN)
    store(&a.n, n)


cdef int take(Parts *a, RUN *runs, int run, FAULT *fault) noexcept nogil:
    """Give a run its next part in exchange for the one that it has: as ``refill``."""
    cdef int i = run - a.first
    cdef Slot *slot = &a.slots[i]
    cdef int32_t place = slot.used % PARTS
    while load(&slot.made) == slot.used:
        if not make(a, i, 1, False):
            relax()
    if slot.n[place] == 0:
        fault[0] = slot.fault
        return 0
    runs[run].batch = slot.batch[place]
    runs[run].part = part_at(a, i, place)
    store(&slot.used, slot.used + 1)
    return slot.n[place]


cdef void hold(Parts *a) noexcept nogil:
    """Let nobody make parts, so that what they are made of may change."""
    cdef int i
    for i in range(a.n):
        while not swap(&a.slots[i].lock, OPEN, HELD):
            relax()


cdef void go_on(Parts *a) noexcept nogil:
    """End what ``hold`` began."""
    cdef int i
    for i in range(a.n):
        store(&a.slots[i].lock, OPEN)

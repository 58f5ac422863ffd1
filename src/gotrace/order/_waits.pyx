"""Which threads wait for a goroutine or proc that has not changed since: attempting their event again is useless.

Without it, each event of a trace with thousands of waiting threads costs an attempt of each of them. Never here: a rule
of the order.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._generated cimport KEY_G, KEY_P, WAIT, WAITER, WAITS_SLOT_BITS


@cython.final
cdef class Waits:
    """The waits of a slab's threads; nothing is noted if ``changes`` is empty.

    Goroutines and procs share the places of ``changes`` by hash: a thread may be attempted although what it waits for
    did not change.
    """

    def __init__(self, WAITER[::1] waiters, int64_t[::1] changes, uint64_t multiplier):
        self.waiters = waiters
        self.changes = changes
        self.few = changes.shape[0] == 0
        self.now = 1
        self.multiplier = multiplier

    cdef inline int32_t slot(self, int kind, int64_t id) noexcept nogil:
        return <int32_t> ((<uint64_t> id * 2 + (kind == KEY_P)) * self.multiplier >> (64 - WAITS_SLOT_BITS))

    cpdef int wait_for(self, int cursor, int kind, int64_t id) noexcept nogil:
        """Note that a thread's event waits for a change of a goroutine or proc, and for nothing else; return WAIT."""
        if not self.few:
            self.waiters[cursor].slot = self.slot(kind, id)
            self.waiters[cursor].since = self.now
        return WAIT

    cpdef bint still_waits(self, int cursor) noexcept nogil:
        """Return True if what a thread waits for has not changed."""
        cdef int64_t since = self.waiters[cursor].since
        return since != 0 and self.changes[self.waiters[cursor].slot] <= since

    cpdef void change(self, int cursor, int64_t g, int64_t p, int64_t id) noexcept nogil:
        """Note an event of a thread: it may have changed its goroutine and proc, and what its first argument names."""
        if self.few:
            return
        self.waiters[cursor].since = 0
        self.now = self.now + 1
        self.changes[self.slot(KEY_G, g)] = self.now
        self.changes[self.slot(KEY_P, p)] = self.now
        self.changes[self.slot(KEY_G, id)] = self.now
        self.changes[self.slot(KEY_P, id)] = self.now

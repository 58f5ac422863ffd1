# Which threads wait, and for what. Never here: a rule of the order.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._generated cimport WAITER


@cython.final
cdef class Waits:
    cdef bint few               # too few threads to note anything
    cdef WAITER[::1] waiters    # by cursor
    cdef int64_t[::1] changes   # by slot: number of its last change
    cdef int64_t now            # number of changes so far, plus 1
    cdef uint64_t multiplier

    cdef int32_t slot(self, int kind, int64_t id) noexcept nogil
    cpdef int wait_for(self, int cursor, int kind, int64_t id) noexcept nogil
    cpdef bint still_waits(self, int cursor) noexcept nogil
    cpdef void change(self, int cursor, int64_t g, int64_t p, int64_t id) noexcept nogil

"""One thread's events decoded ahead into its part of a pool, for the ordering.

Lives here: what a thread does next. Never here: which thread is next, what an event means.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from gotrace._generated cimport BATCH, DECODED, FAULT, OK, RUN
from gotrace._runs cimport DONE, advance


@cython.final
cdef class Pool:
    """The event batches of a slab, by run."""

    def __init__(self, const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, const int32_t[::1] order,
                 const uint8_t[::1] n_args, RUN[::1] runs, DECODED[::1] events, FAULT[::1] faults):
        self.data = data
        self.batches = batches
        self.order = order
        self.n_args = n_args
        self.runs = runs
        self.events = events
        self.faults = faults
        self.stream.data = &data[0]
        self.stream.size = data.shape[0]
        self.stream.base = base
        self.stream.batches = &batches[0]
        self.stream.order = &order[0]
        self.stream.n_args = &n_args[0]

    cpdef int refill(self, double factor, int run, int first, int room) noexcept nogil:
        """Decode the next events of a run into at most ``room`` rows from ``first`` on.

        The number of events, 0 at the end of the run, or the status of a fault. A fault behind the first event
        is met again, and told, by the next call.
        """
        cdef RUN *at = &self.runs[run]
        cdef DECODED *row
        cdef int n, status
        self.stream.factor = factor
        for n in range(room):
            status = advance(&self.stream, at, &self.faults[0])
            if status != OK:
                return n if n or status == DONE else status
            row = &self.events[first + n]
            row.time = at.time
            row.offset = self.stream.base + at.start
            memcpy(row.args, at.args, sizeof(at.args))
            row.type = at.type
        return room

"""What each thread does next, for the ordering; runs of events that change nothing pass in bulk.

Lives here: a thread's current event, and rows of events that need only their thread's context. Never here: which
thread is next, what an event means.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from gotrace._generated cimport BATCH, EVENT, FAULT, MORE, OK, ORDERED, RUN, SPEC
from gotrace._runs cimport DONE, Stream, advance


@cython.final
cdef class Pool:
    """The event batches of a slab, by run. A run's row of RUN holds its current event."""

    def __init__(self, const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, const int32_t[::1] order,
                 const uint8_t[::1] n_args, const SPEC[::1] spec, RUN[::1] runs, FAULT[::1] faults):
        self.data = data
        self.batches = batches
        self.order = order
        self.n_args = n_args
        self.spec = spec
        self.runs = runs
        self.faults = faults
        self.stream.data = &data[0]
        self.stream.size = data.shape[0]
        self.stream.base = base
        self.stream.batches = &batches[0]
        self.stream.order = &order[0]
        self.stream.n_args = &n_args[0]

    def fill(self, ORDERED[::1] rows):
        """Let ``pass_on`` write into these rows, which the caller keeps alive."""
        self.rows = &rows[0]
        self.room = <int> rows.shape[0]

    cpdef int advance(self, double factor, int run) noexcept nogil:
        """Decode the next event of a run: OK, MORE when there is none, or the status of a fault."""
        cdef int status
        self.stream.factor = factor
        status = advance(&self.stream, &self.runs[run], &self.faults[0])
        return MORE if status == DONE else status

    cpdef int pass_on(self, int run, int64_t bound, int64_t g, int64_t p, uint32_t generation) noexcept nogil:
        """Write rows of a run's events from row ``n`` on, while they pass in bulk and are not later than ``bound``.

        The factor is that of the last call of ``advance``. Like there, a row counts only when the event behind its
        own is decoded.
        """
        cdef Stream stream = self.stream    # locals: nothing that a row's stores could change
        cdef RUN at = self.runs[run]
        cdef const SPEC *specs = &self.spec[0]
        cdef const SPEC *spec = &specs[at.type]
        cdef ORDERED *row
        cdef int status = OK, i, n = self.n, room = self.room
        cdef int64_t last = self.last
        while spec.bulk and at.time <= bound and n < room:
            row = &self.rows[n]
            row.time = at.time if at.time > last else last + 1
            row.offset = stream.base + at.start
            row.g = g
            row.m = at.m
            row.stack = 0
            row.p = <int32_t> p
            row.generation = generation
            row.kind = spec.kind
            row.type = at.type
            row.part = 0
            row.resource = 0
            for i in range(4):
                row.args[i] = <int64_t> at.args[i] if i < spec.n_args else 0
            memset(&row.stack2, 0, 16)
            status = advance(&stream, &at, &self.faults[0])
            if status < 0:
                break
            last = row.time
            n += 1
            if status == DONE:
                status = MORE
                break
            spec = &specs[at.type]
        self.runs[run] = at
        self.n = n
        self.last = last
        return status


def take_events(const ORDERED[::1] rows, EVENT[::1] out):
    """Copy what both have."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(rows.shape[0]):
            memcpy(&out[i], &rows[i], sizeof(EVENT))

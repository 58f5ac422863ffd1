# Open regions. Never here: behaviour.
cimport cython
from libc.stdint cimport int32_t, int64_t

from gotrace._generated cimport LIFE, ORDERED, REGIONTIME, WORK
from gotrace.scheduler._names cimport Names


@cython.final
cdef class Regions:
    cdef WORK[::1] regions
    cdef int32_t n_regions, free_region
    cdef Names names
    cdef REGIONTIME[::1] out
    cdef readonly int32_t filled

    cdef void restart(self, int64_t time) noexcept nogil
    cdef int64_t room(self) noexcept nogil
    cdef int64_t output(self) noexcept nogil
    cdef void snapshot(self, const LIFE *life, int64_t time, WORK *now) noexcept nogil
    cdef void open(self, LIFE *life, const ORDERED *row, int64_t task, int32_t name) noexcept nogil
    cdef void inherit(self, LIFE *life, const ORDERED *row, int32_t region) noexcept nogil
    cdef REGIONTIME *put(self, const LIFE *life, const WORK *start, int64_t time, int64_t end) noexcept nogil
    cdef void put_unseen(self, const LIFE *life, const ORDERED *row, int32_t name) noexcept nogil
    cdef void close(self, LIFE *life, int64_t time, int64_t end, int kind, int32_t stack) noexcept nogil
    cdef bint is_system(self, int32_t function) noexcept nogil

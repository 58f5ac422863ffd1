# One thread's events decoded ahead, for the ordering. Never here: the order of threads.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

from gotrace._generated cimport BATCH, DECODED, FAULT, RUN
from gotrace._runs cimport Stream


@cython.final
cdef class Pool:
    cdef const uint8_t[::1] data
    cdef const BATCH[::1] batches
    cdef const int32_t[::1] order
    cdef const uint8_t[::1] n_args
    cdef RUN[::1] runs
    cdef DECODED[::1] events
    cdef FAULT[::1] faults
    cdef Stream stream

    cpdef int refill(self, double factor, int run, int first, int room) noexcept nogil

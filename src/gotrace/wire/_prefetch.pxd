# Working ahead: parts that will be asked for next, made by a second thread or by whoever needs them first.
# Never here: what a part is made of.
from libc.stdint cimport int32_t, int64_t, uint8_t

from gotrace._generated cimport FAULT, RING

cdef struct Ring:
    # Rings that follow each other: number k stands in place k % RING. One line of the cache is written by the thread
    # that uses them, the others by whoever makes them, with ``lock`` in his hands.
    int32_t used            # parts that were handed over; the last one is in use
    uint8_t[60] apart
    int32_t lock
    int32_t made            # parts
    int32_t ended           # the last one is empty, and there are no more
    int32_t[RING] n        # events in each; 0: what ``fault`` says
    FAULT fault
    uint8_t[64] behind


cdef struct Rings:
    # The next parts of each slot.
    Ring *slots
    int32_t n, serving, stopped
    void *own               # what is given to ``make``, which makes a part: how many events, or 0 and a fault
    int (*make)(void *own, int slot, int32_t place, bint helping, FAULT *fault) noexcept nogil


cdef class Prefetcher:
    cdef object kept
    cdef void *memory
    cdef Rings parts

    cdef int reserve(self, int n) except -1


cdef void open_rings(Rings *a, int n) noexcept nogil
cdef int take(Rings *a, int i, int32_t *place, FAULT *fault) noexcept nogil
cdef void hold(Rings *a) noexcept nogil
cdef void go_on(Rings *a) noexcept nogil

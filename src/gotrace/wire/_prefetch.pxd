# Prefetching: lots of decoded events in rings, filled by a background thread or by the reader when it needs one first.
# Never here: what a lot holds.
from libc.stdint cimport int32_t, int64_t, uint8_t

from gotrace._generated cimport FAULT, RING

cdef struct Ring:
    # Consecutive lots of one cursor: lot k is at place k % RING. The first cache line is written by the thread that
    # reads lots, the others by whichever thread fills them, holding ``lock``.
    int32_t used            # lots handed to the reader; the last one is in use
    uint8_t[60] padding
    int32_t lock
    int32_t made            # lots filled
    int32_t ended           # the last lot is empty, and no more follow
    int32_t[RING] n         # events in each lot; 0: see ``fault``
    FAULT fault
    uint8_t[64] end_padding


cdef struct Rings:
    # One ring per cursor, its slot.
    Ring *slots
    int32_t n, serving, stopped
    void *own               # passed to ``make``, which fills a lot and returns its number of events, or 0 and a fault
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

# Decoding ahead: what runs will ask for next, decoded by a second thread or by whoever needs it first.
# Never here: the order of threads, what an event means.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._generated cimport DECODED, FAULT, RUN, SPEC
from gotrace._idmap cimport IdMap
from gotrace._runs cimport Stream


cdef struct Slot:
    # The part of a run that comes next.
    int32_t state           # see _ahead.pyx: who may touch the rest
    int32_t n               # events in it; 0: what ``fault`` says
    int32_t part            # the pool's row that is the first of them
    uint8_t[52] unused      # what two threads look at is a line of the cache
    RUN cursor              # where the run's decoding stands
    FAULT fault
    uint8_t[64] apart


@cython.final
cdef class Ahead:
    cdef object kept
    cdef uint8_t[::1] memory
    cdef Slot *slots
    cdef int32_t n, serving, stopped
    # The generation at hand.
    cdef int first, ahead
    cdef Stream s
    cdef DECODED *pool
    cdef IdMap strings, stacks      # an empty one has no keys
    # Ids of all generations, as ``tables.Index`` has them.
    cdef const SPEC[::1] spec
    cdef uint64_t multiplier
    cdef const int64_t[::1] string_at
    cdef const uint8_t[::1] string_bits
    cdef uint64_t[::1] string_keys
    cdef int32_t[::1] string_vals
    cdef int32_t string_base        # row of the trace's strings that the slab's first one has
    cdef const int64_t[::1] stack_at
    cdef const uint8_t[::1] stack_bits
    cdef uint64_t[::1] stack_keys
    cdef int32_t[::1] stack_vals
    cdef int32_t stack_base

    cdef void begin(self, int gen, const Stream *s, RUN *runs, int first, int n, DECODED *pool,
                    int ahead) noexcept nogil
    cdef int take(self, RUN *runs, int run, FAULT *fault) noexcept nogil
    cdef void fill(self, Slot *slot) noexcept nogil
    cdef void look_up(self, DECODED *events, int n) noexcept nogil

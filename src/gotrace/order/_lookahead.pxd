# What each thread does next, for the ordering. Never here: the order of threads.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t

from gotrace._generated cimport CURSOR, DECODED, FAULT, ORDERED, SPEC
from gotrace._hashmap cimport IdIndex, IdMap
from gotrace.wire._cursor cimport EventBatches
from gotrace.wire._prefetch cimport Prefetcher
from gotrace.wire._stream cimport Stream


cdef struct Names:
    # What makes parts: where they are decoded, and the rows of stacks and strings that their events name.
    Stream stream
    DECODED *pool               # RING * ahead events for each thread
    int ahead
    CURSOR *cursors                # where the runs of the generation stand
    const SPEC *spec
    int32_t string_base         # row of the trace's strings that the segment's first one has
    int32_t stack_base
    IdMap strings, stacks       # of the generation; an empty one has no keys


@cython.final
cdef class NamePrefetcher(Prefetcher):
    cdef Names names
    cdef IdIndex string_index, stack_index


@cython.final
cdef class Lookahead:
    cdef EventBatches source
    cdef const SPEC[::1] spec
    cdef CURSOR[::1] cursors
    cdef DECODED[::1] pool          # parts of ``ahead`` rows for the runs of the generation
    cdef int ahead
    cdef FAULT[::1] faults
    cdef Stream stream
    cdef NamePrefetcher kept
    cdef Names *names               # NULL: one thread does everything
    cdef int first                  # run of the generation
    cdef char *rows                 # of ORDERED, each ``stride`` bytes behind the one before
    cdef Py_ssize_t stride
    cdef readonly bint whole        # they do not overlap
    cdef bint nameless              # experiments' events name no stacks and strings
    cdef int room
    cdef public int n               # rows of the output that are filled
    cdef public int64_t last        # ns: time of the last one

    cpdef object fill(self, ORDERED[:] rows)
    cpdef void begin(self, int gen, int first, int n_cursors, double factor) noexcept nogil
    cpdef int decode(self, int cursor) noexcept nogil
    cpdef int look_ahead(self, int cursor) noexcept nogil
    cpdef int copy_through(self, int cursor, int64_t bound, int64_t g, int64_t p, uint32_t generation) noexcept nogil

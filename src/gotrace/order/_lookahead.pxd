# Decoded events of each thread, ahead of the ordering. Never here: the order of threads.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t

from gotrace._generated cimport CURSOR, DECODED, FAULT, ORDERED, SPEC
from gotrace._hashmap cimport IdIndex, IdMap
from gotrace.wire._cursor cimport EventBatches
from gotrace.wire._prefetch cimport Prefetcher
from gotrace.wire._stream cimport Stream


cdef struct Names:
    # Input and output of the background thread: the pool it decodes into, and the id tables of stacks and strings.
    Stream stream
    DECODED *pool               # RING * ahead events for each thread
    int ahead
    CURSOR *cursors             # copies of the generation's cursors
    const SPEC *spec
    int32_t string_base         # row of the segment's first string in the trace's strings
    int32_t stack_base
    IdMap strings, stacks       # of the generation; an empty map has no keys


@cython.final
cdef class NamePrefetcher(Prefetcher):
    cdef Names names
    cdef IdIndex string_index, stack_index


@cython.final
cdef class Lookahead:
    cdef EventBatches source
    cdef const SPEC[::1] spec
    cdef CURSOR[::1] cursors
    cdef DECODED[::1] pool          # lots of ``ahead`` rows, one or RING of them per cursor of the generation
    cdef int ahead
    cdef FAULT[::1] faults
    cdef Stream stream
    cdef NamePrefetcher kept
    cdef Names *names               # NULL: no background thread
    cdef int first                  # first cursor of the generation
    cdef char *rows                 # ORDERED rows, ``stride`` bytes apart
    cdef Py_ssize_t stride
    cdef readonly bint whole        # the rows do not overlap
    cdef bint nameless              # no experiment's events name stacks or strings
    cdef int room
    cdef public int n               # number of filled output rows
    cdef public int64_t last        # ns: time of the last filled row

    cpdef object fill(self, ORDERED[:] rows)
    cpdef void begin(self, int gen, int first, int n_cursors, double factor) noexcept nogil
    cpdef int decode(self, int cursor) noexcept nogil
    cpdef int look_ahead(self, int cursor) noexcept nogil
    cpdef int copy_through(self, int cursor, int64_t bound, int64_t g, int64_t p, uint32_t generation) noexcept nogil

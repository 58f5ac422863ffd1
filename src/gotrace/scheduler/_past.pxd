# Ids of goroutines that ended. Never here: behaviour.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._hashmap cimport HashMap


@cython.final
cdef class Past:
    cdef uint64_t[::1] words
    cdef HashMap word_map, again_map
    cdef int32_t n_words        # words in use, word 0 included
    cdef int64_t n_again

    cdef int32_t lives(self, int64_t id) noexcept nogil
    cdef void enter(self, int64_t id) noexcept nogil
    cdef int64_t room(self) noexcept nogil

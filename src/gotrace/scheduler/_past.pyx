"""Ids of goroutines that ended: a bit for each id, and the number of lives of those that had several.

Go numbers goroutines in order, so a word of bits serves 64 of them. Never here: what a goroutine did.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._hashmap cimport HashMap, place, value_of

cdef enum:
    WORD = 64       # ids in a word


@cython.final
cdef class Past:
    """Past ids of goroutines."""

    def __init__(self):
        self.n_words = 1

    def bind(self, uint64_t[::1] words, HashMap word_map, HashMap again_map):
        """Use these tables: bits of ids, the word of each 64 ids, and the number of lives but the first."""
        self.words = words
        self.word_map = word_map
        self.again_map = again_map

    def used(self) -> tuple[int, int]:
        """Return the number of words, and of ids that had several lives."""
        return self.n_words, self.n_again

    cdef int64_t room(self) noexcept nogil:
        """Return the number of ids for which there is room."""
        return min(
            self.words.shape[0] - self.n_words,
            self.word_map.room // 2 - self.n_words,
            self.again_map.room // 2 - self.n_again,
        )

    cdef int32_t lives(self, int64_t id) noexcept nogil:
        """Return the number of past lives of an id."""
        cdef uint64_t key = <uint64_t> id
        if not self.words[value_of(&self.word_map.map, key // WORD)] >> key % WORD & 1:
            return 0
        return 1 + value_of(&self.again_map.map, key)

    cdef void enter(self, int64_t id) noexcept nogil:
        """Count one more life of an id."""
        cdef uint64_t key = <uint64_t> id
        cdef int64_t at = place(&self.word_map.map, key // WORD)
        cdef int32_t word = self.word_map.map.vals[at]
        if word == 0:
            word = self.n_words
            self.n_words = word + 1
            self.word_map.map.keys[at] = key // WORD
            self.word_map.map.vals[at] = word
        if self.words[word] >> key % WORD & 1:
            at = place(&self.again_map.map, key)
            self.n_again = self.n_again + (self.again_map.map.vals[at] == 0)
            self.again_map.map.keys[at] = key
            self.again_map.map.vals[at] = self.again_map.map.vals[at] + 1
        self.words[word] |= <uint64_t> 1 << key % WORD

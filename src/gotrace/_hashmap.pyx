"""Hash tables from 64-bit keys to small integers, in arrays that the caller owns.

Holds their bulk operations. Never here: allocation, or what a key means.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t


@cython.final
cdef class IdIndex:
    """The ids of each generation of a segment, and the row that defines each id.

    The table of generation g is the ``2**bits[g]`` places from ``at[g]`` on in ``keys`` and ``vals``, more than it has
    ids; ``bits[g]`` is 0 if it has none. ``vals`` are rows + 1, and 0 in an empty place.
    """

    def __init__(self, const int64_t[::1] at, const uint8_t[::1] bits, uint64_t[::1] keys, int32_t[::1] vals,
                 uint64_t multiplier):
        self.at = at
        self.bits = bits
        self.keys = keys
        self.vals = vals
        self.multiplier = multiplier

    def add(self, const uint64_t[::1] ids, const int32_t[::1] gens, int64_t[::1] first):
        """Add each id to its generation; set ``first[i]`` to the first row with ``ids[i]``."""
        cdef Py_ssize_t i
        cdef int64_t slot
        cdef IdMap table
        with nogil:
            for i in range(ids.shape[0]):
                self.open(&table, gens[i])
                slot = place(&table, ids[i])
                if table.vals[slot] == 0:
                    table.keys[slot] = ids[i]
                    table.vals[slot] = <int32_t> (i + 1)
                first[i] = table.vals[slot] - 1

    def find(self, const uint64_t[::1] ids, const int32_t[::1] gens, int64_t[::1] rows):
        """Set ``rows[i]`` to the row of ``ids[i]`` in its generation, -1 for an unknown id."""
        cdef Py_ssize_t i
        cdef IdMap table
        with nogil:
            for i in range(ids.shape[0]):
                rows[i] = value_of(&table, ids[i]) - 1 if self.open(&table, gens[i]) else -1


@cython.final
cdef class HashMap:
    """A map of ``2**n`` places, of which at most half may be used; ``vals`` are 0 in an empty place."""

    def __init__(self, uint64_t[::1] keys, int32_t[::1] vals, uint64_t multiplier):
        self.kept = keys, vals
        self.room = keys.shape[0]
        open_map(&self.map, &keys[0], &vals[0], log2(self.room), multiplier)

    def fill(self, HashMap old):
        """Copy all keys of ``old`` into this map, which must be empty and larger."""
        cdef int64_t i, at
        with nogil:
            for i in range(old.room):
                if old.map.vals[i]:
                    at = place(&self.map, old.map.keys[i])
                    self.map.keys[at] = old.map.keys[i]
                    self.map.vals[at] = old.map.vals[i]

    @property
    def places(self) -> int:
        """Number of places."""
        return self.room

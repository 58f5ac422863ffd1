# Hash tables with open addressing from 64-bit keys to small integers, in arrays that the caller owns. The multiplier is
# random in each process, so that a hostile trace cannot make ids collide. Never here: allocation.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t


cdef struct IdMap:
    uint64_t *keys
    int32_t *vals      # 0: this place is empty
    uint64_t mask
    uint64_t multiplier
    int shift


cdef inline void open_map(IdMap *table, uint64_t *keys, int32_t *vals, int bits, uint64_t mult) noexcept nogil:
    """Set table to the 2**bits places at keys and vals; bits is at least 1."""
    table.keys = keys
    table.vals = vals
    table.mask = (<uint64_t> 1 << bits) - 1
    table.multiplier = mult
    table.shift = 64 - bits


cdef inline int64_t place(const IdMap *table, uint64_t key) noexcept nogil:
    """Return the place of key, or the empty place where it belongs. The map must have an empty place."""
    cdef uint64_t i = (key * table.multiplier) >> table.shift
    while table.vals[i] != 0 and table.keys[i] != key:
        i = (i + 1) & table.mask
    return <int64_t> i


cdef inline int32_t value_of(const IdMap *table, uint64_t key) noexcept nogil:
    """Return the value of key, 0 if there is none."""
    return table.vals[place(table, key)]


cdef inline void remove(IdMap *table, uint64_t key) noexcept nogil:
    """Remove key, if it is there, and move later keys up so that no search ends early."""
    cdef uint64_t hole = place(table, key), i = hole, home
    if table.vals[hole] == 0:
        return
    while True:
        i = (i + 1) & table.mask
        if table.vals[i] == 0:
            break
        home = (table.keys[i] * table.multiplier) >> table.shift
        if ((i - home) & table.mask) >= ((i - hole) & table.mask):
            table.keys[hole] = table.keys[i]
            table.vals[hole] = table.vals[i]
            hole = i
    table.vals[hole] = 0


cdef inline int log2(Py_ssize_t places) noexcept nogil:
    cdef int bits = 0
    while (<Py_ssize_t> 1 << bits) < places:
        bits += 1
    return bits


@cython.final
cdef class IdIndex:
    # The ids of each generation of a segment, and the row that defines each id.
    cdef const int64_t[::1] at      # first place of each generation
    cdef const uint8_t[::1] bits    # log2 of its number of places; 0: it has no ids
    cdef uint64_t[::1] keys
    cdef int32_t[::1] vals          # row + 1; 0: this place is empty
    cdef uint64_t multiplier

    cdef inline bint open(self, IdMap *table, int64_t gen) noexcept nogil:
        """Set table to the map of a generation; False if the generation has no ids, and table no places."""
        if self.bits[gen] == 0:
            open_map(table, NULL, NULL, 1, self.multiplier)
            return False
        open_map(table, &self.keys[self.at[gen]], &self.vals[self.at[gen]], self.bits[gen], self.multiplier)
        return True


@cython.final
cdef class HashMap:
    # A map that its owner replaces with a larger one when it fills up.
    cdef object kept
    cdef IdMap map
    cdef int64_t room               # places

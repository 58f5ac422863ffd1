# Open addressing from 64-bit keys to small integers, over arrays that somebody else owns.
# Never here: allocation. The multiplier is drawn anew in each process, so that no trace can be made to collide.
from libc.stdint cimport int32_t, int64_t, uint64_t


cdef struct IdMap:
    uint64_t *keys
    int32_t *vals      # 0: this place is empty
    uint64_t mask
    uint64_t multiplier
    int shift


cdef inline void open_map(IdMap *table, uint64_t *keys, int32_t *vals, int bits, uint64_t mult) noexcept nogil:
    """Let table be the 2**bits places at keys and vals; bits is at least 1."""
    table.keys = keys
    table.vals = vals
    table.mask = (<uint64_t> 1 << bits) - 1
    table.multiplier = mult
    table.shift = 64 - bits


cdef inline int64_t place(const IdMap *table, uint64_t key) noexcept nogil:
    """Where key stands, or the empty place where it would. The map must have an empty place."""
    cdef uint64_t i = (key * table.multiplier) >> table.shift
    while table.vals[i] != 0 and table.keys[i] != key:
        i = (i + 1) & table.mask
    return <int64_t> i


cdef inline int32_t find(const IdMap *table, uint64_t key) noexcept nogil:
    """The value of key, 0 if it has none."""
    return table.vals[place(table, key)]

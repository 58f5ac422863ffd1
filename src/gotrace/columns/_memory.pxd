# Memory with a count of its users, which are also outside Python. Never here: what it holds.
from libc.stdint cimport int32_t, int64_t, uint8_t


cdef struct Memory:
    int32_t users
    int64_t nbytes
    uint8_t *data       # starts at a multiple of 64 bytes


cdef void hold(Memory *memory) noexcept nogil
cdef void drop(Memory *memory) noexcept nogil


cdef class Block:
    cdef Memory *memory

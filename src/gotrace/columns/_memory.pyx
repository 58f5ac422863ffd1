"""Memory with a count of its users: a size comes in, a buffer goes out.

The count needs no GIL, so that Arrow arrays that refer to the memory can be released by any thread. Never here: the
contents of the memory.
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc

from gotrace.wire._atomic cimport add, load

cdef extern from "Python.h":
    int PyBuffer_FillInfo(Py_buffer *, object, void *, Py_ssize_t, bint, int) except -1

cdef enum:
    ALIGNMENT = 64


cdef void hold(Memory *memory) noexcept nogil:
    """Add a user."""
    add(&memory.users, 1)


cdef void drop(Memory *memory) noexcept nogil:
    """Remove a user; the last one frees the memory."""
    if add(&memory.users, -1) == 0:
        free(memory)


@cython.final
cdef class Block:
    """Uninitialized memory that starts at a multiple of 64 bytes, as a writable buffer."""

    def __init__(self, int64_t nbytes):
        cdef uintptr_t end
        self.memory = <Memory *> malloc(sizeof(Memory) + nbytes + ALIGNMENT)
        if self.memory == NULL:
            raise MemoryError()
        end = <uintptr_t> self.memory + sizeof(Memory) + ALIGNMENT
        self.memory.users = 1
        self.memory.nbytes = nbytes
        self.memory.data = <uint8_t *> (end - end % ALIGNMENT)

    def __dealloc__(self):
        if self.memory != NULL:
            drop(self.memory)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.memory.data, self.memory.nbytes, False, flags)
        hold(self.memory)

    def __releasebuffer__(self, Py_buffer *view):
        drop(self.memory)

    def unused(self) -> bool:
        """Return True if neither a view nor an Arrow array uses the memory."""
        return load(&self.memory.users) == 1

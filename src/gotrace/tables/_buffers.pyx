"""Memory of row chunks that counts its views, so that it can be reused once there are none.

Memory comes in, a buffer goes out. Never here: the contents of the memory.
"""
cimport cython
from libc.stdint cimport int32_t, uint8_t

from gotrace.wire._atomic cimport add, load

cdef extern from "Python.h":
    int PyBuffer_FillInfo(Py_buffer *, object, void *, Py_ssize_t, bint, int) except -1


@cython.final
cdef class RowBuffer:
    """The memory of an array as a buffer that counts its views."""
    cdef uint8_t[::1] memory
    cdef int32_t views

    def __init__(self, uint8_t[::1] memory):
        self.memory = memory

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, &self.memory[0], self.memory.shape[0], False, flags)
        add(&self.views, 1)

    def __releasebuffer__(self, Py_buffer *view):
        add(&self.views, -1)

    def unused(self) -> bool:
        """Return True if there are no views."""
        return load(&self.views) == 0

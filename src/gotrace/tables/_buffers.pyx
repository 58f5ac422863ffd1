"""Memory for rows that are handed out: it serves again when nobody holds what stood in it.

ObjectReplay here: a block, and how many view it. Never here: what stands in it.
"""
cimport cython
from libc.stdint cimport int32_t, uint8_t

from gotrace.wire._atomic cimport load, swap

cdef extern from "Python.h":
    int PyBuffer_FillInfo(Py_buffer *, object, void *, Py_ssize_t, bint, int) except -1


@cython.final
cdef class RowBuffer:
    """The memory of an array as a buffer."""
    cdef uint8_t[::1] memory
    cdef int32_t views

    def __init__(self, uint8_t[::1] memory):
        self.memory = memory

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, &self.memory[0], self.memory.shape[0], False, flags)
        self.note(1)

    def __releasebuffer__(self, Py_buffer *view):
        self.note(-1)

    cdef void note(self, int32_t more) noexcept:
        """Count a view more, or less, which may be another thread's."""
        cdef int32_t views = load(&self.views)
        while not swap(&self.views, views, views + more):
            views = load(&self.views)

    def unused(self) -> bool:
        """Whether nobody views it."""
        return load(&self.views) == 0
